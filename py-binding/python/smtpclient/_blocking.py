"""Why a connection cannot be used: one thread at a time may, of the process that it was made in."""

from __future__ import annotations

from . import _native
from ._errors import UsageError, usage


def in_use() -> UsageError:
    return usage(_native.IN_USE)


def of_parent() -> UsageError:
    return usage("the session is that of a parent process: open another")
