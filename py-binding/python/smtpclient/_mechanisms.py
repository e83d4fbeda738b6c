"""Option ``mechanisms``: login mechanisms of the caller's own."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class LoginFacts:
    """What is known of a login that begins."""

    #: The server's name as it was given, and its port.
    host: str
    port: int
    protocol: Literal["smtp", "lmtp"]
    #: Option ``username``; empty if there is none.
    username: str
    #: Option ``authzid``: whom to act for. A mechanism that cannot say it must raise if it is set.
    authzid: str | None
    #: Whether TLS is up, and whether its certificate verified or is pinned.
    encrypted: bool
    verified: bool
    #: As ``TLSv1.3``; ``None`` without TLS, and if it is not known.
    tls_version: str | None
    #: What the login can be bound to (RFC 5056): some of ``tls-exporter``, ``tls-unique`` and ``tls-server-end-point``, preferred
    #: first, and the octets of each.
    bindings: dict[str, bytes] = field(repr=False)


class LoginExchange(Protocol):
    """One login by a mechanism of the caller's own."""

    @property
    def complete(self) -> bool:
        """Whether the mechanism has seen all that it needs. A server that says that the login succeeded before that, or asks for
        more after it, is not believed.
        """

    def step(self, challenge: bytes | None, /) -> bytes | None | Awaitable[bytes | None]:
        """What to say next, before base64. ``challenge`` is ``None`` at first, then what the server said. ``None``: nothing; at first
        the server then begins, later that is an empty response. An exception is why the login cannot go on.
        """


class LoginMechanism(Protocol):
    """A login mechanism of the caller's own. If it shows no secret to whoever listens, it says so by ``reveals_secret = False``;
    else it is used only over TLS, on this machine, or with option ``authinsecure``.
    """

    @property
    def name(self) -> str:
        """In the AUTH command: 1 to 20 capital letters, digits, hyphens and underscores. One that ends in ``-PLUS`` is used only if
        a login can be bound to the connection.
        """

    def begin(self, login: LoginFacts, /) -> LoginExchange | Awaitable[LoginExchange]:
        """Begins a login. Only ``smtpclient.aio`` takes coroutine functions, here and for ``step``."""
