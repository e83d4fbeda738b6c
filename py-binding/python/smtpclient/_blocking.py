"""Why a connection cannot be used: one thread at a time may, of the process that it was made in."""

from __future__ import annotations

from ._errors import UsageError, usage


def in_use() -> UsageError:
    return usage("the session is in use, by another thread or by a function that it calls: give each thread one of its own")


def of_parent() -> UsageError:
    return usage("the session is that of a parent process: open another")
