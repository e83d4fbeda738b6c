//! How to send: servers, envelope, security, credentials, limits.
//!
//! Every option has one name in every language, and stands in one table, `table.rs`: [`Options::set`] takes the name and a
//! text, [`all`] gives what is known of each.

#[macro_use]
mod declare;
mod dialler;
mod info;
mod names;
mod proxy;
mod reached;
mod recipients;
mod shown;
mod table;
mod token;
mod values;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::secret::Secret;
use crate::signer::Signer;
use crate::transcript::Direction;

pub use self::dialler::{DialTo, Dialler};
pub use self::info::{OptionGroup, OptionInfo, OptionKind};
pub use self::names::{all, find, nearest};
pub(crate) use self::names::{holds_addresses, unfolded};
pub(crate) use self::proxy::percent_decode;
#[cfg_attr(not(feature = "net"), expect(unused_imports, reason = "only sockets go through a proxy"))]
pub(crate) use self::proxy::{ProxyLogin, ProxyScheme, ProxyUrl};
#[doc(hidden)]
pub use self::reached::Reached;
pub use self::recipients::{RecipientEntry, Recipients};
pub use self::shown::shown_server;
pub use self::table::{MailerOptions, Options};
pub use self::token::{OauthToken, TokenFn, TokenReason};
pub(crate) use self::values::check_keywords;
pub use crate::extensions::{Chunking, Pipelining};
pub use crate::sasl::{CustomExchange, CustomMechanism, CustomStep, LoginFacts};
pub use crate::tls::{TlsAnswer, Trust};

/// Receives every line of the dialogue, secrets masked. May be called from the thread that sends.
pub type TranscriptFn = Arc<dyn Fn(Direction, &str) + Send + Sync>;

/// Called with a code and a diagnostic when TLS cannot be set up.
pub type TlsPolicyFn = Arc<dyn Fn(u16, &str) -> TlsAnswer + Send + Sync>;

/// Who decides when TLS cannot be set up.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum TlsPolicy {
    /// `insecure` while TLS is not required and no secret is to be sent, else `secure`.
    #[default]
    Default,
    /// Always this answer.
    Fixed(TlsAnswer),
    /// The caller's own function.
    Ask(TlsPolicyFn),
}

/// Which addresses of a name are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// IPv6 and IPv4, in turn.
    #[default]
    Any,
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

/// Which of several servers is tried first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// As they are given.
    #[default]
    Given,
    /// At random, for each connection.
    Random,
    /// In turn.
    Turn,
}

impl Family {
    /// Whether `address` is one of it.
    pub fn has(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6(),
        }
    }

    /// `IPv4 address`, for texts.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Any => "address",
            Self::Ipv4 => "IPv4 address",
            Self::Ipv6 => "IPv6 address",
        }
    }
}

impl Options {
    /// Whether a function of the caller's is to know messages by name.
    pub(crate) fn names_messages(&self) -> bool {
        self.commit.is_some() || self.progress.is_some()
    }

    /// The password to log in with. An empty one that stands alone, as an unset variable gives it, is none.
    pub(crate) fn password(&self) -> Option<&Secret> {
        self.password.as_ref().filter(|password| !password.expose().is_empty() || self.username.is_some())
    }

    /// What signs a message, in the order of the fields: `signers`, then `dkim`.
    pub(crate) fn all_signers(&self) -> Vec<Arc<dyn Signer>> {
        #[cfg(feature = "dkim")]
        let dkim = self.dkim.iter().map(|dkim| Arc::new(Arc::clone(dkim)) as Arc<dyn Signer>);
        #[cfg(not(feature = "dkim"))]
        let dkim = std::iter::empty();
        self.signers.iter().cloned().chain(dkim).collect()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("servers", &self.servers.iter().map(|entry| shown_server(entry)).collect::<Vec<_>>())
            .field("ports", &self.ports)
            .field("originator", &self.originator)
            .field("recipients", &self.recipients)
            .finish_non_exhaustive()
    }
}
