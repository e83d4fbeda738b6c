"""What a function of the caller's may do to what has called it: fork, cancel, close, and throw it away."""

import asyncio
import contextlib
import gc
import socket
import sys
import threading

import pytest
import smtpclient
from conftest import MESSAGE
from smtpclient import Cancel, Mailer, Message, Options, Session, aio, sendmessage, smtplib
from test_crash import python

# Forks. The child uses what is its parent's, makes something of its own, and exits; or it comes back from the function.

FORK = """
import asyncio, os, sys, smtpclient
from smtpclient import aio
way, place, end, port = *sys.argv[1:4], int(sys.argv[4])
content = b"From: a@c.example\\r\\nTo: b@s.example\\r\\n\\r\\nHello.\\r\\n"
to = {"servers": "127.0.0.1", "ports": port, "client": "c.example"}
parent, box, done = os.getpid(), [], []

def fork():
    if done or os.getpid() != parent:
        return
    done.append(1)
    child = os.fork()
    if child:
        # One that comes back is waited for at the end.
        if end != "back":
            assert os.waitpid(child, 0)[1] == 0, "the child failed"
        done[:] = [child]
        return
    if end == "back":
        return
    try:
        for used in box:
            calls = [used.submit] if isinstance(used, (smtpclient.Mailer, aio.Mailer)) else [used.send_message]
            for call in calls:
                try:
                    made = call(content)
                    if asyncio.iscoroutine(made):
                        made.send(None)
                except (smtpclient.UsageError, RuntimeError):  # no loop runs in the thread of a mailer
                    pass
                else:
                    raise AssertionError(f"{call} worked")
            if isinstance(used, (smtpclient.Session, smtpclient.Mailer)):
                try:
                    used.close()
                except smtpclient.UsageError:
                    pass
        assert smtpclient.sendmessage(content, **to).complete
        if end == "exit":
            sys.exit(0)
        os._exit(0)
    except SystemExit:
        raise
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)

def hear(direction, line):
    if place == "transcript" and line.startswith("MAIL"):
        fork()

def read(most, pieces=[content, b"more\\r\\n", b""]):
    if len(pieces) == 2 and place == "reader":
        fork()
    return pieces.pop(0)

message = smtpclient.Message.from_reader(read)
options = smtpclient.Options(transcript=hear, **to)

async def loop():
    if way == "aio.sendmessage":
        return await aio.sendmessage(message, options)
    if way == "aio.Session":
        async with aio.Session("127.0.0.1", port, options) as session:
            box.append(session)
            report = await session.send_message(message)
            box.clear()
            return report
    async with aio.Mailer(options) as mailer:
        box.append(mailer)
        return await mailer.submit(message)

try:
    if way == "sendmessage":
        report = smtpclient.sendmessage(message, options)
    elif way == "Session":
        with smtpclient.Session("127.0.0.1", port, options) as session:
            box.append(session)
            report = session.send_message(message)
            assert session.noop().ok
    elif way == "Mailer":
        with smtpclient.Mailer(options) as mailer:
            box.append(mailer)
            report = mailer.submit(message).result(20)
    else:
        report = asyncio.run(loop())
except (smtpclient.SMTPException, RuntimeError, asyncio.CancelledError):
    if os.getpid() == parent:
        raise
    os._exit(0)
assert os.getpid() == parent, "a child has sent its parent's message"
assert report.complete and done
if end == "back":
    assert os.waitpid(done[0], 0)[1] == 0
print("sent")
"""


@pytest.mark.parametrize("end", ["exit", "_exit", "back"])
@pytest.mark.parametrize("place", ["transcript", "reader"])
@pytest.mark.parametrize("way", ["sendmessage", "Session", "Mailer", "aio.sendmessage", "aio.Session", "aio.Mailer"])
def test_a_fork_in_a_callback(way, place, end, sink):
    if end == "back" and way.startswith("aio.") and way != "aio.Mailer":
        # Back in a loop that is the parent's: only asyncio could help.
        pytest.skip("a child that goes on in its parent's event loop watches with its parent's descriptor")
    if end == "exit" and way in ("aio.sendmessage", "aio.Session") and sys.version_info >= (3, 14):
        pytest.skip("Python 3.14's asyncio takes SystemExit from a child that is forked in a task, and waits for ever")
    assert python(FORK, way, place, end, sink.port) == "sent\n"
    assert sink.count == (1 if end == "back" else 2)


# Whoever cancels has the last word.

