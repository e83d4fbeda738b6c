"""Starts the sink and the relay, and asks what they counted."""

import contextlib
import socket
import ssl
import subprocess

from .programs import SINK

ANY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ANY.check_hostname = False
ANY.verify_mode = ssl.CERT_NONE


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


def counted(port, wrapped=False):
    """What the sink counted since it was asked last. With TLS the handshake of this connection is among the answers."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        if wrapped:
            connection = stack.enter_context(ANY.wrap_socket(connection))
        connection.sendall(b"XCOUNT\r\nQUIT\r\n")
        lines = connection.makefile().read().split("\n")
    words = next(line for line in lines if line.startswith("250 "))[4:].split()
    found = {name: int(value) for name, value in (word.split("=") for word in words)}
    found["handshakes"] -= wrapped
    return found
