"""The types of options. Made by `make tables` from core/src/options/table.rs: change that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:  # what only types need takes time to import
    import os
    import socket
    from collections.abc import Callable, Iterable, Mapping
    from ipaddress import IPv4Address, IPv6Address

    from ._commit import Commit
    from ._mechanisms import LoginMechanism
    from ._native import TLS, Cancel
    from ._signers import Signer
    from ._values import Listener, Progress, Rcpt, RcptDict, Seconds, Secret, TokenFunction


class TLSDict(TypedDict, total=False):
    """The options that say what TLS is like. ``None`` leaves one at its default."""

    tlsverify: bool | None
    """Verify certificate and host name if TLS is required or a secret is sent. Default: yes."""

    tlstrust: Literal["system", "given", "both"] | None
    """Whose authorities vouch for a server: those of the ``system``, those ``given`` by ``tlscafile`` and ``tlsca``, or ``both``. Default: ``both``."""

    tlscafile: str | os.PathLike[str] | None
    """A file with authorities to trust: PEM, or one in DER. Default: none."""

    tlsca: str | bytes | None
    """Authorities from memory: what a ``tlscafile`` would hold. Default: none."""

    tlscertfile: str | os.PathLike[str] | None
    """The client's certificate: PEM, or PKCS#12 with its key. Default: none."""

    tlskeyfile: str | os.PathLike[str] | None
    """The key to ``tlscertfile``, PEM. Default: in ``tlscertfile``."""

    tlskeypassword: Secret | None
    """The password of the key. Default: none."""

    tlsfingerprint: str | Iterable[str] | None
    """SHA-256 fingerprints, in hex, of certificates or public keys: only these are accepted, and TLS is required. Default: none."""

    tlsminversion: Literal["1.0", "1.1", "1.2", "1.3"] | None
    """The oldest version of TLS to speak. Default: ``1.2``."""

    tlsmaxversion: Literal["1.0", "1.1", "1.2", "1.3"] | None
    """The newest version of TLS to speak. Default: the library's."""

    tlsciphers: str | None
    """The ciphers allowed: names that begin with ``TLS_`` for TLS 1.3, OpenSSL's cipher strings for the versions before, separated by colons, commas or white space. Not with native-tls; rustls has names alone. Default: the library's."""

    tlskeylog: str | os.PathLike[str] | None
    """A file to append each connection's secrets to, in the form of ``SSLKEYLOGFILE``, to decrypt recorded traffic. Not with native-tls. Default: none."""

    tlsservername: str | None
    """The name to ask for (SNI) and to find in the certificate. Default: the server's."""


