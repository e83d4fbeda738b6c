"""``aio.Session.send_many`` that is left early: the session goes on, and nothing is left running."""

import asyncio
import contextlib
import gc
import sys

import pytest
from conftest import MESSAGE, server
from smtpclient import UsageError, aio


@pytest.fixture
def quiet(monkeypatch):
    """Runs a coroutine; no task, no exception and no warning may be left."""

    def run(main):
        told = []
        monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(unraisable))

        async def all_of_it():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: told.append(context))
            before = asyncio.all_tasks()
            await main()
            gc.collect()
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == before

        asyncio.run(all_of_it(), debug=True)
        gc.collect()
        assert not told

    return run


def test_a_loop_that_is_left(quiet, sink):
    async def main():
        async with aio.Session("127.0.0.1", sink.port) as session:
            for _ in range(20):
                async for report in session.send_many([MESSAGE] * 30, window=8):
                    assert report.complete
                    break
                assert (await session.noop()).ok
                assert (await session.send_message(MESSAGE)).complete

    quiet(main)
    # What was taken ahead is sent all the same.
    assert sink.count == 20 * 9


def test_the_rest_goes_out_before_quit(quiet, sink):
    async def main():
        async with aio.Session("127.0.0.1", sink.port) as session:
            async for _ in session.send_many([MESSAGE] * 30, window=8):
                break

    quiet(main)
    assert sink.count == 8


def test_an_exception_in_the_loop(quiet, sink):
    async def main():
        async with aio.Session("127.0.0.1", sink.port) as session:
            with pytest.raises(ZeroDivisionError):
                async for _ in session.send_many([MESSAGE] * 30, window=8):
                    raise ZeroDivisionError
            assert (await session.noop()).ok

    quiet(main)
    assert sink.count == 8


def test_the_reports_can_be_taken_later(quiet, sink):
    async def main():
        async with aio.Session("127.0.0.1", sink.port) as session:
            reports = session.send_many([MESSAGE] * 30, window=8)
            async for _ in reports:
                break
            assert (await session.noop()).ok
            assert len([report async for report in reports if report.complete]) == 29
            assert [report async for report in reports] == []

    quiet(main)
    assert sink.count == 30


def test_it_can_be_closed(quiet, sink):
    async def main():
        async with aio.Session("127.0.0.1", sink.port) as session:
            async with contextlib.aclosing(session.send_many([MESSAGE] * 30, window=8)) as reports:
                async for _ in reports:
                    break
            assert sink.count == 8
            assert [report async for report in reports] == []
            await reports.aclose()

    quiet(main)
    assert sink.count == 8


def test_a_task_that_is_cancelled_in_it(quiet, silent):
    async def main():
        session = await aio.Session("127.0.0.1", silent).connect()

        async def send():
            async for _ in session.send_many([MESSAGE] * 30, window=8):
                pass

        task = asyncio.ensure_future(send())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not session.is_open
        await session.close()

    quiet(main)


def test_two_at_a_time(quiet, sink):
    async def main():
        async with aio.Session("127.0.0.1", sink.port) as session:
            one, two = (session.send_many([MESSAGE] * 5, window=2) for _ in range(2))
            assert (await anext(one)).complete and (await anext(two)).complete
            taken = asyncio.gather(anext(one), anext(two), return_exceptions=True)
            answers = await taken
            assert all(isinstance(answer, UsageError) or answer.complete for answer in answers)
            assert (await session.noop()).ok

    quiet(main)


def test_it_ends_with_its_connection(quiet):
    async def main():
        with server(b"220 s\r\n", b"250 s\r\n", None) as (port, _):
            session = await aio.Session("127.0.0.1", port, reconnect=False).connect()
            async for report in session.send_many([MESSAGE] * 30, window=8):
                assert not report.sent
                break
            assert len([report async for report in session.send_many([MESSAGE] * 3)]) == 3
            await session.close()

    quiet(main)


def test_the_messages_are_iterated_as_they_are_needed(quiet, sink):
    async def main():
        taken = []

        async def messages():
            for n in range(30):
                taken.append(n)
                yield MESSAGE

        async with aio.Session("127.0.0.1", sink.port) as session:
            source = messages()
            async for _ in session.send_many(source, window=4):
                break
            assert len(taken) == 4
            await source.aclose()

    quiet(main)
    assert sink.count == 4
