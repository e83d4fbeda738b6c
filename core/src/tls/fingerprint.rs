//! Pinned certificates.

use std::fmt;
use std::str::FromStr;

#[cfg(feature = "net")]
use sha2::{Digest, Sha256};

use crate::error::Error;

/// The SHA-256 of a certificate (DER), or of its public key (SubjectPublicKeyInfo, DER).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Reads 64 hex digits in either case, with colons between the octets or without.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse(text).map(Self).ok_or_else(|| {
            Error::usage(format!(
                "{text:?} is not a SHA-256: 64 hex digits are wanted, with or without colons, as \
                 `openssl x509 -noout -fingerprint -sha256` prints after the `=`"
            ))
        })
    }

    #[cfg(feature = "net")]
    pub(super) fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// 64 lower-case hex digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

fn parse(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    let step = if text.contains(':') { 3 } else { 2 };
    // 32 octets and the 31 colons between them.
    if !text.is_ascii() || text.len() != 32 * step + 2 - step {
        return None;
    }
    let mut octets = [0; 32];
    for (octet, chunk) in octets.iter_mut().zip(text.as_bytes().chunks(step)) {
        let (digits, colon) = chunk.split_at_checked(2)?;
        if !matches!(colon, b"" | b":") || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        *octet = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn colons(text: &str) -> String {
        text.as_bytes().chunks(2).map(|c| std::str::from_utf8(c).unwrap()).collect::<Vec<_>>().join(":")
    }

    #[test]
    fn both_forms_and_cases_are_read() {
        let wanted = Fingerprint::of(b"");
        for text in [EMPTY.to_owned(), EMPTY.to_uppercase(), colons(EMPTY), format!(" {}\n", colons(EMPTY))] {
            assert_eq!(Fingerprint::parse(&text).unwrap(), wanted);
        }
        assert_eq!(wanted.to_string(), EMPTY);
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        let whole = colons(EMPTY);
        let bad = [
            "",
            ":",
            &EMPTY[1..],
            &whole[..94],
            &format!("{whole}:"),
            &whole.replacen(':', "-", 1),
            &EMPTY.replace('e', "g"),
            &EMPTY.replacen("e3", "+3", 1),
            &"é".repeat(32),
            &":".repeat(95),
        ];
        for text in bad {
            let error = Fingerprint::parse(text).unwrap_err();
            assert!(error.text().contains("64 hex digits"), "{text}");
        }
    }
}
