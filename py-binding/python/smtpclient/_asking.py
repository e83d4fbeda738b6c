"""What a login asks the caller for in an event loop: option ``oauthtoken`` if it is a function, and option ``mechanisms``."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ._errors import usage
from ._mechanisms import LoginExchange, LoginFacts, LoginMechanism
from ._native import Options
from ._values import Progress, Secret, TokenReason


class Asking:
    """The tasks in which one conversation asks; ``then`` is called when an answer is there."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Future[Any]] = set()
        self.then: Callable[[], None] = _nothing

    def begin(self, answer: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        task = asyncio.ensure_future(answer)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def close(self) -> None:
        """Give up."""
        for task in self._tasks:
            task.cancel()

    def _done(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self.then()


class Question:
    """Asks one thing after the other. What the native side calls, in the thread of the loop, raises ``BlockingIOError`` until the
    answer is there.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._task: asyncio.Future[Any] | None = None

    def ask(self, answer: Callable[..., Coroutine[Any, Any, Any]], *words: Any) -> Any:
        if self._task is None:
            self._task = self._asking.begin(answer(*words))
        if not self._task.done():
            raise BlockingIOError
        task, self._task = self._task, None
        return task.result()


class AwaitedMechanism:
    """A mechanism that may be asked in tasks. What blocks runs in the loop's executor."""

    def __init__(self, mechanism: LoginMechanism, asking: Asking) -> None:
        self._mechanism = mechanism
        self._asking = asking
        self.name = mechanism.name
        self.reveals_secret = getattr(mechanism, "reveals_secret", True)

    def begin(self, login: LoginFacts) -> AwaitedExchange:
        return AwaitedExchange(self._mechanism, login, self._asking)


class AwaitedExchange:
    def __init__(self, mechanism: LoginMechanism, login: LoginFacts, asking: Asking) -> None:
        self._mechanism = mechanism
        self._login = login
        self._exchange: LoginExchange | None = None
        self._question = Question(asking)
        self.complete = False

    def step(self, challenge: bytes | None) -> bytes | None:
        answer: bytes | None = self._question.ask(self._step, challenge)
        return answer

    async def _step(self, challenge: bytes | None) -> bytes | None:
        if self._exchange is None:
            self._exchange = await _called(self._mechanism.begin, self._login)
        answer: bytes | None = await _called(self._exchange.step, challenge)
        self.complete = self._exchange.complete
        return answer


class MechanismOfThread:
    """A mechanism that a mailer asks in a thread: what can be awaited is awaited in the loop."""

    def __init__(self, mechanism: LoginMechanism, loop: asyncio.AbstractEventLoop) -> None:
        self._mechanism = mechanism
        self._loop = loop
        self.name = mechanism.name
        self.reveals_secret = getattr(mechanism, "reveals_secret", True)

    def begin(self, login: LoginFacts) -> ExchangeOfThread:
        return ExchangeOfThread(_from_thread(self._mechanism.begin(login), self._loop), self._loop)


class ExchangeOfThread:
    def __init__(self, exchange: LoginExchange, loop: asyncio.AbstractEventLoop) -> None:
        self._exchange = exchange
        self._loop = loop

    @property
    def complete(self) -> bool:
        return self._exchange.complete

    def step(self, challenge: bytes | None) -> bytes | None:
        answer: bytes | None = _from_thread(self._exchange.step(challenge), self._loop)
        return answer


class _Told:
    """Tells in a loop what a mailer's thread tells."""

    def __init__(self, function: Callable[[Progress], object], loop: asyncio.AbstractEventLoop) -> None:
        self._function = function
        self._loop = loop

    def __call__(self, progress: Progress) -> None:
        try:
            self._loop.call_soon_threadsafe(self._function, progress)
        except RuntimeError:
            pass  # the loop is closed, and nobody is left who waits


def in_a_loop(options: Options) -> tuple[Options, Asking | None]:
    """The options for one conversation in this loop, and who asks for what its login needs."""
    function, mechanisms = options.token_function, options.mechanisms
    if function is None and not mechanisms:
        return options, None
    asking = Asking()
    if function is not None:
        question = Question(asking)

        def ask(reason: TokenReason) -> Secret:
            token: Secret = question.ask(_called, function, reason)
            return token

        options = Options(options, oauthtoken=ask)
    if mechanisms:
        options = Options(options, mechanisms=[AwaitedMechanism(mechanism, asking) for mechanism in mechanisms])
    return options, asking


def from_a_thread(options: Options) -> Options:
    """The options for a mailer, which asks in a thread of its own: what can be awaited is awaited in this loop."""
    function, mechanisms, progress = options.token_function, options.mechanisms, options.progress
    is_awaited = function is not None and _is_coroutine_function(function)
    if not is_awaited and not mechanisms and progress is None:
        return options
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        if is_awaited:
            text = "option `oauthtoken` is a coroutine function: make the mailer in the event loop that is to run it"
        else:
            text = f"option `{'mechanisms' if mechanisms else 'progress'}`: make the mailer in the event loop that is to run them"
        raise usage(text) from None
    if progress is not None:
        options = Options(options, progress=_Told(progress, loop))

    def ask(reason: TokenReason) -> Secret:
        assert function is not None
        token: Secret = asyncio.run_coroutine_threadsafe(_called(function, reason), loop).result()
        return token

    if is_awaited:
        options = Options(options, oauthtoken=ask)
    if mechanisms:
        options = Options(options, mechanisms=[MechanismOfThread(mechanism, loop) for mechanism in mechanisms])
    return options


async def _called(function: Callable[..., Any], *words: Any) -> Any:
    if _is_coroutine_function(function):
        return await function(*words)
    # It may block.
    answer = await asyncio.get_running_loop().run_in_executor(None, function, *words)
    return await answer if isinstance(answer, Awaitable) else answer


def _from_thread(answer: Any, loop: asyncio.AbstractEventLoop) -> Any:
    if not isinstance(answer, Awaitable):
        return answer
    return asyncio.run_coroutine_threadsafe(_awaited(answer), loop).result()


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


def _is_coroutine_function(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _nothing() -> None:
    pass
