"""What several tests need: a server that takes everything, one that never answers, a certificate."""

import contextlib
import re
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from smtpclient.testing import Sink

MESSAGE = b"From: a@c.example\r\nTo: b@s.example\r\nSubject: x\r\n\r\nHello.\r\n"


@pytest.fixture
def sink():
    with Sink(rejects=["bad*=550 5.1.1 no such user", "later*=451 4.2.0 later"]) as running:
        yield running


@pytest.fixture
def to(sink):
    """Options that lead to the sink."""
    return {"servers": ["127.0.0.1"], "ports": [sink.port], "client": "c.example"}


@contextlib.contextmanager
def serving(serve, listener, connections):
    """Serves in a thread, which has read to the end before a test looks at what was heard."""
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        for one in (listener, *connections):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for one in (listener, *connections):
            one.close()


@contextlib.contextmanager
def server(*replies):
    """Says one reply after the other, each when a line was read, the first at once; then nothing more.
    Gives the port and what was heard."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard, connections = bytearray(), []

    def serve():
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            connections.append(connection)
            for reply in replies:
                if reply is None:
                    connection.close()
                    return
                connection.sendall(reply)
                heard.extend(connection.recv(65536))
            while piece := connection.recv(65536):
                heard.extend(piece)

    with serving(serve, listener, connections):
        yield listener.getsockname()[1], heard


@pytest.fixture
def silent():
    """The port of a server that greets and then says nothing."""
    with server(b"220 s\r\n") as (port, _):
        yield port


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for localhost and its key, in PEM files."""
    folder = tmp_path_factory.mktemp("pki")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
         "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )
    return str(cert), str(key)


@pytest.fixture
def tls_server(certificate):
    """aiosmtpd with STARTTLS and a login."""
    controller = pytest.importorskip("aiosmtpd.controller")
    from aiosmtpd.smtp import AuthResult

    class Keep:
        def __init__(self):
            self.messages = []

        async def handle_DATA(self, server, session, envelope):
            self.messages.append((session.ssl is not None, session.authenticated, envelope.content))
            return "250 2.0.0 Ok: queued as 1"

    def authenticator(server, session, envelope, mechanism, data):
        return AuthResult(success=data.login == b"user" and data.password == "pässword".encode(), handled=False)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # so that a client that wants more fails
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = controller.Controller(
        Keep(), hostname="127.0.0.1", port=port, tls_context=context, authenticator=authenticator, enable_SMTPUTF8=True
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture
def documented():
    """The names in the table of a section of a page in `docs`."""
    docs = Path(__file__).parents[2] / "docs"

    def names(page, section):
        text = (docs / page).read_text().split(f"## {section}\n")[1].split("\n## ")[0]
        return re.findall(r"^\| `(\w+)` ", text, re.MULTILINE)

    return names
