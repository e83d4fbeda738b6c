"""Option ``oauthtoken`` where it is a function, for an event loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ._errors import usage
from ._native import Options
from ._values import Secret, TokenReason


class Asking:
    """Asks for a token in a task, and calls ``then`` when it is there; until then there is none."""

    def __init__(self, function: Callable[[TokenReason], Any]) -> None:
        self._function = function
        self._task: asyncio.Future[Secret] | None = None
        self.then: Callable[[], None] = _nothing

    def __call__(self, reason: TokenReason) -> Secret:
        """What the native side calls, in the thread of the loop."""
        if self._task is None:
            self._task = asyncio.ensure_future(_token(self._function, reason))
            self._task.add_done_callback(self._done)
        if not self._task.done():
            raise BlockingIOError
        task, self._task = self._task, None
        return task.result()

    def close(self) -> None:
        """Give up."""
        if self._task is not None:
            self._task.cancel()

    def _done(self, task: asyncio.Future[Secret]) -> None:
        if not task.cancelled():
            self.then()


def in_a_loop(options: Options) -> tuple[Options, Asking | None]:
    """The options for one conversation in this loop, and who asks for its tokens."""
    function = options.token_function
    if function is None:
        return options, None
    asking = Asking(function)
    return Options(options, oauthtoken=asking), asking


def from_a_thread(options: Options) -> Options:
    """The options for a mailer, which asks in a thread of its own: a coroutine function is awaited in this loop."""
    function = options.token_function
    if function is None or not _is_coroutine_function(function):
        return options
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise usage("option `oauthtoken` is a coroutine function: make the mailer in the event loop that is to run it") from None

    def ask(reason: TokenReason) -> Secret:
        return asyncio.run_coroutine_threadsafe(_token(function, reason), loop).result()

    return Options(options, oauthtoken=ask)


async def _token(function: Callable[[TokenReason], Any], reason: TokenReason) -> Secret:
    if _is_coroutine_function(function):
        given: Secret = await function(reason)
        return given
    # It may block.
    answer: Secret | Awaitable[Secret] = await asyncio.get_running_loop().run_in_executor(None, function, reason)
    return await answer if isinstance(answer, Awaitable) else answer


def _is_coroutine_function(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _nothing() -> None:
    pass
