"""The client of `scripted-server faults`: sends a message for each line of options, and prints what became of it.

With `--aio` by asyncio.
"""

import asyncio
import sys

import smtpclient
from smtpclient import aio

WORDS = {"true": True, "false": False}


def parse(line):
    options = dict(pair.partition("=")[::2] for pair in line.rstrip("\n").split("\t"))
    options = {name: WORDS.get(value, value) for name, value in options.items()}
    for name in ("timeout", "maxsecs"):
        options[name] = float(options[name])
    options["ports"] = int(options["ports"])
    return options


def send(path, options):
    message = smtpclient.Message.from_file(path)
    try:
        if "--aio" in sys.argv:
            return asyncio.run(aio.sendmessage(message, **options))
        return smtpclient.sendmessage(message, **options)
    except smtpclient.SMTPException as error:
        return error.report


for line in sys.stdin:
    options = parse(line)
    report = send(options.pop("message"), options)
    kind = report.error.kind if report.error else "-"
    outcomes = (recipient.outcome.replace(" ", "") for recipient in report.recipients)
    print(kind, report.queue_id or "-", *outcomes, flush=True)
