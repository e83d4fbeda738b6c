"""Sessions of both kinds have every verb, and exceptions every kind of error."""

import inspect
from pathlib import Path

import smtpclient
from smtpclient import _errors, _native, aio

VERBS = {name: takes for name, takes, _ in _native.verbs()}


def test_every_verb_is_a_method_of_both_kinds_of_session():
    for name, takes in VERBS.items():
        methods = [getattr(kind, name) for kind in (smtpclient.Session, aio.Session)]
        assert inspect.iscoroutinefunction(methods[1]) and not inspect.iscoroutinefunction(methods[0]), name
        for method in methods:
            assert method.__doc__, name
            given = list(inspect.signature(method).parameters.values())[1:]
            # `[name]` has a default, `name` has none; STARTTLS may take Python's own context.
            defaults = [parameter.default is not inspect.Parameter.empty for parameter in given if parameter.name != "context"]
            assert defaults == [word.startswith("[") for word in takes.split()], name


def test_both_kinds_of_session_have_the_same_methods():
    def methods(kind):
        return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}

    assert methods(smtpclient.Session) ^ methods(aio.Session) == {"connect"}  # without `async with`


def test_every_kind_of_error_is_an_exception(documented):
    assert sorted(_errors._KINDS) == sorted(documented("session.md", "Kinds of errors"))
    assert set(_errors._KINDS.values()) <= {getattr(smtpclient, name) for name in smtpclient.__all__}


def test_the_version_is_that_of_the_library():
    cargo = (Path(__file__).parents[2] / "Cargo.toml").read_text()
    assert f'\nversion = "{smtpclient.__version__}"\n' in cargo
