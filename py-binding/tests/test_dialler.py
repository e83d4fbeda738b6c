"""Connecting by a function of the program's: SOCKS4, a command as ssh has it, options of sockets, and what goes wrong."""

import asyncio
import contextlib
import gc
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading

import pytest
import smtpclient
from conftest import MESSAGE, server
from smtpclient import aio

WAYS = ["sendmessage", "Session", "Mailer", "aio.sendmessage", "aio.Session", "aio.Mailer"]


def send(way, **to):
    """The report of a message that is sent in that way."""

    async def looped():
        if way == "aio.sendmessage":
            return await aio.sendmessage(MESSAGE, **to)
        if way == "aio.Mailer":
            async with aio.Mailer(**to) as mailer:
                return await mailer.submit(MESSAGE)
        async with aio.Session("mail.invalid", 25, **to) as session:
            return await session.send_message(MESSAGE)

    if way.startswith("aio."):
        return asyncio.run(looped())
    if way == "Session":
        with smtpclient.Session("mail.invalid", 25, **to) as session:
            return session.send_message(MESSAGE)
    if way == "Mailer":
        with smtpclient.Mailer(**to) as mailer:
            return mailer.submit(MESSAGE).result(20)
    return smtpclient.sendmessage(MESSAGE, **to)


def options(dialler):
    return {"servers": ["mail.invalid"], "client": "c.example", "dialler": dialler}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_connects_by_it(way, sink):
    calls, made = [], []

    def dial(host, port, timeout):
        calls.append((host, port, threading.current_thread() is threading.main_thread()))
        assert 0 < timeout <= 30
        made.append(socket.create_connection(("127.0.0.1", sink.port), timeout))
        made[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return made[0]

    assert send(way, **options(dial)).complete
    # Whoever waits in a call connects in it; a loop and a mailer go on meanwhile.
    assert calls == [("mail.invalid", 25, way in ("sendmessage", "Session"))]
    assert made[0].fileno() == -1, "the socket is the library's"


def relay(one, other):
    with contextlib.suppress(OSError):  # either may be gone
        while piece := one.recv(65536):
            other.sendall(piece)
        other.shutdown(socket.SHUT_WR)


def test_socks4(sink):
    """A proxy that the option `proxy` does not know."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            client, _ = listener.accept()
            with client, socket.create_connection(("127.0.0.1", sink.port)) as server:
                asked.append(client.recv(512))
                client.sendall(b"\0\x5a" + bytes(6))
                thread = threading.Thread(target=relay, args=(server, client), daemon=True)
                thread.start()
                relay(client, server)
                thread.join(20)

        threading.Thread(target=serve, daemon=True).start()

        def dial(host, port, timeout):
            connection = socket.create_connection(listener.getsockname(), timeout)
            connection.sendall(struct.pack(">BBH4sB", 4, 1, port, bytes([0, 0, 0, 1]), 0) + host.encode() + b"\0")
            if connection.recv(8)[1] != 0x5A:
                connection.close()
                raise ConnectionRefusedError(f"the proxy does not connect to {host}")
            return connection

        assert smtpclient.sendmessage(MESSAGE, **options(dial)).complete
    assert asked == [b"\x04\x01\x00\x19\x00\x00\x00\x01\x00mail.invalid\x00"]


COMMAND = """
import contextlib, socket, sys, threading
server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
here = socket.socket(fileno=0)
def relay(one, other):
    try:
        while piece := one.recv(65536):
            other.sendall(piece)
    except ConnectionError:
        return  # the library does not wait for the reply to QUIT
    other.shutdown(socket.SHUT_WR)
threading.Thread(target=relay, args=(server, here), daemon=True).start()
relay(here, server)
"""


def test_a_command_as_of_ssh(sink):
    """`ssh -W host:port gateway`, whose standard input and output are the connection."""
    commands = []

    def dial(host, port, timeout):
        ours, theirs = socket.socketpair()
        with theirs:
            commands.append(subprocess.Popen([sys.executable, "-c", COMMAND, str(sink.port)], stdin=theirs, stdout=theirs))
        return ours

    assert smtpclient.sendmessage(MESSAGE, **options(dial)).complete
    assert commands[0].wait(20) == 0


def test_what_it_raises_stands_in_the_report_and_the_next_server_is_tried(sink, to):
    def dial(host, port, timeout):
        if host == "one.invalid":
            raise OSError("no way\nthrough")
        return socket.create_connection(("127.0.0.1", sink.port))

    report = smtpclient.sendmessage(MESSAGE, servers=["one.invalid", "two.invalid"], dialler=dial)
    assert report.complete
    assert report.attempts[0].error.kind == "connect" and "OSError: no way through" in str(report.attempts[0].error)
    with pytest.raises(smtpclient.ConnectError) as caught:
        smtpclient.sendmessage(MESSAGE, servers=["one.invalid"], dialler=dial)
    assert caught.value.report.recipients[0].outcome == "not_sent"
    with pytest.raises(KeyboardInterrupt):
        smtpclient.sendmessage(MESSAGE, **options(interrupt))
    with pytest.raises(smtpclient.UsageError, match="`dialler`"):
        smtpclient.sendmessage(MESSAGE, **options(dial), localaddress="127.0.0.1")
    with pytest.raises(TypeError, match="`dialler` takes a function"):
        smtpclient.Options(dialler="ssh")


def interrupt(*_):
    raise KeyboardInterrupt


def wrapped(*_):
    return ssl.create_default_context().wrap_socket(socket.socket(), do_handshake_on_connect=False, server_hostname="x")


def coroutine(*_):
    async def never():
        """It is not awaited."""

    made = never()
    made.close()
    return made


def closed(*_):
    given = socket.socket()
    given.close()
    return given


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        (lambda *_: None, "NoneType"), (lambda *_: 5, "int"), (coroutine, "coroutine"), (wrapped, "SSLSocket"),
        (closed, "NotConnected|not connected"), (lambda *_: socket.socket(), "is not connected"),
        (lambda *_: socket.socket(type=socket.SOCK_DGRAM), "is not a stream socket"),
    ],
)
def test_what_is_no_connection(gives, words):
    with pytest.raises(smtpclient.ConnectError, match=words):
        smtpclient.sendmessage(MESSAGE, **options(gives))


@pytest.mark.parametrize("way", ["aio.sendmessage", "aio.Session"])
def test_one_that_does_not_return_is_left_behind_at_the_deadline(way):
    release = threading.Event()

    def dial(host, port, timeout):
        release.wait()
        raise OSError("too late")

    try:
        with pytest.raises(smtpclient.Timeout, match="deadline"):
            send(way, **options(dial) | ({"deadline": 0.2} if way == "aio.sendmessage" else {"deadline": 0.2, "servers": None}))
    finally:
        release.set()


def test_a_password_does_not_go_through_it_in_plain_text():
    """It may be a tunnel to anywhere, though the other end of the socket is this machine."""
    with server(b"220 s\r\n", b"250-s\r\n250 AUTH PLAIN\r\n", b"221 bye\r\n", None) as (port, heard):
        to = options(lambda *_: socket.create_connection(("127.0.0.1", port)))
        with pytest.raises(smtpclient.AuthenticationError, match="authinsecure"):
            smtpclient.sendmessage(MESSAGE, **to, username="a", password="b")
    assert b"AUTH" not in heard


def test_no_descriptor_is_left(sink):
    def dial(*_):
        return socket.create_connection(("127.0.0.1", sink.port))

    def round():
        assert smtpclient.sendmessage(MESSAGE, **options(dial)).complete
        for gives in (lambda *_: socket.socket(), interrupt):
            with pytest.raises((smtpclient.ConnectError, KeyboardInterrupt)):
                smtpclient.sendmessage(MESSAGE, **options(gives))
        gc.collect()

    round()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        round()
    assert len(os.listdir("/proc/self/fd")) <= before
