"""Event loops that cannot watch a descriptor, as Windows' default one: threads do it for them."""

import asyncio
import os
import sys
import threading

import pytest
from conftest import MESSAGE
from smtpclient import SMTPException, _watching, aio


class WithoutReaders(asyncio.SelectorEventLoop):
    add_reader = asyncio.AbstractEventLoop.add_reader
    add_writer = asyncio.AbstractEventLoop.add_writer
    remove_reader = asyncio.AbstractEventLoop.remove_reader
    remove_writer = asyncio.AbstractEventLoop.remove_writer


class Refusing(asyncio.SelectorEventLoop):
    """One that has methods of its own, which cannot."""

    def add_reader(self, fd, callback, *args):
        raise NotImplementedError

    add_writer = add_reader


def run(main, loop=WithoutReaders):
    running = loop()
    told = []
    running.set_exception_handler(lambda _, context: told.append(context))
    try:
        return running.run_until_complete(main())
    finally:
        running.close()
        assert not told


def threads():
    return [each for each in threading.enumerate() if each.name == "smtpclient descriptors"]


@pytest.mark.parametrize("loop", [WithoutReaders, Refusing, *([asyncio.ProactorEventLoop] if sys.platform == "win32" else [])])
def test_sends_and_sessions(sink, to, loop):
    async def main():
        reports = await asyncio.gather(*(aio.sendmessage(MESSAGE, **to) for _ in range(50)))
        async with aio.Session("127.0.0.1", sink.port) as session:
            reports += [await session.send_message(MESSAGE) for _ in range(3)]
            with pytest.raises(SMTPException):
                await session.send_message(MESSAGE, recipients=["bad@s.example"])
        assert all(report.complete for report in reports)

    run(main, loop)
    assert len(sink.messages()) == 53


def test_tls(tls_server, certificate):
    async def main():
        return await aio.sendmessage(
            MESSAGE, servers="localhost", ports=tls_server.port, tlsrequired=True, tlscafile=certificate[0], username="user", password="pässword"
        )

    assert run(main).attempts[-1].tls.verified
    assert tls_server.handler.messages[0][:2] == (True, True)


def test_cancelled_and_too_late(silent):
    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(aio.sendmessage(MESSAGE, servers="127.0.0.1", ports=silent), 0.2)
        with pytest.raises(SMTPException, match="silent for"):
            await aio.sendmessage(MESSAGE, servers="127.0.0.1", ports=silent, timeout=0.2)

    run(main)


def test_a_long_message_is_written_when_there_is_room(sink, to):
    async def main():
        return await aio.sendmessage(MESSAGE + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 100_000, **to)

    assert run(main).complete


def test_threads_hold_so_many_and_end(monkeypatch, to):
    monkeypatch.setattr(_watching, "_MOST", 20)

    async def main():
        reports = await asyncio.gather(*(aio.sendmessage(MESSAGE, **to) for _ in range(50)))
        return reports, len(_watching.watching(asyncio.get_running_loop())._threads)

    reports, count = run(main)
    assert all(report.complete for report in reports)
    assert count == 3
    for thread in threads():
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are not numbered from 0 there")
def test_many_descriptors(to):
    """Those above 1023, which select cannot take."""
    resource = pytest.importorskip("resource")
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, max(limit, 4096)), most))
    spare = os.open(os.devnull, os.O_RDONLY)
    held = [os.dup(spare) for _ in range(1100)]
    try:

        async def main():
            return await asyncio.gather(*(aio.sendmessage(MESSAGE, **to) for _ in range(5)))

        assert all(report.complete for report in run(main))
        for thread in threads():
            thread.join(60)
            assert not thread.is_alive()
    finally:
        for fd in [spare, *held]:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))


def test_a_loop_that_has_readers_is_asked_itself():
    async def main():
        return _watching.watching(asyncio.get_running_loop()), asyncio.get_running_loop()

    got, loop = asyncio.run(main())
    assert (got is loop) == (sys.platform != "win32")
