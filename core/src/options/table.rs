//! Every option: name, type, default, kind, what it does. All faces and documents are made from this table; after a change
//! `make tables` writes them anew.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::info::{OptionGroup, OptionInfo, OptionKind, Part, Setter, Setting};
use super::values::{
    CHUNKING, FAMILIES, ORDERS, PIPELINING, POLICIES, TLS_VERSIONS, TRUST, boolean, certificates, count,
    domain, fingerprints, header_field, ip_address, keywords, list, mechanisms, number, ports, proxy, rate,
    seconds, secret, servers, text, word, words,
};
use super::{
    Chunking, Dialler, Family, OauthToken, Order, Pipelining, Reached, RecipientEntry, Recipients, TlsPolicy,
    TranscriptFn, Trust,
};
use crate::cancel::Cancel;
use crate::command::{DeliverBy, Envid, Extra, Hold, MtPriority, Notify, Parameter, Ret};
use crate::commit::Commit;
use crate::dkim::{Dkim, parse as dkim};
use crate::progress::ProgressFn;
use crate::sasl::CustomMechanism;
use crate::secret::Secret;
use crate::signer::Signer;
use crate::tls::{Secure, TlsVersion};

options! {
    /// How to send a message. `Options::default()` sends through `localhost`, port 25.
    ///
    /// Fields may be set directly, or by the option's name with [`set`](Self::set). Values are checked when a
    /// message is sent, before a connection is opened.
    #[derive(Clone)]
    #[non_exhaustive]
    pub struct Options, listed in OWN {
        Transfer {
            /// Servers, tried in order: a host, `host:port`, or a URL `smtp://`, `smtps://`, `submission://`, `lmtp://`,
            /// `unix:/path`; or what takes messages on this machine: a program (`sendmail:/path`), a folder (`file:/folder`), or nobody
            /// (`null:`). Empty entries are skipped. A port here counts before option `ports`. A URL may have `user:password@`, percent-encoded, for that server alone, in
            /// place of `username` and `password`; one with a password gets no `oauthtoken`.
            servers: Vec<String> = Vec::new(), OptionKind::Servers, "`localhost`", parse servers;
            /// Their ports, in the same order; a missing one, and 0, is the default.
            ports: Vec<u16> = Vec::new(), OptionKind::Ports, "25; by URL 465, 587, 24", parse ports;
            /// Which of the servers is tried first. `given`: the first; the others are for when it fails. `random`: any of them, drawn
            /// for each connection. `turn`: they take turns, and each connection begins with the next one, for all that the
            /// process sends with the same `servers`. The rest follows in the same way. A mailer gives messages to all of
            /// its connections then.
            order: Order = Order::Given, OptionKind::Word(const { &words(ORDERS) }), "`given`", parse |v: &str| word(v, &ORDERS);
            /// The name in EHLO.
            client: Option<String> = None, OptionKind::Text, "`localhost` if the server is, else the host's name", parse text;
            /// Speak LMTP (RFC 2033).
            lmtp: bool = false, OptionKind::Flag, "no", parse boolean;
            /// `socks5://host:port` or `http://host:port`, with `user:password@` if needed.
            proxy: Option<Secret> = None, OptionKind::Secret, "none", octets proxy;
            /// The local address to connect from.
            localaddress: Option<IpAddr> = None, OptionKind::Ip, "the system's choice", parse ip_address;
            /// Which addresses to connect to, those of the proxy if there is one. `any`: IPv6 and IPv4 in turn, 250 ms apart (RFC
            /// 8305). `ipv4`, `ipv6`: those alone.
            family: Family = Family::Any, OptionKind::Word(const { &words(FAMILIES) }), "`any`", parse |v: &str| word(v, &FAMILIES);
            /// Ask a server that offers XQUE to queue the message.
            queue: bool = false, OptionKind::Flag, "no", parse boolean;
            /// How commands are grouped if the server offers PIPELINING. `rfc`: those of a message, and those of the next
            /// message with the end of this one if it offers CHUNKING too. `off`: never. `crossing`: the next message's commands
            /// go with the end of this one at every server; one that reads a message and what follows in one go may show the next
            /// envelope to this message's recipients. `full`: with CHUNKING also many whole messages at once, without waiting for the replies to RCPT (for
            /// messages with one recipient, or with `atleastone`); only for servers that answer each command once, because a
            /// surplus reply would count for the next command.
            pipelining: Pipelining = Pipelining::Rfc, OptionKind::Word(const { &words(PIPELINING) }), "`rfc`",
                parse |v: &str| word(v, &PIPELINING);
            /// When a message goes by BDAT if the server offers CHUNKING. `auto`: if it saves a round trip, and as
            /// BINARYMIME for binary parts. `on`: always. `off`: never.
            chunking: Chunking = Chunking::Auto, OptionKind::Word(const { &words(CHUNKING) }), "`auto`",
                parse |v: &str| word(v, &CHUNKING);
            /// The message, a finished one, is binary (RFC 3030): it goes octet for octet, as BODY=BINARYMIME, and a server that does
            /// not offer BINARYMIME and CHUNKING is an error. The body goes as it is: end its lines in CRLF, except for
            /// those of binary parts (RFC 3030 section 3). Another line end in the header section is an error. Composed messages have the encoding `binary` for that.
            binary: bool = false, OptionKind::Flag, "no", parse boolean;
            /// Extensions that the library is to use as if the server did not offer them: keywords of EHLO, as `PIPELINING CHUNKING`,
            /// for a server that offers what it cannot do. Option `auth` chooses among the mechanisms of AUTH.
            ignore: Vec<String> = Vec::new(), OptionKind::Words, "none", parse keywords;
            /// A session connects again when a message is to be sent and its server has ended the idle connection, answers MAIL
            /// as if the message before were not over (503), or takes no more messages on a connection (LIMITS MAILMAX, RFC
            /// 9422). What failed is in the report. A mailer always does so.
            reconnect: bool = false, OptionKind::Flag, "no", parse boolean;
            /// Print the dialogue on standard error, secrets masked.
            debug: bool = false, OptionKind::Flag, "no", parse boolean;
        }
        Envelope {
            /// The sender, one mailbox. Set to the empty string it is the null reverse-path `<>`.
            originator: Option<String> = None, OptionKind::Mailbox, "`From` (or `Sender`), else the login name at this host",
                set |o, v| { o.originator = Some(v.to_owned()); Ok(()) };
            /// An address list. If it is given, no header field is looked at for recipients.
            recipients: Option<Recipients> = None, OptionKind::Addresses, "`To`, `Cc`, `Bcc`, `Dcc`, or their Resent- forms",
                set |o, v| { o.recipients = Some(v.into()); Ok(()) };
            /// Send to this one mailbox in place of every recipient, as while a program is tried out. The message itself stays as
            /// it is, and reports name the recipients and where they were redirected to. What is asked for one recipient alone
            /// (`notify`, `orcpt`) is not asked for another mailbox. That of a session or mailer holds for all its messages,
            /// and for RCPT by a verb.
            redirectto: Option<String> = None, OptionKind::Mailbox, "none: each recipient gets the message", parse text;
            /// Recipients that option `redirectto` leaves alone: addresses, and domains without those below them:
            /// `qa@example.net example.org`.
            redirectexcept: Vec<String> = Vec::new(), OptionKind::Words, "none", parse servers;
            /// Send when at least one recipient is accepted; otherwise every one must be.
            atleastone: bool = false, OptionKind::Flag, "no", parse boolean;
            /// The domain of addresses that are written without one, as `root`.
            defaultdomain: Option<String> = None, OptionKind::Text,
                "none: such an address is an error; in Tcl the host's name", parse domain;
            /// A header field `Name: value` to add; may be set several times, with the same name too.
            header: Vec<(String, String)> = Vec::new(), OptionKind::Header, "none",
                set |o, v| { o.header.push(header_field(v)?); Ok(()) };
            /// Sign each message by DKIM (RFC 6376): `domain=example.org; selector=mail; keyfile=/etc/dkim/mail.pem`. The key is RSA
            /// or Ed25519 (RFC 8463), in PEM, or as text in `key=`. `expire=604800` limits the time in which the signature holds
            /// (seconds), `identity=@sub.example.org` names who signs, `headers=From:To:Subject` what is signed; a field named
            /// twice is protected against another one of its name. Each further `selector=` begins a further signature: for two
            /// algorithms `domain=example.org; selector=rsa; keyfile=rsa.pem; selector=ed; keyfile=ed.pem`. The message is read
            /// twice, so a reader must rewind.
            dkim: Vec<Arc<Dkim>> = Vec::new(), OptionKind::Signature, "none", octets dkim;
            /// When the server is to send delivery status notifications (RFC 3461): `never`, or any of `success`, `failure`,
            /// `delay`.
            dsnnotify: Option<Notify> = None, OptionKind::Words, "the server's", parse |v: &str| Notify::parse(&list(v).join(","));
            /// What a notification of failure returns (RFC 3461): the `full` message, or its `headers`.
            dsnret: Option<Ret> = None, OptionKind::Word(&["full", "headers", "hdrs"]), "the server's", parse Ret::parse;
            /// The envelope id that notifications quote (RFC 3461).
            dsnenvid: Option<Envid> = None, OptionKind::Text, "none", parse Envid::new;
            /// What option `commit` knows the message by: a name of the caller's own, such as that of a job. No server sees it.
            tag: Option<String> = None, OptionKind::Text, "none", parse text;
            /// Ask for SMTPUTF8 (RFC 6531) even if no address needs it.
            smtputf8: bool = false, OptionKind::Flag, "no", parse boolean;
            /// Deliver in time or return (`120;R`) or notify (`120;N`) (RFC 2852).
            deliverby: Option<DeliverBy> = None, OptionKind::Text, "none", parse DeliverBy::parse;
            /// The priority of the message, -9 to 9 (RFC 6710).
            priority: Option<MtPriority> = None, OptionKind::Integer, "none", parse MtPriority::parse;
            /// Deliver later (RFC 4865): `for:3600`, `until:2030-01-01T08:00:00Z`.
            hold: Option<Hold> = None, OptionKind::Text, "none", parse Hold::parse;
            /// Further parameters of MAIL for each message, as they are sent (RFC 5321 section 4.1.2), separated by white space:
            /// `XVERP AUTH=<>`. One that an option sends is an error. One that is registered with IANA needs its extension; any
            /// other goes to every server, and one that does not know it refuses the message (555).
            mailparameters: Vec<Parameter> = Vec::new(), OptionKind::Text, "none", parse |v: &str| Extra::Mail.parse(v);
            /// The same of RCPT, for each recipient: `RRVS=2030-01-01T08:00:00Z`.
            rcptparameters: Vec<Parameter> = Vec::new(), OptionKind::Text, "none", parse |v: &str| Extra::Rcpt.parse(v);
        }
        Tls {
            /// Use STARTTLS if it is offered.
            usetls: bool = true, OptionKind::Flag, "yes", parse boolean;
            /// Implicit TLS: the connection begins with the handshake.
            tlsimport: bool = false, OptionKind::Flag, "no", parse boolean;
            /// Send nothing without TLS.
            tlsrequired: bool = false, OptionKind::Flag, "no", parse boolean;
            /// What to do when TLS cannot be set up: `secure` leaves the server, `insecure` goes on in plain text.
            tlspolicy: TlsPolicy = TlsPolicy::Default, OptionKind::Word(const { &words(POLICIES) }),
                "`insecure`; with a login, or if TLS is required, `secure`", parse |v: &str| word(v, &POLICIES).map(TlsPolicy::Fixed);
            /// Every further hop must use TLS (RFC 8689).
            requiretls: bool = false, OptionKind::Flag, "no", parse boolean;
        }
        TlsSetup {
            /// Verify certificate and host name if TLS is required or a secret is sent.
            tlsverify: bool = true, OptionKind::Flag, "yes", parse boolean;
            /// Whose authorities vouch for a server: those of the `system`, those `given` by `tlscafile` and `tlsca`, or `both`.
            tlstrust: Trust = Trust::Both, OptionKind::Word(const { &words(TRUST) }), "`both`", parse |v: &str| word(v, &TRUST);
            /// A file with authorities to trust: PEM, or one in DER.
            tlscafile: Option<String> = None, OptionKind::File, "none", parse text;
            /// Authorities from memory: what a `tlscafile` would hold.
            tlsca: Option<Vec<u8>> = None, OptionKind::Certificates, "none", octets certificates;
            /// The client's certificate: PEM, or PKCS#12 with its key.
            tlscertfile: Option<String> = None, OptionKind::File, "none", parse text;
            /// The key to `tlscertfile`, PEM.
            tlskeyfile: Option<String> = None, OptionKind::File, "in `tlscertfile`", parse text;
            /// The password of the key.
            tlskeypassword: Option<Secret> = None, OptionKind::Secret, "none", octets secret;
            /// SHA-256 fingerprints, in hex, of certificates or public keys: only these are accepted, and TLS is required.
            tlsfingerprint: Vec<String> = Vec::new(), OptionKind::Words, "none", parse fingerprints;
            /// The oldest version of TLS to speak.
            tlsminversion: TlsVersion = TlsVersion::Tls12, OptionKind::Word(const { &words(TLS_VERSIONS) }), "`1.2`",
                parse |v: &str| word(v, &TLS_VERSIONS);
            /// The newest version of TLS to speak.
            tlsmaxversion: Option<TlsVersion> = None, OptionKind::Word(const { &words(TLS_VERSIONS) }), "the library's",
                parse |v: &str| word(v, &TLS_VERSIONS);
            /// The ciphers allowed: names that begin with `TLS_` for TLS 1.3, OpenSSL's cipher strings for the versions before,
            /// separated by colons, commas or white space. Not with native-tls; rustls has names alone.
            tlsciphers: Option<String> = None, OptionKind::Text, "the library's", parse text;
            /// A file to append each connection's secrets to, in the form of `SSLKEYLOGFILE`, to decrypt recorded traffic. Not
            /// with native-tls.
            tlskeylog: Option<String> = None, OptionKind::File, "none", parse text;
            /// The name to ask for (SNI) and to find in the certificate.
            tlsservername: Option<String> = None, OptionKind::Text, "the server's", parse text;
        }
        Login {
            /// The user name.
            username: Option<String> = None, OptionKind::Text, "none", parse text;
            /// The password. Set to the empty string it is the empty password, if there is a user name: for the SCRAMs, DIGEST-MD5,
            /// CRAM-MD5 and LOGIN; PLAIN cannot say it (RFC 4616).
            password: Option<Secret> = None, OptionKind::Secret, "none", octets_or_none secret;
            /// Whom to act for, if that is not who logs in (RFC 4422 section 2: the authorization identity). Only the SCRAMs, DIGEST-MD5,
            /// PLAIN, OAUTHBEARER and EXTERNAL can say it; others are not used then.
            authzid: Option<String> = None, OptionKind::Text, "who logs in", parse text;
            /// An OAuth 2.0 access token, for XOAUTH2 and OAUTHBEARER, or a function that gives one whenever a connection logs in,
            /// and once more if the server refuses it.
            oauthtoken: Option<OauthToken> = None, OptionKind::Secret, "none", octets |v: &[u8]| secret(v).map(OauthToken::Given);
            /// The SASL mechanisms allowed, in the order to try.
            auth: Vec<String> = Vec::new(), OptionKind::Words, "strongest first", parse mechanisms;
            /// Also send passwords and tokens over an unencrypted connection.
            authinsecure: bool = false, OptionKind::Flag, "no", parse boolean;
        }
        Time {
            /// How long connecting may take: the resolver, all addresses of the name, and a proxy. A `dialler` receives the time
            /// that is left, and must keep it itself.
            connecttimeout: Duration = Duration::from_secs(30), OptionKind::Seconds, "30", parse seconds;
            /// How long each reply but the last may take, and how long the server may leave unacknowledged what was sent (where
            /// the system tells: Linux).
            timeout: Option<Duration> = None, OptionKind::Seconds, "as RFC 5321 has it: 120 to 300", parse seconds;
            /// How long the server may take to accept the message once it has all of it.
            maxsecs: Duration = Duration::from_secs(600), OptionKind::Seconds, "600", parse seconds;
            /// How long the whole call may take.
            deadline: Option<Duration> = None, OptionKind::Seconds, "none", parse seconds;
        }
    }
    and {
        /// How a mailer uses its connections.
        pub mailer: MailerOptions = MailerOptions::default();
        /// Receives every line of the dialogue, secrets masked.
        pub transcript: Option<TranscriptFn> = None;
        /// Sign each message, before `dkim` does: the fields of the first stand first.
        pub signers: Vec<Arc<dyn Signer>> = Vec::new();
        /// The caller's own login mechanisms, which are tried before those of the library, in this order; option `auth` names them
        /// where it says which are allowed.
        pub mechanisms: Vec<Arc<dyn CustomMechanism>> = Vec::new();
        /// Called before the end of each message is handed to the kernel, with all messages that are ready then; it belongs
        /// to a session or mailer, and none of its messages may have another.
        pub commit: Option<Commit> = None;
        /// Receives the progress of each message; it belongs to a session or mailer, and none of its messages may have
        /// another.
        pub progress: Option<ProgressFn> = None;
        /// Connects in the library's place.
        pub dialler: Option<Dialler> = None;
        /// Cancels the call from another thread.
        pub cancel: Option<Cancel> = None;
        /// TLS that was set up before, shared with everything else that uses it. The other options `tls...` that set TLS
        /// up must not be set then.
        pub tls: Option<Arc<dyn Secure>> = None;
        /// Which addresses answered, for these options and all their copies.
        #[cfg_attr(not(feature = "net"), expect(dead_code, reason = "only sockets have addresses"))]
        pub(crate) reached: Reached = Reached::default();
    }
    without {
        /// One more recipient, with what the server is asked for it (RFC 3461):
        /// `Bob <bob@example.org> notify=failure,delay orcpt=rfc822;bob@example.net`. May be set several times.
        rcpt: Envelope, OptionKind::Recipient, "none",
            set |o, v| { o.recipients.get_or_insert_default().push(RecipientEntry::parse(v)?); Ok(()) };
    }
}

