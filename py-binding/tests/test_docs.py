"""Every Python example of docs/python.md, in order, as one program, and those of README.md, docs/recipes.md and docs/moving.md."""

import logging
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import smtpclient
from smtpclient.testing import Sink

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs/python.md"
REJECTS = ["nobody@*=550 5.1.1 no such user", "full@*=452 4.2.2 mailbox full"]


def blocks_of(page):
    return re.findall(r"^```python\n(.*?)^```", (TOP / page).read_text(), re.M | re.S)


def test_every_example(capsys, caplog):
    caplog.set_level(logging.WARNING, "smtpclient")  # restored afterwards
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    names = {"__name__": "example", "octets": b"Subject: not a bounce\n\n"}
    handlers = list(logging.getLogger().handlers)
    with Sink(rejects=["nobody@*=550 5.1.1 no such user"]) as sink:
        for block in blocks:
            if "smtps://" not in block and "EMAIL_HOST" not in block:
                block = block.replace("mail.example.org", f"127.0.0.1:{sink.port}")
            exec(compile(block, str(PAGE), "exec"), names)
        assert sink.count == 150
    for handler in set(logging.getLogger().handlers) - set(handlers):
        logging.getLogger().removeHandler(handler)
    assert len(blocks) >= 10 and "nobody@example.org 550 no such user" in capsys.readouterr().out
    as_django_settings({name: value for name, value in names.items() if name.startswith("EMAIL_")})


def test_a_signer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "mail.pem"]
    subprocess.run(command, check=True, capture_output=True)
    (block,) = [block for block in blocks_of("docs/message.md") if "signers" in block]
    names = {"__name__": "example"}
    exec(compile(block, "docs/message.md", "exec"), names)
    with Sink() as sink:
        to = smtpclient.Options(names["options"], servers=[f"127.0.0.1:{sink.port}"])
        smtpclient.sendmessage(b"From: a@example.org\nTo: b@example.org\n\nHello.\n", to)
        assert sink.messages()[0][1].startswith(b"DKIM-Signature: ")


def test_the_point_of_no_return(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", (TOP / "docs/commit.md").read_text(), re.M | re.S)
    names = {"__name__": "example"}
    with Sink() as sink:
        for block in blocks:
            exec(compile(block.replace("mail.example.org", f"127.0.0.1:{sink.port}"), "docs/commit.md", "exec"), names)
        assert sink.count == 3
    assert "on its way: job 7 ('bob@example.org',)" in capsys.readouterr().out


def test_the_readme(capsys):
    (block,) = re.findall(r"^```python\n(.*?)^```", (TOP / "README.md").read_text(), re.M | re.S)
    with Sink(rejects=["nobody@*=550 5.1.1 no such user"]) as sink:
        exec(compile(block.replace("mail.example.org", f"127.0.0.1:{sink.port}"), "README.md", "exec"), {})
        assert sink.count == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("bob@example.org accepted 250") and second.startswith("nobody@example.org rejected 550")


def test_jobs(tmp_path):
    pytest.importorskip("huey")
    blocks = re.findall(r"^```python\n(.*?)^```", (TOP / "docs/jobs.md").read_text(), re.M | re.S)
    names = {"__name__": "example"}
    with Sink() as sink:
        for block in blocks:
            block = block.replace("mail.example.org", f"127.0.0.1:{sink.port}").replace("/tmp/", f"{tmp_path}/")
            exec(compile(block, "docs/jobs.md", "exec"), names)
        assert sink.count == 1 and len(blocks) == 2
        result = names["mail"].submit(b"From: a@c\nTo: b@s\n\n")
        names["huey"].execute(names["huey"].dequeue())
        assert result.get()["status"] == "accepted" and sink.count == 2
    names["mail"].courier.close()
    names["courier"].close()


def recipe(subject, sink=None):
    """The names that the example below a heading of docs/recipes.md defines; its server is the sink."""
    text = (TOP / "docs/recipes.md").read_text().split(f"\n## {subject}\n")[1].split("\n## ")[0]
    block = "".join(re.findall(r"^```python\n(.*?)^```", text, re.M | re.S))
    if sink is not None:
        block = block.replace('"mail.example.org"', f'"127.0.0.1:{sink.port}"')
        block = block.replace("sendmessage(message)", f'sendmessage(message, servers="127.0.0.1:{sink.port}")')
    names = {"__name__": "recipe"}
    exec(compile(block, f"docs/recipes.md, {subject}", "exec"), names)
    return names


def test_oauth():
    names = recipe("Gmail and Microsoft 365, with OAuth")
    for options in (
        names["with_gmail"]("ann@example.org", "client", "s3cret", "t0ken"),
        names["with_microsoft"]("ann@example.org", "client", "s3cret", "example.org"),
    ):
        assert callable(options.token_function) and "s3cret" not in repr(options)


def test_dkim(tmp_path):
    key = tmp_path / "mail.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", key], check=True, capture_output=True)
    with Sink() as sink:
        options = recipe("DKIM", sink)["signed"]("example.org", key)
        smtpclient.sendmessage(b"From: a@example.org\nTo: b@example.org\n\nHi.\n", options)
        [(_, content)] = sink.messages()
    assert content.startswith(b"DKIM-Signature: v=1; a=ed25519-sha256;")


