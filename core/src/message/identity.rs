//! Dates and message-ids.

use crate::error::{Error, Kind, Step};

/// `now` as a `Date` field has it (RFC 5322 3.3), with the offset of its time zone:
/// `Sat, 13 Jul 2024 15:09:59 -0400`. Where the zone is unknown, in UTC with `-0000`, which says so. A year before 0,
/// which the syntax lacks, gives 1970.
pub fn date(now: &jiff::Zoned) -> String {
    let text = if now.time_zone().is_unknown() {
        let mut text = String::new();
        let printed = jiff::fmt::rfc2822::DateTimePrinter::new().print_timestamp(&now.timestamp(), &mut text);
        printed.map(|()| text)
    } else {
        jiff::fmt::rfc2822::to_string(now)
    };
    text.unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:00 -0000".to_owned())
}

/// A new message-id (RFC 5322 3.6.4) with its angle brackets. Its left side is 128 random bits from the
/// system, without any state of this process: unique across threads, forks and machines. `domain` is
/// that of the originator: a dot-atom (A-labels) or a domain literal.
///
/// # Errors
/// [`Kind::Usage`] if `domain` is neither; [`Kind::Source`] if the system gives no random bits.
pub fn message_id(domain: &str) -> Result<String, Error> {
    let literal = domain.strip_prefix('[').and_then(|d| d.strip_suffix(']'));
    let good = match literal {
        Some(inner) => inner.bytes().all(|b| b.is_ascii_graphic() && !b"[]\\<>".contains(&b)),
        None => domain.as_bytes().split(|b| *b == b'.').all(|label| {
            let good = |b: u8| {
                b.is_ascii_graphic()
                    && !matches!(
                        b,
                        b'(' | b')' | b'<' | b'>' | b'[' | b']' | b':' | b';' | b'@' | b'\\' | b',' | b'"'
                    )
            };
            !label.is_empty() && label.iter().copied().all(good)
        }),
    };
    // Long enough for every domain (RFC 5321 4.5.3.1.2), and the line stays below 998.
    if !good || domain.len() > 255 {
        return Err(Error::usage(format!("{domain:?} is not a domain for a message-id: give one in ASCII")));
    }
    Ok(["<", &random_hex()?, "@", domain, ">"].concat())
}

/// 128 random bits as 32 digits.
pub(crate) fn random_hex() -> Result<String, Error> {
    let mut bits = [0_u8; 16];
    getrandom::fill(&mut bits).map_err(|e| {
        Error::new(Kind::Source, Step::Setup, format!("the system gives no random bits: {e}"))
    })?;
    let digit = |bits: u8| char::from_digit(u32::from(bits), 16).unwrap_or_default();
    let mut hex = String::with_capacity(2 * bits.len());
    hex.extend(bits.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]));
    Ok(hex)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn dates_have_the_local_offset() {
        let now: jiff::Zoned = jiff::civil::date(2024, 7, 3)
            .at(5, 9, 59, 900_000_000)
            .to_zoned(jiff::tz::Offset::from_seconds(-12_600).unwrap().to_time_zone())
            .unwrap();
        assert_eq!(date(&now), "Wed, 3 Jul 2024 05:09:59 -0330");
        let now: jiff::Zoned =
            "2026-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().to_zoned(jiff::tz::TimeZone::UTC);
        assert_eq!(date(&now), "Thu, 1 Jan 2026 00:00:00 +0000");
        let unknown = now.timestamp().to_zoned(jiff::tz::TimeZone::unknown());
        assert_eq!(date(&unknown), "Thu, 1 Jan 2026 00:00:00 -0000");
    }

    #[test]
    fn message_ids_differ() {
        let ids: HashSet<String> = (0..1000).map(|_| message_id("x.org").unwrap()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 40 && id.starts_with('<') && id.ends_with("@x.org>")));
        assert!(message_id("[IPv6:::1]").is_ok());
        for bad in ["", "a..b", "a b", "a>b", "a@b", "gr\u{fc}n.org", "a\r\nb", "[a"] {
            assert!(message_id(bad).is_err(), "{bad:?}");
        }
    }
}
