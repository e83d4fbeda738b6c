"""What became of a message, as plain data: comparable, picklable, hashable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

if TYPE_CHECKING:
    from ._native import Sent

Outcome = Literal["accepted", "rejected", "not_sent", "unknown"]


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole reply of a server. ``enhanced`` is its status code as RFC 3463 has it, ``"5.1.1"``, ``text`` what
    the server says beside the two codes, and ``raw`` the text as it was sent: with the enhanced status code, on each line that
    had it."""

    code: int
    enhanced: str | None
    text: str
    raw: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.raw:
            object.__setattr__(self, "raw", f"{self.enhanced} {self.text}" if self.enhanced else self.text)

    @property
    def lines(self) -> list[str]:
        """The lines of ``text``; at least one."""
        return self.text.split("\n")

    @property
    def ok(self) -> bool:
        """2yz: done."""
        return 200 <= self.code < 300

    def __str__(self) -> str:
        codes = f"{self.code} {self.enhanced}" if self.enhanced else f"{self.code}"
        return f"{codes} {' / '.join(self.lines)}"


class Refused(NamedTuple):
    """A recipient that the server refused, with its words."""

    address: str
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step failed: what an exception says, as data."""

    kind: str
    step: str
    text: str
    server: str | None
    reply: Reply | None
    transient: bool
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient. ``step`` is the one that decided: ``rcpt``, ``final``, or the one that failed."""

    address: str
    #: What stood in RCPT TO in its place (option ``redirectto``).
    redirected_to: str | None
    outcome: Outcome
    step: str
    reply: Reply | None

    @property
    def code(self) -> int | None:
        """The code of the reply that decided, if there was one."""
        return self.reply.code if self.reply else None

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code of that reply."""
        return self.reply.enhanced if self.reply else None

    @property
    def text(self) -> str | None:
        """The text of that reply."""
        return self.reply.text if self.reply else None


@dataclass(frozen=True, slots=True)
class Login:
    """One SASL mechanism that was tried; ``error`` is ``None`` if it logged in."""

    mechanism: str
    error: Failure | None


@dataclass(frozen=True, slots=True)
class TLSFacts:
    """What is known of a TLS connection. ``why_not`` says in a word, and ``why_not_text`` in
    words, why ``verified`` is false."""

    certificate_sha256: str | None
    public_key_sha256: str | None
    verified: bool
    why_not: str | None
    why_not_text: str | None
    pinned: bool
    version: str | None
    cipher: str | None
    subject: str | None
    issuer: str | None
    #: When the certificate expires, in UTC: ``2026-12-01T08:00:00Z``.
    expires: str | None
    #: An earlier connection's session was resumed; the certificate was looked at then.
    resumed: bool = False
    #: The TLS library: ``openssl``, ``rustls`` or ``native-tls``.
    library: str | None = None


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension that a server offers, as it sent it; ``parameters`` may be empty."""

    keyword: str
    parameters: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offers; under TLS if TLS is used."""

    greeting: Reply | None
    extensions: tuple[Extension, ...]
    mechanisms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConnectionTimes:
    """How long a connection took to make, part by part: microseconds, ``None`` for a part that did not take place.
    ``resolve`` is finding the addresses of the server or its proxy; ``connect`` is connecting to one of them, with the
    handshake of a proxy; ``tls`` is the handshake; ``greeting`` is from the connection to the server's greeting, without a
    handshake that came before it; ``login`` is from the first AUTH to the reply that ended the last login."""

    resolve: int | None = None
    connect: int | None = None
    tls: int | None = None
    greeting: int | None = None
    login: int | None = None


@dataclass(frozen=True, slots=True)
class MessageTimes:
    """How long a message took, part by part: microseconds, ``None`` for a part that did not take place. ``envelope`` is from
    MAIL until the content could be written, ``body`` until its end was written, ``reply`` until the final reply came.
    ``total`` is from when the message was asked for until its outcome was known, with waiting, connecting, and what was
    tried before."""

    envelope: int | None = None
    body: int | None = None
    reply: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One server that was tried; ``error`` is why it was left, ``None`` if the report is about it. ``peer`` is the address
    and port that were connected to, ``None`` for a Unix socket."""

    server: str
    peer: str | None
    tls: TLSFacts | None
    policy: Literal["secure", "insecure"] | None
    logins: tuple[Login, ...]
    error: Failure | None
    #: What the server offers, if that was asked: by ``verify``.
    offered: Offer | None = None
    #: How long the connection took to make.
    times: ConnectionTimes = field(default=ConnectionTimes(), compare=False)


