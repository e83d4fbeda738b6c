"""Batches: what is on its way at once, and when it is told."""

import asyncio
import os
import resource
import signal
import socket
import threading
import time

import pytest
import smtpclient
from conftest import MESSAGE, server
from smtpclient import Session, aio
from smtpclient.testing import Sink

EHLO = b"250-s\r\n250 PIPELINING\r\n"
GO = b"250 a\r\n250 b\r\n354 c\r\n"
#: The end of a message and the next envelope go out together.
CROSS = {"pipelining": "crossing"}


def blocking(port, messages, window=64, **options):
    with Session("127.0.0.1", port, **options) as session:
        yield from session.send_many(messages, window=window)


def asynchronous(port, messages, window=64, make=asyncio.new_event_loop, **options):
    loop = make()
    loop.set_debug(True)
    try:
        session = loop.run_until_complete(aio.Session("127.0.0.1", port, **options).connect())
        reports = session.send_many(messages, window=window)
        while True:
            try:
                yield loop.run_until_complete(reports.__anext__())
            except StopAsyncIteration:
                break
        loop.run_until_complete(session.close())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def on_uvloop(*words, **options):
    return asynchronous(*words, make=pytest.importorskip("uvloop").new_event_loop, **options)


@pytest.fixture(params=[blocking, asynchronous, on_uvloop])
def many(request):
    return request.param


@pytest.mark.parametrize("chunking", ["off", "auto", "on"])
@pytest.mark.parametrize("pipelining", ["off", "rfc", "crossing", "full"])
@pytest.mark.parametrize("window", [1, 2, 64, 1000])
def test_every_way_of_sending(many, pipelining, chunking, window):
    def messages():
        for n in range(150):
            yield MESSAGE + b"%d\r\n" % n, {"recipients": "b@s.example" if n % 7 else "bad@s.example"}

    with Sink(rejects=["bad*=550 no"], chunking=True) as sink:
        found = list(many(sink.port, messages(), window, pipelining=pipelining, chunking=chunking))
        assert [report.complete for report in found] == [n % 7 > 0 for n in range(150)]
        texts = [content for _, content in sink.messages()]
    assert [text[-5:].split()[-1] for text in texts] == [b"%d" % n for n in range(150) if n % 7]
    used = found[1].used
    assert ("PIPELINING" in used) == (pipelining != "off")
    assert ("CHUNKING" in used) == (chunking == "on" or (pipelining, chunking) == ("full", "auto"))


def test_large_messages_between_small_ones(many):
    big = MESSAGE + b"All work and no play.\r\n" * 100_000
    with Sink(keep=False) as sink:
        found = list(many(sink.port, [MESSAGE, big, MESSAGE, big] * 3, pipelining="full"))
        assert all(report.complete for report in found) and sink.count == 12


@pytest.mark.parametrize("window", [1, 2, 64])
@pytest.mark.parametrize("mistake", [5, (MESSAGE, {"recipient": "b@s.example"}), (MESSAGE, 5), ZeroDivisionError])
def test_a_mistake_in_the_middle_is_told_after_what_became_of_the_messages_before(many, mistake, window):
    def messages():
        yield MESSAGE
        yield MESSAGE
        if mistake is ZeroDivisionError:
            raise mistake
        yield mistake
        yield MESSAGE

    with Sink() as sink:
        reports = many(sink.port, messages(), window)
        assert [next(reports).complete for _ in range(2)] == [True, True]
        with pytest.raises(mistake if mistake is ZeroDivisionError else TypeError):
            next(reports)
        assert sink.count == 2


def test_what_is_known_is_told_although_the_server_stalls(many):
    # It answers the first message, and never the second.
    with server(b"220 s\r\n", EHLO, GO, b"250 first\r\n" + GO) as (port, _):
        reports = many(port, [MESSAGE] * 2, timeout=3, maxsecs=3, **CROSS)
        begin = time.monotonic()
        assert next(reports).reply.text == "first" and time.monotonic() - begin < 2
        assert next(reports).error.kind == "unknown" and 2.5 < time.monotonic() - begin < 10
        reports.close()


def test_a_server_that_falls_silent_in_the_middle_is_given_up_in_time(many):
    replies = [b"250 ok\r\n" + GO] * 9
    with server(b"220 s\r\n", EHLO, GO, *replies) as (port, _):
        begin = time.monotonic()
        found = list(many(port, [MESSAGE] * 20, timeout=1, maxsecs=1, **CROSS))
        assert 0.9 < time.monotonic() - begin < 5
    assert [report.complete for report in found] == [True] * 9 + [False] * 11
    assert found[9].error.kind == "unknown" and found[10].recipients[0].outcome == "not_sent"


