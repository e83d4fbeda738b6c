"""The client of ``tests/link`` in Python, with ``--aio`` first by asyncio; ``core/examples/link_client.rs`` says what it takes and prints."""

import asyncio
import sys
import time

import smtpclient
from smtpclient import aio

WORDS = {"true": True, "false": False}


def value(text):
    try:
        return WORDS[text] if text in WORDS else float(text) if "." in text else int(text)
    except ValueError:
        return text


def line(report):
    def words(error):
        return (error.kind, error.step) if error else ("-", "-")

    attempts = ("/".join((attempt.server, *words(attempt.error))) for attempt in report.attempts)
    return " ".join((*words(report.error), report.recipients[0].outcome.replace(" ", ""), *attempts))


def show(begin, report):
    print(f"{time.monotonic() - begin:.2f} {line(report)}", flush=True)


def blocking(way, pause, files, host, options):
    session = mailer = None
    for n, file in enumerate(files):
        time.sleep(pause if n else 0)
        begin = time.monotonic()
        message = smtpclient.Message.from_file(file)
        try:
            if way == "send":
                report = smtpclient.sendmessage(message, options)
            elif way == "session":
                session = session or smtpclient.Session(host, 0, options)
                report = session.send_message(message)
            else:
                mailer = mailer or smtpclient.Mailer(options)
                report = mailer.submit(message).result()
        except smtpclient.SMTPException as error:
            report = error.report
        show(begin, report)
    if mailer:
        mailer.close(0)


async def looped(way, pause, files, host, options):
    session = mailer = None
    for n, file in enumerate(files):
        await asyncio.sleep(pause if n else 0)
        begin = time.monotonic()
        message = smtpclient.Message.from_file(file)
        try:
            if way == "send":
                report = await aio.sendmessage(message, options)
            elif way == "session":
                session = session or await aio.Session(host, 0, options).connect()
                report = await session.send_message(message)
            else:
                mailer = mailer or aio.Mailer(options)
                report = await mailer.submit(message)
        except smtpclient.SMTPException as error:
            report = error.report
        show(begin, report)
    if mailer:
        await mailer.close(0)


is_looped = sys.argv[1] == "--aio"
way, pause, files, *pairs = sys.argv[1 + is_looped :]
given = {name: value(text) for name, _, text in (pair.partition("=") for pair in pairs)}
arguments = (way, int(pause), files.split(","), given["servers"], smtpclient.Options(**given))
if is_looped:
    asyncio.run(looped(*arguments))
else:
    blocking(*arguments)
