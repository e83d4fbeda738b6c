"""One open connection over a blocking socket."""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING

from . import _native
from ._answers import (
    AUTH_DEFAULT,
    Addresses,
    Item,
    addressed,
    ask_for,
    composed,
    data_from,
    done_from,
    given,
    only,
    options_of,
    reply_from,
    report_from,
    sent_from,
    several,
)
from ._blocking import in_use
from ._errors import UsageError
from ._native import Alone, Answer, Options
from ._option_types import OptionDict
from ._options import listener
from ._values import Secret
from ._report import Reply, Report
from ._sockets import server_of
from ._tokens import AnyMessage, token

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack


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
        self._begin(None, _native.one_server(host, port, known), known)

    @classmethod
    def from_socket(
        cls, sock: socket.socket, name: str, base: Options | None = None, /, **options: Unpack[OptionDict]
    ) -> Self:
        """Take over a connected socket on which nothing was said yet. ``name`` is the server's, for
        certificates and reports. An ``ssl.SSLSocket`` is TLS already."""
        known = Options(base, **options)
        server = server_of(sock, name, known)
        session = cls.__new__(cls)
        session._begin(sock, server, known)
        return session

    def _begin(self, sock: socket.socket | None, server: _native.Server, options: Options) -> None:
        self._alone = Alone()
        #: How many ``send_many`` are under way, and in which thread: their messages are no other's to move.
        self._many, self._sender = 0, 0
        self._options = options
        self._server = server
        self._dialogue = _native.Dialogue(server, options, listener(options), sock)
        try:
            self._greeting = reply_from(self._wait(0))
        except BaseException:
            self._dialogue.close()
            raise

    # What is known.

    @property
    def greeting(self) -> Reply:
        """The server's greeting."""
        return self._greeting

    @property
    def is_open(self) -> bool:
        """Whether the connection can still be used."""
        try:
            return self._dialogue.is_open
        except UsageError:
            return True  # another thread is using it

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is under TLS."""
        return self._dialogue.is_encrypted

    @property
    def options(self) -> Options:
        """What the session was opened with."""
        return self._options

    @property
    def sock(self) -> socket.socket | None:
        """The socket, not blocking; ``None`` when the session is closed."""
        return self._dialogue.sock

    def server_options(self) -> dict[str, str]:
        """The extensions that the server offers and their parameters, by EHLO, which is said if it was not."""
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
        return self._reply(lambda: self._dialogue.ask("ehlo", *given(name)))

    def helo(self, name: str | None = None) -> Reply:
        """HELO."""
        return self._reply(lambda: self._dialogue.ask("helo", *given(name)))

    def lhlo(self, name: str | None = None) -> Reply:
        """LHLO (RFC 2033). From here on the session is LMTP."""
        return self._reply(lambda: self._dialogue.ask("lhlo", *given(name)))

    def mail(self, address: str, parameters: Iterable[str] = ()) -> Reply:
        """MAIL FROM; the empty address is the null reverse-path. Parameters as they are sent: ``BODY=8BITMIME``."""
        return self._reply(lambda: self._dialogue.ask("mail", address, *parameters))

    def rcpt(self, address: str, parameters: Iterable[str] = ()) -> Reply:
        """RCPT TO."""
        return self._reply(lambda: self._dialogue.ask("rcpt", address, *parameters))

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
        return self._reply(lambda: self._dialogue.ask("rset"))

    def noop(self) -> Reply:
        """NOOP."""
        return self._reply(lambda: self._dialogue.ask("noop"))

    def vrfy(self, name: str) -> Reply:
        """VRFY."""
        return self._reply(lambda: self._dialogue.ask("vrfy", name))

    def expn(self, name: str) -> Reply:
        """EXPN."""
        return self._reply(lambda: self._dialogue.ask("expn", name))

    def help(self, topic: str | None = None) -> Reply:
        """HELP, on a topic or in general."""
        return self._reply(lambda: self._dialogue.ask("help", *given(topic)))

    def command(self, line: str) -> Reply:
        """Any other command, as one line."""
        return self._reply(lambda: self._dialogue.ask("command", line))

    def quit(self) -> Reply:
        """QUIT, and its reply. The session is closed then."""
        self._check_thread()
        with self._alone:
            try:
                return reply_from(self._wait(self._dialogue.ask("quit")))
            finally:
                self._dialogue.close()

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

        Up to ``window`` messages are taken ahead, which share round trips as option ``pipelining``
        allows. A report is held back while the server goes on to answer at once, for 5 ms at most. If ``messages``
        raises or has an invalid item, the reports of the messages before it come first.
        """
        waiting: deque[int | Report] = deque()
        items, raised = enumerate(several(messages)), None
        self._check_thread()
        self._many += 1
        try:
            while raised is None:
                try:
                    index, item = next(items)
                    self._sender = get_ident()
                    with self._alone:
                        waiting.append(ask_for(self._dialogue, item, self._options, index))
                except StopIteration:
                    break
                except Exception as error:
                    raised = error
                if len(waiting) >= window:
                    yield self._next(waiting)
            while waiting:
                yield self._next(waiting)
            if raised is not None:
                raise raised
        finally:
            try:
                while waiting:
                    self._next(waiting)
            finally:
                self._many -= 1

    def close(self) -> None:
        """Send QUIT, without waiting for the reply."""
        if self._alone.is_forked:
            return self._dialogue.close()
        if not self.is_open:
            self._dialogue.close()
            return self._dialogue.tell_raised()
        self._check_thread()
        with self._alone:
            self._dialogue.leave()

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

    def _check_thread(self) -> None:
        if self._many and self._sender != get_ident():
            raise in_use()

    def _ask(self, ask: Callable[[], int]) -> Answer:
        self._check_thread()
        with self._alone:
            return self._wait(ask())

    def _next(self, waiting: deque[int | Report]) -> Report:
        number = waiting.popleft()
        if not isinstance(number, int):
            return number  # what could not be asked for
        self._sender = get_ident()
        with self._alone:
            return report_from(self._wait(number, len(waiting) // 2 + 1))

    def _wait(self, number: int, most: int = 1) -> Answer:
        """Move bytes until the answer of that number is there, and up to ``most`` if they come at once."""
        return self._dialogue.wait(number, most)

    def _wrap(self, context: ssl.SSLContext) -> None:
        sock, timeout = self._dialogue.detach()
        sock.settimeout(timeout)
        try:
            self._dialogue.attach(context.wrap_socket(sock, server_hostname=self._server.host))
        except BaseException as error:
            sock.close()
            self._dialogue.fail(f"TLS was not set up: {error}")
            raise
