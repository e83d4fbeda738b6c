"""The fixtures ``smtp_sink``, ``smtp_sink_tls`` and ``smtp_sinks`` for pytest, which finds it by itself if the package is installed.

    def test_sign_up(smtp_sink):
        sign_up("ann@example.org", server="127.0.0.1", port=smtp_sink.port)
        [(envelope, content)] = smtp_sink.messages()
        assert "<ann@example.org>" in envelope[1] and b"Welcome" in content
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .testing import Sink

__all__ = ["smtp_sink", "smtp_sink_tls", "smtp_sinks"]


@pytest.fixture
def smtp_sinks() -> Iterator[Callable[..., Sink]]:
    """Starts servers with arguments of ``smtpclient.testing.Sink``; the test's end stops them."""
    from .testing import Sink

    running: list[Sink] = []

    def start(**options: Any) -> Sink:
        running.append(Sink(**options))
        return running[-1]

    yield start
    for sink in running:
        sink.close()


@pytest.fixture
def smtp_sink(smtp_sinks: Callable[..., Sink]) -> Sink:
    """A server that takes every message and keeps it, on a port of its own for each test."""
    return smtp_sinks()


@pytest.fixture
def smtp_sink_tls(smtp_sinks: Callable[..., Sink]) -> Sink:
    """The same with STARTTLS: ``certificate`` is what option ``tlsca`` takes, or a file that ``ssl`` loads."""
    return smtp_sinks(tls="starttls")
