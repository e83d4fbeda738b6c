use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

use super::CustomMechanism;
use crate::error::Error;

/// A mechanism that this library speaks, or one of the caller's own. The order of the variants is the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MechanismName {
    /// The caller's own, by its name.
    Custom(SmolStr),
    /// RFC 4422 appendix A, with a TLS client certificate: no secret is sent at all.
    External,
    /// As [`ScramSha256Plus`](Self::ScramSha256Plus), by SHA-512 (draft-melnikov-scram-sha-512).
    ScramSha512Plus,
    /// RFC 7677, bound to the TLS channel.
    ScramSha256Plus,
    /// RFC 5802, bound to the TLS channel.
    ScramSha1Plus,
    /// As [`ScramSha256`](Self::ScramSha256), by SHA-512.
    ScramSha512,
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802.
    ScramSha1,
    /// RFC 2831.
    DigestMd5,
    /// RFC 2195.
    CramMd5,
    /// RFC 7628.
    OauthBearer,
    /// Google's and Microsoft's forerunner of OAUTHBEARER.
    Xoauth2,
    /// RFC 4616.
    Plain,
    /// Unpublished, but everywhere: draft-murchison-sasl-login.
    Login,
}

/// What a mechanism needs of the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Password,
    Token,
    Certificate,
    /// Whatever it is, the caller's mechanism has it.
    Nothing,
}

impl MechanismName {
    /// Every mechanism of this library, strongest first.
    pub const ALL: [Self; 13] = [
        Self::External,
        Self::ScramSha512Plus,
        Self::ScramSha256Plus,
        Self::ScramSha1Plus,
        Self::ScramSha512,
        Self::ScramSha256,
        Self::ScramSha1,
        Self::DigestMd5,
        Self::CramMd5,
        Self::OauthBearer,
        Self::Xoauth2,
        Self::Plain,
        Self::Login,
    ];

    /// The registered name: `SCRAM-SHA-256-PLUS`, `PLAIN`, ...
    pub fn as_str(&self) -> &str {
        match self {
            Self::Custom(name) => name,
            Self::External => "EXTERNAL",
            Self::ScramSha512Plus => "SCRAM-SHA-512-PLUS",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::DigestMd5 => "DIGEST-MD5",
            Self::CramMd5 => "CRAM-MD5",
            Self::OauthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The mechanism of that name, in any case; `None` for one that this library does not speak.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether the mechanism shows the server, and whoever listens, the password or token itself. One of the caller's own
    /// [says so itself](super::CustomMechanism::reveals_secret), and may do so as far as its name tells.
    pub fn reveals_secret(&self) -> bool {
        matches!(self, Self::Custom(_) | Self::OauthBearer | Self::Xoauth2 | Self::Plain | Self::Login)
    }

    /// Whether an authorization identity (RFC 4422 section 2) is said. One of the caller's own is told of it.
    pub(super) fn says_whom_to_act_for(&self) -> bool {
        !matches!(self, Self::CramMd5 | Self::Xoauth2 | Self::Login)
    }

    /// Whether the mechanism logs in by an OAuth 2.0 access token.
    pub fn is_oauth(&self) -> bool {
        self.needs() == Needs::Token
    }

    /// Whether the mechanism binds the login to the TLS channel.
    pub fn is_plus(&self) -> bool {
        self.as_str().ends_with("-PLUS")
    }

    /// The variant of the same mechanism that binds.
    pub(super) fn plus(&self) -> Option<Self> {
        match self {
            Self::ScramSha512 => Some(Self::ScramSha512Plus),
            Self::ScramSha256 => Some(Self::ScramSha256Plus),
            Self::ScramSha1 => Some(Self::ScramSha1Plus),
            _ => None,
        }
    }

    pub(super) fn needs(&self) -> Needs {
        match self {
            Self::Custom(_) => Needs::Nothing,
            Self::External => Needs::Certificate,
            Self::OauthBearer | Self::Xoauth2 => Needs::Token,
            _ => Needs::Password,
        }
    }
}

/// Finds a name in option `auth` that belongs to none of the mechanisms, the library's or the caller's own.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage), with the names that are.
pub fn check_mechanisms(names: &[String], own: &[Arc<dyn CustomMechanism>]) -> Result<(), Error> {
    let is_own = |name: &String| own.iter().any(|mechanism| mechanism.name().eq_ignore_ascii_case(name));
    let known = |name: &String| MechanismName::parse(name).is_some() || is_own(name);
    let Some(bad) = names.iter().find(|name| !known(name)) else { return Ok(()) };
    let own = own.iter().map(|mechanism| mechanism.name());
    let all: Vec<_> = own.chain(MechanismName::ALL.iter().map(MechanismName::as_str)).collect();
    Err(Error::usage(format!("{bad:?} must be a mechanism of these: {}", all.join(", "))))
}

impl fmt::Display for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
