"""Sends the message of one dialogue file (tests/dialogues/README.md) and prints what became of it.

Run by `scripted-server run FILES -- python dialogue.py [--aio]`.
"""

import asyncio
import contextlib
import re
import sys
import time
from pathlib import Path

import smtpclient
from smtpclient import aio

YES = {"true": True, "false": False}


def options(folder):
    words = (folder / "options").read_bytes().decode().split("\0")[:-1]
    found, header, rcpts = {}, [], []
    while words:
        name, value = words.pop(0), words.pop(0)
        while words and not re.fullmatch("[a-z0-9]+", words[0]):
            value += "\0" + words.pop(0)  # one that was in the value
        if name == "header":
            field, _, body = value.partition(":")
            header.append((field.rstrip(), body.strip()))
        elif name == "rcpt":
            rcpts.append(rcpt(value))
        elif name == "ports":
            found[name] = [int(port) for port in value.split()]
        elif name == "servers":
            found[name] = value.split()
        else:
            found[name] = YES.get(value, value)
    if rcpts:
        found["recipients"] = [found["recipients"], *rcpts] if "recipients" in found else rcpts
    return found | ({"header": header} if header else {})


def again(message, pause, **known):
    """Twice over one session; the second report."""
    with smtpclient.Session(known["servers"][0], known["ports"][0], **known) as session:
        with contextlib.suppress(smtpclient.SMTPException):
            session.send_message(message)
        time.sleep(pause)
        return session.send_message(message)


async def again_in_a_loop(message, pause, **known):
    async with aio.Session(known["servers"][0], known["ports"][0], **known) as session:
        with contextlib.suppress(smtpclient.SMTPException):
            await session.send_message(message)
        await asyncio.sleep(pause)
        return await session.send_message(message)


def rcpt(text):
    """One as an object, which option `recipients` takes beside texts."""
    words = text.split(" ")
    values = {}
    while "=" in words[-1]:
        name, _, values[name] = words.pop().partition("=")
    return smtpclient.Rcpt(" ".join(words), **values)


def asking(folder):
    """The function that the lines ``token`` describe; a coroutine function in an event loop."""
    words = (folder / "tokens").read_bytes().decode().split("\0")[:-1]

    def token(reason):
        if not words:
            raise LookupError("it was asked once more than the dialogue has tokens")
        expected, given = words.pop(0), words.pop(0)
        if expected != reason:
            raise LookupError(f"it was asked because of {reason}, not {expected}")
        if given.startswith("!"):
            raise LookupError(given[1:])
        return given

    async def later(reason):
        await asyncio.sleep(0.01)
        return token(reason)

    return later if "--aio" in sys.argv else token


class Described:
    """A mechanism that the lines ``mechanism`` and ``step`` describe."""

    def __init__(self, name, hides):
        self.name = name
        if hides:
            self.reveals_secret = False
        self.steps = []

    def begin(self, login):
        assert login.host and login.port and login.protocol in ("smtp", "lmtp")
        return DescribedExchange(self.steps)


class DescribedExchange:
    def __init__(self, steps):
        self.complete, self._steps = False, steps
        if "--aio" in sys.argv:
            self.step = self._later

    def step(self, challenge):
        said = "-" if challenge is None else challenge.decode()
        if not self._steps:
            raise LookupError("it was asked once more than the dialogue has steps")
        expected, answer = self._steps.pop(0)
        if expected != said:
            raise LookupError(f"it was asked to answer {said}, not {expected}")
        if answer.startswith("!"):
            raise LookupError(answer[1:])
        self.complete = answer.startswith("last")
        return answer.partition("+")[2].encode() if "+" in answer else None

    async def _later(self, challenge):
        await asyncio.sleep(0.01)
        return type(self).step(self, challenge)


def mechanisms_of(folder):
    words, found = (folder / "mechanisms").read_bytes().decode().split("\0")[:-1], []
    while words:
        kind, first, second, words = words[0], words[1], words[2], words[3:]
        if kind == "mechanism":
            found.append(Described(first, second == "hides"))
        else:
            found[-1].steps.append((first, second))
    return found


def commit_of(words):
    def commit(ready):
        for one in ready:
            print("commit =", one.attempt, one.tag or "-", one.message_id, *one.recipients)
        if words:
            raise OSError(words)

    async def later(ready):
        await asyncio.sleep(0.01)
        commit(ready)

    return later if "--aio" in sys.argv else commit


def send(folder):
    message, known, pause = (folder / "message").read_bytes(), options(folder), folder / "again"
    if (folder / "tokens").exists():
        known["oauthtoken"] = asking(folder)
    if (folder / "mechanisms").exists():
        known["mechanisms"] = mechanisms_of(folder)
    if (folder / "commit").exists():
        known["commit"] = commit_of((folder / "commit").read_text())
    try:
        if pause.exists():
            call, words = (again, again_in_a_loop), (message, int(pause.read_text()) / 1000)
        else:
            call, words = (smtpclient.sendmessage, aio.sendmessage), (message,)
        return asyncio.run(call[1](*words, **known)) if "--aio" in sys.argv else call[0](*words, **known)
    except smtpclient.SMTPException as error:
        if isinstance(error, smtpclient.OutcomeUnknown):
            assert error.report.unknown
        return error.report if error.report is not None else smtpclient.Report(error=error.failure)
    except TypeError as error:  # an unknown option
        text = str(error)
        failure = smtpclient.Failure("usage", "setup", text, None, None, False, text)
        return smtpclient.Report(error=failure)


def reply(found):
    return f"{found.code} {found.enhanced or '-'}" if found else "- -"


def failure(error):
    lasting = "transient" if error.transient else "permanent"
    return f"{error.kind} {error.step} {lasting} {reply(error.reply)}"


def fields(path, value):
    """A line for each field that has no fields of its own."""
    if isinstance(value, dict) or isinstance(value, list) and value:
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            fields(f"{path}.{name}".lstrip("."), one)
    else:
        text = str(int(value)) if isinstance(value, int) else (value or "-").replace("\n", " / ") if value != [] else "-"
        print("field =", path, text)


def main():
    report = send(Path(sys.argv[-1]))
    status = (
        "unknown" if report.unknown
        else "sent" if report.complete
        else "partial" if report.sent
        else "not_sent" if report.error.kind == "recipients"
        else "error"
    )
    print("status =", status)
    if report.error:
        print("error =", failure(report.error))
        print("error_text =", report.error)
    for one in report.recipients:
        outcome = one.outcome
        print("recipient =", one.address, outcome, one.step, reply(one.reply))
    for address, code, diagnostic in report:
        if code:
            print("refused =", address, code, diagnostic.replace("\n", " / "))
    final = report.reply
    print("reply =", f"{final.code} {' / '.join(final.lines)}" if final else "-")
    print("queue_id =", report.queue_id or "-")
    for attempt in report.attempts:
        print("attempt =", failure(attempt.error) if attempt.error else "ok")
    print("used =", *report.used)
    print("avoided =", *report.avoided)
    fields("", report.to_dict())


main()
