"""A server for tests: it takes every message and keeps it.

    with Sink() as sink:
        sendmessage(message, servers=["127.0.0.1"], ports=[sink.port])
        [(envelope, content)] = sink.messages()

With TLS and a login:

    with Sink(tls="starttls", users={"ann": "secret"}) as sink:
        sendmessage(message, servers=["localhost"], ports=[sink.port], tlsrequired=True, tlsca=sink.certificate,
                    username="ann", password="secret")
"""

from ._native import Sink

__all__ = ["Sink"]
