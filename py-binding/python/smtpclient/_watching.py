"""What watches descriptors for an event loop: the loop itself, or a thread if it cannot (Windows' default loop)."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

#: `select` takes 512 descriptors at most on Windows, of which one is the thread's own.
_MOST = 500
#: A thread without descriptors waits for the next one for so many seconds.
_IDLE = 1.0

_Callback = Callable[[], None]


class Watching(Protocol):
    """What is used of an event loop."""

    def add_reader(self, fd: int, callback: _Callback, /) -> object: ...
    def remove_reader(self, fd: int, /) -> object: ...
    def add_writer(self, fd: int, callback: _Callback, /) -> object: ...
    def remove_writer(self, fd: int, /) -> object: ...


_of_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Threads] = weakref.WeakKeyDictionary()


def watching(loop: asyncio.AbstractEventLoop) -> Watching:
    """The loop, if it has ``add_reader``, and otherwise threads that tell it."""
    if _can_watch(loop):
        return loop
    if loop not in _of_loops:
        _of_loops[loop] = Threads(weakref.ref(loop))
    return _of_loops[loop]


def _can_watch(loop: asyncio.AbstractEventLoop) -> bool:
    """A loop that cannot may lack the method, or have one that says so whatever the number."""
    try:
        loop.add_reader(-1, _nothing)
    except NotImplementedError:
        return False
    except Exception:  # of the number, as each loop has it
        pass
    return True


def _nothing() -> None:
    pass


class Threads:
    """As many threads as the descriptors need. Its methods are for the thread of the loop alone."""

    def __init__(self, loop: weakref.ref[asyncio.AbstractEventLoop]) -> None:
        self._loop = loop
        self._threads: list[_Thread] = []
        self._of: dict[int, _Thread] = {}

    def add_reader(self, fd: int, callback: _Callback, /) -> None:
        self._add(fd, callback, writes=False)

    def add_writer(self, fd: int, callback: _Callback, /) -> None:
        self._add(fd, callback, writes=True)

    def remove_reader(self, fd: int, /) -> None:
        self._remove(fd, writes=False)

    def remove_writer(self, fd: int, /) -> None:
        self._remove(fd, writes=True)

    def _add(self, fd: int, callback: _Callback, *, writes: bool) -> None:
        thread = self._of.get(fd)
        if thread is None:
            thread = next((each for each in self._threads if each.has_room()), None)
            if thread is None:
                thread = _Thread(self._loop)
                self._threads.append(thread)
            self._of[fd] = thread
        thread.add(fd, callback, writes=writes)

    def _remove(self, fd: int, *, writes: bool) -> None:
        thread = self._of.get(fd)
        if thread is not None and not thread.remove(fd, writes=writes):
            del self._of[fd]


class _Thread:
    """One that selects. What is ready is told once, and watched again after the loop has called the function for it."""

    def __init__(self, loop: weakref.ref[asyncio.AbstractEventLoop]) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._callbacks: dict[tuple[int, bool], _Callback] = {}
        # Of these, what the loop has not been told.
        self._armed: set[tuple[int, bool]] = set()
        self._wake: socket.socket | None = None

    def has_room(self) -> bool:
        return len({fd for fd, _ in self._callbacks}) < _MOST

    def add(self, fd: int, callback: _Callback, *, writes: bool) -> None:
        with self._lock:
            self._callbacks[fd, writes] = callback
            self._arm(fd, writes)

    def remove(self, fd: int, *, writes: bool) -> bool:
        """Whether the descriptor is still watched."""
        with self._lock:
            self._callbacks.pop((fd, writes), None)
            self._armed.discard((fd, writes))
            self._stir()  # it may be closed as soon as this is over
            return any(other == fd for other, _ in self._callbacks)

    def _arm(self, fd: int, writes: bool) -> None:
        self._armed.add((fd, writes))
        if self._wake is not None:
            self._stir()
            return
        near, self._wake = socket.socketpair()
        near.setblocking(False)
        self._wake.setblocking(False)
        threading.Thread(target=self._run, args=(near,), name="smtpclient descriptors", daemon=True).start()

    def _stir(self) -> None:
        if self._wake is not None:
            try:
                self._wake.send(b"\0")
            except BlockingIOError:
                pass  # it has not looked since it was told last

    def _run(self, near: socket.socket) -> None:
        while True:
            with self._lock:
                reads = [near.fileno(), *(fd for fd, writes in self._armed if not writes)]
                writes = [fd for fd, writes in self._armed if writes]
                idle = not self._callbacks
            ready = _selected(reads, writes, _IDLE if idle else None)
            with self._lock:
                if idle and not ready and not self._callbacks:
                    assert self._wake is not None
                    self._wake.close()
                    self._wake = None
                    near.close()
                    return
                try:
                    near.recv(4096)
                except BlockingIOError:
                    pass
                told = ready & self._armed
                self._armed -= told
            loop = self._loop()
            for each in told:
                try:
                    if loop is not None:
                        loop.call_soon_threadsafe(self._tell, each)
                        continue
                except RuntimeError:
                    pass  # it is closed
                with self._lock:
                    self._callbacks.pop(each, None)
            del loop

    def _tell(self, each: tuple[int, bool]) -> None:
        callback = self._callbacks.get(each)
        if callback is None:
            return
        try:
            callback()
        finally:
            with self._lock:
                if each in self._callbacks:
                    self._arm(*each)


def _selected(reads: list[int], writes: list[int], seconds: float | None) -> set[tuple[int, bool]]:
    """Which of them are ready, each with whether it is for writing. One that is closed is: who uses it sees why."""
    if hasattr(select, "poll"):  # which knows no bound, as select has 1024
        return _polled(reads, writes, seconds)
    try:
        # On Windows a connection that fails is exceptional, not writable.
        readable, writable, failed = select.select(reads, writes, writes, seconds)
    except (OSError, ValueError):
        return {(fd, False) for fd in reads if _is_bad(fd)} | {(fd, True) for fd in writes if _is_bad(fd)}
    return {(fd, False) for fd in readable} | {(fd, True) for fd in (*writable, *failed)}


def _polled(reads: list[int], writes: list[int], seconds: float | None) -> set[tuple[int, bool]]:
    events = dict.fromkeys(reads, select.POLLIN)
    for fd in writes:
        events[fd] = events.get(fd, 0) | select.POLLOUT
    poll = select.poll()
    for fd, wanted in events.items():
        poll.register(fd, wanted)
    found = dict(poll.poll(None if seconds is None else int(seconds * 1000)))
    ends = select.POLLERR | select.POLLHUP | select.POLLNVAL
    return {(fd, False) for fd in reads if found.get(fd, 0) & (select.POLLIN | ends)} | {
        (fd, True) for fd in writes if found.get(fd, 0) & (select.POLLOUT | ends)
    }


def _is_bad(fd: int) -> bool:
    try:
        select.select([fd], [], [], 0)
    except (OSError, ValueError):
        return True
    return False
