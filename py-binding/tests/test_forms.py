"""A message is in the form that its server takes: 8-bit or not, with UTF-8 in its header section or not."""

import email
import email.message
import email.policy
import random
import re

import pytest
import smtpclient
from conftest import server
from smtpclient import Message, Session, sendmessage
from smtpclient.testing import Sink

OFFERS = [(eight, utf8) for eight in (True, False) for utf8 in (True, False)]
COUNT = 1000  # of each kind

WORDS = ["plain", "grün", "日本語", "a=b", "(c)", "é" * 40, "x" * 90, "tschüß,", "quo\"te"]
NAMES = ["Ann", "Jörg Müller", "Müller, Jörg", "", "日本 太郎"]
LOCALS = ["ann"] * 9 + ["jörg"]
DOMAINS = ["a.example", "a.example", "bücher.example"]
FILES = ["notes.txt", "grün.txt", "日本語" * 20 + ".pdf", 'a "b".txt']


def text(rng, most=6):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, most)))


def body(rng):
    return "".join(text(rng, 20) + "\n" for _ in range(rng.randint(0, 5)))


def address(rng):
    name, spec = rng.choice(NAMES), f"{rng.choice(LOCALS)}@{rng.choice(DOMAINS)}"
    return name, spec


def written(addresses):
    return ", ".join(f'"{name}" <{spec}>' if name else spec for name, spec in addresses)


def an_email(rng, inner=False):
    """An EmailMessage and its fields."""
    message = email.message.EmailMessage()
    fields = fill(rng, lambda name, value: message.__setitem__(name, value))
    message.set_content(body(rng), cte=rng.choice([None, None, "8bit", "quoted-printable", "base64"]))
    if rng.random() < 0.3:
        message.add_alternative(f"<p>{text(rng)}</p>", subtype="html")
    for _ in range(rng.randint(0, 2)):
        message.add_attachment(rng.randbytes(50), maintype="image", subtype="png", filename=rng.choice(FILES))
    if not inner and rng.random() < 0.2:
        message.add_attachment(an_email(rng, inner=True)[0])
    return message, fields


def a_token(rng, inner=False):
    """A message that this library composes, and its fields."""
    message = Message(body(rng), html=f"<p>{text(rng)}</p>" if rng.random() < 0.3 else None)
    fields = fill(rng, message.add_header)
    for _ in range(rng.randint(0, 2)):
        message.attach_bytes(rng.choice(FILES), rng.randbytes(50))
    if not inner and rng.random() < 0.2:
        message.attach(Message.rfc822(a_token(rng, inner=True)[0]))
    return message, fields


def fill(rng, add):
    fields = {}
    for name in ("From", "To", "Cc"):
        fields[name] = [address(rng) for _ in range(1 if name == "From" else rng.randint(1, 3))]
        add(name, written(fields[name]))
    fields["Subject"] = text(rng)
    add("Subject", fields["Subject"])
    if rng.random() < 0.1:
        add("References", f"<{rng.choice(['1', 'ü'])}@a.example>")
    if rng.random() < 0.1:
        add("List-Help", f"<https://a.example/{rng.choice(['x', 'ü'])}>")
    return fields


def international(message):
    """The names of the fields, of any part, that have no form in ASCII."""
    found = set()
    for part in message.walk():
        for name, value in part.items():
            value = str(value)
            if name in ("From", "To", "Cc") and re.search(r"[^\x00-\x7f]\S*@", re.sub('"[^"]*"', "", value)):
                found.add(name)
            if name in ("References", "List-Help") and not value.isascii():
                found.add(name)
    return found


def parts_of(message):
    return [part for part in message.walk() if not part.is_multipart()]


def check_legal(envelope, content, eight, utf8):
    mail = envelope[0]
    assert "SMTPUTF8" not in mail or utf8
    assert "8BITMIME" not in mail or eight
    assert content.isascii() or "BODY=8BITMIME" in mail
    assert max(map(len, content.split(b"\r\n"))) <= 998
    if "SMTPUTF8" in mail:
        content.decode()
    else:
        for part in email.message_from_bytes(content).walk():
            assert all(str(value).isascii() for _, value in part.raw_items())
            assert part.get_content_type() != "message/global"
    for part in email.message_from_bytes(content).walk():
        if part.get_content_type() == "message/rfc822":
            inner = [value for within in part.get_payload() for one in within.walk() for _, value in one.raw_items()]
            assert all(str(value).isascii() for value in inner)
        if not part.is_multipart() and not part.get_payload().isascii():
            assert part["Content-Transfer-Encoding"].lower() == "8bit"


def ascii_spec(spec):
    local, _, domain = spec.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def check_read(content, fields, original, exact):
    """Everything is as it was, except for domains in A-labels."""
    read = email.message_from_bytes(content, policy=email.policy.SMTPUTF8)
    # In bytes the parser does not take UTF-8 for text.
    head = email.message_from_string(content.partition(b"\r\n\r\n")[0].decode(), policy=email.policy.SMTPUTF8)
    # Python's own folding (3.11) loses or adds a space now and then; what this library composes reads back as it was.
    got, wanted = str(head["Subject"]), fields["Subject"]
    assert got == wanted if exact else got.replace(" ", "") == wanted.replace(" ", "")
    for name in ("From", "To", "Cc"):
        got = [(a.display_name.replace(" ", ""), ascii_spec(a.addr_spec)) for a in head[name].addresses]
        assert got == [(name.replace(" ", ""), ascii_spec(spec)) for name, spec in fields[name]]
    ours, theirs = parts_of(read), parts_of(original)
    assert [one.get_content_type() for one in ours] == [one.get_content_type() for one in theirs]
    for one, other in zip(ours, theirs):
        assert one.get_filename() == other.get_filename()
        got, wanted = one.get_payload(decode=True), other.get_payload(decode=True)
        if one.get_content_maintype() == "text":
            got, wanted = got.replace(b"\r\n", b"\n"), wanted.replace(b"\r\n", b"\n")
        assert got == wanted


