"""A server for tests: it takes every message and keeps it.

    with Sink() as sink:
        sendmessage(message, servers=["127.0.0.1"], ports=[sink.port])
        [(envelope, content)] = sink.messages()
"""

from ._native import Sink

__all__ = ["Sink"]
