"""What may use a connection: one thread at a time, of the process that it was made in."""

from __future__ import annotations

import os
import threading

from ._errors import UsageError, usage


class Alone:
    """One thread at a time; a second one gets an error instead of half an answer. A forked process gets one too: what it
    said would come in between what its parent says."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()

    @property
    def is_forked(self) -> bool:
        """Whether this is a child of the process that it was made in."""
        return os.getpid() != self._process

    def __enter__(self) -> None:
        if self.is_forked:
            raise usage("the session is that of a parent process: open another")
        if not self._lock.acquire(blocking=False):
            raise in_use()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def in_use() -> UsageError:
    return usage("the session is in use by another thread: give each thread one of its own")
