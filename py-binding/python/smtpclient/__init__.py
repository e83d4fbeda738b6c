"""An SMTP client that knows what became of every message.

``sendmessage`` sends one message and returns a ``Report``; ``Session`` is one open connection;
``Mailer`` sends many messages over many; ``smtpclient.aio`` has all three for asyncio.
"""

from ._answers import AUTH_DEFAULT
from ._commit import Commit, Ready
from ._errors import (
    AuthenticationError,
    Cancelled,
    CommitError,
    ConnectError,
    ConnectionClosed,
    ConnectTimeout,
    MessageTooLarge,
    OutcomeUnknown,
    ProtocolError,
    QueueFull,
    RecipientsRefused,
    RefusedError,
    ResolveError,
    SMTPException,
    SourceError,
    Timeout,
    TLSError,
    Unsupported,
    UsageError,
)
from ._mailer import Mailer, MailerCounts, ServerCounts
from ._mechanisms import LoginExchange, LoginFacts, LoginMechanism
from ._native import TLS, Cancel, Message, Options, __version__, option_names
from ._option_types import OptionDict, TLSDict
from ._values import Progress, Rcpt, RcptDict
from ._report import (
    Attempt,
    ConnectionTimes,
    Extension,
    Failure,
    Login,
    MessageTimes,
    Offer,
    Recipient,
    Refused,
    Reply,
    Report,
    TLSFacts,
)
from ._send import sendmessage, verify
from ._session import Session
from ._signers import Signer, Signing

__all__ = [
    "AUTH_DEFAULT",
    "TLS",
    "Attempt",
    "AuthenticationError",
    "Cancel",
    "Cancelled",
    "Commit",
    "CommitError",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionClosed",
    "ConnectionTimes",
    "Extension",
    "Failure",
    "Login",
    "LoginExchange",
    "LoginFacts",
    "LoginMechanism",
    "Mailer",
    "MailerCounts",
    "Message",
    "MessageTimes",
    "MessageTooLarge",
    "Offer",
    "OptionDict",
    "Options",
    "OutcomeUnknown",
    "ProtocolError",
    "QueueFull",
    "Progress",
    "Rcpt",
    "RcptDict",
    "Ready",
    "Recipient",
    "RecipientsRefused",
    "Refused",
    "RefusedError",
    "Reply",
    "Report",
    "ResolveError",
    "SMTPException",
    "ServerCounts",
    "Session",
    "Signer",
    "Signing",
    "SourceError",
    "TLSDict",
    "TLSError",
    "TLSFacts",
    "Timeout",
    "Unsupported",
    "UsageError",
    "__version__",
    "option_names",
    "sendmessage",
    "verify",
]
