"""Every public name has a docstring, which is what `help()` and the reference show."""

import inspect
import typing

import pytest
import smtpclient
from smtpclient import aio, smtplib, testing


def public(module):
    """The names of a module that are its own."""
    exported = getattr(module, "__all__", None)
    if exported is None:
        exported = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    return [name for name in exported if not name.startswith("_")]


def undocumented(module):
    for name in public(module):
        value = getattr(module, name)
        # The name of a type is a value of typing's, which has no docstring of its own.
        if typing.get_origin(value) or not (inspect.isclass(value) or callable(value)):
            continue
        if not own_doc(value):
            yield name
        for member, what in vars(value).items() if inspect.isclass(value) else ():
            is_said = callable(what) or isinstance(what, (staticmethod, classmethod, property)) or inspect.isgetsetdescriptor(what)
            if not member.startswith("_") and is_said and not own_doc(getattr(value, member)):
                yield f"{name}.{member}"


def own_doc(value):
    """Not what a base class says."""
    text = inspect.getdoc(value) if not inspect.isclass(value) else value.__doc__
    return text and text.strip()


@pytest.mark.parametrize("module", [smtpclient, aio, smtplib, testing], ids=lambda module: module.__name__)
def test_everything_public_is_documented(module):
    assert public(module)
    assert list(undocumented(module)) == []


def test_the_options_list_every_option():
    text = inspect.getdoc(smtpclient.Options)
    names = smtpclient.option_names()
    assert len(names) > 50 and [name for name in names if f"\n  {name}: " not in text] == []


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert smtpclient.__version__ == version("smtpclient")
