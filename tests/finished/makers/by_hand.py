"""Writes the messages that no tool makes: each is one rule of what is sent, or one way to break it."""

import pathlib
import sys

CORPUS = pathlib.Path(sys.argv[1])
HEAD = b"From: Ann <ann@a.example>\nTo: bo@b.example\nSubject: by hand\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nMessage-ID: <1@a.example>\n"
TEXT = b"One line.\nAnother one.\n"


def crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def messages():
    # Line ends.
    whole = HEAD + b"\n" + TEXT
    yield "lf", whole
    yield "crlf", crlf(whole)
    yield "cr", whole.replace(b"\n", b"\r")
    yield "head-crlf-body-lf", crlf(HEAD + b"\n") + TEXT
    yield "head-lf-body-crlf", HEAD + b"\n" + crlf(TEXT)
    yield "mixed-ends", HEAD + b"\r\nlf\ncr\rcrlf\r\nlfcr\n\rcrcrlf\r\r\nend\r\n"
    yield "lone-cr-in-line", crlf(HEAD) + b"\r\na\rb\rc\r\n"
    yield "lone-lf-in-crlf", crlf(HEAD) + b"\r\na\nb\nc\r\n"
    yield "lone-cr-in-head", b"From: ann@a.example\rTo: bo@b.example\r\rbody\r"
    yield "cr-at-end", crlf(HEAD) + b"\r\nbody\r"
    yield "cr-lf-across-blank", HEAD + b"\n\r\r\n\nbody\n"
    # The end.
    yield "no-final-newline", whole[:-1]
    yield "no-final-newline-crlf", crlf(whole)[:-2]
    yield "many-final-newlines", whole + b"\n" * 5
    yield "many-final-newlines-crlf", crlf(whole + b"\n" * 5)
    yield "final-space", whole + b" "
    # Dots.
    yield "dots", HEAD + b"\n.\n..\n...\n.dot\nin.the.middle.\n.\n"
    yield "dots-crlf", crlf(HEAD + b"\n.\n..\n.dot\n.\n")
    yield "dot-at-end", HEAD + b"\ntext\n."
    yield "dot-only-body", HEAD + b"\n."
    yield "dot-behind-cr", HEAD + b"\na\r.\rb\r.\r"
    yield "smuggling-lf-dot-lf", crlf(HEAD) + b"\r\na\n.\nMAIL FROM:<x@x.example>\nRCPT TO:<y@y.example>\nDATA\n"
    yield "smuggling-lf-dot-crlf", crlf(HEAD) + b"\r\na\n.\r\nMAIL FROM:<x@x.example>\r\n"
    yield "smuggling-cr-dot-cr", crlf(HEAD) + b"\r\na\r.\rMAIL FROM:<x@x.example>\r\n"
    yield "many-dots", HEAD + b"\n" + b".\n" * 2000
    # Length of lines.
    for length in (76, 997, 998, 999, 1000, 1023, 1024, 1025, 5000):
        yield f"line-{length}", HEAD + b"\n" + b"x" * length + b"\nshort\n"
    yield "line-5000-dots", HEAD + b"\n" + b"." * 5000 + b"\n"
    yield "header-line-998", HEAD + b"X-Long: " + b"y" * 990 + b"\n\n" + TEXT
    yield "header-line-5000", HEAD + b"X-Long: " + b"y" * 4992 + b"\n\n" + TEXT
    yield "line-5000-no-end", HEAD + b"\n" + b"z" * 5000
    # What there may be little of.
    yield "empty", b""
    yield "one-lf", b"\n"
    yield "one-crlf", b"\r\n"
    yield "one-cr", b"\r"
    yield "three-lf", b"\n\n\n"
    yield "one-octet", b"x"
    yield "one-dot", b"."
    yield "only-headers", HEAD
    yield "only-headers-no-end", HEAD[:-1]
    yield "only-headers-blank", HEAD + b"\n"
    yield "only-headers-crlf", crlf(HEAD)
    yield "one-field-no-end", b"Subject: alone"
    yield "only-body", b"\n" + TEXT
    yield "only-bcc", b"Bcc: secret@b.example\n"
    yield "only-bcc-no-end", b"Bcc: secret@b.example"
    yield "no-header-no-blank", TEXT
    # The header section.
    yield "mbox-from", b"From ann@a.example Thu Jan  1 00:00:00 2026\n" + whole
    yield "mbox-from-bcc", b"From ann@a.example Thu Jan  1 00:00:00 2026\nBcc: secret@b.example\n" + whole
    yield "quoted-mbox-from", b">From ann@a.example Thu Jan  1 00:00:00 2026\n" + whole
    yield "starts-folded", b" folded: no\n" + whole
    yield "garbage-in-head", HEAD + b"this is no field\nX-Not: a field any more\n\n" + TEXT
    yield "blank-of-spaces", HEAD + b" \n\n" + TEXT
    yield "fold-of-spaces", HEAD + b"X-A: a\n \n\t\n b\n\n" + TEXT
    yield "no-space-behind-colon", b"From:ann@a.example\nTo:bo@b.example\nSubject:x\n\n" + TEXT
    yield "space-before-colon", b"From : ann@a.example\nTo\t: bo@b.example\nBcc : secret@b.example\n\n" + TEXT
    yield "empty-fields", b"From: ann@a.example\nTo:\nCc:\nSubject:\nDate:\nMessage-ID:\n\n" + TEXT
    yield "strange-names", HEAD + b"!#$%&'*+-/=?^_`{|}~: x\n0: x\n\n" + TEXT
    yield "same-field-thrice", HEAD + b"Received: a\nReceived: b\nReceived: c\n\n" + TEXT
    yield "two-froms", b"From: ann@a.example\nFrom: eve@e.example\nTo: bo@b.example\n\n" + TEXT
    yield "two-mailboxes-in-from", b"From: Ann <ann@a.example>, Eve <eve@e.example>\nTo: bo@b.example\n\n" + TEXT
    yield "group-in-to", b"From: ann@a.example\nTo: Crew: bo@b.example, cy@c.example;\n\n" + TEXT
    yield "undisclosed", b"From: ann@a.example\nTo: undisclosed-recipients:;\nBcc: secret@b.example\n\n" + TEXT
    yield "broken-from", b"From: Ann ann@a.example>\nTo: bo@b.example\n\n" + TEXT
    yield "broken-to", b"From: ann@a.example\nTo: <<bo@b.example\n\n" + TEXT
    yield "cc-only", b"From: ann@a.example\nCc: bo@b.example\n\n" + TEXT
    yield "sender", b"From: ann@a.example\nSender: secretary@a.example\nTo: bo@b.example\n\n" + TEXT
    yield "originator-is-from", b"From: The Originator <orig@o.example>\nTo: bo@b.example\n\n" + TEXT
    # What never leaves.
    yield "bcc-first", b"Bcc: secret@b.example\n" + whole
    yield "bcc-last", HEAD + b"Bcc: secret@b.example\n\n" + TEXT
    yield "bcc-last-no-blank", HEAD + b"Bcc: secret@b.example"
    yield "bcc-folded", HEAD + b"Bcc: secret@b.example,\n other@b.example,\n\tthird@b.example\nX-Stays: 1\n\n" + TEXT
    yield "bcc-folded-crlf", crlf(HEAD + b"Bcc: secret@b.example,\n other@b.example,\n\tthird@b.example\nX-Stays: 1\n\n" + TEXT)
    yield "bcc-folded-cr", (HEAD + b"Bcc: secret@b.example,\n other@b.example\nX-Stays: 1\n\n" + TEXT).replace(b"\n", b"\r")
    yield "bcc-folded-at-once", HEAD + b"Bcc:\n secret@b.example\nX-Stays: 1\n\n" + TEXT
    yield "bcc-folded-blank-fold", HEAD + b"Bcc: secret@b.example,\n \n other@b.example\nX-Stays: 1\n\n" + TEXT
    yield "bcc-folded-to-end", HEAD + b"Bcc: secret@b.example,\n other@b.example"
    yield "bcc-between-cr-and-lf", b"A: b\rBcc: secret@b.example\r\n\nbody"
    yield "bcc-empty", HEAD + b"Bcc:\n\n" + TEXT
    yield "bcc-twice", b"BCC: one@b.example\n" + HEAD + b"bcc: two@b.example\n\n" + TEXT
    yield "bcc-case", HEAD + b"bCC: secret@b.example\nBCc : other@b.example\n\n" + TEXT
    yield "bcc-8bit", HEAD + b"Bcc: \xc3\x84nne <secret@b.example>\n\n" + TEXT
    yield "bcc-in-body", HEAD + b"\nBcc: stays@b.example\n folded\n" + TEXT
    yield "bcc-in-part", (
        HEAD + b'MIME-Version: 1.0\nContent-Type: message/rfc822\n\nFrom: ann@a.example\nBcc: stays@b.example\n\ninner\n'
    )
    yield "bcc-like-names", HEAD + b"X-Bcc: stays\nBcc-X: stays\nBccc: stays\nBc: stays\n\n" + TEXT
    yield "bcc-behind-garbage", HEAD + b"no field here\nBcc: body@b.example\n\n" + TEXT
    yield "dcc-folded", HEAD + b"Dcc: secret@b.example,\n\tother@b.example\n\n" + TEXT
    yield "dcc-case", b"dCC: secret@b.example\n" + whole
    yield "resent-bcc", b"Resent-From: eve@e.example\nResent-To: fay@f.example\nResent-Bcc: secret@b.example\n" + whole
    yield "resent-bcc-folded", (
        b"Resent-From: eve@e.example\nResent-To: fay@f.example\nresent-bcc: secret@b.example,\n other@b.example\n" + whole
    )
    yield "resent-dcc-folded", b"Resent-Dcc: secret@b.example,\n\tother@b.example\nResent-To: fay@f.example\n" + whole
    yield "all-blind", b"Bcc: a@b.example\nDcc: b@b.example\nResent-Bcc: c@b.example\nResent-Dcc: d@b.example\n\n" + TEXT
    # Octets above 127.
    utf8 = "Gr\u00fc\u00dfe aus K\u00f6ln, \u65e5\u672c\u8a9e, \u0420\u0443\u0441\u0441\u043a\u0438\u0439\n".encode()
    yield "8bit-utf8", HEAD + b"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + utf8
    yield "8bit-latin1", HEAD + b"MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\n\n" + "Gr\u00fc\u00dfe\n".encode("latin-1")
    yield "8bit-undeclared", HEAD + b"\n" + utf8
    yield "8bit-all-octets", HEAD + b"\n" + bytes(range(1, 256)) + b"\n"
    yield "8bit-last-octet", HEAD + b"\n" + TEXT + b"\xff"
    yield "8bit-no-header", utf8
    yield "8bit-crlf", crlf(HEAD + b"\n" + utf8)
    yield "8bit-long-line", HEAD + b"\n" + b"\xe9" * 5000 + b"\n"
    yield "utf8-subject", b"Subject: " + utf8 + HEAD + b"\n" + TEXT
    yield "utf8-names", "From: J\u00f6rg <ann@a.example>\nTo: \u65e5\u672c <bo@b.example>\n\n".encode() + TEXT
    yield "utf8-address", "From: j\u00f6rg@b\u00fccher.example\nTo: \u65e5\u672c@b.example\n\n".encode() + TEXT
    yield "utf8-field-folded", HEAD + "X-A: \u00e9\n \u00e8\n\t\u00ea\n\n".encode() + TEXT
    yield "utf8-field-name", HEAD + "Gr\u00fc\u00dfe: no field\nBcc: body@b.example\n\n".encode() + TEXT
    yield "utf8-bom", b"\xef\xbb\xbf" + whole
    yield "latin1-subject", b"Subject: Gr\xfc\xdfe\n" + HEAD + b"\n" + TEXT
    yield "latin1-from", b"From: J\xf6rg <ann@a.example>\nTo: bo@b.example\n\n" + TEXT
    yield "utf16", ("\ufeff" + "From: ann@a.example\n\nx\n").encode("utf-16-le")
    # NUL, which is refused.
    yield "nul-in-body", HEAD + b"\na\0b\n"
    yield "nul-in-head", HEAD + b"X-A: a\0b\n\n" + TEXT
    yield "nul-in-name", HEAD + b"X\0A: b\n\n" + TEXT
    yield "nul-in-bcc", HEAD + b"Bcc: a\0b@b.example\n\n" + TEXT
    yield "nul-first", b"\0" + whole
    yield "nul-last", whole + b"\0"
    yield "nul-only", b"\0"
    # Other controls.
    yield "controls", HEAD + b"\n" + bytes(o for o in range(1, 32) if o not in (10, 13)) + b"\x7f\n"
    yield "controls-in-head", HEAD + b"X-A: a\x01\x1b\x7fb\n\n" + TEXT
    yield "form-feed-vertical-tab", HEAD + b"\na\x0bb\x0cc\n\x0c\n"
    yield "trailing-blanks", HEAD + b"\nspaces   \ntab\t\n \n\t\n"
    yield "ctrl-z", HEAD + b"\ntext\x1a\n"
    # Across what is read at once.
    yield "head-of-7k", HEAD + b"".join(b"X-%d: %s\n" % (i, b"v" * 60) for i in range(100)) + b"Bcc: secret@b.example\n\n" + TEXT
    yield "bcc-of-7k", HEAD + b"Bcc: " + b",\n ".join(b"secret%d@b.example" % i for i in range(330)) + b"\nX-Stays: 1\n\n" + TEXT


for name, data in messages():
    (CORPUS / f"hand-{name}.eml").write_bytes(data)
