"""What sessions of both kinds share: what is asked, and what an answer means."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

from . import _native
from ._errors import SMTPException, checked, exception_of, usage
from ._native import Answer, Message, Options
from ._option_types import OptionDict
from ._report import Failure, Reply, Report, failure_of, report_of
from ._tokens import AnyMessage, is_email, token

#: A message, or one with options of its own.
Item: TypeAlias = "AnyMessage | tuple[AnyMessage, OptionDict]"
Addresses: TypeAlias = str | Iterable[str]

#: The strongest login that succeeds.
AUTH_DEFAULT = None


def given(argument: str | None) -> tuple[str, ...]:
    """What a verb takes where it may be left out."""
    return () if argument is None else (argument,)


def composed(content: AnyMessage) -> Message:
    """The token for content that is plain text, or a message already: one that says ``MIME-Version``."""
    if isinstance(content, str):
        return Message(content)
    if isinstance(content, (bytes, bytearray, memoryview)):
        return Message.from_content(bytes(content))
    return token(content)


def options_of(own: Options, base: Options | None, more: OptionDict) -> Options:
    """The session's options, others instead of them, and more beside them."""
    return Options(base or own, **more) if more else base or own


def addressed(
    options: Options, sender: str, to: Addresses, cc: Addresses, bcc: Addresses, subject: str
) -> Options:
    """The options for a message whose fields are these."""
    fields = [("From", sender), ("To", to), ("Cc", cc), ("Bcc", bcc), ("Subject", subject)]
    texts = [(name, value if isinstance(value, str) else ", ".join(value)) for name, value in fields]
    return options.for_fields([field for field in texts if field[1]])


_Messages = TypeVar("_Messages")
_ONE = (Message, bytes, bytearray, memoryview, str, os.PathLike)


def several(messages: _Messages) -> _Messages:
    """The messages of a batch; ``TypeError`` for a single one, whose parts would be taken for messages."""
    if isinstance(messages, _ONE) or is_email(messages):
        what = type(messages).__name__
        raise TypeError(f"send_many takes an iterable of messages, not one {what}: put it into a list")
    return messages


def ask_for(dialogue: _native.Dialogue, item: Item, options: Options, index: int) -> int | Report:
    """Ask for one of many messages; the report if nothing can be asked for."""
    try:
        if type(item) is bytes:
            return dialogue.send_message(item, options, index)
        message, own = item if isinstance(item, tuple) else (item, OptionDict())
        if not isinstance(own, Mapping):
            raise TypeError(f"a message must be followed by a dict of its options, not {type(own).__name__}")
        return dialogue.send_message(token(message), Options(options, **own) if own else options, index)
    except SMTPException as error:
        if error.failure is None:
            raise
        return Report(error=error.failure)


def reply_from(answer: Answer) -> Reply:
    done_from(answer)
    return Reply(**answer.reply)


def done_from(answer: Answer) -> None:
    if answer.failure is not None:
        raise exception_of(_known(answer.failure)) from answer.raised


def report_from(answer: Answer) -> Report:
    assert answer.report is not None
    return report_of(answer.report)


def sent_from(answer: Answer) -> Report:
    """The report of a message that was sent; an exception for one that was not."""
    cause = answer.raised
    try:
        return checked(report_from(answer))
    except SMTPException as error:
        if cause is None:
            raise
        if isinstance(cause, Exception):
            raise error from cause
        raise cause from error


def data_from(answer: Answer) -> Report:
    """The report about content: a refusal is a reply, not an error."""
    report = report_from(answer)
    if report.error is not None and (report.error.kind not in ("refused", "recipients") or report.reply is None):
        return sent_from(answer)
    return report


def only(report: Report) -> Reply:
    """The reply to content."""
    assert report.reply is not None
    return report.reply


def _known(failure: Any) -> Failure:
    known = failure_of(failure)
    assert known is not None
    return known
