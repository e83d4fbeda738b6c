"""Many messages over many connections, for threads and for asyncio."""

import asyncio
import gc
import subprocess
import sys
import threading
import time

import pytest
import smtpclient
from conftest import MESSAGE, server
from smtpclient import aio
from smtpclient.testing import Sink


def message(number):
    return f"From: a@c.example\nTo: user{number}@s.example\nSubject: {number}\n\nHello.\n".encode()


def addresses(sink):
    return sorted(envelope[1] for envelope, _ in sink.messages())


def test_every_message_has_its_report(sink, to):
    with smtpclient.Mailer(**to, connections=3) as mailer:
        futures = [mailer.submit(message(n)) for n in range(200)]
    assert all(future.result(0).complete for future in futures)
    assert addresses(sink) == sorted(f"RCPT TO:<user{n}@s.example>" for n in range(200))
    counts = mailer.counts
    assert (counts.submitted, counts.decided, counts.accepted) == (200, 200, 200)
    assert 1 <= counts.opened <= 3 and counts.waiting == 0
    assert "accepted=200" in repr(mailer)


def test_what_was_refused_raises(to):
    with smtpclient.Mailer(retries=0, **to) as mailer:
        refused = mailer.submit(message(1), recipients="bad@s.example")
        later = mailer.submit(message(2), smtpclient.Options(recipients=["later@s.example"]))
        good = mailer.submit(message(3))
        with pytest.raises(smtpclient.RecipientsRefused) as caught:
            refused.result(20)
        assert caught.value.refused[0].address == "bad@s.example"
        with pytest.raises(smtpclient.RecipientsRefused) as caught:
            later.result(20)
        assert caught.value.transient
        assert good.result(20).complete


def test_mistakes_are_told_at_once(to):
    with smtpclient.Mailer(**to) as mailer:
        with pytest.raises(smtpclient.UsageError, match="recipients"):
            mailer.submit(MESSAGE, recipients="none")
        with pytest.raises(TypeError):
            mailer.submit(5)
        with pytest.raises(TypeError, match="recipients"):
            mailer.submit(MESSAGE, recipient="a@b")
        assert mailer.counts.submitted == 0
    with pytest.raises(smtpclient.ConnectionClosed, match="closed"):
        mailer.submit(MESSAGE)
    with pytest.raises(smtpclient.UsageError, match="connections"):
        smtpclient.Mailer(**to, connections=0)


def test_a_source_that_raises_is_the_cause(to):
    def pieces():
        yield b"From: a@c.example\r\nTo: b@s.example\r\n\r\n"
        raise ZeroDivisionError("mine")

    with smtpclient.Mailer(**to) as mailer:
        with pytest.raises(smtpclient.SourceError) as caught:
            mailer.submit(pieces(), originator="a@c.example", recipients="b@s.example").result(20)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert mailer.submit(MESSAGE).result(20).complete


def test_a_full_queue(silent):
    mailer = smtpclient.Mailer(servers="127.0.0.1", ports=silent, queuesize=2)
    futures = [mailer.submit(message(n)) for n in range(2)]
    with pytest.raises(smtpclient.QueueFull, match="queuesize") as caught:
        mailer.try_submit(message(2))
    assert caught.value.transient
    assert not mailer.drain(0.01)
    waited = []
    thread = threading.Thread(target=lambda: waited.append(pytest.raises(smtpclient.ConnectionClosed, mailer.submit, message(2))))
    thread.start()
    time.sleep(0.05)
    assert not waited
    assert not mailer.close(0.01)
    thread.join(20)
    assert waited
    for future in futures:
        with pytest.raises(smtpclient.Cancelled):
            future.result(0)


def test_a_function_that_it_calls_does_not_wait_for_room(to):
    caught = []

    def listener(_direction, line):
        if line.startswith("MAIL") and not caught:
            caught.append(pytest.raises(smtpclient.QueueFull, mailer.submit, MESSAGE))

    with smtpclient.Mailer(**to, queuesize=1, transcript=listener) as mailer:
        assert mailer.submit(MESSAGE).result(20).complete
    assert caught


def test_who_is_told_of_a_report_may_submit_the_next(to):
    sent = []

    def further(future):
        sent.append(future.result().complete)
        if len(sent) < 20:
            mailer.submit(MESSAGE).add_done_callback(further)

    with smtpclient.Mailer(**to, queuesize=1) as mailer:
        mailer.submit(MESSAGE).add_done_callback(further)
        while len(sent) < 20:
            mailer.drain()
    assert sent == [True] * 20


def test_an_exception_ends_it(silent):
    with pytest.raises(ZeroDivisionError), smtpclient.Mailer(servers="127.0.0.1", ports=silent) as mailer:
        future = mailer.submit(MESSAGE)
        raise ZeroDivisionError
    with pytest.raises(smtpclient.Cancelled):
        future.result(0)


def test_a_mailer_that_is_forgotten_ends(silent):
    before = threading.active_count()
    future = smtpclient.Mailer(servers="127.0.0.1", ports=silent).submit(MESSAGE)
    gc.collect()
    with pytest.raises(smtpclient.Cancelled):
        future.result(20)
    assert threading.active_count() <= before  # another test's thread may just have ended


