"""``python -m smtpclient``: sends a message from the shell, or runs a server that takes every one.

Exit status: 0 sent to every recipient, 1 refused (also by a part of the recipients), 2 usage,
70 it is unknown whether it was sent, 75 not sent, try again later.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from . import _native
from ._errors import OutcomeUnknown, RecipientsRefused, SMTPException, UsageError
from ._native import Message, Options
from ._report import Reply, Report
from ._send import sendmessage
from ._session import Session
from ._tokens import token

SENT, REFUSED, USAGE, UNKNOWN, LATER, INTERRUPTED = 0, 1, 2, 70, 75, 130

#: Larger messages show how far they are.
_LARGE = 1 << 20


def main(arguments: Sequence[str] | None = None) -> int:
    """What the command does; the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["sink"]:
        return _sink(words[1:])
    given = _parser().parse_args(words)
    try:
        options = Options(**_options(given))
        if given.dry_run:
            return _dry_run(_message(given.file, False), options, given.json)
        report = sendmessage(_message(given.file, not given.json), options)
    except SMTPException as error:
        return _failed(error, given.json)
    except (TypeError, OSError) as error:
        print(f"smtpclient: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    _show(report, given.json)
    return SENT if report.complete else REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m smtpclient",
        usage="%(prog)s [option ...] [file]",
        description="Send a message, a file or standard input. `python -m smtpclient sink` runs a test server.",
        epilog="Exit status: 0 sent, 1 refused, 2 usage, 70 it is unknown whether it was sent, 75 try again later.",
    )
    add = parser.add_argument
    add("file", nargs="?", default="-", help="the message (RFC 5322); - is standard input")
    other = parser.add_argument_group("this command")
    add = other.add_argument
    add("--tls", choices=["no", "try", "require", "first"], help="STARTTLS not at all, where offered, always; or implicit TLS")
    add("--insecure", action="store_true", help="do not verify the certificate")
    add("--password-file", help="its first line is the password")
    add("--password-env", metavar="VARIABLE", help="the environment variable that has the password")
    add("-o", "--option", action="append", default=[], metavar="NAME=VALUE", help="any option, also one without a flag")
    add("--dry-run", action="store_true", help="ask for the sender and the recipients, and send nothing")
    add("--json", action="store_true", help="print the report as JSON")
    groups: dict[str, Any] = {}
    for option in _flags():
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        _add_flag(groups[option.group].add_argument, option)
    return parser


def _flags() -> list[_native.OptionInfo]:
    """The options that are flags: not those of a mailer, and no secrets, which other users could see in the list of processes."""
    return [o for o in _native.option_table() if o.group != "Mailer" and o.kind not in ("secret", "certificates", "recipient")]


#: Shorter names.
_SHORT = {
    "servers": "--server",
    "ports": "--port",
    "originator": "--from",
    "recipients": "--to",
    "tlscafile": "--cafile",
    "username": "--user",
}


def _add_flag(add: Any, option: _native.OptionInfo) -> None:
    names = [f"--{option.name}", *([_SHORT[option.name]] if option.name in _SHORT else [])]
    text = f"{option.help} Default: {option.default}.".replace("%", "%%").replace("`", "")
    if option.kind == "flag":
        add(*names, action=argparse.BooleanOptionalAction, default=None, help=text)
    elif option.words:
        add(*names, choices=option.words, help=text)
    elif option.kind in ("servers", "ports", "addresses", "header"):
        add(*names, action="append", metavar=option.kind.upper(), help=text)
    else:
        add(*names, metavar=option.kind.upper(), help=text)


def _options(given: argparse.Namespace) -> dict[str, Any]:
    options: dict[str, Any] = {option.name: getattr(given, option.name) for option in _flags()}
    if given.tls is not None:
        options |= {
            "usetls": given.tls != "no",
            "tlsrequired": given.tls == "require",
            "tlsimport": given.tls == "first",
        }
    if given.insecure:
        options["tlsverify"] = False
    if given.header:
        options["header"] = [_field(text) for text in given.header]
    if given.username is not None and given.auth != "EXTERNAL":
        options["password"] = _password(given)
    for text in given.option:
        name, sign, value = text.partition("=")
        if not sign:
            raise TypeError(f"--option takes NAME=VALUE, not {text}")
        options[name] = value
    return {name: value for name, value in options.items() if value is not None}


def _field(text: str) -> tuple[str, str]:
    name, colon, body = text.partition(":")
    if not colon:
        raise TypeError(f"--header takes 'Name: value', not {text}")
    return name.rstrip(), body.strip()


def _password(given: argparse.Namespace) -> str:
    if given.password_file is not None:
        with open(given.password_file, encoding="utf-8") as file:
            return file.readline().rstrip("\r\n")
    if given.password_env is not None:
        password = os.environ.get(given.password_env)
        if password is None:
            raise TypeError(f"the environment has no variable {given.password_env}")
        return password
    return getpass.getpass(f"Password of {given.username}: ")


