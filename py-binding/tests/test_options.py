"""Options are those of the library's table, in every place that Python has them."""

import pytest
import smtpclient
from smtpclient import Options, UsageError, _native

TABLE = {option.name: option for option in _native.option_table()}


def test_types_and_documentation_have_every_option():
    assert set(smtpclient.OptionDict.__annotations__) | set(smtpclient.TLSDict.__annotations__) == set(smtpclient.option_names())
    assert set(smtpclient.option_names()) - set(TABLE) == {
        "cancel", "commit", "dialler", "mechanisms", "progress", "signers", "transcript", "tls"
    }
    for name, option in TABLE.items():
        assert f"  {name}: " in smtpclient.Options.__doc__ and option.help in smtpclient.Options.__doc__, name
        assert (f"  {name}: " in smtpclient.TLS.__doc__) == (name in smtpclient.TLSDict.__annotations__), name


def test_types_are_those_that_are_taken():
    of_kind = {
        "flag": True, "integer": 3, "number": 0.5, "seconds": 1, "secret": b"http://p.example", "certificates": b"x", "text": "a.example",
        "words": ["never"], "word": None, "file": "/x", "ip": "127.0.0.1", "servers": ["a", "b"], "ports": [1, 2], "mailbox": "a@b",
        "addresses": ["a@b"], "recipient": "a@b", "header": {"X-A": "b"},
        "signature": "domain=a.example; selector=s; key=nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=",
    }
    assert {option.kind for option in TABLE.values()} == set(of_kind)
    of_name = {"deliverby": "120;R", "hold": "for:60", "auth": ["PLAIN"], "tlsfingerprint": ["ab" * 32], "mailparameters": "XVERP",
               "rcptparameters": "X-A=b"}
    for name, option in TABLE.items():
        value = of_name.get(name, option.words[0] if option.words else of_kind[option.kind])
        smtpclient.Options(**{name: value})
        assert smtpclient.OptionDict.__annotations__[name].__forward_arg__.endswith(" | None"), name


def test_an_empty_text_takes_an_option_back_to_its_default():
    for name, option in TABLE.items():
        if option.kind not in ("header", "recipient"):
            smtpclient.Options(smtpclient.Options(), **{name: ""})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"servers": [("h", 25)]}, "option `servers`: an item must be a str, not (str, int)"),
        ({"header": [("X", 5)]}, "option `header`: an item must be a pair (name, value) of str, not (str, int)"),
        ({"header": ["X: 5"]}, "option `header`: an item must be a pair (name, value) of str, not str"),
        ({"recipients": {"a@b.example": "never"}}, "put the dict into a list"),
        ({"originator": ["a@b.example"]}, "option `originator` takes a str, not list"),
        ({"timeout": [3]}, "option `timeout` takes a number, not list"),
    ],
)
def test_a_wrong_type_is_called_what_it_is(options, told):
    with pytest.raises(TypeError) as raised:
        Options(**options)
    assert told in str(raised.value)


@pytest.mark.parametrize("port", [-1, 65536, 10**30])
def test_a_wrong_port_is_the_callers_mistake(port):
    with pytest.raises(UsageError, match=f"between 0 and 65535, and 0 is the default one, not {port}"):
        smtpclient.Session("127.0.0.1", port)
