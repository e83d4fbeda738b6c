"""Sessions over blocking sockets."""

import socket
import ssl
import subprocess

import pytest
import smtpclient
from conftest import MESSAGE, server
from smtpclient import Session, aio
from smtpclient.testing import Sink


def test_verb_by_verb(sink):
    with Session("127.0.0.1", sink.port, client="c.example") as session:
        assert session.greeting.code == 220 and session.is_open and not session.is_encrypted
        assert session.helo().code == 250
        assert session.ehlo("other.example").lines[0].startswith("sink.example")
        assert session.mail("a@c.example", ["BODY=8BITMIME"]).ok
        assert session.rcpt("bad@s.example").enhanced == "5.1.1"
        assert session.rcpt("b@s.example").ok
        assert session.data("Subject: x\n\n.dot\n").text.startswith("Ok: queued as")
        assert session.noop().code == 250 and session.rset().code == 250
        for reply in (session.vrfy("x"), session.expn("x"), session.help(), session.command("XYZZY a")):
            assert isinstance(reply, smtpclient.Reply)
        assert session.quit().code == 221 and not session.is_open
    assert sink.messages()[0][1] == b"Subject: x\r\n\r\n.dot\r\n"


def test_what_the_server_offers(sink):
    with Session(f"smtp://127.0.0.1:{sink.port}") as session:
        assert "PIPELINING" in session.server_options()
        assert session.auth_types() == []


def test_send(sink):
    with Session("127.0.0.1", sink.port) as session:
        to = ["b@s.example", "Team: c@s.example, d@s.example;"]
        report = session.send("A <a@c.example>", to, bcc="e@s.example", subject="Grüße", content="Hällo\n")
        assert report.complete and len(report.recipients) == 4
        html = b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>\r\n"
        session.send("a@c.example", "b@s.example", content=html)
        with pytest.raises(smtpclient.UsageError, match="UTF-8"):
            session.send("a@c.example", "b@s.example", content=b"\xff")
    first, second = (content for _, content in sink.messages())
    assert b"e@s.example" not in first and b"Subject: =?utf-8?" in first
    assert second.endswith(html)


def test_many_with_reports_in_order(sink):
    def messages():
        for n in range(100):
            recipient = ["b@s.example", "bad@s.example", "later@s.example"][n % 3]
            yield MESSAGE, {"recipients": recipient}
        yield b"no recipient\r\n"
        yield MESSAGE

    with Session("127.0.0.1", sink.port) as session:
        reports = list(session.send_many(messages()))
        assert session.noop().ok
    assert [report.complete for report in reports[:100]] == [n % 3 == 0 for n in range(100)]
    assert reports[100].error.kind == "usage" and reports[101].complete
    assert sink.count == 35


def test_many_in_the_middle_of_which_the_caller_gives_up(sink):
    def failing():
        yield from [MESSAGE] * 5
        raise ZeroDivisionError

    with Session("127.0.0.1", sink.port) as session:
        for report in session.send_many([MESSAGE] * 50, window=16):
            assert report.complete and session.noop().ok
            break
        with pytest.raises(ZeroDivisionError):
            list(session.send_many(failing()))
        assert session.send_message(MESSAGE).complete
    assert 7 <= sink.count <= 1 + 16 + 5 + 1


def test_a_connection_that_ends_in_the_middle_of_many():
    replies = [b"220 s\r\n", b"250-s\r\n250 PIPELINING\r\n", b"250 a\r\n250 b\r\n354 c\r\n", None]
    with server(*replies) as (port, _), Session("127.0.0.1", port) as session:
        reports = list(session.send_many([MESSAGE] * 4))
    assert [report.error.kind for report in reports] == ["unknown", "closed", "closed", "closed"]
    assert [report.recipients[0].outcome for report in reports[1:]] == ["not_sent"] * 3


def test_a_socket_of_the_callers(sink):
    with Session.from_socket(socket.create_connection(("127.0.0.1", sink.port)), "s.example") as session:
        assert session.send_message(MESSAGE).attempts[0].peer == f"127.0.0.1:{sink.port}"
    with pytest.raises(smtpclient.UsageError, match="connected"):
        Session.from_socket(socket.socket(), "s.example")
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(smtpclient.UsageError):
        Session.from_socket(listener, "s.example")


def test_lmtp(tmp_path):
    path = str(tmp_path / "lmtp")
    with Sink(unix=path, lmtp=True, rejects=["bad*=550 no"]) as sink, Session(f"unix:{path}", lmtp=True) as session:
        assert session.lhlo().ok and session.mail("a@c.example").ok
        assert session.rcpt("b@s.example").ok and session.rcpt("c@s.example").ok
        assert [r.outcome for r in session.data_report(MESSAGE).recipients] == ["accepted"] * 2
        assert session.send_message(MESSAGE).complete and sink.count == 2


def test_bad_greeting_and_no_server():
    with server(b"554 go away\r\n") as (port, _), pytest.raises(smtpclient.RefusedError) as caught:
        Session("127.0.0.1", port)
    assert caught.value.code == 554 and caught.value.step == "greeting"
    with server(b"\x16\x03\x01 not SMTP\r\n") as (port, _), pytest.raises(smtpclient.ProtocolError):
        Session("127.0.0.1", port)
    with pytest.raises(smtpclient.UsageError, match="empty"):
        Session("")
    with pytest.raises(smtpclient.ResolveError):
        Session("nowhere.invalid")


