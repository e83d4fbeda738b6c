"""What a function of the caller's raises is the cause of the error that follows from it, whoever sends."""

import asyncio
import socket

import pytest
import smtpclient
from conftest import MESSAGE
from sasl_server import SaslServer
from smtpclient import aio
from smtpclient.testing import Sink
from test_mechanisms import Acceptor, Later, Site


class Broken(Exception):
    pass


def broken(*_):
    raise Broken("out of\norder")


async def broken_later(*_):
    await asyncio.sleep(0)
    broken()


class Signer:
    """Fails in one of its functions."""

    def __init__(self, where):
        self.where = where

    def __getattr__(self, name):
        if name == self.where:
            return broken
        return {"begin": lambda: self, "update": lambda _: None, "finish": lambda _: ""}[name]


def once(message):
    """A message whose reader fails after its header section."""
    pieces = iter([message])
    return smtpclient.Message.from_reader(lambda _: next(pieces, None) or broken())


def send(server, **known):
    smtpclient.sendmessage(known.pop("message", MESSAGE), **server, **known)


def over_a_session(server, message=MESSAGE, **known):
    with smtpclient.Session(server["servers"], server["ports"], client="c.example", **known) as session:
        session.send_message(message)


def by_a_mailer(server, message=MESSAGE, **known):
    with smtpclient.Mailer(**server, retries=0, **known) as mailer:
        mailer.submit(message).result(30)


def in_a_loop(server, message=MESSAGE, **known):
    asyncio.run(aio.sendmessage(message, **server, **known))


def over_a_session_in_a_loop(server, message=MESSAGE, **known):
    async def main():
        async with aio.Session(server["servers"], server["ports"], client="c.example", **known) as session:
            await session.send_message(message)

    asyncio.run(main())


def by_a_mailer_in_a_loop(server, message=MESSAGE, **known):
    async def main():
        async with aio.Mailer(**server, retries=0, **known) as mailer:
            await mailer.submit(message)

    asyncio.run(main())


BLOCKING = [send, over_a_session, by_a_mailer]
LOOPS = [in_a_loop, over_a_session_in_a_loop, by_a_mailer_in_a_loop]
FUNCTIONS = {
    "mechanism": (smtpclient.AuthenticationError, lambda: {"mechanisms": [Site([b"hello", Broken("out of order")])]}),
    "mechanism at once": (smtpclient.AuthenticationError, lambda: {"mechanisms": [Site([Broken("")])]}),
    "token": (smtpclient.AuthenticationError, lambda: {"username": "ann", "oauthtoken": broken}),
    "dialler": (smtpclient.ConnectError, lambda: {"dialler": broken}),
    "signer begins": (smtpclient.SourceError, lambda: {"signers": [Signer("begin")]}),
    "signer goes on": (smtpclient.SourceError, lambda: {"signers": [Signer("update")]}),
    "signer finishes": (smtpclient.SourceError, lambda: {"signers": [Signer("finish")]}),
    "reader": (smtpclient.SourceError, lambda: {"message": once(MESSAGE)}),
    "commit": (smtpclient.CommitError, lambda: {"commit": broken}),
}


@pytest.fixture
def servers():
    with SaslServer("X-SITE", Acceptor) as site, Sink(users={"ann": "secret"}) as login, Sink() as sink:
        ports = {"mechanism": site.port, "token": login.port}
        yield lambda name: {
            "servers": "127.0.0.1",
            "ports": ports.get(name.split()[0], sink.port),
            "client": "c.example",
        }


def fails(face, kind, server, known):
    with pytest.raises(kind) as failed:
        face(server, **known)
    assert type(failed.value.__cause__) is Broken and failed.value.__cause__.__traceback__ is not None


@pytest.mark.parametrize("face", BLOCKING + LOOPS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_it_raised_is_the_cause(servers, name, face):
    kind, known = FUNCTIONS[name]
    fails(face, kind, servers(name), known())


@pytest.mark.parametrize("face", LOOPS)
def test_what_coroutines_raise(servers, face):
    fails(face, smtpclient.AuthenticationError, servers("mechanism"), {"mechanisms": [Later([Broken("no")])]})
    fails(face, smtpclient.AuthenticationError, servers("token"), {"username": "ann", "oauthtoken": broken_later})
    fails(face, smtpclient.CommitError, servers("commit"), {"commit": broken_later})


@pytest.mark.parametrize("name", ["mechanism", "token", "dialler"])
def test_a_look_at_the_server(servers, name):
    kind, known = FUNCTIONS[name]
    for verify in smtpclient.verify, lambda **options: asyncio.run(aio.verify(**options)):
        with pytest.raises(kind) as failed:
            verify(**servers(name), **known())
        assert type(failed.value.__cause__) is Broken


def test_a_login_by_a_verb(servers):
    mechanism = Site([Broken("no")])
    with smtpclient.Session("127.0.0.1", servers("mechanism")["ports"], mechanisms=[mechanism]) as session:
        with pytest.raises(smtpclient.AuthenticationError) as failed:
            session.authenticate("ann", "secret", "X-SITE")
        assert type(failed.value.__cause__) is Broken


def test_each_message_of_a_mailer_has_its_own(servers):
    def signer(n):
        def finish(_):
            raise Broken(f"message {n}.")

        one = Signer("nothing")
        one.finish = finish
        return one

    with smtpclient.Mailer(**servers("sink")) as mailer:
        results = [mailer.submit(MESSAGE, signers=[signer(n)]) for n in range(100)]
        causes = [result.exception(30).__cause__ for result in results]
    assert [str(cause) for cause in causes] == [f"message {n}." for n in range(100)]


def test_an_error_that_does_not_follow_from_it_has_no_cause(servers):
    """The first server's function fails, and the second server refuses."""
    with Sink(faults=["mail=554 5.7.1 No"]) as sink:
        to = {"servers": ["127.0.0.1"] * 2, "ports": [servers("token")["ports"], sink.port], "client": "c.example"}
        with pytest.raises(smtpclient.RefusedError) as failed:
            smtpclient.sendmessage(MESSAGE, **to, dialler=first_fails())
    assert failed.value.__cause__ is None and "Broken" in str(failed.value.report.attempts[0].error)


def first_fails():
    left = [broken]
    return lambda host, port, timeout: (left.pop() if left else socket.create_connection)((host, port), timeout)
