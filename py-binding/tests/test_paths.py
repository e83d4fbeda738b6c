"""The same fault is the same error in every face: words that nobody asked for, a refusal in the middle of what the caller
gives piece by piece, and a call that takes too long before there is a connection."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest
import smtpclient
from conftest import MESSAGE
from smtpclient import Mailer, Session, aio, sendmessage, smtplib

HELLO = [b"220 s\r\n", b"250 s\r\n"]
TAKEN = [b"250 a\r\n", b"250 b\r\n", b"354 c\r\n", b"250 d\r\n"]


@contextlib.contextmanager
def server(*replies, unasked=None):
    """For any number of connections: a reply when something was read, the first at once. Gives the port, and a function
    that says what nobody asked for, or closes."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections = []

    def talk(connection):
        with contextlib.suppress(OSError):
            for reply in replies:
                connection.sendall(reply)
                while reply == replies[4] and not connection.recv(65536).endswith(b"\r\n.\r\n"):
                    pass
                if reply != replies[4] and not connection.recv(65536):
                    return
            connection.close()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connections.append(listener.accept()[0])
                threading.Thread(target=talk, args=(connections[-1],), daemon=True).start()

    def say():
        if unasked is None:
            connections[-1].shutdown(socket.SHUT_RDWR)
        else:
            connections[-1].sendall(unasked)
        time.sleep(0.1)  # until it is there

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], say
    finally:
        listener.close()
        for connection in connections:
            connection.close()


def blocking(port, say):
    with Session("127.0.0.1", port, client="c") as session:
        assert session.send_message(MESSAGE).complete
        say()
        with pytest.raises(smtpclient.SMTPException) as caught:
            session.send_message(MESSAGE)
        assert not session.is_open
        return caught.value


def over_a_socket(port, say):
    sock = socket.create_connection(("127.0.0.1", port))
    with Session.from_socket(sock, "127.0.0.1", client="c") as session:
        assert session.send_message(MESSAGE).complete
        say()
        with pytest.raises(smtpclient.SMTPException) as caught:
            session.send_message(MESSAGE)
        assert not session.is_open
        return caught.value


def in_a_loop(port, say):
    async def main():
        async with aio.Session("127.0.0.1", port, client="c") as session:
            assert (await session.send_message(MESSAGE)).complete
            say()
            with pytest.raises(smtpclient.SMTPException) as caught:
                await session.send_message(MESSAGE)
            assert not session.is_open
            return caught.value

    return asyncio.run(main())


UNASKED = [
    (b"451 4.4.2 Timeout waiting for data from client.\r\n", "closed", 451),
    (b"421 4.4.2 Idle\r\n", "closed", 421),
    (b"554 5.7.1 Away\r\n", "closed", 554),
    (b"250 2.0.0 Ok\r\n", "protocol", None),
    (b"235 2.7.0 Welcome\r\n", "protocol", None),
    (b"354 Go on\r\n", "protocol", None),
    (None, "closed", None),
]


@pytest.mark.parametrize(("words", "kind", "code"), UNASKED, ids=lambda value: str(value)[:6])
@pytest.mark.parametrize("face", [blocking, over_a_socket, in_a_loop])
def test_what_an_idle_session_finds(face, words, kind, code):
    with server(*HELLO, *TAKEN, unasked=words) as (port, say):
        error = face(port, say)
    assert (error.failure.kind, error.transient, error.code) == (kind, True, code)
    assert [recipient.outcome for recipient in error.report.recipients] == ["not_sent"]


@pytest.mark.parametrize(("words", "kind", "code"), UNASKED, ids=lambda value: str(value)[:6])
def test_what_an_idle_smtplib_finds(words, kind, code):
    with server(*HELLO, *TAKEN, unasked=words) as (port, say):
        session = smtplib.SMTP("127.0.0.1", port, "c", timeout=5)
        assert session.sendmail("a@c.example", "b@s.example", MESSAGE) == {}
        say()
        with pytest.raises(smtplib.SMTPException) as caught:
            session.sendmail("a@c.example", "b@s.example", MESSAGE)
        kinds = {"closed": smtplib.SMTPServerDisconnected, "protocol": smtplib.SMTPProtocolError}
        assert type(caught.value) is kinds[kind] and caught.value.transient and caught.value.code == code
        assert session.sock is None