@pytest.mark.parametrize("make", [an_email, a_token])
def test_random_messages_to_every_kind_of_server(make):
    rng = random.Random(15)
    sinks = {(eight, utf8): Sink(eight_bit_mime=eight, smtputf8=utf8) for eight, utf8 in OFFERS}
    sessions = {offer: Session(f"smtp://127.0.0.1:{sink.port}") for offer, sink in sinks.items()}
    sent = {offer: [] for offer in OFFERS}
    refused = 0
    try:
        for _ in range(COUNT):
            message, fields = make(rng)
            original = message
            if isinstance(message, Message):
                original = email.message_from_bytes(bytes(message), policy=email.policy.SMTPUTF8)
            beyond = international(original)
            offer = rng.choice(OFFERS)
            try:
                sessions[offer].send_message(message, originator="a@c.example", recipients="b@s.example")
                sent[offer].append((fields, original))
                assert not beyond or offer == (True, True)
            except smtpclient.Unsupported as error:
                assert offer != (True, True) and any(re.search(rf"\b{name}\b", str(error)) for name in beyond), error
                refused += 1
        for offer, sink in sinks.items():
            sessions[offer].close()
            messages = sink.messages()
            assert len(messages) == len(sent[offer]) > COUNT / 40
            for (envelope, content), (fields, original) in zip(messages, sent[offer]):
                check_legal(envelope, content, *offer)
                check_read(content, fields, original, exact=make is a_token)
    finally:
        for sink in sinks.values():
            sink.close()
    assert refused > COUNT / 40


def mail():
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@c.example", "b@s.example", "Grüße"
    message.set_content("Grüße\n", cte="8bit")
    return message


@pytest.mark.parametrize("first", [b"250-s\r\n250 8BITMIME\r\n", b"250 s\r\n"])
@pytest.mark.parametrize("eight", [True, False])
def test_the_next_server_gets_its_own_form(first, eight):
    with (
        server(b"220 s\r\n", first, b"451 4.3.0 later\r\n") as (port, heard),
        Sink(eight_bit_mime=eight) as sink,
    ):
        options = {"servers": ["127.0.0.1"] * 2, "ports": [port, sink.port], "client": "c.example", "usetls": False}
        assert sendmessage(mail(), **options).complete
        assert (b"BODY=8BITMIME" in heard) == (b"8BITMIME" in first)
        [(envelope, content)] = sink.messages()
    assert ("BODY=8BITMIME" in envelope[0]) == eight == (not content.isascii())
    read = email.message_from_bytes(content, policy=email.policy.default)
    assert (read["Subject"], read.get_content()) == ("Grüße", "Grüße\r\n")


def test_a_message_that_changes_later_is_sent_as_it_was():
    with Sink(eight_bit_mime=False) as sink:
        options = {"servers": ["127.0.0.1"], "ports": [sink.port], "client": "c.example"}
        message = mail()
        with smtpclient.Mailer(**options) as mailer:
            ticket = mailer.submit(message)
            message.replace_header("Subject", "another")
            message.set_content("another\n")
            assert ticket.result(10).complete
        assert b"another" not in sink.messages()[0][1]


def test_what_is_signed_is_not_encoded_again():
    message = email.message_from_bytes(
        "From: a@c.example\nTo: b@s.example\nMIME-Version: 1.0\n"
        'Content-Type: multipart/signed; boundary=x; protocol="application/pgp-signature"; micalg=pgp-sha256\n\n'
        "--x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGrüße\n"
        "--x\nContent-Type: application/pgp-signature\n\nsignature\n--x--\n".encode(),
        policy=email.policy.default,
    )
    with Sink(eight_bit_mime=False) as sink:
        options = {"servers": ["127.0.0.1"], "ports": [sink.port]}
        with pytest.raises(smtpclient.Unsupported, match="8BITMIME"):
            sendmessage(message, **options)
        assert sink.count == 0


def test_an_old_message_with_names_beyond_ascii(sink, to):
    message = email.message.Message()
    message["From"], message["To"], message["Subject"] = "Jörg <a@c.example>", "Zoë <b@bücher.example>", "Grüße"
    message.set_payload("Hello\n")
    assert sendmessage(message, **to).complete
    [(envelope, content)] = sink.messages()
    read = email.message_from_bytes(content, policy=email.policy.default)
    assert content.isascii() and "SMTPUTF8" not in envelope[0]
    assert [str(a) for name in ("From", "To") for a in read[name].addresses] == [
        "Jörg <a@c.example>", "Zoë <b@xn--bcher-kva.example>",
    ]
    assert read["Subject"] == "Grüße"
