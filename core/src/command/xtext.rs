//! xtext (RFC 3461 section 4) and its form for addresses beyond ASCII (RFC 6533 section 3).

use std::fmt::Write;

/// Octets from `!` to `~` but `+` and `=` as they are, the others as `+` and two upper-case hex digits.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'!'..=b'~' if !matches!(octet, b'+' | b'=') => out.push(char::from(octet)),
            _ => write_hex(&mut out, format_args!("+{octet:02X}")),
        }
    }
    out
}

/// utf-8-addr-xtext: as xtext, but `\x{HEX}` instead of `+XX`, and for each character beyond ASCII. It is
/// ASCII itself, so it may be sent to any server that offers DSN.
pub(super) fn encode_utf8_address(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '!'..='~' if !matches!(c, '+' | '=' | '\\') => out.push(c),
            _ => write_hex(&mut out, format_args!("\\x{{{:X}}}", u32::from(c))),
        }
    }
    out
}

fn write_hex(out: &mut String, hex: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(hex); // a String takes everything
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xtext() {
        assert_eq!(encode("QQ314159"), "QQ314159");
        assert_eq!(encode("a+b=c d\\\"~!"), "a+2Bb+3Dc+20d\\\"~!");
        assert_eq!(encode("\u{e9}\x7f"), "+C3+A9+7F");
        assert_eq!(encode(""), "");
    }

    #[test]
    fn utf8_address() {
        assert_eq!(encode_utf8_address("zo\u{eb}@\u{4f8b}.test"), "zo\\x{EB}@\\x{4F8B}.test");
        assert_eq!(encode_utf8_address("a+b=c d\\\u{1f600}"), "a\\x{2B}b\\x{3D}c\\x{20}d\\x{5C}\\x{1F600}");
    }
}
