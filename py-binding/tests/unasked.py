"""The client of `scripted-server unasked`: [--aio | --smtplib | --socket] PORT SENDS PAUSE."""

import asyncio
import contextlib
import socket
import sys
import time

import smtpclient
from smtpclient import aio, smtplib

PORT, SENDS, PAUSE = (int(word) for word in sys.argv[-3:])
OPTIONS = {"client": "c.example", "timeout": 5, "usetls": False}


def message(n):
    return f"From: s{n}@c.example\nTo: b@s.example\nDate: x\nMessage-ID: <{n}@c>\n\nHello.\n".encode()


def outcome(error):
    return "not_sent" if error.report is None else error.report.recipients[0].outcome  # an empty one is false


def tell(word):
    print(word, flush=True)
    return PAUSE / 1000


def blocking(make):
    with contextlib.ExitStack() as stack:
        try:
            session = stack.enter_context(make())
        except smtpclient.SMTPException:
            session = None
        for n in range(SENDS):
            try:
                word = session.send_message(message(n)).recipients[0].outcome if session else "not_sent"
            except smtpclient.SMTPException as error:
                word = outcome(error)
            time.sleep(tell(word))


async def asynchronous():
    async with contextlib.AsyncExitStack() as stack:
        try:
            session = await stack.enter_async_context(aio.Session("127.0.0.1", PORT, **OPTIONS))
        except smtpclient.SMTPException:
            session = None
        for n in range(SENDS):
            try:
                word = (await session.send_message(message(n))).recipients[0].outcome if session else "not_sent"
            except smtpclient.SMTPException as error:
                word = outcome(error)
            await asyncio.sleep(tell(word))


def standard():
    # As of the standard module, what stands in the place of the reply to QUIT is raised.
    with contextlib.suppress(smtplib.SMTPException), contextlib.ExitStack() as stack:
        session = None
        with contextlib.suppress(smtplib.SMTPException):
            session = stack.enter_context(smtplib.SMTP("127.0.0.1", PORT, "c.example", timeout=5))
        for n in range(SENDS):
            word = "accepted" if session else "not_sent"
            try:
                if session:
                    session.sendmail(f"s{n}@c.example", ["b@s.example"], message(n))
            except smtplib.SMTPOutcomeUnknown:
                word = "unknown"
            except (smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused):
                word = "rejected"
            except smtplib.SMTPException:
                word = "not_sent"
            time.sleep(tell(word))


if "--aio" in sys.argv:
    asyncio.run(asynchronous())
elif "--smtplib" in sys.argv:
    standard()
elif "--socket" in sys.argv:
    blocking(lambda: smtpclient.Session.from_socket(socket.create_connection(("127.0.0.1", PORT)), "s", **OPTIONS))
else:
    blocking(lambda: smtpclient.Session("127.0.0.1", PORT, **OPTIONS))
