"""TLS that is set up once, and what is read again."""

import asyncio
import os
import subprocess
import threading

import pytest
import smtpclient
import smtpclient.aio
from smtpclient import TLS, Options, Session, TLSError, UsageError

MESSAGE = b"From: a@example.test\r\nTo: b@example.test\r\n\r\nhello\r\n"


def to(server):
    return {"servers": ["localhost"], "ports": [server.port], "tlsrequired": True}


def seen(report):
    return report.attempts[0].tls


def test_an_object_is_shared(tls_server, certificate):
    with open(certificate[0], "rb") as file:
        tls = TLS(tlsca=file.read(), tlstrust="given")
    assert repr(tls) == "<TLS>" and not tls.changed
    assert seen(smtpclient.sendmessage(MESSAGE, tls=tls, **to(tls_server))).verified
    options = Options(tls=tls, **to(tls_server))
    # What the first one was given is used by all.
    assert seen(smtpclient.sendmessage(MESSAGE, options)).resumed
    with Session("localhost", tls_server.port, Options(tls=tls, tlsrequired=True)) as session:
        assert session.starttls().code == 220
    assert seen(asyncio.run(smtpclient.aio.sendmessage(MESSAGE, options))).resumed
    failed = []

    def send():
        try:
            smtpclient.sendmessage(MESSAGE, options)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_options_made_anew_share_too(tls_server, certificate, tmp_path):
    other = tmp_path / "other.pem"
    with open(certificate[0], "rb") as file:
        other.write_bytes(file.read())
    for turn in range(3):
        for authorities in (certificate[0], other):
            report = smtpclient.sendmessage(MESSAGE, tlscafile=authorities, **to(tls_server))
            assert seen(report).resumed == (turn > 0), "options of others push these out"


def test_a_file_that_is_replaced_is_read_again(tls_server, certificate, tmp_path):
    unknown = tmp_path / "unknown.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x", "-keyout",
         tmp_path / "key.pem", "-out", unknown],
        check=True, capture_output=True,
    )
    used = tmp_path / "used.pem"
    os.link(certificate[0], used)
    tls = TLS(tlscafile=used)
    options, shared = Options(tlscafile=used, **to(tls_server)), Options(tls=tls, **to(tls_server))
    for each in options, shared:
        assert smtpclient.sendmessage(MESSAGE, each).complete
    os.replace(unknown, used)
    assert tls.changed
    for each in options, shared:
        with pytest.raises(TLSError):
            smtpclient.sendmessage(MESSAGE, each)
    assert not tls.changed


def test_what_cannot_be(tmp_path):
    with pytest.raises(UsageError, match="/none/such"):
        TLS(tlscafile="/none/such")
    with pytest.raises(UsageError, match="tlstrust"):
        TLS(tlstrust="given")
    with pytest.raises(ValueError, match="tlstrust"):
        TLS(tlstrust="all")
    with pytest.raises(TypeError, match="servers"):
        TLS(servers="localhost")
    with pytest.raises(TypeError, match="a TLS"):
        Options(tls=True)
    with pytest.raises(TypeError, match="str or bytes"):
        Options(tlsca=1)
    with pytest.raises(UsageError, match="`tlsverify`"):
        smtpclient.sendmessage(MESSAGE, tls=TLS(), tlsverify=False, servers="localhost")
    with pytest.raises(UsageError, match="tlsciphers"):
        TLS(tlsciphers="none-such")
    keys = tmp_path / "keys"
    TLS(tlskeylog=keys, tlsmaxversion="1.3", tlsservername="mail.example.org")
    assert keys.stat().st_mode & 0o777 == 0o600
