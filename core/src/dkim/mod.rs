//! DKIM signatures (RFC 6376, RFC 8463): relaxed/relaxed, by RSA or Ed25519, over exactly what goes out.
//!
//! Without feature `dkim` option `dkim` is an error.

#[cfg(feature = "dkim")]
mod canonical;
#[cfg(feature = "dkim")]
mod key;
mod parse;

pub(crate) use parse::parse;
#[cfg(feature = "dkim")]
mod sign;
#[cfg(all(test, feature = "dkim"))]
mod tests;

use std::fmt;
#[cfg(feature = "dkim")]
use std::time::Duration;

/// One signature that every message gets: domain, selector, key and what is signed.
pub struct Dkim {
    #[cfg(feature = "dkim")]
    terms: Terms,
    #[cfg(feature = "dkim")]
    key: key::Key,
}

/// What the signature says beside what it is made of.
#[cfg(feature = "dkim")]
#[derive(Clone, Debug)]
struct Terms {
    domain: String,
    selector: String,
    identity: Option<String>,
    expire: Option<Duration>,
    fields: Vec<(String, Over)>,
}

/// Whether a field is named once more than the message has it, so that nobody can add another (RFC 6376 section 8.15).
#[cfg(feature = "dkim")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Always,
    /// A relay may add it where it is missing.
    WherePresent,
    Never,
}

/// What is signed where nothing else is said (RFC 6376 section 5.4.1): all that says who, to whom, when and what.
#[cfg(feature = "dkim")]
const FIELDS: [(&str, Over); 25] = [
    ("From", Over::Always),
    ("Reply-To", Over::Always),
    ("Subject", Over::Always),
    ("To", Over::Always),
    ("Cc", Over::Always),
    ("In-Reply-To", Over::Always),
    ("References", Over::Always),
    ("Sender", Over::WherePresent),
    ("Date", Over::WherePresent),
    ("Message-ID", Over::WherePresent),
    ("MIME-Version", Over::WherePresent),
    ("Content-Type", Over::WherePresent),
    ("Content-Transfer-Encoding", Over::WherePresent),
    ("Resent-From", Over::Never),
    ("Resent-To", Over::Never),
    ("Resent-Cc", Over::Never),
    ("Resent-Date", Over::Never),
    ("Resent-Message-ID", Over::Never),
    ("List-Id", Over::WherePresent),
    ("List-Help", Over::WherePresent),
    ("List-Unsubscribe", Over::WherePresent),
    ("List-Unsubscribe-Post", Over::WherePresent),
    ("List-Subscribe", Over::WherePresent),
    ("List-Post", Over::WherePresent),
    ("List-Owner", Over::WherePresent),
];

impl fmt::Debug for Dkim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Dkim");
        #[cfg(feature = "dkim")]
        out.field("domain", &self.terms.domain).field("selector", &self.terms.selector);
        out.finish_non_exhaustive()
    }
}
