"""A conversation in an event loop. The native side connects and moves bytes; the loop says when."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

from ._asking import Asking
from ._commit import Awaited
from ._native import Limits, Watch
from ._watching import watching


#: A server that answers at once is listened to for so many seconds before the loop has its turn, which costs a third of
#: what a message costs.
_GREED = 0.001


class Conversation(Protocol):
    """What the native ``Delivery`` and ``Dialogue`` have in common."""

    def turn(self) -> Watch: ...
    def waits_for_source(self) -> bool: ...
    def abort(self, text: str) -> None: ...
    def close(self) -> None: ...


class Wire:
    """Gives a conversation its turns: when its descriptor is ready, its time is over, or its source has bytes."""

    def __init__(
        self,
        native: Conversation,
        feed: Feed | None = None,
        asking: Asking | None = None,
        commit: Awaited | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._watching = watching(self._loop)
        self._native = native
        self._feed = feed
        self._asking = asking
        if asking is not None:
            asking.then = self._on_event
        self._commit = commit
        if commit is not None:
            commit.wake = self._on_event
        self._process = os.getpid()
        self._over = False
        # Of the last turn: whether the commit's answer is still of use, and whether the call must end.
        self._commits = self._ended = False
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        # When the loop had its turn last.
        self._rested = self._loop.time()
        # What the loop watches.
        self._fd = -1
        self._writing = False

    async def until_over(self) -> None:
        """Wait until what was begun is there. Cancelled, it ends the conversation, so that nothing is left half sent."""
        try:
            self._turn()
            if self._over and self._loop.time() - self._rested > _GREED:
                await asyncio.sleep(0)  # a server that is that fast must not keep others from their turn
                self._rested = self._loop.time()
            while not self._over:
                if self._feed is not None and self._native.waits_for_source():
                    self._feed.pull(self._on_event)
                self._waiter = self._loop.create_future()
                await self._waiter
                self._rested = self._loop.time()
                if self._error is not None:
                    raise self._error
            if self._commit is not None and not self._commits:
                await self._commit.over(ended=self._ended)
        except BaseException as error:
            if self._commit is not None:
                self._commit.cancel()
            self._watch(-1)
            is_cancelled = isinstance(error, asyncio.CancelledError)
            self._native.abort("the task was cancelled" if is_cancelled else f"it was ended by {error!r}")
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; once is enough."""
        self._watch(-1)
        self._disarm()
        if self._asking is not None:
            self._asking.close()
        self._native.close()

    @property
    def is_forked(self) -> bool:
        """Whether this is a child of the process that it was made in."""
        return os.getpid() != self._process

    def _on_event(self) -> None:
        try:
            self._turn()
        except BaseException as error:
            self._error = error
        waiter = self._waiter
        if waiter is None or waiter.done():
            if self._error is not None:
                raise self._error
        elif self._over or self._error is not None or self._feed is not None:
            waiter.set_result(None)

    def _on_timer(self) -> None:
        self._timer = None
        self._on_event()

    def _turn(self) -> None:
        watch = self._native.turn()
        self._over, self._commits, self._ended = watch.over, watch.commits, watch.ended
        if watch.fd != self._fd:
            self._watch(watch.fd)
            if watch.fd < 0:
                self._native.close()
        if watch.write != self._writing and self._fd >= 0:
            self._writing = watch.write
            if watch.write:
                self._watching.add_writer(self._fd, self._on_event)
            else:
                self._watching.remove_writer(self._fd)
        if watch.seconds is not None:
            due = self._loop.time() + watch.seconds
            # One that is early looks again.
            if self._timer is not None and due < self._due:
                self._disarm()
            if self._timer is None:
                self._due = due
                self._timer = self._loop.call_at(due, self._on_timer)

    def _watch(self, fd: int) -> None:
        if self.is_forked:  # what the loop of a child watches with is the parent's too
            self._fd = -1
            return
        if self._fd >= 0:
            self._watching.remove_reader(self._fd)
            if self._writing:
                self._watching.remove_writer(self._fd)
        self._fd, self._writing = fd, False
        if fd >= 0:
            self._watching.add_reader(fd, self._on_event)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Feed:
    """An asynchronous iterable as a source that has no bytes now and then."""

    def __init__(self, pieces: object) -> None:
        self._iterator = pieces.__aiter__()  # type: ignore[attr-defined]
        self._pieces: list[bytes] = []
        self._over = False
        self._error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    def read(self, _most: int) -> bytes:
        """What a token reads."""
        if self._pieces:
            return self._pieces.pop(0)
        if self._error is not None:
            raise self._error
        if self._over:
            return b""
        raise BlockingIOError

    async def begin(self, limits: Limits) -> None:
        """Read the header section, from which the envelope comes."""
        head = asyncio.ensure_future(self._head())
        try:
            while not head.done():
                await asyncio.wait({head}, timeout=limits.slice())
            head.result()
        finally:
            head.cancel()

    async def _head(self) -> None:
        octets = 0
        while not self._over and octets < 1 << 20:
            await self._pull()
            octets += len(self._pieces[-1]) if self._pieces else 0
            head = b"".join(self._pieces)
            if b"\r\n\r\n" in head or b"\n\n" in head or head.startswith((b"\n", b"\r\n")):
                return

    def pull(self, then: Callable[[], None]) -> None:
        """Wait for the next piece, unless that is waited for already."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._pull())
            self._task.add_done_callback(lambda _: self._pulled(then))

    def close(self) -> None:
        """Give up."""
        if self._task is not None:
            self._task.cancel()

    def _pulled(self, then: Callable[[], None]) -> None:
        task, self._task = self._task, None
        if task is not None and not task.cancelled():
            then()

    async def _pull(self) -> None:
        try:
            piece = await self._iterator.__anext__()
            if not isinstance(piece, (bytes, bytearray)):
                text = f"a message is made of bytes, and its source gave {type(piece).__name__}"
                raise TypeError(text)
            if piece:
                self._pieces.append(bytes(piece))
        except StopAsyncIteration:
            self._over = True
        except Exception as error:
            self._over, self._error = True, error
