"""``sendmessage``: messages of every kind, options of every type, reports and exceptions."""

import asyncio
import email
import email.policy
import io
import json
import logging
import pickle
from datetime import timedelta
from email.message import EmailMessage

import pytest
import smtpclient
from conftest import MESSAGE, server
from smtpclient import Message, Options, aio, sendmessage
from smtpclient.testing import Sink


def mail(text="Hällo\n"):
    message = EmailMessage()
    message["From"] = "Ä <a@c.example>"
    message["To"] = "b@s.example"
    message["Bcc"] = "x@s.example"
    message["Subject"] = "Grüße"
    message.set_content(text)
    return message


def pieces():
    yield MESSAGE[:10]
    yield b""
    yield bytearray(MESSAGE[10:30])
    yield memoryview(MESSAGE)[30:]


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE,
        bytearray(MESSAGE),
        memoryview(MESSAGE),
        MESSAGE.replace(b"\r\n", b"\n"),
        io.BytesIO(MESSAGE),
        pieces(),
        [MESSAGE[:7], MESSAGE[7:]],
        Message.from_bytes(MESSAGE),
        email.message_from_bytes(MESSAGE),
        email.message_from_bytes(MESSAGE, policy=email.policy.default),
    ],
    ids=lambda m: type(m).__name__,
)
def test_each_kind_of_message(message, sink, to):
    report = sendmessage(message, **to)
    assert report.complete and not report and report == [] and report.queue_id == "00000001"
    [(envelope, content)] = sink.messages()
    assert envelope[0].startswith("MAIL FROM:<a@c.example>") and envelope[1:] == ["RCPT TO:<b@s.example>"]
    assert content.endswith(MESSAGE) and content.count(b"From:") == 1


def test_a_file_by_str_and_by_path(tmp_path, sink, to):
    path = tmp_path / "m.eml"
    path.write_bytes(MESSAGE)
    for message in (path, str(path)):
        assert sendmessage(message, **to).complete
    with open(path, "rb") as file:
        assert sendmessage(file, **to).complete
        assert file.read() == b""
        file.seek(0)
        token = Message.from_reader(file.read, lambda: file.seek(0) == 0)
        assert sendmessage(token, **to).complete
        assert sendmessage(token, **to).complete, "it can start again"
    assert len({content[-60:] for _, content in sink.messages()}) == 1


def test_eight_bits_and_bcc(sink, to):
    assert sendmessage(mail(), **to).complete
    [(envelope, content)] = sink.messages()
    assert "RCPT TO:<x@s.example>" in envelope and b"\nbcc" not in content.lower()
    assert "Hällo".encode() in content and b"8bit" in content and b"=?utf-8?" in content


def test_from_at_the_start_of_a_line_stays(sink, to):
    sendmessage(email.message_from_string("From: a@c\nTo: b@s.example\n\nFrom here\n"), **to)
    assert b"\r\nFrom here\r\n" in sink.messages()[0][1]


def test_addresses_beyond_ascii(sink, to):
    message = mail()
    message.replace_header("To", "grün@s.example")
    assert "SMTPUTF8" in sendmessage(message, **to).used
    assert any(line.startswith("RCPT TO:<grün@") for line in sink.messages()[0][0])


def test_tokens(tmp_path, sink, to):
    (tmp_path / "notes.txt").write_text("notes")
    message = Message("text\n", html="<p>html <img src='cid:logo@x'></p>")
    message["Subject"] = "Grüße"
    message.attach_file(tmp_path / "notes.txt")
    message.attach_bytes("a.pdf", b"%PDF")
    message.attach(Message.rfc822(Message.from_bytes(MESSAGE)))
    assert message.inline_bytes("logo.png", b"png", cid="logo@x") == "logo@x"
    assert message["subject"] == "Grüße" and "X-None" not in message
    assert message.size() == len(bytes(message))
    assert sendmessage(message, originator="a@c.example", recipients=["b@s.example"], **to).complete
    read = email.message_from_bytes(sink.messages()[0][1], policy=email.policy.default)
    types = [part.get_content_type() for part in read.walk()]
    assert types == [
        "multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
        "text/plain", "application/pdf", "message/rfc822", "text/plain",
    ]


