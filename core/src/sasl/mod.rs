//! SASL (RFC 4422) in SMTP (RFC 4954): the mechanisms, which of them to try, and the exchange.
//!
//! ```text
//! choose()  -> the mechanisms to try, strongest first, and why the others are left out; what may follow a refusal
//! start()   -> one mechanism with its credentials
//! Exchange  -> AUTH command, then a line for each 334, until any other reply ends it
//! ```
//!
//! ```
//! use smtpclient::reply::Reply;
//! use smtpclient::sasl::{choose, start, Channel, Credentials, Exchange, ExchangeStep};
//!
//! let credentials = Credentials::with_password("tim", "tanstaaf");
//! let mut channel = Channel::new("mail.example.org", 587);
//! channel.encrypted = true;
//! let offered = ["PLAIN".to_string(), "NTLM".to_string()];
//!
//! let choice = choose(&offered, None, &credentials, &channel, false);
//! let mechanism = start(&choice.try_order[0], &credentials, &channel, &offered)?;
//! let mut exchange = Exchange::new(mechanism);
//! let mut out = Vec::new();
//! exchange.command(&mut out);
//! assert_eq!(out, b"AUTH PLAIN AHRpbQB0YW5zdGFhZg==\r\n");
//! let progress = exchange.reply(&Reply::new(235, "2.7.0 ok"), &mut out);
//! assert!(matches!(progress, ExchangeStep::Done(Ok(()))));
//! # Ok::<(), smtpclient::error::Error>(())
//! ```

mod choose;
mod cram_md5;
mod custom;
mod digest_md5;
mod exchange;
mod external;
mod login;
mod name;
mod oauthbearer;
mod plain;
mod prep;
mod scram;
mod start;
mod text;
mod xoauth2;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use crate::secret::Secret;

pub use choose::{Choice, choose};
pub use custom::{CustomExchange, CustomMechanism, CustomStep, LoginFacts, check_custom};
pub use exchange::{Exchange, ExchangeStep, LoginFault};
pub use name::{MechanismName, check_mechanisms};
pub use start::start;

/// What a login may use.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Credentials {
    /// The authentication identity: option `username`.
    pub username: String,
    /// Option `password`, in UTF-8.
    pub password: Option<Secret>,
    /// Option `oauthtoken`: the access token alone, without `Bearer`.
    pub oauth_token: Option<Secret>,
    /// There is a function that gives the token once it is known that a mechanism needs it.
    pub asks_token: bool,
    /// Whether the TLS layer shows a client certificate.
    pub external: bool,
    /// The identity to act as (RFC 4422 section 2); `None`: the one that the server derives.
    pub authorization_id: Option<String>,
    /// The caller's own mechanisms.
    pub mechanisms: Vec<Arc<dyn CustomMechanism>>,
}

impl Credentials {
    /// A user name and a password.
    pub fn with_password(username: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self { username: username.into(), password: Some(password.into()), ..Self::default() }
    }

    /// The mechanism of that name, in any case: one of the caller's own, or of this library.
    fn mechanism(&self, name: &str) -> Option<MechanismName> {
        let own = self.mechanisms.iter().find(|own| own.name().eq_ignore_ascii_case(name));
        own.map(|own| MechanismName::Custom(own.name().into())).or_else(|| MechanismName::parse(name))
    }

    fn custom(&self, name: &str) -> Option<&dyn CustomMechanism> {
        self.mechanisms.iter().find(|own| own.name() == name).map(|own| &**own)
    }

    fn reveals_secret(&self, name: &MechanismName) -> bool {
        match name {
            MechanismName::Custom(own) => self.custom(own).is_none_or(CustomMechanism::reveals_secret),
            known => known.reveals_secret(),
        }
    }

    /// What a server must not be heard to say: the password as it is given and as it is prepared, and the token.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
        let prepared = self.password.as_ref().map(prep::password);
        self.password.iter().chain(&self.oauth_token).cloned().chain(prepared).collect::<Vec<_>>().into_iter()
    }
}

