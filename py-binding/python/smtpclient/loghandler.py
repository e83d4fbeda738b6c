"""A handler for ``logging`` that mails records and never keeps a logger waiting.

    logging.getLogger().addHandler(
        MailHandler("app@example.org", "ops@example.org", level=logging.ERROR, servers="mail.example.org")
    )

The records of one moment go in one message, so that a flood of them is not a flood of mail.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from email.message import EmailMessage
from typing import TYPE_CHECKING

from ._errors import SMTPException
from ._mailer import Mailer
from ._native import Options, envelope
from ._tokens import token

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._option_types import OptionDict

__all__ = ["MailHandler"]

_SUBJECT_LENGTH = 200


class MailHandler(logging.Handler):
    """Gathers records for ``interval`` seconds (10) from the first one on and mails them together.

    ``subject`` is a format as those of ``logging`` (``%(levelname)s: %(message)s``) for the gravest record. At most
    ``capacity`` records (1000) wait; those beyond are counted and told of in the message. Options are those of
    ``Mailer``, and wrong ones raise at once. ``emit`` only puts a record on a list: connecting, waiting and sending
    happen in a thread of the handler, also in a child by ``os.fork``. A message that is not accepted is reported to
    ``handleNotSent``, which by default prints it as ``logging`` prints errors of handlers. ``flush`` sends what there is
    and waits up to ``flushtime`` seconds (10); ``close``, and so ``logging.shutdown`` at the end of the program, does too.
    """

    def __init__(
        self,
        originator: str,
        recipients: str | list[str],
        /,
        *,
        level: int = logging.NOTSET,
        subject: str = "%(levelname)s: %(message)s",
        interval: float = 10.0,
        capacity: int = 1000,
        flushtime: float = 10.0,
        **options: Unpack[OptionDict],
    ) -> None:
        super().__init__(level)
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        if interval < 0:
            raise ValueError(f"interval must be a number of seconds, not {interval}")
        options["originator"], options["recipients"] = originator, recipients
        self._options = Options(**options)
        self._originator, self._recipients = originator, recipients
        self._subject, self._interval = logging.Formatter(subject), interval
        self._capacity, self._flushtime = capacity, flushtime
        self._begin()
        self._check()
        _handlers.add(self)

    def _check(self) -> None:
        """Reports at once what could never be sent."""
        # The addresses first: what the module email makes of a bad one depends on its version.
        try:
            envelope(token(b"\r\n"), self._options)
        except SMTPException as error:
            raise ValueError(str(error)) from error
        record = logging.LogRecord(__name__, logging.ERROR, __file__, 1, "an example", None, None)
        try:
            self._message([(record, "an example")], 0)
        except (KeyError, TypeError) as error:
            raise ValueError(f"subject must be a format of logging, not {self._subject._fmt!r}: {error!r}") from error

    def _begin(self) -> None:
        """Nothing waits and nothing runs: at first, and in a child, since the parent sends what was waiting."""
        self._records: list[tuple[logging.LogRecord, str]] = []
        self._lost = 0
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._hurried = self._ended = self._busy = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record for the next message."""
        # What the sending itself logs would never end.
        if threading.current_thread() is self._thread:
            return
        # Now, while its arguments are what they were; and a record that cannot be shown takes no other with it.
        try:
            shown = _sendable(self.format(record))
        except Exception:
            self.handleError(record)
            return
        with self._news:
            if self._ended or len(self._records) >= self._capacity:
                self._lost += 1
                return
            self._records.append((record, shown))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="smtpclient-log", daemon=True)
                self._thread.start()
            self._news.notify_all()

    def flush(self) -> None:
        """Send what waits, and wait for that up to ``flushtime`` seconds."""
        with self._news:
            if self._thread is None or threading.current_thread() is self._thread:
                return
            self._hurried = True
            self._news.notify_all()
            self._news.wait_for(lambda: not self._records and not self._busy, self._flushtime)

    def close(self) -> None:
        """Send what waits, as ``flush`` does, and take no more."""
        self.flush()
        with self._news:
            self._ended = True
            self._news.notify_all()
        super().close()

    def handleNotSent(self, records: list[logging.LogRecord], error: Exception) -> None:
        """Called, in the thread of the handler, for records that no server has accepted."""
        try:
            raise error
        except Exception:
            self.handleError(records[-1])

    def _run(self) -> None:
        while True:
            with self._news:
                self._busy = False
                self._news.notify_all()
                self._news.wait_for(lambda: self._records or self._ended)
                if not self._records:
                    return
                self._news.wait_for(lambda: self._hurried or self._ended, self._interval)
                records, self._records = self._records, []
                lost, self._lost = self._lost, 0
                self._hurried, self._busy = False, True
            try:
                with Mailer(self._options) as mailer:
                    mailer.submit(self._message(records, lost)).result()
            except Exception as error:
                try:
                    self.handleNotSent([record for record, _ in records], error)
                except Exception:
                    self.handleError(records[-1][0])  # and the next records are mailed all the same

    def _message(self, records: list[tuple[logging.LogRecord, str]], lost: int) -> EmailMessage:
        gravest = max((record for record, _ in records), key=lambda record: record.levelno)
        subject = " ".join(_sendable(self._subject.format(gravest)).split())[:_SUBJECT_LENGTH]
        message = EmailMessage()
        message["From"] = self._originator
        message["To"] = self._recipients if isinstance(self._recipients, str) else ", ".join(self._recipients)
        message["Subject"] = subject if len(records) == 1 else f"{subject} (and {len(records) - 1} more)"
        message["Auto-Submitted"] = "auto-generated"
        lines = [shown for _, shown in records]
        if lost:
            lines.append(f"{lost} more records did not fit.")
        message.set_content("\n".join(lines) + "\n")
        return message


def _sendable(text: str) -> str:
    """Without what no mail can have: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


_handlers: weakref.WeakSet[MailHandler] = weakref.WeakSet()


def _in_child() -> None:
    for handler in list(_handlers):
        handler._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
