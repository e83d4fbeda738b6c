"""One open connection over a blocking socket."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from . import _native
from ._answers import (
    AUTH_DEFAULT,
    Addresses,
    Answer,
    Item,
    addressed,
    ask_for,
    composed,
    data_from,
    done_from,
    only,
    options_of,
    reply_from,
    report_from,
    sent_from,
    server_of,
    several,
)
from ._blocking import Alone, Ends, Limits, ends_of, in_use, receive, send
from ._errors import Cancelled, ConnectionClosed, ResolveError, SMTPException, Timeout, usage
from ._native import Options
from ._options import OptionDict, Secret, listener
from ._report import Failure, Reply, Report
from ._tokens import AnyMessage, token

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

#: After so many octets written, what the server says meanwhile is looked at.
_LOOK = 64 * 1024


class Session:
    """One open connection to a server.

    Verbs answer with the server's ``Reply`` whatever it says; an exception means that there is none.
    EHLO, STARTTLS and login happen by themselves before the first message, as the options want them.
    As a context manager it takes its leave (QUIT) at the end. One thread at a time.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 0,
        base: Options | None = None,
        /,
        **options: Unpack[OptionDict],
    ) -> None:
        """Connect to ``host``, a name, ``host:port`` or a URL as in option ``servers``, and read the
        greeting. ``port`` 0 is the default one."""
        known = Options(base, **options)
        server = server_of(host, port, known)
        stream, ends = _native.connect(server, known)
        self._begin(stream, ends, server, known)

    @classmethod
    def from_socket(
        cls, sock: socket.socket, name: str, base: Options | None = None, /, **options: Unpack[OptionDict]
    ) -> Self:
        """Take over a connected socket on which nothing was said yet. ``name`` is the server's, for
        certificates and reports. An ``ssl.SSLSocket`` is TLS already."""
        known = Options(base, **options)
        try:
            peer = sock.getpeername()
        except OSError as error:
            raise usage(f"the socket is not connected: {error}") from error
        if sock.type & 0xF != socket.SOCK_STREAM:
            raise usage("the socket is no stream socket")
        over = isinstance(sock, ssl.SSLSocket)
        port = peer[1] if isinstance(peer, tuple) else 0
        server = _native.Server(name, port, tls=known.tlsimport and not over, lmtp=known.lmtp)
        session = cls.__new__(cls)
        session._begin(sock, ends_of(sock, peer), server, known)
        return session

    def _begin(
        self,
        connection: _native.Stream | socket.socket,
        ends: Ends,
        server: _native.Server,
        options: Options,
    ) -> None:
        self._alone = Alone()
        self._answers: dict[int, Answer] = {}
        self._options = options
        self._server = server
        # The connection is the native module's, or a socket of Python's, which may be under Python's TLS.
        self._stream: _native.Stream | None = None
        self._sock: socket.socket | None = None
        if isinstance(connection, _native.Stream):
            self._stream = connection
        else:
            self._sock = connection
        self._copy: socket.socket | None = None
        self._limited = options.deadline is not None or options.cancellable
        self._poll: tuple[socket.socket, select.poll] | None = None
        peer, local, loopback = ends
        self._dialogue = _native.Dialogue(
            server,
            options,
            listener(options),
            peer=peer,
            local=local,
            loopback=loopback,
            can_redial=self._stream is not None,
        )
        if self._sock is not None:
            self._sock.setblocking(False)
        if isinstance(self._sock, ssl.SSLSocket):
            self._dialogue.tls_established()
        try:
            self._greeting = reply_from(self._wait(0))
        except BaseException:
            self._drop()
            raise

    # What is known.

    @property
    def greeting(self) -> Reply:
        """The server's greeting."""
        return self._greeting

    @property
    def is_open(self) -> bool:
        """Whether the connection can still be used."""
        return self._sock is not None or self._stream is not None

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is under TLS."""
        try:
            return self._dialogue.is_encrypted
        except RuntimeError:
            raise in_use() from None

    @property
    def options(self) -> Options:
        """What the session was opened with."""
        return self._options

    @property
    def sock(self) -> socket.socket | None:
        """The socket, not blocking; ``None`` when the session is closed."""
        if self._copy is None and self._stream is not None:
            self._copy = socket.socket(fileno=self._stream.duplicate())
            self._copy.setblocking(False)
        return self._sock or self._copy

    def server_options(self) -> dict[str, str]:
        """The extensions that the server offers and their parameters, by EHLO, which is said where it was not."""
        self._introduce()
        with self._alone:
            return {name.upper(): parameters for name, parameters in self._dialogue.extensions()}

    def auth_types(self) -> list[str]:
        """The SASL mechanisms that the server offers."""
        self._introduce()
        with self._alone:
            return self._dialogue.auth_types()

    # Verbs.

    def ehlo(self, name: str | None = None) -> Reply:
        """EHLO; without a name it is that of option ``client``."""
        return self._reply(lambda: self._dialogue.ehlo(name))

    def helo(self, name: str | None = None) -> Reply:
        """HELO."""
        return self._reply(lambda: self._dialogue.helo(name))

    def lhlo(self, name: str | None = None) -> Reply:
        """LHLO (RFC 2033). From here on the session is LMTP."""
        return self._reply(lambda: self._dialogue.lhlo(name))

    def mail(self, address: str, parameters: Iterable[str] = ()) -> Reply:
        """MAIL FROM; the empty address is the null reverse-path. Parameters as they are sent: ``BODY=8BITMIME``."""
        return self._reply(lambda: self._dialogue.mail(address, list(parameters)))

    def rcpt(self, address: str, parameters: Iterable[str] = ()) -> Reply:
        """RCPT TO."""
        return self._reply(lambda: self._dialogue.rcpt(address, list(parameters)))

    def data(self, content: bytes | str) -> Reply:
        """DATA and the content, for the recipients that ``rcpt`` got accepted. With LMTP it is the last of
        the replies: ``data_report`` has them all."""
        return only(self.data_report(content))

    def data_report(self, content: bytes | str) -> Report:
        """As ``data``, with what became of each recipient."""
        octets = content.encode() if isinstance(content, str) else content
        return data_from(self._ask(lambda: self._dialogue.data(octets)))

    def rset(self) -> Reply:
        """RSET."""
        return self._reply(self._dialogue.rset)

    def noop(self) -> Reply:
        """NOOP."""
        return self._reply(self._dialogue.noop)

    def vrfy(self, name: str) -> Reply:
        """VRFY."""
        return self._reply(lambda: self._dialogue.vrfy(name))

    def expn(self, name: str) -> Reply:
        """EXPN."""
        return self._reply(lambda: self._dialogue.expn(name))

    def help(self, topic: str | None = None) -> Reply:
        """HELP, on a topic or in general."""
        return self._reply(lambda: self._dialogue.help(topic))

    def command(self, line: str) -> Reply:
        """Any other command, as one line."""
        return self._reply(lambda: self._dialogue.raw(line))

    def quit(self) -> Reply:
        """QUIT, and its reply. The session is closed then."""
        with self._alone:
            try:
                return reply_from(self._wait(self._dialogue.quit()))
            finally:
                self._drop()

    def starttls(self, context: ssl.SSLContext | None = None) -> Reply:
        """STARTTLS and the handshake, by the library or by Python's ``context``. Certificate and host name
        are verified unless option ``tlsverify`` is off, or as the context says."""
        if context is None:
            return self._reply(self._dialogue.starttls)
        reply = self._reply(self._dialogue.starttls_below)
        if reply.code == 220:
            self._wrap(context)
        return reply

    def authenticate(self, user: str, password: Secret, mechanism: str | None = AUTH_DEFAULT) -> None:
        """Log in, once a connection, by one mechanism or by the strongest that succeeds."""
        done_from(self._ask(lambda: self._dialogue.login(user, password, mechanism)))

    # Messages.

    def send(
        self,
        from_addr: str,
        to: Addresses,
        cc: Addresses = "",
        bcc: Addresses = "",
        subject: str = "",
        content: AnyMessage = "",
    ) -> Report:
        """Send content, plain text or a finished message with a ``MIME-Version``, to these addresses."""
        options = addressed(self._options, from_addr, to, cc, bcc, subject)
        message = composed(content)
        return sent_from(self._ask(lambda: self._dialogue.send_message(message, options)))

    def send_message(
        self, message: AnyMessage, base: Options | None = None, /, **options: Unpack[OptionDict]
    ) -> Report:
        """Send a message, as ``sendmessage`` does; ``options`` are beside the session's own."""
        known = options_of(self._options, base, options)
        made = token(message)
        return sent_from(self._ask(lambda: self._dialogue.send_message(made, known)))

    def send_many(self, messages: Iterable[Item], window: int = 64) -> Iterator[Report]:
        """Send messages, or pairs of a message and its options, and yield the report of each, in order,
        also of those that failed: see ``report.error``.

        Up to ``window`` messages are taken ahead, which share round trips where the server offers
        PIPELINING. A report is held back while the server goes on to answer at once, for 5 ms at most.
        """
        waiting: deque[int | Report] = deque()
        try:
            for item in several(messages):
                waiting.append(ask_for(self._dialogue, item, self._options))
                if len(waiting) >= window:
                    yield self._next(waiting)
            while waiting:
                yield self._next(waiting)
        finally:
            while waiting:
                self._next(waiting)

    def close(self) -> None:
        """Take leave: QUIT, whose reply is not waited for."""
        if not self.is_open or self._alone.is_forked:
            return self._drop()
        with self._alone:
            try:
                self._dialogue.part()
                self._drive(lambda: self._dialogue.is_closed, 0)
            finally:
                self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Session {self._server}{'' if self.is_open else ', closed'}>"

    # Driving.

    def _introduce(self) -> None:
        with self._alone:
            introduced = self._dialogue.is_introduced
        if not introduced:
            done_from(self._ask(self._dialogue.introduce))

    def _reply(self, ask: Callable[[], int]) -> Reply:
        return reply_from(self._ask(ask))

    def _ask(self, ask: Callable[[], int]) -> Answer:
        with self._alone:
            return self._wait(ask())

    def _next(self, waiting: deque[int | Report]) -> Report:
        number = waiting.popleft()
        if not isinstance(number, int):
            return number  # what could not be asked for
        answer = self._answers.pop(number, None)
        if answer is None:
            with self._alone:
                answer = self._wait(number, len(waiting) // 2 + 1)
        return report_from(answer)

    def _wait(self, number: int, most: int = 1) -> Answer:
        """Move bytes until the answer of that number is there, and up to ``most`` where they come at once."""
        answers, poll = self._answers, self._dialogue.poll_answer
        while True:
            while (answer := poll()) is not None:
                answers[answer[0]] = answer
            if number in answers:
                if self._dialogue.is_closed:
                    self._drop()
                return answers.pop(number)
            self._drive(self._dialogue.has_answers, most)
            if not self._dialogue.has_answers():
                raise self._dialogue.fault() or ConnectionClosed("the session is closed")

    def _drive(self, done: Callable[[], bool], most: int = 1) -> None:
        try:
            self._move(done, most)
        except BaseException:
            # Nothing may be left half sent.
            self._dialogue.abort("the call was interrupted")
            self._drop()
            raise
        raised = self._dialogue.take_raised()
        if raised is not None:
            self._drop()
            if not isinstance(raised, Exception):
                raise raised
            text = "a function of the caller's raised"
            failure = Failure("cancelled", "command", text, str(self._server), None, False, text)
            raise Cancelled(text, failure=failure) from raised

    def _move(self, done: Callable[[], bool], most: int) -> None:
        dialogue = self._dialogue
        limits = Limits(self._options) if self._limited else None
        while True:
            if dialogue.wants_redial():
                self._redial()
            if self._stream is not None:
                dialogue.run(self._stream, most, limits.left() if limits is not None else None)
            else:
                self._move_by_socket(done, limits)
            if not dialogue.wants_redial():
                return

    def _move_by_socket(self, done: Callable[[], bool], limits: Limits | None) -> None:
        dialogue = self._dialogue
        progress, since = dialogue.progress(), time.monotonic()
        unlooked = 0
        while not done() and not dialogue.wants_redial():
            sock = self._sock
            if sock is None:
                return
            if limits is not None:
                limits.check(dialogue)
            output = dialogue.poll_output()
            if output:
                count = send(dialogue, sock, output)
                if count:
                    dialogue.output_done(count)
                    unlooked += count
                    if unlooked >= _LOOK:
                        unlooked = 0
                        receive(dialogue, sock)
                    continue
            elif done() or dialogue.is_closed:
                return
            elif dialogue.waits_for_source():
                dialogue.handle_error("the source has no bytes now", "source")
                continue
            timeout = dialogue.timeout()
            if timeout is None:
                return
            now, known = time.monotonic(), dialogue.progress()
            if known != progress:
                progress, since = known, now
            left = since + timeout - now
            if left <= 0:
                dialogue.handle_timeout()
            elif isinstance(sock, ssl.SSLSocket) and receive(dialogue, sock):
                continue
            elif self._readable(sock, bool(output), left if limits is None else limits.slice(left)):
                receive(dialogue, sock)

    def _readable(self, sock: socket.socket, write: bool, seconds: float) -> bool:
        """Wait until there is something to read, or room to write where that is asked for."""
        if self._poll is None or self._poll[0] is not sock:
            self._poll = sock, select.poll()
            self._poll[1].register(sock, select.POLLIN)
        poll = self._poll[1]
        if write:
            poll = select.poll()
            poll.register(sock, select.POLLIN | select.POLLOUT)
        # Rounded up, so that a wait for a fraction of a millisecond does not spin.
        for _, found in poll.poll(int(seconds * 1000) + 1):
            return bool(found & ~select.POLLOUT)
        return False

    def _redial(self) -> None:
        self._drop()
        try:
            self._stream, ends = _native.connect(self._server, self._options)
        except SMTPException as error:
            kind = "connect"
            if isinstance(error, ResolveError):
                kind = "resolve"
            elif isinstance(error, Timeout):
                kind = "connecttimeout"
            text = error.failure.text if error.failure else str(error)
            self._dialogue.redial_failed(text, kind, error.transient)
            return
        self._dialogue.reconnected(*ends)

    def _wrap(self, context: ssl.SSLContext) -> None:
        stream, self._stream = self._stream, None
        sock, self._sock = self._sock, None
        if stream is not None:
            sock = socket.socket(fileno=stream.detach())
        assert sock is not None
        sock.settimeout(self._dialogue.timeout())
        try:
            self._sock = context.wrap_socket(sock, server_hostname=self._server.host)
        except BaseException as error:
            sock.close()
            self._dialogue.handle_error(f"TLS was not set up: {error}")
            raise
        self._sock.setblocking(False)
        self._dialogue.tls_established()

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        for sock in (self._sock, self._copy):
            if sock is not None:
                sock.close()
        self._sock = self._copy = None