def test_the_interpreter_ends_with_messages_under_way(silent):
    program = f"""
import smtpclient, threading
kept = smtpclient.Mailer(servers="127.0.0.1", ports={silent}, transcript=lambda who, line: None)
for n in range(50):
    kept.submit({MESSAGE!r})
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_two_servers(sink):
    with server(b"421 not now\r\n") as (port, _), smtpclient.Mailer(
        servers=["127.0.0.1", "127.0.0.1"], ports=[port, sink.port]
    ) as mailer:
        report = mailer.submit(MESSAGE).result(20)
    assert report.complete and report.attempts[-1].server.endswith(str(sink.port))


def test_transcript_and_threads(to):
    lines = []
    with smtpclient.Mailer(**to, transcript=lambda who, line: lines.append((who, line))) as mailer:
        threads = [
            threading.Thread(target=lambda k=k: [mailer.submit(message(k * 100 + n)) for n in range(20)])
            for k in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert mailer.counts.accepted == 100
    assert sum(line.startswith("MAIL") for who, line in lines if who == "client") == 100


def test_asyncio(sink, to):
    async def main():
        async with aio.Mailer(**to, queuesize=7, connections=2) as mailer:
            reports = await asyncio.gather(*(mailer.submit(message(n)) for n in range(100)))
            assert all(report.complete for report in reports)
            with pytest.raises(smtpclient.RecipientsRefused):
                await mailer.submit(MESSAGE, recipients="bad@s.example")
            with pytest.raises(smtpclient.UsageError):
                await mailer.submit(MESSAGE, recipients="none")
            assert await mailer.drain(20)
        assert mailer.counts.accepted == 100 and "accepted=100" in repr(mailer)
        with pytest.raises(smtpclient.ConnectionClosed):
            await mailer.submit(MESSAGE)

    asyncio.run(main())
    assert len(addresses(sink)) == 100


def test_asyncio_when_the_task_is_cancelled(sink, to):
    async def main():
        async with aio.Mailer(**to) as mailer:
            task = asyncio.create_task(mailer.submit(MESSAGE))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert mailer.counts.accepted == 1

    asyncio.run(main())
    assert sink.count == 1


def test_asyncio_closed_while_some_wait_for_room(silent):
    async def main():
        mailer = aio.Mailer(servers="127.0.0.1", ports=silent, queuesize=1)
        tasks = [asyncio.create_task(mailer.submit(message(n))) for n in range(5)]
        await asyncio.sleep(0.05)
        tasks[3].cancel()
        assert not await mailer.drain(0.01)
        assert not await mailer.close(0.01)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        kinds = sorted(type(outcome).__name__ for outcome in outcomes)
        assert kinds == ["Cancelled", "CancelledError", "ConnectionClosed", "ConnectionClosed", "ConnectionClosed"]

    asyncio.run(main())


def test_asyncio_is_not_held_up(to):
    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        task = asyncio.create_task(tick())
        async with aio.Mailer(**to, rate=20) as mailer:
            await asyncio.gather(*(mailer.submit(message(n)) for n in range(10)))
        task.cancel()
        assert ticks > 10

    asyncio.run(main())


def test_sinks_take_turns():
    for _ in range(3):
        with Sink() as sink:
            with smtpclient.Mailer(servers="127.0.0.1", ports=sink.port) as mailer:
                mailer.submit(MESSAGE)
            assert sink.count == 1


def test_what_each_server_did(sink, to):
    one, two = f"127.0.0.1:{sink.port}", "127.0.0.1:1"

    async def awaited():
        async with smtpclient.aio.Mailer(servers=[one], client="c.example") as mailer:
            for _ in range(3):
                assert (await mailer.submit(MESSAGE)).complete
            return mailer.server_counts

    with smtpclient.Mailer(servers=[one, two], client="c.example") as mailer:
        for future in [mailer.submit(MESSAGE) for _ in range(3)]:
            assert future.result().complete
        first, second = mailer.server_counts
    assert (first.server, first.accepted, first.rejected, first.unknown) == (one, 3, 0, 0)
    assert (first.retried, first.under_way) == (0, 0) and first.opened >= 1
    assert second == smtpclient.ServerCounts(two, 0, 0, 0, 0, 0, 0, 0)
    [alone] = asyncio.run(awaited())
    assert (alone.server, alone.accepted) == (one, 3)


def test_options_of_a_message_are_beside_those_of_the_mailer(sink, to):
    """As those of a session are: what is asked of one message takes nothing away."""
    own = {"header": {"X-Campaign": "7"}, "originator": "news@c.example", "recipients": ["all@s.example"]}

    async def looped():
        async with aio.Mailer(**to, **own) as mailer:
            await mailer.submit(MESSAGE, tag="2")

    with smtpclient.Mailer(**to, **own) as mailer:
        mailer.submit(MESSAGE, tag="1").result(20)
        mailer.submit(MESSAGE, recipients=["one@s.example"]).result(20)
        mailer.submit(MESSAGE, smtpclient.Options(), tag="3").result(20)
        with pytest.raises(smtpclient.UsageError, match="`rate` belongs to the mailer"):
            mailer.submit(MESSAGE, rate=5)
    asyncio.run(looped())
    seen = [(envelope[0].split()[1], envelope[1], b"X-Campaign: 7" in content) for envelope, content in sink.messages()]
    news = "FROM:<news@c.example>"
    assert seen == [
        (news, "RCPT TO:<all@s.example>", True), (news, "RCPT TO:<one@s.example>", True),
        ("FROM:<a@c.example>", "RCPT TO:<b@s.example>", False), (news, "RCPT TO:<all@s.example>", True),
    ]
