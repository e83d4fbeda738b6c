"""When the system has no more descriptors, threads or memory to give: an exception, or an end of the process that is definite; never a
hang, never half a message."""

import signal
import subprocess
import sys

import pytest
from test_crash import python

DESCRIPTORS = """
import asyncio, os, resource, sys, smtpclient
from smtpclient import aio, smtplib
port = int(sys.argv[1])
content = b"From: a@c.example\\r\\nTo: b@s.example\\r\\n\\r\\nHello.\\r\\n"
to = {"servers": "127.0.0.1", "ports": port, "client": "c.example"}

def session():
    with smtpclient.Session("127.0.0.1", port) as session:
        return session.send_message(content)

def mailer():
    with smtpclient.Mailer(retries=0, backoff=0.01, **to) as mailer:
        return mailer.submit(content).result(30)

def classic():
    with smtplib.SMTP("127.0.0.1", port) as session:
        session.sendmail("a@c.example", "b@s.example", content)
    return smtpclient.Report()

async def looped():
    return await aio.sendmessage(content, **to)

async def looped_session():
    async with aio.Session("127.0.0.1", port) as session:
        return await session.send_message(content)

def in_loop(act):
    loop = loops[0]
    return lambda: loop.run_until_complete(act())

loops = [asyncio.new_event_loop()]
ways = [lambda: smtpclient.sendmessage(content, **to), session, mailer, classic, in_loop(looped), in_loop(looped_session)]
for way in ways:
    way()  # everything that is loaded late is there
sent = len(ways)
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
known = os.open("/dev/null", os.O_RDONLY)
for spare in range(8):
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    while True:
        try:
            taken.append(os.dup(known))
        except OSError:
            break
    for fd in taken[len(taken) - spare:]:
        os.close(fd)
    failed = 0
    for way in ways:
        try:
            way()
            sent += 1
        except (smtpclient.SMTPException, smtplib.SMTPException, OSError) as error:
            failed += 1
    assert failed == len(ways) or spare, failed
    for fd in taken[:len(taken) - spare]:
        os.close(fd)
    for way in ways:
        way()
    sent += len(ways)
print(sent)
"""


def test_no_more_descriptors(sink):
    assert int(python(DESCRIPTORS, sink.port, timeout=120)) == sink.count


THREADS = """
import resource, sys, threading, smtpclient
port = int(sys.argv[1])
content = b"From: a@c.example\\r\\nTo: b@s.example\\r\\n\\r\\nHello.\\r\\n"
to = {"servers": "127.0.0.1", "ports": port, "client": "c.example"}

class Refusing(threading.Thread):
    def start(self):
        raise RuntimeError("can't start new thread")

real, threading.Thread = threading.Thread, Refusing
for _ in range(3):
    try:
        smtpclient.Mailer(**to)
    except RuntimeError as error:
        assert "new thread" in str(error)
    else:
        raise AssertionError
threading.Thread = real
with smtpclient.Mailer(**to) as mailer:
    assert mailer.submit(content).result(20).complete
print("done")
"""


def test_no_more_threads(sink):
    assert python(THREADS, sink.port) == "done\n"
    assert sink.count == 1


MEMORY = """
import asyncio, resource, sys, smtpclient
from smtpclient import aio
way, spare, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
head = b"From: a@c.example\\r\\nTo: b@s.example\\r\\n\\r\\n"
to = {"servers": "127.0.0.1", "ports": port, "client": "c.example"}
smtpclient.sendmessage(head, **to)
with open("/proc/self/statm") as statm:
    now = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (spare << 20),) * 2)
try:
    if way == "bytes":
        smtpclient.sendmessage(head + b"x" * 70 + b"\\r\\n" * (4 << 20), **to)
    elif way == "reader":
        smtpclient.sendmessage((b"x" * 70 + b"\\r\\n" if n else head for n in range(100_000)), **to)
    elif way == "message":
        message = smtpclient.Message("x")
        for n in range(1000):
            message.attach_bytes("a", bytes(1 << 20))
        smtpclient.sendmessage(message, originator="a@c.example", recipients="b@s.example", **to)
    elif way == "mailer":
        with smtpclient.Mailer(**to) as mailer:
            for future in [mailer.submit(head + bytes([n % 26 + 97]) * 70) for n in range(300)]:
                future.result(30)
    else:
        async def main():
            await asyncio.gather(*(aio.sendmessage(head, **to) for _ in range(50)))
        asyncio.run(main())
except (MemoryError, smtpclient.SMTPException, OSError, RuntimeError):
    pass
print("over")
"""


@pytest.mark.parametrize("spare", [0, 1, 4, 16])
@pytest.mark.parametrize("way", ["bytes", "reader", "message", "mailer", "aio"])
def test_no_more_memory(way, spare, sink):
    """Python raises MemoryError; the library's own allocations end the process (docs/security.md)."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, way, str(spare), str(sink.port)], capture_output=True, text=True, timeout=120
    )
    # 127 is the dynamic linker, which has no room for a thread's own data.
    assert done.returncode in (0, 1, 127, -signal.SIGABRT), done
    if done.returncode == 127:
        assert "cannot allocate memory for thread-local data" in done.stderr, done
    if done.returncode == -signal.SIGABRT:
        assert "memory allocation of" in done.stderr or "Fatal Python error" in done.stderr, done
    # What arrived is whole.
    for envelope, content in sink.messages():
        assert envelope and content.endswith(b"\r\n"), content[-100:]
