"""Option ``signers``: what signs messages in a way of the caller's own."""

from __future__ import annotations

from typing import Protocol


class Signing(Protocol):
    """One message that is being signed."""

    def update(self, octets: bytes, /) -> object:
        """The next octets of the message as its server gets it, from the first of its header section to the last of its body, with CRLF
        at the end of every line and no dot stuffed.
        """

    def finish(self, now: int, /) -> str | bytes | None:
        """The header fields that go in front of the message: ``Name: value``, folded or not, in ASCII, in lines of at most 998 octets that end in
        CRLF or LF. ``now`` is in seconds since 1970. An exception, here or before, is why the message cannot be signed: it is not
        sent then (``SourceError``).
        """


class Signer(Protocol):
    """Signs messages, several at once: a mailer asks on threads of its own, everything else on the thread that sends."""

    def begin(self) -> Signing:
        """Begins a message. It is signed once more for a server that needs another form of it."""
