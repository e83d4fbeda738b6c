"""Tasks that share a session take turns."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

from ._errors import usage

#: What the current task, or what began it, has the turn of.
_taken: ContextVar[frozenset[Turns]] = ContextVar("smtpclient.turns", default=frozenset())


class Turns:
    """One turn at a time, in the order in which they were asked for: ``async with``."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        taken = _taken.get()
        if self in taken:  # it would wait for itself
            raise usage("the session is in use by the call that this function is called by: use another session")
        await self._lock.acquire()
        _taken.set(taken | {self})

    async def __aexit__(self, *_: object) -> None:
        _taken.set(_taken.get() - {self})
        self._lock.release()
