//! Which field has which syntax, and so what can be encoded in it.

/// What the value of a field consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// Mailboxes and groups: only display names and comments can be encoded.
    Addresses,
    /// A value with parameters.
    Parameters,
    /// Message-ids, dates and the like: nothing can be encoded.
    Tokens,
    /// URLs in angle brackets, each in one piece (RFC 2369 section 2, RFC 2919, RFC 5064): only comments can be encoded.
    Urls,
    /// The same with a phrase before the angle brackets (RFC 2919).
    ListId,
    /// Text.
    Text,
}

const ADDRESSES: [&str; 20] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Dcc",
    "Resent-From",
    "Resent-Sender",
    "Resent-Reply-To",
    "Resent-To",
    "Resent-Cc",
    "Resent-Bcc",
    "Resent-Dcc",
    "Disposition-Notification-To",
    "Return-Receipt-To",
    "Errors-To",
    "Mail-Followup-To",
    "Mail-Reply-To",
    "Apparently-To",
];

const TOKENS: [&str; 14] = [
    "Message-ID",
    "In-Reply-To",
    "References",
    "Date",
    "Received",
    "Return-Path",
    "Content-ID",
    "Resent-Date",
    "Resent-Message-ID",
    "Content-Transfer-Encoding",
    "MIME-Version",
    "DKIM-Signature",
    "Auto-Submitted",
    // With a key in base64, which a reader of encoded words would not find.
    "Autocrypt",
];

impl Syntax {
    pub(super) fn of(name: &str) -> Self {
        let is = |names: &[&str]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        if is(&ADDRESSES) {
            Self::Addresses
        } else if is(&TOKENS) {
            Self::Tokens
        } else if is(&["List-ID"]) {
            Self::ListId
        } else if is(&["Archived-At"]) || starts_with_ignore_case(name, "List-") {
            Self::Urls
        } else if Self::has_parameters(name) {
            Self::Parameters
        } else {
            Self::Text
        }
    }

    /// Whether the field has the syntax [`Parameters`](Self::Parameters).
    pub(super) fn has_parameters(name: &str) -> bool {
        ["Content-Type", "Content-Disposition"].iter().any(|n| n.eq_ignore_ascii_case(name))
    }
}

pub(super) fn starts_with_ignore_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
