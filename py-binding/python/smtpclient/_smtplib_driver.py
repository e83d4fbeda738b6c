"""What ``smtpclient.smtplib`` has of a connection: a socket, and a dialogue of this library's over it."""

from __future__ import annotations

import smtplib as _standard
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from smtplib import CRLF
from threading import get_ident
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from . import _native
from ._blocking import in_use
from ._errors import SMTPException, UsageError, usage
from ._native import Alone, Answer, Options
from ._options import listener
from ._report import Recipient, failure_of, reply_of
from ._smtplib_errors import SMTPServerDisconnected, lost

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


_P = ParamSpec("_P")
_T = TypeVar("_T")


def _whole(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """A command and its reply, which nothing may come between: a reply that is not read would answer the next command."""

    @wraps(method)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        driven: Any = args[0]
        known = driven._due
        try:
            return method(*args, **kwargs)
        except UsageError:
            raise  # another thread has it, whose reply may be the one that is due
        except BaseException:
            if driven._due > known:
                driven.close()
            raise

    return call


class Driven(_standard.SMTP):
    """The standard class, each of whose commands and replies goes through a dialogue."""

    _dialogue: _native.Dialogue | None = None
    #: The socket that it speaks over.
    _attached: socket.socket | None = None
    #: Whether the server is this machine.
    _loopback = False
    #: The server's name, for certificates.
    _host: str

    if TYPE_CHECKING:

        def _print_debug(self, *args: object) -> None: ...

    def _prepare(self) -> None:
        self._be_free()
        self._forget()

    def _be_free(self) -> None:
        self._alone = Alone()
        #: Who is sending a message: no command of another thread may come between its own.
        self._sending = Alone()
        self._sender: int | None = None

    def _begin(self, sock: socket.socket, server: _native.Server) -> tuple[int, bytes]:
        self.close()
        self.sock = sock
        self._be_free()
        options = Options(usetls=False, authinsecure=True, client="localhost")
        self._dialogue = _native.Dialogue(server, options, listener(options), sock, is_plain=True)
        self._attached, self._loopback = sock, self._dialogue.is_loopback
        self._own().append(0)
        code, message = self.getreply()
        if self.debuglevel > 0:
            self._print_debug("connect:", repr(message))
        return code, message

    def close(self) -> None:
        """Close the connection, without QUIT."""
        sock, self.sock = self.sock, None
        self._forget()
        if sock is not None:
            sock.close()

    def _forget(self) -> None:
        self._dialogue = None
        #: Commands whose replies were not read yet, by the thread that said them, and those whose replies nobody reads.
        self._pending: dict[int, deque[int]] = {}
        self._orphans: list[int] = []
        self._attached = None
        self._finals: list[Recipient] = []
        self._challenged = False

    @property
    def _due(self) -> int:
        """How many replies this thread has not read yet."""
        return len(self._own())

    def _own(self) -> deque[int]:
        return self._pending.setdefault(get_ident(), deque())

    # Commands and replies.

    docmd = _whole(_standard.SMTP.docmd)
    helo = _whole(_standard.SMTP.helo)
    ehlo = _whole(_standard.SMTP.ehlo)
    mail = _whole(_standard.SMTP.mail)
    rcpt = _whole(_standard.SMTP.rcpt)

    def send(self, s: ReadableBuffer | str) -> None:
        """Send a command line. A message's content goes by ``data``."""
        octets = s.encode(self.command_encoding) if isinstance(s, str) else bytes(s)
        line = octets.decode("utf-8").removesuffix(CRLF)
        verb = line.partition(" ")[0].upper()
        secret = self._challenged or verb == "AUTH"
        if self.debuglevel > 0:
            self._print_debug("send:", repr("AUTH ***" if secret else octets.decode("utf-8")))
        sys.audit("smtplib.send", self, b"***" if secret else octets)
        if verb in ("DATA", "BDAT"):
            raise usage(f"{verb} cannot be sent as a plain command: use data(), which also sends the message")
        self._connected()
        # As one: what is asked and not said would be said before the next command, and its reply be taken for that one's.
        with self._alone:
            dialogue = self._connected()
            if secret:
                number = dialogue.raw_secret(line)
            elif verb == "STARTTLS":
                number = dialogue.starttls_below()
            else:
                number = dialogue.raw(line)
            self._own().append(number)
            self._guarded(dialogue.flush)

    def getreply(self) -> tuple[int, bytes]:
        """The code and the text, lines joined by a line feed, of the reply to the first command that has none yet."""
        answer = self._answer(self._next())
        known, reply = failure_of(answer.failure), reply_of(answer.reply)
        # A reply that nobody asked for, after which the connection is over, does not answer this command.
        if known is not None and known.kind != "closed":
            reply = known.reply
        if reply is None:
            self.close()
            assert known is not None
            raise lost(known)
        code, text = reply.code, octets_of(reply.raw)
        self._challenged = code == 334
        if self.debuglevel > 0:
            self._print_debug(f"reply: retcode ({code}); Msg: {text!a}")
        return code, text

    # Driving.

    def _next(self) -> int:
        """The command whose reply is read next: of this thread, else of any, as when another thread goes on."""
        self._live()
        for unread in (self._own(), *self._pending.copy().values()):
            try:
                return unread.popleft()
            except IndexError:
                pass
        raise usage("getreply(): every command has its reply: send one first")

    def _answer(self, number: int) -> Answer:
        try:
            self._connected()
            with self._alone:
                dialogue = self._connected()
                answer: Answer = self._guarded(dialogue.wait, number)
                while self._orphans:
                    dialogue.poll_answer(self._orphans.pop())
                return answer
        except UsageError:
            self._orphans.append(number)  # whoever has the connection now is not told of it
            raise

    def _live(self) -> _native.Dialogue:
        dialogue = self._dialogue
        if dialogue is None or self.sock is None:
            raise SMTPServerDisconnected("please run connect() first")
        if self._alone.is_forked:
            raise SMTPServerDisconnected("the connection is that of a parent process: connect again")
        return dialogue

    def _connected(self) -> _native.Dialogue:
        dialogue = self._live()
        if self._sender not in (None, get_ident()):
            raise in_use()
        sock = self.sock
        if sock is not None and sock is not self._attached:
            dialogue.attach(sock)
            self._attached = sock
        return dialogue

    def _ask(self, ask: Callable[[_native.Dialogue], int]) -> Answer:
        """What comes of something other than a plain command."""
        self._connected()
        with self._alone:
            dialogue = self._connected()
            answer: Answer = self._guarded(dialogue.wait, ask(dialogue))
            return answer

    @contextmanager
    def _one_message(self) -> Iterator[None]:
        """A message and its envelope, which another thread's would be mixed with."""
        with self._sending:
            self._sender = get_ident()
            try:
                yield
            finally:
                self._sender = None

    def _guarded(self, act: Any, *arguments: Any) -> Any:
        """Do something with the connection, which nothing may leave half done."""
        try:
            return act(*arguments)
        except SMTPException as error:
            self.close()
            if error.failure is None:
                raise
            raise lost(error.failure) from None
        except BaseException:
            self.close()
            raise


def octets_of(text: str) -> bytes:
    return b"\n".join(line.strip(b" \t\r\n") for line in text.encode().split(b"\n"))
