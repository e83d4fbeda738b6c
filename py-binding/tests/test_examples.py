"""The programs in examples-python, as somebody would run them."""

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

from smtpclient.testing import Sink

EXAMPLES = Path(__file__).parents[2] / "examples-python"


def test_a_form_and_its_own_tests(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_form.py"], cwd=EXAMPLES, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0 and "5 passed" in done.stdout, done.stdout + done.stderr


def test_a_newsletter(tmp_path):
    (tmp_path / "logo.gif").write_bytes(b"GIF89a")
    (tmp_path / "news.html").write_text("<p>Dear {name}, <img src=logo.gif></p>")
    people = [(f"{number}@s.example", f"N{number} & Co") for number in range(30)] + [("bad@s.example", "B"), ("later@s.example", "L")]
    with (tmp_path / "people.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("address", "name"), *people])

    def run(port):
        command = [sys.executable, EXAMPLES / "newsletter.py", "people.csv", "news.html", "results.csv", "--servers", f"smtp://127.0.0.1:{port}"]
        return subprocess.run([*command, "--from", "news@c.example", "--rate", "1000"], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    rules = ["bad@*=550 5.1.1 No"]
    with Sink(rejects=[*rules, "later@*=550 4.2.1 Not now"], faults=["final#7=close"]) as sink:
        first = run(sink.port)
        assert first.returncode == 1 and "32 of 32" in first.stderr, first.stderr
        assert sink.count == 30
        assert b"Dear N0 &amp; Co" in sink.messages()[0][1] or sink.messages()[0][1].count(b"Content-ID") == 1
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    outcomes = {row["address"]: row["outcome"] for row in rows}
    assert sorted(outcomes.values()).count("accepted") == 29 and outcomes["bad@s.example"] == "rejected"
    assert sorted(outcomes.values()).count("unknown") == 1
    # Nobody gets it twice, whatever is run again.
    with Sink(rejects=rules) as sink:
        run(sink.port)
        assert sink.count == 0


def test_a_newsletter_that_is_killed_sends_nothing_twice(tmp_path):
    (tmp_path / "news.html").write_text("<p>Dear {name}</p>")
    with (tmp_path / "people.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("address", "name"), *((f"{number}@s.example", "N") for number in range(60))])
    with Sink() as sink:
        command = [sys.executable, EXAMPLES / "newsletter.py", "people.csv", "news.html", "results.csv"]
        command += ["--servers", f"smtp://127.0.0.1:{sink.port}", "--from", "news@c.example", "--rate"]
        with subprocess.Popen([*command, "40"], cwd=tmp_path, stderr=subprocess.DEVNULL) as first:
            for _ in range(2000):
                if sink.count >= 10:
                    break
                time.sleep(0.01)
            first.kill()
        before = sink.count
        assert 10 <= before < 60
        subprocess.run([*command, "1000"], cwd=tmp_path, capture_output=True, timeout=120)
        recipients = [line for envelope, _ in sink.messages() for line in envelope if line.startswith("RCPT")]
        assert len(recipients) == len(set(recipients)) and len(recipients) >= 50
