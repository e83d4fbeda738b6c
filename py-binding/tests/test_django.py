"""``smtpclient.django``: what Django's own tests (django_suite.py) do not ask."""

import logging
import smtplib as standard
import subprocess
import sys
import threading

import pytest

pytest.importorskip("django")

import django  # noqa: E402
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
    envelope = [line.lower() for line in envelope]  # which differ between versions of Python
    assert envelope[0].startswith("mail from:<web@c.example>") and envelope[1:] == ["rcpt to:<b@s.example>"]
    assert b"\n.\r\nx" in content and content.count(b"\n") == content.count(b"\r\n")
    [(name, level, text)] = caplog.record_tuples
    assert (name, level) == ("smtpclient", logging.WARNING) and "bad@s.example" in text and "550" in text


def test_bcc_and_attachments(sink):
    message = mail.EmailMultiAlternatives("x", "text", to=["b@s.example"], bcc=["hidden@s.example"])
    message.attach_alternative("<p>x</p>", "text/html")
    message.attach("a.txt", "attached")
    assert message.send() == 1
    [(envelope, content)] = sink.messages()
    assert "rcpt to:<hidden@s.example>" in [line.lower() for line in envelope] and b"hidden" not in content and b"a.txt" in content


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


def test_unicode_addresses(sink):
    message = mail.EmailMessage("Größe", "Grüße", "Jürgen <jürgen@c.example>", ["Zoë <zoë@grün.example>", "b@s.example"], cc=["ü@s.example"])
    assert message.send() == 1
    [(envelope, content)] = sink.messages()
    assert "smtputf8" in envelope[0].lower() and envelope[0].lower().startswith("mail from:<jürgen@c.example>")
    assert [line.partition("<")[2].partition(">")[0] for line in envelope[1:]] == ["zoë@grün.example", "b@s.example", "ü@s.example"]
    head = content.decode().partition("\r\n\r\n")[0]
    assert "To: Zoë <zoë@grün.example>, b@s.example\r\n" in head and "From: Jürgen <jürgen@c.example>\r\n" in head
    with pytest.raises(ValueError):
        mail.EmailMessage("x", "x", to=["ü\n@s.example"]).send()


MAILERS = """
import sys
from django.conf import settings
smtp = {"BACKEND": "smtpclient.django.EmailBackend", "OPTIONS": {"host": "127.0.0.1", "port": int(sys.argv[1])}}
kept = []
class Queue:
    keep = staticmethod(lambda job, payload: kept.append(payload))
    publish = staticmethod(lambda job, payload: kept.append("published"))
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_FROM_EMAIL="web@c.example",
    MAILERS={"default": smtp, "queue": {"BACKEND": "smtpclient.django.QueueBackend", "OPTIONS": {"queue": Queue}},
             "wrong": smtp | {"OPTIONS": smtp["OPTIONS"] | {"hots": "x"}}},
)
import django
django.setup()
from django.core import mail
assert mail.EmailMessage("x", "x", to=["b@s.example"]).send() == 1
assert mail.EmailMessage("y", "y", to=["b@s.example"]).send(using="queue") == 1
assert kept[1:] == ["published"] and "b@s.example" in str(kept[0])
try:
    mail.mailers["wrong"]
except mail.InvalidMailer as error:
    assert "hots" in str(error)
else:
    raise AssertionError
"""


@pytest.mark.skipif(django.VERSION < (6, 1), reason="Django 6.1 has MAILERS")
def test_mailers(sink):
    done = subprocess.run(
        [sys.executable, "-W", "error:::smtpclient", "-c", MAILERS, str(sink.port)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert sink.count == 1
