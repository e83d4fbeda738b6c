"""Connecting in an event loop: names by the loop, addresses raced (RFC 8305), proxies in a thread."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from contextlib import suppress
from itertools import chain, zip_longest
from typing import Any

from . import _native
from ._errors import ResolveError, SMTPException, Timeout
from ._native import Options

#: RFC 8305 section 5.
_DELAY = 0.25

Ends = tuple[tuple[str, int] | None, str | None, bool]
_Connected = tuple[socket.socket, Any]


class DialError(Exception):
    """No connection; ``kind`` is a word that the core knows, ``transient`` is given where that does not tell."""

    def __init__(self, text: str, kind: str, transient: bool | None = None) -> None:
        super().__init__(text)
        self.text, self.kind, self.transient = text, kind, transient


async def dial(server: _native.Server, options: Options) -> tuple[socket.socket, Ends]:
    """Connect, or raise ``DialError``."""
    if options.proxied and server.path is None:
        return await _by_thread(server, options)
    try:
        return await asyncio.wait_for(_connect(server, options), options.connecttimeout)
    except asyncio.TimeoutError:
        text = f"no connection within {options.connecttimeout:g} s"
        raise DialError(text, "connecttimeout") from None


async def _connect(server: _native.Server, options: Options) -> tuple[socket.socket, Ends]:
    loop = asyncio.get_running_loop()
    if server.path is not None:
        sock, _ = await _one(loop, socket.AF_UNIX, server.path, None)
        return sock, (None, None, True)
    host, local = server.host or "localhost", options.localaddress
    try:
        found = _literal(host, server.port)
        if found is None:
            found = await loop.getaddrinfo(host, server.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise DialError(f"the name {host} cannot be resolved: {error}", "resolve") from error
    # The socket itself may have no peer any more: a server that is gone at once is told of by the first read.
    sock, peer = await _race(loop, _interleaved(found, local), local)
    with suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    own = sock.getsockname()[0]
    address = ipaddress.ip_address(peer[0].partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    return sock, ((str(address), peer[1]), own, mapped.is_loopback)


def _literal(host: str, port: int) -> list[tuple] | None:  # type: ignore[type-arg]
    """An address needs no resolver, and so no thread."""
    try:
        return socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except (socket.gaierror, UnicodeError):
        return None


def _interleaved(found: list[tuple], local: str | None) -> list[tuple[int, tuple]]:  # type: ignore[type-arg]
    """IPv6 and IPv4 in turn, the family that came first in front; only the local address's own."""
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    if local is not None:
        own = socket.AF_INET6 if ":" in local else socket.AF_INET
        addresses = [pair for pair in addresses if pair[0] == own]
    if not addresses:
        raise DialError("the name has no address that can be used", "resolve")
    first = [pair for pair in addresses if pair[0] == addresses[0][0]]
    others = [pair for pair in addresses if pair[0] != addresses[0][0]]
    return [pair for pair in chain.from_iterable(zip_longest(first, others)) if pair]


async def _race(
    loop: asyncio.AbstractEventLoop,
    addresses: list[tuple[int, tuple]],  # type: ignore[type-arg]
    local: str | None,
) -> _Connected:
    if len(addresses) == 1:
        return await _one(loop, *addresses[0], local)
    running: set[asyncio.Task[_Connected]] = set()
    rest = list(reversed(addresses))
    error: DialError | None = None
    try:
        while rest or running:
            if rest:
                family, address = rest.pop()
                running.add(loop.create_task(_one(loop, family, address, local)))
            done, running = await asyncio.wait(
                running, timeout=_DELAY if rest else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                failed = task.exception()
                if failed is None:
                    # Two may come at once: the others are closed below.
                    running |= done - {task}
                    return task.result()
                if not isinstance(failed, DialError):
                    raise failed
                error = failed
    finally:
        for task in running:
            task.cancel()
        for late in await asyncio.gather(*running, return_exceptions=True):
            if isinstance(late, tuple):
                late[0].close()
    raise error or DialError("no address", "connect")


async def _one(
    loop: asyncio.AbstractEventLoop, family: int, address: Any, local: str | None
) -> _Connected:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if local is not None:
            sock.bind((local, 0))
        await loop.sock_connect(sock, address)
    except OSError as error:
        sock.close()
        name = address if isinstance(address, str) else address[0]
        text = os.strerror(error.errno) if error.errno else str(error)
        kind = "connecttimeout" if error.errno == errno.ETIMEDOUT else "connect"
        raise DialError(f"cannot connect to {name}: {text}", kind) from error
    except BaseException:
        sock.close()
        raise
    return sock, address


async def _by_thread(server: _native.Server, options: Options) -> tuple[socket.socket, Ends]:
    """A proxy's handshake is the core's; only connecting needs the thread."""
    loop = asyncio.get_running_loop()
    cancel = _native.Cancel()
    call = loop.run_in_executor(None, _native.dial, server, Options(options, cancel=cancel))
    try:
        descriptor, ends = await asyncio.shield(call)
    except asyncio.CancelledError:
        cancel.trigger()
        call.add_done_callback(_close_late)
        raise
    except SMTPException as error:
        kind = "connect"
        if isinstance(error, ResolveError):
            kind = "resolve"
        elif isinstance(error, Timeout):
            kind = "connecttimeout"
        text = error.failure.text if error.failure else str(error)
        raise DialError(text, kind, error.transient) from error
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(False)
    return sock, ends


def _close_late(call: asyncio.Future[tuple[int, Ends]]) -> None:
    if not call.cancelled() and call.exception() is None:
        os.close(call.result()[0])
