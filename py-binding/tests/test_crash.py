"""What must not end in a crash, a hang or half a message: forks, exits, exceptions out of every callback."""

import asyncio
import io
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import smtpclient
from conftest import MESSAGE, server
from smtpclient import Message, Session, aio, sendmessage, smtplib

LEAK = Path(__file__).with_name("leak.py")


def python(program, *arguments, timeout=60):
    """Run a program of its own; what it printed, where nothing went wrong."""
    # Newer Pythons warn of a fork beside a thread, and of interpreters at the end, which is what some of them try.
    quiet = ["-Wignore:This process", "-Wignore:remaining subinterpreters"]
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", *quiet, "-c", program, *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_nothing_leaks_in_any_way_of_sending():
    done = subprocess.run([sys.executable, LEAK, "5000"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done


def test_a_leak_would_be_found():
    assert subprocess.run([sys.executable, LEAK, "5000", "--leak"], capture_output=True, timeout=300).returncode == 1


# Forks.

FORK = """
import asyncio, os, sys, smtpclient
from smtpclient import aio, smtplib
port, message = int(sys.argv[1]), b"From: a@c.example\\r\\nTo: b@s.example\\r\\n\\r\\n"
to = {"servers": ["127.0.0.1"], "ports": [port], "client": "c.example"}

def both(use, mine):
    # The child makes its own connections, and leaves by way of the whole interpreter's end.
    child = os.fork()
    use()
    if child == 0:
        sys.exit(0)
    mine()
    assert os.waitpid(child, 0)[1] == 0

def inherited(session, other):
    for call in (session.noop, session.quit, lambda: session.send_message(message), other.noop):
        try:
            call()
        except smtpclient.SMTPException as error:
            assert "parent process" in str(error), error
        else:
            assert False

def own():
    assert smtpclient.sendmessage(message, **to).complete
    with smtpclient.Session("127.0.0.1", port) as session:
        assert session.send_message(message).complete
    with smtplib.SMTP("127.0.0.1", port) as session:
        assert session.sendmail("a@c.example", "b@s.example", message) == {}

with smtpclient.Session("127.0.0.1", port) as session, smtplib.SMTP("127.0.0.1", port) as other:
    assert session.send_message(message).complete
    def mine():
        assert session.send_message(message).complete
        assert other.sendmail("a@c.example", "b@s.example", message) == {}
    def child():
        own()
        if os.getpid() != parent:
            inherited(session, other)
    parent = os.getpid()
    both(child, mine)

async def loop():
    async with aio.Session("127.0.0.1", port) as session:
        assert (await session.send_message(message)).complete
        child = os.fork()
        if child == 0:
            # The loop that was running is the parent's.
            asyncio.events._set_running_loop(None)
            async def again():
                assert (await aio.sendmessage(message, **to)).complete
                try:
                    await session.noop()
                    assert False
                except smtpclient.UsageError:
                    await session.close()
            asyncio.new_event_loop().run_until_complete(again())
            os._exit(0)
        assert (await session.send_message(message)).complete
        assert os.waitpid(child, 0)[1] == 0

asyncio.run(loop())
print("sent")
"""


def test_forks_with_open_sessions(sink):
    assert python(FORK, sink.port) == "sent\n"
    assert sink.count == 12


# The interpreter's end.

EXIT = """
import asyncio, ssl, sys, threading, time, smtpclient
from smtpclient import aio, smtplib
way, port = sys.argv[1], int(sys.argv[2])
begun = threading.Event()

def pieces():
    yield b"From: a@c.example\\r\\nTo: b@s.example\\r\\n\\r\\n"
    while True:
        begun.set()
        yield b"x" * 10000

async def asynchronous():
    for piece in pieces():
        yield piece
        await asyncio.sleep(0)

def leave(*_):
    sys.exit(0)

def leaving():
    yield b"From: a@c.example\\r\\nTo: b@s.example\\r\\n\\r\\n"
    sys.exit(0)

def send():
    try:
        if way == "sendmessage":
            smtpclient.sendmessage(pieces(), servers="127.0.0.1", ports=port, client="c", transcript=lambda *_: None)
        elif way == "session":
            smtpclient.Session("127.0.0.1", port, transcript=lambda *_: None).send_message(pieces())
        elif way == "many":
            for report in smtpclient.Session("127.0.0.1", port).send_many([pieces()]):
                pass
        elif way in ("smtplib", "smtplib tls"):
            with smtplib.SMTP("127.0.0.1", port) as session:
                if way == "smtplib tls":
                    session.starttls(context=ssl._create_unverified_context())
                while True:
                    session.sendmail("a@c", "b@s", b"x\\r\\n" * 33000)
                    begun.set()
        elif way == "aio":
            asyncio.run(aio.sendmessage(asynchronous(), servers="127.0.0.1", ports=port, client="c"))
    except smtpclient.SMTPException:
        pass

if way == "main reader":
    smtpclient.sendmessage(leaving(), servers="127.0.0.1", ports=port, client="c")
elif way == "main session":
    smtpclient.Session("127.0.0.1", port).send_message(leaving())
elif way == "main transcript":
    smtpclient.sendmessage(b"From: a@c\\r\\nTo: b@s\\r\\n\\r\\n", servers="127.0.0.1", ports=port, transcript=leave)
elif way == "main open":
    session = smtpclient.Session("127.0.0.1", port)
    reports = session.send_many([b"From: a@c\\r\\nTo: b@s\\r\\n\\r\\n"] * 3)
    next(reports)
    sys.exit(0)
else:
    threading.Thread(target=send, daemon=True).start()
    assert begun.wait(10)
    sys.exit(0)
assert False, "still here"
"""


@pytest.mark.parametrize(
    "way",
    ["sendmessage", "session", "many", "smtplib", "aio", "main reader", "main session", "main transcript", "main open"],
)
def test_an_exit_in_the_middle_of_a_send(way, sink):
    for _ in range(3):
        assert python(EXIT, way, sink.port) == ""
    if way not in ("smtplib", "main open"):
        assert sink.count == 0


def test_an_exit_in_the_middle_of_a_send_under_pythons_tls(tls_server):
    for _ in range(3):
        assert python(EXIT, "smtplib tls", tls_server.port) == ""


# Exceptions out of callbacks.


class Raising(io.RawIOBase):
    """A file of which one method raises."""

    def __init__(self, method, error):
        super().__init__()
        self.rest, self.at = [MESSAGE, b"x" * 100_000], 0
        setattr(self, method, self.fail)
        self.error = error

    def fail(self, *_):
        raise self.error

    def seekable(self):
        return True

    def tell(self):
        return self.at

    def seek(self, where, whence=0):
        self.at = 0
        return 200_000 if whence == 2 else 0

    def read(self, most=-1):
        return self.rest.pop(0) if self.rest else b""


KINDS = [ZeroDivisionError("own"), KeyboardInterrupt("own"), SystemExit("own"), MemoryError("own"), GeneratorExit("own")]


def expected(error):
    """What arrives at the caller: what is not an ``Exception`` itself, the rest as a cause."""
    return smtpclient.SMTPException if isinstance(error, Exception) else type(error)


def check(caught, error):
    assert caught.value is error or caught.value.__cause__ is error, repr(caught.value)


def fails(error):
    def function(*_):
        raise error

    return function


def halfway(error):
    yield MESSAGE
    yield b"x" * 300_000
    raise error


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
def test_callbacks_of_a_message(error, sink, to):
    calls = [
        lambda: sendmessage(halfway(error), **to),
        lambda: sendmessage(Raising("read", error), **to),
        lambda: sendmessage(Message.from_reader(fails(error)), **to),
        lambda: sendmessage(MESSAGE, transcript=fails(error), **to),
        lambda: Session("127.0.0.1", sink.port, transcript=fails(error)),
        lambda: Session("127.0.0.1", sink.port).send_message(halfway(error)),
        lambda: asyncio.run(aio.sendmessage(halfway(error), **to)),
        lambda: asyncio.run(aio.sendmessage(MESSAGE, transcript=fails(error), **to)),
    ]
    for call in calls:
        with pytest.raises(expected(error)) as caught:
            call()
        check(caught, error)
    assert sink.count == 0 and sendmessage(MESSAGE, **to).complete


def after(reply, error):
    """A listener that raises at the first line of the server's that begins so, or at the reply to the message."""
    said = []

    def listen(direction, line):
        if direction == "server":
            said.append(line[:3])
            if line.startswith(reply) or (reply == "final" and said[-2:] == ["354", "250"]):
                raise error

    return listen


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("looped", [False, True])
def test_a_session_says_what_became_of_its_message(looped, error, sink, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(unraisable.exc_value))

    async def main(listen):
        async with aio.Session("127.0.0.1", sink.port, transcript=listen) as session:
            return await session.send_message(MESSAGE)

    def send(listen):
        if looped:
            return asyncio.run(main(listen))
        with Session("127.0.0.1", sink.port, transcript=listen) as session:
            return session.send_message(MESSAGE)

    with pytest.raises(expected(error)) as caught:
        send(after("354", error))
    check(caught, error)
    assert [recipient.outcome for recipient in caught.value.report.recipients] == ["not_sent"]
    # It is sent, and an exception of the library's would say the contrary.
    if isinstance(error, Exception):
        assert send(after("final", error)).sent and told == [error]
    else:
        with pytest.raises(type(error)) as caught:
            send(after("final", error))
        assert caught.value is error and error.report.sent
    assert sink.count == 1


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
def test_a_policy(error, sink):
    replies = b"220 s\r\n", b"250-s\r\n250 STARTTLS\r\n", b"454 no\r\n"
    for call in (
        lambda port: sendmessage(MESSAGE, servers=f"127.0.0.1:{port}", tlspolicy=fails(error)),
        lambda port: Session("127.0.0.1", port, tlspolicy=fails(error)).send_message(MESSAGE),
    ):
        with server(*replies) as (port, heard):
            with pytest.raises(expected(error)) as caught:
                call(port)
            check(caught, error)
        assert b"MAIL" not in heard


def test_methods_of_a_file(to, sink):
    for method in ("tell", "seekable", "seek"):
        with pytest.raises((ZeroDivisionError, smtpclient.SMTPException)):
            sendmessage(Raising(method, ZeroDivisionError("own")), **to)
    assert sink.count == 0


def test_what_is_raised_when_nobody_asks_any_more(sink, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(unraisable.exc_type))

    def open_with(error):
        return Session("127.0.0.1", sink.port, transcript=lambda _, line: line == "QUIT" and fails(error)())

    open_with(ZeroDivisionError("own")).close()
    assert told == [ZeroDivisionError]
    with pytest.raises(KeyboardInterrupt):
        open_with(KeyboardInterrupt("own")).close()

    async def main(error):
        hear = lambda _, line: line == "QUIT" and fails(error)()  # noqa: E731
        async with aio.Session("127.0.0.1", sink.port, transcript=hear) as session:
            assert (await session.send_message(MESSAGE)).complete

    asyncio.run(main(ZeroDivisionError("own")))
    assert told == [ZeroDivisionError] * 2
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main(KeyboardInterrupt("own")))
    with pytest.raises(KeyboardInterrupt):
        sendmessage(MESSAGE, servers=f"127.0.0.1:{sink.port}", transcript=lambda _, line: line == "QUIT" and fails(KeyboardInterrupt())())


def test_a_log_handler_that_raises(sink, to):
    class Handler(logging.Handler):
        def emit(self, record):
            raise ZeroDivisionError("own")

    logger, handler = logging.getLogger("smtpclient"), Handler()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        with pytest.raises(smtpclient.Cancelled):
            sendmessage(MESSAGE, **to)
        with pytest.raises(ZeroDivisionError):
            smtplib.SMTP("127.0.0.1", sink.port)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    assert sink.count == 0


def test_a_stream_of_messages_that_raises(sink):
    def messages():
        yield MESSAGE
        yield halfway(ZeroDivisionError("own"))
        raise LookupError

    with Session("127.0.0.1", sink.port) as session, pytest.raises(LookupError):
        list(session.send_many(messages()))

    async def main():
        async def asynchronous():
            yield MESSAGE
            raise LookupError

        async with aio.Session("127.0.0.1", sink.port) as session:
            async for _ in session.send_many(asynchronous()):
                pass

    with pytest.raises(LookupError):
        asyncio.run(main())
    assert sink.count <= 2


def test_callbacks_that_call_what_calls_them(sink):
    raised, sessions = [], []

    def again(*_):
        for session in sessions:
            for call in (session.noop, session.quit, lambda: session.send_message(MESSAGE)):
                try:
                    call()
                except Exception as error:
                    raised.append(type(error).__name__)

    session = Session("127.0.0.1", sink.port, transcript=again)
    sessions.append(session)
    assert session.send_message(MESSAGE).complete
    sessions.clear()
    session.close()
    assert sink.count == 1 and set(raised) == {"UsageError"}


# Lone surrogates, which no UTF-8 has.

BAD = "x\ud800y"


@pytest.mark.parametrize(
    "options",
    [
        {"recipients": f"{BAD}@s.example"}, {"recipients": [f"{BAD}@s.example"]}, {"originator": f"{BAD}@c.example"},
        {"header": [("Subject", BAD)]}, {"header": [(BAD, "x")]}, {"header": {"Subject": BAD}}, {"client": BAD},
        {"servers": [BAD]}, {"username": BAD, "password": "x"}, {"username": "x", "password": BAD},
        {"tlscafile": BAD}, {"dsnenvid": BAD}, {"proxy": BAD}, {"auth": [BAD]}, {"oauthtoken": BAD},
    ],
    ids=lambda options: next(iter(options)),
)
def test_lone_surrogates_in_options(options, sink, to):
    with pytest.raises((ValueError, smtpclient.SMTPException)) as caught:
        sendmessage(MESSAGE, **{**to, **options})
    assert not isinstance(caught.value, AssertionError) and sink.count == 0


def test_lone_surrogates_elsewhere(sink, to):
    with Session("127.0.0.1", sink.port) as session, smtplib.SMTP("127.0.0.1", sink.port) as other:
        for call in (
            lambda: Message(BAD), lambda: Message("x", html=BAD), lambda: Message("x").attach_bytes(BAD, b""),
            lambda: Message("x").set_header("Subject", BAD), lambda: session.data(BAD), lambda: session.mail(BAD),
            lambda: session.command(BAD), lambda: session.vrfy(BAD), lambda: session.authenticate(BAD, "x"),
            lambda: session.send("a@c", "b@s", subject=BAD), lambda: session.send("a@c", "b@s", content=BAD),
            lambda: session.send(BAD, "b@s", content="x"), lambda: other.sendmail(BAD, "b@s", b""),
            lambda: other.sendmail("a@c", "b@s", BAD), lambda: other.docmd(BAD), lambda: other.login(BAD, "x"),
            lambda: sendmessage(f"/tmp/{BAD}", **to), lambda: Session(BAD), lambda: smtplib.SMTP(BAD),
        ):
            with pytest.raises((ValueError, smtpclient.SMTPException, OSError)):
                call()
        assert session.noop().ok
