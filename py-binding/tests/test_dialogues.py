"""Every dialogue file through the Python face, blocking and asyncio; and servers that say something unasked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVER = os.environ.get("SCRIPTED_SERVER", str(ROOT / "target/release/scripted-server"))


@pytest.mark.parametrize("face", [[], ["--aio"]], ids=["blocking", "aio"])
def test_every_dialogue(face):
    command = [sys.executable, "-X", "frozen_modules=on", str(Path(__file__).with_name("dialogue.py")), *face]
    dialogues = str(ROOT / "tests/dialogues")
    done = subprocess.run([SERVER, "run", dialogues, "--", *command], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("face", [[], ["--socket"], ["--aio"], ["--smtplib"]], ids=lambda face: "".join(face))
def test_what_nobody_asked_for_is_no_answer(face):
    command = [sys.executable, str(Path(__file__).with_name("unasked.py")), *face]
    done = subprocess.run(
        [SERVER, "unasked", "--every", "7", "--", *command], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