def test_a_part_in_another_charset_and_one_that_is_binary():
    message = Message("text\n")
    message.attach_bytes("a.csv", "größe\r\n".encode("latin-1"), "text/csv; charset=iso-8859-1")
    part = Message.part("application/x-data", b"a\0b\n")
    part.set_encoding("binary")
    message.attach(part)
    read = email.message_from_bytes(bytes(message), policy=email.policy.default)
    csv, data = list(read.walk())[2:]
    assert csv.get_content() == "größe\r\n" and csv.get_filename() == "a.csv"
    # Where nothing is known of the server, or it offers no BINARYMIME, it is encoded.
    assert data["Content-Transfer-Encoding"] == "base64" and data.get_content() == b"a\0b\n"
    with pytest.raises(smtpclient.UsageError, match="base64 or binary"):
        part.set_encoding("Binary")


def test_options_of_every_type(sink, to, tmp_path):
    to |= {
        "ports": sink.port,
        "recipients": ["b@s.example", "C <c@s.example>, d@s.example"],
        "header": [("X-A", "1"), ("X-A", "2"), ("Subject", "Grüße")],
        "maxsecs": 60,
        "timeout": timedelta(seconds=5),
        "deadline": 20.5,
        "usetls": False,
        "dsnnotify": ["success", "failure"],
        "password": None,
        "localaddress": "127.0.0.1",
    }
    assert sendmessage(b"\r\nHello\r\n", originator="", **to).complete
    [(envelope, content)] = sink.messages()
    assert envelope[0].startswith("MAIL FROM:<>") and len(envelope) == 4
    assert "NOTIFY=SUCCESS,FAILURE" in envelope[1]
    assert content.count(b"X-A: ") == 2
    assert sendmessage(MESSAGE, Options(**to), header={"X-B": "3"}).complete
    assert b"X-B: 3" in sink.messages()[1][1]


def test_a_partial_refusal(to):
    with pytest.raises(smtpclient.RecipientsRefused) as caught:
        sendmessage(MESSAGE, recipients="b@s.example, bad@s.example", **to)
    error = caught.value
    assert error.refused == (("bad@s.example", 550, "no such user"),)
    assert not error.transient and error.report.recipients[0].outcome == "not_sent"
    report = sendmessage(MESSAGE, recipients="b@s.example, bad@s.example", atleastone=True, **to)
    assert report and report.sent and not report.complete
    assert report == [("bad@s.example", 550, "no such user")]
    [(address, code, diagnostic)] = report
    assert (address, code) == (report[0].address, 550) and len(report[:]) == len(report) == 1
    assert report.recipients[1].enhanced == "5.1.1" and report.recipients[1].step == "rcpt"
    with pytest.raises(smtpclient.RefusedError) as caught:
        sendmessage(MESSAGE, recipients="later@s.example", **to)
    assert caught.value.transient


def test_a_report_is_plain_data(to):
    report = sendmessage(MESSAGE, recipients="b@s.example, bad@s.example", atleastone=True, **to)
    assert pickle.loads(pickle.dumps(report)) == report
    assert hash(report) == hash(pickle.loads(pickle.dumps(report)))
    assert report != sendmessage(MESSAGE, **to)
    again = json.loads(json.dumps(report.to_dict()))
    assert again["queue_id"] == "00000001" and again["recipients"][1]["reply"]["code"] == 550 and again["status"] == "partial"
    assert repr(report).startswith("<Report: 1 accepted; 1 rejected; queued as 00000001; by 127.0.0.1")


def test_exceptions_say_all_and_can_be_pickled(free_port):
    with pytest.raises(smtpclient.ConnectError) as caught:
        sendmessage(MESSAGE, servers=["127.0.0.1", "localhost"], ports=[free_port, free_port])
    error = caught.value
    assert isinstance(error, ConnectionError) and error.transient and error.step == "connect"
    assert len(error.attempts) == 2 and str(free_port) in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.report, again.failure) == (
        type(error), str(error), error.report, error.failure,
    )
    for kind in vars(smtpclient).values():
        if isinstance(kind, type) and issubclass(kind, smtpclient.SMTPException):
            failure = smtpclient.Failure("usage", "setup", "x", None, None, False, "x")
            made = kind("x", failure=failure, report=error.report)
            again = pickle.loads(pickle.dumps(made))
            assert type(again) is kind and str(again) == "x" and again.report == error.report


def test_second_bases():
    assert issubclass(smtpclient.Timeout, TimeoutError)
    assert issubclass(smtpclient.ConnectionClosed, ConnectionError)
    assert issubclass(smtpclient.UsageError, ValueError)


