"""asyncio."""

import asyncio
import socket
import ssl
import struct
import threading
import time

import pytest
import smtpclient
from conftest import MESSAGE, server
from smtpclient import aio
from smtpclient.testing import Sink

try:
    import uvloop
except ImportError:
    uvloop = None

LOOPS = [asyncio.new_event_loop, *([uvloop.new_event_loop] if uvloop else [])]


@pytest.fixture(params=LOOPS, ids=lambda make: make.__module__.partition(".")[0])
def run(request):
    loop = request.param()
    loop.set_debug(True)
    yield loop.run_until_complete
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def test_sendmessage(run, to, sink):
    report = run(aio.sendmessage(MESSAGE, **to))
    assert report.complete and report.attempts[0].peer == f"127.0.0.1:{sink.port}"
    with pytest.raises(smtpclient.RecipientsRefused):
        run(aio.sendmessage(MESSAGE, recipients="bad@s.example", **to))
    with pytest.raises(TypeError, match="recipients"):
        run(aio.sendmessage(MESSAGE, recipient="x"))
    with pytest.raises(smtpclient.ResolveError):
        run(aio.sendmessage(MESSAGE, servers="nowhere.invalid", client="c"))


def test_a_server_that_answers_at_once_leaves_others_their_turn(run, to, sink):
    turns = []

    async def others():
        while True:
            turns.append(sink.count)
            await asyncio.sleep(0)

    async def sends():
        task = asyncio.ensure_future(others())
        async with aio.Session("127.0.0.1", to["ports"][0], client="c.example") as session:
            for _ in range(1000):
                await session.send_message(MESSAGE)
        task.cancel()

    run(sends())
    # Not after each message, which costs a third of it, but after a millisecond.
    assert len({turn // 100 for turn in turns}) >= 5


def test_a_server_that_is_gone_at_once(run):
    """Before anybody has looked at who it is: the connection was there, and its end is told like any other."""
    listener, gone = socket.create_server(("127.0.0.1", 0)), threading.Semaphore(0)

    def reset():
        for _ in range(2):
            connection, _ = listener.accept()
            time.sleep(0.1)  # or connecting itself fails
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            gone.release()

    async def meanwhile(call):
        task = asyncio.ensure_future(call)
        await asyncio.sleep(0)  # it connects
        assert gone.acquire(timeout=10)
        return await task

    thread = threading.Thread(target=reset, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    with pytest.raises(smtpclient.ConnectionClosed) as caught:
        run(meanwhile(aio.sendmessage(MESSAGE, servers="127.0.0.1", ports=port)))
    assert caught.value.step == "greeting" and caught.value.attempts[0].peer == f"127.0.0.1:{port}"
    with pytest.raises(smtpclient.ConnectionClosed):
        run(meanwhile(aio.Session("127.0.0.1", port).connect()))
    thread.join(10)
    listener.close()


def test_the_verbs(run, sink):
    async def main():
        async with aio.Session("127.0.0.1", sink.port) as session:
            assert session.greeting.code == 220
            assert (await session.helo()).ok and (await session.ehlo()).ok
            assert (await session.mail("a@c.example")).ok and (await session.rcpt("b@s.example")).ok
            assert (await session.data(MESSAGE)).ok
            for call in (session.noop(), session.rset(), session.vrfy("x"), session.expn("x"), session.help(),
                         session.command("XYZZY")):
                assert isinstance(await call, smtpclient.Reply)
            assert "PIPELINING" in await session.server_options() and await session.auth_types() == []
            assert (await session.send("a@c.example", "b@s.example", subject="Hi", content="Hi")).complete
            assert (await session.quit()).code == 221
            with pytest.raises(smtpclient.SMTPException):
                await session.noop()

    run(main())
    assert sink.count == 2


def test_many(run, sink):
    async def messages():
        for n in range(100):
            yield MESSAGE, {"recipients": "b@s.example" if n % 3 else "bad@s.example"}

    async def main():
        async with aio.Session("127.0.0.1", sink.port) as session:
            complete = [report.complete async for report in session.send_many(messages())]
            assert complete == [n % 3 > 0 for n in range(100)]
            assert len([report async for report in session.send_many([MESSAGE] * 20, window=1)]) == 20

    run(main())
    assert sink.count == 86


def test_five_hundred_sessions_in_one_loop(run):
    threads = []

    async def one(port):
        async with aio.Session("127.0.0.1", port) as session:
            assert (await session.send_message(MESSAGE)).complete
            await barrier.wait_for_all()
            assert (await session.send_message(MESSAGE)).complete
            threads.append(threading.active_count())

    class Barrier:
        def __init__(self, most):
            self.left, self.open = most, asyncio.Event()

        async def wait_for_all(self):
            self.left -= 1
            if not self.left:
                self.open.set()
            await self.open.wait()

    async def main(port):
        nonlocal barrier
        barrier = Barrier(500)
        await asyncio.gather(*(one(port) for _ in range(500)))

    barrier = None
    before = threading.active_count()
    with Sink(keep=False) as sink:
        run(asyncio.wait_for(main(sink.port), 60))
        assert sink.count == 1000
    assert max(threads) <= before


def test_a_message_that_comes_asynchronously(run, to, sink):
    async def pieces():
        yield MESSAGE[:20]
        await asyncio.sleep(0.01)
        yield MESSAGE[20:]
        for _ in range(20):
            await asyncio.sleep(0)
            yield b"x" * 10_000 + b"\r\n"

    report = run(aio.sendmessage(pieces(), **to))
    assert report.complete and report.octets > 200_000

    async def failing():
        yield MESSAGE
        await asyncio.sleep(0.01)
        raise ZeroDivisionError("halfway")

    with pytest.raises(smtpclient.SourceError, match="halfway") as caught:
        run(aio.sendmessage(failing(), **to))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert sink.count == 1


def test_a_source_that_waits_while_the_server_refuses(run):
    async def slow():
        yield MESSAGE
        await asyncio.sleep(30)

    replies = [b"220 s\r\n", b"250 s\r\n", b"250 a\r\n", b"250 b\r\n", b"354 c\r\n554 enough\r\n"]
    with server(*replies) as (port, _), pytest.raises(smtpclient.RefusedError, match="enough"):
        run(asyncio.wait_for(aio.sendmessage(slow(), servers=f"127.0.0.1:{port}", client="c"), 10))


def test_a_cancelled_task_leaves_nothing_half_sent(run, to, sink, silent):
    async def endless():
        yield MESSAGE
        while True:
            await asyncio.sleep(0.001)
            yield b"x" * 1000 + b"\r\n"

    async def main():
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(aio.sendmessage(endless(), **to), 0.2)
        async with aio.Session("127.0.0.1", silent) as session:
            task = asyncio.ensure_future(session.send_message(MESSAGE))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not session.is_open
            with pytest.raises(smtpclient.SMTPException):
                await session.noop()

    run(main())
    assert sink.count == 0


def test_times(run, silent):
    options = {"servers": f"127.0.0.1:{silent}", "client": "c"}
    with pytest.raises(smtpclient.Timeout, match="silent"):
        run(aio.sendmessage(MESSAGE, timeout=0.2, **options))
    with pytest.raises(smtpclient.Timeout):
        run(aio.sendmessage(MESSAGE, deadline=0.2, **options))


def test_what_waits_for_a_session_that_fails(run, silent):
    async def main():
        session = await aio.Session("127.0.0.1", silent, deadline=0.5).connect()
        results = await asyncio.gather(session.noop(), session.noop(), return_exceptions=True)
        assert [type(result) for result in results] == [smtpclient.Timeout] * 2
        with pytest.raises(smtpclient.UsageError, match="connect"):
            await aio.Session("127.0.0.1", silent).noop()

    run(main())


def test_callbacks_that_raise(run, to, sink):
    def raising(*_):
        raise ZeroDivisionError

    for call in (
        lambda: aio.sendmessage(MESSAGE, transcript=raising, **to),
        lambda: aio.Session("127.0.0.1", sink.port, transcript=raising).connect(),
    ):
        with pytest.raises(smtpclient.Cancelled) as caught:
            run(call())
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert sink.count == 0


def test_a_cancel_from_another_thread(run, silent):
    cancel = smtpclient.Cancel()
    threading.Timer(0.2, cancel.trigger).start()
    with pytest.raises(smtpclient.Cancelled):
        run(asyncio.wait_for(aio.sendmessage(MESSAGE, servers=f"127.0.0.1:{silent}", cancel=cancel), 5))


def test_tls(run, tls_server, certificate):
    async def main():
        report = await aio.sendmessage(
            MESSAGE, servers=["localhost"], ports=[tls_server.port], username="user", password="pässword",
            tlscafile=certificate[0],
        )
        assert report.complete and report.attempts[0].tls.verified
        with pytest.raises(smtpclient.TLSError):
            await aio.sendmessage(MESSAGE, servers=["localhost"], ports=[tls_server.port], tlsrequired=True)
        async with aio.Session("localhost", tls_server.port, tlscafile=certificate[0]) as session:
            assert (await session.starttls()).code == 220 and session.is_encrypted
            await session.authenticate("user", "pässword")
            assert (await session.send_message(MESSAGE + b"x\r\n" * 100_000)).complete
        # Where the handshake fails the policy says `insecure`: on a new connection, in plain text.
        async with aio.Session("localhost", tls_server.port, tlsminversion="1.3") as session:
            report = await session.send_message(MESSAGE)
            assert report.complete and report.attempts[0].policy == "insecure"

    run(main())
    assert [tls for tls, _, _ in tls_server.handler.messages] == [True, True, False]


def test_tasks_share_a_session(run, to, sink):
    async def go():
        async with aio.Session("127.0.0.1", to["ports"][0], client="c.example") as session:
            senders = [session.send_message(MESSAGE, recipients=f"{n}@s.example") for n in range(20)]
            reports = await asyncio.gather(*senders, session.noop(), session.rset())
            assert [report.recipients[0].address for report in reports[:20]] == [f"{n}@s.example" for n in range(20)]
            assert all(report.complete for report in reports[:20]) and reports[20].ok and reports[21].ok
            # In the middle of a batch, too.
            async for report in session.send_many([MESSAGE] * 5, window=2):
                one, other = await asyncio.gather(session.send_message(MESSAGE), session.noop())
                assert report.complete and one.complete and other.ok
            last, gone = asyncio.ensure_future(session.noop()), asyncio.ensure_future(session.close())
            late = asyncio.ensure_future(session.noop())
            assert (await last).ok
            await gone
            with pytest.raises(smtpclient.ConnectionClosed, match="closed"):
                await late

    run(go())
    assert sink.count == 30


def test_a_task_that_gives_up_its_turn_harms_nobody(run):
    listener, asked = socket.create_server(("127.0.0.1", 0)), []

    def serve(reached):
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 s\r\n")
            for line in lines:
                asked.append(line)
                if line == b"NOOP\r\n":
                    assert reached.wait(20)
                connection.sendall(b"250 ok\r\n")

    async def go(reached):
        async with aio.Session("127.0.0.1", listener.getsockname()[1], client="c.example") as session:
            first = asyncio.ensure_future(session.noop())
            second = asyncio.ensure_future(session.vrfy("nobody"))
            third = asyncio.ensure_future(session.rset())
            await asyncio.sleep(0)
            second.cancel()
            await asyncio.wait({second})
            reached.set()
            return second.cancelled(), (await first).code, (await third).code

    reached = threading.Event()
    thread = threading.Thread(target=serve, args=(reached,), daemon=True)
    thread.start()
    assert run(go(reached)) == (True, 250, 250)
    thread.join(20)
    listener.close()
    assert asked == [b"NOOP\r\n", b"RSET\r\n", b"QUIT\r\n"]


def test_a_function_that_waits_for_its_own_session(run, to):
    async def go():
        said = []

        async def commit(_ready):
            with pytest.raises(smtpclient.UsageError, match="another session"):
                await session.noop()
            said.append(True)

        session = aio.Session("127.0.0.1", to["ports"][0], client="c.example", commit=commit)
        async with session:
            assert (await session.send_message(MESSAGE)).complete
        return said

    assert run(go()) == [True]


def test_a_socket_of_the_callers(run, to, sink):
    async def go():
        sock = socket.create_connection(("127.0.0.1", sink.port))
        async with aio.Session.from_socket(sock, "s.example", client="c.example") as session:
            assert sock.fileno() == -1
            report = await session.send_message(MESSAGE)
        assert report.attempts[0].peer == f"127.0.0.1:{sink.port}"
        with pytest.raises(smtpclient.UsageError, match="connected"):
            aio.Session.from_socket(socket.socket(), "s.example")
        with socket.create_connection(("127.0.0.1", sink.port)) as sock:
            with pytest.raises(smtpclient.UsageError, match="without TLS"):
                aio.Session.from_socket(ssl.create_default_context().wrap_socket(sock, do_handshake_on_connect=False, server_hostname="s"), "s")

    run(go())
    assert sink.count == 1


def test_closed_while_in_use(run):
    listener, closing = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"220 s\r\n")
            assert connection.recv(100) == b"NOOP\r\n"
            assert closing.wait(20)
            connection.sendall(b"250 ok\r\n")
            assert connection.recv(100) == b"QUIT\r\n"

    async def go():
        async with aio.Session("127.0.0.1", listener.getsockname()[1], client="c.example") as session:
            asking = asyncio.ensure_future(session.noop())
            await asyncio.sleep(0)
            ending = asyncio.ensure_future(session.close())
            await asyncio.sleep(0)
            assert not ending.done()
            closing.set()
            await ending
            return (await asking).code

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert run(go()) == 250
    thread.join(20)
    listener.close()
