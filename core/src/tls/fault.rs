//! What a TLS library says when it fails, put into words that name a way out.

use super::facts::{TlsFacts, VerifyFault};
use crate::error::{Error, Kind, Step};

/// Why a step of a connection failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The certificate or the host name did not verify.
    Verify(VerifyFault),
    /// The server sent a fatal alert (RFC 8446 section 6).
    Alert(u8),
    /// Anything else, in the library's words.
    Other(String),
}

/// What the words depend on.
pub(super) struct Scene<'a> {
    pub(super) host: &'a str,
    pub(super) facts: &'a TlsFacts,
    /// A client certificate is configured.
    pub(super) identity: bool,
    /// The handshake is over.
    pub(super) open: bool,
}

impl Fault {
    pub(super) fn error(self, scene: &Scene<'_>) -> Error {
        match self {
            Self::Verify(fault) => tls(unverified(&fault, scene)),
            Self::Alert(number) => tls(alert(number, scene)),
            Self::Other(words) if scene.open => tls(format!("the TLS connection broke: {words}")),
            Self::Other(words) => tls(format!("the TLS handshake failed: {words}")),
        }
    }
}

pub(super) fn tls(text: impl Into<String>) -> Error {
    Error::new(Kind::Tls, Step::Tls, text)
}

/// The server speaks plain text where TLS was to begin; `said` is the beginning of that.
pub(super) fn plain_text(said: &[u8]) -> Error {
    let line = said.split(|&o| o == b'\r' || o == b'\n').next().unwrap_or_default();
    let line = line.get(..80).unwrap_or(line).escape_ascii();
    tls(format!(
        "the server answered in plain text ({line}): this port does not speak implicit TLS; use STARTTLS \
         or another port"
    ))
}

/// The connection ended before the handshake was over. The next one may fare better.
pub(super) fn cut(heard: bool) -> Error {
    let text = if heard {
        "the server closed the connection in the middle of the TLS handshake"
    } else {
        "the server closed the connection without answering the TLS handshake: does this port speak TLS?"
    };
    tls(text).with_transient(true)
}

fn unverified(fault: &VerifyFault, scene: &Scene<'_>) -> String {
    let way_out = match fault {
        VerifyFault::UnknownIssuer | VerifyFault::SelfSigned => {
            "name its authority with tlscafile, or pin it with tlsfingerprint"
        }
        VerifyFault::WrongName => "connect by a name that it is for, or pin it with tlsfingerprint",
        VerifyFault::NotYetValid => "is the clock of this machine right?",
        VerifyFault::NotPinned => {
            "was it renewed? Then tlsfingerprint wants the new digest, learnt from its owner"
        }
        _ => "the server needs another one; tlsfingerprint can pin it as it is",
    };
    let mut digests = String::new();
    if let Some(digest) = &scene.facts.certificate_sha256 {
        digests = format!(" (SHA-256 {digest}");
        if let Some(key) = &scene.facts.public_key_sha256 {
            digests += &format!(", of its public key {key}");
        }
        digests.push(')');
    }
    format!("the certificate of {} {fault}{digests}; {way_out}", scene.host)
}

fn alert(number: u8, scene: &Scene<'_>) -> String {
    let name = alert_name(number);
    match number {
        // Only a client's certificate can be meant: the server has no other to judge.
        41..=46 | 48 | 49 | 116 => {
            let what = if scene.identity {
                "the server refused the client certificate of tlscertfile"
            } else {
                "the server wants a client certificate: set tlscertfile and tlskeyfile"
            };
            format!("{what} (TLS alert {name})")
        }
        70 | 71 => format!(
            "the server refused every TLS version and cipher offered (TLS alert {name}); see tlsminversion"
        ),
        40 => {
            let or = if scene.identity {
                ""
            } else {
                ", or it wants a client certificate: set tlscertfile and tlskeyfile"
            };
            format!("the server refused the handshake (TLS alert {name}): no version or cipher in common{or}")
        }
        112 => format!("the server does not know the name {} (TLS alert {name})", scene.host),
        _ if scene.open => format!("the server broke the TLS connection off (TLS alert {name})"),
        _ => format!("the server broke the TLS handshake off (TLS alert {name})"),
    }
}

/// RFC 8446 section 6, and RFC 5246 section 7.2 for what is gone from it.
fn alert_name(number: u8) -> String {
    let name = match number {
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => return number.to_string(),
    };
    format!("{number}, {name}")
}
