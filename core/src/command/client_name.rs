use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{MAX_DOMAIN, quoted};
use crate::error::Error;

/// The name of EHLO, HELO and LHLO: a domain or an address literal (RFC 5321 section 4.1.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientName(String);

impl ClientName {
    /// A domain such as `host.example.org`, or an address literal such as `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    ///
    /// # Errors
    /// Usage, where `name` is neither: names beyond ASCII must be given as A-labels (`xn--`).
    pub fn parse(name: &str) -> Result<Self, Error> {
        let bad = |why: &str| Err(Error::usage(format!("client name {}: {why}", quoted(name))));
        if let Some(literal) = name.strip_prefix('[') {
            return match literal.strip_suffix(']').and_then(literal_address) {
                Some(address) => Ok(Self::literal(address)),
                None => bad("no address literal; write [192.0.2.1] or [IPv6:2001:db8::1]"),
            };
        }
        if name.parse::<IpAddr>().is_ok() {
            return bad("an address needs brackets: [192.0.2.1] or [IPv6:2001:db8::1]");
        }
        if !name.is_ascii() {
            return bad("not ASCII; give each label beyond ASCII in its xn-- form");
        }
        if name.len() > MAX_DOMAIN || !name.split('.').all(is_label) {
            return bad(
                "no domain; it takes letters, digits and hyphens between dots, as in host.example.org",
            );
        }
        Ok(Self(name.to_owned()))
    }

    /// The address literal of `address`, for a host that has no valid name.
    pub fn literal(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        })
    }

    /// The name as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn literal_address(literal: &str) -> Option<IpAddr> {
    match literal.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6:") => {
            address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        _ => literal.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_are_sent_as_given() {
        for name in [
            "localhost",
            "host.example.org",
            "4host.a-b.test",
            "xn--bcher-kva.example",
            "[192.0.2.1]",
            "[IPv6:2001:db8::1]",
        ] {
            assert_eq!(ClientName::parse(name).unwrap().as_str(), name);
        }
        assert_eq!(ClientName::parse("[ipv6:2001:DB8::1]").unwrap().as_str(), "[IPv6:2001:db8::1]");
    }

    #[test]
    fn bad_names_are_refused() {
        let long = format!("{}.test", "a".repeat(64));
        let longer = format!("{}test", "a.".repeat(127));
        for name in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-.b",
            "a_b",
            "a b",
            "a\r\nMAIL",
            "a\0",
            "b\u{fc}cher.example",
            "192.0.2.1",
            "2001:db8::1",
            "[192.0.2.1",
            "[192.0.2]",
            "[2001:db8::1]",
            "[IPv6:192.0.2.1]",
            "[]",
            "[IPv6:]",
            "[x:\u{e9}y]",
            "a]",
            &long,
            &longer,
        ] {
            let error = ClientName::parse(name).unwrap_err();
            assert!(error.text().starts_with("client name \""), "{error}");
            assert!(!error.text().contains(['\r', '\n', '\0']), "{error:?}");
        }
    }

    #[test]
    fn literals() {
        let literal = |text: &str| ClientName::literal(text.parse().unwrap()).to_string();
        assert_eq!(literal("192.0.2.1"), "[192.0.2.1]");
        assert_eq!(literal("::ffff:192.0.2.1"), "[192.0.2.1]");
        assert_eq!(literal("2001:db8::1"), "[IPv6:2001:db8::1]");
    }
}