def test_localhost(capsys):
    with Sink() as sink:
        recipe("Postfix on localhost", sink)
        assert sink.count == 1
    assert capsys.readouterr().out.strip()


def test_newsletter(tmp_path, monkeypatch, capsys):
    (tmp_path / "film.eml").write_bytes(b"From: a@c.example\nTo: b@s.example\n\n" + b"0123456789" * 9 * 1024 * 16)
    monkeypatch.chdir(tmp_path)
    with Sink(rejects=REJECTS) as sink:
        names = recipe("A newsletter with progress", sink)
        assert names["outcomes"] == {"accepted": ["ann@example.org"], "rejected": ["nobody@example.org"]}
        shown, everybody = [], [f"{n}@example.org" for n in range(150)]
        server = {"servers": "127.0.0.1", "ports": sink.port}
        found = names["newsletter"](everybody, names["letter"], lambda *words: shown.append(words), **server)
    assert sorted(found["accepted"]) == sorted(everybody) and set(found) == {"accepted"}
    assert [words[0] for words in shown] == ["100 of 150", "150 of 150"]
    percents = capsys.readouterr().out.split("\r")
    assert percents[-1] == "100 %" and len(percents) > 3


def test_staging():
    options = recipe("Staging")["staging"]
    with Sink() as sink:
        report = smtpclient.sendmessage(
            b"From: a@c.example\nTo: customer@b.example, me@example.org\n\nx\n", options, servers="127.0.0.1", ports=sink.port
        )
        [(envelope, _)] = sink.messages()
    assert [line.split("<")[1].split(">")[0] for line in envelope[1:]] == ["qa@example.org", "me@example.org"]
    assert [one.redirected_to for one in report.recipients] == ["qa@example.org", None]


def test_try_again():
    deliver = recipe("Try again later")["deliver"]
    message = b"From: a@example.org\n\nHi.\n"
    who = ["ann@example.org", "full@example.org", "nobody@example.org"]
    with Sink(rejects=REJECTS) as sink:
        server = {"servers": "127.0.0.1", "ports": sink.port}
        assert deliver(message, who, **server) == (["full@example.org"], {"nobody@example.org": "550 5.1.1 no such user"})
        with pytest.raises(smtpclient.UsageError):
            deliver(message, ["no address@@"], **server)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        assert deliver(message, who, servers="127.0.0.1", ports=nobody.getsockname()[1]) == (who, {})


