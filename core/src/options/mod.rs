//! How to send: servers, envelope, security, credentials, limits.
//!
//! Every option has one name in every language. [`Options::set`] takes that name and a text;
//! [`names`] lists them all.

mod mailer;
mod names;
mod proxy;
mod reached;
mod recipients;
mod values;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::cancel::Cancel;
use crate::command::{DeliverBy, Envid, Hold, MtPriority, Notify, Ret};
use crate::secret::Secret;
use crate::tls::{Secure, TlsVersion};
use crate::transcript::Direction;

pub use self::mailer::MailerOptions;
pub use self::names::{TLS, names};
pub(crate) use self::names::{holds_addresses, unfolded};
#[cfg_attr(not(feature = "net"), expect(unused_imports, reason = "only sockets go through a proxy"))]
pub(crate) use self::proxy::{ProxyLogin, ProxyScheme, ProxyUrl};
pub use self::reached::Reached;
pub use self::recipients::{RecipientEntry, Recipients};
pub use crate::extensions::{Chunking, Pipelining};
pub use crate::tls::{TlsAnswer, Trust};

/// Is given every line of the dialogue, secrets masked. May be called from the thread that sends.
pub type TranscriptFn = Arc<dyn Fn(Direction, &str) + Send + Sync>;

/// Is asked with a code and a diagnostic when TLS cannot be set up.
pub type TlsPolicyFn = Arc<dyn Fn(u16, &str) -> TlsAnswer + Send + Sync>;

/// Who decides when TLS cannot be set up.
#[derive(Clone, Default)]
pub enum TlsPolicy {
    /// `insecure` while TLS is not required and no secret is to be sent, else `secure`.
    #[default]
    Default,
    /// Always this answer.
    Fixed(TlsAnswer),
    /// The caller's own function.
    Ask(TlsPolicyFn),
}

