//! SMTP replies (RFC 5321 section 4.2) and the parser that finds them in a stream of bytes.

mod known;
mod parser;
mod queue_id;

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;
use smol_str::SmolStr;

pub use parser::{ReplyFault, ReplyParser};
pub use queue_id::queue_id;

/// One whole reply of a server: the code, the enhanced status code and every line's text.
///
/// The text is printable: control characters are `?`, and octets that are not UTF-8 are U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    /// The lines, joined with '\n'; a clone shares them. The first one has the enhanced status code in front, which is
    /// not copied away: almost every reply is of one line.
    text: SmolStr,
    /// Where the text after it begins.
    behind: u8,
    /// The other lines had it too (RFC 2034 section 4), and have it no more.
    repeated: bool,
}

/// An enhanced status code `class.subject.detail` (RFC 3463). The class is that of the reply: one that
/// differs is not an enhanced status code here.
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
    /// The code that `text` begins with, followed by a space, a line's end or nothing; and what follows it.
    fn leading(text: &[u8]) -> Option<(Self, &[u8])> {
        // The common text after a code begins with a letter: decide that on one octet.
        let (class @ (b'2' | b'4' | b'5'), [b'.', rest @ ..]) = text.split_first()? else {
            return None;
        };
        let (subject, [b'.', rest @ ..]) = number(rest)? else {
            return None;
        };
        let (detail, rest @ ([] | [b' ' | b'\n', ..])) = number(rest)? else {
            return None;
        };
        Some((Self { class: class - b'0', subject, detail }, rest))
    }
}

/// One to three digits (RFC 3463 section 2) and what is after them; a fourth is after them.
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
        // Splitting a line that is the only one, as almost every one is, would cost 110 instructions.
        let several = memchr(b'\n', text.as_bytes()).is_some();
        Self::with(code, text, several)
    }

    /// The same; `several` says whether the text has more than one line.
    fn with(code: u16, text: SmolStr, several: bool) -> Self {
        let found = EnhancedCode::leading(text.as_bytes());
        let Some((enhanced, rest)) = found.filter(|(found, _)| u16::from(found.class) == code / 100) else {
            return Self { code, enhanced: None, text, behind: 0, repeated: false };
        };
        let length = text.len() - rest.len();
        let behind = length + usize::from(rest.first() == Some(&b' '));
        let once = if several { without_repetitions(&text, length) } else { None };
        Self {
            code,
            enhanced: Some(enhanced),
            behind: u8::try_from(behind).unwrap_or_default(), // at most 10 octets
            repeated: once.is_some(),
            text: once.unwrap_or(text),
        }
    }

    /// The three-digit code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code of the first line, where it has one of the reply's own class.
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        self.enhanced
    }

    /// The lines' texts without the code and the enhanced status code, joined with `\n`.
    pub fn text(&self) -> &str {
        self.text.get(usize::from(self.behind)..).unwrap_or_default()
    }

    /// The lines of [`text`](Self::text); at least one.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text().split('\n')
    }

    /// The text as the server sent it: the enhanced status code included, on each line that had it.
    pub fn raw(&self) -> Cow<'_, str> {
        if !self.repeated {
            return Cow::Borrowed(&self.text);
        }
        let code = self.text.get(..usize::from(self.behind)).unwrap_or_default();
        let lines: Vec<_> = self.lines().map(|line| format!("{code}{line}")).collect();
        Cow::Owned(lines.join("\n"))
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

/// The text without the enhanced status code on each line but the first, where each has it; `length` is the code's.
fn without_repetitions(text: &str, length: usize) -> Option<SmolStr> {
    let (first, others) = text.split_once('\n')?;
    let again = first.get(..length)?;
    // A blank must stand in front of a text on the first line too, or what was sent could not be told.
    let lines = others.split('\n').map(|line| line.strip_prefix(again)?.strip_prefix(' '));
    let others: Vec<&str> = lines.collect::<Option<_>>().filter(|_| first.get(length..) != Some(""))?;
    Some(format!("{first}\n{}", others.join("\n")).into())
}

impl fmt::Display for Reply {
    /// `550 5.1.1 first line / second line`, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
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
    fn the_text_is_without_the_enhanced_code_and_the_raw_one_as_it_was_sent() {
        for (raw, text) in [
            ("5.1.1 No such user\n5.1.1 Really", "No such user\nReally"),
            ("5.1.1 No such user\n5.1.1 \n5.1.1 Really", "No such user\n\nReally"),
            // What does not stand on every line belongs to the text.
            ("5.1.1 No such user\nReally", "No such user\nReally"),
            ("5.1.1 No such user\n5.1.1 Really\nBye", "No such user\n5.1.1 Really\nBye"),
            ("5.1.1 No such user\n5.7.1 Really", "No such user\n5.7.1 Really"),
            ("5.1.1\n5.1.1 Really", "\n5.1.1 Really"),
            ("5.1.1 No such user", "No such user"),
            ("5.1.1", ""),
            ("5.1.1 ", ""),
            ("4.1.1 of another class", "4.1.1 of another class"),
            ("No such user", "No such user"),
            ("", ""),
        ] {
            let reply = Reply::new(550, raw);
            assert_eq!((reply.text(), &*reply.raw()), (text, raw));
        }
        let reply = Reply::new(550, "5.1.1 No such user\n5.1.1 Really");
        assert_eq!(reply.lines().collect::<Vec<_>>(), ["No such user", "Really"]);
        assert_eq!(reply.to_string(), "550 5.1.1 No such user / Really");
    }
}
