"""What ``smtpclient.smtplib`` has of a connection: a socket, and a dialogue of this library's over it."""

from __future__ import annotations

import smtplib as _standard
import socket
import sys
from collections import deque
from collections.abc import Callable
from functools import wraps
from smtplib import CRLF
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from . import _native
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
        except (UsageError, RuntimeError):
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
        self._alone = Alone()
        self._forget()

    def _begin(self, sock: socket.socket, server: _native.Server) -> tuple[int, bytes]:
        self.close()
        self.sock = sock
        self._alone = Alone()
        options = Options(usetls=False, authinsecure=True, client="localhost")
        self._dialogue = _native.Dialogue(server, options, listener(options), sock, is_plain=True)
        self._attached, self._loopback = sock, self._dialogue.is_loopback
        self._pending.append(0)
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
        self._pending: deque[int] = deque()
        self._attached = None
        self._finals: list[Recipient] = []
        self._challenged = False

    @property
    def _due(self) -> int:
        """How many replies were not read yet."""
        return len(self._pending)

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
        dialogue = self._connected()
        if secret:
            number = dialogue.raw_secret(line)
        elif verb == "STARTTLS":
            number = dialogue.starttls_below()
        elif verb in ("DATA", "BDAT"):
            raise usage(f"{verb} cannot be sent as a plain command: use data(), which also sends the message")
        else:
            number = dialogue.raw(line)
        self._pending.append(number)
        with self._alone:
            self._guarded(dialogue.flush)

    def getreply(self) -> tuple[int, bytes]:
        """The code and the text, lines joined by a line feed, of the reply to the first command that has none yet."""
        self._connected()
        if not self._pending:
            raise usage("getreply(): every command has its reply: send one first")
        answer = self._wait(self._pending.popleft())
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

    def _connected(self) -> _native.Dialogue:
        dialogue = self._dialogue
        if dialogue is None or self.sock is None:
            raise SMTPServerDisconnected("please run connect() first")
        if self._alone.is_forked:
            raise SMTPServerDisconnected("the connection is that of a parent process: connect again")
        if self.sock is not self._attached:
            dialogue.attach(self.sock)
            self._attached = self.sock
        return dialogue

    def _wait(self, number: int) -> Answer:
        with self._alone:
            answer: Answer = self._guarded(self._connected().wait, number)
            return answer

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
