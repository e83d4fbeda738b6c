//! The forms that the values of options may have.

use std::net::IpAddr;
use std::time::Duration;

use super::proxy::ProxyUrl;
use super::{Chunking, Family, Order, Pipelining, TlsAnswer, Trust};
use crate::command::ForwardPath;
use crate::error::Error;
use crate::extensions::is_keyword;
use crate::secret::Secret;
use crate::tls::{Fingerprint, TlsVersion};

/// More than this is a mistake in the unit: a year.
const MOST_SECONDS: f64 = 366.0 * 24.0 * 3600.0;

pub(super) const FAMILIES: [(&str, Family); 3] =
    [("any", Family::Any), ("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)];

pub(super) const ORDERS: [(&str, Order); 3] =
    [("given", Order::Given), ("random", Order::Random), ("turn", Order::Turn)];

pub(super) const PIPELINING: [(&str, Pipelining); 4] = [
    ("off", Pipelining::Off),
    ("rfc", Pipelining::Rfc),
    ("crossing", Pipelining::Crossing),
    ("full", Pipelining::Full),
];

pub(super) const CHUNKING: [(&str, Chunking); 3] =
    [("off", Chunking::Off), ("auto", Chunking::Auto), ("on", Chunking::On)];

pub(super) const POLICIES: [(&str, TlsAnswer); 2] =
    [("secure", TlsAnswer::Secure), ("insecure", TlsAnswer::Insecure)];

pub(super) const TRUST: [(&str, Trust); 3] =
    [("system", Trust::System), ("given", Trust::Given), ("both", Trust::Both)];

pub(super) const TLS_VERSIONS: [(&str, TlsVersion); 4] = [
    ("1.0", TlsVersion::Tls10),
    ("1.1", TlsVersion::Tls11),
    ("1.2", TlsVersion::Tls12),
    ("1.3", TlsVersion::Tls13),
];

/// The words of a list of words and values.
pub(super) const fn words<T: Copy, const N: usize>(list: [(&'static str, T); N]) -> [&'static str; N] {
    let mut words = [""; N];
    let mut at = 0;
    while at < N {
        words[at] = list[at].0;
        at += 1;
    }
    words
}

pub(super) fn word<T: Copy>(value: &str, list: &[(&str, T)]) -> Result<T, Error> {
    let found = list.iter().find(|(word, _)| *word == value);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = list.iter().map(|(word, _)| format!("`{word}`")).collect();
        Error::usage(format!("{value:?} must be one of {}", words.join(", ")))
    })
}

#[expect(clippy::unnecessary_wraps, reason = "as the other forms")]
pub(super) fn text(value: &str) -> Result<String, Error> {
    Ok(value.to_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "as the other forms")]
pub(super) fn secret(value: &[u8]) -> Result<Secret, Error> {
    Ok(Secret::new(value))
}

#[expect(clippy::unnecessary_wraps, reason = "as the other forms")]
pub(super) fn certificates(value: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(value.to_vec())
}

pub(super) fn proxy(value: &[u8]) -> Result<Secret, Error> {
    ProxyUrl::parse(&String::from_utf8_lossy(value))?;
    Ok(Secret::new(value))
}

pub(super) fn domain(value: &str) -> Result<String, Error> {
    match ForwardPath::new(&format!("x@{value}")) {
        Ok(_) => Ok(value.to_owned()),
        Err(_) => Err(Error::usage(format!("{value:?} must be a domain, as in example.org"))),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as the other forms")]
pub(super) fn servers(value: &str) -> Result<Vec<String>, Error> {
    Ok(list(value))
}

pub(super) fn list(value: &str) -> Vec<String> {
    value
        .split(|c: char| c == ',' || c.is_ascii_whitespace())
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Which of them there are is known when the caller's own are: [`check`](crate::sasl::check_mechanisms).
#[expect(clippy::unnecessary_wraps, reason = "as the other forms")]
pub(super) fn mechanisms(value: &str) -> Result<Vec<String>, Error> {
    Ok(list(&value.to_ascii_uppercase()))
}

pub(super) fn keywords(value: &str) -> Result<Vec<String>, Error> {
    let all = list(&value.to_ascii_uppercase());
    check_keywords(&all)?;
    Ok(all)
}

/// Finds what cannot be a keyword of EHLO.
pub(crate) fn check_keywords(keywords: &[String]) -> Result<(), Error> {
    match keywords.iter().find(|word| !is_keyword(word)) {
        Some(word) => Err(Error::usage(format!("{word:?} must be a keyword of EHLO, as in PIPELINING"))),
        None => Ok(()),
    }
}

pub(super) fn fingerprints(value: &str) -> Result<Vec<String>, Error> {
    let all = list(value);
    all.iter().try_for_each(|one| Fingerprint::parse(one).map(drop))?;
    Ok(all)
}

pub(super) fn ports(value: &str) -> Result<Vec<u16>, Error> {
    list(value)
        .iter()
        .map(|item| match item.parse() {
            Ok(port) => Ok(port),
            Err(_) => Err(Error::usage(format!("{item:?} must be a port, 1 to 65535, or 0 for the default"))),
        })
        .collect()
}

pub(super) fn count<T: TryFrom<u64>>(value: &str) -> Result<T, Error> {
    let number = value.parse().ok().filter(|number: &u64| *number > 0);
    let fits = number.and_then(|number| T::try_from(number).ok());
    fits.ok_or_else(|| Error::usage(format!("{value:?} must be a whole number above 0")))
}

pub(super) fn number(value: &str) -> Result<u32, Error> {
    value.parse().map_err(|_| Error::usage(format!("{value:?} must be a whole number, 0 or more")))
}

pub(super) fn rate(value: &str) -> Result<f64, Error> {
    match value.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err(Error::usage(format!("{value:?} must be a positive number of messages a second"))),
    }
}

pub(super) fn boolean(value: &str) -> Result<bool, Error> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(Error::usage(format!("{value:?} must be true or false: give 1 or 0"))),
    }
}

pub(super) fn seconds(value: &str) -> Result<Duration, Error> {
    match value.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= MOST_SECONDS => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(Error::usage(format!("{value:?} must be a positive number of seconds, at most a year"))),
    }
}

pub(super) fn ip_address(value: &str) -> Result<IpAddr, Error> {
    value.parse().map_err(|_| Error::usage(format!("{value:?} must be an IP address")))
}

pub(super) fn header_field(value: &str) -> Result<(String, String), Error> {
    let Some((name, body)) = value.split_once(':') else {
        return Err(Error::usage(format!("{value:?} must be a header field, `Name: value`")));
    };
    Ok((name.trim_end().to_owned(), body.trim().to_owned()))
}
