"""Every Python example of docs/python.md, in order, as one program."""

import logging
import re
from pathlib import Path

from smtpclient.testing import Sink

PAGE = Path(__file__).parents[2] / "docs/python.md"


def test_every_example(capsys, caplog):
    caplog.set_level(logging.WARNING, "smtpclient")  # restored afterwards
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    names = {"__name__": "example"}
    with Sink(rejects=["nobody@*=550 5.1.1 no such user"]) as sink:
        for block in blocks:
            if "smtps://" not in block:
                block = block.replace("mail.example.org", f"127.0.0.1:{sink.port}")
            exec(compile(block, str(PAGE), "exec"), names)
        assert sink.count == 47
    assert len(blocks) >= 10 and "nobody@example.org 550 5.1.1" in capsys.readouterr().out

    class Mail:
        """What Django's messages have."""

        def message(self):
            return names["message"]

        def recipients(self):
            return ["bob@example.org", "hidden@example.org"]

    with Sink() as sink:
        assert len(names["send"](Mail(), servers="127.0.0.1", ports=sink.port).recipients) == 2
