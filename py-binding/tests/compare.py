"""Messages over one session: this package, smtplib and aiosmtplib in one run, as ratios.

    python compare.py [MESSAGES]

The server is a process of its own, so that its time is not in the figures. Both stay on one CPU: waking another one
takes longer than a message does, and whether it happens is chance.
"""

import asyncio
import os
import subprocess
import sys
import time
from email.message import EmailMessage
from smtplib import SMTP

import smtpclient
from smtpclient import aio

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
TEXT = b"From: a@c.example\r\nTo: b@s.example\r\nSubject: x\r\n\r\n" + b"Hello, world.\r\n" * 20
MESSAGE = EmailMessage()
MESSAGE["From"], MESSAGE["To"], MESSAGE["Subject"] = "a@c.example", "b@s.example", "x"
MESSAGE.set_content("Hello, world.\n" * 20)


def session(port):
    with smtpclient.Session("127.0.0.1", port) as one:
        for _ in range(COUNT):
            one.send_message(TEXT)


def many(port):
    with smtpclient.Session("127.0.0.1", port) as one:
        assert all(report.complete for report in one.send_many([TEXT] * COUNT))


def session_email(port):
    with smtpclient.Session("127.0.0.1", port) as one:
        for _ in range(COUNT):
            one.send_message(MESSAGE)


def stdlib(port):
    with SMTP("127.0.0.1", port) as one:
        for _ in range(COUNT):
            one.sendmail("a@c.example", ["b@s.example"], TEXT)


def stdlib_email(port):
    with SMTP("127.0.0.1", port) as one:
        for _ in range(COUNT):
            one.send_message(MESSAGE)


def asyncio_session(port):
    async def main():
        async with aio.Session("127.0.0.1", port) as one:
            for _ in range(COUNT):
                await one.send_message(TEXT)

    asyncio.run(main())


def asyncio_many(port):
    async def main():
        async with aio.Session("127.0.0.1", port) as one:
            async for report in one.send_many([TEXT] * COUNT):
                assert report.complete

    asyncio.run(main())


def peer_asyncio(port):
    import aiosmtplib

    async def main():
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as one:
            for _ in range(COUNT):
                await one.sendmail("a@c.example", ["b@s.example"], TEXT)

    asyncio.run(main())


def main():
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    command = [sys.executable, "-m", "smtpclient", "sink", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        port = int(server.stdout.readline().split()[1])
        figures = {}
        calls = [stdlib, session, many, stdlib_email, session_email, peer_asyncio, asyncio_session, asyncio_many]
        for call in calls:
            best = []
            for _ in range(3):
                wall, cpu = time.perf_counter(), time.process_time()
                call(port)
                best.append((time.perf_counter() - wall, time.process_time() - cpu))
            figures[call.__name__] = min(w for w, _ in best), min(c for _, c in best)
        server.terminate()
    print(f"{COUNT} messages over one session, the best of three")
    for name, peer in [
        ("session", "stdlib"), ("many", "stdlib"), ("session_email", "stdlib_email"),
        ("asyncio_session", "peer_asyncio"), ("asyncio_many", "peer_asyncio"),
    ]:
        (wall, cpu), (peer_wall, peer_cpu) = figures[name], figures[peer]
        print(
            f"{name:16} {COUNT / wall:8.0f}/s {1e6 * cpu / COUNT:6.1f} us CPU; {peer:13} {COUNT / peer_wall:7.0f}/s "
            f"{1e6 * peer_cpu / COUNT:6.1f} us: {peer_wall / wall:5.2f} times as fast, {peer_cpu / cpu:5.2f} times less CPU"
        )


main()
