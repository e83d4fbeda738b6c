"""What Python's ``email`` composes, in octets for the server that they go to."""

from __future__ import annotations

import base64
import email
import email.generator
import email.header
import email.message
import email.policy
import email.utils
import io
import quopri
import re
from typing import Any

from ._errors import Unsupported, usage
from ._native import Message, ascii_field, is_text

_LINE_END = re.compile(r"\r\n|\r|\n")
_LINE_END_OCTETS = re.compile(rb"\r\n")


def composed(message: email.message.Message) -> Message:
    """The token for a message of Python's ``email``: as octets, and written anew for a server that does not take them."""
    octets = serialised(message)
    if octets.isascii():
        return Message.from_bytes(octets)
    policy = _policy(message)

    def rewrite(eight_bit: bool, utf8: bool) -> bytes | str:
        try:
            return _rewritten(octets, policy, eight_bit, utf8 and eight_bit)
        except Unsupported as error:
            return error.failure.text if error.failure else str(error)

    return Message.from_rewritable(octets, rewrite)


def serialised(message: email.message.Message) -> bytes:
    """The message for a server with 8BITMIME, ``Bcc`` and all; in UTF-8 only if the header section has no other form."""
    policy = _policy(message)
    try:
        if not _is_international(message):
            return _flattened(message, policy)
        international = _flattened(message, _utf8(policy))
    except RecursionError as error:
        raise usage("the message has too many parts within each other: give it fewer levels") from error
    try:
        return _rewritten(international, policy, eight_bit=True, utf8=False)
    except Unsupported:
        return _rewritten(international, policy, eight_bit=True, utf8=True)


def _policy(message: email.message.Message) -> email.policy.Policy:
    return message.policy.clone(linesep="\r\n")


def _utf8(policy: email.policy.Policy) -> Any:
    """The policy for header sections in UTF-8, also for an old ``Message``."""
    if isinstance(policy, email.policy.EmailPolicy):
        return policy.clone(utf8=True)
    return email.policy.EmailPolicy(linesep="\r\n", utf8=True, cte_type=policy.cte_type)


def _flattened(message: email.message.Message, policy: email.policy.Policy) -> bytes:
    out = io.BytesIO()
    try:
        email.generator.BytesGenerator(out, mangle_from_=False, policy=policy).flatten(message)
    except UnicodeError as error:
        raise usage(f"the message cannot be written as bytes: {error}") from error
    return out.getvalue()


def _is_international(message: email.message.Message) -> bool:
    """Whether the header section of the message or of a part has text that encoded words cannot hold, such as an address:
    the ``email`` package encodes it all the same (RFC 2047 section 5)."""
    for part in message.walk():
        for name, value in part.items():
            text = str(value)
            if text.isascii() or is_text(name) or isinstance(value, email.header.Header):
                continue
            addresses = [address for _, address in email.utils.getaddresses([text])]
            if not _has_addresses(value) or not all(address.isascii() for address in addresses):
                return True
    return False


def _has_addresses(value: Any) -> bool:
    """Whether it is an address field, of which the ``email`` package knows that names alone can be encoded."""
    return hasattr(value, "addresses")


def _rewritten(octets: bytes, policy: email.policy.Policy, eight_bit: bool, utf8: bool) -> bytes:
    """The same message in another form; ``Unsupported`` if the header section has none."""
    message = email.message_from_bytes(octets, policy=_utf8(policy).clone(refold_source="none"))
    for part in message.walk():
        _encode_fields(part, raw=utf8, first=part is message)
    if utf8:
        _name_global(message)
    if not eight_bit:
        _encode_bodies(message)
    return _flattened(message, message.policy)


def _encode_fields(part: email.message.Message, raw: bool, first: bool) -> None:
    """Encodes fields beyond ASCII: all of them; of a part, if ``raw`` is true, those that can be; none of the message's."""
    items = list(part.raw_items())
    if (raw and first) or all(str(value).isascii() for _, value in items):
        return
    for name in {name for name, _ in items}:
        del part[name]
    for name, value in items:
        part.set_raw(name, _encoded(name, str(value), raw))


def _encoded(name: str, value: str, raw: bool) -> str:
    if value.isascii():
        return value
    try:
        text = value.encode("ascii", "surrogateescape").decode()
    except UnicodeError:
        return value  # octets that were given so
    try:
        return ascii_field(name, _LINE_END.sub("", text))[len(name) + 2 : -2]
    except Unsupported:
        if raw:
            return value
        raise


def _name_global(message: email.message.Message) -> None:
    """Within a message in UTF-8, one with a header section that is not ASCII is not a ``message/rfc822`` (RFC 6532 section 3.7)."""
    for part in message.walk():
        if part.get_content_type() == "message/rfc822" and not _has_ascii_fields(part):
            kind = str(part["Content-Type"])
            part.replace_header("Content-Type", re.sub("message/rfc822", "message/global", kind, count=1, flags=re.I))


def _has_ascii_fields(part: email.message.Message) -> bool:
    inner: Any = part.get_payload()
    parts = [within for one in inner for within in one.walk()] if isinstance(inner, list) else []
    return all(str(value).isascii() for one in parts for _, value in one.raw_items())


def _encode_bodies(part: email.message.Message) -> None:
    """Encodes what is 8-bit. What was signed stays as it is (RFC 1847 section 2.1), and so do reports (RFC 2046 section 5.2)."""
    content: Any = part.get_payload()
    if isinstance(content, list):
        if part.get_content_type() != "multipart/signed":
            for inner in content:
                _encode_bodies(inner)
            if part.get("Content-Transfer-Encoding", "").strip().lower() in ("8bit", "binary"):
                _set_field(part, "Content-Transfer-Encoding", "7bit")
        return
    if not isinstance(content, str) or content.isascii() or part.get_content_maintype() == "message":
        return
    if str(part.get("Content-Transfer-Encoding", "8bit")).strip().lower() not in ("7bit", "8bit", "binary"):
        return
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)  # it is not made of parts
    if part.get_content_maintype() == "text":
        encoding, encoded = "quoted-printable", quopri.encodestring(_LINE_END_OCTETS.sub(b"\n", octets))
    else:
        encoding, encoded = "base64", base64.encodebytes(octets)
    part.set_payload(encoded.decode("ascii"))
    _set_field(part, "Content-Transfer-Encoding", encoding)


def _set_field(part: email.message.Message, name: str, value: str) -> None:
    if name in part:
        part.replace_header(name, value)
    else:
        part[name] = value
