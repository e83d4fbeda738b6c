"""The exceptions: one tree under ``SMTPException``."""

from __future__ import annotations

from typing import Any

from ._report import Attempt, Failure, Refused, Reply, Report, failure_of, report_of


class SMTPException(Exception):
    """A message was not sent, or a step of a session failed. All of it can be pickled."""

    def __init__(
        self, message: str = "", *, failure: Failure | None = None, report: Report | None = None
    ) -> None:
        super().__init__(message)
        #: Why, as data.
        self.failure = failure
        #: What became of each recipient and at each server, if a message was to be sent.
        self.report = report

    @property
    def transient(self) -> bool:
        """Whether trying again later can help. Never true if the outcome is unknown."""
        return self.failure.transient if self.failure else False

    @property
    def reply(self) -> Reply | None:
        """The server's reply, if it was one that failed the step."""
        return self.failure.reply if self.failure else None

    @property
    def code(self) -> int | None:
        """The reply's code."""
        return self.reply.code if self.reply else None

    @property
    def enhanced(self) -> str | None:
        """The reply's enhanced status code."""
        return self.reply.enhanced if self.reply else None

    @property
    def step(self) -> str:
        """The step that failed: ``setup``, ``connect``, ``tls``, ``mail``, ``final``, ..."""
        return self.failure.step if self.failure else "setup"

    @property
    def server(self) -> str | None:
        """The server as the caller named it, with its port."""
        return self.failure.server if self.failure else None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The servers that were tried."""
        return self.report.attempts if self.report is not None else ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.args, self.failure, self.report)


class UsageError(SMTPException, ValueError):
    """The caller's mistake, found before a byte went out."""


class ConnectError(SMTPException, ConnectionError):
    """No connection could be made."""


class ResolveError(ConnectError):
    """The server's name could not be resolved."""


class Timeout(SMTPException, TimeoutError):
    """The server, or the whole call, took longer than was allowed."""


class ConnectTimeout(Timeout, ConnectError):
    """No connection was made in time."""


class ConnectionClosed(SMTPException, ConnectionError):
    """The connection ended before the step was done; or the session is closed."""


class ProtocolError(SMTPException):
    """The server said something that is not SMTP, or not at this place."""


class RefusedError(SMTPException):
    """The server answered 4yz or 5yz."""


class RecipientsRefused(RefusedError):
    """Nobody got the message, because recipients were refused. ``refused`` lists them.

    ``reply`` is that to the first recipient that was refused for good, else to the first that was refused;
    ``transient`` if every refusal is.
    """

    @property
    def refused(self) -> tuple[Refused, ...]:
        """The refused recipients, with code and text."""
        return self.report.refused if self.report is not None else ()


class Unsupported(SMTPException):
    """The server does not offer what an option or the message needs."""


class MessageTooLarge(SMTPException):
    """The message is larger than the server takes (RFC 1870)."""


class SourceError(SMTPException):
    """The message could not be read: a file, or the caller's own iterator."""


class CommitError(SMTPException):
    """The function of option ``commit`` failed, and the message was withdrawn before its end: it is certainly not sent."""


class TLSError(SMTPException):
    """TLS could not be set up as the options ask."""


class AuthenticationError(SMTPException):
    """No login succeeded, and credentials were given."""


class Cancelled(SMTPException):
    """The call was cancelled, or a function of the caller's raised."""


class QueueFull(SMTPException):
    """The queue of a mailer has no room now; nothing was taken."""


class OutcomeUnknown(SMTPException):
    """The whole message may have reached the server and no final reply was read: it is perhaps
    delivered, and sending it again may deliver it twice."""


_KINDS: dict[str, type[SMTPException]] = {
    "usage": UsageError,
    "resolve": ResolveError,
    "connect": ConnectError,
    "timeout": Timeout,
    "closed": ConnectionClosed,
    "protocol": ProtocolError,
    "refused": RefusedError,
    "recipients": RecipientsRefused,
    "unsupported": Unsupported,
    "toolarge": MessageTooLarge,
    "source": SourceError,
    "commit": CommitError,
    "tls": TLSError,
    "login": AuthenticationError,
    "cancelled": Cancelled,
    "full": QueueFull,
    "unknown": OutcomeUnknown,
}


def exception_of(failure: Failure, report: Report | None = None) -> SMTPException:
    kind = _KINDS.get(failure.kind, SMTPException)
    if kind is Timeout and failure.step == "connect":
        kind = ConnectTimeout
    return kind(failure.message, failure=failure, report=report)


def from_native(failure: Any, report: Any) -> SMTPException:
    """Called by the native module."""
    known = failure_of(failure)
    assert known is not None
    return exception_of(known, None if report is None else report_of(report))


def usage(text: str) -> UsageError:
    failure = Failure("usage", "setup", text, None, None, False, text)
    return UsageError(text, failure=failure)


def checked(report: Report) -> Report:
    """The report of a message that was sent; an exception for one that was not."""
    if report.error is not None:
        raise exception_of(report.error, report)
    return report


def _again(
    kind: type[SMTPException], args: tuple[str, ...], failure: Failure | None, report: Report | None
) -> SMTPException:
    return kind(*args, failure=failure, report=report)
