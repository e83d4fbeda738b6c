"""Option ``dkim``, by two programs that verify signatures: dkimpy, and OpenDKIM where it is installed."""

import base64
import io
import random
import re
import shutil
import subprocess
from pathlib import Path

import dkim
import pytest
import smtpclient
from smtpclient import Message, sendmessage
from smtpclient.testing import Sink

TESTS = Path(__file__).parents[2] / "tests"
HEADS = Path(__file__).parents[2] / "core/tests/heads/mails.txt"
#: How many random messages, beside those of the project's corpus.
RANDOM = 1300


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """The value of the option for two signatures, and what DNS says of each selector."""
    folder = tmp_path_factory.mktemp("dkim")
    records = {}
    for name, how in (("rsa", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]), ("ed", ["-algorithm", "ED25519"])):
        key = folder / f"{name}.pem"
        subprocess.run(["openssl", "genpkey", *how, "-out", key], check=True, capture_output=True)
        der = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        # Of Ed25519 DNS has the 32 octets alone (RFC 8463 section 4.2).
        kind, public = ("ed25519", der[-32:]) if name == "ed" else ("rsa", der)
        records[f"{name}._domainkey.c.example"] = f"v=DKIM1; k={kind}; p={base64.b64encode(public).decode()}"
    spec = f"domain=c.example; selector=rsa; keyfile={folder}/rsa.pem; selector=ed; keyfile={folder}/ed.pem"
    return spec, records, folder


def failures(content, records):
    """Which of the two signatures do not verify."""

    def dns(name, timeout=5):
        return records[name.decode().rstrip(".")].encode()

    def holds(index):
        try:
            return dkim.DKIM(content).verify(idx=index, dnsfunc=dns)
        except dkim.DKIMException:
            return False

    return [index for index in (0, 1) if not holds(index)]


def spaced(message):
    """Whether the name of a field has blanks after it (RFC 5322 section 4.5.8), which RFC 6376
    section 3.4.2 takes off, and both programs here take for a part of the name."""
    return re.search(rb"^\S+[ \t]+:", re.split(rb"\r?\n\r?\n", message, maxsplit=1)[0], re.M)


def corpus():
    return (message for message in everything() if not spaced(message))


def everything():
    for path in sorted((TESTS / "finished/corpus").glob("*.eml")):
        yield path.read_bytes()
    for section in re.split(r"^=== .*\n", HEADS.read_text(encoding="utf-8"), flags=re.M)[1:]:
        yield "".join(line for line in section.splitlines(True) if not line.startswith(">> ")).encode() + b"\nA body.\n"


def lines(chance):
    ends = ["\n", "\r\n", "  \n", "\t\n", "\n\n\n"]
    words = ["", ".", "a  b", "x\ty", "Grüße", "-- ", "From here", "=", "w" * 70, " lead"]
    return "".join(chance.choice(words) + chance.choice(ends) for _ in range(chance.randrange(12)))


def made(chance):
    message = Message(lines(chance))
    message["From"] = chance.choice(["a@c.example", "Ä Ö <a@c.example>", '"A, B" <a@c.example>'])
    message["To"] = ", ".join(f"Recipient {n} <r{n}@s.example>" for n in range(chance.randrange(1, 9)))
    message["Subject"] = chance.choice(["x", "Grüße  aus\tKöln", "long " * 40, "  blanks  "])
    if chance.random() < 0.3:
        message["Reply-To"] = "b@c.example"
    if chance.random() < 0.3:
        message["List-Unsubscribe"] = "<https://c.example/u?a=1&b=2>"
    if chance.random() < 0.4:
        message.add_html(f"<p>{lines(chance)}</p>")
    for number in range(chance.randrange(3)):
        message.attach_bytes(f"f{number}.bin", chance.randbytes(chance.randrange(300)))
    return message


def check(messages, keys, server=None, **options):
    """Sends each and verifies what arrived; gives it."""
    spec, records, _ = keys
    with Sink(**server or {}) as sink:
        count = 0
        for message in messages:
            try:
                report = sendmessage(message, servers="127.0.0.1", ports=sink.port, dkim=spec, originator="a@c.example",
                                     recipients="r@s.example", **options)
            except smtpclient.SMTPException as error:
                # Nothing else may keep a message of the corpus from being signed.
                assert re.search("no From|is not a header field|NUL|must be", str(error)), error
                continue
            assert report.complete
            count += 1
        arrived = [content for _, content in sink.messages()]
    assert len(arrived) == count
    wrong = [(number, found) for number, content in enumerate(arrived) if (found := failures(content, records))]
    assert not wrong, (len(wrong), wrong[:5], arrived[wrong[0][0]])
    return arrived