def test_a_deadline_ends_a_batch(many):
    with server(b"220 s\r\n", EHLO, GO, b"250 ok\r\n" + GO) as (port, _):
        begin = time.monotonic()
        found = list(many(port, [MESSAGE] * 5, deadline=0.5, **CROSS))
        assert time.monotonic() - begin < 5
    assert [report.complete for report in found] == [True] + [False] * 4
    assert found[1].error.text == "the deadline of the whole call has passed" or found[1].error.kind == "unknown"


@pytest.mark.parametrize("nth", [1, 30, *range(396, 405)])  # each line of a message once
def test_a_listener_that_raises_ends_a_batch(many, nth):
    heard = []

    def listen(*line):
        heard.append(line)
        if len(heard) == nth:
            raise ZeroDivisionError

    with Sink(keep=False) as sink:
        with pytest.raises(smtpclient.Cancelled) as caught:
            list(many(sink.port, [MESSAGE] * 200, transcript=listen))
        assert isinstance(caught.value.__cause__, ZeroDivisionError) and len(heard) == nth and sink.count < 200


def test_cancelling_from_another_thread():
    cancel = smtpclient.Cancel()
    with server(b"220 s\r\n", EHLO, GO) as (port, _), Session("127.0.0.1", port, cancel=cancel) as session:
        threading.Timer(0.3, cancel.trigger).start()
        begin = time.monotonic()
        found = list(session.send_many([MESSAGE] * 3))
        assert time.monotonic() - begin < 5 and not any(report.sent for report in found) and not session.is_open


def test_ctrl_c_in_the_middle_of_a_batch():
    with server(b"220 s\r\n", EHLO, GO, b"250 ok\r\n" + GO) as (port, _), Session("127.0.0.1", port, **CROSS) as session:
        reports = session.send_many([MESSAGE] * 3)
        assert next(reports).complete
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            next(reports)
        assert time.monotonic() - begin < 5 and not session.is_open


def test_another_thread_that_asks_meanwhile_gets_an_error():
    with server(b"220 s\r\n", EHLO, GO) as (port, _), Session("127.0.0.1", port, timeout=1, maxsecs=1) as session:
        thread = threading.Thread(target=lambda: list(session.send_many([MESSAGE])))
        thread.start()
        time.sleep(0.5)
        for ask in (lambda: session.is_encrypted, session.server_options, session.auth_types, session.noop, session.close):
            with pytest.raises(smtpclient.UsageError, match="another thread"):
                ask()
        assert session.is_open and session.greeting.code == 220 and repr(session)
        thread.join()
        assert not session.is_encrypted and not session.is_open


def test_other_threads_run_meanwhile():
    count, over = [0], threading.Event()

    def work():
        while not over.is_set():
            count[0] += 1

    with server(b"220 s\r\n", EHLO, GO) as (port, _), Session("127.0.0.1", port, timeout=1, maxsecs=1) as session:
        thread = threading.Thread(target=work)
        thread.start()
        list(session.send_many([MESSAGE]))
        over.set()
        thread.join()
    assert count[0] > 1000


def test_the_socket_can_be_had_and_the_session_does_not_spin_then():
    with server(b"220 s\r\n", EHLO, GO) as (port, _), Session("127.0.0.1", port, timeout=1, maxsecs=1) as session:
        sock = session.sock
        assert sock is session.sock and sock.gettimeout() == 0 and sock.getpeername() == ("127.0.0.1", port)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        before = resource.getrusage(resource.RUSAGE_SELF)
        assert not next(session.send_many([MESSAGE])).sent
        after = resource.getrusage(resource.RUSAGE_SELF)
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
        assert session.sock is None and sock.fileno() == -1


def test_a_session_that_is_closed_closes_its_connection():
    gone = threading.Event()

    def serve():
        connection, _ = listener.accept()
        connection.sendall(b"220 s\r\n")
        connection.settimeout(10)
        while connection.recv(100):
            pass
        gone.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        session = Session("127.0.0.1", listener.getsockname()[1])
        kept = session.sock
        session.close()
        assert gone.wait(10) and kept.fileno() == -1