def test_verbs_with_bad_arguments(sink):
    with Session("127.0.0.1", sink.port) as session:
        for call in (
            lambda: session.mail("a@b\r\nRSET"),
            lambda: session.rcpt(""),
            lambda: session.mail("a@b", ["X Y"]),
            lambda: session.ehlo("a b"),
            lambda: session.vrfy(""),
            lambda: session.command("NOOP\r\nRSET"),
            lambda: session.command("DATA"),
            lambda: session.command("AUTH PLAIN x"),
        ):
            with pytest.raises(smtpclient.UsageError):
                call()
        assert session.noop().ok


def test_a_deadline(silent):
    with Session("127.0.0.1", silent, deadline=0.3) as session:
        with pytest.raises(smtpclient.Timeout, match="deadline"):
            session.noop()
        assert not session.is_open


def test_starttls_and_login(tls_server, certificate):
    options = {"tlscafile": certificate[0]}
    with Session("localhost", tls_server.port, **options) as session:
        assert session.starttls().code == 220 and session.is_encrypted
        assert "LOGIN" in session.auth_types()
        session.authenticate("user", "pässword")
        report = session.send_message(MESSAGE)
        assert report.attempts[0].server == f"localhost:{tls_server.port}"
    report = smtpclient.sendmessage(
        MESSAGE, servers=["localhost"], ports=[tls_server.port], username="user", password="pässword", **options
    )
    attempt = report.attempts[0]
    assert attempt.tls.verified and attempt.tls.version.startswith("TLS") and attempt.logins[0].error is None
    shown = subprocess.check_output(["openssl", "x509", "-enddate", "-noout", "-dateopt", "iso_8601", "-in", certificate[0]], text=True)
    assert shown == f"notAfter={attempt.tls.expires.replace('T', ' ')}\n"
    assert [(tls, login) for tls, login, _ in tls_server.handler.messages] == [(True, True)] * 2


def test_starttls_by_pythons_ssl(tls_server, certificate):
    context = ssl.create_default_context(cafile=certificate[0])
    with Session("localhost", tls_server.port) as session:
        assert session.starttls(context).code == 220
        assert isinstance(session.sock, ssl.SSLSocket) and session.is_encrypted
        session.authenticate("user", "pässword".encode(), "PLAIN")
        assert all(report.complete for report in session.send_many([MESSAGE + b"x\r\n" * 60_000] * 3))
        with pytest.raises(smtpclient.UsageError):
            session.starttls()
    with Session("localhost", tls_server.port) as session, pytest.raises(ssl.SSLError):
        session.starttls(ssl.create_default_context())
    assert len(tls_server.handler.messages) == 3


def test_certificates_and_logins_that_fail(tls_server, certificate):
    where = {"servers": ["localhost"], "ports": [tls_server.port]}
    with pytest.raises(smtpclient.TLSError) as caught:
        smtpclient.sendmessage(MESSAGE, tlsrequired=True, **where)
    assert "self-signed" in str(caught.value) and caught.value.attempts[0].tls.why_not == "selfsigned"
    with pytest.raises(smtpclient.AuthenticationError) as caught:
        smtpclient.sendmessage(MESSAGE, username="user", password="hunter2", tlscafile=certificate[0], **where)
    assert "hunter2" not in str(caught.value) and caught.value.code == 535
    with Session("localhost", tls_server.port, tlscafile=certificate[0]) as session:
        session.starttls()
        with pytest.raises(smtpclient.AuthenticationError):
            session.authenticate("user", "wrong", "LOGIN")
    assert not tls_server.handler.messages


def test_a_policy_is_asked(tls_server):
    asked = []

    def policy(code, diagnostic):
        asked.append((code, diagnostic))
        return "insecure"

    where = {"servers": ["localhost"], "ports": [tls_server.port], "tlspolicy": policy}
    with pytest.raises(smtpclient.TLSError, match="pinned"):
        smtpclient.sendmessage(MESSAGE, tlsfingerprint=["00" * 32], **where)
    assert not asked  # a pin is not a question of policy
    report = smtpclient.sendmessage(MESSAGE, tlsminversion="1.3", **where)
    assert report.complete and report.attempts[-1].policy == "insecure" and len(asked) == 1
    assert tls_server.handler.messages[0][0] is False


def test_options_of_a_mailer_are_refused(sink):
    with pytest.raises(smtpclient.UsageError, match="`retries`.*mailer"):
        smtpclient.Session("127.0.0.1", sink.port, retries=5)
    with smtpclient.Session("127.0.0.1", sink.port) as session:
        with pytest.raises(smtpclient.UsageError, match="`rate`.*mailer"):
            session.send_message(MESSAGE, rate=5)
        assert session.send_message(MESSAGE).complete


@pytest.mark.parametrize("kind", [Session, aio.Session])
def test_what_is_not_a_socket_is_a_type_error(kind):
    with pytest.raises(TypeError, match=r"socket\.socket, not NoneType"):
        kind.from_socket(None, "mail.example")