def _message(path: str, progress: bool) -> Message:
    if path == "-":
        return token(sys.stdin.buffer.read())
    with open(path, "rb"):  # an OSError with the name, where it cannot be read
        size = os.path.getsize(path)
    if progress and size >= _LARGE and sys.stderr.isatty():
        return _watched(path, size)
    return token(path)


def _watched(path: str, size: int) -> Message:
    """The file, with a bar on the terminal while it is read."""
    file = open(path, "rb")
    shown = 0.0

    def read(most: int) -> bytes:
        nonlocal shown
        piece = file.read(most)
        now, done = time.monotonic(), file.tell()
        if now - shown > 0.1 or not piece:
            shown = now
            bar = "#" * (40 * done // size)
            print(f"\r[{bar:40}] {done >> 10} of {size >> 10} KiB", end="" if piece else "\n", file=sys.stderr, flush=True)
        return piece

    def rewind() -> bool:
        file.seek(0)
        return True

    return Message.from_reader(read, rewind, size)


def _dry_run(message: Message, options: Options, as_json: bool) -> int:
    sender, recipients = _native.envelope(message, options)
    server = _native.servers(options)[0]
    refused = later = 0
    replies: list[tuple[str, Reply]] = []
    with Session(_entry(server, options), 0, options) as session:
        utf8 = [] if (sender + "".join(recipients)).isascii() else ["SMTPUTF8"]
        session.server_options()
        for verb, address in [("MAIL", sender), *(("RCPT", address) for address in recipients)]:
            reply = session.mail(address, utf8) if verb == "MAIL" else session.rcpt(address)
            replies.append((f"{verb} <{address}>", reply))
            refused += not reply.ok
            later += 400 <= reply.code < 500
            if verb == "MAIL" and not reply.ok:
                break
        session.rset()
    if as_json:
        told = [
            {"command": command, "code": reply.code, "enhanced": reply.enhanced, "text": reply.text}
            for command, reply in replies
        ]
        print(json.dumps(told, indent=2))
    else:
        for command, reply in replies:
            print(f"{command}: {reply}")
    return SENT if not refused else LATER if later == refused else REFUSED


def _entry(server: _native.Server, options: Options) -> str:
    if server.path is not None:
        return f"unix:{server.path}"
    host = f"[{server.host}]" if ":" in (server.host or "") else server.host
    scheme = "lmtp" if options.lmtp else "smtps" if server.tls else "smtp"
    return f"{scheme}://{host}:{server.port}"


def _failed(error: SMTPException, as_json: bool) -> int:
    print(f"smtpclient: {error}", file=sys.stderr)
    if error.report is not None and (as_json or isinstance(error, RecipientsRefused)):
        _show(error.report, as_json)
    if isinstance(error, UsageError):
        return USAGE
    if isinstance(error, OutcomeUnknown):
        return UNKNOWN
    return LATER if error.transient else REFUSED


def _show(report: Report, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.to_dict(), indent=2))
        return
    for recipient in report.recipients:
        if recipient.outcome == "rejected":
            print(f"refused: {recipient.address}: {recipient.reply}", file=sys.stderr)
    if report.reply is not None:
        print(report.reply)


def _sink(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m smtpclient sink",
        description="A server that takes every message. Prints `LISTENING PORT`; ends with Ctrl-C.",
    )
    add = parser.add_argument
    add("--listen", default="127.0.0.1:0", metavar="ADDRESS:PORT")
    add("--dump", metavar="FOLDER", help="write each message to N.eml, its envelope to N.envelope")
    add("--reject", action="append", default=[], metavar="'PATTERN=CODE TEXT'", help="refuse recipients")
    add("--size", type=int, help="refuse messages of more octets")
    add("--lmtp", action="store_true")
    add("--chunking", action="store_true", help="offer CHUNKING and BINARYMIME")
    add("--no-pipelining", action="store_true")
    add("--quiet", action="store_true", help="do not print the dialogue")
    add("--messages", type=int, help="end after so many messages")
    given = parser.parse_args(words)
    try:
        sink = _native.Sink(
            given.listen,
            dump=given.dump,
            keep=False,
            rejects=given.reject,
            size=given.size,
            lmtp=given.lmtp,
            chunking=given.chunking,
            pipelining=not given.no_pipelining,
            verbose=not given.quiet,
        )
    except (ValueError, OSError) as error:
        print(f"smtpclient: {error}", file=sys.stderr)
        return USAGE
    print(f"LISTENING {sink.port}", flush=True)
    try:
        while given.messages is None or sink.count < given.messages:
            time.sleep(0.02)
        time.sleep(0.1)  # the last client still has its QUIT to say
    except KeyboardInterrupt:
        pass
    return SENT


if __name__ == "__main__":
    sys.exit(main())
