"""The standard ``smtplib`` over this library's engine: ``from smtpclient import smtplib``.

The classes and exceptions are subclasses of the standard ones of that name, and methods, arguments and results are
theirs. ``docs/python.md`` lists the differences; above all, certificates are verified.
"""

from __future__ import annotations

import re
import smtplib as _standard
import socket
import ssl
import sys
import warnings
from collections.abc import Sequence
from smtplib import CRLF, LMTP_PORT, SMTP_PORT, SMTP_SSL_PORT, bCRLF, quoteaddr, quotedata
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _native
from ._answers import report_from
from ._errors import usage
from ._native import Options
from ._report import failure_of
from ._smtplib_errors import (
    Ours,
    Refusals,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPOutcomeUnknown,
    SMTPProtocolError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeout,
    SMTPTLSError,
    lost,
)
from ._smtplib_driver import Driven, octets_of

if TYPE_CHECKING:
    from email.message import Message

    from _typeshed import ReadableBuffer, SizedBuffer, StrOrBytesPath

__all__ = [
    "CRLF",
    "LMTP",
    "LMTP_PORT",
    "SMTP",
    "SMTP_PORT",
    "SMTP_SSL",
    "SMTP_SSL_PORT",
    "SMTPAuthenticationError",
    "SMTPConnectError",
    "SMTPDataError",
    "SMTPException",
    "SMTPHeloError",
    "SMTPNotSupportedError",
    "SMTPOutcomeUnknown",
    "SMTPProtocolError",
    "SMTPRecipientsRefused",
    "SMTPResponseException",
    "SMTPSenderRefused",
    "SMTPServerDisconnected",
    "SMTPTLSError",
    "SMTPTimeout",
    "bCRLF",
    "quoteaddr",
    "quotedata",
]

_DEFAULT: Any = socket._GLOBAL_DEFAULT_TIMEOUT  # type: ignore[attr-defined]
_EOL = re.compile(rb"\r\n|\r|\n")
#: Looked up now: programs put our classes in the place of the standard ones.
_init = _standard.SMTP.__init__
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_CONTROL = re.compile(r"[\0-\x08\x0a-\x1f\x7f-\x9f]")
#: Those whose password can be read off the wire.
_CLEAR = ("PLAIN", "LOGIN")


