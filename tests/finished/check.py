"""Makes several hundred finished messages, has them edited by the example `edit_finished`, and compares.

The expectation is worked out here anew, with regular expressions over the whole message.
Usage: python3 tests/finished/check.py PATH-OF-EXAMPLE
"""

import email.message
import email.policy
import itertools
import pathlib
import random
import re
import subprocess
import sys
import tempfile

FRONT = b"X-First: 1\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\n"
FIELD = re.compile(rb"[\x21-\x39\x3b-\x7e]+[ \t]*:")
STRIPPED = re.compile(rb"(bcc|dcc)[ \t]*:", re.I)
SKIPPED = re.compile(rb">?From |[\r\n]")
LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def without_front(message: bytes) -> list[bytes]:
    """The lines from the first field on, where the first paragraph has one."""
    lines = LINE.findall(message.removeprefix(b"\xef\xbb\xbf"))
    start = 0
    while start < len(lines) and not FIELD.match(lines[start]) and SKIPPED.match(lines[start]):
        start += 1
    return lines[start:] if any(map(FIELD.match, paragraph(lines[start:]))) else LINE.findall(message)


def paragraph(lines: list[bytes]) -> list[bytes]:
    return list(itertools.takewhile(lambda line: line.strip(b"\r\n"), lines))


def broken(message: bytes) -> int | None:
    """The number of a line among the fields that is not one."""
    lines = without_front(message)
    head = paragraph(lines)
    if not any(map(FIELD.match, head)):
        return None
    before = len(LINE.findall(message.removeprefix(b"\xef\xbb\xbf"))) - len(lines)
    numbers = (n for n, line in enumerate(head) if not FIELD.match(line) and (n == 0 or line[:1] not in b" \t"))
    found = next(numbers, None)
    if found is None and ends_twice(head[-1], lines[len(head) :]):
        found = len(head)
    return None if found is None else before + found + 1


def ends_twice(last: bytes, rest: list[bytes]) -> bool:
    """Whether the line after the fields is empty only by a CR beside another line end."""
    if rest[:1] == [b"\r\n"]:
        return last.endswith(b"\r")
    return rest[:1] == [b"\r"] and len(rest) > 1 and last.endswith(b"\n")


def expected(message: bytes) -> bytes:
    """What must leave: lines in normal form."""
    lines = without_front(message)
    head, dropping = [], False
    while lines:
        line = lines[0]
        if line[:1] in b" \t" and head_started(head, dropping):
            pass
        elif FIELD.match(line):
            dropping = bool(STRIPPED.match(line))
            head.append(None)
        else:
            break
        if not dropping:
            head.append(line)
        lines.pop(0)
    blank = not lines or not lines[0].strip(b"\r\n")
    gap = [] if head or blank else [b"\r\n"]
    return wire(FRONT) + b"".join(wire(x) for x in head if x) + b"".join(wire(x, final=i == 0) for i, x in ends(gap + lines))


def head_started(head, dropping):
    return bool(head) or dropping


def ends(lines):
    return [(len(lines) - 1 - i, line) for i, line in enumerate(lines)]


def wire(text: bytes, final: bool = True) -> bytes:
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", text)
    return text if text.endswith(b"\r\n") or not text or not final else text + b"\r\n"


