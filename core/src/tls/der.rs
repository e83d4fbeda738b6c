//! Just enough DER to find the public key in a certificate, as the bytes that stand there: a re-encoding
//! could differ, and then its digest would; whether a certificate is for a domain name, who issued it, and when it expires.

use jiff::civil::DateTime;

const SEQUENCE: u8 = 0x30;
const EXPLICIT_0: u8 = 0xa0;
#[cfg(feature = "tls-native")]
const EXPLICIT_3: u8 = 0xa3;
#[cfg(feature = "tls-native")]
const BOOLEAN: u8 = 0x01;
/// `[2] IA5String` of GeneralName.
#[cfg(feature = "tls-native")]
const DNS_NAME: u8 = 0x82;
/// 2.5.29.17, tag and length included.
#[cfg(feature = "tls-native")]
const SUBJECT_ALT_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x11];

/// The SubjectPublicKeyInfo of a certificate (RFC 5280 section 4.1), tag and length included.
pub(super) fn public_key(certificate: &[u8]) -> Option<&[u8]> {
    let key = key_and_rest(certificate)?;
    (key.tag == SEQUENCE).then_some(key.whole)
}

/// When a certificate expires, as an RFC 3339 date-time (RFC 5280 section 4.1.2.5). `None` for a time that there is not.
pub(super) fn expiry(certificate: &[u8]) -> Option<String> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    let mut rest = after_version(certificate)?;
    // serialNumber, signature, issuer
    for _ in 0..3 {
        rest = element(rest)?.rest;
    }
    let (validity, _) = sequence(rest)?;
    let not_after = element(element(validity)?.rest)?;
    let digits = not_after.content.strip_suffix(b"Z").filter(|text| text.iter().all(u8::is_ascii_digit))?;
    let digits = std::str::from_utf8(digits).ok()?;
    let (year, rest) = match not_after.tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let pairs: Vec<i8> = rest.as_bytes().chunks(2).map(two_digits).collect::<Option<_>>()?;
    let &[month, day, hour, minute, second] = pairs.as_slice() else { return None };
    let time = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(format!("{time}Z"))
}

fn two_digits(pair: &[u8]) -> Option<i8> {
    let &[tens, ones] = pair else { return None };
    i8::try_from((tens - b'0') * 10 + (ones - b'0')).ok()
}

/// The names of issuer and subject, without tag and length.
#[cfg(feature = "tls-rustls")]
pub(super) fn issuer_and_subject(certificate: &[u8]) -> Option<[&[u8]; 2]> {
    // serialNumber, signature
    let rest = element(element(after_version(certificate)?)?.rest)?.rest;
    let (issuer, rest) = sequence(rest)?;
    let (subject, _) = sequence(element(rest)?.rest)?; // validity
    Some([issuer, subject])
}

/// The object identifier of the algorithm that the certificate is signed with, without tag and length.
#[cfg(feature = "tls-rustls")]
pub(super) fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    const OBJECT_IDENTIFIER: u8 = 0x06;
    let (certificate, _) = sequence(certificate)?;
    let (algorithm, _) = sequence(element(certificate)?.rest)?;
    let kind = element(algorithm)?;
    (kind.tag == OBJECT_IDENTIFIER).then_some(kind.content)
}

/// One after the other, up to the first octets that are not an element.
#[cfg(feature = "tls-rustls")]
pub(super) fn elements(mut input: &[u8]) -> impl Iterator<Item = Element<'_>> {
    std::iter::from_fn(move || {
        let next = element(input)?;
        input = next.rest;
        Some(next)
    })
}

/// Whether the subjectAltName of a certificate has a dNSName in it (RFC 5280 section 4.2.1.6).
#[cfg(feature = "tls-native")]
pub(super) fn has_dns_name(certificate: &[u8]) -> bool {
    alternative_names(certificate).is_some_and(|mut names| {
        while let Some(name) = element(names) {
            if name.tag == DNS_NAME {
                return true;
            }
            names = name.rest;
        }
        false
    })
}

#[cfg(feature = "tls-native")]
fn alternative_names(certificate: &[u8]) -> Option<&[u8]> {
    let mut rest = key_and_rest(certificate)?.rest;
    // issuerUniqueID and subjectUniqueID may stand before the extensions.
    let extensions = loop {
        let next = element(rest)?;
        if next.tag == EXPLICIT_3 {
            break next.content;
        }
        rest = next.rest;
    };
    let (mut extensions, _) = sequence(extensions)?;
    loop {
        let (extension, others) = sequence(extensions)?;
        let kind = element(extension)?;
        if kind.whole == SUBJECT_ALT_NAME {
            let mut value = element(kind.rest)?;
            if value.tag == BOOLEAN {
                value = element(value.rest)?; // critical
            }
            return sequence(value.content).map(|(names, _)| names);
        }
        extensions = others;
    }
}

