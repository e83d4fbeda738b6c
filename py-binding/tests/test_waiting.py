"""A blocking call sleeps until something happens: an answer, its time-out, or a signal."""

import subprocess
import sys

import pytest

HEAD = """
import os, resource, signal, threading, time
import smtpclient
from smtpclient import smtplib

MESSAGE = b"From: a@b.example\\r\\nTo: c@d.example\\r\\n\\r\\n"
TO = dict(servers="127.0.0.1", ports=%d, client="c.example")


def mailer():
    mailer = smtpclient.Mailer(TO_MAILER, queuesize=1)
    mailer.submit(MESSAGE)
    return mailer


def wakes():
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


TO_MAILER = smtpclient.Options(**TO)
"""

#: What blocks at a server that greets and says nothing more, and what must be there before.
CALLS = {
    "sendmessage": ("None", "smtpclient.sendmessage(MESSAGE, timeout={limit}, **TO)"),
    "session": ("None", "smtpclient.Session('127.0.0.1', TO['ports'], timeout={limit}).noop()"),
    "smtplib": ("None", "smtplib.SMTP('127.0.0.1', TO['ports'], timeout={limit}).noop()"),
    "drain": ("mailer()", "made.drain({limit})"),
    "close": ("mailer()", "made.close({limit})"),
}

ASLEEP = """
made = {made}
before = wakes()
began = time.monotonic()
try:
    {call}
except (smtpclient.SMTPException, OSError):
    pass
assert time.monotonic() - began > 1.9
print(wakes() - before)
os._exit(0)
"""

INTERRUPTED = """
made = {made}
class Interrupted(BaseException):
    pass
def interrupt(signum, frame):
    raise Interrupted(signum)
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.5)
try:
    {call}
except Interrupted as error:
    print(error.args[0] == signal.SIGALRM, flush=True)
os._exit(0)
"""


def run(what, text, port, limit):
    made, call = CALLS[what]
    text = HEAD % port + text.format(made=made, call=call.format(limit=limit))
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=25, check=False)
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize("what", CALLS)
def test_nothing_wakes_it_while_nothing_happens(what, silent):
    # To connect, before it waits for long, and at the end; looking for signals took ten a second.
    assert int(run(what, ASLEEP, silent, 2)) < 10


@pytest.mark.parametrize("what", CALLS)
def test_a_signal_wakes_it(what, silent):
    assert run(what, INTERRUPTED, silent, 100) == "True"


def test_a_signal_wakes_who_waits_for_room(silent):
    text = HEAD % silent + INTERRUPTED.format(made="mailer()", call="made.submit(MESSAGE)")
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=25, check=False)
    assert done.stdout == "True\n", done.stderr
