"""``smtpclient.aio.Mailer``: many messages over many connections, for asyncio.

It stands on the same mailer as ``smtpclient.Mailer`` does, so that retries, pauses and limits are in one
place. The mailer moves bytes in a thread of its own, and a second one brings reports to the event loop,
as many at once as there are: two threads for a mailer, none for a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._asking import from_a_thread
from ._commit import AwaitedByThread
from ._errors import SMTPException, usage
from ._mailer import MailerCounts, Pending, ServerCounts, outcome
from ._native import Message, Options
from ._option_types import OptionDict
from ._report import Report
from ._tokens import AnyMessage, token

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

_Slot = tuple["Mailer", "asyncio.Future[Report | SMTPException]"]


class Mailer:
    """As ``smtpclient.Mailer``, for one event loop, or for one after the other."""

    def __init__(self, base: Options | None = None, /, **options: Unpack[OptionDict]) -> None:
        known = from_a_thread(Options(base, **options))
        self._commit = None if known.commit is None else AwaitedByThread(known.commit)
        self._pending = Pending(known, _deliver, self._commit)
        if self._commit is not None:
            self._commit.wake = _waker(weakref.ref(self._pending))
        self._open: set[asyncio.Future[Report | SMTPException]] = set()
        self._blocked: deque[asyncio.Future[None]] = deque()
        #: In which it is used.
        self._loop: asyncio.AbstractEventLoop | None = None

    async def submit(
        self, message: AnyMessage, base: Options | None = None, /, **options: Unpack[OptionDict]
    ) -> Report:
        """Send a message, and wait for its report; before that, wait while the queue is full. ``options`` are beside the mailer's own.

        Raise as ``sendmessage`` does. A task that is cancelled does not take back a message that the
        mailer has taken. Send many at once with ``asyncio.gather`` or a ``TaskGroup``.
        """
        self._check_outside("given a message")
        loop = self._in_loop()
        if self._commit is not None:
            self._commit.loop = loop
        made, known = token(message), self._pending.own(base, options)
        answer: asyncio.Future[Report | SMTPException] = loop.create_future()
        while not self._pending.submit((self, answer), made, known):
            waiter: asyncio.Future[None] = loop.create_future()
            self._blocked.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                # Woken and cancelled at once: the next one may have the room.
                if waiter.done() and not waiter.cancelled():
                    self._wake(1)
                raise
        self._open.add(answer)
        # Not the answer itself is cancelled with the task, so that drain() still waits for it.
        answered = await asyncio.shield(answer)
        if isinstance(answered, SMTPException):
            raise answered
        return answered

    async def drain(self, timeout: float | None = None) -> bool:
        """Wait until every message that was taken is decided, for at most ``timeout`` seconds; whether it is."""
        self._check_outside("drained")
        self._in_loop()
        if not self._open:
            return True
        _, late = await asyncio.wait(set(self._open), timeout=timeout)
        return not late

    async def close(self, timeout: float | None = None) -> bool:
        """Take no more messages, send what is there for at most ``timeout`` seconds, say QUIT and end.

        What is not decided then is given up. Return whether nothing had to be given up.
        """
        self._pending.check_outside("closed")
        self._check_outside("closed")
        if self._pending.native.is_forked:
            return self._pending.end()
        self._in_loop()
        self._pending.native.seal()
        self._wake(len(self._blocked))
        drained = await self.drain(timeout)
        await asyncio.get_running_loop().run_in_executor(None, self._pending.end)
        if self._commit is not None:
            self._commit.cancel()
        await asyncio.sleep(0)  # the last reports are on their way to the loop
        return drained

    @property
    def counts(self) -> MailerCounts:
        """What became of the messages so far."""
        return MailerCounts(**self._pending.native.counts())

    @property
    def server_counts(self) -> tuple[ServerCounts, ...]:
        """What each server did so far, in the order of option ``servers``; empty in a child of ``fork``."""
        return self._pending.server_counts()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close(None if kind is None else 0)

    def __repr__(self) -> str:
        return f"<Mailer {self.counts}>"

    def _in_loop(self) -> asyncio.AbstractEventLoop:
        """The running loop, which no other that still waits for reports may be."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                raise usage("the mailer is in use in another event loop: give each loop one of its own")
            # Nobody waits for anything in a loop that is closed.
            self._loop = loop
            self._open.clear()
            self._blocked.clear()
        return loop

    def _check_outside(self, what: str) -> None:
        if self._commit is not None:
            self._commit.check_outside(what)

    def _answer(self, answers: list[tuple[_Slot, Any, Message]]) -> None:
        for (_, future), answer, message in answers:
            self._open.discard(future)
            if not future.done():
                try:
                    future.set_result(outcome(answer, message))
                except SMTPException as error:
                    future.set_result(error)
        self._wake(len(answers))

    def _wake(self, count: int) -> None:
        while self._blocked and count > 0:
            waiter = self._blocked.popleft()
            if not waiter.done():
                waiter.set_result(None)
                count -= 1


def _waker(pending: weakref.ref[Pending]) -> Callable[[], None]:
    """What has the mailer ask once more, which holds the function itself."""

    def wake() -> None:
        known = pending()
        if known is not None:
            known.native.wake()

    return wake


def _deliver(answers: list[tuple[Any, Any, Message]]) -> None:
    """In the thread that fetches reports, of one mailer. Some may be for a loop that is closed, before another used it."""
    mailer = answers[0][0][0]
    loops: dict[asyncio.AbstractEventLoop, list[tuple[_Slot, Any, Message]]] = {}
    for answer in answers:
        loops.setdefault(answer[0][1].get_loop(), []).append(answer)
    for loop, own in loops.items():
        with contextlib.suppress(RuntimeError):  # it is closed
            loop.call_soon_threadsafe(mailer._answer, own)
