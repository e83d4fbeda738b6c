//! Why a text is not an address list, and where.

use std::fmt;

use crate::error::Error;

/// How many characters of the text an error shows on either side of the fault.
const CONTEXT: usize = 30;

/// A text that is not an address list, or that SMTP cannot carry.
///
/// `Display` gives one printable line of bounded length: excerpt, octet and reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    excerpt: String,
    position: usize,
    reason: &'static str,
}

impl AddressError {
    /// A fault of `text` at the octet `position`.
    pub(super) fn new(text: &str, position: usize, reason: &'static str) -> Self {
        let (before, after) = text.split_at_checked(position).unwrap_or((text, ""));
        let start = before.char_indices().rev().nth(CONTEXT).map(|(at, c)| at.saturating_add(c.len_utf8()));
        let end = after.char_indices().nth(CONTEXT).map(|(at, _)| at);
        let excerpt = [
            start.map_or("", |_| "…"),
            start.and_then(|at| before.get(at..)).unwrap_or(before),
            end.and_then(|at| after.get(..at)).unwrap_or(after),
            end.map_or("", |_| "…"),
        ];
        Self { excerpt: excerpt.concat(), position, reason }
    }

    /// The text around the fault, as it was given; `…` marks where it was cut.
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }

    /// The octet of the input at which the fault is, from 0; the input's length for its end.
    pub fn position(&self) -> usize {
        self.position
    }

    /// What is wrong, and the way out.
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "address {:?}, at octet {}: {}", self.excerpt, self.position, self.reason)
    }
}

impl std::error::Error for AddressError {}

impl From<AddressError> for Error {
    fn from(error: AddressError) -> Self {
        Self::usage(error.to_string())
    }
}
