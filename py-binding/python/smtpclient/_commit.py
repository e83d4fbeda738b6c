"""Option ``commit``: what is ready to be sent, and how the caller's function is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ._errors import usage

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from ._native import Options


@dataclass(frozen=True, slots=True)
class Ready:
    """A message of which the server has everything but the end, or may get it with the end."""

    #: Its ``Message-ID`` with the angle brackets; ``None`` if it is sent by verbs.
    message_id: str | None
    #: Option ``tag`` of the message.
    tag: str | None
    #: Its position in ``send_many``, from 0; its number in a ``Mailer``, from 1, as ``submit`` counts; else 0.
    index: int
    #: The server that is to get it, as reports name it.
    server: str
    #: The addresses that the server has accepted so far.
    recipients: tuple[str, ...]
    #: How often this message has been ready, this time included: 2 if its first try came to nothing.
    attempt: int


#: Called with all messages that are ready at the same time; an exception withdraws them. What it returns is looked at by
#: ``smtpclient.aio`` only, which awaits it if it can be awaited.
Commit: TypeAlias = Callable[[list[Ready]], "Awaitable[object] | object"]


def ask(function: Any, rows: list[tuple[Any, ...]]) -> bool:
    """Called by the native module: whether the answer is pending."""
    ready = [Ready(*row) for row in rows]
    if isinstance(function, (Awaited, AwaitedByThread)):
        return function.ask(ready)
    answer = function(ready)
    if hasattr(answer, "__await__"):
        if hasattr(answer, "close"):
            answer.close()
        raise TypeError("the function of option `commit` returned an awaitable: only smtpclient.aio awaits it")
    return False


def awaited(options: Options) -> Awaited | None:
    """The commit of a conversation in an event loop."""
    return None if options.commit is None else Awaited(options.commit)


class Awaited:
    """A commit that an event loop waits for: ``wake`` is called when its answer is there."""

    def __init__(self, function: Commit) -> None:
        self._function = function
        self.wake: Callable[[], object] = lambda: None
        self._ready: list[Ready] = []
        self._task: asyncio.Future[Any] | None = None

    def ask(self, ready: list[Ready]) -> bool:
        task = self._task
        if task is not None:
            if not task.done():
                return True  # also where that is for a connection that is gone: one at a time
            self._task = None
            if self._ready == ready:
                if task.cancelled():
                    raise RuntimeError("the commit was cancelled")
                task.result()
                return False
        answer = self._function(ready)
        if not hasattr(answer, "__await__"):
            return False
        import asyncio

        self._ready, self._task = ready, asyncio.ensure_future(answer)
        self._task.add_done_callback(self._done)
        return True

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        if self._task is not None:
            self._task.cancel()

    async def over(self, *, ended: bool) -> None:
        """Wait until the function has ended, whose message is decided without it; it is cancelled if the call ``ended``."""
        if self._task is not None and not self._task.done():
            import asyncio

            if ended:
                self._task.cancel()
            await asyncio.wait({self._task})
        self._task = None

    def _done(self, task: asyncio.Future[Any]) -> None:
        if not task.cancelled():
            task.exception()  # the report has it, or the connection was quicker to fail
        self.wake()


class _Call:
    """A call of a mailer's commit."""

    def __init__(self, commit: AwaitedByThread) -> None:
        self.commit, self.is_over = commit, False


#: The call that the current task is, or was begun by.
_call: ContextVar[_Call | None] = ContextVar("smtpclient.commit", default=None)


class AwaitedByThread:
    """The same for a mailer, in whose thread it is asked: the function runs in the event loop."""

    def __init__(self, function: Commit) -> None:
        self._function = function
        self.loop: asyncio.AbstractEventLoop | None = None
        self.wake: Callable[[], object] = lambda: None
        self._answer: Future[None] | None = None

    def ask(self, ready: list[Ready]) -> bool:
        answer, self._answer = self._answer, None
        if answer is None:
            answer = self._begin(ready)
        elif answer.done():
            answer.result()
            return False
        self._answer = answer
        return True

    def _begin(self, ready: list[Ready]) -> Future[None]:
        import asyncio

        assert self.loop is not None  # the mailer has a message
        call = self._run(ready)
        try:
            answer = asyncio.run_coroutine_threadsafe(call, self.loop)
        except RuntimeError:  # the loop is closed
            call.close()
            raise
        answer.add_done_callback(lambda _: self.wake())
        return answer

    def check_outside(self, what: str) -> None:
        """Refuse what the function would wait for without end: its mailer waits for it."""
        call = _call.get()
        if call is not None and call.commit is self and not call.is_over:
            raise usage(f"the mailer cannot be {what} by its own commit, for which it waits: do that after the commit has returned")

    def cancel(self) -> None:
        """The mailer has ended, and nobody waits for the answer any more."""
        if self._answer is not None:
            self._answer.cancel()

    async def _run(self, ready: list[Ready]) -> None:
        call = _Call(self)
        _call.set(call)
        try:
            answer = self._function(ready)
            if hasattr(answer, "__await__"):
                await answer
        finally:
            call.is_over = True
