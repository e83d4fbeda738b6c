"""Cycles through everything that keeps a function, a future or an exception: the garbage collector finds them."""

import asyncio
import gc
import os
import sys
import time
import weakref

import pytest
import smtpclient
from conftest import MESSAGE
from smtpclient import Mailer, Message, Options, Session, aio, smtplib


class Quiet(Exception):
    """Refers to what raised it."""


class Owner:
    """Holds what refers to it."""

    def __init__(self):
        self.heard = []

    def hear(self, direction, line):
        self.heard.append(line)

    def policy(self, code, diagnostic):
        self.heard.append(diagnostic)
        return "insecure"

    def read(self, most):
        return b""

    def rewind(self):
        return True


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def options_in(owner, port):
    owner.kept = Options(servers="127.0.0.1", ports=port, transcript=owner.hear, tlspolicy=owner.policy)


def options_of_options(owner, port):
    owner.kept = Options(Options(transcript=owner.hear, tlspolicy=owner.policy), client="c.example")


def session_in(owner, port):
    owner.kept = Session("127.0.0.1", port, transcript=owner.hear, tlspolicy=owner.policy)


def session_with_message(owner, port):
    owner.kept = Session("127.0.0.1", port, transcript=owner.hear)
    assert owner.kept.send_message(MESSAGE).complete


def session_of_smtplib(owner, port):
    owner.kept = smtplib.SMTP("127.0.0.1", port)
    owner.kept.own = owner


def message_in(owner, port):
    owner.kept = Message.from_reader(owner.read, owner.rewind)


def message_within(owner, port):
    inner = Message.from_reader(owner.read, owner.rewind)
    outer = Message("text")
    outer.attach(Message.rfc822(inner))
    owner.kept = [Message.multipart("mixed", [outer, inner]), outer.parts, Message.multipart("mixed", [inner])]


def delivery_in(owner, port):
    options = Options(servers="127.0.0.1", ports=port, tlspolicy=owner.policy, recipients="b@s.example", originator="a@c.example")
    native = smtpclient._native
    owner.kept = native.Delivery(Message.from_bytes(MESSAGE), options, owner.hear, native.Limits(options), False)


def mailer_in(owner, port):
    owner.kept = Mailer(servers="127.0.0.1", ports=port, transcript=owner.hear, tlspolicy=owner.policy)
    assert owner.kept.submit(MESSAGE).result(20).complete


def future_in_the_mailers_callbacks(owner, port):
    """The one that was decided last refers to what refers to the mailer."""
    owner.kept = Mailer(servers="127.0.0.1", ports=port)
    future = owner.kept.submit(MESSAGE)
    future.own = owner
    future.add_done_callback(lambda _: owner.heard.append(1))
    assert future.result(20).complete


def future_that_failed(owner, port):
    owner.kept = Mailer(servers="127.0.0.1", ports=port)
    owner.future = owner.kept.submit(MESSAGE, recipients="bad@s.example")
    owner.future.own = owner
    assert isinstance(owner.future.exception(20), smtpclient.RecipientsRefused)


def mailer_in_a_message(owner, port):
    owner.kept = Mailer(servers="127.0.0.1", ports=port)
    owner.pieces = [MESSAGE, b""]
    message = Message.from_reader(lambda _: owner.pieces.pop(0))
    assert owner.kept.submit(message).result(20).complete


def mailer_whose_callback_raises(owner, port):
    """Also after its last report, with what is said to an idle connection."""

    def fail(direction, line):
        if line == "QUIT":
            owner.heard.append(line)
            raise Quiet(owner)

    owner.kept = Mailer(servers="127.0.0.1", ports=port, transcript=fail, idletime=0.01)
    assert owner.kept.submit(MESSAGE).result(20).complete
    while not owner.heard:
        time.sleep(0.002)


def session_that_raised_at_its_end(owner, port):
    def fail(direction, line):
        if line == "QUIT":
            raise Quiet(owner)

    owner.kept = Session("127.0.0.1", port, transcript=fail)
    owner.kept.close()


