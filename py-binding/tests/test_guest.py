"""What must not harm the host: cycles that are never collected, forks, nesting, callbacks that wait for what calls them."""

import asyncio
import email.message
import gc
import os
import sys
import threading
import time
import weakref

import pytest
from test_crash import MESSAGE, python

import smtpclient
from smtpclient import Mailer, Message, Options, Session, aio, smtplib


class Owner:
    """Holds what refers to it."""

    def __init__(self):
        self.heard = []

    def hear(self, direction, line):
        self.heard.append(line)

    def policy(self, code, diagnostic):
        self.heard.append(diagnostic)
        return "insecure"

    def read(self, most):
        return b""

    def rewind(self):
        return True


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def options_in(owner, port):
    owner.kept = Options(servers="127.0.0.1", ports=port, transcript=owner.hear, tlspolicy=owner.policy)


def options_of_options(owner, port):
    owner.kept = Options(Options(transcript=owner.hear, tlspolicy=owner.policy), client="c.example")


def session_in(owner, port):
    owner.kept = Session("127.0.0.1", port, transcript=owner.hear, tlspolicy=owner.policy)


def session_with_message(owner, port):
    owner.kept = Session("127.0.0.1", port, transcript=owner.hear)
    assert owner.kept.send_message(MESSAGE).complete


def session_of_smtplib(owner, port):
    owner.kept = smtplib.SMTP("127.0.0.1", port)
    owner.kept.own = owner


def message_in(owner, port):
    owner.kept = Message.from_reader(owner.read, owner.rewind)


def message_within(owner, port):
    inner = Message.from_reader(owner.read, owner.rewind)
    outer = Message("text")
    outer.attach(Message.rfc822(inner))
    owner.kept = [Message.multipart("mixed", [outer, inner]), outer.parts, Message.multipart("mixed", [inner])]


def delivery_in(owner, port):
    options = Options(servers="127.0.0.1", ports=port, tlspolicy=owner.policy, recipients="b@s.example", originator="a@c.example")
    native = smtpclient._native
    owner.kept = native.Delivery(Message.from_bytes(MESSAGE), options, owner.hear, native.Limits(options), False)


def mailer_in(owner, port):
    owner.kept = Mailer(servers="127.0.0.1", ports=port, transcript=owner.hear, tlspolicy=owner.policy)
    assert owner.kept.submit(MESSAGE).result(20).complete


def aio_session(owner, port):
    async def main():
        async with aio.Session("127.0.0.1", port, transcript=owner.hear) as owner.kept:
            assert (await owner.kept.send_message(MESSAGE)).complete

    asyncio.run(main())