def by_hand():
    yield b""
    for end in (b"\r\n", b"\n", b"\r"):
        yield end
        yield end * 3
        yield b"Subject: only headers" + end
        yield b"Subject: x" + end + end
        yield b"no header" + end + b"Bcc: stays" + end
        yield b"From me@x Thu Jan  1 00:00:00 1970" + end + b"Bcc: stays" + end
        yield end.join([b"A: b", b"Bcc: x,", b" y,", b"\tz", b"C: d", b"", b"Bcc: body", b"."])
        yield end.join([b"Bcc: x", b"", b"", b".", b"..", b""])
        yield end.join([b"DCC : x", b" ", b"bCc: y", b"To: z", b"", b"body"])
        yield end.join([b"A: b", b"garbage line", b"Bcc: body", b""])
        yield end.join([b" starts folded", b"A: b", b"", b""])
        yield end.join([b"A: b", b"", b"x" * 5000, b"y" * 998, b""])
        yield end.join([b"A:b", b"Bcc:", b"", b"body without end"])
        yield end.join([b"A: \xc3\xa9", b"", b"\xff\xfe 8 bit \xe9", b""])
        yield b"A: b" + end + b"Bcc: c" + b"\r\n" + b"\nbody"
        yield b"A: b" + end + b"Bcc: c" + b"\n" + b"\rbody\r\r\nx\n\ry"
    yield b"Subject: only headers, no end"
    yield b"Bcc: alone"
    yield b"no header, no end"
    yield b":: empty name\r\n"
    yield b"Bccc: stays\r\nXBcc: stays\r\n\r\n"
    yield b"A: b\r\n\r\n" + b".\r\n" * 1000
    yield b"A: b\r\n" * 3000 + b"Bcc: x\r\n\r\nlong header section\r\n"


def by_email(rng):
    policies = [email.policy.SMTP, email.policy.default, email.policy.SMTPUTF8, email.policy.compat32.clone(linesep="\r")]
    for i in range(80):
        message = email.message.EmailMessage()
        message["From"] = "J\u00f6rg <a@example.org>"
        message["To"] = ", ".join(f"Person {n} <p{n}@example.org>" for n in range(rng.randint(1, 30)))
        if i % 2:
            message["Bcc"] = ", ".join(f"secret{n}@example.org" for n in range(rng.randint(1, 30)))
        message["Subject"] = rng.choice(["plain", "Gr\u00fc\u00dfe", "\u65e5\u672c\u8a9e " * 10])
        text = "".join(rng.choice("ab .\n\u00e9\u65e5") for _ in range(rng.randint(0, 3000)))
        message.set_content(text, cte=rng.choice(["8bit", "quoted-printable", "base64"]) if i % 3 else None)
        if i % 4 == 0:
            message.add_attachment(rng.randbytes(rng.randint(0, 5000)), maintype="image", subtype="png", filename="a.png")
        yield message.as_bytes(policy=policies[i % 3])


def by_chance(rng):
    alphabet = [b"\r", b"\n", b"\r\n", b"Bcc: x", b"A: b", b" ", b".", b"\xe9", b"text", b":", b"\r\n\r\n", b"dcc :"]
    for _ in range(300):
        yield b"".join(rng.choice(alphabet) for _ in range(rng.randint(0, 14)))


def main(example: str) -> int:
    rng = random.Random(4)
    messages = [*by_hand(), *by_email(rng), *by_chance(rng)]
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for i, message in enumerate(messages):
            (folder / f"{i:04}.msg").write_bytes(message)
        (folder / "nul.msg").write_bytes(b"A: b\r\n\r\nxy\0z")
        subprocess.run([example, name], check=True)
        for suffix in ("bytes", "file", "reader"):
            refused = (folder / f"nul.{suffix}.refused").read_text()
            bad += "octet 10" not in refused
            for i, message in enumerate(messages):
                got = folder / f"{i:04}.{suffix}"
                if line := broken(message):
                    refusal = folder / f"{i:04}.{suffix}.refused"
                    if got.exists() or f"line {line} of the message is " not in refusal.read_text():
                        bad += 1
                        print(f"{suffix} {i}: {message[:200]!r}: line {line} is not refused")
                    continue
                want = expected(message)
                sent = wire(got.read_bytes()) if got.exists() else b"<refused>"
                size = folder / f"{i:04}.{suffix}.size"
                said = int(size.read_text()) if size.exists() else None
                if sent != want or said not in ([len(want)] if suffix != "reader" else [None]):
                    bad += 1
                    print(f"{suffix} {i}: {message[:200]!r}\n  want {want[:300]!r}\n  got  {sent[:300]!r} size {said}/{len(want)}")
    print(f"{len(messages)} finished messages, three sources each: {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
