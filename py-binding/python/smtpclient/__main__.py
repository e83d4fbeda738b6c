"""``python -m smtpclient`` and the command ``smtpclient``: the program of that name, over the same core.

``python -m smtpclient sink`` is a server that takes every message.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence

from . import _native


def command() -> int:
    """What the command ``smtpclient`` does, also called as ``sendmail``; the exit status."""
    return _command(os.path.basename(sys.argv[0]), sys.argv[1:])


def main() -> int:
    """What ``python -m smtpclient`` does; the exit status."""
    words = sys.argv[1:]
    if words[:1] == ["sink"]:
        return _sink(words[1:])
    return _command("smtpclient", words)


def _command(program: str, words: Sequence[str]) -> int:
    # As for other programs: Python's own handler would wait for the end of the sending.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.command([program, *words])


def _sink(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m smtpclient sink",
        description="A server that takes every message. Prints `LISTENING PORT`; ends with Ctrl-C.",
    )
    add = parser.add_argument
    add("--listen", default="127.0.0.1:0", metavar="ADDRESS:PORT")
    add("--dump", metavar="FOLDER", help="write each message to N.eml, its envelope to N.envelope")
    add("--reject", action="append", default=[], metavar="'PATTERN=CODE TEXT'", help="refuse recipients")
    add("--fault", action="append", default=[], metavar="STEP[#N]=FAULT", help="what goes wrong, as in smtpclient.testing.Sink")
    add("--size", type=int, help="refuse messages of more octets")
    add("--lmtp", action="store_true")
    add("--chunking", action="store_true", help="offer CHUNKING and BINARYMIME")
    add("--no-pipelining", action="store_true")
    add("--tls", choices=["starttls", "implicit"], help="TLS, with a certificate for localhost that it makes")
    add("--certificate", metavar="FILE", help="with --tls: write what vouches for it, for the client's `tlscafile`")
    add("--user", action="append", default=[], metavar="NAME:PASSWORD", help="ask for a login; may be given several times")
    add("--quiet", action="store_true", help="do not print the dialogue")
    add("--messages", type=int, help="end after so many messages")
    given = parser.parse_args(words)
    if given.certificate is not None and given.tls is None:
        parser.error("--certificate is for --tls")
    if not all(":" in user for user in given.user):
        parser.error("--user takes NAME:PASSWORD")
    try:
        sink = _native.Sink(
            given.listen,
            dump=given.dump,
            keep=False,
            rejects=given.reject,
            faults=given.fault,
            size=given.size,
            lmtp=given.lmtp,
            chunking=given.chunking,
            pipelining=not given.no_pipelining,
            verbose=not given.quiet,
            tls=given.tls,
            users=dict(user.split(":", 1) for user in given.user),
        )
        if given.certificate is not None:
            with open(given.certificate, "w") as file:
                file.write(sink.certificate or "")
    except (ValueError, OSError) as error:
        print(f"smtpclient: {error}", file=sys.stderr)
        return 64  # EX_USAGE
    print(f"LISTENING {sink.port}", flush=True)
    try:
        while given.messages is None or sink.count < given.messages:
            time.sleep(0.02)
        time.sleep(0.1)  # the last client still has its QUIT to say
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
