//! SMTP replies (RFC 5321 section 4.2) and the parser that finds them in a stream of bytes.

mod parser;
mod queue_id;

use std::fmt;

use smol_str::SmolStr;

pub use parser::{ReplyFault, ReplyParser};
pub use queue_id::queue_id;

/// One whole reply of a server: the code and every line's text.
///
/// The text is as the server sent it, enhanced status code included, but printable: control characters
/// are `?`, and octets that are no UTF-8 are U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    text: SmolStr, // the lines, joined with '\n'; a clone shares them
}

/// An enhanced status code `class.subject.detail` (RFC 3463). The class is that of the reply: one that
/// differs is no enhanced status code here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnhancedCode {
    /// 2, 4 or 5.
    pub class: u8,
    /// 0 to 999.
    pub subject: u16,
    /// 0 to 999.
    pub detail: u16,
}

impl EnhancedCode {
    /// The code that `text` begins with, followed by a space, a line's end or nothing.
    fn leading(text: &[u8]) -> Option<Self> {
        // The common text behind a code begins with a letter: decide that on one octet.
        let (class @ (b'2' | b'4' | b'5'), [b'.', rest @ ..]) = text.split_first()? else {
            return None;
        };
        let (subject, [b'.', rest @ ..]) = number(rest)? else {
            return None;
        };
        let (detail, [] | [b' ' | b'\n', ..]) = number(rest)? else {
            return None;
        };
        Some(Self { class: class - b'0', subject, detail })
    }
}

/// One to three digits (RFC 3463 section 2) and what is behind them; a fourth is behind them.
fn number(text: &[u8]) -> Option<(u16, &[u8])> {
    let mut number = None;
    let mut rest = text;
    for _ in 0..3 {
        let [digit @ b'0'..=b'9', behind @ ..] = rest else {
            break;
        };
        number = Some(number.unwrap_or(0) * 10 + u16::from(digit - b'0'));
        rest = behind;
    }
    Some((number?, rest))
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl Reply {
    /// A reply with `code` (200 to 599) and the lines of `text`, split at `\n`.
    pub fn new(code: u16, text: impl Into<SmolStr>) -> Self {
        let text = text.into();
        let enhanced =
            EnhancedCode::leading(text.as_bytes()).filter(|found| u16::from(found.class) == code / 100);
        Self { code, enhanced, text }
    }

    /// The three-digit code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code of the first line, where it has one of the reply's own class.
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        self.enhanced
    }

    /// The lines' texts without codes, joined with `\n`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lines' texts without codes; at least one.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.split('\n')
    }

    /// 2yz: done.
    pub fn is_success(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4yz or 5yz: refused.
    pub fn is_failure(&self) -> bool {
        self.code >= 400
    }

    /// 4yz: refused now, perhaps not later.
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }
}

impl fmt::Display for Reply {
    /// `250 first line / second line`, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        for (n, line) in self.lines().enumerate() {
            f.write_str(if n == 0 { " " } else { " / " })?;
            f.write_str(line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_enhanced_code_is_found_where_its_class_is_the_replys() {
        let found = |code, text: &str| Reply::new(code, text).enhanced().map(|e| e.to_string());
        assert_eq!(found(250, "2.1.5 Ok").as_deref(), Some("2.1.5"));
        assert_eq!(found(550, "5.7.509 Access denied\nmore").as_deref(), Some("5.7.509"));
        assert_eq!(found(451, "4.3.0").as_deref(), Some("4.3.0"));
        assert_eq!(found(451, "4.3.0\nmore").as_deref(), Some("4.3.0"));
        for (code, text) in [
            (550, "4.1.1 other class"),
            (354, "3.0.0 no such class"),
            (250, "2.0.0: OK"),
            (250, "2.0"),
            (250, "2.0.1234 x"),
            (250, "2..1 x"),
            (250, "2.0.0OK"),
            (220, "2.example.org ESMTP"),
            (250, "OK\n2.0.0 second line"),
            (250, " 2.0.0 x"),
            (250, ""),
            (250, "2"),
            (250, "\u{e9}"),
        ] {
            assert_eq!(found(code, text), None, "{code} {text}");
        }
    }

    #[test]
    fn the_text_is_kept_whole() {
        let reply = Reply::new(550, "5.1.1 No such user\n5.1.1 Really");
        assert_eq!(reply.text(), "5.1.1 No such user\n5.1.1 Really");
        assert_eq!(reply.lines().collect::<Vec<_>>(), ["5.1.1 No such user", "5.1.1 Really"]);
        assert_eq!(reply.to_string(), "550 5.1.1 No such user / 5.1.1 Really");
    }
}
