"""The asyncio driver: it moves bytes between a socket and a conversation, and knows no SMTP.

It writes to the socket itself: a transport's buffer would hide what the kernel has, and outcomes
depend on that.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Protocol

_READ = 64 * 1024
#: How long answers that are there may wait for others.
_LINGER = 0.005


class Conversation(Protocol):
    """What the native ``Delivery`` and ``Dialogue`` have in common."""

    def handle_input(self, data: bytes) -> None: ...
    def exchange(self, data: bytes) -> bytes: ...
    def handle_eof(self) -> None: ...
    def handle_timeout(self) -> None: ...
    def handle_error(self, text: str, kind: str = "closed") -> None: ...
    def abort(self, text: str, kind: str = "cancelled") -> None: ...
    def poll_output(self) -> bytes: ...
    def output_done(self, count: int) -> None: ...
    def timeout(self) -> float | None: ...
    def progress(self) -> int: ...
    def waits_for_source(self) -> bool: ...


class Wire:
    """One connection in an event loop. It reads by itself; ``until`` writes and waits."""

    def __init__(self, sock: socket.socket, conversation: Conversation) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._process = os.getpid()
        self._conversation = conversation
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing = False
        self._ended = False
        self._progress = -1
        self._since = 0.0
        self._due = 0.0
        self._done: Callable[[], bool] | None = None
        self._loop.add_reader(sock, self._on_readable)

    async def until(
        self,
        done: Callable[[], bool],
        feed: Feed | None = None,
        some: Callable[[], bool] | None = None,
    ) -> None:
        """Move bytes until ``done``, or until nothing is due either way. Cancelled, it ends the
        conversation, so that nothing is left half sent. From ``some`` on the rest has 5 ms."""
        over: asyncio.TimerHandle | None = None
        late = False

        def strike() -> None:
            nonlocal late
            late = True
            self.wake()

        if feed is None:
            self._done = done if some is None else some
        try:
            while not done():
                if self._flush():
                    continue
                if done():
                    return
                if self._conversation.waits_for_source():
                    if feed is None:
                        self._conversation.handle_error("the source has no bytes now", "source")
                    else:
                        await feed.more(self)
                    continue
                if not self._arm() or self._ended:
                    return
                if some is not None and some():
                    if over is None:
                        self._done = done
                        over = self._loop.call_later(_LINGER, strike)
                    elif late:
                        return
                await self._changed()
        except BaseException:
            self._conversation.abort("the task was cancelled")
            self.close()
            raise
        finally:
            self._done = None
            self._disarm()
            if over is not None:
                over.cancel()

    def close(self) -> None:
        """Close the socket; once is enough."""
        self._disarm()
        if self._sock.fileno() >= 0 and self.is_forked:
            self._sock.close()  # what the loop watches with is the parent's too
        elif self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            if self._writing:
                self._loop.remove_writer(self._sock)
            self._sock.close()
        self._ended = True
        self.wake()

    @property
    def is_forked(self) -> bool:
        """Whether this is a child of the process that it was made in."""
        return os.getpid() != self._process

    def wake(self) -> None:
        """Let ``until`` look again."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def changed_or(self, task: asyncio.Future[None]) -> None:
        """Wait for the connection or for ``task``, which goes on."""
        self._waiter = self._loop.create_future()
        self._arm()
        await asyncio.wait({self._waiter, task}, return_when=asyncio.FIRST_COMPLETED)

    async def _changed(self) -> None:
        self._waiter = self._loop.create_future()
        await self._waiter

    def _flush(self) -> bool:
        """Write what the kernel takes; whether it took something."""
        if self._writing or self._ended:
            return False
        return self._write(self._conversation.poll_output())

    def _write(self, output: bytes) -> bool:
        if not output:
            return False
        try:
            self._conversation.output_done(self._sock.send(output))
        except (BlockingIOError, InterruptedError):
            self._writing = True
            self._loop.add_writer(self._sock, self._on_writable)
            return False
        except OSError as error:
            # Nothing more can be written, but the server may have said why.
            self._on_readable()
            self._conversation.handle_error(f"the connection was lost: {error}")
        return True

    def _on_writable(self) -> None:
        self._writing = False
        self._loop.remove_writer(self._sock)
        self.wake()

    def _on_readable(self) -> None:
        try:
            data = self._sock.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end()
            self._conversation.handle_error(f"the connection was lost: {error}")
        else:
            if data and self._done is not None and not self._writing:
                output = self._conversation.exchange(data)
                # Whoever waits need not know of what only leads to further bytes.
                if self._write(output) and not self._done() and self._goes_on():
                    return
            elif data:
                self._conversation.handle_input(data)
            else:
                self._end()
                self._conversation.handle_eof()
        self.wake()

    def _end(self) -> None:
        self._ended = True
        self._loop.remove_reader(self._sock)

    def _goes_on(self) -> bool:
        """Whether nothing is to be done until the server says more; the clock is set for that."""
        timeout = self._conversation.timeout()
        if timeout is None or self._timer is None or self._ended:
            return False
        progress = self._conversation.progress()
        if progress != self._progress:
            self._progress, self._since = progress, self._loop.time()
        return self._since + timeout >= self._due and not self._flush()

    def _arm(self) -> bool:
        """Start the server's clock; false where nothing is due from it."""
        timeout = self._conversation.timeout()
        if timeout is None:
            return False
        progress = self._conversation.progress()
        if progress != self._progress:
            self._progress, self._since = progress, self._loop.time()
        if self._timer is not None and self._since + timeout < self._due:
            self._disarm()
        if self._timer is None:
            self._due = self._since + timeout
            self._timer = self._loop.call_at(self._due, self._on_timer)
        return True

    def _on_timer(self) -> None:
        self._timer = None
        timeout = self._conversation.timeout()
        if timeout is None:
            return
        unchanged = self._conversation.progress() == self._progress
        if unchanged and self._loop.time() >= self._since + timeout - 0.001:
            self._conversation.handle_timeout()
            self.wake()
        else:
            self._arm()

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

    async def begin(self) -> None:
        """Read the header section, from which the envelope comes."""
        octets = 0
        while not self._over and octets < 1 << 20:
            await self._pull()
            octets += len(self._pieces[-1]) if self._pieces else 0
            head = b"".join(self._pieces)
            if b"\r\n\r\n" in head or b"\n\n" in head or head.startswith((b"\n", b"\r\n")):
                return

    async def more(self, wire: Wire) -> None:
        """Wait for the next piece, or for the server to say something first."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._pull())
        await wire.changed_or(self._task)
        if self._task.done():
            self._task = None

    def close(self) -> None:
        """Give up."""
        if self._task is not None:
            self._task.cancel()

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
