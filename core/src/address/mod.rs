//! RFC 5322 address lists: from the text of `To` or of an option to what MAIL and RCPT say.
//!
//! The grammar is that of RFC 5322 section 3.4 with its obsolete forms (section 4.4) and UTF-8
//! (RFC 6532). The limits and domain literals are those of RFC 5321. What could reach a server as
//! something else than its writer meant is refused, with the place and the reason.
//!
//! Narrower than the grammar, on purpose:
//! - control characters (`obs-NO-WS-CTL`, quoted ones too) and line ends that fold nothing are refused;
//! - white space beyond ASCII is refused in a local part that is not quoted: it was pasted;
//! - a name without a domain is refused, except for `postmaster` (RFC 5321 section 4.1.1.3);
//! - a domain literal holds no white space but at its ends, no quoted pairs, no UTF-8, no `<` and `>`;
//! - comments nest at most [`MAX_COMMENT_DEPTH`] deep.
//!
//! An ASCII domain is checked for its dots and length only: whether `a_b` is a host is the
//! server's to say. Any other must have A-labels by UTS #46 with the STD3 rules.
//!
//! ```
//! use smtpclient::address::parse_list;
//!
//! let list = parse_list("Ann <ann@a.example>, Crew: (all) bo @ b.example, \"x y\"@c.example;")?;
//! let envelope: Vec<&str> = list.iter().map(|address| address.addr_spec()).collect();
//! assert_eq!(envelope, ["ann@a.example", "bo@b.example", "\"x y\"@c.example"]);
//! assert_eq!(list[0].display_name(), Some("Ann"));
//! assert_eq!(list[1].group(), Some("Crew"));
//!
//! let error = parse_list("a@x.example; b@x.example").unwrap_err();
//! assert_eq!(error.position(), 11);
//! # Ok::<(), smtpclient::address::AddressError>(())
//! ```

mod domain;
mod error;
mod parser;
mod scanner;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use error::AddressError;
pub use scanner::MAX_COMMENT_DEPTH;
use smol_str::SmolStr;

use crate::error::{Error, Kind, Step};

/// The most octets of a domain (RFC 5321 section 4.5.3.1.2).
pub const MAX_DOMAIN: usize = 255;
/// The most octets between `<` and `>`: a path has 256 (RFC 5321 section 4.5.3.1.3). The local part alone may be longer
/// than the 64 octets that servers must take: SRS and VERP make such, and servers do.
pub const MAX_ADDR_SPEC: usize = 254;

/// Reads an address list: mailboxes and groups, separated by commas, in their order.
///
/// The members of a group become addresses that know its name; an empty group, and an empty
/// element between two commas, give none. The empty text gives the empty list.
///
/// # Errors
/// Anything that is not an RFC 5322 address list, or that SMTP cannot carry; the first fault is told.
pub fn parse_list(text: &str) -> Result<Vec<Address>, AddressError> {
    let mut addresses = Vec::new();
    parse_each(text, None, |address| addresses.push(address))?;
    Ok(addresses)
}

/// Reads exactly one mailbox, with or without a display name: no group, no list.
///
/// # Errors
/// As [`parse_list`], and for none or more than one.
pub fn parse_mailbox(text: &str) -> Result<Address, AddressError> {
    parser::mailbox(text, None)
}

/// The same; a name without a domain gets `domain`, if there is one.
pub(crate) fn parse_mailbox_in(text: &str, domain: Option<&str>) -> Result<Address, AddressError> {
    parser::mailbox(text, domain)
}

/// Gives the addresses of a list one by one; what was given before an error counts for nothing. A name without a domain
/// gets `domain`, if there is one.
pub(crate) fn parse_each(
    text: &str,
    domain: Option<&str>,
    take: impl FnMut(Address),
) -> Result<(), AddressError> {
    parser::each(text, domain, take)
}

/// The mailbox of a text that plainly is one, as almost every text is that names one: its display name is not kept.
/// `None` leaves the text to the whole grammar.
pub(crate) fn plain_mailbox(text: &str) -> Option<Address> {
    let (spec, local_len) = scanner::plain_mailbox(text)?;
    let spec = SmolStr::new(spec);
    Some(Address { source: spec.clone(), spec, local_len, plain: true, display_name: None, group: None })
}

/// One mailbox of a list.
///
/// `Display` writes it so that it parses to the same again (except for the group). A header is
/// better made from [`Address::source`], which is what the caller wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    spec: SmolStr,
    local_len: usize,
    plain: bool,
    display_name: Option<String>,
    // Shared: a long name and many members must not multiply.
    group: Option<Arc<str>>,
    source: SmolStr,
}

impl Address {
    /// The local part as it stands on the wire: quoted only if it must be, so `"a"@x` gives
    /// `a`, and `"a b".c@x` gives `"a b.c"`. UTF-8 and upper case stay.
    pub fn local(&self) -> &str {
        self.spec.get(..self.local_len).unwrap_or_default()
    }

    /// The domain, or a literal in its brackets; empty only for `postmaster` alone. An ASCII domain
    /// is as it was given, any other is in U-labels as UTS #46 maps them.
    pub fn domain(&self) -> &str {
        self.spec.get(self.local_len.saturating_add(1)..).unwrap_or_default()
    }

    /// What stands between `<` and `>` in MAIL and RCPT: `local@domain` without comments, white
    /// space and route. At most [`MAX_ADDR_SPEC`] octets, no control characters.
    pub fn addr_spec(&self) -> &str {
        &self.spec
    }

    /// The addr-spec where it is made of ASCII atoms and dots alone: good for any command as it is.
    pub(crate) fn plain_addr_spec(&self) -> Option<&SmolStr> {
        self.plain.then_some(&self.spec)
    }

    /// The display name as text: quotes and quoted pairs undone, comments gone, one space
    /// between words. Encoded words (RFC 2047) stay as they are. `None` if it is empty.
    pub fn display_name(&self) -> Option<&str> {
        self.display_name.as_deref()
    }

    /// The name of the group that this is a member of, as text.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// The mailbox as it was written, comments and folds included, white space around it not.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the addr-spec is ASCII; if not, [`Address::to_ascii`] or SMTPUTF8 is needed.
    pub fn is_ascii(&self) -> bool {
        self.plain || self.spec.is_ascii()
    }

    /// The addr-spec with its domain in A-labels (RFC 5890), for a server without SMTPUTF8.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] if the local part is not ASCII, and where the A-labels exceed
    /// [`MAX_ADDR_SPEC`]: such an address needs SMTPUTF8 (RFC 6531).
    pub fn to_ascii(&self) -> Result<String, Error> {
        if self.is_ascii() {
            return Ok(self.spec.to_string());
        }
        let unsupported = |why: &str| {
            let text = format!("the address {:?} needs SMTPUTF8: {why}", self.spec);
            Error::new(Kind::Unsupported, Step::Setup, text)
        };
        if !self.local().is_ascii() {
            return Err(unsupported("its local part is not ASCII"));
        }
        let domain =
            domain::to_a_labels(self.domain()).ok_or_else(|| unsupported("its domain has no A-labels"))?;
        let spec = format!("{}@{domain}", self.local());
        if spec.len() > MAX_ADDR_SPEC {
            return Err(unsupported("in A-labels it is longer than 254 octets"));
        }
        Ok(spec)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(name) = &self.display_name else {
            return f.write_str(&self.spec);
        };
        if name.split(' ').all(scanner::is_atom) {
            write!(f, "{name} <{}>", self.spec)
        } else {
            write!(f, "{} <{}>", scanner::quote(name), self.spec)
        }
    }
}
