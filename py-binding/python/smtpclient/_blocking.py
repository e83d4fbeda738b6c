"""Blocking sockets: connecting, moving bytes, and how long that may take."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import threading
import time

from . import _native
from ._errors import UsageError, usage
from ._native import Options

#: One read. Replies are short.
READ = 16 * 1024
#: How long a cancel may go unseen.
_SLICE = 0.2

Ends = tuple[tuple[str, int] | None, str | None, bool]


def ends_of(sock: socket.socket, peer: object) -> Ends:
    """Who is at the ends of a socket, and whether the peer is this machine."""
    if not isinstance(peer, tuple):
        return None, None, True
    try:
        address = ipaddress.ip_address(peer[0].partition("%")[0])
    except ValueError:
        return None, None, False
    return (str(address), peer[1]), sock.getsockname()[0], address.is_loopback


class Alone:
    """One thread at a time; a second one gets an error instead of half an answer. A forked process gets one too: what it
    said would come in between what its parent says."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()

    @property
    def is_forked(self) -> bool:
        """Whether this is a child of the process that it was made in."""
        return os.getpid() != self._process

    def __enter__(self) -> None:
        if self.is_forked:
            raise usage("the session is that of a parent process: open another")
        if not self._lock.acquire(blocking=False):
            raise in_use()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def in_use() -> UsageError:
    return usage("the session is in use by another thread: give each thread one of its own")


class Limits:
    """When a whole call must be over."""

    def __init__(self, options: Options) -> None:
        deadline = options.deadline
        self._options = options
        self._end = None if deadline is None else time.monotonic() + deadline

    def check(self, dialogue: _native.Dialogue) -> None:
        if self._options.cancelled:
            dialogue.abort("the caller cancelled the call")
        elif self._end is not None and time.monotonic() >= self._end:
            dialogue.abort("the deadline of the whole call has passed", "timeout")

    def left(self) -> float | None:
        """The seconds that the call may still take."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())

    def slice(self, left: float) -> float:
        if self._end is not None:
            left = max(0.0, min(left, self._end - time.monotonic()))
        return min(left, _SLICE) if self._options.cancellable else left


def send(dialogue: _native.Dialogue, sock: socket.socket, output: bytes) -> int:
    """How much the kernel took; 0 where it is full."""
    try:
        return sock.send(output)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return 0
    except OSError as error:
        # Nothing more can be written, but the server may have said why.
        receive(dialogue, sock)
        dialogue.handle_error(f"the connection was lost: {error}")
        return 0


def receive(dialogue: _native.Dialogue, sock: socket.socket) -> bool:
    try:
        data = sock.recv(READ)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    except ssl.SSLEOFError:
        data = b""
    except OSError as error:
        dialogue.handle_error(f"the connection was lost: {error}")
        return True
    if data:
        dialogue.handle_input(data)
    else:
        dialogue.handle_eof()
    return True
