"""kill.py SPOOL PORT FOLDER DUMP MESSAGES: kills a spool with SIGKILL at random moments, until it has sent everything.

Holds the folders of the spool against the server's record (DUMP): every message is there once, none twice, none is lost, and only
those may be unknown that were committed and not settled when a kill came.
"""

import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

spool, port, folder, dump, messages = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5])
seed = int(sys.argv[6]) if len(sys.argv) > 6 else random.randrange(1 << 32)
chance = random.Random(seed)
names = {f"{number:06}" for number in range(messages)}
(folder / "in").mkdir(parents=True)
for name in names:
    text = f"From: a@client.example\nTo: b@server.example\nSubject: {name}\n\nHello.\n"
    (folder / "in" / name).write_text(text)


def inside(place):
    return {path.name for path in (folder / place).iterdir()} if (folder / place).exists() else set()


def recorded():
    return sum(1 for _ in dump.iterdir()) if dump.exists() else 0


def start():
    return subprocess.Popen([spool, f"127.0.0.1:{port}", str(folder)], stderr=subprocess.DEVNULL)


kills, window = 0, set()
while inside("in"):
    assert kills < 20 * messages + 100, f"no end after {kills} kills"
    running = start()
    # When the server has some more, however fast this machine is; and a moment later, since a message has more moments than that.
    goal, patience = recorded() + chance.randrange(messages // 15), time.monotonic() + 60
    while recorded() < goal and running.poll() is None and time.monotonic() < patience:
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.01))
    running.kill()
    ended = running.wait()
    assert ended in (-9, 0), f"the spool ended with {ended}"
    kills += ended == -9
    window |= inside("sending")
assert start().wait(timeout=60) == 0

time.sleep(0.5)  # the server may be writing down what the last one left
record = Counter()
for path in dump.glob("*.eml"):
    record[re.search(rb"^Subject: (\d+)", path.read_bytes(), re.M)[1].decode()] += 1
sent, unknown = inside("sent"), inside("unknown")
arrived = sum(name in record for name in unknown)
print(f"seed {seed}: {kills} kills, {messages} messages: {len(sent)} sent, {len(unknown)} unknown, {arrived} of which arrived")
twice = {name: times for name, times in record.items() if times > 1}
assert not twice, f"sent twice: {twice}"
assert record.keys() <= names and sent <= record.keys(), f"lost: {sorted(sent - record.keys())}"
assert sent | unknown == names and not sent & unknown, f"nowhere: {sorted(names - sent - unknown)}"
assert unknown <= window, f"unknown, and no kill came between: {sorted(unknown - window)}"
assert not inside("in") | inside("sending") | inside("failed")
assert kills > 3 and sent, "nothing was killed, or nothing was sent"
