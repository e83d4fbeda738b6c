"""Every dialogue file through the Python face, blocking and asyncio."""

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
