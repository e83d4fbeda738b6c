"""``sendmessage``, ``Session`` and ``Mailer`` for asyncio, over the same core: no thread for a connection.

A task that is cancelled leaves nothing half sent. Works on every event loop with ``add_reader``:
asyncio's own on Unix, and uvloop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING

from . import _native
from ._aio_mailer import Mailer
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
from ._dial import DialError, dial
from ._errors import (
    Cancelled,
    ConnectionClosed,
    exception_of,
    usage,
)
from ._native import Message, Options
from ._options import OptionDict, Secret, base_of, listener
from ._report import Failure, Reply, Report, report_of
from ._tokens import AnyMessage, token
from ._wire import Feed, Wire

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

__all__ = ["AUTH_DEFAULT", "Mailer", "Session", "sendmessage"]


async def sendmessage(
    message: AnyMessage | AsyncIterable[bytes],
    base: Options | None = None,
    /,
    **options: Unpack[OptionDict],
) -> Report:
    """As ``smtpclient.sendmessage``. The message may also be an asynchronous iterable of bytes."""
    known = Options(base_of(base), **options)
    feed = Feed(message) if isinstance(message, AsyncIterable) else None
    try:
        if feed is None:
            made = token(message)  # type: ignore[arg-type]
        else:
            await feed.begin()
            made = Message.from_reader(feed.read)
        delivery = _native.Delivery(made, known, listener(known))
        async with _deadline(delivery, known) as wires:
            await _deliver(delivery, known, feed, wires)
    finally:
        if feed is not None:
            feed.close()
    return report_of(delivery.report())


async def _deliver(
    delivery: _native.Delivery, options: Options, feed: Feed | None, wires: list[Wire]
) -> None:
    while True:
        server = delivery.wants()
        if server is not None:
            try:
                sock, ends = await dial(server, options)
            except DialError as error:
                delivery.connect_failed(error.text, error.kind, error.transient)
                continue
            delivery.connected(*ends)
            wire = Wire(sock, delivery)
            wires[:] = [wire]
            try:
                await wire.until(lambda: not delivery.exchanges(), feed)
            finally:
                wire.close()
        elif not delivery.exchanges():
            return
        else:
            raise ConnectionClosed("the connection was lost")


@contextlib.asynccontextmanager
async def _deadline(
    conversation: _native.Delivery | _native.Dialogue, options: Options
) -> AsyncIterator[list[Wire]]:
    """Ends a call that takes too long, or that is cancelled from elsewhere."""
    loop, wires = asyncio.get_running_loop(), list[Wire]()
    task, handles = asyncio.current_task(), list[asyncio.TimerHandle]()
    struck = False

    def strike(text: str, kind: str) -> None:
        nonlocal struck
        conversation.abort(text, kind)
        if wires:
            wires[0].wake()
        elif task is not None:
            struck = task.cancel()

    def look() -> None:
        if options.cancelled:
            strike("the caller cancelled the call", "cancelled")
        else:
            handles[-1] = loop.call_later(0.1, look)

    if options.deadline is not None:
        text = "the deadline of the whole call has passed"
        handles.append(loop.call_later(options.deadline, strike, text, "timeout"))
    if options.cancellable:
        handles.append(loop.call_soon(look))  # type: ignore[arg-type]
    try:
        yield wires
    except asyncio.CancelledError:
        if not struck:
            raise
        if task is not None and hasattr(task, "uncancel"):
            task.uncancel()
    finally:
        for handle in handles:
            handle.cancel()


class Session:
    """One open connection to a server, for one task at a time. See ``smtpclient.Session``.

    ``async with Session(host, port, **options)`` connects and takes its leave; or ``await connect()``
    and ``await close()``.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 0,
        base: Options | None = None,
        /,
        **options: Unpack[OptionDict],
    ) -> None:
        self._options = Options(base, **options)
        self._server = server_of(host, port, self._options)
        self._answers: dict[int, Answer] = {}
        self._busy = False
        self._limited = self._options.deadline is not None or self._options.cancellable
        self._wire: Wire | None = None
        self._known: _native.Dialogue | None = None
        self._greeting: Reply | None = None

    async def connect(self) -> Self:
        """Connect and read the greeting."""
        if self._known is not None:
            raise usage("a session connects once")
        try:
            sock, (peer, local, loopback) = await dial(self._server, self._options)
        except DialError as error:
            step = "connect"
            text = f"{self._server}: {step}: {error.text}"
            kind = error.kind.replace("connecttimeout", "timeout")
            raise exception_of(
                Failure(kind, step, error.text, str(self._server), None, True, text)
            ) from error
        self._known = _native.Dialogue(
            self._server,
            self._options,
            listener(self._options),
            peer=peer,
            local=local,
            loopback=loopback,
            can_redial=True,
        )
        self._wire = Wire(sock, self._known)
        try:
            self._greeting = reply_from(await self._ask(lambda: 0))
        except BaseException:
            self._drop()
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
        return self._wire is not None

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
        return await self._reply(lambda: self._dialogue.ehlo(name))

    async def helo(self, name: str | None = None) -> Reply:
        """HELO."""
        return await self._reply(lambda: self._dialogue.helo(name))

    async def lhlo(self, name: str | None = None) -> Reply:
        """LHLO (RFC 2033). From here on the session is LMTP."""
        return await self._reply(lambda: self._dialogue.lhlo(name))

    async def mail(self, address: str, parameters: Iterable[str] = ()) -> Reply:
        """MAIL FROM; the empty address is the null reverse-path."""
        return await self._reply(lambda: self._dialogue.mail(address, list(parameters)))

    async def rcpt(self, address: str, parameters: Iterable[str] = ()) -> Reply:
        """RCPT TO."""
        return await self._reply(lambda: self._dialogue.rcpt(address, list(parameters)))

    async def data(self, content: bytes | str) -> Reply:
        """DATA and the content, for the recipients that ``rcpt`` got accepted."""
        return only(await self.data_report(content))

    async def data_report(self, content: bytes | str) -> Report:
        """As ``data``, with what became of each recipient."""
        octets = content.encode() if isinstance(content, str) else content
        return data_from(await self._ask(lambda: self._dialogue.data(octets)))

    async def rset(self) -> Reply:
        """RSET."""
        return await self._reply(lambda: self._dialogue.rset())

    async def noop(self) -> Reply:
        """NOOP."""
        return await self._reply(lambda: self._dialogue.noop())

    async def vrfy(self, name: str) -> Reply:
        """VRFY."""
        return await self._reply(lambda: self._dialogue.vrfy(name))

    async def expn(self, name: str) -> Reply:
        """EXPN."""
        return await self._reply(lambda: self._dialogue.expn(name))

    async def help(self, topic: str | None = None) -> Reply:
        """HELP, on a topic or in general."""
        return await self._reply(lambda: self._dialogue.help(topic))

    async def command(self, line: str) -> Reply:
        """Any other command, as one line."""
        return await self._reply(lambda: self._dialogue.raw(line))

    async def quit(self) -> Reply:
        """QUIT, and its reply. The session is closed then."""
        self._check_alone()
        try:
            return await self._reply(lambda: self._dialogue.quit())
        finally:
            self._drop()

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

    async def send_many(
        self, messages: Iterable[Item] | AsyncIterable[Item], window: int = 64
    ) -> AsyncIterator[Report]:
        """Send messages, or pairs of a message and its options, and yield the report of each, in order,
        also of those that failed: see ``report.error``. Up to ``window`` of them share round trips."""
        waiting: deque[int | Report] = deque()
        try:
            if isinstance(messages, AsyncIterable):
                async for item in messages:
                    waiting.append(ask_for(self._dialogue, item, self._options))
                    if len(waiting) >= window:
                        yield await self._next(waiting)
            else:
                for item in several(messages):
                    waiting.append(ask_for(self._dialogue, item, self._options))
                    if len(waiting) >= window:
                        yield await self._next(waiting)
            while waiting:
                yield await self._next(waiting)
        finally:
            while waiting and self._wire is not None:
                await self._next(waiting)

    async def close(self) -> None:
        """Take leave: QUIT, whose reply is not waited for."""
        if self._wire is None or self._wire.is_forked:
            return self._drop()
        dialogue = self._dialogue
        try:
            dialogue.part()
            await self._wire.until(lambda: dialogue.is_closed)
        finally:
            self._drop()

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

    async def _introduce(self) -> None:
        if not self._dialogue.is_introduced:
            done_from(await self._ask(lambda: self._dialogue.introduce()))

    async def _reply(self, ask: Callable[[], int]) -> Reply:
        return reply_from(await self._ask(ask))

    async def _next(self, waiting: deque[int | Report]) -> Report:
        number = waiting.popleft()
        if not isinstance(number, int):
            return number  # what could not be asked for
        answer = self._answers.pop(number, None)
        if answer is None:
            answer = await self._ask(lambda: number, len(waiting) // 2 + 1)
        return report_from(answer)

    async def _ask(self, ask: Callable[[], int], most: int = 1) -> Answer:
        self._check_alone()
        self._busy = True
        try:
            dialogue = self._dialogue
            number = ask()
            if not self._limited:
                return await self._wait(dialogue, number, [], most)
            async with _deadline(dialogue, self._options) as wires:
                return await self._wait(dialogue, number, wires, most)
            raise self._gone(dialogue)  # reached where the deadline struck
        finally:
            self._busy = False

    def _check_alone(self) -> None:
        if self._wire is not None and self._wire.is_forked:
            raise usage("the session is that of a parent process: open another")
        if self._busy:
            raise usage("the session is in use by another task: give each task one of its own")

    async def _wait(
        self, dialogue: _native.Dialogue, number: int, wires: list[Wire], most: int
    ) -> Answer:
        def some() -> bool:
            return dialogue.has_answers() or dialogue.wants_redial()

        def enough() -> bool:
            return dialogue.answers() >= most or dialogue.wants_redial()

        while True:
            while (answer := dialogue.poll_answer()) is not None:
                self._answers[answer[0]] = answer
            if number in self._answers:
                if dialogue.is_closed:
                    self._drop()
                self._check_raised(dialogue)
                return self._answers.pop(number)
            if dialogue.wants_redial():
                await self._redial(dialogue)
            elif self._wire is None:
                raise self._gone(dialogue)
            else:
                wires[:] = [self._wire]
                try:
                    if most > 1:
                        await self._wire.until(enough, None, some)
                    else:
                        await self._wire.until(some)
                except BaseException:
                    self._drop()
                    raise
                if not dialogue.has_answers() and not dialogue.wants_redial():
                    self._drop()

    async def _redial(self, dialogue: _native.Dialogue) -> None:
        self._drop()
        try:
            sock, ends = await dial(self._server, self._options)
        except DialError as error:
            dialogue.redial_failed(error.text, error.kind, error.transient)
            return
        dialogue.reconnected(*ends)
        self._wire = Wire(sock, dialogue)

    def _check_raised(self, dialogue: _native.Dialogue) -> None:
        raised = dialogue.take_raised()
        if raised is None:
            return
        self._drop()
        if not isinstance(raised, Exception):
            raise raised
        text = "a function of the caller's raised"
        failure = Failure("cancelled", "command", text, str(self._server), None, False, text)
        raise Cancelled(text, failure=failure) from raised

    def _gone(self, dialogue: _native.Dialogue) -> BaseException:
        return dialogue.fault() or ConnectionClosed("the session is closed")

    def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()


