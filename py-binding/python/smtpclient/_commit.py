"""Option ``commit``: what is ready to be sent, and how the caller's function is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from ._native import Options


@dataclass(frozen=True, slots=True)
class Ready:
    """A message of which the server has everything but the end, or may get it with the end."""

    #: Its ``Message-ID`` with the angle brackets; ``None`` where it is sent by verbs.
    message_id: str | None
    #: Option ``tag`` of the message.
    tag: str | None
    #: Its position in ``send_many``, from 0; its number in a ``Mailer``, from 1, as ``submit`` counts; else 0.
    index: int
    #: The server that is to get it, as reports name it.
    server: str
    #: The addresses that the server has accepted so far.
    recipients: tuple[str, ...]
    #: How often this message has been ready, this time included: 2 where its first try came to nothing.
    attempt: int


#: Is asked with all messages that are ready at the same time; an exception withdraws them. What it returns is looked at by
#: ``smtpclient.aio`` only, which awaits it where it can be awaited.
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

    async def over(self) -> None:
        """Wait until the function has ended, whose message may be decided without it."""
        if self._task is not None and not self._task.done():
            import asyncio

            await asyncio.wait({self._task})

    def _done(self, task: asyncio.Future[Any]) -> None:
        if not task.cancelled():
            task.exception()  # is told by the report, or the connection was quicker to fail
        self.wake()


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
        call = self._call(ready)
        try:
            answer = asyncio.run_coroutine_threadsafe(call, self.loop)
        except RuntimeError:  # the loop is closed
            call.close()
            raise
        answer.add_done_callback(lambda _: self.wake())
        return answer

    async def _call(self, ready: list[Ready]) -> None:
        answer = self._function(ready)
        if hasattr(answer, "__await__"):
            await answer
