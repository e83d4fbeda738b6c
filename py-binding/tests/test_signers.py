"""Option ``signers``: signers of the program's own, by dkimpy among others, and what goes wrong in one."""

import asyncio
import base64
import gc
import hashlib
import re
import subprocess
import time
import weakref

import dkim
import pytest
import smtpclient
from conftest import MESSAGE
from smtpclient import aio
from test_crash import python


class Whole:
    """Keeps the message, and has a function sign it as a whole."""

    def __init__(self, sign):
        self.sign = sign

    def begin(self):
        return Kept(self.sign)


class Kept:
    def __init__(self, sign):
        self.sign, self.pieces = sign, []

    def update(self, octets):
        self.pieces.append(octets)

    def finish(self, now):
        return self.sign(b"".join(self.pieces), now)


def to(sink, **more):
    return {"servers": [f"127.0.0.1:{sink.port}"], "client": "c.example", **more}


def test_dkimpy_signs_and_verifies(sink, tmp_path):
    key = tmp_path / "key.pem"
    command = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key]
    subprocess.run(command, check=True, capture_output=True)
    der = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)
    signer = Whole(lambda message, now: dkim.sign(message, b"sel", b"c.example", key.read_bytes()))
    smtpclient.sendmessage(MESSAGE, **to(sink, signers=[signer]))
    [(_, content)] = sink.messages()
    assert content.startswith(b"DKIM-Signature: ")
    assert dkim.verify(content, dnsfunc=lambda name, timeout=5: record)


@pytest.mark.parametrize("given", ["X-Seen: {}\r\n", "X-Seen:\n {}", b"X-Seen: {}"])
def test_the_signer_sees_what_goes_out(sink, given):
    def sign(message, now):
        assert abs(now - time.time()) < 100
        digest = hashlib.sha256(message).hexdigest()
        return given.format(digest) if isinstance(given, str) else given.replace(b"{}", digest.encode())

    none = Whole(lambda message, now: None)
    smtpclient.sendmessage(b"From: a@c.example\nTo: b@d.example\n\n.dot\nlast", **to(sink, signers=[Whole(sign), none]))
    [(_, content)] = sink.messages()
    assert content.startswith(b"X-Seen:")
    digest = re.search(rb"[0-9a-f]{64}", content)
    assert hashlib.sha256(content[digest.end() + 2 :]).hexdigest().encode() == digest[0]


def test_a_session_a_mailer_and_asyncio(sink):
    options = smtpclient.Options(**to(sink, signers=[Whole(lambda message, now: f"X-Length: {len(message)}")]))
    with smtpclient.Session("127.0.0.1", sink.port, options) as session:
        session.send_message(MESSAGE)
    with smtpclient.Mailer(options) as mailer:
        for future in [mailer.submit(MESSAGE) for _ in range(20)]:
            assert future.result(20).complete

    async def main():
        assert (await aio.sendmessage(MESSAGE, options)).complete
        async with aio.Mailer(options) as mailer:
            assert (await mailer.submit(MESSAGE)).complete

    asyncio.run(main())
    assert [content[:10] for _, content in sink.messages()] == [b"X-Length: "] * 23


class Fails(Whole):
    def __init__(self, at, error):
        super().__init__(None)
        self.at, self.error = at, error

    def begin(self):
        if self.at == "begin":
            raise self.error
        return self

    def update(self, octets):
        if self.at == "update":
            raise self.error

    def finish(self, now):
        raise self.error


@pytest.mark.parametrize("at", ["begin", "update", "finish"])
def test_what_a_signer_raises_is_why_nothing_is_sent(sink, at):
    with pytest.raises(smtpclient.SourceError, match="cannot be signed: OSError: the card is out") as info:
        smtpclient.sendmessage(MESSAGE, **to(sink, signers=[Fails(at, OSError("the card\nis out"))]))
    assert info.value.report.recipients[0].outcome == "not_sent"
    with pytest.raises(KeyboardInterrupt):
        smtpclient.sendmessage(MESSAGE, **to(sink, signers=[Fails(at, KeyboardInterrupt())]))
    assert sink.messages() == []


@pytest.mark.parametrize("given", ["no field", "A: b\n\nc", "A: b\n \n c", "A: b\r c", "Bcc: x@y", "A: \u20ac", b"\xff", 7, "A: " + "x" * 999])
def test_what_is_not_a_field_is_refused(sink, given):
    with pytest.raises(smtpclient.SourceError, match=r"whole header fields|a field `Bcc`|must return str|utf-8"):
        smtpclient.sendmessage(MESSAGE, **to(sink, signers=[Whole(lambda message, now: given)]))
    assert sink.messages() == []


@pytest.mark.parametrize("value", [7, [7], [object()]])
def test_usage(value):
    with pytest.raises(TypeError, match="option `signers`"):
        smtpclient.Options(signers=value)


def test_a_signer_may_send(sink):
    """What it reads is not the message that is sent meanwhile."""
    other = to(sink)

    def sign(message, now):
        smtpclient.sendmessage(MESSAGE, **other)
        return "X-Signed: yes"

    assert smtpclient.sendmessage(MESSAGE, **to(sink, signers=[Whole(sign)])).complete
    assert len(sink.messages()) == 2


def test_cycles_are_garbage():
    signer = Whole(None)
    signer.options = smtpclient.Options(signers=[signer])
    gone = weakref.ref(signer)
    del signer
    gc.collect()
    assert gone() is None


def test_the_interpreter_may_end_meanwhile(sink):
    """A mailer's thread asks while the program ends."""
    code = f"""
import smtpclient, time
class S:
    def begin(self): return self
    def update(self, octets): time.sleep(0.01)
    def finish(self, now): return "X: y"
mailer = smtpclient.Mailer(servers=["127.0.0.1:{sink.port}"], client="c.example", signers=[S()])
for _ in range(20): mailer.submit(b"From: a@c.example\\nTo: b@d.example\\n\\nx")
"""
    python(code)


def test_options_of_a_message_have_signers_of_their_own(sink):
    signers = [Whole(lambda message, now: "X-Own: yes")]
    own = smtpclient.Options(signers=signers)
    with smtpclient.Session("127.0.0.1", sink.port, client="c.example") as session:
        session.send_message(MESSAGE)
        session.send_message(MESSAGE, own)
        assert len(list(session.send_many([(MESSAGE, {"signers": signers})]))) == 1
    with smtpclient.Mailer(**to(sink)) as mailer:
        assert mailer.submit(MESSAGE, own).result(20).complete
    assert [content.startswith(b"X-Own: yes") for _, content in sink.messages()] == [False, True, True, True]


def test_a_session_tells_why_and_goes_on(sink):
    with smtpclient.Session("127.0.0.1", sink.port, client="c.example") as session:
        for _ in range(2):
            with pytest.raises(smtpclient.SourceError, match="the card is out"):
                session.send_message(MESSAGE, smtpclient.Options(signers=[Fails("update", OSError("the card is out"))]))
        session.send_message(MESSAGE)
    assert len(sink.messages()) == 1


def test_a_signer_outlives_options_that_are_garbage(sink):
    """A message that waits keeps its signer, whatever becomes of the options that brought it."""
    with smtpclient.Mailer(**to(sink, rate=50)) as mailer:
        futures = []
        for _ in range(5):
            signer = Whole(lambda message, now: "X-Signed: yes")
            signer.options = smtpclient.Options(signers=[signer])
            futures.append(mailer.submit(MESSAGE, signer.options))
            del signer
            gc.collect()
        assert all(future.result(20).complete for future in futures)
