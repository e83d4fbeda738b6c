"""What one run of a client costs."""

import os
import re
import subprocess
import tempfile
import time

from .programs import NOT_HERE


class Failed(Exception):
    """The client could not do it."""


class NotHere(Failed):
    """This client has no such workload."""


LIMIT = 300
WRITES = {"write", "writev", "send", "sendto", "sendmsg", "sendmmsg", "sendfile"}


def execute(client, task, port, tool=(), counted=None):
    """Runs it; gives its standard error."""
    words = client.words(task, port)
    if words is None:
        raise NotHere(client.name)
    done = subprocess.run([*tool, *map(str, words)], env=client.environment(counted), stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, timeout=LIMIT, check=False)
    check(client, done.returncode, done.stderr)
    return done.stderr


def check(client, status, text):
    if status == NOT_HERE:
        raise NotHere(client.name)
    if status:
        raise Failed(f"{client.name}: status {status}: {text[-200:]}")


def timed(client, task, port, core=None):
    """Seconds by the clock and seconds of the processor, start-up and all."""
    words = client.words(task, port)
    if words is None:
        raise NotHere(client.name)
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen([*pinned, *map(str, words)], env=client.environment(), stdout=subprocess.DEVNULL,
                                   stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        check(client, process.returncode, errors.read())
    return wall, usage.ru_utime + usage.ru_stime


def instructions(client, task, port):
    text = execute(client, task, port, ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"])
    found = re.search(r"Collected : (\d+)", text)
    if not found:
        raise Failed(f"callgrind: {text[-200:]}")
    return int(found[1])


def calls(client, task, port):
    """System calls, and those of them that write."""
    with tempfile.NamedTemporaryFile("r") as table:
        execute(client, task, port, ["strace", "-f", "-c", "-o", table.name])
        total = writes = 0
        for line in table:
            words = line.split()
            if len(words) < 5 or not words[0].replace(".", "").isdigit() or words[-1] == "total":
                continue
            total += int(words[3])
            writes += int(words[3]) if words[-1] in WRITES else 0
    return total, writes


def allocations(client, task, port):
    """Allocations, their octets, and the peak of resident memory in KiB."""
    with tempfile.NamedTemporaryFile("r") as table:
        execute(client, task, port, counted=table.name)
        words = table.read().split()
    if len(words) != 3:
        raise Failed(f"{client.name}: nothing was counted")
    return [int(word) for word in words]
