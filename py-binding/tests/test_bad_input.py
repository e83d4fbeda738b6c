"""Bad input and bad moments: an exception with the reason, never a crash, never half a message."""

import asyncio
import email
import gc
import io
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import smtpclient
import smtpclient.testing
from conftest import MESSAGE, server
from smtpclient import Message, Session, aio, sendmessage


def test_what_looks_like_a_batch_or_options_and_is_none(sink, to):
    message = smtpclient.Message.from_bytes(MESSAGE)
    with pytest.raises(TypeError, match="the argument after the message must be Options.*'localhost'"):
        sendmessage(message, "localhost")
    with Session("127.0.0.1", sink.port) as session:
        for one in (message, MESSAGE, email.message_from_bytes(MESSAGE)):
            with pytest.raises(TypeError, match="put it into a list"):
                list(session.send_many(one))
        with pytest.raises(TypeError, match="a dict of its options"):
            list(session.send_many([("ann", message)]))
    assert sink.count == 0


@pytest.mark.parametrize("message", [None, 5, 1.5, object(), {"a": 1}, {1}, io.StringIO("x"), [1], ["x"]])
def test_what_is_no_message(message, sink, to):
    with pytest.raises((TypeError, smtpclient.SourceError)) as caught:
        sendmessage(message, **to)
    cause = caught.value if isinstance(caught.value, TypeError) else caught.value.__cause__
    assert isinstance(cause, TypeError)
    assert sink.count == 0


def test_an_asynchronous_message_where_nothing_waits_for_it(sink, to):
    async def pieces():
        yield MESSAGE

    async def looped(act):
        async with aio.Session("127.0.0.1", sink.port) as session, aio.Mailer(**to) as mailer:
            await act(session, mailer)

    async def in_a_loop(session, mailer):
        async for _ in session.send_many([pieces()]):
            pass

    with Session("127.0.0.1", sink.port) as session, smtpclient.Mailer(**to) as mailer:
        for call in (
            lambda: sendmessage(pieces(), **to), lambda: session.send_message(pieces()),
            lambda: session.send("a@c", "b@d", content=pieces()), lambda: list(session.send_many([pieces()])),
            lambda: mailer.submit(pieces()), lambda: mailer.try_submit(pieces()),
            lambda: asyncio.run(looped(lambda session, _: session.send_message(pieces()))),
            lambda: asyncio.run(looped(lambda _, mailer: mailer.submit(pieces()))),
            lambda: asyncio.run(looped(in_a_loop)),
        ):
            with pytest.raises(TypeError, match="async_generator.* aio.sendmessage only"):
                call()
    assert sink.count == 0
    assert asyncio.run(aio.sendmessage(pieces(), **to)).complete