/// What is known of the connection that the login happens on.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Channel {
    /// Whether LMTP is spoken, and not SMTP.
    pub lmtp: bool,
    /// Whether TLS is up.
    pub encrypted: bool,
    /// The version of TLS, as `TLSv1.3`, where that is known.
    pub tls_version: Option<String>,
    /// Whether TLS showed a certificate that verified, or that is pinned.
    pub verified: bool,
    /// Whether the peer is this machine.
    pub loopback: bool,
    /// The server's name as the caller gave it.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// What the TLS layer can bind a login to, preferred first; empty: nothing.
    pub bindings: Vec<ChannelBinding>,
}

impl Channel {
    /// An unencrypted connection to another machine.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, ..Self::default() }
    }
}

/// Bytes that only the two ends of one TLS connection share (RFC 5056).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelBinding {
    /// How they were made.
    pub kind: BindingKind,
    /// The bytes, without the prefix of RFC 5056.
    pub data: Vec<u8>,
}

/// The channel binding types that SCRAM may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BindingKind {
    /// RFC 9266.
    TlsExporter,
    /// RFC 5929 section 3; TLS 1.2 and older only.
    TlsUnique,
    /// RFC 5929 section 4.
    TlsServerEndPoint,
}

impl BindingKind {
    /// The registered unique prefix: `tls-exporter`, `tls-unique`, `tls-server-end-point`.
    pub fn name(self) -> &'static str {
        match self {
            Self::TlsExporter => "tls-exporter",
            Self::TlsUnique => "tls-unique",
            Self::TlsServerEndPoint => "tls-server-end-point",
        }
    }
}

/// The client's side of one mechanism, in bytes before base64. Used once.
pub trait Mechanism: Send {
    /// The registered name, as it stands in the AUTH command.
    fn name(&self) -> &str;

    /// The initial response (RFC 4954 section 4) where the mechanism begins; `None`: the server begins.
    fn initial(&mut self) -> Option<Secret> {
        None
    }

    /// Whether the initial response has a secret in it: a name or a nonce is none.
    fn initial_is_secret(&self) -> bool {
        true
    }

    /// Answers a challenge. A [`Fault`] cancels the exchange.
    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, Fault>;

    /// Asks for the initial response, or for the answer to a challenge, where that may have to be waited for: it is then asked
    /// once more, with the same challenge.
    fn poll(&mut self, challenge: Option<&[u8]>) -> Poll<Result<Option<Secret>, Fault>> {
        Poll::Ready(match challenge {
            None => Ok(self.initial()),
            Some(challenge) => self.respond(challenge).map(Some),
        })
    }

    /// Whether it is the caller's own: it is [asked](Exchange::ask) when output is gathered, and nothing that is said is shown.
    fn is_custom(&self) -> bool {
        false
    }

    /// Whether it shows a secret as it is.
    fn reveals_secret(&self) -> bool {
        false
    }

    /// Called on 235: checks that the server's own proof was seen, where the mechanism has one.
    /// A [`Fault`] means that the server is not to be trusted.
    fn finish(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// Whether a challenge is a prompt that says nothing: then it need not even be base64.
    fn ignores_challenges(&self) -> bool {
        false
    }

    /// What the server said of a failure inside the exchange, without secrets.
    fn said(&self) -> Option<&str> {
        None
    }
}

impl fmt::Debug for dyn Mechanism + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mechanism({})", self.name())
    }
}

/// Why the client cancels an exchange, or does not believe its success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// One line without secrets.
    pub text: String,
    /// The server lied about itself: the connection is to be given up, and no weaker mechanism tried.
    pub security: bool,
    /// The caller's own mechanism failed, by what may have passed at another try.
    pub of_caller: bool,
}

impl Fault {
    /// The server's challenge cannot be answered; another mechanism may be.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), security: false, of_caller: false }
    }

    /// The caller's own mechanism failed.
    pub(crate) fn of_caller(text: impl Into<String>) -> Self {
        Self { of_caller: true, ..Self::new(text) }
    }

    /// The server's proof is wrong or missing.
    pub fn security(text: impl Into<String>) -> Self {
        Self { security: true, ..Self::new(text) }
    }

    /// The server goes on where the mechanism has ended.
    fn one_too_many() -> Self {
        Self::new("the server sent one challenge more than the mechanism has")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
