"""Writes messages with Python's email package: its policies, its old and its new classes."""

import email.policy
import mailbox
import pathlib
import random
import sys
import tempfile
from email import encoders, generator, utils
from email.message import EmailMessage, Message
from email.mime.application import MIMEApplication
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

CORPUS = pathlib.Path(sys.argv[1])
DATE = utils.formatdate(1767225600)
GREETING = "Gr\u00fc\u00dfe aus K\u00f6ln \u2013 \u65e5\u672c\u8a9e\n"
POLICIES = {
    "smtp": email.policy.SMTP,
    "smtputf8": email.policy.SMTPUTF8,
    "default": email.policy.default,
    "http": email.policy.HTTP,
    "strict-cr": email.policy.strict.clone(linesep="\r"),
    "long-lines": email.policy.default.clone(max_line_length=0),
    "7bit": email.policy.SMTP.clone(cte_type="7bit"),
}


def new(text: str, **kwargs) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "J\u00f6rg Ann <ann@a.example>"
    message["To"] = ", ".join(f"Person {i} <person{i}@b.example>" for i in range(6))
    message["Subject"] = "Na\u00efve r\u00e9sum\u00e9 " * 6
    message["Date"] = DATE
    message["Message-ID"] = "<python@a.example>"
    message["Bcc"] = ", ".join(f"Secret {i} <secret{i}@b.example>" for i in range(8))
    message.set_content(text, **kwargs)
    return message


def shapes():
    yield "text", new("Hello\n.dot\n..\n\nFrom here\n")
    yield "8bit", new(GREETING * 4, cte="8bit")
    yield "quoted", new(GREETING * 4, cte="quoted-printable")
    tree = new(GREETING)
    tree.add_alternative("<p>Gr\u00fc\u00dfe</p><img src='cid:a@b'>", subtype="html")
    tree.get_payload()[1].add_related(bytes(range(256)), "image", "png", cid="<a@b>", filename="a.png")
    tree.add_attachment(b"\x00\x01" * 300, maintype="application", subtype="octet-stream", filename="na\u00efve.bin")
    yield "tree", tree
    outer = new("See below\n")
    outer.add_attachment(new("inner\n"))
    yield "forward", outer


def old():
    text = MIMEText("Hello\n", "plain", "us-ascii")
    text["From"], text["To"], text["Bcc"] = "ann@a.example", "bo@b.example", "secret@b.example"
    yield "mimetext", text
    text = MIMEText(GREETING, "plain", "utf-8")
    text["Subject"] = "Gr\u00fc\u00dfe"
    yield "mimetext-utf8", text
    mixed = MIMEMultipart("mixed", boundary="a boundary with spaces")
    mixed["From"], mixed["Date"] = "ann@a.example", DATE
    mixed.preamble = "This is a preamble.\n.with a dot\n"
    mixed.epilogue = "This is an epilogue.\n"
    mixed.attach(MIMEText("one\n"))
    mixed.attach(MIMEImage(b"\x89PNG\r\n\x1a\n" + bytes(90), "png"))
    mixed.attach(MIMEApplication(b"data" * 30, "pdf"))
    yield "multipart", mixed
    plain = Message()
    plain["From"] = "ann@a.example"
    plain["X-Folded"] = "one\n two\n\tthree"
    plain.set_payload("no newline at the end")
    yield "message", plain
    base = MIMEBase("application", "x-unknown", name="x.bin")
    base.set_payload(bytes(range(200)))
    encoders.encode_quopri(base)
    yield "quopri", base
    yield "rfc822", MIMEMessage(plain)
    nothing = Message()
    yield "nothing", nothing
    digest = MIMEMultipart("digest", _subparts=[MIMEMessage(plain), MIMEMessage(text)], boundary="digest")
    digest["Cc"] = "list@b.example"
    yield "digest", digest


def chance(rng):
    for i in range(12):
        message = new("".join(rng.choice("ab .\n\u00e9\u65e5\r") for _ in range(rng.randint(0, 1500))))
        if i % 3 == 0:
            message.add_attachment(rng.randbytes(rng.randint(0, 900)), maintype="image", subtype="jpeg", filename=f"{i}.jpg")
        yield f"chance-{i:02}", message


def write(name: str, data: bytes):
    (CORPUS / f"python-{name}.eml").write_bytes(data)


for shape, message in shapes():
    for name, policy in POLICIES.items():
        write(f"{shape}-{name}", message.as_bytes(policy=policy))
for shape, message in old():
    write(f"compat32-{shape}", message.as_bytes())
for shape, message in chance(random.Random(4)):
    write(shape, message.as_bytes(policy=email.policy.SMTP if int(shape[-2:]) % 2 else email.policy.default))
with tempfile.TemporaryDirectory() as folder:
    box = mailbox.mbox(f"{folder}/mbox")
    box.add(next(shapes())[1])
    box.close()
    write("mbox", pathlib.Path(f"{folder}/mbox").read_bytes())
    text = pathlib.Path(f"{folder}/mangled")
    with text.open("wb") as file:
        generator.BytesGenerator(file, mangle_from_=True, policy=email.policy.default).flatten(next(shapes())[1], unixfrom=True)
    write("unixfrom", text.read_bytes())
