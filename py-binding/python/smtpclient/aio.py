"""``sendmessage``, ``Session`` and ``Mailer`` for asyncio, over the same core: no thread for a connection.

A task that is cancelled leaves nothing half sent. Works on every event loop of asyncio, and on uvloop. For one without
``add_reader`` (the Proactor loop of Windows) a thread watches the connections.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING

from . import _native
from ._aio_mailer import Mailer
from ._aio_many import Reports
from ._answers import (
    AUTH_DEFAULT,
    Addresses,
    Item,
    addressed,
    composed,
    data_from,
    done_from,
    given,
    only,
    options_of,
    reply_from,
    report_from,
    sent_from,
)
from ._asking import in_a_loop
from ._commit import awaited
from ._errors import usage
from ._native import Answer, Message, Options
from ._option_types import OptionDict
from ._options import base_of, listener
from ._values import Secret
from ._report import Reply, Report, report_of
from ._sockets import server_of
from ._tokens import AnyMessage, token
from ._turns import Turns
from ._wire import Feed, Wire

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

__all__ = ["AUTH_DEFAULT", "Mailer", "Session", "sendmessage", "verify"]


async def sendmessage(
    message: AnyMessage | AsyncIterable[bytes],
    base: Options | None = None,
    /,
    **options: Unpack[OptionDict],
) -> Report:
    """As ``smtpclient.sendmessage``. The message may also be an asynchronous iterable of bytes."""
    known = Options(base_of(base), **options)
    limits = _native.Limits(known)
    feed = Feed(message) if isinstance(message, AsyncIterable) else None
    try:
        if feed is None:
            made = token(message)  # type: ignore[arg-type]
        else:
            await feed.begin(limits)
            made = Message.from_reader(feed.read)
        known, asking = in_a_loop(known)
        commit = awaited(known)
        delivery = _native.Delivery(made, known, listener(known), limits, feed is not None, commit)
        wire = Wire(delivery, feed, asking, commit)
        await wire.until_over()
        wire.close()
    finally:
        if feed is not None:
            feed.close()
    return report_of(delivery.report())


async def verify(base: Options | None = None, /, **options: Unpack[OptionDict]) -> Report:
    """As ``smtpclient.verify``."""
    known, asking = in_a_loop(Options(base_of(base), **options))
    delivery = _native.Delivery.verify(known, listener(known), _native.Limits(known))
    wire = Wire(delivery, asking=asking)
    await wire.until_over()
    wire.close()
    return report_of(delivery.report())


class Session:
    """One open connection to a server. See ``smtpclient.Session``.

    ``async with Session(host, port, **options)`` connects and takes its leave; or ``await connect()``
    and ``await close()``. Tasks may share it: each call waits for those that were made before it. A message is
    one call; verbs that belong together (``mail``, ``rcpt``, ``data``) are several.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 0,
        base: Options | None = None,
        /,
        **options: Unpack[OptionDict],
    ) -> None:
        known = Options(base, **options)
        self._begin(None, _native.one_server(host, port, known), known)

    @classmethod
    def from_socket(
        cls, sock: socket.socket, name: str, base: Options | None = None, /, **options: Unpack[OptionDict]
    ) -> Self:
        """Take over a connected socket without TLS on which nothing was said yet, such as that of a tunnel.
        ``name`` is the server's, for certificates and reports. ``sock`` itself is closed when the session connects."""
        known = Options(base, **options)
        server = server_of(sock, name, known)
        if isinstance(sock, ssl.SSLSocket):
            raise usage("the socket must be without TLS: options `tlsimport` and `tlsrequired` bring it")
        session = cls.__new__(cls)
        session._begin(sock, server, known)
        return session

    def _begin(self, sock: socket.socket | None, server: _native.Server, options: Options) -> None:
        self._sock = sock
        self._options = options
        self._server = server
        self._turns = Turns()
        self._wire: Wire | None = None
        self._known: _native.Dialogue | None = None
        self._greeting: Reply | None = None
        self._unwanted: deque[int] = deque()

    async def connect(self) -> Self:
        """Connect and read the greeting."""
        if self._known is not None:
            raise usage("a session connects once")
        options, asking = in_a_loop(self._options)
        commit = awaited(options)
        self._known = _native.Dialogue(
            self._server, options, listener(options), self._sock, is_looped=True, commit=commit
        )
        self._sock = None
        self._wire = Wire(self._known, asking=asking, commit=commit)
        try:
            self._greeting = reply_from(await self._ask(lambda: 0))
        except BaseException:
            self._wire.close()
            raise
        return self

    # What is known.

    @property
    def greeting(self) -> Reply | None:
        """The server's greeting."""
        return self._greeting

    @property
    def is_open(self) -> bool:
        """Whether the connection can still be used."""
        return self._known is not None and self._known.is_open

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is under TLS."""
        return self._known is not None and self._known.is_encrypted

    @property
    def options(self) -> Options:
        """What the session was made with."""
        return self._options

    async def server_options(self) -> dict[str, str]:
        """The extensions that the server offers and their parameters."""
        await self._introduce()
        return {name.upper(): parameters for name, parameters in self._dialogue.extensions()}

    async def auth_types(self) -> list[str]:
        """The SASL mechanisms that the server offers."""
        await self._introduce()
        return self._dialogue.auth_types()

    # Verbs.

    async def ehlo(self, name: str | None = None) -> Reply:
        """EHLO; without a name it is that of option ``client``."""
        return await self._reply(lambda: self._dialogue.ask("ehlo", *given(name)))

    async def helo(self, name: str | None = None) -> Reply:
        """HELO."""
        return await self._reply(lambda: self._dialogue.ask("helo", *given(name)))

    async def lhlo(self, name: str | None = None) -> Reply:
        """LHLO (RFC 2033). From here on the session is LMTP."""
        return await self._reply(lambda: self._dialogue.ask("lhlo", *given(name)))

    async def mail(self, address: str, parameters: Iterable[str] = ()) -> Reply:
        """MAIL FROM; the empty address is the null reverse-path."""
        return await self._reply(lambda: self._dialogue.ask("mail", address, *parameters))

    async def rcpt(self, address: str, parameters: Iterable[str] = ()) -> Reply:
        """RCPT TO."""
        return await self._reply(lambda: self._dialogue.ask("rcpt", address, *parameters))

    async def data(self, content: bytes | str) -> Reply:
        """DATA and the content, for the recipients that ``rcpt`` got accepted."""
        return only(await self.data_report(content))

    async def data_report(self, content: bytes | str) -> Report:
        """As ``data``, with what became of each recipient."""
        octets = content.encode() if isinstance(content, str) else content
        return data_from(await self._ask(lambda: self._dialogue.data(octets)))

    async def rset(self) -> Reply:
        """RSET."""
        return await self._reply(lambda: self._dialogue.ask("rset"))

    async def noop(self) -> Reply:
        """NOOP."""
        return await self._reply(lambda: self._dialogue.ask("noop"))

    async def vrfy(self, name: str) -> Reply:
        """VRFY."""
        return await self._reply(lambda: self._dialogue.ask("vrfy", name))

    async def expn(self, name: str) -> Reply:
        """EXPN."""
        return await self._reply(lambda: self._dialogue.ask("expn", name))

    async def help(self, topic: str | None = None) -> Reply:
        """HELP, on a topic or in general."""
        return await self._reply(lambda: self._dialogue.ask("help", *given(topic)))

    async def command(self, line: str) -> Reply:
        """Any other command, as one line."""
        return await self._reply(lambda: self._dialogue.ask("command", line))

    async def quit(self) -> Reply:
        """QUIT, and its reply. The session is closed then."""
        async with self._turn():
            try:
                return reply_from(await self._answer(lambda: self._dialogue.ask("quit")))
            finally:
                self._connection.close()

    async def starttls(self) -> Reply:
        """STARTTLS and the handshake. Certificate and host name are verified unless ``tlsverify`` is off."""
        return await self._reply(lambda: self._dialogue.starttls())

    async def authenticate(
        self, user: str, password: Secret, mechanism: str | None = AUTH_DEFAULT
    ) -> None:
        """Log in, once a connection, by one mechanism or by the strongest that succeeds."""
        done_from(await self._ask(lambda: self._dialogue.login(user, password, mechanism)))

    # Messages.

    async def send(
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
        return sent_from(await self._ask(lambda: self._dialogue.send_message(message, options)))

    async def send_message(
        self, message: AnyMessage, base: Options | None = None, /, **options: Unpack[OptionDict]
    ) -> Report:
        """Send a message; ``options`` are beside the session's own."""
        known = options_of(self._options, base, options)
        made = token(message)
        return sent_from(await self._ask(lambda: self._dialogue.send_message(made, known)))

    def send_many(
        self, messages: Iterable[Item] | AsyncIterable[Item], window: int = 64
    ) -> Reports:
        """Send messages, or pairs of a message and its options, and yield the report of each, in order,
        also of those that failed: see ``report.error``. Up to ``window`` of them share round trips.

        A loop over it may be left at any time, and the session is then ready for whatever comes next. Messages that were
        taken ahead, at most ``window``, are sent all the same, before that or before QUIT. Their reports are still available
        by iterating on; ``aclose()`` waits for them and takes no more messages."""
        return Reports(self, messages, window)

    async def close(self) -> None:
        """Send QUIT, without waiting for the reply, when the calls before it are over."""
        if self._wire is None:
            return
        if self._wire.is_forked:
            self._wire.close()
            return
        async with self._turn():
            try:
                if self.is_open:
                    self._dialogue.begin(None)
                    await self._wire.until_over()
            finally:
                self._wire.close()
        self._dialogue.tell_raised()

    async def __aenter__(self) -> Self:
        return self if self._known is not None else await self.connect()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<aio.Session {self._server}{'' if self.is_open else ', closed'}>"

    # Driving.

    @property
    def _dialogue(self) -> _native.Dialogue:
        if self._known is None:
            raise usage("the session is not connected: use `async with`, or await connect()")
        return self._known

    @property
    def _connection(self) -> Wire:
        assert self._wire is not None
        return self._wire

    async def _introduce(self) -> None:
        if not self._dialogue.is_introduced:
            done_from(await self._ask(lambda: self._dialogue.introduce()))

    async def _reply(self, ask: Callable[[], int]) -> Reply:
        return reply_from(await self._ask(ask))

    async def _next(self, waiting: deque[int | Report]) -> Report:
        number = waiting.popleft()
        if not isinstance(number, int):
            return number  # what could not be asked for
        answer = self._poll(number)
        if answer is None:
            answer = await self._ask(lambda: number, len(waiting) // 2 + 1)
        return report_from(answer)

    async def _ask(self, ask: Callable[[], int], most: int = 1) -> Answer:
        async with self._turn():
            return await self._answer(ask, most)

    async def _answer(self, ask: Callable[[], int], most: int = 1) -> Answer:
        dialogue, number = self._dialogue, ask()
        dialogue.begin(number, most)
        await self._connection.until_over()
        answer = self._poll(number)
        if answer is None:
            raise dialogue.gone()
        while self._unwanted and self._poll(self._unwanted[0]) is not None:
            self._unwanted.popleft()
        return answer

    def _poll(self, number: int) -> Answer | None:
        try:
            return self._dialogue.poll_answer(number)
        except BaseException:  # what a function of the caller's raised
            self._connection.close()
            raise

    def _turn(self) -> Turns:
        if self._wire is not None and self._wire.is_forked:
            raise usage("the session is that of a parent process: open another")
        return self._turns

