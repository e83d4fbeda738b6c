"""Options of one message that protect it, and that only its session or mailer can obey: an error, never a silence."""

import socket

import pytest
import smtpclient
from conftest import MESSAGE


def dial(host, port, seconds):
    return socket.create_connection((host, port), seconds)


def policy(code, text):
    return "secure"


PROTECTING = [
    {"tlsfingerprint": "00" * 32},
    {"tlspolicy": "secure"},
    {"tlspolicy": policy},
    {"tlsminversion": "1.3"},
    {"proxy": "socks5://127.0.0.1:1"},
    {"dialler": dial},
]


@pytest.mark.parametrize("own", PROTECTING)
def test_one_message_is_refused(sink, own):
    (name,) = own
    to = {"servers": f"127.0.0.1:{sink.port}", "client": "c.example"}
    with smtpclient.Session("127.0.0.1", sink.port, client="c.example") as session:
        with pytest.raises(smtpclient.UsageError, match=f"`{name}`"):
            session.send_message(MESSAGE, **own)
        assert session.send_message(MESSAGE).complete
    with smtpclient.Mailer(**to) as mailer:
        with pytest.raises(smtpclient.UsageError, match=f"`{name}`"):
            mailer.submit(MESSAGE, **own)
        assert mailer.submit(MESSAGE).result(20).complete


@pytest.mark.parametrize("own", [{"tlspolicy": "secure"}, {"tlspolicy": policy}, {"tlsminversion": "1.3"}, {"dialler": dial}])
def test_what_all_have_each_may_have(sink, own):
    with smtpclient.Session("127.0.0.1", sink.port, client="c.example", **own) as session:
        assert session.send_message(MESSAGE, tag="one").complete
        assert session.send_message(MESSAGE, **own).complete
    with smtpclient.Mailer(servers=f"127.0.0.1:{sink.port}", client="c.example", **own) as mailer:
        assert mailer.submit(MESSAGE, tag="one").result(20).complete
        assert mailer.submit(MESSAGE, **own).result(20).complete
