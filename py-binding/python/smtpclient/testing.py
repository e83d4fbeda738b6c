"""A server for tests: it takes every message and keeps it.

    with Sink() as sink:
        sendmessage(message, servers=["127.0.0.1"], ports=[sink.port])
        [(envelope, content)] = sink.messages()

With TLS and a login:

    with Sink(tls="starttls", users={"ann": "secret"}) as sink:
        sendmessage(message, servers=["localhost"], ports=[sink.port], tlsrequired=True, tlsca=sink.certificate,
                    username="ann", password="secret")

With faults: the first message is refused for now, and the reply to the second one is never sent:

    with Sink(faults=["final#1=451 4.3.0 Try again later", "final#2=close"]) as sink:
        ...
"""

from ._native import Sink

__all__ = ["Sink"]
