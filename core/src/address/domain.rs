//! What a domain or a domain literal must be before it may follow the `@`.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// The domain in A-labels (RFC 5890), or `None` if UTS #46 has none for it.
pub(super) fn to_a_labels(domain: &str) -> Option<Cow<'_, str>> {
    if domain.is_ascii() {
        return Some(domain.into());
    }
    // STD3: a full-width `@` or comma must not turn into a plain one.
    let (deny, hyphens) = (AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    Uts46::new().to_ascii(domain.as_bytes(), deny, hyphens, DnsLength::Verify).ok()
}

/// The domain in U-labels, mapped as UTS #46 says (dots, case, width), as RFC 6531 wants it on the
/// wire; an ASCII domain as it is. `None` if it has no A-labels.
pub(super) fn to_u_labels(domain: String) -> Option<String> {
    if domain.is_ascii() {
        return Some(domain);
    }
    to_a_labels(&domain)?;
    let (deny, hyphens) = (AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    let (mapped, outcome) = Uts46::new().to_unicode(domain.as_bytes(), deny, hyphens);
    outcome.ok()?;
    Some(mapped.into_owned())
}

/// Checks what stands between the brackets (RFC 5321 section 4.1.3); says what is wrong with it.
pub(super) fn check_literal(content: &str) -> Result<(), &'static str> {
    let Some((tag, rest)) = content.split_once(':') else {
        return match content.parse::<Ipv4Addr>() {
            Ok(_) => Ok(()),
            Err(_) => {
                Err("the domain literal is not an IPv4 address; others need a tag, as in [IPv6:2001:db8::1]")
            }
        };
    };
    if tag.eq_ignore_ascii_case("IPv6") {
        return match rest.parse::<Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err("the domain literal is not an IPv6 address"),
        };
    }
    if content.parse::<Ipv6Addr>().is_ok() {
        return Err("an IPv6 address needs its tag, as in [IPv6:2001:db8::1]");
    }
    let is_ldh = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if tag.is_empty() || tag.ends_with('-') || !tag.bytes().all(is_ldh) {
        return Err("the tag of a domain literal is made of letters, digits and hyphens, the last no hyphen");
    }
    if rest.is_empty() {
        return Err("nothing follows the tag of the domain literal");
    }
    Ok(())
}