/// How to send a message. `Options::default()` sends through `localhost`, port 25.
///
/// Fields may be set directly, or by the option's name with [`set`](Self::set). Values are checked when a
/// message is sent, before a connection is opened.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Servers, tried in order: a host, `host:port`, or a URL `smtp://`, `smtps://`, `submission://`,
    /// `lmtp://`, `unix:/path`. Empty entries are skipped; none at all means `localhost`.
    pub servers: Vec<String>,
    /// Ports, walked in tandem with `servers`; missing ones, and 0, are the default, which is 25 (465 for
    /// `smtps://`, 587 for `submission://`, 24 for `lmtp://`).
    pub ports: Vec<u16>,
    /// The name in EHLO. Default: `localhost` where one of the servers is, else the host's own name.
    pub client: Option<String>,
    /// Ask a server that offers XQUE to queue the message.
    pub queue: bool,
    /// Send when at least one recipient was accepted; otherwise every one must be.
    pub atleastone: bool,
    /// One RFC 5322 mailbox; the empty string is the null reverse-path. Default: `From`.
    pub originator: Option<String>,
    /// RFC 5322 address lists. When given, no header field is examined for recipients. Option `rcpt` adds one recipient,
    /// with what the server is asked for it.
    pub recipients: Option<Recipients>,
    /// The domain of addresses that are written without one, as `root`. Default: none, and such an address is an error.
    pub defaultdomain: Option<String>,
    /// Header fields to add, in order; the same name may occur again.
    pub header: Vec<(String, String)>,
    /// Use STARTTLS where it is offered. Default: true.
    pub usetls: bool,
    /// TLS from the first byte.
    pub tlsimport: bool,
    /// What to do when TLS cannot be set up.
    pub tlspolicy: TlsPolicy,
    /// Send nothing without TLS.
    pub tlsrequired: bool,
    /// Verify certificate and host name where TLS is required or a secret is sent. Default: true.
    pub tlsverify: bool,
    /// File with authorities to trust: PEM, or one in DER.
    pub tlscafile: Option<String>,
    /// The client's certificate: PEM, or PKCS#12 with its key.
    pub tlscertfile: Option<String>,
    /// The key to `tlscertfile`, PEM.
    pub tlskeyfile: Option<String>,
    /// The password of the key, where it has one.
    pub tlskeypassword: Option<Secret>,
    /// SHA-256 fingerprints, in hex, of the certificates or public keys to accept, and no others. TLS is
    /// required then.
    pub tlsfingerprint: Vec<String>,
    /// The oldest version of TLS to speak. Default: 1.2.
    pub tlsminversion: TlsVersion,
    /// SASL user name.
    pub username: Option<String>,
    /// SASL password.
    pub password: Option<Secret>,
    /// The SASL mechanisms allowed, in the order to try.
    pub auth: Vec<String>,
    /// OAuth 2.0 access token.
    pub oauthtoken: Option<Secret>,
    /// Send passwords and tokens also over an unencrypted connection.
    pub authinsecure: bool,
    /// Print the dialogue on standard error, secrets masked.
    pub debug: bool,
    /// How long the server may take to accept the message once it has all of it. Default: 600 s.
    pub maxsecs: Duration,
    /// How long connecting may take: the resolver, all addresses of the name, and a proxy. Default: 30 s.
    pub connecttimeout: Duration,
    /// How long each reply but the last may take, and how long the server may leave unacknowledged what was sent, where the
    /// system tells (Linux). Default: as RFC 5321 section 4.5.3.2 has it.
    pub timeout: Option<Duration>,
    /// How long the whole call may take.
    pub deadline: Option<Duration>,
    /// The local address to connect from.
    pub localaddress: Option<IpAddr>,
    /// `socks5://host:port` or `http://host:port`, with `user:password@` where needed.
    pub proxy: Option<Secret>,
    /// How commands are grouped where PIPELINING is offered.
    pub pipelining: Pipelining,
    /// When a message goes by BDAT where CHUNKING is offered.
    pub chunking: Chunking,
    /// A session whose server ended the idle connection connects again by itself when a message is to be sent. Default: no.
    /// The report lists both connections. A mailer always does that.
    pub reconnect: bool,
    /// When to send delivery status notifications (RFC 3461).
    pub dsnnotify: Option<Notify>,
    /// What a notification of failure returns (RFC 3461).
    pub dsnret: Option<Ret>,
    /// The envelope id that notifications bear (RFC 3461).
    pub dsnenvid: Option<Envid>,
    /// Ask for SMTPUTF8 (RFC 6531) also where no address needs it.
    pub smtputf8: bool,
    /// Every further hop must use TLS (RFC 8689).
    pub requiretls: bool,
    /// Deliver in time or return or notify (RFC 2852).
    pub deliverby: Option<DeliverBy>,
    /// Priority of the message, -9 to 9 (RFC 6710).
    pub priority: Option<MtPriority>,
    /// Hold the message before delivery (RFC 4865).
    pub hold: Option<Hold>,
    /// Speak LMTP (RFC 2033).
    pub lmtp: bool,
    /// How a mailer uses its connections.
    pub mailer: MailerOptions,
    /// Is given every line of the dialogue, secrets masked.
    pub transcript: Option<TranscriptFn>,
    /// Cancels the call from another thread.
    pub cancel: Option<Cancel>,
    /// Which authorities may vouch for a server. Default: those of the system, and of `tlscafile` and `tlsca`.
    pub tlstrust: Trust,
    /// Certificates of authorities as a `tlscafile` would hold them: PEM, or one in DER.
    pub tlsca: Option<Vec<u8>>,
    /// The ciphers allowed: names of TLS 1.3 suites (`TLS_AES_128_GCM_SHA256`), and for the versions before it an OpenSSL
    /// cipher string, separated by colons, commas or white space. Feature `tls-openssl`.
    pub tlsciphers: Option<String>,
    /// The newest version of TLS to speak. Default: what the TLS library has.
    pub tlsmaxversion: Option<TlsVersion>,
    /// A file to append the secrets of each TLS connection to, in the form of `SSLKEYLOGFILE`. Feature `tls-openssl`.
    pub tlskeylog: Option<String>,
    /// The name to ask for by SNI and to find in the certificate. Default: the server's.
    pub tlsservername: Option<String>,
    /// TLS that was set up before, shared with whoever else has it. The other options `tls...` that say what
    /// TLS is like must then be left alone.
    pub tls: Option<Arc<dyn Secure>>,
    /// Which addresses answered, for these options and all their copies.
    #[cfg_attr(not(feature = "net"), expect(dead_code, reason = "only sockets have addresses"))]
    pub(crate) reached: Reached,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            ports: Vec::new(),
            client: None,
            queue: false,
            atleastone: false,
            originator: None,
            recipients: None,
            defaultdomain: None,
            header: Vec::new(),
            usetls: true,
            tlsimport: false,
            tlspolicy: TlsPolicy::Default,
            tlsrequired: false,
            tlsverify: true,
            tlscafile: None,
            tlscertfile: None,
            tlskeyfile: None,
            tlskeypassword: None,
            tlsfingerprint: Vec::new(),
            tlsminversion: TlsVersion::Tls12,
            username: None,
            password: None,
            auth: Vec::new(),
            oauthtoken: None,
            authinsecure: false,
            debug: false,
            maxsecs: Duration::from_secs(600),
            connecttimeout: Duration::from_secs(30),
            timeout: None,
            deadline: None,
            localaddress: None,
            proxy: None,
            pipelining: Pipelining::Rfc,
            chunking: Chunking::Auto,
            reconnect: false,
            dsnnotify: None,
            dsnret: None,
            dsnenvid: None,
            smtputf8: false,
            requiretls: false,
            deliverby: None,
            priority: None,
            hold: None,
            lmtp: false,
            mailer: MailerOptions::default(),
            transcript: None,
            cancel: None,
            tlstrust: Trust::Both,
            tlsca: None,
            tlsciphers: None,
            tlsmaxversion: None,
            tlskeylog: None,
            tlsservername: None,
            tls: None,
            reached: Reached::default(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("servers", &self.servers)
            .field("ports", &self.ports)
            .field("originator", &self.originator)
            .field("recipients", &self.recipients)
            .finish_non_exhaustive()
    }
}
