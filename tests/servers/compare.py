#!/usr/bin/env python3
"""compare.py NAME SENT DELIVERED: is the delivered message the sent one, byte for byte after the trace headers?

SENT is what the client was given: its line ends may be LF, CR or CRLF and the last one may be missing, for on the wire
each is CRLF. DELIVERED is what `delivered NAME ...` printed; - is standard input. Exit status 0 or 1.
"""
import re
import sys

# How the server stores a message: the line end it uses, and what it appends.
STORED = {
    "exim": (b"\r\n", b""),
    "aiosmtpd": (b"\r\n", b""),
    "postfix": (b"\n", b""),
    "opensmtpd": (b"\n", b""),  # cuts a line at a NUL: that shows as a difference
    "sendmail": (b"\n", b""),
    "dovecot": (b"\n", b""),
    "dovecot24": (b"\n", b""),
    "tcllib": (b"\n", b""),
    "net-server-mail": (b"\r\n", b""),
    "chasquid": (b"\n", b""),
    "nginx": (b"\r\n", b""),
    "smtp-sink": (b"\n", b"\n"),
}
TRACE = re.compile(
    rb"(?:(?:Return-Path|Received|Received-SPF|Delivered-To|X-Original-To|X-Client-(?:Addr|Proto)|X-(?:Helo|Mail|Rcpt)-Args):[^\n]*\n"
    rb"(?:[ \t][^\n]*\n)*)*",
    re.IGNORECASE,
)


def on_the_wire(sent: bytes) -> bytes:
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", sent)
    return lines if not lines or lines.endswith(b"\r\n") else lines + b"\r\n"


def difference(name: str, sent: bytes, delivered: bytes) -> str | None:
    """None if they are the same, else where they part."""
    end, appended = STORED[name]
    wanted = on_the_wire(sent).replace(b"\r\n", end) + appended
    if delivered.endswith(wanted) and TRACE.fullmatch(delivered, 0, len(delivered) - len(wanted)):
        return None
    found = delivered[TRACE.match(delivered).end():]
    at = next((i for i, (a, b) in enumerate(zip(wanted, found)) if a != b), min(len(wanted), len(found)))
    part = slice(max(0, at - 20), at + 40)
    return f"they part at octet {at} of {len(wanted)} ({len(found)} delivered): sent {wanted[part]!r}, delivered {found[part]!r}"


def main(name: str, sent: str, delivered: str) -> int:
    if name not in STORED:
        print(f"no server is called {name!r}; there are: {', '.join(STORED)}", file=sys.stderr)
        return 2
    with open(sent, "rb") as file:
        original = file.read()
    with open(sys.stdin.fileno() if delivered == "-" else delivered, "rb") as file:
        found = difference(name, original, file.read())
    print("identical" if found is None else found)
    return 0 if found is None else 1


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