class SMTP(Driven):
    """One connection to a server, as ``smtplib.SMTP`` has it: see there for methods and attributes.

    ``authinsecure`` set to true, on the class or an object, lets ``login`` send a password that can be read off an
    unencrypted connection to another machine.
    """

    authinsecure = False

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        local_hostname: str | None = None,
        timeout: float | None = _DEFAULT,
        source_address: Any = None,
    ) -> None:
        self._prepare()
        with Ours():
            _init(self, host, port, local_hostname, timeout, source_address)  # type: ignore[arg-type]

    # The connection.

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        """A connected socket; overridden by those who go through a proxy."""
        _check_timeout(timeout)
        if self.debuglevel > 0:
            self._print_debug("connect: to", (host, port), self.source_address)
        return socket.create_connection((host, port), timeout, self.source_address)

    def connect(
        self, host: str = "localhost", port: int = 0, source_address: Any = None
    ) -> tuple[int, bytes]:
        """Connect, and return the greeting. ``host`` may end in ``:port``."""
        if source_address:
            self.source_address = source_address
        if not port and host.count(":") == 1:
            host, _, text = host.partition(":")
            try:
                port = int(text)
            except ValueError:
                raise OSError("nonnumeric port") from None
        port = port or self.default_port
        self._host = host
        sys.audit("smtplib.connect", self, host, port)
        sock = self._get_socket(host, port, self.timeout)
        number = port if isinstance(port, int) else 0  # the name of a service is as good
        return self._begin(sock, _native.Server(host, number, lmtp=self.ehlo_msg == "lhlo"))

    def data(self, msg: ReadableBuffer | str) -> tuple[int, bytes]:
        """DATA and the content, to the recipients that were accepted. Return the final reply; raise ``SMTPDataError``
        if the server refuses DATA itself. Line ends become CRLF, in ``bytes`` too."""
        content = msg.encode("ascii") if isinstance(msg, str) else bytes(msg)
        report = report_from(self._ask(lambda dialogue: dialogue.data(content)))
        error = report.error
        if error is not None and (error.reply is None or error.kind == "closed"):
            self.close()
            raise lost(error)
        reply = report.reply or (error.reply if error is not None else None)
        assert reply is not None
        code, text = reply.code, octets_of(reply.raw)
        if self.debuglevel > 0:
            self._print_debug("data:", (code, text))
        if error is not None and error.step == "data":
            raise SMTPDataError(code, text)
        self._finals.extend(report.recipients)
        return code, text

    def mail(self, sender: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        """MAIL FROM."""
        _check_address(sender)
        with Ours():
            return super().mail(sender, options)

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        """RCPT TO."""
        _check_address(recip)
        with Ours():
            return super().rcpt(recip, options)

    def verify(self, address: str) -> tuple[int, bytes]:
        """VRFY."""
        _check_address(address)
        with Ours():
            return super().verify(address)

    vrfy = verify

    def expn(self, address: str) -> tuple[int, bytes]:
        """EXPN."""
        _check_address(address)
        with Ours():
            return super().expn(address)

    # TLS and login.

    def starttls(
        self,
        keyfile: StrOrBytesPath | None = None,
        certfile: StrOrBytesPath | None = None,
        context: ssl.SSLContext | None = None,
    ) -> tuple[int, bytes]:
        """STARTTLS and the handshake, by Python's ``context``. Without one the certificate and the host name are
        verified, against the system's authorities."""
        context = _context(context, keyfile, certfile)
        self.ehlo_or_helo_if_needed()
        if not self.has_extn("starttls"):
            raise SMTPNotSupportedError("STARTTLS extension not supported by server.")
        code, text = self.docmd("STARTTLS")
        if code != 220:
            # 501 with parameters, 454 for now (RFC 3207 section 4).
            raise SMTPResponseException(code, text)
        sock, self.sock = self.sock, None
        if sock is None:
            raise SMTPServerDisconnected("the connection was closed meanwhile")
        try:
            self.sock = context.wrap_socket(sock, server_hostname=self._host)
        except BaseException:
            # There is no way back to plain text.
            sock.close()
            self.close()
            raise
        # RFC 3207 section 4.2: nothing that was known before counts.
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False
        return code, text

    def auth(
        self, mechanism: str, authobject: Any, *, initial_response_ok: bool = True
    ) -> tuple[int, bytes]:
        """AUTH, with ``authobject(challenge)`` to answer each challenge; see ``smtplib.SMTP.auth``."""
        with Ours():
            return super().auth(mechanism, authobject, initial_response_ok=initial_response_ok)

    def login(
        self, user: str, password: str, *, initial_response_ok: bool = True
    ) -> tuple[int, bytes]:
        """Log in by CRAM-MD5, PLAIN or LOGIN, each in turn; by SCRAM if the server offers none of them.

        PLAIN and LOGIN need TLS, a server on this machine, or ``authinsecure``.
        """
        self.ehlo_or_helo_if_needed()
        if not self.has_extn("auth"):
            raise SMTPNotSupportedError("SMTP AUTH extension not supported by server.")
        offered = self.esmtp_features["auth"].upper().split()
        known = [name for name in ("CRAM-MD5", *_CLEAR) if name in offered]
        scram = [name for name in ("SCRAM-SHA-256", "SCRAM-SHA-1") if name in offered]
        if not known and not scram:
            raise SMTPException("No suitable authentication method found.")
        safe = self.authinsecure or self._loopback or isinstance(self.sock, ssl.SSLSocket)
        usable = [name for name in known if safe or name not in _CLEAR]
        if not usable and not scram:
            text = (
                f"{' and '.join(known)} would send the password in clear: call starttls() first, "
                "or set authinsecure = True"
            )
            raise SMTPNotSupportedError(text)
        self.user, self.password = user, password
        refusal: SMTPAuthenticationError | None = None
        for name in usable:
            method = getattr(self, "auth_" + name.lower().replace("-", "_"))
            try:
                if not (user + password).isascii():  # for which the standard module has no way
                    return self._by_library(user, password, name)
                return self.auth(name, method, initial_response_ok=initial_response_ok)
            except SMTPAuthenticationError as error:
                refusal = error
        if refusal is not None:
            raise refusal
        return self._by_library(user, password, scram[0])

    def _by_library(self, user: str, password: str, mechanism: str) -> tuple[int, bytes]:
        answer = self._ask(lambda dialogue: dialogue.login(user, password, mechanism))
        failure = failure_of(answer.failure)
        if failure is not None:
            if failure.kind == "login":
                code, text = (failure.reply.code, failure.reply.raw) if failure.reply else (535, failure.text)
                raise SMTPAuthenticationError(code, octets_of(text), failure=failure)
            raise lost(failure)
        return 235, b""

    def ehlo_or_helo_if_needed(self) -> None:
        """EHLO, or HELO if the server refuses it, unless one was said."""
        with Ours():
            super().ehlo_or_helo_if_needed()

    # Messages.

    def sendmail(
        self,
        from_addr: str,
        to_addrs: str | Sequence[str],
        msg: SizedBuffer | str,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Refusals:
        """Send a message to those recipients that the server accepts, and return the others with the server's code and
        text. Raise if it accepts none, or does not take the sender or the message; see ``smtplib.SMTP.sendmail``.
        """
        with self._one_message():
            return self._sendmail(from_addr, to_addrs, msg, mail_options, rcpt_options)

    def _sendmail(
        self,
        from_addr: str,
        to_addrs: str | Sequence[str],
        msg: SizedBuffer | str,
        mail_options: Sequence[str],
        rcpt_options: Sequence[str],
    ) -> Refusals:
        self.ehlo_or_helo_if_needed()
        content = _EOL.sub(bCRLF, msg.encode("ascii") if isinstance(msg, str) else bytes(msg))
        parameters: list[str] = []
        if self.does_esmtp:
            if self.has_extn("size"):
                parameters.append(f"size={len(content)}")
            parameters.extend(mail_options)
        code, text = self.mail(from_addr, parameters)
        if not _taken(code):
            self._leave(code)
            raise SMTPSenderRefused(code, text, from_addr)
        refused: Refusals = {}
        accepted = []
        for address in [to_addrs] if isinstance(to_addrs, str) else to_addrs:
            code, text = self.rcpt(address, rcpt_options)
            if _taken(code):
                accepted.append(address)
            else:
                refused[address] = code, text
            if code == 421:
                self.close()
                raise SMTPRecipientsRefused(refused)
        if not accepted:
            self._leave(0)
            raise SMTPRecipientsRefused(refused)
        self._finals.clear()
        code, text = self.data(content)
        if self.ehlo_msg == "lhlo":
            # RFC 2033 section 4.2: a reply for each.
            for address, final in zip(accepted, self._finals):
                if final.reply is not None and not final.reply.ok:
                    refused[address] = final.reply.code, octets_of(final.reply.raw)
            if any(address not in refused for address in accepted):
                return refused
        if not _taken(code):
            self._leave(code)
            raise SMTPDataError(code, text)
        return refused

    def send_message(
        self,
        msg: Message,
        from_addr: str | None = None,
        to_addrs: str | Sequence[str] | None = None,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Refusals:
        """Send an ``email`` message to the addresses in its header, or to others; see ``smtplib.SMTP.send_message``."""
        named = (["Sender", "From"] if from_addr is None else []) + (["To", "Cc", "Bcc"] if to_addrs is None else [])
        for name in named:
            for field in (name, f"Resent-{name}"):
                for value in msg.get_all(field, []):
                    _check_address(_FOLD.sub("", str(value)), f"field {field}")
        with Ours():
            return super().send_message(msg, from_addr, to_addrs, mail_options, rcpt_options)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with Ours():
            super().__exit__(kind, error, traceback)

    def _leave(self, code: int) -> None:
        """End the transaction, and the connection if the server did."""
        if code == 421:
            self.close()
            return
        try:
            self.rset()
        except SMTPServerDisconnected:
            pass  # the next command says so


class SMTP_SSL(SMTP, _standard.SMTP_SSL):
    """As ``SMTP``, under implicit TLS. Without a ``context`` the certificate and the host name are verified,
    against the system's authorities."""

    default_port = SMTP_SSL_PORT

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        local_hostname: str | None = None,
        keyfile: StrOrBytesPath | None = None,
        certfile: StrOrBytesPath | None = None,
        timeout: float | None = _DEFAULT,
        source_address: Any = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.context = _context(context, keyfile, certfile)
        self.keyfile, self.certfile = keyfile, certfile
        SMTP.__init__(self, host, port, local_hostname, timeout, source_address)

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        sock = super()._get_socket(host, port, timeout)
        try:
            return self.context.wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise


class LMTP(SMTP, _standard.LMTP):
    """As ``SMTP``, by LMTP (RFC 2033), over TCP or a Unix socket: a ``host`` that begins with a slash is its path."""

    ehlo_msg = "lhlo"

    def __init__(
        self,
        host: str = "",
        port: int = LMTP_PORT,
        local_hostname: str | None = None,
        source_address: Any = None,
        timeout: float | None = _DEFAULT,
    ) -> None:
        SMTP.__init__(self, host, port, local_hostname, timeout, source_address)

    def connect(
        self, host: str = "localhost", port: int = 0, source_address: Any = None
    ) -> tuple[int, bytes]:
        """Connect, and return the greeting."""
        if not host.startswith("/"):
            return super().connect(host, port, source_address)
        _check_timeout(self.timeout)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if self.timeout is not _DEFAULT:
                sock.settimeout(self.timeout)
            sock.connect(host)
        except OSError:
            if self.debuglevel > 0:
                self._print_debug("connect fail:", host)
            sock.close()
            raise
        self._host = host
        server = _native.one_server(f"unix:{host}", 0, Options(lmtp=True))
        return self._begin(sock, server)


def _check_address(address: str, what: str = "address") -> None:
    """The standard module would take what is in angle brackets out of it, and mail that."""
    if _CONTROL.search(address):
        raise usage(f"{what} {address!r}: control characters cannot stand in an address: take them out")


def _check_timeout(timeout: float | None) -> None:
    if timeout is not None and not timeout:
        raise ValueError("Non-blocking socket (timeout=0) is not supported")


def _context(
    context: ssl.SSLContext | None,
    keyfile: StrOrBytesPath | None,
    certfile: StrOrBytesPath | None,
) -> ssl.SSLContext:
    for name, file in (("keyfile", keyfile), ("certfile", certfile)):
        if file is not None and context is not None:
            raise ValueError(f"context and {name} arguments are mutually exclusive")
    if keyfile is not None or certfile is not None:
        text = "keyfile and certfile are deprecated, use a custom context instead"
        warnings.warn(text, DeprecationWarning, 3)
    if context is None:
        context = ssl.create_default_context()
        if certfile is not None:
            context.load_cert_chain(certfile, keyfile)
    return context


def _taken(code: int) -> bool:
    return 200 <= code < 300
