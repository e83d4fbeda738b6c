"""Every Python example of docs/python.md, in order, as one program, and that of README.md."""

import logging
import re
from pathlib import Path

import pytest
from smtpclient.testing import Sink

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs/python.md"


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
