use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};

use super::Fault;
use crate::error::{Error, Kind, Step};
use crate::secret::Secret;

/// What a fault quotes of the server is cut here.
const QUOTED: usize = 400;

/// Some servers leave the padding out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The octets of a challenge. A lone `=` is an empty one, as in an initial response.
pub(super) fn decode(base64: &str) -> Option<Vec<u8>> {
    match base64.trim() {
        "" | "=" => Some(Vec::new()),
        text => LENIENT.decode(text).ok(),
    }
}

/// The octets of a base64 value inside a message of a mechanism: strict.
pub(super) fn decode_value(base64: &str) -> Option<Vec<u8>> {
    general_purpose::STANDARD.decode(base64).ok()
}

/// Base64 of octets that are not a secret.
pub(super) fn encode(octets: &[u8]) -> String {
    general_purpose::STANDARD.encode(octets)
}

/// The length that `octets` octets have in base64.
pub(super) fn encoded_len(octets: usize) -> usize {
    octets.div_ceil(3).saturating_mul(4)
}

/// Appends the base64 of `secret` to `out`, with no copy of it elsewhere.
pub(super) fn append_base64(secret: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start.saturating_add(encoded_len(secret.len())), 0);
    let written = match out.get_mut(start..) {
        // The slice has the very length that is needed, so this does not fail.
        Some(space) => general_purpose::STANDARD.encode_slice(secret, space).unwrap_or(0),
        None => 0,
    };
    out.truncate(start.saturating_add(written));
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(octets: &[u8]) -> String {
    let digit = |n: u8| char::from(if n < 10 { b'0' + n } else { b'a' + n - 10 });
    octets.iter().flat_map(|&o| [digit(o >> 4), digit(o & 15)]).collect()
}

/// The server's words for a fault: printable, in one line, of bounded length.
pub(super) fn quote(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let mut quoted: String =
        text.chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(QUOTED).is_some() {
        quoted.push_str("...");
    }
    quoted
}

/// 144 random bits as 24 printable characters, none of them `,` or `"`.
pub(super) fn nonce() -> Result<String, Error> {
    let mut bits = [0; 18];
    getrandom::fill(&mut bits).map_err(|error| {
        Error::new(Kind::Login, Step::Auth, format!("the system gives no random numbers: {error}"))
    })?;
    Ok(encode(&bits))
}

/// The parts in one buffer that never grows, so that no piece of a secret stays behind.
pub(super) fn concat(parts: &[&[u8]]) -> Secret {
    let mut message = Vec::with_capacity(parts.iter().map(|p| p.len()).sum());
    for part in parts {
        message.extend_from_slice(part);
    }
    Secret::new(message)
}

/// HMAC takes keys of any length; this is for the type's sake.
pub(super) fn no_key<E>(_: E) -> Fault {
    Fault::new("the password cannot be the key of an HMAC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_goes_behind_what_is_there() {
        for (octets, text) in [("", "x"), ("f", "xZg=="), ("fo", "xZm8="), ("foo", "xZm9v")] {
            let mut out = b"x".to_vec();
            append_base64(octets.as_bytes(), &mut out);
            assert_eq!(out, text.as_bytes());
            assert_eq!(out.len() - 1, encoded_len(octets.len()));
        }
    }

    #[test]
    fn challenges_are_read_with_and_without_padding() {
        assert_eq!(decode("Zg==").unwrap(), b"f");
        assert_eq!(decode(" Zg ").unwrap(), b"f");
        assert_eq!(decode("=").unwrap(), b"");
        for garbage in ["Zg==x", "Username:", "Z", "Zm9v\nZm9v", "Zm 9v", "\u{FFFD}", "===="] {
            assert_eq!(decode(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn quotes_are_one_short_line() {
        assert_eq!(quote(b"a\r\nb\x00\xff"), "a  b \u{FFFD}");
        assert_eq!(quote(&[b'x'; 5000]).len(), QUOTED + 3);
        assert_eq!(hex(&[0, 0x9f, 0xa0, 0xff]), "009fa0ff");
        assert_ne!(nonce().unwrap(), nonce().unwrap());
    }
}