def test_systemd(tmp_path):
    """The command of the unit, by the shell, with what systemd would put in."""
    text = (TOP / "docs/recipes.md").read_text().split("\n## systemd\n")[1]
    (line,) = re.findall(r"^ExecStart=/bin/sh -c '(.*?)'$", text, re.M | re.S)
    (tmp_path / "password").write_text("s3cret\n")
    (tmp_path / "smtpclient").write_text(f'#!/bin/sh\nexec {sys.executable} -m smtpclient "$@"\n')
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho failed since noon\n")
    for name in ("smtpclient", "systemctl"):
        (tmp_path / name).chmod(0o755)
    with Sink(tls="implicit", users={"alerts@example.org": "s3cret"}) as sink:
        (tmp_path / "ca.pem").write_text(sink.certificate)
        line = line.replace("\\\n", "").replace("%i", "backup.service").replace("%H", "host")
        line = line.replace("mail.example.org", f"localhost:{sink.port}")
        environment = {
            **os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "CREDENTIALS_DIRECTORY": str(tmp_path), "SSL_CERT_FILE": str(tmp_path / "ca.pem")
        }
        subprocess.run(["sh", "-c", line], check=True, env=environment, timeout=60)
        [(envelope, content)] = sink.messages()
    assert envelope[1].startswith("RCPT TO:<ann@example.org>")
    assert b"Subject: backup.service failed on host\r\n" in content and b"failed since noon" in content


def test_prometheus():
    prometheus_client = pytest.importorskip("prometheus_client")
    with Sink(rejects=REJECTS) as sink:
        names = recipe("Prometheus", sink)
        names["mailer"].close()
    text = prometheus_client.generate_latest().decode()
    for line in (
        'mail_messages_total{outcome="accepted"} 1.0',
        'mail_messages_total{outcome="unknown"} 0.0',
        'mail_recipients_total{outcome="accepted"} 1.0',
        "mail_reply_seconds_count 1.0",
        "mail_waiting 0.0",
    ):
        assert line in text.splitlines(), text


def test_opentelemetry():
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    with Sink(rejects=REJECTS) as sink:
        names = recipe("OpenTelemetry", sink)
        with pytest.raises(smtpclient.SMTPException):
            names["traced"](b"From: a@c\nTo: nobody@s\n\n", servers="127.0.0.1", ports=sink.port)
    finished = [(span.name, span.attributes.get("smtp.status")) for span in spans.get_finished_spans()]
    assert finished[-1] == ("smtp send", "recipients")
    assert [name for name, _ in finished[:4]] == ["smtp envelope", "smtp body", "smtp reply", "smtp send"]
    first = spans.get_finished_spans()[:4]
    assert all(first[3].start_time <= span.start_time <= span.end_time for span in first)


def test_pytest():
    names = recipe("Test your program with pytest")

    def welcome(address, **server):
        message = b"From: a@example.org\nSubject: Welcome\n\nHi.\n"
        for _ in range(2):
            try:
                return smtpclient.sendmessage(message, recipients=address, **server)
            except smtpclient.SMTPException as error:
                if not error.transient:
                    return error.report

    names["welcome"] = welcome
    with Sink() as sink:
        names["test_a_welcome"](sink)
    names["test_it_is_tried_again"]()
    names["test_nobody_gets_it_twice"]()


def test_moving(capsys):
    blocks = blocks_of("docs/moving.md")
    names = {"__name__": "moved"}
    with Sink() as sink:
        for block in blocks:
            block = block.replace('SMTP("mail.example.org")', f'SMTP("127.0.0.1", {sink.port})')
            exec(compile(block.replace('servers="mail.example.org"', f'servers="127.0.0.1:{sink.port}"'), "docs/moving.md", "exec"), names)
        assert sink.count == len(blocks) == 2


def as_django_settings(names):
    pytest.importorskip("django")
    import django_settings  # noqa: F401
    from django.core import mail
    from django.test import override_settings

    assert names["EMAIL_HOST"] == "mail.example.org"
    with Sink() as sink:
        here = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": sink.port, "EMAIL_USE_TLS": False, "EMAIL_HOST_USER": ""}
        with override_settings(**{**names, **here}):
            assert mail.send_mail("Hi", "Hello.", "web@example.org", ["bob@example.org"]) == 1
        assert sink.count == 1
