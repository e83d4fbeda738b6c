"""``sendmessage`` and ``verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _native
from ._native import Options
from ._option_types import OptionDict
from ._options import base_of, listener
from ._report import Report, report_of
from ._tokens import AnyMessage, token

if TYPE_CHECKING:
    from typing_extensions import Unpack


def sendmessage(
    message: AnyMessage, base: Options | None = None, /, **options: Unpack[OptionDict]
) -> Report:
    """Send a message to the first server that takes it.

    ``message`` is an ``EmailMessage``, bytes, the path of a file, a binary file, an iterable of bytes
    or a ``Message``. Options are keyword arguments; ``base`` gives others, made once.

    Return the report, which is empty as a list if every recipient was accepted. Raise
    ``RecipientsRefused`` if nothing was sent because of refused recipients, another
    ``SMTPException`` if a step failed, ``TypeError`` for an unknown option or a wrong type.
    """
    base = base_of(base)
    known = base if base is not None and not options else Options(base, **options)
    return report_of(_native.sendmessage(token(message), known, listener(known)))


def verify(base: Options | None = None, /, **options: Unpack[OptionDict]) -> Report:
    """Look whether a message could be sent with these options: connect to each of the servers, do EHLO, TLS and
    login, and say QUIT.

    Return a report without recipients. It has an attempt for each server, whose ``offered`` says what the server
    offers. Raise an ``SMTPException`` that has the same report if a server cannot be used, ``TypeError`` for an
    unknown option or a wrong type.
    """
    base = base_of(base)
    known = base if base is not None and not options else Options(base, **options)
    return report_of(_native.verify(known, listener(known)))
