"""Options: their types, and who listens to the dialogue."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

from ._native import TLS, Cancel, Options

if TYPE_CHECKING:
    from datetime import timedelta
    from ipaddress import IPv4Address, IPv6Address

    from typing_extensions import Required

Seconds: TypeAlias = "int | float | timedelta"
Secret = str | bytes | bytearray
Direction = Literal["client", "server", "note"]
Listener = Callable[[Direction, str], object]

logger = logging.getLogger("smtpclient")


@dataclass(frozen=True, slots=True)
class Rcpt:
    """One recipient of option ``recipients``, and what the server is asked for it (RFC 3461).

    ``address`` is one mailbox. ``notify`` says when the server sends delivery status notifications: ``"never"``, or any
    of ``"success,failure,delay"``, as text or list; ``None`` is as option ``dsnnotify`` has it. ``orcpt`` is the original
    recipient, ``"rfc822;user@example.org"``, not encoded. ``Unsupported`` is raised where the server does not offer DSN.
    """

    address: str
    notify: str | Iterable[str] | None = None
    orcpt: str | None = None


class RcptDict(TypedDict, total=False):
    """The same as a dict."""

    address: Required[str]
    notify: str | Iterable[str] | None
    orcpt: str | None


class TLSDict(TypedDict, total=False):
    """The options that say what TLS is like. ``None`` leaves one at its default."""

    tlsverify: bool | None
    tlstrust: Literal["system", "given", "both"] | None
    tlscafile: str | os.PathLike[str] | None
    tlsca: str | bytes | None
    tlscertfile: str | os.PathLike[str] | None
    tlskeyfile: str | os.PathLike[str] | None
    tlskeypassword: Secret | None
    tlsfingerprint: str | Iterable[str] | None
    tlsminversion: Literal["1.0", "1.1", "1.2", "1.3"] | None
    tlsmaxversion: Literal["1.0", "1.1", "1.2", "1.3"] | None
    tlsciphers: str | None
    tlskeylog: str | os.PathLike[str] | None
    tlsservername: str | None


class OptionDict(TLSDict, total=False):
    """The options of ``sendmessage``, by name. ``None`` leaves one at its default."""

    servers: str | Iterable[str] | None
    ports: int | str | Iterable[int] | None
    client: str | None
    queue: bool | None
    atleastone: bool | None
    originator: str | None
    recipients: str | Iterable[str | Rcpt | RcptDict] | None
    header: Mapping[str, str] | Iterable[tuple[str, str]] | str | None
    usetls: bool | None
    tlsimport: bool | None
    tlspolicy: (
        Literal["secure", "insecure"] | Callable[[int, str], Literal["secure", "insecure"]] | None
    )
    tlsrequired: bool | None
    username: str | None
    password: Secret | None
    auth: str | Iterable[str] | None
    oauthtoken: Secret | None
    authinsecure: bool | None
    debug: bool | None
    maxsecs: Seconds | None
    connecttimeout: Seconds | None
    timeout: Seconds | None
    deadline: Seconds | None
    localaddress: str | IPv4Address | IPv6Address | None
    proxy: Secret | None
    pipelining: Literal["off", "rfc", "crossing", "full"] | None
    chunking: Literal["off", "auto", "on"] | None
    reconnect: bool | None
    dsnnotify: str | Iterable[str] | None
    dsnret: Literal["full", "hdrs"] | None
    dsnenvid: str | None
    smtputf8: bool | None
    requiretls: bool | None
    deliverby: str | int | None
    priority: int | None
    hold: str | int | None
    lmtp: bool | None
    connections: int | None
    connectionmessages: int | None
    rate: float | None
    queuesize: int | None
    retries: int | None
    backoff: Seconds | None
    retrytime: Seconds | None
    idletime: Seconds | None
    rcpt: str | None
    defaultdomain: str | None
    transcript: Listener | None
    cancel: Cancel | None
    tls: TLS | None


def base_of(base: Options | None) -> Options | None:
    """The second argument of ``sendmessage``; ``TypeError`` for anything else, such as a server's name."""
    if base is not None and not isinstance(base, Options):
        what = f"{type(base).__name__} {base!r}" if isinstance(base, str) else type(base).__name__
        raise TypeError(f"behind the message stand Options, not the {what}: name options, as in servers=[...]")
    return base


def listener(options: Options) -> Listener | None:
    """Everybody who wants to hear the dialogue, as one function."""
    listeners: list[Listener] = []
    if options.debug:
        listeners.append(_print)
    if logger.isEnabledFor(logging.DEBUG):
        listeners.append(_log)
    if options.transcript is not None:
        listeners.append(options.transcript)
    if len(listeners) < 2:
        return listeners[0] if listeners else None

    def every(direction: Direction, line: str) -> None:
        for each in listeners:
            each(direction, line)

    return every


_MARKS = {"client": "C:", "server": "S:", "note": "--"}


def _print(direction: Direction, line: str) -> None:
    if sys.stderr is not None:
        print(_MARKS[direction], line, file=sys.stderr)


def _log(direction: Direction, line: str) -> None:
    logger.debug("%s %s", _MARKS[direction], line)
