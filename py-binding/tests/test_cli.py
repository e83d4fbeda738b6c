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
