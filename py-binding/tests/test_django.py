"""``smtpclient.django``: what Django's own tests (django_suite.py) do not ask."""

import logging
import smtplib as standard
import threading

import pytest

pytest.importorskip("django")

import django_settings  # noqa: E402, F401
from django.core import mail  # noqa: E402
from django.test import override_settings  # noqa: E402
from smtpclient import smtplib  # noqa: E402
from smtpclient.django import EmailBackend  # noqa: E402


@pytest.fixture(autouse=True)
def host(sink):
    with override_settings(EMAIL_HOST="127.0.0.1", EMAIL_PORT=sink.port, EMAIL_TIMEOUT=10):
        yield


def test_as_a_setting(sink, caplog):
    assert mail.send_mail("Grüße", "Hällo\n.\nx", None, ["b@s.example", "bad@s.example"]) == 1
    [(envelope, content)] = sink.messages()
    assert envelope[0].startswith("mail FROM:<web@c.example>") and envelope[1:] == ["rcpt TO:<b@s.example>"]
    assert b"\n.\r\nx" in content and content.count(b"\n") == content.count(b"\r\n")
    [(name, level, text)] = caplog.record_tuples
    assert (name, level) == ("smtpclient", logging.WARNING) and "bad@s.example" in text and "550" in text


def test_bcc_and_attachments(sink):
    message = mail.EmailMultiAlternatives("x", "text", to=["b@s.example"], bcc=["hidden@s.example"])
    message.attach_alternative("<p>x</p>", "text/html")
    message.attach("a.txt", "attached")
    assert message.send() == 1
    [(envelope, content)] = sink.messages()
    assert "rcpt TO:<hidden@s.example>" in envelope and b"hidden" not in content and b"a.txt" in content


def test_one_connection_for_all(sink, monkeypatch):
    opened = []
    connect = smtplib.SMTP.connect
    monkeypatch.setattr(smtplib.SMTP, "connect", lambda self, *a, **k: opened.append(self) or connect(self, *a, **k))
    messages = [mail.EmailMessage("x", "x", to=["b@s.example"]) for _ in range(20)]
    with mail.get_connection() as connection:
        assert connection.send_messages(messages) == 20
        messages[0].connection = connection
        assert messages[0].send() == 1
    assert len(opened) == 1 and sink.count == 21 and opened[0].sock is None


def test_threads_share_one(sink):
    with mail.get_connection() as connection:

        def call():
            for _ in range(10):
                assert connection.send_messages([mail.EmailMessage("x", "x", to=["b@s.example"])]) == 1

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sink.count == 80


def test_refused(sink):
    with pytest.raises(standard.SMTPRecipientsRefused):
        mail.send_mail("x", "x", None, ["bad@s.example"])
    assert mail.send_mail("x", "x", None, ["bad@s.example"], fail_silently=True) == 0
    with override_settings(EMAIL_PORT=1):
        with pytest.raises(ConnectionError):
            mail.send_mail("x", "x", None, ["b@s.example"])
        assert mail.send_mail("x", "x", None, ["b@s.example"], fail_silently=True) == 0
    assert sink.count == 0


def test_starttls_and_login(tls_server, certificate, monkeypatch):
    options = {"host": "localhost", "port": tls_server.port, "use_tls": True, "username": "user", "password": "pässword"}
    with pytest.raises(OSError, match="certificate verify failed"):
        EmailBackend(**options).open()
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    with EmailBackend(**options) as connection:
        assert connection.send_messages([mail.EmailMessage("x", "x", to=["b@s.example"])]) == 1
    secured, authenticated, _ = tls_server.handler.messages[-1]
    assert secured and authenticated


def test_a_certificate_of_the_clients(certificate):
    context = EmailBackend(ssl_certfile=certificate[0], ssl_keyfile=certificate[1]).ssl_context
    assert context.check_hostname and context.cert_store_stats()["x509"] > 0
    assert issubclass(EmailBackend(use_ssl=True).connection_class, standard.SMTP_SSL)