class OptionDict(TLSDict, total=False):
    """The options of ``sendmessage``, by name. ``None`` leaves one at its default."""

    servers: str | Iterable[str] | None
    """Servers, tried in order: a host, ``host:port``, or a URL ``smtp://``, ``smtps://``, ``submission://``, ``lmtp://``, ``unix:/path``; or what takes messages on this machine: a program (``sendmail:/path``), a folder (``file:/folder``), or nobody (``null:``). Empty entries are skipped. A port here counts before option ``ports``. A URL may have ``user:password@``, percent-encoded, for that server alone, in place of ``username`` and ``password``; one with a password gets no ``oauthtoken``. Default: ``localhost``."""

    ports: int | str | Iterable[int] | None
    """Their ports, in the same order; a missing one, and 0, is the default. Default: 25; by URL 465, 587, 24."""

    order: Literal["given", "random", "turn"] | None
    """Which of the servers is tried first. ``given``: the first; the others are for when it fails. ``random``: any of them, drawn for each connection. ``turn``: they take turns, and each connection begins with the next one, for all that the process sends with the same ``servers``. The rest follows in the same way. A mailer gives messages to all of its connections then. Default: ``given``."""

    client: str | None
    """The name in EHLO. Default: ``localhost`` if the server is, else the host's name."""

    lmtp: bool | None
    """Speak LMTP (RFC 2033). Default: no."""

    proxy: Secret | None
    """``socks5://host:port`` or ``http://host:port``, with ``user:password@`` if needed. Default: none."""

    localaddress: str | IPv4Address | IPv6Address | None
    """The local address to connect from. Default: the system's choice."""

    family: Literal["any", "ipv4", "ipv6"] | None
    """Which addresses to connect to, those of the proxy if there is one. ``any``: IPv6 and IPv4 in turn, 250 ms apart (RFC 8305). ``ipv4``, ``ipv6``: those alone. Default: ``any``."""

    queue: bool | None
    """Ask a server that offers XQUE to queue the message. Default: no."""

    pipelining: Literal["off", "rfc", "crossing", "full"] | None
    """How commands are grouped if the server offers PIPELINING. ``rfc``: those of a message, and those of the next message with the end of this one if it offers CHUNKING too. ``off``: never. ``crossing``: the next message's commands go with the end of this one at every server; one that reads a message and what follows in one go may show the next envelope to this message's recipients. ``full``: with CHUNKING also many whole messages at once, without waiting for the replies to RCPT (for messages with one recipient, or with ``atleastone``); only for servers that answer each command once, because a surplus reply would count for the next command. Default: ``rfc``."""

    chunking: Literal["off", "auto", "on"] | None
    """When a message goes by BDAT if the server offers CHUNKING. ``auto``: if it saves a round trip, and as BINARYMIME for binary parts. ``on``: always. ``off``: never. Default: ``auto``."""

    binary: bool | None
    """The message, a finished one, is binary (RFC 3030): it goes octet for octet, as BODY=BINARYMIME, and a server that does not offer BINARYMIME and CHUNKING is an error. The body goes as it is: end its lines in CRLF, except for those of binary parts (RFC 3030 section 3). Another line end in the header section is an error. Composed messages have the encoding ``binary`` for that. Default: no."""

    ignore: str | Iterable[str] | None
    """Extensions that the library is to use as if the server did not offer them: keywords of EHLO, as ``PIPELINING CHUNKING``, for a server that offers what it cannot do. Option ``auth`` chooses among the mechanisms of AUTH. Default: none."""

    reconnect: bool | None
    """A session connects again when a message is to be sent and its server has ended the idle connection, answers MAIL as if the message before were not over (503), or takes no more messages on a connection (LIMITS MAILMAX, RFC 9422). What failed is in the report. A mailer always does so. Default: no."""

    debug: bool | None
    """Print the dialogue on standard error, secrets masked. Default: no."""

    originator: str | None
    """The sender, one mailbox. Set to the empty string it is the null reverse-path ``<>``. Default: ``From`` (or ``Sender``), else the login name at this host."""

    recipients: str | Iterable[str | Rcpt | RcptDict] | None
    """An address list. If it is given, no header field is looked at for recipients. Default: ``To``, ``Cc``, ``Bcc``, ``Dcc``, or their Resent- forms."""

    redirectto: str | None
    """Send to this one mailbox in place of every recipient, as while a program is tried out. The message itself stays as it is, and reports name the recipients and where they were redirected to. What is asked for one recipient alone (``notify``, ``orcpt``) is not asked for another mailbox. That of a session or mailer holds for all its messages, and for RCPT by a verb. Default: none: each recipient gets the message."""

    redirectexcept: str | Iterable[str] | None
    """Recipients that option ``redirectto`` leaves alone: addresses, and domains without those below them: ``qa@example.net example.org``. Default: none."""

    atleastone: bool | None
    """Send when at least one recipient is accepted; otherwise every one must be. Default: no."""

    defaultdomain: str | None
    """The domain of addresses that are written without one, as ``root``. Default: none: such an address is an error; in Tcl the host's name."""

    header: Mapping[str, str] | Iterable[tuple[str, str]] | str | None
    """A header field ``Name: value`` to add; may be set several times, with the same name too. Default: none."""

    dkim: str | None
    """Sign each message by DKIM (RFC 6376): ``domain=example.org; selector=mail; keyfile=/etc/dkim/mail.pem``. The key is RSA or Ed25519 (RFC 8463), in PEM, or as text in ``key=``. ``expire=604800`` limits the time in which the signature holds (seconds), ``identity=@sub.example.org`` names who signs, ``headers=From:To:Subject`` what is signed; a field named twice is protected against another one of its name. Each further ``selector=`` begins a further signature: for two algorithms ``domain=example.org; selector=rsa; keyfile=rsa.pem; selector=ed; keyfile=ed.pem``. The message is read twice, so a reader must rewind. Default: none."""

    dsnnotify: str | Iterable[str] | None
    """When the server is to send delivery status notifications (RFC 3461): ``never``, or any of ``success``, ``failure``, ``delay``. Default: the server's."""

    dsnret: Literal["full", "headers", "hdrs"] | None
    """What a notification of failure returns (RFC 3461): the ``full`` message, or its ``headers``. Default: the server's."""

    dsnenvid: str | None
    """The envelope id that notifications quote (RFC 3461). Default: none."""

    tag: str | None
    """What option ``commit`` knows the message by: a name of the caller's own, such as that of a job. No server sees it. Default: none."""

    smtputf8: bool | None
    """Ask for SMTPUTF8 (RFC 6531) even if no address needs it. Default: no."""

    deliverby: str | None
    """Deliver in time or return (``120;R``) or notify (``120;N``) (RFC 2852). Default: none."""

    priority: int | None
    """The priority of the message, -9 to 9 (RFC 6710). Default: none."""

    hold: str | None
    """Deliver later (RFC 4865): ``for:3600``, ``until:2030-01-01T08:00:00Z``. Default: none."""

    mailparameters: str | None
    """Further parameters of MAIL for each message, as they are sent (RFC 5321 section 4.1.2), separated by white space: ``XVERP AUTH=<>``. One that an option sends is an error. One that is registered with IANA needs its extension; any other goes to every server, and one that does not know it refuses the message (555). Default: none."""

    rcptparameters: str | None
    """The same of RCPT, for each recipient: ``RRVS=2030-01-01T08:00:00Z``. Default: none."""

    rcpt: str | None
    """One more recipient, with what the server is asked for it (RFC 3461): ``Bob <bob@example.org> notify=failure,delay orcpt=rfc822;bob@example.net``. May be set several times. Default: none."""

    usetls: bool | None
    """Use STARTTLS if it is offered. Default: yes."""

    tlsimport: bool | None
    """Implicit TLS: the connection begins with the handshake. Default: no."""

    tlsrequired: bool | None
    """Send nothing without TLS. Default: no."""

    tlspolicy: Literal["secure", "insecure"] | Callable[[int, str], Literal["secure", "insecure"]] | None
    """What to do when TLS cannot be set up: ``secure`` leaves the server, ``insecure`` goes on in plain text. Default: ``insecure``; with a login, or if TLS is required, ``secure``."""

    requiretls: bool | None
    """Every further hop must use TLS (RFC 8689). Default: no."""

    username: str | None
    """The user name. Default: none."""

    password: Secret | None
    """The password. Set to the empty string it is the empty password, if there is a user name: for the SCRAMs, DIGEST-MD5, CRAM-MD5 and LOGIN; PLAIN cannot say it (RFC 4616). Default: none."""

    authzid: str | None
    """Whom to act for, if that is not who logs in (RFC 4422 section 2: the authorization identity). Only the SCRAMs, DIGEST-MD5, PLAIN, OAUTHBEARER and EXTERNAL can say it; others are not used then. Default: who logs in."""

    oauthtoken: Secret | TokenFunction | None
    """An OAuth 2.0 access token, for XOAUTH2 and OAUTHBEARER, or a function that gives one whenever a connection logs in, and once more if the server refuses it. Default: none."""

    auth: str | Iterable[str] | None
    """The SASL mechanisms allowed, in the order to try. Default: strongest first."""

    authinsecure: bool | None
    """Also send passwords and tokens over an unencrypted connection. Default: no."""

    connecttimeout: Seconds | None
    """How long connecting may take: the resolver, all addresses of the name, and a proxy. A ``dialler`` receives the time that is left, and must keep it itself. Default: 30."""

    timeout: Seconds | None
    """How long each reply but the last may take, and how long the server may leave unacknowledged what was sent (where the system tells: Linux). Default: as RFC 5321 has it: 120 to 300."""

    maxsecs: Seconds | None
    """How long the server may take to accept the message once it has all of it. Default: 600."""

    deadline: Seconds | None
    """How long the whole call may take. Default: none."""

    connections: int | None
    """The most connections to one server, including those that are being opened or closed. Default: 4."""

    connectionmessages: int | None
    """The most messages on one connection. A server's own limit (``MAILMAX``, RFC 9422) counts too. Default: no limit."""

    rate: float | None
    """The most messages a second, over all connections. Default: no limit."""

    queuesize: int | None
    """The most messages that are taken and not yet decided. Default: 1000."""

    retries: int | None
    """How often a message that is certainly not sent is tried again. Default: 3."""

    backoff: Seconds | None
    """The first pause after a server failed. It doubles with each failure in a row, up to 64 times this. Default: 1."""

    retrytime: Seconds | None
    """How long after its first temporary refusal a message may be tried again. Default: 600."""

    idletime: Seconds | None
    """How long a connection without messages stays open. Default: 30."""

    transcript: Listener | None
    """Is given every line of the dialogue, secrets masked."""

    mechanisms: Iterable[LoginMechanism]
    """Login mechanisms of one's own, tried before those of the library."""

    signers: Iterable[Signer]
    """Signers of one's own: what the first gives stands first, before the signature of ``dkim``. The message is read twice."""

    commit: Commit | None
    """Called before the end of each message leaves, with all messages that are ready then; an exception withdraws them. It
    belongs to a session or mailer, for all its messages. In ``smtpclient.aio`` it may return an awaitable."""

    progress: Callable[[Progress], object] | None
    """Receives the progress of each message: octets handed over, and total. It belongs to a session or mailer, for all its
    messages, and is called by the thread that sends, with asyncio in the event loop."""

    dialler: Callable[[str, int, float], socket.socket] | None
    """Connects: is called with host, port and the seconds it may take, and gives a connected socket."""

    cancel: Cancel | None
    """Ends the call from another thread."""

    tls: TLS | None
    """TLS that was set up once, to be shared."""
