"""``python -m smtpclient``."""

import json
import os
import subprocess
import sys

import pytest
from conftest import MESSAGE, server


def run(*words, stdin=MESSAGE, **environment):
    command = [sys.executable, "-m", "smtpclient", *words]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=30, env=os.environ | environment)


def at(port):
    return "--server", "127.0.0.1", "--port", str(port), "--client", "c.example"


def test_sends_standard_input_and_files(sink, tmp_path):
    done = run(*at(sink.port))
    assert (done.returncode, done.stderr) == (0, b"") and b"queued as" in done.stdout
    (tmp_path / "m.eml").write_bytes(MESSAGE)
    done = run(str(tmp_path / "m.eml"), *at(sink.port), "--to", "c@s.example", "--from", "", "--header", "X-A: 1", "--json")
    assert json.loads(done.stdout)["recipients"][0]["address"] == "c@s.example"
    envelope, content = sink.messages()[1]
    assert envelope[0].startswith("MAIL FROM:<>") and content.startswith(b"X-A: 1\r\n")


def test_what_it_says_to_the_shell(sink, tmp_path):
    refused = run(*at(sink.port), "--to", "bad@s.example")
    assert refused.returncode == 1 and b"550 5.1.1" in refused.stderr
    assert run(*at(sink.port), "--to", "bad@s.example, b@s.example", "--atleastone").returncode == 1
    assert run(*at(sink.port), "--to", "later@s.example").returncode == 75
    assert run(*at(1), "--timeout", "5").returncode == 75
    for wrong in (["--no-such"], ["-o", "nonsense=1"], ["-o", "x"], ["--to", "no address"], [str(tmp_path / "nowhere")],
                  ["--header", "x"], ["--user", "u", "--password-env", "NO_SUCH"]):
        assert run(*at(sink.port), *wrong).returncode == 2, wrong
    replies = [b"220 s\r\n", b"250 s\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", None]
    with server(*replies) as (port, _):
        assert run(*at(port)).returncode == 70
    assert sink.count == 1


def test_a_dry_run_sends_nothing(sink):
    done = run(*at(sink.port), "--dry-run", "--to", "b@s.example, bad@s.example", "--debug")
    assert done.returncode == 1 and b"RCPT <bad@s.example>: 550" in done.stdout and b"C: RSET" in done.stderr
    assert run(*at(sink.port), "--dry-run", "--json").returncode == 0
    assert run(*at(sink.port), "--dry-run", "--to", "later@s.example").returncode == 75
    assert sink.count == 0


def test_passwords(tls_server, certificate, tmp_path):
    (tmp_path / "password").write_text("pässword\n")
    where = "--server", "localhost", "--port", str(tls_server.port), "--cafile", certificate[0], "--user", "user"
    assert run(*where, "--password-file", str(tmp_path / "password")).returncode == 0
    assert run(*where, "--password-env", "SECRET", SECRET="pässword").returncode == 0
    done = run(*where, "--password-env", "SECRET", "--debug", SECRET="hunter2")
    assert done.returncode == 1 and b"hunter2" not in done.stderr + done.stdout
    assert [login for _, login, _ in tls_server.handler.messages] == [True, True]