def session_that_raised_unheard(owner, port):
    def fail(direction, line):
        raise Quiet(owner)

    options = Options(transcript=fail)
    native = smtpclient._native
    owner.kept = native.Dialogue(native.one_server("127.0.0.1", port, options), options, fail, is_looped=True)
    owner.kept.begin(0, 1)
    deadline = time.monotonic() + 20
    while not owner.kept.turn().over and time.monotonic() < deadline:
        time.sleep(0.002)


def message_that_raised_unheard(owner, port):
    pieces = [MESSAGE]

    def read(most):
        if pieces:
            return pieces.pop()
        owner.heard.append(most)
        raise Quiet(owner)

    options = Options(servers="127.0.0.1", ports=port, client="c.example")
    message = Message.from_reader(read)
    owner.kept = smtpclient._native.Delivery(message, options, None, smtpclient._native.Limits(options), False)
    for _ in range(1000):
        if owner.kept.turn().over:
            break
        time.sleep(0.002)
    assert owner.heard


def aio_mailer(owner, port):
    async def main():
        owner.kept = aio.Mailer(servers="127.0.0.1", ports=port, transcript=owner.hear)
        owner.task = asyncio.ensure_future(owner.kept.submit(MESSAGE))
        owner.task.own = owner
        assert (await owner.task).complete

    asyncio.run(main())


def aio_mailer_whose_loop_is_gone(owner, port):
    async def main():
        owner.kept = aio.Mailer(servers="127.0.0.1", ports=port, transcript=owner.hear)
        owner.kept.own = owner
        asyncio.ensure_future(owner.kept.submit(MESSAGE))
        await asyncio.sleep(0)

    asyncio.run(main())


def aio_session(owner, port):
    async def main():
        async with aio.Session("127.0.0.1", port, transcript=owner.hear) as owner.kept:
            assert (await owner.kept.send_message(MESSAGE)).complete

    asyncio.run(main())


WAYS = [
    options_in, options_of_options, session_in, session_with_message, session_of_smtplib, message_in, message_within,
    delivery_in, mailer_in, future_in_the_mailers_callbacks, future_that_failed, mailer_in_a_message,
    mailer_whose_callback_raises, session_that_raised_at_its_end, session_that_raised_unheard,
    message_that_raised_unheard, aio_mailer, aio_mailer_whose_loop_is_gone, aio_session,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_cycles_are_collected(way, sink, monkeypatch):
    # Pytest's own keeps what it was told.
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    gc.collect()
    before, gone = descriptors(), []
    for _ in range(20):
        owner = Owner()
        way(owner, sink.port)
        gone.append(weakref.ref(owner))
        del owner
    gc.collect()
    # A mailer's threads end by themselves.
    for _ in range(200):
        if not any(ref() is not None for ref in gone) and descriptors() <= before + 1:
            break
        time.sleep(0.02)
        gc.collect()
    assert not any(ref() is not None for ref in gone)
    assert descriptors() <= before + 1


def test_what_is_alive_is_not_collected(sink):
    """Functions that only the core refers to, while collections go on in every callback."""
    calls = []

    class Reader:
        def __init__(self):
            self.pieces = [MESSAGE, b"x\r\n" * 1000, b""]
            self.own = self

        def read(self, most):
            gc.collect()
            return self.pieces.pop(0)

    def message():
        reader = Reader()
        reader.message = Message.from_reader(reader.read)
        return reader.message

    def hear(*_):
        gc.collect()
        calls.append(1)

    to = {"servers": "127.0.0.1", "ports": sink.port, "client": "c.example"}
    gc.collect()
    assert smtpclient.sendmessage(message(), transcript=lambda *_: hear(), **to).complete
    with Session("127.0.0.1", sink.port, transcript=lambda *_: hear()) as session:
        assert session.send_message(message()).complete
        assert all(report.complete for report in session.send_many(message() for _ in range(5)))
    with Mailer(Options(transcript=lambda *_: hear(), **to)) as mailer:
        futures = [mailer.submit(message()) for _ in range(10)]
        gc.collect()
        assert all(future.result(30).complete for future in futures)
    assert asyncio.run(aio.sendmessage(message(), transcript=lambda *_: hear(), **to)).complete
    assert sink.count == 18 and calls
