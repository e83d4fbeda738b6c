//! SMTP replies (RFC 5321 section 4.2) and the parser that finds them in a stream of bytes.

use std::fmt;

/// One whole reply of a server: the code and every line's text.
///
/// The text is as the server sent it, enhanced status code included, but printable: control characters
/// are `?`, and octets that are no UTF-8 are U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    text: String, // the lines, joined with '\n'
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

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl Reply {
    /// A reply with `code` (200 to 599) and the lines of `text`, split at `\n`.
    pub fn new(code: u16, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { code, enhanced: None, text }
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