class _Later:
    """A field of a report that the native module has still: it is made when it is asked for, once."""

    def __init__(self, name: str, default: Any, make: Callable[[Any], Any]) -> None:
        self._name, self._default, self._make = name, default, make

    def __get__(self, report: Report | None, kind: type[Report]) -> Any:
        native: Sent | None = None if report is None else report.__dict__.get(_NATIVE)
        if report is None or native is None:
            return self._default
        value = self._make(native.field(self._name))
        report.__dict__[self._name] = value  # from here on this is not asked
        return value


@dataclass(frozen=True, eq=False, repr=False)
class Report(Sequence[Refused]):
    """The result of sending one message.

    As a sequence it is the list of the recipients that the server refused, so it is empty, and false,
    if all went well. Two reports are equal if all their fields but the times are; a report equals a list or
    tuple with the same refused recipients.
    """

    recipients: tuple[Recipient, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    #: The reply to the end of the message; for LMTP the last of them.
    reply: Reply | None = None
    #: The server's own name for the message, if its reply has a known form.
    queue_id: str | None = None
    #: The extensions that were used, by keyword.
    used: tuple[str, ...] = ()
    #: Extensions that are not used any more on the connection, since the server mishandled them.
    avoided: tuple[str, ...] = ()
    #: Octets of the message that were given to the connection.
    octets: int = 0
    #: How long the message took.
    times: MessageTimes = MessageTimes()
    #: Why nobody got the message, or that is not known: a step that failed, or kind ``recipients`` if refused
    #: recipients are why. ``None`` if at least one recipient was accepted and no step failed.
    error: Failure | None = None

    @property
    def refused(self) -> tuple[Refused, ...]:
        """The recipients that the server refused."""
        return tuple(
            Refused(r.address, r.reply.code if r.reply else 0, r.reply.text if r.reply else "")
            for r in self.recipients
            if r.outcome == "rejected"
        )

    @property
    def status(self) -> str:
        """``"ok"``, ``"partial"`` (some of the recipients), or the kind of the error."""
        if self.unknown:
            return "unknown"
        if self.sent:
            return "ok" if self.complete else "partial"
        if self.error:
            return self.error.kind
        return "recipients" if self.recipients else "ok"

    @property
    def sent(self) -> bool:
        """Whether the server took the message for at least one recipient."""
        native: Sent | None = self.__dict__.get(_NATIVE)
        if native is not None:
            return native.sent
        return any(r.outcome == "accepted" for r in self.recipients)

    @property
    def complete(self) -> bool:
        """Whether the server took the message for every recipient."""
        native: Sent | None = self.__dict__.get(_NATIVE)
        if native is not None:
            return native.complete
        return bool(self.recipients) and all(r.outcome == "accepted" for r in self.recipients)

    @property
    def unknown(self) -> bool:
        """Whether it is unknown for a recipient what became of the message."""
        native: Sent | None = self.__dict__.get(_NATIVE)
        if native is not None:
            return native.unknown
        return any(r.outcome == "unknown" for r in self.recipients)

    def to_dict(self) -> dict[str, Any]:
        """Everything as dicts, lists, strings and numbers, for JSON: what C and Tcl have, too."""
        plain: dict[str, Any] = {"status": self.status, "sent": self.sent, "complete": self.complete, "unknown": self.unknown}
        return plain | {name: _lists(value) for name, value in asdict(self).items()}

    @overload
    def __getitem__(self, index: int) -> Refused: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Refused]: ...
    def __getitem__(self, index: int | slice) -> Refused | Sequence[Refused]:
        return self.refused[index]

    def __len__(self) -> int:
        native: Sent | None = self.__dict__.get(_NATIVE)
        if native is not None:
            return len(native)
        return sum(r.outcome == "rejected" for r in self.recipients)

    def __iter__(self) -> Iterator[Refused]:
        return iter(self.refused)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Report):
            return all(getattr(self, name) == getattr(other, name) for name in _MAKERS if name != "times")
        if isinstance(other, (list, tuple)):
            return list(self.refused) == list(other)
        return NotImplemented

    def __getstate__(self) -> dict[str, Any]:
        return dict(zip(_MAKERS, self._fields(), strict=True))

    def __hash__(self) -> int:
        return hash(self.refused)

    def __repr__(self) -> str:
        counts = [(name, sum(r.outcome == name for r in self.recipients)) for name in _OUTCOMES]
        parts = [f"{count} {name}" for name, count in counts if count] or ["no recipients"]
        if self.queue_id:
            parts.append(f"queued as {self.queue_id}")
        if self.attempts:
            parts.append(f"by {self.attempts[-1].server}")
        if self.refused:
            parts.append("refused: " + ", ".join(f"{r.address} ({r.code})" for r in self.refused))
        if self.error:
            parts.append(str(self.error))
        return f"<Report: {'; '.join(parts)}>"

    def _fields(self) -> tuple[object, ...]:
        return (
            self.recipients,
            self.attempts,
            self.reply,
            self.queue_id,
            self.used,
            self.avoided,
            self.octets,
            self.times,
            self.error,
        )


