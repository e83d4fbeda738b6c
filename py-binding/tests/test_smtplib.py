"""``smtpclient.smtplib``: what CPython's own tests (cpython.py) do not ask."""

import contextlib
import email.message
import logging
import pickle
import smtplib as standard
import socket
import ssl
import threading

import pytest
import smtpclient
from conftest import MESSAGE, server
from smtpclient import smtplib
from smtpclient.testing import Sink

HELLO = [b"220 s\r\n", b"250-s\r\n250 AUTH PLAIN LOGIN\r\n"]


def open_to(sink, **more):
    return smtplib.SMTP("127.0.0.1", sink.port, local_hostname="c.example", timeout=10, **more)


def test_names():
    names = {name for name in vars(standard) if name.isupper() or name in standard.__all__}
    assert names - {"OLDSTYLE_AUTH"} <= set(smtplib.__all__) | {"_MAXLINE", "_MAXCHALLENGE"}
    for name in standard.__all__:
        ours, theirs = getattr(smtplib, name), getattr(standard, name)
        assert not isinstance(theirs, type) or issubclass(ours, theirs)
        if isinstance(theirs, type) and issubclass(theirs, Exception):
            assert issubclass(ours, smtpclient.SMTPException)


def test_a_message_of_which_one_recipient_is_refused(sink):
    with open_to(sink) as session:
        assert session.sendmail("a@c.example", "b@s.example", MESSAGE) == {}
        refused = session.sendmail("<>", ["root", "bad@s.example", "b@s.example"], MESSAGE, [], ["NOTIFY=NEVER"])
        assert refused == {"bad@s.example": (550, b"5.1.1 no such user")}
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            session.sendmail("a@c.example", ["bad@s.example", "later@s.example"], MESSAGE)
        assert caught.value.recipients["later@s.example"] == (451, b"4.2.0 later")
        assert not caught.value.transient and caught.value.step == "rcpt"
        assert [refusal.code for refusal in caught.value.refused] == [550, 451]
        assert session.noop()[0] == 250
    first, second = sink.messages()
    # Python's own methods write the verbs, in a case that depends on its version.
    assert [line.upper() for line in second[0]] == [
        "MAIL FROM:<> SIZE=58", "RCPT TO:<ROOT> NOTIFY=NEVER", "RCPT TO:<B@S.EXAMPLE> NOTIFY=NEVER"
    ]
    assert first[1] == second[1] == MESSAGE


def test_lone_line_ends_cannot_smuggle(sink):
    with open_to(sink) as session:
        session.sendmail("a@c.example", "b@s.example", b"Subject: x\n\nhi\n.\nMAIL FROM:<x>\r.\r\n\r.x")
        session.mail("a@c.example")
        session.rcpt("b@s.example")
        assert session.data("one\n.two")[0] == 250
    assert [content for _, content in sink.messages()] == [
        b"Subject: x\r\n\r\nhi\r\n.\r\nMAIL FROM:<x>\r\n.\r\n\r\n.x\r\n", b"one\r\n.two\r\n"
    ]


def test_command_by_command(sink):
    session = open_to(sink)
    assert session.docmd("ehlo", "a_b")[0] == 250
    session.putcmd("mail", "FROM:<a@c.example>")
    session.putcmd("rcpt", "TO:<b@s.example>")
    assert [session.getreply()[0], session.getreply()[0]] == [250, 250]
    with pytest.raises(smtpclient.UsageError, match="send one first"):
        session.getreply()
    for line, words in [("data", r"use data\(\)"), ("noop a\0", "control"), ("noop a\nb", "newline")]:
        with pytest.raises(ValueError, match=words):
            session.docmd(line)
    assert session.data(bytearray(MESSAGE))[0] == 250
    assert session.quit()[0] == 221 and session.sock is None
    with pytest.raises(standard.SMTPServerDisconnected, match="connect"):
        session.docmd("noop")
    assert session.connect("127.0.0.1", sink.port)[0] == 220
    session.close()


@contextlib.contextmanager
def trust(certificate):
    """Let the default context trust the tests' certificate."""
    own, ssl.create_default_context = ssl.create_default_context, lambda: own(cafile=certificate[0])
    try:
        yield
    finally:
        ssl.create_default_context = own


def test_starttls_verifies(tls_server, certificate):
    with smtplib.SMTP("localhost", tls_server.port) as session:
        with pytest.raises(ssl.SSLCertVerificationError):
            session.starttls()
        assert session.sock is None
    with smtplib.SMTP("127.0.0.1", tls_server.port) as session:
        session.starttls(context=ssl._create_unverified_context())
        assert session.noop()[0] == 250
    with trust(certificate), smtplib.SMTP() as session:
        session.connect("localhost", tls_server.port)
        session.ehlo()
        assert session.has_extn("starttls")
        assert session.starttls()[0] == 220 and not session.esmtp_features
        assert session.login("user", "pässword")[0] == 235
        assert session.sendmail("a@c.example", "b@s.example", MESSAGE) == {}
    assert tls_server.handler.messages[-1][0]


