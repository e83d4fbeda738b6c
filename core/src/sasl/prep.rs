//! SASLprep (RFC 4013): one spelling for what looks the same.
//!
//! User names are prepared for every mechanism (RFC 4954 section 4), passwords for those that send
//! something computed from them: there the server cannot do it later. PLAIN and LOGIN leave the
//! password as it is: preparing is the server's part there (RFC 4616 section 2), and a server that
//! prepares nothing compares the bytes.

use std::borrow::Cow;

use crate::secret::Secret;

/// The prepared name; what SASLprep refuses stays as it is, as a server that does not know SASLprep has it.
pub(super) fn name(name: &str) -> Cow<'_, str> {
    match stringprep::saslprep(name) {
        Ok(prepared) if !prepared.is_empty() => prepared,
        _ => Cow::Borrowed(name),
    }
}

/// The prepared password; what SASLprep refuses, or is not UTF-8, stays as it is.
pub(super) fn password(password: &Secret) -> Secret {
    match std::str::from_utf8(password.expose()).map(name) {
        Ok(Cow::Owned(prepared)) => Secret::from(prepared),
        _ => password.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_4013() {
        assert_eq!(name("I\u{AD}X"), "IX");
        assert_eq!(name("user"), "user");
        assert_eq!(name("\u{AA}"), "a");
        assert_eq!(name("\u{2168}"), "IX");
    }

    #[test]
    fn what_is_refused_stays() {
        for raw in ["\u{7}", "\u{627}1", "😀x", "\u{AD}", ""] {
            assert_eq!(name(raw), raw);
        }
        let bytes = Secret::new(vec![0xff, 0xfe]);
        assert_eq!(password(&bytes).expose(), [0xff, 0xfe]);
        assert_eq!(password(&Secret::from("I\u{AD}X")).expose(), b"IX");
    }
}