options! {
    /// How a mailer uses its connections. Every other caller leaves this alone.
    #[derive(Clone, Debug, PartialEq)]
    #[non_exhaustive]
    pub struct MailerOptions, listed in MAILER {
        Mailer {
            /// The most connections to one server, including those that are being opened or closed.
            connections: usize = 4, OptionKind::Integer, "4", parse count::<usize>;
            /// The most messages on one connection. A server's own limit (`MAILMAX`, RFC 9422) counts too.
            connectionmessages: Option<u64> = None, OptionKind::Integer, "no limit", parse count::<u64>;
            /// The most messages a second, over all connections.
            rate: Option<f64> = None, OptionKind::Number, "no limit", parse rate;
            /// The most messages that are taken and not yet decided.
            queuesize: usize = 1000, OptionKind::Integer, "1000", parse count::<usize>;
            /// How often a message that is certainly not sent is tried again.
            retries: u32 = 3, OptionKind::Integer, "3", parse number;
            /// The first pause after a server failed. It doubles with each failure in a row, up to 64 times this.
            backoff: Duration = Duration::from_secs(1), OptionKind::Seconds, "1", parse seconds;
            /// How long after its first temporary refusal a message may be tried again.
            retrytime: Duration = Duration::from_secs(600), OptionKind::Seconds, "600", parse seconds;
            /// How long a connection without messages stays open.
            idletime: Duration = Duration::from_secs(30), OptionKind::Seconds, "30", parse seconds;
        }
    }
    and {}
    without {}
}