@pytest.mark.parametrize(
    ("server", "options"),
    [({}, {}), ({"chunking": True}, {"chunking": "on"})],
    ids=["data", "bdat"],
)
def test_messages_of_the_corpus(keys, server, options):
    assert len(check(corpus(), keys, server, **options)) > 300


@pytest.mark.parametrize("server", [{}, {"eight_bit_mime": False, "smtputf8": False}], ids=["8bit", "7bit"])
def test_random_messages(keys, server):
    chance = random.Random(6376)
    check((made(chance) for _ in range(RANDOM // 2)), keys, server)


def test_from_a_file_a_reader_and_with_fields_that_are_added(keys, tmp_path):
    path = tmp_path / "m.eml"
    path.write_bytes(b"From: a@c.example\nBcc: x@y\n\n.\n..\nend")
    arrived = check([path, io.BytesIO(path.read_bytes()), path.read_bytes()], keys, header={"Cc": "c@s.example"})
    # By line, since the base64 of a signature may contain the letters.
    fields = [content.partition(b"\r\n\r\n")[0].splitlines() for content in arrived]
    assert all(b"Cc: c@s.example" in lines and not any(line.startswith(b"Bcc") for line in lines) for lines in fields)


def test_a_signature_fails_where_the_message_is_another(keys):
    [content] = check([b"From: a@c.example\nSubject: x\n\nbody\n"], keys)
    for changed in (
        content.replace(b"body", b"Body"),
        content.replace(b"Subject: x", b"Subject: y"),
        b"Subject: z\r\n" + content,
        b"To: z@c.example\r\n" + content,
    ):
        assert failures(changed, keys[1]) == [0, 1]


def test_mistakes_are_told_before_anything_is_sent(keys, sink, to):
    with pytest.raises(smtpclient.UsageError, match="option `dkim`: the key file /nowhere cannot be read"):
        sendmessage(b"From: a@c.example\n\n", **to, dkim="domain=c.example; selector=s; keyfile=/nowhere")
    once = (piece for piece in [b"From: a@c.example\n\n"])
    with pytest.raises(smtpclient.SourceError, match="cannot start again"):
        sendmessage(once, **to, dkim=keys[0], recipients="b@s.example")
    assert not sink.messages()


@pytest.mark.skipif(not shutil.which("opendkim", path="/usr/sbin:/usr/bin"), reason="OpenDKIM is not installed")
def test_open_dkim_agrees(keys, tmp_path):
    _, records, folder = keys
    name = "rsa._domainkey.c.example"
    (tmp_path / "keys").write_text(f"{name} {records[name]}\n")
    (tmp_path / "conf").write_text(f"Mode v\nTestPublicKeys {tmp_path}/keys\nMilterDebug 0\n")
    chance = random.Random(8463)
    spec = (f"domain=c.example; selector=rsa; keyfile={folder}/rsa.pem", {name: records[name]}, folder)
    with Sink() as sink:
        for _ in range(100):
            sendmessage(made(chance), servers="127.0.0.1", ports=sink.port, dkim=spec[0])
        arrived = [content for _, content in sink.messages()]
    files = []
    for number, content in enumerate(arrived):
        files.append(tmp_path / f"{number}.eml")
        files[-1].write_bytes(content)
    ran = subprocess.run(["opendkim", "-x", tmp_path / "conf", "-t", ",".join(map(str, files))], capture_output=True, text=True,
                         env={"PATH": "/usr/sbin:/usr/bin"})
    said = ran.stdout + ran.stderr
    assert said.count("verification (s=rsa, d=c.example, 2048-bit key) succeeded") == len(files), said[-2000:]


def test_one_click_unsubscribing_is_signed(keys):
    message = Message("News\n")
    message["From"] = "a@c.example"
    message.set_unsubscribe("https://c.example/u/1")
    [content] = check([message], keys)
    signed = re.search(rb"\bh=([^;]*);", content)[1].lower().replace(b"\r\n", b"").replace(b" ", b"")
    assert {b"list-unsubscribe", b"list-unsubscribe-post"} <= set(signed.replace(b"\t", b"").split(b":"))
