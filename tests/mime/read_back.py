"""Reads random messages back with Python's email package: no defects, and everything as it was put in.

Usage: python3 tests/mime/read_back.py PATH-OF-EXAMPLE [COUNT [SEED]]; the example is `build_trees`.
"""

import base64
import collections
import email
import email.policy
import json
import pathlib
import re
import subprocess
import sys
import tempfile


def flat(text):
    """Without white space: in display names this Python leaves that between encoded words in."""
    return "".join(text.split())


def decoded(raw):
    """Encoded words as RFC 2047 has them: white space between two of them does not count."""
    raw = re.sub(r"(\?=)\s+(?==\?)", r"\1", re.sub(r"\r?\n", "", raw))
    return re.sub(r"=\?utf-8\?b\?([^?]*)\?=", lambda m: base64.b64decode(m[1]).decode(), raw)


#: What is said of a file name beyond ASCII that stands there in encoded words too, for readers that know no `filename*`.
FALLBACK = ("encoded word inside quoted string", "missing trailing whitespace after encoded-word", "duplicate parameter name")


def check(part, want, say, utf8, top=False):
    for defect in part.defects:
        say(f"defect {defect!r}")
    fallback = not want.get("filename", "").isascii()
    for name, value in part.items():
        for defect in getattr(value, "defects", ()):
            if not (fallback and name in ("Content-Type", "Content-Disposition") and str(defect).startswith(FALLBACK)):
                say(f"defect in {name}: {defect!r}")
    if part.get_content_type() != want["type"]:
        return say(f"type {part.get_content_type()}, not {want['type']}")
    if (part["MIME-Version"] is not None) != top:
        say("MIME-Version")
    for name in ("Content-Type", "Content-Transfer-Encoding"):
        if len(part.get_all(name)) != 1:
            say(f"{name} is there {len(part.get_all(name))} times")
    parameters = dict(part["Content-Type"].params)
    for name, value in want.get("parameters", {}).items():
        if parameters.get(name) != value:
            say(f"parameter {name}: {parameters.get(name)!r}, not {value!r}")
    for name, value in want.get("headers", []):
        if part.get_all(name) != [value]:
            say(f"{name}: {part.get_all(name)!r}, not {value!r}")
    for name, values in want.get("addresses", []):
        got = [[flat(a.display_name), a.addr_spec] for a in part[name].addresses]
        if got != [[flat(d), a] for d, a in values]:
            say(f"{name}: {got!r}, not {values!r}")
        raw = decoded(next(v for n, v in part.raw_items() if n == name))
        for display, address in values:
            quoted = re.sub(r'(["\\\\])', r"\\\1", display)
            if display and f"{display} <{address}>" not in raw and f'"{quoted}" <{address}>' not in raw:
                say(f"{name}: {raw!r} lacks {display!r}")
    if "filename" in want and part.get_filename() != want["filename"]:
        say(f"filename {part.get_filename()!r}, not {want['filename']!r}")
    if "cid" in want and part["Content-ID"] != f"<{want['cid']}>":
        say("Content-ID")
    cte = part["Content-Transfer-Encoding"]
    if "parts" in want:
        if cte not in ("7bit", "8bit", "binary"):
            say(f"{want['type']} is {cte}")
        parts = part.get_payload()
        if len(parts) != len(want["parts"]):
            return say(f"{len(parts)} parts, not {len(want['parts'])}")
        for one, two in zip(parts, want["parts"]):
            check(one, two, say, utf8, top=want["type"] == "message/rfc822")
    elif cte == "quoted-printable" and re.search(r"[ \t](\r?\n|$)|[^\r\n]{77}", part.get_payload()):
        say("quoted-printable with white space at the end of a line, or a long line")
    elif not utf8:
        got = part.get_payload(decode=True)
        content = bytes.fromhex(want["hex"])
        if got != content:
            say(f"{want['type']} {cte}: content {got[:100]!r}, not {content[:100]!r}")
    return None


def check_lines(data, want, say):
    kind = want["body"]
    if kind != "BinaryMime":
        if b"\0" in data or re.search(rb"(?<!\r)\n|\r(?!\n)", data):
            say("a NUL or a bare CR or LF")
        if max(map(len, data.split(b"\r\n"))) > 998:
            say("a line over 998 octets")
        if data and not data.endswith(b"\r\n"):
            data += b"\r\n"
    if kind == "SevenBit" and not data.isascii():
        say("8-bit octets in 7bit")
    if len(data) != want["size"]:
        say(f"size {want['size']}, but {len(data)} octets")
    if not want["utf8"]:
        head = data.split(b"\r\n\r\n")[0]
        if max((len(x) for x in head.split(b"\r\n") if b" " in x.strip()), default=0) > 998 or not head.isascii():
            say("header section")


def main(example, count="2000", seed="1"):
    problems = collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        subprocess.run([example, name, count, seed], check=True)
        for number in range(int(count)):
            data = (pathlib.Path(name) / f"{number}.eml").read_bytes()
            want = json.loads((pathlib.Path(name) / f"{number}.json").read_text())

            def say(text, number=number):
                problems[number] += 1
                if sum(problems.values()) <= 20:
                    print(f"{number}: {text[:700]}")

            check_lines(data, want, say)
            # Raw UTF-8 in header fields is understood in strings only; the bodies are compared in the others.
            if want["utf8"]:
                message = email.message_from_string(data.decode("utf-8", "replace"), policy=email.policy.SMTPUTF8)
            else:
                message = email.message_from_bytes(data, policy=email.policy.default)
            check(message, want, say, want["utf8"], top=True)
    print(f"{count} messages read back: {len(problems)} wrong")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
