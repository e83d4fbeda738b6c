//! What a report and a channel binding say of a certificate, which rustls does not look at.

use std::fmt::Write;

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::tls::der::{self, Element};

/// Issuer and subject: `CN=mx.example.org, O=Example`, for people to read, so what could deceive a terminal is escaped.
pub(super) fn names(certificate: &[u8]) -> [Option<String>; 2] {
    let Some(names) = der::issuer_and_subject(certificate) else { return [None, None] };
    names.map(|name| Some(text(name)))
}

/// Whether issuer and subject are the same.
pub(super) fn is_self_issued(certificate: &[u8]) -> bool {
    der::issuer_and_subject(certificate).is_some_and(|[issuer, subject]| issuer == subject)
}

/// RFC 5929 section 4.1: by the digest of the signature, but SHA-256 for what is weaker. `None` if the signature is not
/// by one digest alone.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    /// 1.2.840.113549.1.1: the signatures of PKCS#1.
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    /// 1.2.840.10045.4: those of ANSI X9.62.
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    let signature = der::signature_algorithm(certificate)?;
    let digest = match (signature.strip_prefix(RSA), signature.strip_prefix(ECDSA)) {
        (Some([4 | 5 | 11]), _) | (_, Some([1] | [3, 2])) => Sha256::digest(certificate).to_vec(),
        (Some([12]), _) | (_, Some([3, 3])) => Sha384::digest(certificate).to_vec(),
        (Some([13]), _) | (_, Some([3, 4])) => Sha512::digest(certificate).to_vec(),
        (Some([14]), _) | (_, Some([3, 1])) => Sha224::digest(certificate).to_vec(),
        _ => return None,
    };
    Some(digest)
}

/// A Name (RFC 5280 section 4.1.2.4) in words.
fn text(name: &[u8]) -> String {
    let mut parts = Vec::new();
    for set in der::elements(name) {
        for attribute in der::elements(set.content) {
            let mut inside = der::elements(attribute.content);
            if let (Some(kind), Some(value)) = (inside.next(), inside.next()) {
                parts.push(format!("{}={}", key(kind.content), value_of(&value).escape_debug()));
            }
        }
    }
    parts.join(", ")
}

fn value_of(value: &Element<'_>) -> String {
    let units = || value.content.as_chunks().0.iter().map(|&unit| u16::from_be_bytes(unit));
    match value.tag {
        // T61String, which everybody reads as Latin 1.
        0x14 => value.content.iter().map(|&octet| char::from(octet)).collect(),
        // BMPString.
        0x1e => char::decode_utf16(units()).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect(),
        _ => String::from_utf8_lossy(value.content).into_owned(),
    }
}

/// The short name of an attribute, or its number.
fn key(oid: &[u8]) -> String {
    let known = match oid {
        [0x55, 0x04, 3] => "CN",
        [0x55, 0x04, 4] => "SN",
        [0x55, 0x04, 5] => "serialNumber",
        [0x55, 0x04, 6] => "C",
        [0x55, 0x04, 7] => "L",
        [0x55, 0x04, 8] => "ST",
        [0x55, 0x04, 9] => "street",
        [0x55, 0x04, 10] => "O",
        [0x55, 0x04, 11] => "OU",
        [0x55, 0x04, 12] => "title",
        [0x55, 0x04, 42] => "GN",
        // 1.2.840.113549.1.9.1
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
        // 0.9.2342.19200300.100.1
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        _ => return dotted(oid),
    };
    known.to_owned()
}

/// `1.2.840.113549` (X.690 section 8.19).
fn dotted(oid: &[u8]) -> String {
    let mut text = String::new();
    let mut number = 0_u64;
    for octet in oid {
        number = number.saturating_mul(128).saturating_add(u64::from(octet & 0x7f));
        if octet & 0x80 != 0 {
            continue;
        }
        // A String takes everything.
        let _ = if text.is_empty() {
            let first = (number / 40).min(2);
            write!(text, "{first}.{}", number.saturating_sub(first * 40))
        } else {
            write!(text, ".{number}")
        };
        number = 0;
    }
    text
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::tls::tests::pki::{self, Spec, TRUSTED};
    use ::openssl::hash::MessageDigest;
    use ::openssl::nid::Nid;
    use ::openssl::pkey::PKey;
    use ::openssl::rsa::Rsa;
    use proptest::prelude::*;

    #[test]
    fn names_are_read_as_openssl_reads_them() {
        let name = [
            (Nid::COUNTRYNAME, "DE"),
            (Nid::STATEORPROVINCENAME, "Berlin"),
            (Nid::ORGANIZATIONNAME, "B\u{fc}cher, \u{1b}[2J\u{202e}"),
            (Nid::COMMONNAME, "mx.example.org"),
            (Nid::PKCS9_EMAILADDRESS, "a@example.org"),
            (Nid::DOMAINCOMPONENT, "example"),
            (Nid::NAME, "x"),
        ];
        let name = name.map(|(nid, text)| (nid, text.to_owned())).to_vec();
        let issued = Spec { name, ..Spec::server() }.issue(Some(&TRUSTED));
        let [issuer, subject] = names(&issued.cert.to_der().unwrap());
        assert_eq!(issuer.as_deref(), Some("CN=Test Root"));
        assert_eq!(
            subject.as_deref(),
            Some(
                "C=DE, ST=Berlin, O=B\u{fc}cher, \\u{1b}[2J\\u{202e}, CN=mx.example.org, emailAddress=a@example.org, \
                 DC=example, 2.5.4.41=x"
            )
        );
    }

    #[test]
    fn values_of_old_encodings_are_read() {
        let value = |tag, content| value_of(&Element { tag, whole: &[], content, rest: &[] });
        assert_eq!(value(0x14, b"B\xfccher"), "B\u{fc}cher");
        assert_eq!(value(0x1e, b"\0B\0\xfc"), "B\u{fc}");
        assert_eq!(value(0x0c, b"B\xc3\xbc\xff"), "B\u{fc}\u{fffd}");
    }

    #[test]
    fn the_digest_of_the_signature_is_that_of_the_binding() {
        for (signed, wanted) in [
            (MessageDigest::sha1(), MessageDigest::sha256()),
            (MessageDigest::sha224(), MessageDigest::sha224()),
            (MessageDigest::sha256(), MessageDigest::sha256()),
            (MessageDigest::sha384(), MessageDigest::sha384()),
            (MessageDigest::sha512(), MessageDigest::sha512()),
        ] {
            for rsa in [false, true] {
                let key =
                    if rsa { PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap() } else { pki::key() };
                let issued = Spec { key, digest: signed, ..Spec::server() }.issue(None);
                let der = issued.cert.to_der().unwrap();
                let digest = issued.cert.digest(wanted).unwrap().to_vec();
                assert_eq!(end_point(&der), Some(digest), "{:?} {rsa}", wanted.type_());
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(input in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (names(&input), end_point(&input), is_self_issued(&input), text(&input), dotted(&input));
        }
    }
}
