"""``Mailer``: many messages over many connections."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _native
from ._answers import options_of
from ._commit import AwaitedByThread, Commit
from ._errors import QueueFull, SMTPException, checked, usage
from ._native import Message, Options
from ._option_types import OptionDict
from ._options import listener
from ._report import Report, report_of
from ._tokens import AnyMessage, token

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

#: Reports that are taken at once.
_BATCH = 256


@dataclass(frozen=True, slots=True)
class MailerCounts:
    """What became of the messages of a mailer. ``decided`` is the sum of the four after it."""

    submitted: int
    decided: int
    accepted: int
    rejected: int
    not_sent: int
    unknown: int
    #: Messages that are not given to a connection now.
    waiting: int
    #: Connections that are open now, or being opened.
    connections: int
    #: Connections that were ever opened.
    opened: int


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """What one server did with the messages of a mailer."""

    #: The server, as reports name it.
    server: str
    #: Messages that it has, for at least one recipient.
    accepted: int
    #: Messages that it refused, and that were not tried again.
    rejected: int
    #: Messages that it may have.
    unknown: int
    #: Tries there after which the message was tried again, at this server or at another one.
    retried: int
    #: Messages that were given to its connections and are not decided yet.
    under_way: int
    #: Connections that are open now, or being opened.
    connections: int
    #: Connections that were ever opened.
    opened: int


class Mailer:
    """A queue with a bound, a pool of connections to each server, one report for each message.

    Options are those of ``sendmessage``, and ``connections``, ``connectionmessages``, ``rate``,
    ``queuesize``, ``retries``, ``backoff``, ``retrytime``, ``idletime``. Any number of threads may use a mailer.
    As a context manager it sends what it has at the end; if an exception leaves it, what is not
    decided is given up.
    """

    def __init__(self, base: Options | None = None, /, **options: Unpack[OptionDict]) -> None:
        known = Options(base, **options)
        self._pending = Pending(known, _resolved, known.commit)

    def submit(
        self, message: AnyMessage, base: Options | None = None, /, **options: Unpack[OptionDict]
    ) -> Future[Report]:
        """Take a message; wait while the queue is full.

        The future has the report of a message that was sent, and raises for one that was not, as
        ``sendmessage`` does. It cannot be cancelled. ``options`` are beside the mailer's own. Raise
        ``UsageError`` for what can be told at once, ``ConnectionClosed`` when the mailer is closed.
        """
        future = _Answer(self._pending.native)
        made, known = token(message), self._pending.own(base, options)
        while not self._pending.submit(future, made, known):
            if self._pending.native.is_inside:
                raise self._pending.full  # a function that the mailer calls would wait for itself
            self._pending.wait(self._pending.native.room)
        return future

    def try_submit(
        self, message: AnyMessage, base: Options | None = None, /, **options: Unpack[OptionDict]
    ) -> Future[Report]:
        """As ``submit``, but raise ``QueueFull`` instead of waiting."""
        future = _Answer(self._pending.native)
        if not self._pending.submit(future, token(message), self._pending.own(base, options)):
            raise self._pending.full
        return future

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until everything is decided, for at most ``timeout`` seconds; whether it is."""
        self._pending.check_outside("drained")
        return self._pending.wait(self._pending.native.drain, timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Take no more messages, send what is there for at most ``timeout`` seconds, say QUIT and end.

        What is not decided then is given up, and its future raises ``Cancelled`` or
        ``OutcomeUnknown``. Return whether nothing had to be given up.
        """
        self._pending.check_outside("closed")
        self._pending.seal()
        self._pending.wait(self._pending.native.drain, timeout)
        return self._pending.end()

    @property
    def counts(self) -> MailerCounts:
        """What became of the messages so far."""
        return MailerCounts(**self._pending.native.counts())

    @property
    def server_counts(self) -> tuple[ServerCounts, ...]:
        """What each server did so far, in the order of option ``servers``; empty in a child of ``fork``."""
        return self._pending.server_counts()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(None if kind is None else 0)

    def __repr__(self) -> str:
        return f"<Mailer {self.counts}>"


_OF_MAILERS = frozenset(option.name for option in _native.option_table() if option.group == "Mailer")


class Pending:
    """The native mailer, its unanswered messages, and the thread that answers them."""

    def __init__(
        self,
        options: Options,
        answer: Callable[[list[tuple[Any, Any, Message]]], None],
        commit: Commit | AwaitedByThread | None,
    ) -> None:
        self.native, self._callbacks = _native.Mailer.begin(options, listener(options), commit)
        self._options = options
        self._own = options._owned()
        self._slots = _Slots(answer)
        self._news, self._over = threading.Condition(), threading.Event()
        self.full: SMTPException = QueueFull()
        self._thread = threading.Thread(
            target=_answer,
            args=(self.native, self._slots, self._news, self._over),
            name="smtpclient-mailer",
            daemon=True,
        )
        self._thread.start()
        # Also at the end of the interpreter, after which no thread may come back from the core.
        self._end = weakref.finalize(self, _end, self.native, self._thread)

    def own(self, base: Options | None, options: OptionDict) -> Options | None:
        """Of a message: beside the mailer's own, unless there is a base. None: the mailer's."""
        for name in _OF_MAILERS.intersection(options):
            raise usage(f"option `{name}` belongs to the mailer, for all its messages: set it when that is made")
        return options_of(self._options, base, options) if options or base is not None else None

    def submit(self, slot: Any, message: Message, options: Options | None) -> bool:
        """Whether it was taken; ``slot`` is given back with its report."""
        given = self._own if options is None else options._owned()
        for (name, function), (_, own) in zip(given, self._own, strict=True):
            if function is not None and function is not own:
                raise usage(f"option `{name}` belongs to the mailer, for all its messages: set it when that is made")
        try:
            # No lock is held: a reader, or the handler of a signal, may submit a message itself.
            ticket = self.native.submit(message, options)
        except QueueFull as full:
            self.full = full
            return False
        self._slots.take(ticket, slot, message)
        return True

    def wait(self, wait: Callable[[float], bool], timeout: float | None = None) -> bool:
        """``wait``, so that a signal wakes the main thread, whose handlers nobody else runs; whether what it waits for happened."""
        if self.native.is_forked or threading.current_thread() is not threading.main_thread():
            return wait(math.inf if timeout is None else timeout)
        with self._news:
            self._news.wait_for(lambda: wait(0.0) or self._over.is_set(), timeout)
        return wait(0.0)

    def server_counts(self) -> tuple[ServerCounts, ...]:
        return tuple(ServerCounts(server=server, **counts) for server, counts in self.native.server_counts())

    def seal(self) -> None:
        """Take no more messages, and tell those who wait for room."""
        self.native.seal()
        if not self.native.is_forked:
            with self._news:
                self._news.notify_all()

    def check_outside(self, what: str) -> None:
        """Refuse what a function that the mailer calls would wait for without end."""
        if self.native.is_inside:
            raise usage(f"the mailer cannot be {what} by a function that it calls: do that in another thread, and do not wait for that here")

    def end(self) -> bool:
        """End now; whether everything was decided before."""
        drained = self.native.close(0.0)
        if not self.native.is_forked and threading.current_thread() is not self._thread:
            self._thread.join()
        self._end.detach()
        return drained


class _Slots:
    """Who waits for which report. Either may come first; whoever is second answers. Each step is one of a dict, which no
    signal and no thread comes between."""

    def __init__(self, answer: Callable[[list[tuple[Any, Any, Message]]], None]) -> None:
        self._answer = answer
        self._waiting: dict[int, tuple[Any, Message]] = {}
        self._early: dict[int, Any] = {}

    def take(self, ticket: int, slot: Any, message: Message) -> None:
        self._waiting[ticket] = (slot, message)
        if ticket in self._early:
            self._give([ticket])

    def report(self, reports: list[tuple[int, Any]]) -> None:
        self._early.update(reports)
        self._give([ticket for ticket, _ in reports])

    def _give(self, tickets: list[int]) -> None:
        # One that nobody waits for was left by the handler of a signal.
        slots = [(ticket, self._waiting.pop(ticket, None)) for ticket in tickets]
        answers = [(slot[0], self._early.pop(ticket), slot[1]) for ticket, slot in slots if slot is not None]
        if answers:
            self._answer(answers)


def _answer(
    native: _native.Mailer, slots: _Slots, news: threading.Condition, over: threading.Event
) -> None:
    # What was answered must not be held while the next report is waited for: it may refer to the mailer.
    try:
        while _answer_some(native, slots):
            with news:
                news.notify_all()
    finally:
        over.set()
        with news:
            news.notify_all()


def _answer_some(native: _native.Mailer, slots: _Slots) -> bool:
    reports = native.reports(math.inf, _BATCH)
    if not reports:
        return False
    slots.report(reports)
    return True


def _end(native: _native.Mailer, thread: threading.Thread) -> None:
    if native.is_forked:
        return
    if native.is_inside:
        native.seal()  # garbage, which was found while the mailer called a function
        return
    native.close(0.0)
    if threading.current_thread() is not thread:
        thread.join()


def _resolved(answers: list[tuple[Any, Any, Message]]) -> None:
    for future, answer, message in answers:
        try:
            _resolve(future, answer, message)
        except BaseException as raised:  # by a function that was added to the future; the others are still to be told
            thread = threading.current_thread()
            threading.excepthook(threading.ExceptHookArgs((type(raised), raised, raised.__traceback__, thread)))


def _resolve(future: Any, answer: tuple[Any, Any], message: Message) -> None:
    try:
        result = outcome(answer, message)
    except SMTPException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


def outcome(answer: tuple[Any, Any], message: Message) -> Report:
    """The report of a message that was sent; an exception for one that was not. ``answer`` is its report, and what a
    function raised that its error follows from."""
    report, raised = answer
    try:
        return checked(report_of(report))
    except SMTPException as error:
        cause = raised or message._raised()
        if cause is not None:
            raise error from cause
        raise


class _Answer(Future[Report]):
    """A report that comes. A function that the mailer calls would wait for it without end."""

    def __init__(self, native: _native.Mailer) -> None:
        super().__init__()
        self._native = native
        self.set_running_or_notify_cancel()

    def result(self, timeout: float | None = None) -> Report:
        self._check_outside()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._check_outside()
        return super().exception(timeout)

    def _check_outside(self) -> None:
        if not self.done() and self._native.is_inside:
            raise usage("a function that the mailer calls cannot wait for a message of the mailer: take its report later, or in another thread")