REPLIES = {
    b"EHLO": b"250-s\r\n250-STARTTLS\r\n250 AUTH XOAUTH2\r\n", b"STAR": b"454 no\r\n", b"AUTH": b"235 ok\r\n", b"DATA": b"354 go\r\n",
    b"QUIT": b"221 ok\r\n",
}


def record(listener, heard):
    """One connection, until its end."""
    connection, _ = listener.accept()
    connection.settimeout(20)
    with connection, connection.makefile("rb") as lines, contextlib.suppress(ConnectionError):
        connection.sendall(b"220 s\r\n")
        for line in lines:
            heard.append(line)
            connection.sendall(REPLIES.get(line[:4], b"250 ok\r\n"))


@pytest.mark.parametrize("place", ["policy", "token", "AUTH", "MAIL", "DATA"])
@pytest.mark.parametrize("way", ["sendmessage", "Session", "Mailer", "aio.sendmessage", "aio.Session"])
def test_nothing_is_said_after_a_cancel(way, place):
    cancel = Cancel()

    def policy(code, diagnostic):
        if place == "policy":
            cancel.trigger()
        return "insecure"

    def token(reason):
        if place == "token":
            cancel.trigger()
        return "t0ken"

    def hear(direction, line):
        if direction == "client" and line.startswith(place):
            cancel.trigger()

    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=record, args=(listener, heard), daemon=True)
        thread.start()
        options = Options(
            servers="127.0.0.1", ports=port, client="c.example", username="ann", oauthtoken=token, authinsecure=True,
            tlspolicy=policy, transcript=hear, cancel=cancel,
        )

        async def session():
            async with aio.Session("127.0.0.1", port, options) as session:
                await session.send_message(MESSAGE)

        ways = {
            "sendmessage": lambda: sendmessage(MESSAGE, options),
            "Session": lambda: Session("127.0.0.1", port, options).send_message(MESSAGE),
            "Mailer": lambda: (mailer := Mailer(options)).submit(MESSAGE).result(20) and mailer.close(),
            "aio.sendmessage": lambda: asyncio.run(aio.sendmessage(MESSAGE, options)),
            "aio.Session": lambda: asyncio.run(session()),
        }
        with pytest.raises(smtpclient.Cancelled):
            ways[way]()
        gc.collect()  # a session or a mailer of no owner
        thread.join(20)
    last = {"policy": b"STARTTLS", "token": b"STARTTLS", "AUTH": b"STARTTLS", "MAIL": b"AUTH", "DATA": b"RCPT"}[place]
    assert heard[-1].startswith(last), heard


# Closing, and throwing away.


@pytest.mark.parametrize("act", ["close", "delete", "collect", "quit", "sock"])
def test_a_session_in_its_own_callbacks(act, sink):
    box, raised = [], []

    def hear(*_):
        for session in box:
            try:
                if act == "close":
                    session.close()
                elif act == "quit":
                    session.quit()
                elif act == "sock" and session.sock is not None:
                    session.sock.close()
            except Exception as error:
                raised.append(error)
        if act in ("delete", "collect"):
            box.clear()
            gc.collect()

    box.append(Session("127.0.0.1", sink.port, transcript=hear))
    call = box[0].send_message
    assert call(MESSAGE).complete
    assert all(isinstance(error, smtpclient.UsageError) for error in raised)
    box.clear()
    del call
    assert sink.count == 1


def test_a_mailer_that_nobody_holds_while_it_calls(sink):
    done = threading.Event()

    def hear(direction, line):
        if line.startswith("MAIL"):
            box.clear()
            gc.collect()
            done.set()

    box = [Mailer(servers="127.0.0.1", ports=sink.port, client="c.example", transcript=hear)]
    future = box[0].submit(MESSAGE)
    assert done.wait(20)
    # It was ended with the message under way: that is decided, one way or the other.
    error = future.exception(20)
    assert error is None or isinstance(error, (smtpclient.Cancelled, smtpclient.OutcomeUnknown, smtpclient.ConnectionClosed))


def test_a_token_that_changes_while_it_is_read(sink, to):
    box = []

    def read(most):
        raised = []
        for call in (lambda: box[0].attach(Message("x")), lambda: box[0].set_header("Subject", "y")):
            try:
                call()
            except Exception as error:
                raised.append(error)
        gc.collect()
        return pieces.pop(0)

    pieces = [MESSAGE, b"x\r\n" * 1000, b""]
    box.append(Message.from_reader(read))
    assert sendmessage(box[0], **to).complete
    assert sink.count == 1


def test_options_that_change_hands_in_a_callback(sink, to):
    options = [Options(transcript=lambda *_: (options.clear(), gc.collect()), **to)]
    assert sendmessage(MESSAGE, options[0]).complete
    assert not options


