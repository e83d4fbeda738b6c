"""Sockets of the caller's own."""

from __future__ import annotations

import socket
import ssl

from ._errors import usage
from ._native import Options, Server


def server_of(sock: socket.socket, name: str, options: Options) -> Server:
    """The server at the other end of a connected socket, on which nothing was said yet."""
    try:
        peer = sock.getpeername()
    except AttributeError:
        raise TypeError(f"the socket must be a connected socket.socket, not {type(sock).__name__}") from None
    except OSError as error:
        raise usage(f"the socket is not connected: {error}") from error
    if sock.type & 0xF != socket.SOCK_STREAM:
        raise usage("the socket must be a stream socket")
    port = peer[1] if isinstance(peer, tuple) else 0
    return Server(name, port, tls=options.tlsimport and not isinstance(sock, ssl.SSLSocket), lmtp=options.lmtp)