WAYS = [
    options_in, options_of_options, session_in, session_with_message, session_of_smtplib, message_in, message_within,
    delivery_in, mailer_in, aio_session,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_cycles_are_collected(way, sink):
    gc.collect()
    before, gone = descriptors(), []
    for _ in range(20):
        owner = Owner()
        way(owner, sink.port)
        gone.append(weakref.ref(owner))
        del owner
    gc.collect()
    # A mailer's threads end by themselves.
    for _ in range(400):
        if not any(ref() is not None for ref in gone) and descriptors() <= before + 1:
            break
        time.sleep(0.02)
        gc.collect()
    assert not any(ref() is not None for ref in gone)
    assert descriptors() <= before + 1


def test_what_is_alive_is_not_collected(sink):
    """Functions that only the core refers to, while collections go on in every callback."""
    calls = []

    class Reader:
        def __init__(self):
            self.pieces = [MESSAGE, b"x\r\n" * 1000, b""]
            self.own = self

        def read(self, most):
            gc.collect()
            return self.pieces.pop(0)

    def message():
        reader = Reader()
        reader.message = Message.from_reader(reader.read)
        return reader.message

    def hear(*_):
        gc.collect()
        calls.append(1)

    to = {"servers": "127.0.0.1", "ports": sink.port, "client": "c.example"}
    gc.collect()
    assert smtpclient.sendmessage(message(), transcript=lambda *_: hear(), **to).complete
    with Session("127.0.0.1", sink.port, transcript=lambda *_: hear()) as session:
        assert session.send_message(message()).complete
        assert all(report.complete for report in session.send_many(message() for _ in range(5)))
    with Mailer(Options(transcript=lambda *_: hear(), **to)) as mailer:
        futures = [mailer.submit(message()) for _ in range(10)]
        gc.collect()
        assert all(future.result(30).complete for future in futures)
    assert asyncio.run(aio.sendmessage(message(), transcript=lambda *_: hear(), **to)).complete
    assert sink.count == 18 and calls


# Mailers that wait for themselves.


def test_a_mailer_in_its_own_callbacks(sink):
    raised, box = [], []

    def hear(*_):
        for mailer in box:
            for call in (mailer.close, mailer.drain, lambda m=mailer: m.close(0)):
                try:
                    call()
                except smtpclient.UsageError as error:
                    raised.append(str(error))

    mailer = Mailer(servers="127.0.0.1", ports=sink.port, client="c.example", transcript=hear)
    box.append(mailer)
    assert mailer.submit(MESSAGE).result(20).complete
    assert mailer.drain(20)
    box.clear()
    assert mailer.close(20)
    assert raised and all("by a function that it calls" in text for text in raised)


def test_a_mailer_that_a_future_closes(sink):
    mailer = Mailer(servers="127.0.0.1", ports=sink.port, client="c.example")
    done = threading.Event()
    future = mailer.submit(MESSAGE)
    future.add_done_callback(lambda _: (mailer.close(), done.set()))
    assert done.wait(20)
    with pytest.raises(smtpclient.ConnectionClosed):
        mailer.submit(MESSAGE)


# What is imported.


def test_email_is_imported_by_who_uses_it_alone():
    python(
        """
import sys
known = set(sys.modules)
import smtpclient, smtpclient.aio
from smtpclient.testing import Sink
message = smtpclient.Message("Hello.\\n")
message["From"], message["To"] = "a@c.example", "b@s.example"
with Sink() as sink, smtpclient.Session("127.0.0.1", sink.port) as session:
    assert [report.complete for report in session.send_many([message, b"From: a@c.example\\nTo: b@s.example\\n\\n"])] == [True] * 2
imported = set(sys.modules) - known
assert not {name for name in imported if name.split(".")[0] in {"email", "smtplib", "datetime", "ipaddress"}}, imported
from email.message import EmailMessage
whole = EmailMessage()
whole["From"], whole["To"] = "a@c.example", "b@s.example"
with Sink() as sink:
    assert smtpclient.sendmessage(whole, servers="127.0.0.1", ports=sink.port).complete
"""
    )


# Forks.

FORK = """
import asyncio, os, sys, threading, smtpclient
from smtpclient import aio
port, message = int(sys.argv[1]), b"From: a@c.example\\r\\nTo: b@s.example\\r\\n\\r\\n"
to = {"servers": "127.0.0.1", "ports": port, "client": "c.example"}
mailer, looped = smtpclient.Mailer(**to), aio.Mailer(**to)
cancel, options = smtpclient.Cancel(), smtpclient.Options(**to)
token, report = smtpclient.Message.from_bytes(message), smtpclient.sendmessage(message, **to)

def refused(call):
    try:
        call()
    except smtpclient.UsageError as error:
        assert "parent process" in str(error), error
    else:
        assert False

def child(how):
    refused(lambda: mailer.submit(message))
    refused(lambda: mailer.try_submit(message))
    refused(lambda: asyncio.run(looped.submit(message)))
    assert mailer.drain() and mailer.drain(1) and mailer.close(1000) and mailer.close()
    assert mailer.counts.submitted == 0
    assert asyncio.run(looped.close())
    assert report.complete and smtpclient.sendmessage(token, options).complete
    token["Subject"] = "from the child"
    cancel.trigger()
    with smtpclient.Mailer(**to) as own:
        assert own.submit(message).result(20).complete
    if how:
        sys.exit(0)

for n in range(6):
    futures = [mailer.submit(message) for _ in range(10)]
    pid = os.fork()
    if pid == 0:
        try:
            if n > 1:
                child(n % 2)
            sys.exit(0)
        except SystemExit:
            raise
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    assert all(future.result(20).complete for future in futures)
assert not cancel.triggered and token["Subject"] is None
assert mailer.close(20) and asyncio.run(looped.close())
print("sent")
"""


def test_forks_with_mailers_and_everything_else(sink):
    assert python(FORK, sink.port) == "sent\n"
    assert sink.count == 1 + 60 + 4 * 2


# Nesting.


def test_nesting_is_refused():
    message = Message("x")
    with pytest.raises(smtpclient.UsageError, match="100 parts within each other"):
        for _ in range(20_000):
            message = Message.rfc822(message)
    message = Message("x")
    with pytest.raises(smtpclient.UsageError, match="100 parts within each other"):
        for _ in range(20_000):
            message = Message.multipart("mixed", [message])
    assert message.size() == len(bytes(message))


def test_a_deep_message_of_the_standard_library_is_refused(to):
    message = email.message.Message()
    message.set_payload("x")
    for _ in range(20_000):
        outer = email.message.Message()
        outer["Content-Type"] = "message/rfc822"
        outer.set_payload([message])
        message = outer
    with pytest.raises(smtpclient.UsageError, match="within each other"):
        smtpclient.sendmessage(message, **to)
    # Dropping it is the standard library's business, which would call itself as often.
    while isinstance(message.get_payload(), list):
        inner = message.get_payload()[0]
        message.set_payload(None)
        message = inner


# Subinterpreters.

INTERPRETERS = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
first = sys.argv[1]
code = '''
import sys
sys.path[:] = {!r}
try:
    import smtpclient
except ImportError as error:
    assert {} and "one interpreter of a process" in str(error), error
else:
    assert not {}
'''
def new():
    try:
        return interpreters.create("legacy")
    except TypeError:
        return interpreters.create(isolated=False)
def run(interpreter, refused):
    failed = interpreters.run_string(interpreter, code.format(sys.path, refused, refused))
    assert failed is None, failed
if first == "main":
    import smtpclient
one, two = new(), new()
run(one, first == "main")
run(one, first == "main")
run(two, True)
try:
    import smtpclient
except ImportError:
    assert first != "main"
else:
    assert first == "main"
    try:
        smtpclient.Options(nothing=1)
    except TypeError:
        pass
    try:
        smtpclient.sendmessage(b"", servers="no such")
    except smtpclient.UsageError:
        pass
print("done")
"""


@pytest.mark.parametrize("first", ["main", "sub"])
def test_one_interpreter_of_a_process(first):
    if sys.version_info < (3, 13):
        pytest.importorskip("_xxsubinterpreters")
    assert python(INTERPRETERS, first) == "done\n"