def pieces():
    yield MESSAGE
    for _ in range(1000):
        yield b"x" * 1000 + b"\r\n"


async def later():
    for piece in pieces():
        yield piece
        await asyncio.sleep(0)


def by_mailer(**to):
    with Mailer(retries=2, backoff=0.01, **to) as mailer:
        return mailer.submit(pieces()).result(30)


async def by_mailer_in_a_loop(**to):
    async with aio.Mailer(retries=2, backoff=0.01, **to) as mailer:
        return await mailer.submit(pieces())


WAYS = {
    "sendmessage": lambda **to: sendmessage(pieces(), **to),
    "asyncio": lambda **to: asyncio.run(aio.sendmessage(later(), **to)),
    "mailer": by_mailer,
    "asyncio mailer": lambda **to: asyncio.run(by_mailer_in_a_loop(**to)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("count", "last", "step"), [
    (2, b"421 4.3.2 down\r\n", "mail"),
    (4, b"421 4.3.2 down\r\n", "data"),
    (4, b"354 c\r\n421 4.3.2 down\r\n", "body"),
])
def test_the_end_of_a_server_is_the_reason_and_not_what_cannot_be_read_again(way, count, last, step):
    replies = [*HELLO, *TAKEN][:count]
    with server(*replies, last, b"", b"") as (port, _), pytest.raises(smtpclient.RefusedError) as caught:
        WAYS[way](servers="127.0.0.1", ports=port, client="c")
    assert (caught.value.code, caught.value.step, caught.value.transient) == (421, step, True)


@pytest.fixture
def deaf():
    """A port at which connecting takes for ever: nobody accepts, and the queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        held = [socket.socket() for _ in range(4)]
        for sock in held:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for sock in held:
            sock.close()


def test_a_deadline_before_there_is_a_connection(deaf):
    to = {"servers": "127.0.0.1", "ports": deaf, "client": "c", "deadline": 0.3}
    found = []
    begin = time.monotonic()
    for call in (
        lambda: sendmessage(MESSAGE, **to),
        lambda: asyncio.run(aio.sendmessage(MESSAGE, **to)),
        lambda: Session("127.0.0.1", deaf, deadline=0.3),
        lambda: asyncio.run(aio.Session("127.0.0.1", deaf, deadline=0.3).connect()),
    ):
        with pytest.raises(smtpclient.ConnectTimeout, match="deadline") as caught:
            call()
        found.append((caught.value.failure, [attempt.error for attempt in caught.value.attempts]))
    assert time.monotonic() - begin < 15  # and not the 30 seconds that connecting may take
    assert found[0] == found[1] and len(found[0][1]) == 1 and found[2] == found[3]


def test_a_cancel_before_there_is_a_connection(deaf):
    for call in (
        lambda to: sendmessage(MESSAGE, **to),
        lambda to: asyncio.run(aio.sendmessage(MESSAGE, **to)),
    ):
        cancel = smtpclient.Cancel()
        threading.Timer(0.2, cancel.trigger).start()
        with pytest.raises(smtpclient.Cancelled) as caught:
            call({"servers": "127.0.0.1", "ports": deaf, "client": "c", "cancel": cancel})
        assert caught.value.step == "connect" and len(caught.value.attempts) == 1


def test_a_message_that_does_not_even_begin():
    async def never():
        await asyncio.sleep(60)
        yield b""

    with pytest.raises(smtpclient.Timeout, match="deadline"):
        asyncio.run(aio.sendmessage(never(), servers="127.0.0.1", deadline=0.2))
    cancel = smtpclient.Cancel()
    threading.Timer(0.2, cancel.trigger).start()
    with pytest.raises(smtpclient.Cancelled):
        asyncio.run(aio.sendmessage(never(), servers="127.0.0.1", cancel=cancel))
