"""Login mechanisms of one's own: what they are told, and what they may do."""

import asyncio
import gc
import hashlib
import socket
import ssl
import threading
import weakref

import pytest
import smtpclient
from conftest import MESSAGE
from sasl_server import SaslServer
from smtpclient import aio
from test_crash import python


class Acceptor:
    """Asks `who`, and takes `ann`."""

    def __init__(self):
        self.complete = False

    def step(self, said):
        if said == b"hello":
            return b"who"
        if said != b"s3cret-ann":
            raise ValueError(said)
        self.complete = True
        return None


class Site:
    name = "X-SITE"

    def __init__(self, steps=(b"hello", b"s3cret-ann")):
        self.steps, self.facts, self.challenges, self.threads = steps, [], [], []

    def begin(self, login):
        self.facts.append(login)
        return SiteLogin(self)


class SiteLogin:
    def __init__(self, site):
        self.site, self.complete, self.left = site, False, list(site.steps)

    def step(self, challenge):
        self.site.challenges.append(challenge)
        self.site.threads.append(threading.current_thread())
        said = self.left.pop(0)
        self.complete = not self.left
        if isinstance(said, BaseException):
            raise said
        return said


class Later(Site):
    """In coroutine functions."""

    async def begin(self, login):
        await asyncio.sleep(0.001)
        return LaterLogin(super().begin(login))


class LaterLogin:
    def __init__(self, login):
        self.login, self.complete = login, False

    async def step(self, challenge):
        await asyncio.sleep(0.001)
        said = self.login.step(challenge)
        self.complete = self.login.complete
        return said


@pytest.fixture
def site():
    with SaslServer("X-SITE PLAIN", Acceptor) as running:
        yield running


@pytest.fixture
def to(site):
    return {"servers": ["127.0.0.1"], "ports": [site.port], "client": "c.example"}


def test_what_it_is_told(site, to):
    mechanism = Site()
    assert smtpclient.sendmessage(MESSAGE, **to, mechanisms=[mechanism], username="ann", authzid="bob").complete
    (facts,) = mechanism.facts
    assert (facts.host, facts.port, facts.protocol, facts.username, facts.authzid) == ("127.0.0.1", site.port, "smtp", "ann", "bob")
    assert (facts.encrypted, facts.verified, facts.tls_version, facts.bindings) == (False, False, None, {})
    assert mechanism.challenges == [None, b"who"] and site.messages == 1


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_what_a_login_can_be_bound_to(certificate, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with SaslServer("X-SITE", Acceptor, tls=context) as server:
        mechanism = Site()
        assert smtpclient.sendmessage(
            MESSAGE, servers=f"smtps://localhost:{server.port}", tlscafile=certificate[0], tlsmaxversion=version, mechanisms=[mechanism],
        ).complete
    (facts,) = mechanism.facts
    assert facts.encrypted and facts.verified and facts.tls_version == f"TLSv{version}"
    with open(certificate[0]) as file:
        end_point = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).digest()
    assert facts.bindings["tls-server-end-point"] == end_point
    if version == "1.2":
        assert facts.bindings["tls-unique"] == server.bindings[0]
    else:
        assert len(facts.bindings["tls-exporter"]) == 32
    assert end_point.hex()[:8] not in repr(facts) and "bindings" not in repr(facts)


def test_it_shows_no_secret_in_the_clear(site, to):
    """A server that a dialler reaches does not count as this machine."""
    away = {"dialler": lambda host, port, timeout: socket.create_connection((host, port), timeout), "usetls": False}
    with pytest.raises(smtpclient.AuthenticationError, match="X-SITE: it would show the secret on an unencrypted connection"):
        smtpclient.sendmessage(MESSAGE, **to, **away, mechanisms=[Site()])
    assert not any(line.startswith("AUTH") for line in site.said)
    harmless = Site()
    harmless.reveals_secret = False
    assert smtpclient.sendmessage(MESSAGE, **to, **away, mechanisms=[harmless]).complete
    assert smtpclient.sendmessage(MESSAGE, **to, **away, mechanisms=[Site()], authinsecure=True).complete


def test_nothing_of_it_is_shown(site, to):
    lines = []
    for steps in ((b"hello", b"s3cret-ann"), (b"hello", b"s3cret-bob")):
        mechanism = Site(steps)
        try:
            report = smtpclient.sendmessage(MESSAGE, **to, mechanisms=[mechanism], transcript=lambda *line: lines.append(line))
            lines.append(repr(report))
        except smtpclient.AuthenticationError as error:
            lines.append(str(error) + repr(error.report))
    shown = repr(lines)
    assert "AUTH X-SITE ***" in shown and "334 ***" in shown
    assert not any(word in shown for word in ("s3cret", "aGVsbG8", "d2hv", "czNjcmV0"))


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([OSError("no ticket\nfor that")], "X-SITE: OSError: no ticket for that"),
        ([b"hello", KeyError("who")], "KeyError: 'who'"),
        (["hello"], "`step` of a mechanism must return bytes or None, not str"),
        ([b"x" * 70000], "70000 octets"),
        ([b"hello", b"s3cret-ann", b""], "not done"),
    ],
)
def test_what_goes_wrong(site, to, steps, words):
    with pytest.raises(smtpclient.AuthenticationError, match=words.replace("(", ".").replace("`", ".")) as failed:
        smtpclient.sendmessage(MESSAGE, **to, mechanisms=[Site(steps)])
    (failure,) = failed.value.report.attempts
    assert failure.error.kind == "login" and failure.error.step == "auth"
    assert [login.mechanism for login in failure.logins] == ["X-SITE"] and site.messages == 0


