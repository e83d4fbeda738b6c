"""Messages of every kind as tokens of the core."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import AsyncIterable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from ._errors import usage
from ._native import Message

if TYPE_CHECKING:
    import email.message
    from typing import IO

    from typing_extensions import TypeIs

#: A text, so that nobody need import ``email`` for it.
AnyMessage: TypeAlias = (
    "Message | email.message.Message | bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes]"
    " | Iterable[bytes]"
)


def is_email(message: object) -> TypeIs[email.message.Message]:
    """Whether it is a message of Python's ``email``, which takes as long to import as all else here: whoever has made one
    has imported it."""
    known = sys.modules.get("email.message")
    return known is not None and isinstance(message, known.Message)


def token(message: AnyMessage) -> Message:
    """The token for a message; ``TypeError`` for anything else."""
    if isinstance(message, Message):
        return message
    if isinstance(message, (bytes, bytearray)):
        return Message.from_bytes(message)
    if isinstance(message, memoryview):
        return Message.from_bytes(bytes(message))
    if is_email(message):
        from ._email import composed

        return composed(message)
    if isinstance(message, str):
        if "\n" in message:
            raise usage("a str names a file: give the message itself as bytes, or an EmailMessage")
        return Message.from_file(message)
    if isinstance(message, os.PathLike):
        return Message.from_file(os.fspath(message))
    if isinstance(message, AsyncIterable):
        raise TypeError(
            f"an asynchronous iterable ({type(message).__name__}) is a message for aio.sendmessage only: give its bytes, "
            "b''.join([piece async for piece in message])"
        )
    if callable(getattr(message, "read", None)):
        return _file(message)
    if isinstance(message, Iterable) and not isinstance(message, (dict, set, frozenset)):
        return _pieces(message)
    raise TypeError(
        "a message is an EmailMessage, bytes, the path of a file, a binary file, an iterable of bytes "
        f"or a smtpclient.Message, not {type(message).__name__}"
    )


def _file(file: Any) -> Message:
    if isinstance(file, io.TextIOBase):
        raise TypeError("a message file must be open in binary mode ('rb')")
    try:
        start = file.tell() if file.seekable() else None
        length = file.seek(0, io.SEEK_END) - start if start is not None else None
        if start is not None:
            file.seek(start)
    except (AttributeError, OSError):
        start = length = None

    def rewind() -> bool:
        if start is not None:
            file.seek(start)
        return start is not None

    def read(most: int) -> bytes:
        piece = file.read(most)
        if piece is None:
            raise BlockingIOError
        return _bytes(piece)

    return Message.from_reader(read, rewind, length if length is None or length >= 0 else None)


def _pieces(pieces: Iterable[bytes]) -> Message:
    iterator: Iterator[bytes] = iter(pieces)
    once = iterator is pieces

    def read(_most: int) -> bytes:
        for piece in iterator:
            if piece := _bytes(piece):
                return piece
        return b""

    def rewind() -> bool:
        nonlocal iterator
        if not once:
            iterator = iter(pieces)
        return not once

    return Message.from_reader(read, rewind)


def _bytes(piece: Any) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, (bytearray, memoryview)):
        return bytes(piece)
    raise TypeError(f"a message is made of bytes, and its source gave {type(piece).__name__}")