def test_a_server_to_try_things_out(tmp_path):
    words = [sys.executable, "-m", "smtpclient", "sink", "--dump", str(tmp_path), "--messages", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        port = running.stdout.readline().split()[1]
        assert run(*at(port)).returncode == 0
        output, _ = running.communicate(timeout=10)
    assert "MAIL FROM:<a@c.example>" in output
    assert (tmp_path / "1.eml").read_bytes().endswith(MESSAGE)


@pytest.mark.parametrize("large", [False, True])
def test_large_messages_show_a_bar_on_a_terminal(large, sink, tmp_path):
    import pty

    (tmp_path / "m.eml").write_bytes(MESSAGE + b"x\r\n" * (1_000_000 if large else 10))
    main, terminal = pty.openpty()
    command = [sys.executable, "-m", "smtpclient", str(tmp_path / "m.eml"), *at(sink.port)]
    assert subprocess.run(command, stderr=terminal, timeout=30).returncode == 0
    os.close(terminal)
    try:
        shown = os.read(main, 65536)
    except OSError:  # nothing was written
        shown = b""
    assert (b"########" in shown) == large
    os.close(main)


def test_a_patch_as_git_writes_it(sink):
    patch = (
        b"From 1234567890abcdef1234567890abcdef12345678 Mon Sep 17 00:00:00 2001\n"
        b"From: Ann Dev <ann@dev.example>\nDate: Mon, 17 Sep 2001 00:00:00 +0000\n"
        b"Subject: [PATCH] mend the cable\nTo: list@s.example\nCc: bo@s.example,\n\tcy@s.example\nBcc: di@s.example\n\n"
        b"---\n file | 2 +-\n\n-- \n2.43.0\n"
    )
    done = run(*at(sink.port), stdin=patch)
    assert done.returncode == 0, done.stderr
    [(envelope, content)] = sink.messages()
    assert envelope[0].startswith("MAIL FROM:<ann@dev.example>")
    assert [line[9:-1] for line in envelope[1:]] == ["list@s.example", "bo@s.example", "cy@s.example", "di@s.example"]
    assert b"1234567890" not in content and b"di@" not in content and content.endswith(b"\r\n-- \r\n2.43.0\r\n")


def test_a_mail_as_cron_writes_it(sink, tmp_path):
    cron = (
        b"From root@host.example  Mon Jan  1 06:25:01 2024\n"
        b"From: root@host.example (Cron Daemon)\nTo: ops@s.example\nSubject: Cron <root@host> /usr/local/bin/backup\n"
        b"X-Cron-Env: <SHELL=/bin/sh>\nX-Cron-Env: <HOME=/root>\n\nFrom here on it failed\n"
    )
    (tmp_path / "cron").write_bytes(cron)
    done = run(str(tmp_path / "cron"), *at(sink.port))
    assert done.returncode == 0, done.stderr
    [(envelope, content)] = sink.messages()
    assert envelope[0].startswith("MAIL FROM:<root@host.example>") and envelope[1:] == ["RCPT TO:<ops@s.example>"]
    names = [line.split(b":")[0] for line in content.split(b"\r\n\r\n")[0].split(b"\r\n")]
    assert names == [b"Date", b"Message-ID", b"From", b"To", b"Subject", b"X-Cron-Env", b"X-Cron-Env"]
    assert content.endswith(b"\r\n\r\nFrom here on it failed\r\n")


def test_a_line_that_is_not_a_field(sink, tmp_path):
    mail = b"From: a@c.example\nTo: b@s.example\nX Broken: y\nBcc: c@s.example\n\nHello\n"
    (tmp_path / "broken").write_bytes(mail)
    for words, stdin in (([], mail), ([str(tmp_path / "broken")], b"")):
        done = run(*words, *at(sink.port), stdin=stdin)
        assert done.returncode == 2 and b"line 3 " in done.stderr and b"X Broken: y" in done.stderr, done.stderr
    # Text without a header section is text.
    done = run(*at(sink.port), "--from", "a@c.example", "--to", "b@s.example", stdin=b"Hello Bob\n\nBcc: text\n")
    assert done.returncode == 0, done.stderr
    [(_, content)] = sink.messages()
    assert content.endswith(b"\r\n\r\nHello Bob\r\n\r\nBcc: text\r\n")


def test_options_are_flags(sink):
    assert run(*at(sink.port), "--to", "b@s.example", "--to", "bad@s.example", "--atleastone", "--no-usetls").returncode == 1
    assert run(*at(sink.port), "--to", "b@s.example,bad@s.example", "--no-atleastone").returncode == 1
    assert run(*at(sink.port), "--dsnnotify", "never", "--pipelining", "off", "--originator", "x@c.example").returncode == 0
    assert [envelope[0].split(" ")[1] for envelope, _ in sink.messages()] == ["FROM:<a@c.example>", "FROM:<x@c.example>"]
    for wrong in (["--pipelining", "most"], ["--timeout", "soon"], ["--password", "x"], ["--connections", "2"]):
        assert run(*at(sink.port), *wrong).returncode == 2, wrong