def test_what_has_no_complete(to):
    class Bad(Site):
        def begin(self, login):
            return object()

    with pytest.raises(smtpclient.AuthenticationError, match="AttributeError"):
        smtpclient.sendmessage(MESSAGE, **to, mechanisms=[Bad()])


def test_coroutines_are_for_asyncio(to):
    class LaterStep(Site):
        def begin(self, login):
            return LaterLogin(super().begin(login))

    for mechanism, function in ((Later(), "begin"), (LaterStep(), "step")):
        with pytest.raises(smtpclient.AuthenticationError, match=f"`{function}` of the mechanism returned an awaitable"):
            smtpclient.sendmessage(MESSAGE, **to, mechanisms=[mechanism])


def test_an_interrupt_ends_the_call(to):
    with pytest.raises(KeyboardInterrupt):
        smtpclient.sendmessage(MESSAGE, **to, mechanisms=[Site([KeyboardInterrupt()])])


class Named:
    begin = None

    def __init__(self, name):
        self.name = name


@pytest.mark.parametrize("value", [3, [object()], [Named("X-SITE")], [type("N", (Site,), {"name": 7})()]])
def test_what_is_no_mechanism(value):
    with pytest.raises(TypeError, match="option `mechanisms` takes a list of mechanisms"):
        smtpclient.Options(mechanisms=value)


def test_names(to):
    for name, words in [("X SITE", "RFC 4422"), ("", "RFC 4422"), ("PLAIN", "another name")]:
        with pytest.raises(smtpclient.UsageError, match=words):
            smtpclient.Options(mechanisms=[type("N", (Site,), {"name": name})()])
    with pytest.raises(smtpclient.UsageError, match="option `mechanisms`: X-SITE is there twice"):
        smtpclient.Options(mechanisms=[Site(), Site()])
    with pytest.raises(smtpclient.UsageError, match='"X-OTHER" must be a mechanism of these: X-SITE, '):
        smtpclient.sendmessage(MESSAGE, **to, mechanisms=[Site()], auth="X-OTHER")


def test_a_session_logs_in_by_its_name(site, to):
    with smtpclient.Session("127.0.0.1", site.port, mechanisms=[Site()], client="c.example") as session:
        assert session.send_message(MESSAGE).complete


def test_a_mailer_asks_in_threads(site, to):
    mechanism = Site()
    with smtpclient.Mailer(**to, mechanisms=[mechanism], connections=2) as mailer:
        results = [mailer.submit(MESSAGE) for _ in range(10)]
        assert all(result.result(60).complete for result in results)
    assert site.messages == 10 and mechanism.threads and threading.main_thread() not in mechanism.threads


@pytest.mark.parametrize("kind", [Site, Later])
def test_in_an_event_loop(site, to, kind):
    async def main():
        mechanism = kind()
        assert (await aio.sendmessage(MESSAGE, **to, mechanisms=[mechanism])).complete
        async with aio.Session("127.0.0.1", site.port, mechanisms=[mechanism], client="c.example") as session:
            assert (await session.send_message(MESSAGE)).complete
        async with aio.Mailer(**to, mechanisms=[mechanism]) as mailer:
            assert (await mailer.submit(MESSAGE)).complete
        # What blocks does so elsewhere; coroutines are the loop's.
        assert (threading.main_thread() in mechanism.threads) == (kind is Later)

    asyncio.run(main())
    assert site.messages == 3


def test_a_task_that_is_cancelled_meanwhile(site, to):
    class Endless(Later):
        async def begin(self, login):
            begun.set()
            await asyncio.sleep(3600)

    begun = asyncio.Event()

    async def main():
        task = asyncio.ensure_future(aio.sendmessage(MESSAGE, **to, mechanisms=[Endless()]))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert site.messages == 0 and not any(line.startswith("AUTH") for line in site.said)


def test_it_is_collected(to):
    mechanism = Site()
    options = smtpclient.Options(**to, mechanisms=[mechanism])
    mechanism.cycle = options
    gone = weakref.ref(mechanism)
    smtpclient.sendmessage(MESSAGE, options)
    assert options.mechanisms == [mechanism]
    del mechanism, options
    gc.collect()
    assert gone() is None


FORK = """
import os, sys, smtpclient
class Site:
    name = "X-SITE"
    def begin(self, login):
        return self
    complete, child = False, None
    def step(self, challenge):
        if challenge is None:
            return b"hello"
        self.child = os.fork()
        self.complete = True
        return b"s3cret-ann"
site = Site()
parent = os.getpid()
try:
    sent = smtpclient.sendmessage(b"From: a@c.example\\nTo: b@s.example\\n\\nx\\n", servers="127.0.0.1", ports=int(sys.argv[1]), mechanisms=[site]).complete
except smtpclient.SMTPException:
    sent = False
if os.getpid() != parent:
    os._exit(3 if sent else 0)
assert os.waitpid(site.child, 0)[1] == 0, "the child sent it"
assert sent
"""


def test_a_child_that_comes_back_says_nothing(site):
    python(FORK, site.port)
    assert site.messages == 1 and sum(line.startswith("MAIL") for line in site.said) == 1
