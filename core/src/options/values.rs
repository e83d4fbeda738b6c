//! The forms that the values of options may have.

use std::net::IpAddr;
use std::time::Duration;

use super::TlsAnswer;
use crate::command::ForwardPath;
use crate::error::Error;
use crate::sasl::check_mechanisms;
use crate::tls::{Fingerprint, TlsVersion};

/// More than this is a mistake in the unit: a year.
const MOST_SECONDS: f64 = 366.0 * 24.0 * 3600.0;

pub(super) fn text(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

pub(super) fn domain(value: &str) -> Result<String, Error> {
    match ForwardPath::new(&format!("x@{value}")) {
        Ok(_) => Ok(value.to_owned()),
        Err(_) => Err(Error::usage(format!("{value:?} must be a domain, as in example.org"))),
    }
}

pub(super) fn list(value: &str) -> Vec<String> {
    value
        .split(|c: char| c == ',' || c.is_ascii_whitespace())
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

pub(super) fn mechanisms(value: &str) -> Result<Vec<String>, Error> {
    let names = list(&value.to_ascii_uppercase());
    check_mechanisms(&names)?;
    Ok(names)
}

pub(super) fn fingerprints(value: &str) -> Result<Vec<String>, Error> {
    let all = list(value);
    all.iter().try_for_each(|one| Fingerprint::parse(one).map(drop))?;
    Ok(all)
}

pub(super) fn integers(value: &str) -> Result<Vec<u16>, Error> {
    list(value)
        .iter()
        .map(|item| match item.parse() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(Error::usage(format!("{item:?} is no port: give a number from 1 to 65535"))),
        })
        .collect()
}

pub(super) fn count<T: TryFrom<u64>>(value: &str) -> Result<T, Error> {
    let number = value.parse().ok().filter(|number: &u64| *number > 0);
    let fits = number.and_then(|number| T::try_from(number).ok());
    fits.ok_or_else(|| Error::usage(format!("{value:?} is no whole number above 0")))
}

pub(super) fn number(value: &str) -> Result<u32, Error> {
    value.parse().map_err(|_| Error::usage(format!("{value:?} is no whole number from 0 on")))
}

pub(super) fn rate(value: &str) -> Result<f64, Error> {
    match value.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err(Error::usage(format!("{value:?} is no number of messages a second above 0"))),
    }
}

pub(super) fn boolean(value: &str) -> Result<bool, Error> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(Error::usage(format!("{value:?} is neither true nor false: give 1 or 0"))),
    }
}

pub(super) fn seconds(value: &str) -> Result<Duration, Error> {
    match value.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= MOST_SECONDS => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(Error::usage(format!("{value:?} is no number of seconds above 0"))),
    }
}

pub(super) fn ip_address(value: &str) -> Result<IpAddr, Error> {
    value.parse().map_err(|_| Error::usage(format!("{value:?} is no IP address")))
}

pub(super) fn header_field(value: &str) -> Result<(String, String), Error> {
    let Some((name, body)) = value.split_once(':') else {
        return Err(Error::usage(format!("{value:?} is no header field: give `Name: value`")));
    };
    Ok((name.trim_end().to_owned(), body.trim().to_owned()))
}

pub(super) fn tls_answer(value: &str) -> Result<TlsAnswer, Error> {
    match value {
        "secure" => Ok(TlsAnswer::Secure),
        "insecure" => Ok(TlsAnswer::Insecure),
        _ => Err(Error::usage(format!("{value:?} is neither `secure` nor `insecure`"))),
    }
}

pub(super) fn tls_version(value: &str) -> Result<TlsVersion, Error> {
    match value {
        "1.0" => Ok(TlsVersion::Tls10),
        "1.1" => Ok(TlsVersion::Tls11),
        "1.2" => Ok(TlsVersion::Tls12),
        "1.3" => Ok(TlsVersion::Tls13),
        _ => Err(Error::usage(format!("{value:?} is none of 1.0, 1.1, 1.2, 1.3"))),
    }
}
