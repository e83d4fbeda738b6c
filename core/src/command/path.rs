use std::fmt;

use smol_str::SmolStr;

use super::quoted;
use crate::error::Error;

// RFC 5321 section 4.5.3.1.3: 256 with the angle brackets. A domain's own bound of 255 is never met first; that
// of 64 for a local part is what servers must take at least, and SRS and VERP need more.
const MAX_PATH: usize = 254;

/// The reverse-path of MAIL: a mailbox, or null, which is `<>` (RFC 5321 section 4.5.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReversePath(Mailbox);

/// The forward-path of RCPT: a mailbox, or `Postmaster` without a domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForwardPath(Mailbox);

/// An addr-spec that can stand between `<` and `>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Mailbox {
    text: SmolStr,
    beyond_ascii: bool,
}

impl ReversePath {
    /// An addr-spec such as `user@example.org`; the empty string is the null reverse-path.
    ///
    /// # Errors
    /// Usage, where `addr_spec` cannot stand in a command: control characters, blanks or angle brackets that
    /// are not quoted, no domain, or more octets than RFC 5321 section 4.5.3.1 allows.
    pub fn new(addr_spec: &str) -> Result<Self, Error> {
        if addr_spec.is_empty() {
            return Ok(Self::default());
        }
        Mailbox::new("sender", addr_spec, false).map(Self)
    }

    /// An addr-spec that is known to be made of ASCII atoms and dots.
    pub(crate) fn plain(addr_spec: &SmolStr) -> Self {
        Self(Mailbox::plain(addr_spec))
    }

    /// The addr-spec without angle brackets; empty for the null reverse-path.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether this is `<>`.
    pub fn is_null(&self) -> bool {
        self.0.text.is_empty()
    }

    /// Whether it can be sent without SMTPUTF8 (RFC 6531).
    pub fn is_ascii(&self) -> bool {
        !self.0.beyond_ascii
    }
}

impl ForwardPath {
    /// The addr-spec, to be held on to.
    pub(crate) fn shared(&self) -> &SmolStr {
        &self.0.text
    }

    /// An addr-spec such as `user@example.org`, or `Postmaster` in any case (RFC 5321 section 4.1.1.3).
    ///
    /// # Errors
    /// Usage, as for [`ReversePath::new`], and where `addr_spec` is empty.
    pub fn new(addr_spec: &str) -> Result<Self, Error> {
        Mailbox::new("recipient", addr_spec, addr_spec.eq_ignore_ascii_case("postmaster")).map(Self)
    }

    /// What stands between the angle brackets of a RCPT that the caller wrote, for reports: it may not be an addr-spec.
    pub(crate) fn said(line: &str) -> Self {
        let (_, path) = line.split_once('<').unwrap_or_default();
        let text = path.split_once('>').map_or(path, |(text, _)| text);
        let beyond_ascii = !text.is_ascii();
        Self(Mailbox { text: text.into(), beyond_ascii })
    }

    /// An addr-spec that is known to be made of ASCII atoms and dots.
    pub(crate) fn plain(addr_spec: &SmolStr) -> Self {
        Self(Mailbox::plain(addr_spec))
    }

    /// The addr-spec without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether it can be sent without SMTPUTF8 (RFC 6531).
    pub fn is_ascii(&self) -> bool {
        !self.0.beyond_ascii
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl Mailbox {
    fn plain(addr_spec: &SmolStr) -> Self {
        Self { text: addr_spec.clone(), beyond_ascii: false }
    }

    fn new(what: &str, text: &str, local_only: bool) -> Result<Self, Error> {
        match fault(text, local_only) {
            None => Ok(Self { text: text.into(), beyond_ascii: !text.is_ascii() }),
            Some(why) => Err(Error::usage(format!("{what} {}: {why}", quoted(text)))),
        }
    }
}

/// What is wrong with `text` as an addr-spec. Dots in odd places of the local part are none of our business:
/// such mailboxes exist.
fn fault(text: &str, local_only: bool) -> Option<&'static str> {
    if text.is_empty() {
        return Some("empty; an address looks like user@example.org");
    }
    let ascii = text.is_ascii();
    if text.bytes().any(|octet| octet.is_ascii_control()) || (!ascii && text.chars().any(char::is_control)) {
        return Some("control characters cannot stand in an address; take them out");
    }
    if text.len() > MAX_PATH {
        return Some("longer than the 254 octets that SMTP allows");
    }
    let (_, rest) = match split_local_part(text) {
        Ok(parts) => parts,
        Err(why) => return Some(why),
    };
    match rest.strip_prefix('@') {
        None if rest.is_empty() && local_only => None,
        None if rest.is_empty() => Some("no domain; an address looks like user@example.org"),
        None => Some("only @ and a domain can follow a quoted local part"),
        Some(domain) => domain_fault(domain),
    }
}

/// The local part, and the rest from its `@` on.
fn split_local_part(text: &str) -> Result<(&str, &str), &'static str> {
    let end = if text.starts_with('"') {
        closing_quote(text).ok_or("the quoted local part does not end; close it with \"")? + 1
    } else {
        let end = text.find('@').unwrap_or(text.len());
        let local = text.get(..end).unwrap_or_default();
        if local.is_empty() {
            return Err("nothing before the @; an address looks like user@example.org");
        }
        if local.contains(is_special) {
            return Err(
                "a blank or one of ()<>[]:;,\\\" before the @; quote the local part, as in \"a b\"@example.org",
            );
        }
        end
    };
    text.split_at_checked(end).ok_or("no address")
}

/// Where the quoted-string that `text` begins with ends.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().skip(1).find_map(|(at, c)| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    })
}

