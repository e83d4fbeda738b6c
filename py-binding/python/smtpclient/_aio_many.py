"""The reports of ``aio.Session.send_many``: an iterator, not a generator, so that the event loop has nothing to
finish in a task of its own when a loop is left early."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING

from ._answers import Item, ask_for, several
from ._report import Report

if TYPE_CHECKING:
    from typing_extensions import Self

    from .aio import Session


class Reports:
    """What becomes of each message of a batch, in order. ``aclose()`` waits for what was taken, and takes no more."""

    def __init__(
        self, session: Session, messages: Iterable[Item] | AsyncIterable[Item], window: int
    ) -> None:
        self._session = session
        self._source: Iterator[Item] | AsyncIterator[Item] | None
        if isinstance(messages, AsyncIterable):
            self._source = messages.__aiter__()
        else:
            self._source = iter(several(messages))
        self._window = window
        self._waiting: deque[int | Report] = deque()
        self._taken = 0
        #: What ends it, after the reports of the messages before.
        self._raised: Exception | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Report:
        try:
            await self._take()
            if self._waiting:
                return await self._session._next(self._waiting)
        except BaseException:
            await self.aclose()
            raise
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Take no more messages, and wait until those that were taken are answered."""
        self._source = None
        while self._waiting and self._session.is_open:
            await self._session._next(self._waiting)
        self._leave()

    def __del__(self) -> None:
        self._leave()

    async def _take(self) -> None:
        """As many messages as may be under way."""
        while self._source is not None and len(self._waiting) < self._window:
            try:
                if isinstance(self._source, AsyncIterator):
                    item = await anext(self._source)
                else:
                    item = next(self._source)
                number = ask_for(self._session._dialogue, item, self._session.options, self._taken)
                self._waiting.append(number)
                self._taken += 1
            except (StopIteration, StopAsyncIteration):
                self._source = None
            except Exception as error:
                self._source, self._raised = None, error

    def _leave(self) -> None:
        """Nobody waits for these reports any more."""
        self._session._unwanted.extend(number for number in self._waiting if isinstance(number, int))
        self._waiting.clear()
