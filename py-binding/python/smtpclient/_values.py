"""Values that options take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from datetime import timedelta

    from typing_extensions import Required

Seconds: TypeAlias = "int | float | timedelta"
Secret = str | bytes | bytearray
Direction = Literal["client", "server", "note"]
TokenReason = Literal["first", "refused"]
#: Gives an OAuth 2.0 access token: ``first`` when a connection logs in, ``refused`` if the server refused the one before.
#: With asyncio it may be a coroutine function.
TokenFunction: TypeAlias = "Callable[[TokenReason], Secret] | Callable[[TokenReason], Awaitable[Secret]]"
Listener = Callable[[Direction, str], object]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a message has got that is being handed over: option ``progress``."""

    #: Its ``Message-ID`` with the angle brackets; ``None`` if it is sent by verbs.
    message_id: str | None
    #: Option ``tag`` of the message.
    tag: str | None
    #: Its position in ``send_many``, from 0; its number in a ``Mailer``, from 1, as ``submit`` counts; else 0.
    index: int
    #: The server that is to get it, as reports name it.
    server: str
    #: The octets that were handed over so far. That all of them were does not mean that the server has accepted the message.
    octets: int
    #: All octets of the message, as this server gets it; ``None`` if they are not known.
    total: int | None


@dataclass(frozen=True, slots=True)
class Rcpt:
    """One recipient of option ``recipients``, and what the server is asked for it (RFC 3461).

    ``address`` is one mailbox. ``notify`` says when the server sends delivery status notifications: ``"never"``, or any
    of ``"success,failure,delay"``, as text or list; ``None`` is as option ``dsnnotify`` has it. ``orcpt`` is the original
    recipient, ``"rfc822;user@example.org"``, not encoded. ``Unsupported`` is raised if the server does not offer DSN.
    """

    address: str
    notify: str | Iterable[str] | None = None
    orcpt: str | None = None


class RcptDict(TypedDict, total=False):
    """The same as a dict."""

    address: Required[str]
    notify: str | Iterable[str] | None
    orcpt: str | None
