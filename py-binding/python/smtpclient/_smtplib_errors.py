"""The exceptions of ``smtpclient.smtplib``: each is the standard module's own of that name, and this library's."""

from __future__ import annotations

import smtplib as _standard
from types import TracebackType
from typing import TypeAlias

from . import _errors
from ._report import Failure, Refused, Reply, Report

#: Refused recipients with code and text, as ``sendmail`` returns them.
Refusals: TypeAlias = dict[str, tuple[int, bytes]]


class SMTPException(_errors.SMTPException, _standard.SMTPException):
    """What every exception of this module is."""

    def __init__(
        self, *args: object, failure: Failure | None = None, report: Report | None = None
    ) -> None:
        self.args = args
        self.failure = failure
        self.report = report


class SMTPNotSupportedError(
    SMTPException, _standard.SMTPNotSupportedError, _errors.Unsupported
):
    """The server does not offer what is needed."""


class SMTPServerDisconnected(
    SMTPException, _standard.SMTPServerDisconnected, _errors.ConnectionClosed
):
    """There is no connection, or none any more."""


class SMTPTimeout(SMTPServerDisconnected, _errors.Timeout):
    """The server took too long; the connection is closed. The standard module has no name for this."""


class SMTPOutcomeUnknown(SMTPServerDisconnected, _errors.OutcomeUnknown):
    """The whole message may have arrived, and no reply came: sending it again may deliver it twice. The standard
    module has no name for this."""


class SMTPTLSError(SMTPServerDisconnected, _errors.TLSError):
    """Something spoke in plain text although TLS was agreed. The standard module has no name for this."""


class SMTPResponseException(SMTPException, _standard.SMTPResponseException):
    """A reply of the server's: ``smtp_code`` and ``smtp_error``."""

    _step = "command"

    def __init__(
        self,
        code: int,
        msg: bytes | str,
        *others: object,
        failure: Failure | None = None,
        report: Report | None = None,
    ) -> None:
        failure = failure or _refused(code, msg, self._step)
        SMTPException.__init__(self, code, msg, *others, failure=failure, report=report)
        self.smtp_code = code
        self.smtp_error = msg


class SMTPProtocolError(SMTPResponseException, _errors.ProtocolError):
    """What the server said is not SMTP. The standard module has no name for this."""


class SMTPSenderRefused(
    SMTPResponseException, _standard.SMTPSenderRefused, _errors.RefusedError
):
    """The sender was refused: ``sender``."""

    _step = "mail"

    def __init__(
        self,
        code: int,
        msg: bytes,
        sender: str,
        *,
        failure: Failure | None = None,
        report: Report | None = None,
    ) -> None:
        SMTPResponseException.__init__(self, code, msg, sender, failure=failure, report=report)
        self.sender = sender


class SMTPDataError(SMTPResponseException, _standard.SMTPDataError, _errors.RefusedError):
    """The message was refused."""

    _step = "data"


class SMTPConnectError(SMTPResponseException, _standard.SMTPConnectError, _errors.RefusedError):
    """The server greeted with something else than 220."""

    _step = "greeting"


class SMTPHeloError(SMTPResponseException, _standard.SMTPHeloError, _errors.RefusedError):
    """The server refused EHLO and HELO."""

    _step = "hello"


class SMTPAuthenticationError(
    SMTPResponseException, _standard.SMTPAuthenticationError, _errors.AuthenticationError
):
    """The server refused the login."""

    _step = "auth"


class SMTPRecipientsRefused(
    SMTPException, _standard.SMTPRecipientsRefused, _errors.RecipientsRefused
):
    """Every recipient was refused: ``recipients``."""

    def __init__(
        self,
        recipients: Refusals,
        *,
        failure: Failure | None = None,
        report: Report | None = None,
    ) -> None:
        failure = failure or _all_refused(recipients)
        SMTPException.__init__(self, recipients, failure=failure, report=report)
        self.recipients = recipients

    @property
    def refused(self) -> tuple[Refused, ...]:
        """The refused recipients, with code and text."""
        return tuple(
            Refused(address, code, text.decode("utf-8", "replace"))
            for address, (code, text) in self.recipients.items()
        )


class Ours:
    """Turns what the standard module's code raises into the exception of that name here."""

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, _standard.SMTPException) and not isinstance(error, SMTPException):
            raise _NAMED.get(type(error), SMTPException)(*error.args) from None


_NAMED: dict[type[BaseException], type[SMTPException]] = {
    _standard.SMTPNotSupportedError: SMTPNotSupportedError,
    _standard.SMTPServerDisconnected: SMTPServerDisconnected,
    _standard.SMTPResponseException: SMTPResponseException,
    _standard.SMTPSenderRefused: SMTPSenderRefused,
    _standard.SMTPRecipientsRefused: SMTPRecipientsRefused,
    _standard.SMTPDataError: SMTPDataError,
    _standard.SMTPConnectError: SMTPConnectError,
    _standard.SMTPHeloError: SMTPHeloError,
    _standard.SMTPAuthenticationError: SMTPAuthenticationError,
}


def lost(failure: Failure) -> Exception:
    """The exception for a step that got no reply."""
    text = failure.message
    if failure.kind == "usage":
        return _errors.exception_of(failure)
    if failure.kind == "protocol":
        kind = SMTPConnectError if failure.step == "greeting" else SMTPProtocolError
        return kind(-1, text.encode(), failure=failure)
    kinds: dict[str, type[SMTPException]] = {
        "timeout": SMTPTimeout,
        "unknown": SMTPOutcomeUnknown,
        "tls": SMTPTLSError,
    }
    return kinds.get(failure.kind, SMTPServerDisconnected)(text, failure=failure)


def _all_refused(recipients: Refusals) -> Failure | None:
    """What the core says of the same: the first refusal for good decides, else the first."""
    found = sorted(recipients.items(), key=lambda one: one[1][0] < 500)[:1]
    for address, (code, msg) in found:
        told = _refused(code, msg, "rcpt")
        text = f"{len(recipients)} recipients were refused, and nobody got the message: {address}"
        return Failure("recipients", "rcpt", text, None, told.reply, told.transient, f"rcpt: {text}: {told.reply}")
    return None


def _refused(code: int, msg: bytes | str, step: str) -> Failure:
    text = msg.decode("utf-8", "replace") if isinstance(msg, bytes) else str(msg)
    first, _, rest = text.partition(" ")
    if first[:1] == str(code)[:1] and first.count(".") == 2:
        reply = Reply(code, first, rest, text)
    else:
        reply = Reply(code, None, text)
    return Failure("refused", step, text, None, reply, 400 <= code < 500, f"{step}: {reply}")