def test_a_socket_that_the_caller_wraps(tls_server):
    with smtplib.SMTP("127.0.0.1", tls_server.port) as session:
        session.ehlo()
        assert session.docmd("STARTTLS")[0] == 220
        session.sock = ssl._create_unverified_context().wrap_socket(session.sock)
        session.ehlo()
        assert not session.has_extn("starttls") and session.sendmail("a@c", "b@s", MESSAGE) == {}
    assert tls_server.handler.messages[-1][0]


def test_plain_text_behind_the_reply_to_starttls():
    with server(b"220 s\r\n", b"250-s\r\n250 STARTTLS\r\n", b"220 go\r\n250 injected\r\n") as (port, _):
        session = smtplib.SMTP("127.0.0.1", port)
        with pytest.raises(smtplib.SMTPTLSError, match="plain text") as caught:
            session.starttls()
    assert session.sock is None and isinstance(caught.value, smtpclient.TLSError)


def test_tls_from_the_first_byte(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    said = []

    def serve():
        for _ in range(2):
            with contextlib.suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as peer:
                peer.sendall(b"220 s\r\n")
                said.append(peer.recv(1000))
                peer.sendall(b"221 bye\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    port = listener.getsockname()[1]
    with pytest.raises(ssl.SSLCertVerificationError):
        smtplib.SMTP_SSL("localhost", port)
    with trust(certificate), smtplib.SMTP_SSL(f"localhost:{port}") as session:
        assert isinstance(session, standard.SMTP_SSL) and session.default_port == 465
    thread.join(5)
    listener.close()
    assert said == [b"QUIT\r\n"]
    with pytest.raises(ValueError, match="exclusive"):
        smtplib.SMTP_SSL(certfile="x", context=context)


def test_a_password_in_clear_only_where_it_is_asked_for():
    plain = b"AUTH PLAIN AHUAcA==\r\n"
    with server(*HELLO, b"235 ok\r\n") as (port, heard):
        session = smtplib.SMTP("127.0.0.1", port)
        session._loopback = False  # as from another machine
        with pytest.raises(smtplib.SMTPNotSupportedError, match="starttls"):
            session.login("u", "p")
        assert b"AUTH" not in heard
        session.authinsecure = True
        assert session.login("u", "p") == (235, b"ok")
        session.close()
    assert heard.endswith(plain)
    with server(*HELLO, b"535 5.7.8 no\r\n", b"535 5.7.8 no\r\n") as (port, heard):
        session = smtplib.SMTP("127.0.0.1", port)
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            session.login("u", "p")
        session.close()
        assert caught.value.smtp_code == 535 and isinstance(caught.value, smtpclient.AuthenticationError)


def test_scram_where_nothing_else_is_offered():
    with server(b"220 s\r\n", b"250-s\r\n250 AUTH SCRAM-SHA-256\r\n", b"535 5.7.8 no\r\n") as (port, heard):
        session = smtplib.SMTP("127.0.0.1", port)
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            session.login("user", "p")
        session.close()
    assert b"AUTH SCRAM-SHA-256 biws" in heard and caught.value.smtp_code == 535


def test_an_empty_response_and_secrets_that_do_not_show(capsys, caplog):
    caplog.set_level(logging.DEBUG, "smtpclient")
    with server(*HELLO, b"334 e30=\r\n", b"535 no\r\n") as (port, heard):
        session = smtplib.SMTP("127.0.0.1", port)
        session.set_debuglevel(1)
        session.ehlo()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            session.auth("XOAUTH2", lambda challenge=None: "" if challenge else "hunter2")
        session.close()
    assert heard.endswith(b"AUTH XOAUTH2 aHVudGVyMg==\r\n\r\n")
    printed = capsys.readouterr().err
    assert "send: 'ehlo" in printed and "AUTH ***" in printed and "AUTH ***" in caplog.text
    assert "aHVudGVyMg" not in printed + caplog.text


GOOD = [b"220 s\r\n", b"250 s\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        (GOOD, smtplib.SMTPOutcomeUnknown),
        ([*GOOD, None], smtplib.SMTPOutcomeUnknown),
        (GOOD[:3], smtplib.SMTPTimeout),
        ([*GOOD[:3], None], smtplib.SMTPServerDisconnected),
        ([*GOOD[:3], b"nonsense\r\n"], smtplib.SMTPProtocolError),
        ([*GOOD[:4], b"554 5.7.1 no\r\n"], smtplib.SMTPDataError),
        ([*GOOD, b"554 5.7.1 no\r\n", b"250 ok\r\n"], smtplib.SMTPDataError),
        ([*GOOD, b"421 gone\r\n"], smtplib.SMTPDataError),
        ([*GOOD[:2], b"451 later\r\n", b"250 ok\r\n"], smtplib.SMTPSenderRefused),
        ([*GOOD[:1], b"502 no\r\n", b"502 no\r\n"], smtplib.SMTPHeloError),
        ([b"554 no\r\n"], smtplib.SMTPConnectError),
        ([b"SSH-2.0\r\n"], smtplib.SMTPConnectError),
    ],
)
def test_faults(replies, kind):
    with server(*replies) as (port, _), pytest.raises(kind) as caught:
        session = smtplib.SMTP("127.0.0.1", port, timeout=0.3)
        session.sendmail("a@c.example", ["b@s.example"], MESSAGE)
    assert type(caught.value) is kind and isinstance(caught.value, OSError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is kind and again.args == caught.value.args and str(again) == str(caught.value)
    assert again.failure == caught.value.failure and caught.value.failure is not None
    if isinstance(caught.value, standard.SMTPResponseException):
        assert caught.value.smtp_code == caught.value.args[0] == again.smtp_code
    assert caught.value.transient == (kind in (smtplib.SMTPSenderRefused, smtplib.SMTPTimeout) or
                                      type(caught.value) is smtplib.SMTPServerDisconnected
                                      or caught.value.code == 421)


def test_lmtp_has_a_final_reply_for_each(tmp_path):
    path = str(tmp_path / "lmtp")
    with Sink(unix=path, lmtp=True, rejects=["bad*=550 no"]) as sink, smtplib.LMTP(path) as session:
        to = ["b@s.example", "bad@s.example", "c@s.example"]
        assert session.sendmail("a@c.example", to, MESSAGE) == {"bad@s.example": (550, b"no")}
        assert session.noop()[0] == 250 and sink.count == 1
    finals = b"354 go\r\n", b"250 one\r\n452 4.2.2 two is full\r\n250 three\r\n"
    with server(b"220 s\r\n", b"250 s\r\n", *[b"250 ok\r\n"] * 4, *finals, b"221 bye\r\n") as (port, _):
        session = smtplib.LMTP("127.0.0.1", port)
        refused = session.sendmail("a@c.example", ["one@s", "two@s", "three@s"], MESSAGE)
        assert refused == {"two@s": (452, b"4.2.2 two is full")}
        session.quit()


def test_two_threads(silent):
    session = smtplib.SMTP("127.0.0.1", silent, timeout=1)
    raised = []

    def call():
        try:
            session.noop()
        except Exception as error:
            raised.append(type(error).__name__)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.close()
    assert "SMTPTimeout" in raised and set(raised) <= {"SMTPTimeout", "UsageError", "RuntimeError", "SMTPServerDisconnected"}


def test_an_overridden_socket(sink):
    class Own(smtplib.SMTP):
        def _get_socket(self, host, port, timeout):
            assert (host, port) == ("nowhere.invalid", 25)
            return socket.create_connection(("127.0.0.1", sink.port), timeout)

    with Own("nowhere.invalid") as session:
        assert session.sendmail("a@c.example", ["b@s.example"], MESSAGE) == {}


@pytest.mark.parametrize("bad", ["a@s.example\r\n<eve@s.example>", "a\0 <eve@s.example>", "<eve@s.example>\n", "a\x85@s.example"])
def test_a_control_character_in_an_address_is_refused(sink, bad):
    with open_to(sink) as session:
        session.ehlo()
        for call in (session.mail, session.rcpt, session.verify, session.vrfy, session.expn):
            with pytest.raises(smtpclient.UsageError, match="control characters"):
                call(bad)
        with pytest.raises(ValueError, match="control characters"):
            session.sendmail("a@c.example", [bad], MESSAGE)
        session.rset()
        with pytest.raises(ValueError, match="control characters"):
            session.sendmail(bad, ["b@s.example"], MESSAGE)
        message = email.message.Message()
        message["From"] = "a@c.example"
        message._headers.append(("To", bad))
        message.set_payload("x")
        with pytest.raises(ValueError, match="field To.*control characters"):
            session.send_message(message)
        message.replace_header("To", "b@s.example,\r\n c@s.example")
        assert session.send_message(message) == {}
    assert [line.upper() for line in sink.messages()[0][0] if line.startswith("rcpt")] == [
        "RCPT TO:<B@S.EXAMPLE>", "RCPT TO:<C@S.EXAMPLE>"
    ]


def test_a_local_part_of_any_length(sink):
    with open_to(sink) as session:
        assert session.sendmail("a@c.example", f"{'l' * 100}@s.example", MESSAGE) == {}


def test_standing_in_for_the_standard_classes(sink, monkeypatch):
    for name in ("SMTP", "SMTP_SSL", "LMTP", "SMTPException"):
        monkeypatch.setattr(standard, name, getattr(smtplib, name))
    with standard.SMTP("127.0.0.1", sink.port, timeout=10) as session:
        assert isinstance(session, smtplib.SMTP)
        assert session.sendmail("a@c.example", "b@s.example", MESSAGE) == {}
    for kind in (standard.SMTP_SSL, standard.LMTP):
        assert isinstance(kind(), kind)  # without a host it does not connect
