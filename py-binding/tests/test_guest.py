"""What must not harm the host: forks, nesting, callbacks that wait for what calls them."""

import email.message
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import smtpclient
from conftest import MESSAGE
from smtpclient import Mailer, Message
from test_crash import python

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


def test_a_program_whose_children_are_thrown_away_learns_nothing_of_them(tmp_path):
    """With SIGCHLD ignored nobody knows how a program ended: an error before it has the message."""
    agent = tmp_path / "agent"
    agent.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    agent.chmod(0o755)
    python(f"""
import signal, smtpclient
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
try:
    smtpclient.sendmessage({MESSAGE!r}, servers=["sendmail:{agent}"])
except smtpclient.ConnectError as error:
    assert "SIGCHLD is ignored" in str(error), error
else:
    raise SystemExit("sent")
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
assert smtpclient.sendmessage({MESSAGE!r}, servers=["sendmail:{agent}"]).complete
""")
    assert (tmp_path / "ran").exists()


# Threads that are in a function of the program's when it ends.

ENDS = """
import gc, random, socket, threading, time
import smtpclient
from smtpclient.testing import Sink

MESSAGE = b"From: a@c.example\\r\\nTo: b@d.example\\r\\n\\r\\nx\\r\\n"
sink = Sink()

def dial(host, port, seconds):
    gc.collect()
    return socket.create_connection((host, port), seconds)

options = smtpclient.Options(servers="127.0.0.1", ports=sink.port, dialler=dial)
"""
A_MAILER = """
mailer = smtpclient.Mailer(options, connections=2)
for future in [mailer.submit(MESSAGE) for _ in range(5)]:
    future.result()
mailer.close()
"""
THREADS = """
def send():
    while True:
        smtpclient.sendmessage(MESSAGE, options)

for _ in range(4):
    threading.Thread(target=send, daemon=True).start()
time.sleep(0.1 + random.random() / 10)
"""


@pytest.mark.parametrize("what", [A_MAILER, THREADS])
def test_a_program_ends_while_threads_are_in_its_functions(what):
    # Several at a time, so that they are interrupted everywhere.
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(python, [ENDS + what] * 24))