_OUTCOMES = ("accepted", "rejected", "not_sent", "unknown")


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lists(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_lists(item) for item in value]
    return value


# From the native module's dicts, whose names are those of the classes' fields.


def reply_of(native: Any) -> Reply | None:
    return native and Reply(**native)


def failure_of(native: Any) -> Failure | None:
    return native and Failure(**native | {"reply": reply_of(native["reply"])})


def report_of(native: Sent) -> Report:
    """A report whose fields are made when they are asked for."""
    report = _new(Report)
    report.__dict__[_NATIVE] = native
    return report


def _recipient(native: Any) -> Recipient:
    return Recipient(**native | {"reply": reply_of(native["reply"])})


def _login(native: Any) -> Login:
    return Login(**native | {"error": failure_of(native["error"])})


def _offer(native: Any) -> Offer:
    extensions = tuple(Extension(**one) for one in native["extensions"])
    return Offer(reply_of(native["greeting"]), extensions, tuple(native["mechanisms"]))


def _attempt(native: Any) -> Attempt:
    made = {
        "tls": native["tls"] and TLSFacts(**native["tls"]),
        "logins": tuple(map(_login, native["logins"])),
        "error": failure_of(native["error"]),
        "offered": native["offered"] and _offer(native["offered"]),
        "times": ConnectionTimes(**native["times"]),
    }
    return Attempt(**native | made)


#: Where a report has what the native module gave.
_NATIVE = "_native"
_new = object.__new__


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "recipients": lambda all: tuple(map(_recipient, all)),
    "attempts": lambda all: tuple(map(_attempt, all)),
    "reply": reply_of,
    "queue_id": lambda name: name,
    "used": tuple,
    "avoided": tuple,
    "octets": lambda count: count,
    "times": lambda times: MessageTimes(**times),
    "error": failure_of,
}
for _name, _make in _MAKERS.items():
    setattr(Report, _name, _Later(_name, getattr(Report, _name), _make))