def test_transcript_debug_and_logging(to, capsys, caplog):
    lines = []
    with caplog.at_level(logging.DEBUG, "smtpclient"):
        sendmessage(MESSAGE, transcript=lambda *line: lines.append(line), debug=True, **to)
    assert ("client", "MAIL FROM:<a@c.example> SIZE=") in [(d, line[:29]) for d, line in lines]
    assert "S: 220 " in capsys.readouterr().err
    assert any("C: QUIT" in record.getMessage() for record in caplog.records)


@pytest.fixture
def free_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_recipients_with_notify_and_orcpt():
    script = [b"220 s\r\n", b"250-s\r\n250 DSN\r\n", *[b"250 2.1.0 ok\r\n"] * 5, b"354 go\r\n", b"250 2.0.0 ok\r\n"]
    with server(*script) as (port, heard):
        report = smtpclient.sendmessage(
            MESSAGE,
            servers="127.0.0.1",
            ports=port,
            dsnnotify="never",
            recipients=[
                "a@s.example",
                smtpclient.Rcpt("Bo <b@s.example>", notify=["failure", "delay"], orcpt="rfc822;b+x@old.example"),
                {"address": "c@s.example", "orcpt": None, "notify": "success"},
                smtpclient.Rcpt("d@s.example"),
            ],
        )
    assert report.complete and len(report.recipients) == 4
    assert [line for line in heard.decode().splitlines() if line.startswith("RCPT")] == [
        "RCPT TO:<a@s.example> NOTIFY=NEVER",
        "RCPT TO:<b@s.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b+2Bx@old.example",
        "RCPT TO:<c@s.example> NOTIFY=SUCCESS",
        "RCPT TO:<d@s.example> NOTIFY=NEVER",
    ]


@pytest.mark.parametrize(
    ("entry", "kind", "words"),
    [
        (smtpclient.Rcpt("a@b", notify="always"), smtpclient.UsageError, "always"),
        (smtpclient.Rcpt("a@b", notify=["never", "delay"]), smtpclient.UsageError, "never"),
        (smtpclient.Rcpt("a@b", orcpt="a@b"), smtpclient.UsageError, "type;address"),
        (smtpclient.Rcpt(""), smtpclient.UsageError, "no mailbox"),
        (smtpclient.Rcpt("a@b, c@d", notify="never"), smtpclient.UsageError, "one mailbox"),
        ({"address": "a@b", "notfy": "never"}, TypeError, "notfy.*notify"),
        ({"notify": "never"}, TypeError, "Rcpt"),
        (7, TypeError, "Rcpt"),
        (smtpclient.Rcpt(b"a@b"), TypeError, "recipients"),
        ("a@b\r\nDATA", smtpclient.UsageError, "line end"),
    ],
)
def test_a_recipient_that_cannot_be(entry, kind, words):
    with pytest.raises(kind, match=words):
        smtpclient.sendmessage(MESSAGE, servers="127.0.0.1", ports=1, recipients=["x@y", entry])


def test_servers_take_turns_also_where_each_call_has_options_of_its_own():
    with Sink() as first, Sink() as second:
        for n in range(4):
            servers = [f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}"]
            report = sendmessage(MESSAGE, servers=servers, order="turn", client="c.example")
            assert report.attempts[-1].server == servers[n % 2]
        assert len(first.messages()) == len(second.messages()) == 2


def test_agents_on_this_machine(tmp_path):
    to = {"servers": f"file:{tmp_path}", "client": "c.example", "username": "ann", "password": "secret", "tlsrequired": True}
    report = sendmessage(MESSAGE, **to)
    [(name, octets)] = [(path.stem, path.read_bytes()) for path in tmp_path.glob("*.eml")]
    assert report.complete and report.queue_id == name and b"\r\nFrom: " in octets
    assert (tmp_path / f"{name}.envelope").read_text().startswith("MAIL FROM:<")
    program = tmp_path / "sendmail"
    program.write_text("#!/bin/sh\necho full >&2\nexit 75\n")
    program.chmod(0o755)
    with pytest.raises(smtpclient.SMTPException, match="full"):
        sendmessage(MESSAGE, **to | {"servers": f"sendmail:{program}"})

    async def go():
        async with aio.Session("null:") as session:
            assert (await session.send_message(MESSAGE)).complete
        assert (await aio.sendmessage(MESSAGE, **to | {"servers": "null:"})).complete

    asyncio.run(go())
    with smtpclient.Mailer(servers="null:") as mailer:
        assert all(mailer.submit(MESSAGE).result(20).complete for _ in range(10))
