//! What is known of a TLS connection.

use std::fmt;

/// Why a certificate did not verify.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifyFault {
    /// Its time is over.
    Expired,
    /// Its time has not begun; perhaps this machine's clock is wrong.
    NotYetValid,
    /// It is not for the host name or address that was connected to (RFC 6125).
    WrongName,
    /// No authority that is trusted here issued it.
    UnknownIssuer,
    /// It is signed with its own key, and not trusted here.
    SelfSigned,
    /// Its issuer took it back.
    Revoked,
    /// It is none of the pinned ones.
    NotPinned,
    /// Nobody looked: native-tls cannot tell of a connection that was not to be refused.
    NotChecked,
    /// Something else, in the words of the TLS library.
    Other(String),
}

impl VerifyFault {
    /// One lower-case word, the same in every language: `expired`, `notyetvalid`, `wrongname`,
    /// `unknownissuer`, `selfsigned`, `revoked`, `notpinned`, `notchecked`, `other`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "notyetvalid",
            Self::WrongName => "wrongname",
            Self::UnknownIssuer => "unknownissuer",
            Self::SelfSigned => "selfsigned",
            Self::Revoked => "revoked",
            Self::NotPinned => "notpinned",
            Self::NotChecked => "notchecked",
            Self::Other(_) => "other",
        }
    }
}

impl fmt::Display for VerifyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "has expired",
            Self::NotYetValid => "is not valid yet",
            Self::WrongName => "is for another host name",
            Self::UnknownIssuer => "comes from an unknown issuer",
            Self::SelfSigned => "is self-signed",
            Self::Revoked => "was revoked",
            Self::NotPinned => "is none of the pinned ones",
            Self::NotChecked => "was not checked",
            Self::Other(words) => return write!(f, "does not verify: {words}"),
        })
    }
}

/// What is known of a TLS connection. Digests are 64 lower-case hex digits. Nothing is known before the
/// handshake is over; after one that failed because of the certificate, what was seen of that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFacts {
    /// SHA-256 of the server's certificate (DER).
    pub certificate_sha256: Option<String>,
    /// SHA-256 of the certificate's public key (SubjectPublicKeyInfo, DER).
    pub public_key_sha256: Option<String>,
    /// Whether the chain and the host name verified; false too where a fingerprint had to match and did not.
    pub verified: bool,
    /// Why not; `None` if `verified`.
    pub why_not: Option<VerifyFault>,
    /// Whether one of the pinned fingerprints matches.
    pub pinned: bool,
    /// Whether the session of an earlier connection to the same host name, with the same settings, was resumed. What is
    /// said of the certificate was found then. Not with `native-tls`.
    pub resumed: bool,
    /// The protocol version in use, `TLSv1.3`. Not with `native-tls`.
    pub version: Option<String>,
    /// The cipher suite in use, by OpenSSL's name for it. Not with `native-tls`.
    pub cipher: Option<String>,
    /// Whom the certificate is for, `CN=mx.example.org`, what is not printable escaped. Not with `native-tls`.
    pub subject: Option<String>,
    /// Who issued it, in the same form. Not with `native-tls`.
    pub issuer: Option<String>,
    /// When the certificate expires, an RFC 3339 date-time in UTC: `2026-12-01T08:00:00Z`.
    pub expires: Option<String>,
    /// The TLS library: `openssl`, `rustls` or `native-tls`; empty if the caller brought another.
    pub library: &'static str,
}
