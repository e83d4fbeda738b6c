"""Against a real Postfix (tests/servers): what it delivers is what was sent, by every way of sending. Skipped, with the
reason, where it is not available."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from email.message import EmailMessage
from pathlib import Path

import pytest
import smtpclient
from smtpclient import Session, aio, sendmessage, smtplib

SERVERS = Path(__file__).parents[2] / "tests/servers"
#: Relative to the first port.
SMTP, SUBMISSION, IMPLICIT, REFUSED, BARE, _, _, REQUIRED = range(8)


def free_ports(count):
    """The first of so many ports in a row."""
    for first in range(22000 + os.getpid() % 5000, 32000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for n, each in enumerate(sockets):
                each.bind(("127.0.0.1", first + n))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise AssertionError("no free ports")


class Postfix:
    def __init__(self, base, first):
        self.base, self.first, self.authority = base, first, str(base / "tls/ca.pem")

    def at(self, offset):
        """Options that lead to one of its ports."""
        return {"servers": ["localhost"], "ports": [self.first + offset], "tlscafile": self.authority}

    def delivered(self, user, octets, word):
        """Whether what was delivered is what was sent."""
        sent = self.base / "sent.eml"
        sent.write_bytes(octets)
        command = f'"{SERVERS}/delivered" postfix "{self.base}" {user} {word} | "{SERVERS}/compare.py" postfix "{sent}" -'
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        return True


@pytest.fixture(scope="module")
def postfix():
    fetched = subprocess.run([SERVERS / "fetch", "postfix"], capture_output=True, text=True)
    if fetched.returncode == 77:
        pytest.skip(fetched.stderr.strip())
    assert fetched.returncode == 0, fetched
    base = Path(tempfile.mkdtemp())
    base.chmod(0o711)  # it runs as other users
    first = free_ports(20)
    command = [SERVERS / "start", "postfix", base / "postfix", str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            if not running.stdout.readline().startswith("READY"):
                assert running.wait(10) == 77, running.stderr.read()
                pytest.skip(running.stderr.read().strip())
            yield Postfix(base / "postfix", first)
        finally:
            running.terminate()
            running.wait(30)
            shutil.rmtree(base, ignore_errors=True)


def letter(to="a@example.test"):
    """A message with what often goes wrong in it, and a word that finds it again."""
    word = uuid.uuid4().hex
    text = (
        f"From: Ann <ann@client.example>\nTo: {to}\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\n"
        f"Date: Mon, 02 Nov 2026 10:00:00 +0100\nMessage-ID: <{word}@client.example>\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
        ".\n..\n.dot\nüber\n  blanks  \n\n" + "x" * 900 + "\n\n.\n"
    )
    return text.encode(), word


def by_sendmessage(postfix, octets, to):
    return sendmessage(octets, recipients=to, **postfix.at(SMTP)).complete


def by_session(postfix, octets, to):
    with Session("localhost", postfix.first, tlscafile=postfix.authority, tlsrequired=True) as session:
        return session.send_message(octets, recipients=to).complete


def by_verbs(postfix, octets, to):
    with Session("localhost", postfix.first + BARE) as session:
        session.helo()
        return session.mail("ann@client.example").ok and session.rcpt(to).ok and session.data(octets).ok


def by_asyncio(postfix, octets, to):
    async def pieces():
        for start in range(0, len(octets), 100):
            yield octets[start : start + 100]

    return asyncio.run(aio.sendmessage(pieces(), recipients=to, **postfix.at(SMTP))).complete


def by_smtplib(postfix, octets, to):
    import ssl

    context = ssl.create_default_context(cafile=postfix.authority)
    with smtplib.SMTP("localhost", postfix.first + SUBMISSION) as session:
        session.starttls(context=context)
        assert session.login("user@example.test", "pass")[0] == 235
        assert session.sendmail("ann@client.example", [to], octets, ["BODY=8BITMIME"]) == {}
    with smtplib.SMTP_SSL("localhost", postfix.first + IMPLICIT, context=context) as session:
        return session.login("user@example.test", "pass")[0] == 235


def by_command(postfix, octets, to):
    command = [sys.executable, "-m", "smtpclient", "--server", f"localhost:{postfix.first}", "--to", to, "-"]
    return subprocess.run(command, input=octets, timeout=60).returncode == 0


@pytest.mark.parametrize("way", [by_sendmessage, by_session, by_verbs, by_asyncio, by_smtplib, by_command])
def test_delivered_as_sent(postfix, way):
    octets, word = letter()
    assert way(postfix, octets, "a@example.test")
    assert postfix.delivered("a", octets, word)


def test_an_email_message(postfix):
    message = EmailMessage()
    message["From"], message["To"], message["Bcc"] = "ann@client.example", "a@example.test", "b@example.test"
    message["Subject"] = "Grüße"
    message.set_content("Hällo\n.\n")
    message.add_attachment(bytes(range(256)) * 100, maintype="application", subtype="octet-stream", filename="ä.bin")
    report = sendmessage(message, header=[("X-Word", word := uuid.uuid4().hex)], **postfix.at(SMTP))
    assert report.complete and report.queue_id and len(report.recipients) == 2
    command = [SERVERS / "delivered", "postfix", postfix.base, "b", word]
    found = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout
    assert b"Bcc" not in found


def test_refused(postfix):
    octets, _ = letter()
    with pytest.raises(smtpclient.RecipientsRefused) as caught:
        sendmessage(octets, recipients=["a@example.test", "bad@example.test"], **postfix.at(SMTP))
    assert [refused.code for refused in caught.value.refused] == [550]
    to = ["a@example.test", "bad@example.test", "later@example.test", "full@example.test"]
    report = sendmessage(octets, recipients=to, atleastone=True, **postfix.at(SMTP))
    assert [refused.code for refused in report] == [550, 451, 452] and report.queue_id


@pytest.mark.parametrize(
    "mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN", None]
)
def test_login(postfix, mechanism):
    with Session("localhost", postfix.first + SUBMISSION, tlscafile=postfix.authority) as session:
        assert session.starttls().code == 220
        session.authenticate("user@example.test", "pass", mechanism)
        octets, _ = letter()
        assert session.send_message(octets).complete
    with pytest.raises(smtpclient.AuthenticationError) as caught:
        sendmessage(octets, username="user@example.test", password="wrong", **postfix.at(SUBMISSION))
    assert caught.value.code == 535 and "wrong" not in str(caught.value)


def test_tls(postfix):
    octets, _ = letter()
    secured = sendmessage(octets, tlsrequired=True, **postfix.at(REQUIRED)).attempts[0].tls
    assert secured.verified and secured.version.startswith("TLS")
    assert sendmessage(octets, **{**postfix.at(REFUSED)}).attempts[0].tls is None
    for offset in (REFUSED, BARE):
        with pytest.raises(smtpclient.TLSError):
            sendmessage(octets, tlsrequired=True, **postfix.at(offset))
    with pytest.raises(smtpclient.TLSError, match="unknown|self-signed|issuer"):
        sendmessage(octets, tlsrequired=True, servers=["localhost"], ports=[postfix.first])
    with pytest.raises(smtpclient.RefusedError) as caught:
        sendmessage(octets, usetls=False, **postfix.at(REQUIRED))
    assert caught.value.code == 530


def test_many(postfix):
    messages = [letter()[0] for _ in range(200)]
    with Session("localhost", postfix.first) as session:
        reports = list(session.send_many(messages))
    assert all(report.complete for report in reports) and len({report.queue_id for report in reports}) == 200

    async def main():
        async with aio.Session("localhost", postfix.first) as session:
            return [report async for report in session.send_many(messages[:50])]

    assert all(report.complete for report in asyncio.run(main()))


def test_django(postfix, monkeypatch):
    pytest.importorskip("django")
    from django.conf import settings

    if not settings.configured:
        settings.configure()
    from django.core.mail import EmailMessage as Mail
    from smtpclient.django import EmailBackend

    monkeypatch.setenv("SSL_CERT_FILE", postfix.authority)
    port = postfix.first + SUBMISSION
    options = {"host": "localhost", "port": port, "username": "user@example.test", "password": "pass", "use_tls": True}
    with EmailBackend(**options) as connection:
        mails = [Mail("x", "x\n", "ann@client.example", ["a@example.test"]) for _ in range(5)]
        assert connection.send_messages(mails) == 5