def test_a_pipe_and_a_device_are_no_files(sink, to, tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe")
    attached = Message("x")
    attached.attach_file(pipe)
    to = {**to, "recipients": "b@s.example", "originator": "a@c.example"}
    with Session("127.0.0.1", sink.port) as session, smtpclient.Mailer(**to) as mailer:
        for message in (pipe, str(pipe), "/dev/zero", Message.from_file(pipe), attached):
            for call in (
                lambda m=message: sendmessage(m, **to), lambda m=message: session.send_message(m, **to_only(to)),
                lambda m=message: mailer.submit(m).result(20), lambda m=message: asyncio.run(aio.sendmessage(m, **to)),
            ):
                with pytest.raises(smtpclient.SourceError, match="(pipe|/dev/zero) is a pipe or a device.*give a reader"):
                    call()
    assert sink.count == 0
    with open("/dev/null", "rb") as null:
        assert sendmessage(null, **to).complete


def to_only(options):
    return {name: options[name] for name in ("recipients", "originator")}


@pytest.mark.parametrize(
    ("options", "kind", "word"),
    [
        ({"recipient": "x"}, TypeError, "`recipients`"),
        ({"server": "x"}, TypeError, "`servers`"),
        ({"header": 5}, TypeError, "`header`"),
        ({"header": ["x"]}, TypeError, "`header`"),
        ({"header": [("A", 5)]}, TypeError, "`header`"),
        ({"servers": 5}, TypeError, "`servers`"),
        ({"servers": b"x"}, TypeError, "`servers`"),
        ({"password": 5}, TypeError, "`password`"),
        ({"transcript": 5}, TypeError, "`transcript`"),
        ({"cancel": 5}, TypeError, "`cancel`"),
        ({"timeout": "soon"}, ValueError, "`timeout`"),
        ({"timeout": float("nan")}, ValueError, "`timeout`"),
        ({"maxsecs": -1}, ValueError, "`maxsecs`"),
        ({"ports": [70000]}, ValueError, "`ports`"),
        ({"queue": "perhaps"}, ValueError, "`queue`"),
        ({"header": [("A", "x\r\nB: y")]}, ValueError, "`header`"),
        ({"header": [("Content-Type", "x")]}, ValueError, "Content-Type"),
        ({"recipients": "a@b\r\nRCPT TO:<c@d>"}, ValueError, "recipients"),
        ({"recipients": []}, ValueError, "recipient"),
        ({"recipients": "not an address"}, ValueError, "recipients"),
        ({"originator": "a@b, c@d"}, ValueError, "originator"),
        ({"client": "a b"}, ValueError, "client"),
        ({"tlspolicy": "maybe"}, ValueError, "tlspolicy"),
        ({"password": "\ud800"}, ValueError, "password"),
        ({"recipients": "\ud800@x"}, ValueError, "surrogates"),
    ],
)
def test_options(options, kind, word, sink, to):
    with pytest.raises(kind, match=word):
        sendmessage(MESSAGE, **to | options)
    assert sink.count == 0


def test_messages_that_cannot_be_sent(sink, to, tmp_path):
    with pytest.raises(smtpclient.UsageError, match="recipient"):
        sendmessage(b"From: a@c.example\r\n\r\nHi\r\n", **to)
    with pytest.raises(smtpclient.UsageError, match="str names a file"):
        sendmessage(MESSAGE.decode(), **to)
    with pytest.raises(smtpclient.SourceError, match="nowhere"):
        sendmessage(tmp_path / "nowhere", **to)
    with pytest.raises(smtpclient.SourceError, match="directory"):
        sendmessage(tmp_path, **to)
    with pytest.raises(smtpclient.UsageError):
        sendmessage(MESSAGE + b"\0", **to)
    with pytest.raises(ValueError):
        Message("lone \ud800 surrogate")
    from email.message import Message as Legacy

    legacy = Legacy()
    legacy["From"], legacy["To"] = "a@c.example", "b@s.example"
    legacy.set_payload("lone \ud800 surrogate")
    with pytest.raises(ValueError, match="bytes"):
        sendmessage(legacy, **to)
    assert sink.count == 0


def test_no_smtputf8():
    with server(b"220 s\r\n", b"250 s\r\n") as (port, heard):
        with pytest.raises(smtpclient.Unsupported, match="SMTPUTF8"):
            sendmessage(MESSAGE, recipients="grün@s.example", servers=f"127.0.0.1:{port}", client="c")
    assert b"MAIL" not in heard


def test_an_iterator_that_raises_halfway(sink, to):
    def pieces():
        yield MESSAGE
        yield b"x" * 300_000
        raise ZeroDivisionError("halfway")

    with pytest.raises(smtpclient.SourceError, match="halfway") as caught:
        sendmessage(pieces(), **to)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.report.recipients[0].outcome == "not_sent"
    with pytest.raises(smtpclient.SourceError, match="halfway"), Session("127.0.0.1", sink.port) as session:
        session.send_message(pieces())
    assert sink.count == 0


def test_callbacks_that_raise(sink, to):
    def raising(*_):
        raise ZeroDivisionError("in a callback")

    with pytest.raises(smtpclient.Cancelled) as caught:
        sendmessage(MESSAGE, transcript=raising, **to)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(smtpclient.Cancelled) as caught:
        Session("127.0.0.1", sink.port, transcript=raising)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert sink.count == 0


def test_a_policy_that_raises_or_answers_nonsense():
    for policy, kind in [(lambda *_: 1 / 0, ZeroDivisionError), (lambda *_: "maybe", TypeError)]:
        with server(b"220 s\r\n", b"250-s\r\n250 STARTTLS\r\n", b"454 no\r\n") as (port, heard):
            with pytest.raises(smtpclient.SMTPException) as caught:
                sendmessage(MESSAGE, servers=f"127.0.0.1:{port}", tlspolicy=policy)
            assert isinstance(caught.value.__cause__, kind)
        assert b"MAIL" not in heard


def test_an_iterator_that_sends_with_itself(to):
    token = None

    def pieces():
        yield MESSAGE
        with pytest.raises(smtpclient.SourceError):
            sendmessage(token, **to)

    token = smtpclient._send.token(pieces())
    assert sendmessage(token, **to).complete


def test_a_closed_session(sink):
    session = Session("127.0.0.1", sink.port)
    session.close()
    session.close()
    for call in (session.noop, session.quit, lambda: session.send_message(MESSAGE)):
        with pytest.raises(smtpclient.SMTPException, match="clos"):
            call()
    assert not session.is_open and "closed" in repr(session)


def test_a_session_used_by_two_threads(silent):
    session = Session("127.0.0.1", silent, timeout=1)
    results = []

    def call():
        try:
            results.append(session.noop())
        except smtpclient.SMTPException as error:
            results.append(type(error))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kind.__name__ for kind in results) == ["Timeout", *["UsageError"] * 3]