fn key_and_rest(certificate: &[u8]) -> Option<Element<'_>> {
    let mut rest = after_version(certificate)?;
    // serialNumber, signature, issuer, validity, subject
    for _ in 0..5 {
        rest = element(rest)?.rest;
    }
    element(rest)
}

fn after_version(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = sequence(certificate)?;
    let (rest, _) = sequence(certificate)?;
    if rest.first() == Some(&EXPLICIT_0) { element(rest).map(|version| version.rest) } else { Some(rest) }
}

pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) whole: &'a [u8],
    pub(super) content: &'a [u8],
    pub(super) rest: &'a [u8],
}

fn sequence(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let element = element(input)?;
    (element.tag == SEQUENCE).then_some((element.content, element.rest))
}

fn element(input: &[u8]) -> Option<Element<'_>> {
    let (&tag, after_tag) = input.split_first()?;
    let (&first, mut body) = after_tag.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let (octets, after) = body.split_at_checked(usize::from(first & 0x7f))?;
        if octets.is_empty() || octets.len() > 4 {
            return None;
        }
        length = octets.iter().try_fold(0usize, |n, &o| n.checked_mul(256)?.checked_add(usize::from(o)))?;
        body = after;
    }
    let (content, rest) = body.split_at_checked(length)?;
    let whole = input.get(..input.len().checked_sub(rest.len())?)?;
    Some(Element { tag, whole, content, rest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_key_is_found_with_and_without_a_version() {
        let key = [0x30, 0x01, 0x05];
        let fields =
            [[0x02, 0x01, 0x07], [0x30, 0x01, 0], [0x30, 0x01, 1], [0x30, 0x01, 2], [0x30, 0x01, 3], key]
                .concat();
        for version in [&[][..], &[0xa0, 0x03, 0x02, 0x01, 0x02]] {
            let body = [version, &fields, &[0xa3, 0x00]].concat();
            let inner = [&[0x30, 0x81, u8::try_from(body.len()).unwrap()], &body[..]].concat();
            let outer =
                [&[0x30, 0x82, 0x00, u8::try_from(inner.len()).unwrap()], &inner[..], b"trailing"].concat();
            assert_eq!(public_key(&outer), Some(&key[..]));
            for cut in 0..outer.len() - b"trailing".len() {
                assert_eq!(public_key(&outer[..cut]), None);
            }
        }
    }

    #[test]
    fn expiries() {
        let told = |tag: u8, text: &[u8]| {
            let of = |tag: u8, content: &[u8]| {
                [&[tag, u8::try_from(content.len()).unwrap()][..], content].concat()
            };
            let validity = [of(0x17, b"260101000000Z"), of(tag, text)].concat();
            let fields = [of(0x02, &[7]), of(0x30, &[]), of(0x30, &[]), of(0x30, &validity)].concat();
            expiry(&of(0x30, &of(0x30, &fields)))
        };
        for (tag, text, wanted) in [
            (0x17, &b"261201080000Z"[..], Some("2026-12-01T08:00:00Z")),
            (0x17, b"491231235959Z", Some("2049-12-31T23:59:59Z")),
            (0x17, b"500101000000Z", Some("1950-01-01T00:00:00Z")),
            (0x18, b"20500101000000Z", Some("2050-01-01T00:00:00Z")),
            // RFC 5280 section 4.1.2.5: a certificate without a well-defined end.
            (0x18, b"99991231235959Z", Some("9999-12-31T23:59:59Z")),
            (0x17, b"261301080000Z", None),
            (0x17, b"2612010800Z", None),
            (0x17, b"261201080000+0100", None),
            (0x17, b"2612010800000Z", None),
            (0x17, b"26120108000\xc3Z", None),
            (0x17, b"Z", None),
            (0x18, b"261201080000Z", None),
            (0x0c, b"261201080000Z", None),
        ] {
            assert_eq!(told(tag, text).as_deref(), wanted, "{tag} {}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(input in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = public_key(&input);
            let _ = expiry(&input);
            #[cfg(feature = "tls-native")]
            let _ = has_dns_name(&input);
        }
    }
}
