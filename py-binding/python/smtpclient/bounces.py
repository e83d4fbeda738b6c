"""Reads delivery status notifications: what a server says later of a message that it had accepted (RFC 3464, RFC 6533).

    for bounce in bounces.read(octets):
        if bounce.failed:
            forget(bounce.original_recipient or bounce.recipient)

Give each message an envelope id (option ``dsnenvid``) or look at ``message_id`` to find the one that came back.
"""

from __future__ import annotations

import email
import email.message
import email.parser
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Bounce", "read"]

_TYPES = ("message/delivery-status", "message/global-delivery-status")
#: Where the returned message, or its header section, is.
_RETURNED = ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_UNICODE = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")


@dataclass(frozen=True, slots=True)
class Bounce:
    """What became of one recipient."""

    #: The address that it is about: if forwarded, the last one.
    recipient: str
    #: ``failed``, ``delayed``, ``delivered``, ``relayed`` or ``expanded`` (RFC 3464 section 2.3.3).
    action: str
    #: The enhanced status code, as ``5.1.1``; empty if the notification has none.
    status: str
    #: The words of the server that decided; empty if there are none.
    diagnostic: str = ""
    #: The address as the sender knew it, if the notification says so.
    original_recipient: str | None = None
    #: The server that decided, and the one that wrote the notification.
    remote_mta: str | None = None
    reporting_mta: str | None = None
    #: ``dsnenvid`` of the message.
    envelope_id: str | None = None
    #: ``Message-ID`` of the message, if it or its header section was returned.
    message_id: str | None = None
    #: Every field for this recipient, names in lower case.
    fields: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def failed(self) -> bool:
        """Whether the recipient will not get the message."""
        return self.action == "failed"

    @property
    def permanent(self) -> bool:
        """Whether it failed, and sending again would not help."""
        return self.failed and self.status.startswith("5")


def read(message: bytes | bytearray | memoryview | email.message.Message) -> list[Bounce]:
    """What a message says of each recipient, in its order.

    Empty if it is not a delivery status notification: an answer by a person, a receipt, or a bounce in words alone.
    A recipient without an address or action is left out.
    """
    if not isinstance(message, (bytes, bytearray, memoryview, email.message.Message)):
        raise TypeError(f"message must be bytes or a message of the email package, not {type(message).__name__}")
    try:
        return _read(message)
    except RecursionError:  # thousands of multiparts in each other, which no server writes
        return []


def _read(message: bytes | bytearray | memoryview | email.message.Message) -> list[Bounce]:
    if not isinstance(message, email.message.Message):
        message = email.message_from_bytes(bytes(message), policy=email.policy.compat32)
    reports = [part for part in _own_parts(message) if part.get_content_type() in _TYPES]
    message_id = _message_id(message)
    return [bounce for part in reports for bounce in _bounces(_text(part), message_id)]


def _own_parts(message: email.message.Message) -> Iterator[email.message.Message]:
    """The parts of the message, but nothing inside a message that it carries."""
    yield message
    if message.get_content_maintype() == "multipart" and message.is_multipart():
        for part in message.get_payload():
            if isinstance(part, email.message.Message):
                yield from _own_parts(part)


def _text(part: email.message.Message) -> str:
    """The content. The parser takes it for messages, of which only what they are made from counts."""
    payload = part.get_payload()
    if isinstance(payload, list):
        octets = b"\n".join(one.as_bytes() for one in payload if isinstance(one, email.message.Message))
        if str(part.get("Content-Transfer-Encoding", "")).strip().lower() in ("base64", "quoted-printable"):
            coded = email.message.Message()
            coded["Content-Transfer-Encoding"] = part["Content-Transfer-Encoding"]
            coded.set_payload(octets.strip(b"\n").decode("ascii", "replace"))
            octets = _octets(coded)
    else:
        octets = _octets(part)
    return octets.decode("utf-8", "replace")


def _octets(part: email.message.Message) -> bytes:
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else b""


def _bounces(text: str, message_id: str | None) -> Iterator[Bounce]:
    """The first block is about the message, each further one about a recipient; some servers join the two."""
    blocks = [_fields(block) for block in re.split(r"\n[ \t]*\n+", text.replace("\r\n", "\n").strip("\n"))]
    about = blocks[0] if blocks else {}
    for block in blocks:
        recipient = _address(block.get("final-recipient")) or _address(block.get("original-recipient"))
        action = block.get("action", "").partition("(")[0].strip().lower()
        if not recipient or not action:
            continue
        diagnostic = _typed(block.get("diagnostic-code"))
        status = _STATUS.search(block.get("status", "")) or _STATUS.search(diagnostic)
        yield Bounce(
            recipient=recipient,
            action=action,
            status=status.group(1) if status else "",
            diagnostic=diagnostic,
            original_recipient=_address(block.get("original-recipient")),
            remote_mta=_typed(block.get("remote-mta")) or None,
            reporting_mta=_typed(about.get("reporting-mta")) or None,
            envelope_id=about.get("original-envelope-id"),
            message_id=message_id,
            fields=block,
        )


def _fields(block: str) -> dict[str, str]:
    parsed = email.parser.HeaderParser(policy=email.policy.compat32).parsestr(block.lstrip("\n") + "\n\n")
    # The first of a name counts: a field that came twice was added on the way.
    fields: dict[str, str] = {}
    for name, value in parsed.items():
        fields.setdefault(name.lower(), " ".join(str(value).split()))
    return fields


def _typed(value: str | None) -> str:
    """A value without the type in front of it, as ``smtp; 550 no such user``."""
    kind, semicolon, rest = (value or "").partition(";")
    return rest.strip() if semicolon and re.fullmatch(r"\s*[\w-]+\s*", kind) else (value or "").strip()


def _address(value: str | None) -> str | None:
    """An address without type and angle brackets; ``\\x{...}`` is a character (RFC 6533 section 3)."""
    address = _typed(value)
    if value and value.lower().lstrip().startswith("utf-8"):
        address = _UNICODE.sub(lambda m: chr(int(m[1], 16)) if int(m[1], 16) < 0x110000 else m[0], address)
    return address.strip("<> ") or None


def _message_id(message: email.message.Message) -> str | None:
    for part in _own_parts(message):
        if part is message or part.get_content_type() not in _RETURNED:
            continue
        payload = part.get_payload()
        if isinstance(payload, list):
            found = payload[0].get("Message-ID") if payload and isinstance(payload[0], email.message.Message) else None
        else:
            found = email.parser.HeaderParser().parsestr(_octets(part).decode("utf-8", "replace")).get("Message-ID")
        if found:
            return str(found).strip()
    return None
