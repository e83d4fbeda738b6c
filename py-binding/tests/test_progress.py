"""Option ``progress``: what is told is what the server gets."""

import asyncio
import io
import threading

import pytest
import smtpclient
from conftest import MESSAGE
from smtpclient import aio
from smtpclient.testing import Sink

LARGE = b"From: a@c.example\nTo: b@s.example\nMessage-ID: <large@c.example>\n\n" + b".line of text\n" * 40_000


def check(told, size, total=True):
    octets = [one.octets for one in told]
    assert octets == sorted(set(octets)) and octets[-1] == size and len(octets) > 3
    assert {one.total for one in told} == ({size} if total else {None})


def size_at(sink):
    return len(sink.messages()[-1][1])


@pytest.mark.parametrize("chunking", ["off", "on"])
@pytest.mark.parametrize("how", ["memory", "file", "reader"])
def test_a_large_message(tmp_path, how, chunking):
    (tmp_path / "large.eml").write_bytes(LARGE)
    message = {"memory": LARGE, "file": tmp_path / "large.eml", "reader": io.BytesIO(LARGE)}[how]
    told = []
    with Sink(chunking=True) as sink:
        options = {"servers": "127.0.0.1", "ports": sink.port, "tag": "t", "chunking": chunking, "progress": told.append}
        smtpclient.sendmessage(message, **options)
        # A BytesIO knows its octets, and not what they are with CRLF at the end of every line.
        check(told, size_at(sink), total=how != "reader")
        assert {(one.message_id, one.tag, one.index) for one in told} == {("<large@c.example>", "t", 0)}
        assert told[0].server == f"127.0.0.1:{sink.port}"


def test_many(sink, to):
    told = []
    with smtpclient.Session("127.0.0.1", sink.port, client="c", progress=told.append) as session:
        reports = list(session.send_many([MESSAGE] * 100))
        assert all(report.complete for report in reports)
        # Each is told, and the last word on each is all of it.
        assert sorted({one.index for one in told}) == list(range(100))
        assert {one.octets for one in told} == {one.total for one in told} == {size_at(sink)}
        with pytest.raises(smtpclient.UsageError, match="`progress` belongs to the session"):
            session.send_message(MESSAGE, progress=print)


def test_a_mailer(sink, to):
    told = []
    with smtpclient.Mailer(**to, progress=told.append) as mailer:
        for _ in range(20):
            mailer.submit(MESSAGE).result(20)
        with pytest.raises(smtpclient.UsageError, match="`progress` belongs to the mailer"):
            mailer.submit(MESSAGE, progress=print)
    assert sorted({one.index for one in told}) == list(range(1, 21))


def test_asyncio(sink, to):
    """It is called in the loop, a mailer's, too."""
    told, threads = [], set()

    def progress(one):
        told.append(one)
        threads.add(threading.get_ident())

    async def go():
        await aio.sendmessage(LARGE, **to, progress=progress)
        check(told, size_at(sink))
        async with aio.Mailer(**to, progress=progress) as mailer:
            await mailer.submit(MESSAGE)
            while told[-1].index != 1:
                await asyncio.sleep(0)

    asyncio.run(go())
    assert threads == {threading.get_ident()}


def test_an_exception_ends_the_call(to):
    def progress(one):
        raise ZeroDivisionError

    with pytest.raises(smtpclient.Cancelled) as failed:
        smtpclient.sendmessage(LARGE, **to, progress=progress)
    assert isinstance(failed.value.__cause__, ZeroDivisionError)


def test_a_message_that_is_given_up(to):
    """A cancel in the middle: less than all of it was told, and nobody gets it."""
    cancel, told = smtpclient.Cancel(), []

    def progress(one):
        told.append(one)
        cancel.trigger()

    with pytest.raises(smtpclient.Cancelled) as failed:
        smtpclient.sendmessage(LARGE, **to, progress=progress, cancel=cancel)
    assert told[-1].octets < told[-1].total and failed.value.report.recipients[0].outcome == "not_sent"
