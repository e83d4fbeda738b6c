"""Sends in every way that there is, and looks at the memory: it must not grow.

    python leak.py [SENDS] [--leak]     5000; with --leak it holds on to 1 KiB a send, which must be found

The server is a process of its own. Exit status 1 where the memory grew.
"""

import asyncio
import gc
import subprocess
import sys
from collections import deque
from email.message import EmailMessage

import smtpclient
from smtpclient import aio, smtplib

TEXT = b"From: a@c.example\r\nTo: b@s.example\r\nSubject: x\r\n\r\n" + b"Hello, world.\r\n" * 20
#: In KiB. One leaked object of the smallest size (48 octets) a send is found in 100 000 sends, a few hundred octets
#: in 5000.
LIMIT = 768


def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4


def by_itself(to, count):
    for n in range(count):
        smtpclient.sendmessage(TEXT, header=[("X-Number", str(n))], transcript=lambda *_: None, **to)


def by_file_that_breaks(to, count):
    def pieces():
        yield TEXT
        raise ZeroDivisionError

    for _ in range(count):
        try:
            smtpclient.sendmessage(pieces(), **to)
        except smtpclient.SourceError:
            continue


def refused(to, count):
    for _ in range(count):
        try:
            smtpclient.sendmessage(TEXT, recipients=["bad@s.example"], **to)
        except smtpclient.RecipientsRefused as error:
            error.report.to_dict()


def by_session(to, count):
    message = EmailMessage()
    message["From"], message["To"] = "a@c.example", "b@s.example"
    message.set_content("Hello\n")
    with smtpclient.Session("127.0.0.1", to["ports"][0]) as session:
        for _ in range(count // 2):
            session.send_message(message)
            session.send("a@c.example", ["b@s.example"], subject="x", content="Hello\n")


def many(to, count):
    with smtpclient.Session("127.0.0.1", to["ports"][0]) as session:
        deque(session.send_many((TEXT, {"header": [("A", "b")]}) for _ in range(count)), 0)


def asyncio_many(to, count):
    async def main():
        async with aio.Session("127.0.0.1", to["ports"][0]) as session:
            async for report in session.send_many(TEXT for _ in range(count // 2)):
                assert report.complete
        for _ in range(count // 2):
            await aio.sendmessage(TEXT, **to)

    asyncio.run(main())


def standard(to, count):
    for _ in range(count // 10):
        with smtplib.SMTP("127.0.0.1", to["ports"][0], local_hostname="c") as session:
            for _ in range(10):
                session.sendmail("a@c.example", ["b@s.example", "bad@s.example"], TEXT)


WAYS = {by_itself: 2, by_file_that_breaks: 1, refused: 1, by_session: 4, many: 6, asyncio_many: 4, standard: 2}


def main(sends, leak):
    held = []
    command = [sys.executable, "-m", "smtpclient", "sink", "--quiet", "--reject", "bad*=550 5.1.1 no"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        to = {"servers": ["127.0.0.1"], "ports": [int(server.stdout.readline().split()[1])], "client": "c.example"}

        def round_of(count):
            for way, share in WAYS.items():
                way(to, count * share // sum(WAYS.values()))
            held.extend(bytearray(1024) for _ in range(count * leak))

        try:
            round_of(max(1000, sends // 5))  # as large as those that count
            figures = [resident()]
            for _ in range(5):
                round_of(sends // 5)
                figures.append(resident())
        finally:
            server.terminate()
    grown = figures[-1] - figures[0]
    print(f"{sends} sends: {' '.join(map(str, figures))} KiB, {grown:+} KiB")
    return 1 if grown > LIMIT else 0


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--leak"]
    sys.exit(main(int(arguments[0]) if arguments else 5000, "--leak" in sys.argv))
