//! The name that a certificate must be for.

use std::net::{IpAddr, Ipv6Addr};

use idna::AsciiDenyList;

use crate::error::Error;

/// A normalised host name: A-labels without a trailing dot, or an IP address without brackets and zone.
/// It holds no NUL, on which the TLS libraries would panic or be deceived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host(String);

impl Host {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        parse(text).map(Self).ok_or_else(|| {
            Error::usage(format!(
                "{text:?} is not a name that a certificate can be for: give a domain name or an IP address"
            ))
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn parse(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    // No certificate knows of a zone (RFC 4007).
    if let Some(address) = bare.split('%').next().and_then(|t| t.parse::<Ipv6Addr>().ok()) {
        return Some(address.to_string());
    }
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    let name = idna::domain_to_ascii_cow(text.as_bytes(), AsciiDenyList::URL).ok()?;
    let name = name.strip_suffix('.').unwrap_or(&name);
    // RFC 1035 section 2.3.4.
    let fits = name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()));
    fits.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised() {
        for (given, wanted) in [
            ("mx.example.org", "mx.example.org"),
            ("MX.Example.ORG.", "mx.example.org"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("bücher。example。", "xn--bcher-kva.example"),
            ("my_host", "my_host"),
            ("127.0.0.1", "127.0.0.1"),
            ("[127.0.0.1]", "127.0.0.1"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("[0:0:0:0:0:0:0:1]", "::1"),
            ("fe80::1%eth0", "fe80::1"),
        ] {
            assert_eq!(Host::parse(given).map(|h| h.0).ok().as_deref(), Some(wanted), "{given}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("{}.example", "a".repeat(64));
        let longer = "abcdefgh.".repeat(40);
        for given in [
            "",
            ".",
            "a..b",
            "a\0b",
            "mx.example.org\0.evil",
            "a b",
            "a/b",
            "[a",
            "a:25",
            "*@x",
            &long,
            &longer,
            "\r\n",
        ] {
            assert!(Host::parse(given).is_err(), "{given:?}");
        }
    }
}
