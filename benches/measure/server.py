"""Starts the sink and the relay, and asks what they counted."""

import contextlib
import socket
import subprocess

from .programs import SINK


@contextlib.contextmanager
def started(*words, core=None):
    """A sink, or a relay; gives its port."""
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    process = subprocess.Popen([*pinned, SINK, *map(str, words)], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline().split()[1])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def counted(port):
    """What the sink counted since it was asked last."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"XCOUNT\r\nQUIT\r\n")
        lines = connection.makefile().read().split("\n")
    words = next(line for line in lines if line.startswith("250 "))[4:].split()
    return {name: int(value) for name, value in (word.split("=") for word in words)}
