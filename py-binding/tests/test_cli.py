"""``python -m smtpclient``, and the command ``smtpclient``: that they are the program, whose own tests are in tests/command-line."""

import json
import os
import signal
import subprocess
import sys
import sysconfig

import pytest
from conftest import MESSAGE, server

MODULE = [sys.executable, "-m", "smtpclient"]
COMMAND = [os.path.join(sysconfig.get_path("scripts"), "smtpclient")]


def run(*words, by=MODULE, stdin=MESSAGE, **environment):
    return subprocess.run([*by, *words], input=stdin, capture_output=True, timeout=30, env=os.environ | environment)


def at(port):
    return "--server", "127.0.0.1", "--port", str(port), "--client", "c.example"


@pytest.mark.parametrize("by", [MODULE, COMMAND])
def test_both_send_standard_input_and_files(by, sink, tmp_path):
    done = run("-", *at(sink.port), by=by)
    assert (done.returncode, done.stderr) == (0, b"") and b"queued as" in done.stdout
    (tmp_path / "größe.eml").write_bytes(MESSAGE)
    done = run(str(tmp_path / "größe.eml"), *at(sink.port), "--to", "c@s.example", "--header", "X-A: 1", "--json", by=by)
    assert json.loads(done.stdout)["recipients"][0]["address"] == "c@s.example"
    done = run("--from", "a@c.example", "--to", "d@s.example", *at(sink.port), by=by, stdin=b"Hello\n")
    assert done.returncode == 0, done.stderr
    assert [envelope[1] for envelope, _ in sink.messages()] == [f"RCPT TO:<{to}@s.example>" for to in "bcd"]


def test_exit_statuses_are_those_of_the_program(sink, tmp_path):
    refused = run("-", *at(sink.port), "--to", "bad@s.example")
    assert refused.returncode == 67 and b"550 5.1.1" in refused.stderr
    assert run("-", *at(sink.port), "--to", "later@s.example").returncode == 75
    assert run("-", *at(sink.port), "--no-such").returncode == 64
    assert run(str(tmp_path / "nowhere"), *at(sink.port)).returncode == 66
    replies = [b"220 s\r\n", b"250 s\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", None]
    with server(*replies) as (port, _):
        assert run("-", *at(port)).returncode == 70
    assert sink.count == 0


def test_the_help_is_the_program_s():
    told = run("--help").stdout
    assert told == run("--help", by=COMMAND).stdout and b"verify" in told and b"--dry-run" in told
    assert run("--version").stdout.startswith(b"smtpclient ")


def test_it_is_sendmail_where_it_is_called_so(sink, tmp_path):
    (tmp_path / "sendmail").symlink_to(COMMAND[0])
    (tmp_path / "smtpclient").mkdir()
    account = f'default = "a"\n[account.a]\nservers = "127.0.0.1:{sink.port}"\nclient = "c.example"\n'
    (tmp_path / "smtpclient" / "config.toml").write_text(account)
    done = run("-t", "-i", by=[str(tmp_path / "sendmail")], XDG_CONFIG_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert sink.count == 1


def test_a_password_from_the_environment(tls_server, certificate):
    where = "-", "--server", "localhost", "--port", str(tls_server.port), "--cafile", certificate[0], "--user", "user"
    assert run(*where, "--password", "env:SECRET", SECRET="pässword").returncode == 0
    done = run(*where, "--password", "env:SECRET", "--debug", SECRET="hunter2")
    assert done.returncode == 77 and b"hunter2" not in done.stderr + done.stdout
    assert [login for _, login, _ in tls_server.handler.messages] == [True]


def test_ctrl_c_gives_up_and_tells():
    with server(b"220 s\r\n") as (port, _):  # EHLO has no reply
        words = [*MODULE, "-", *at(port), "--debug"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            running.stdin.write(MESSAGE)
            running.stdin.close()
            while b"C: EHLO" not in (line := running.stderr.readline()):
                assert line
            running.send_signal(signal.SIGINT)
            told = running.stderr.read()
            assert (running.wait(timeout=10), b"cancelled" in told) == (75, True), told


def test_a_server_to_try_things_out(tmp_path):
    words = [*MODULE, "sink", "--dump", str(tmp_path), "--messages", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        port = running.stdout.readline().split()[1]
        assert run("-", *at(port)).returncode == 0
        output, _ = running.communicate(timeout=10)
    assert "MAIL FROM:<a@c.example>" in output
    assert (tmp_path / "1.eml").read_bytes().endswith(MESSAGE)


def test_a_server_to_try_tls_and_logins_with(tmp_path):
    words = [*MODULE, "sink", "--tls", "starttls", "--certificate", str(tmp_path / "ca.pem"), "--user", "ann:se:cret", "--messages", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        port = running.stdout.readline().split()[1]
        login = ["--tlsrequired", "--tlscafile", str(tmp_path / "ca.pem"), "--user", "ann", "--password", "pass:se:cret"]
        assert run("-", *at(port), *login[:-1], "pass:wrong").returncode == 77
        assert run("-", *at(port), *login).returncode == 0
        running.communicate(timeout=10)
    for wrong in (["--certificate", "x"], ["--user", "ann"], ["--tls", "later"]):
        assert run("sink", *wrong).returncode == 2


@pytest.mark.parametrize("large", [False, True])
def test_large_messages_show_a_bar_on_a_terminal(large, sink, tmp_path):
    import pty

    (tmp_path / "m.eml").write_bytes(MESSAGE + b"x\r\n" * (1_000_000 if large else 10))
    main, terminal = pty.openpty()
    command = [*MODULE, str(tmp_path / "m.eml"), *at(sink.port)]
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
    done = run("-", *at(sink.port), stdin=patch)
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
    for words, stdin in ((["-"], mail), ([str(tmp_path / "broken")], b"")):
        done = run(*words, *at(sink.port), stdin=stdin)
        assert done.returncode == 64 and b"line 3 " in done.stderr and b"X Broken: y" in done.stderr, done.stderr
    # Text without a header section is text.
    done = run("-", *at(sink.port), "--from", "a@c.example", "--to", "b@s.example", stdin=b"Hello Bob\n\nBcc: text\n")
    assert done.returncode == 0, done.stderr
    [(_, content)] = sink.messages()
    assert content.endswith(b"\r\n\r\nHello Bob\r\n\r\nBcc: text\r\n")