fn domain_fault(domain: &str) -> Option<&'static str> {
    if let Some(literal) = domain.strip_prefix('[') {
        let good = literal.strip_suffix(']').is_some_and(|inner| {
            !inner.is_empty()
                && inner
                    .bytes()
                    .all(|c| c.is_ascii_graphic() && !matches!(c, b'[' | b']' | b'\\' | b'<' | b'>'))
        });
        return (!good).then_some("no address literal; write [192.0.2.1] or [IPv6:2001:db8::1]");
    }
    if domain.as_bytes().contains(&b'@') {
        return Some("more than one @; quote the local part, as in \"a@b\"@example.org");
    }
    if domain.contains(is_special) {
        return Some("a blank or one of ()<>[]:;,\\\" in the domain");
    }
    if domain.as_bytes().split(|octet| *octet == b'.').any(<[u8]>::is_empty) {
        return Some("the domain is empty, or has nothing before, between or after its dots");
    }
    None
}

/// What an unquoted part cannot hold (RFC 5322 section 3.2.3, but the dot); a blank of any script.
fn is_special(c: char) -> bool {
    // The most common first: each octet of each address is asked for.
    !c.is_ascii_alphanumeric()
        && (c.is_whitespace()
            || matches!(c, '(' | ')' | '<' | '>' | '[' | ']' | ':' | ';' | ',' | '\\' | '"'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good_paths() {
        for text in [
            "user@example.org",
            "a+b=c/d_e'f!#$%&*?^`{|}~@example.org",
            "docomo..user.@example.org",
            "\"a b\"@example.org",
            "\"<a>@\\\"\\\\,b\"@example.org",
            "\"\"@example.org",
            "user@[192.0.2.1]",
            "user@[IPv6:2001:db8::1]",
            "user@host_with_underscore",
            "zo\u{eb}@b\u{fc}cher.example",
        ] {
            assert_eq!(ForwardPath::new(text).unwrap().as_str(), text);
            assert_eq!(ReversePath::new(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn ascii_is_remembered() {
        assert!(ForwardPath::new("a@example.org").unwrap().is_ascii());
        assert!(!ForwardPath::new("a@b\u{fc}cher.example").unwrap().is_ascii());
        assert!(!ReversePath::new("\u{e9}@example.org").unwrap().is_ascii());
        assert!(ReversePath::default().is_ascii());
    }

    #[test]
    fn null_and_postmaster() {
        assert!(ReversePath::new("").unwrap().is_null());
        assert!(!ReversePath::new("a@b").unwrap().is_null());
        assert!(ForwardPath::new("").is_err());
        assert_eq!(ForwardPath::new("PostMaster").unwrap().as_str(), "PostMaster");
        assert!(ReversePath::new("postmaster").is_err());
        assert!(ForwardPath::new("root").is_err());
    }

    #[test]
    fn bad_paths() {
        for text in [
            "@",
            "a@",
            "@b",
            "a@b@c",
            "<a@b>",
            "a@b>",
            "a b@c",
            "a@b c",
            "a@b\r\nRSET",
            "a\n@b",
            "a\0@b",
            "a\t@b",
            "\"a\nb\"@c",
            "a\u{85}@b",
            "a@b> SIZE=1",
            "\"a\"b@c",
            "\"a@b",
            "\"a\\\"@b",
            "\"a\"",
            "a\"b@c",
            "a\\b@c",
            "a,b@c",
            "a@b,c@d",
            "@a,@b:c@d",
            "a@.b",
            "a@b.",
            "a@b..c",
            "a@[b",
            "a@[]",
            "a@[b]c",
            "a@[b>]",
            "a@b]",
            "a@[\u{e9}]",
            "a\u{a0}b@c",
            "a\u{2028}@b",
            "name (x)@b",
            "<>",
        ] {
            for error in [ReversePath::new(text).unwrap_err(), ForwardPath::new(text).unwrap_err()] {
                assert!(!error.text().contains(char::is_control), "{error:?}");
            }
        }
        let error = ForwardPath::new("a b@c").unwrap_err();
        assert!(error.text().starts_with("recipient \"a b@c\": a blank"), "{error}");
    }

    #[test]
    fn lengths() {
        let local = |octets: usize| format!("{}@example.org", "x".repeat(octets));
        assert!(ForwardPath::new(&local(65)).is_ok());
        assert!(ForwardPath::new(&local(254 - "@example.org".len())).is_ok());
        assert!(ForwardPath::new(&local(255 - "@example.org".len())).is_err());
        let path = |octets: usize| format!("a@{}", "b".repeat(octets - 2));
        assert!(ReversePath::new(&path(254)).is_ok());
        assert!(ReversePath::new(&path(255)).is_err());
        assert!(ReversePath::new(&path(100_000)).unwrap_err().text().len() < 300);
    }

    proptest! {
        /// Whatever is let through, the server reads one path and nothing after it.
        #[test]
        fn what_passes_stays_between_the_brackets(text in "[ab@.\"\\\\<> \r\n\t\0\\[\\]\u{e9}]{0,12}") {
            if let Ok(path) = ForwardPath::new(&text) {
                prop_assert!(!text.contains(char::is_control));
                let (mut quoted, mut escaped) = (false, false);
                for c in path.as_str().chars() {
                    match c {
                        _ if escaped => escaped = false,
                        '\\' => { prop_assert!(quoted); escaped = true; }
                        '"' => quoted = !quoted,
                        ' ' | '<' | '>' => prop_assert!(quoted),
                        _ => {}
                    }
                }
                prop_assert!(!quoted && !escaped);
            }
        }
    }
}