def test_a_reader_that_sends_itself(sink, to):
    raised = []

    def read(most):
        try:
            sendmessage(message, **to)
        except smtpclient.SourceError as error:
            raised.append(error)
        return pieces.pop(0)

    pieces = [MESSAGE, b"x\r\n", b""]
    message = Message.from_reader(read)
    assert sendmessage(message, **to).complete and raised
    assert sink.count == 1


def test_a_recursion_without_end(sink, to):
    """A transcript that sends, whose transcript sends: the interpreter's own limit ends it."""

    def hear(*_):
        depth[0] += 1
        if depth[0] < 30:
            sendmessage(MESSAGE, transcript=hear, **to)

    depth = [0]
    assert sendmessage(MESSAGE, transcript=hear, **to).complete

    def forever(*_):
        return forever()

    with pytest.raises(smtpclient.Cancelled) as caught:
        sendmessage(MESSAGE, transcript=forever, **to)
    assert isinstance(caught.value.__cause__, RecursionError)


def test_smtplib_in_its_own_callbacks(sink, capsys):
    class Sender(smtplib.SMTP):
        def _print_debug(self, *args):
            try:
                self.quit()
            except Exception as error:
                raised.append(error)

    raised = []
    with Sender("127.0.0.1", sink.port) as session:
        session.set_debuglevel(1)
        try:
            session.sendmail("a@c.example", "b@s.example", MESSAGE)
        except Exception as error:
            raised.append(error)
    assert all(isinstance(error, (smtplib.SMTPException, RuntimeError, OSError)) for error in raised)


# Trace functions, signals, threads.


def test_a_trace_function_that_raises(sink, to):
    def trace(frame, event, argument):
        if "smtpclient" in frame.f_code.co_filename and count[0] == 0:
            raise ZeroDivisionError
        count[0] -= "smtpclient" in frame.f_code.co_filename
        return trace

    for n in range(0, 12, 3):
        count = [n]
        sys.settrace(trace)
        try:
            sendmessage(MESSAGE, **to)
        except (ZeroDivisionError, smtpclient.SMTPException):
            pass
        finally:
            sys.settrace(None)
    assert sendmessage(MESSAGE, **to).complete


SIGNALS = """
import os, signal, sys, threading, time, smtpclient
port = int(sys.argv[1])
calls = []

def handler(*_):
    calls.append(1)
    for session in box:
        try:
            session.close()
        except smtpclient.UsageError:
            pass

box = []
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
content = b"From: a@c.example\\r\\nTo: b@s.example\\r\\n\\r\\n" + b"x" * 70 + b"\\r\\n"
to = {"servers": "127.0.0.1", "ports": port, "client": "c.example"}
end = time.monotonic() + 2
sent = 0
with smtpclient.Mailer(**to) as mailer:
    while time.monotonic() < end:
        try:
            sent += smtpclient.sendmessage(content, **to).complete
            with smtpclient.Session("127.0.0.1", port) as session:
                box.append(session)
                sent += session.send_message(content).complete
                box.clear()
            sent += mailer.submit(content).result(20).complete
        except smtpclient.SMTPException:
            box.clear()
signal.setitimer(signal.ITIMER_REAL, 0)
assert sent > 3 and calls, (sent, calls)
print("done")
"""


def test_a_signal_handler_that_closes_what_it_interrupts(sink):
    assert python(SIGNALS, sink.port) == "done\n"
    assert sink.count > 3


def test_threads_that_fight_over_everything(sink, to):
    """One session, one token, one options, one mailer for all: errors, and whole messages."""
    session, mailer = Session("127.0.0.1", sink.port), Mailer(**to)
    token, options, wrong = Message.from_bytes(MESSAGE), Options(**to), []

    def fight(n):
        for _ in range(20):
            for call in (
                lambda: session.send_message(token), lambda: session.noop(), lambda: sendmessage(token, options),
                lambda: mailer.submit(token, recipients="c@s.example").result(20), lambda: token.set_header("X-N", str(n)),
                lambda: bytes(token), lambda: mailer.drain(0.01), lambda: mailer.counts, lambda: session.is_open,
            ):
                try:
                    call()
                except (smtpclient.SMTPException, RuntimeError, TypeError):
                    pass
                except BaseException as error:
                    wrong.append(error)

    threads = [threading.Thread(target=fight, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and not any(thread.is_alive() for thread in threads)
    assert mailer.close(20)
    session.close()
    assert all(b"\r\n\r\nHello.\r\n" in content for _, content in sink.messages())