def test_threads_hammer_one_session_and_one_options_object(sink, to):
    options = smtpclient.Options(transcript=lambda *_: None, **to)
    token = Message.from_bytes(MESSAGE)
    session = Session("127.0.0.1", sink.port)
    sent, wrong = [], []

    def call():
        for _ in range(50):
            sent.append(sendmessage(token, options).complete)
            try:
                sent.append(session.send_message(token).complete)
            except smtpclient.UsageError:
                pass
            except BaseException as error:
                wrong.append(error)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.close()
    assert not wrong and all(sent) and sink.count == len(sent)


def test_a_cancel_from_another_thread(silent):
    cancel = smtpclient.Cancel()
    threading.Timer(0.2, cancel.trigger).start()
    began = time.monotonic()
    with pytest.raises(smtpclient.Cancelled):
        sendmessage(MESSAGE, servers=f"127.0.0.1:{silent}", cancel=cancel)
    cancel.reset()
    threading.Timer(0.2, cancel.trigger).start()
    with pytest.raises(smtpclient.SMTPException):
        Session("127.0.0.1", silent, cancel=cancel, timeout=30).noop()
    assert time.monotonic() - began < 3


def test_other_threads_run_while_a_send_waits(silent):
    ticks = []

    def send():
        with pytest.raises(smtpclient.Timeout):
            sendmessage(MESSAGE, servers=f"127.0.0.1:{silent}", timeout=0.5)

    thread = threading.Thread(target=send)
    thread.start()
    while thread.is_alive():
        ticks.append(time.sleep(0.01))
    assert len(ticks) > 20


CTRL_C = """
import sys, threading, time, os, signal, smtpclient
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
began = time.monotonic()
try:
    {call}
except KeyboardInterrupt as error:
    took = time.monotonic() - began
    assert took < 1.5, took
    print("interrupted", getattr(error, "report", None) is not None)
"""


@pytest.mark.parametrize(
    ("call", "report"),
    [
        ("smtpclient.sendmessage(b'From: a@b\\r\\nTo: c@d\\r\\n\\r\\n', servers='127.0.0.1:%d', client='c')", True),
        ("smtpclient.Session('127.0.0.1', %d).noop()", False),
    ],
)
def test_control_c(call, report, silent):
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C.format(call=call % silent)], capture_output=True, text=True, timeout=20
    )
    assert done.stdout == f"interrupted {report}\n", done


EXIT = """
import threading, time, smtpclient
def pieces():
    yield b'From: a@b\\r\\nTo: c@d\\r\\n\\r\\n'
    while True:
        yield b'x' * 1000
def send(message):
    try: smtpclient.sendmessage(message, servers='127.0.0.1:{port}', client='c', transcript=lambda *_: None)
    except smtpclient.SMTPException: pass
for message in (b'From: a@b\\r\\nTo: c@d\\r\\n\\r\\n', pieces()):
    threading.Thread(target=send, args=(message,), daemon=True).start()
time.sleep(0.3)
"""


@pytest.mark.parametrize("silence", [True, False])
def test_an_interpreter_that_exits_in_the_middle_of_a_send(silence, silent, sink):
    port = silent if silence else sink.port
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", EXIT.format(port=port)], capture_output=True, text=True, timeout=20
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert sink.count <= 3


def test_a_fork(sink, to):
    options = smtpclient.Options(**to)
    assert sendmessage(MESSAGE, options).complete
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if sendmessage(MESSAGE, options).complete else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert sink.count == 2


def test_the_outcome_is_unknown(to):
    replies = [b"220 s\r\n", b"250 s\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", None]
    for call in (
        lambda port: sendmessage(MESSAGE, servers=f"127.0.0.1:{port}"),
        lambda port: Session("127.0.0.1", port).send_message(MESSAGE),
    ):
        with server(*replies) as (port, _):
            with pytest.raises(smtpclient.OutcomeUnknown) as caught:
                call(port)
            assert caught.value.report.unknown and not caught.value.transient


def test_nothing_leaks(sink, to):
    """Twenty thousand messages over one session and as many options, in memory that does not grow."""

    def resident():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4

    with Session("127.0.0.1", sink.port) as session:
        deque = __import__("collections").deque
        deque(session.send_many([MESSAGE] * 2000), 0)
        deque((smtpclient.Options(**to, header=[("A", "b")]) for _ in range(2000)), 0)
    before = resident()
    with smtpclient.testing.Sink(keep=False) as other, Session("127.0.0.1", other.port) as session:
        deque(session.send_many([MESSAGE] * 20000), 0)
        deque((smtpclient.Options(**to, header=[("A", "b")]) for _ in range(20000)), 0)
        assert other.count == 20000
    assert resident() - before < 4096
