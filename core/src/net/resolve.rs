//! From what a caller calls a host to its addresses.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::limits::PhaseLimits;
use super::poll::wait;
use super::work::{Work, WorkStatus};
use crate::error::{Error, Kind, Step};

/// getaddrinfo(3) may load modules of the system's, whose needs nobody knows.
const STACK: usize = 2 * 1024 * 1024;

/// RFC 1035 section 2.3.4, in the textual form.
const LONGEST_NAME: usize = 253;

/// A host that was checked: an address, or a name in ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Ip(IpAddr),
    Name(String),
}

impl Host {
    /// Takes an IP literal with or without brackets, a domain name with or without its final dot, and
    /// U-labels, which become A-labels (RFC 5891).
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        if let Some(bad) = text.chars().find(|c| c.is_control() || c.is_whitespace()) {
            return Err(Error::usage(format!(
                "host {text:?} contains {bad:?}: give a host name or an IP address"
            )));
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = bare.parse() {
            return Ok(Self::Ip(ip));
        }
        // A zone (RFC 4007 section 11) is a name or a number that only the system's resolver knows.
        if let Some((address, zone)) = bare.split_once('%')
            && address.parse::<Ipv6Addr>().is_ok()
            && !zone.is_empty()
            && zone.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        {
            return Ok(Self::Name(bare.to_owned()));
        }
        if let Some(bad) = text.chars().find(|c| "/@\\[]:%?#;,".contains(*c)) {
            return Err(Error::usage(format!(
                "host {text:?} contains {bad:?}: give a host name or an IP address alone, without scheme and port"
            )));
        }
        let name = if text.is_ascii() {
            text.to_owned()
        } else {
            idna::domain_to_ascii(text).map_err(|_| {
                Error::usage(format!("host {text:?} is not a valid internationalized domain name"))
            })?
        };
        // Some characters stand for one of those that are not allowed, as U+2100 for "a/c".
        if let Some(bad) = name.chars().find(|c| !c.is_ascii_graphic() || "/@\\[]:%?#;,".contains(*c)) {
            return Err(Error::usage(format!(
                "host {text:?} stands for {name:?}, which contains {bad:?}: give a host name or an IP address"
            )));
        }
        if name.contains("..") {
            return Err(Error::usage(format!(
                "host {text:?} has nothing between two dots: give a host name or an IP address"
            )));
        }
        if name.is_empty() || name.starts_with('.') {
            return Err(Error::usage(format!("host {text:?} is empty: give a host name or an IP address")));
        }
        if name.strip_suffix('.').unwrap_or(&name).len() > LONGEST_NAME {
            return Err(Error::usage(format!(
                "host {text:?} is longer than the {LONGEST_NAME} octets of a domain name"
            )));
        }
        // RFC 6761 section 6.3: the same host, but resolvers do not find it in their tables.
        if name.eq_ignore_ascii_case("localhost.") {
            return Ok(Self::Name("localhost".to_owned()));
        }
        Ok(Self::Name(name))
    }
}

/// The form of a URL: an IPv6 address stands in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) if name.contains(':') => write!(f, "[{name}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The addresses of a host, in the resolver's order; never an empty list.
///
/// getaddrinfo cannot be interrupted. It runs in a thread, which is left behind when `phase` is over and ends by itself
/// when the resolver gives up.
pub(super) fn resolve(host: &Host, port: u16, phase: &PhaseLimits<'_>) -> Result<Vec<SocketAddr>, Error> {
    phase.limits().check(Step::Connect)?;
    let name = match host {
        Host::Ip(ip) => return Ok(vec![SocketAddr::new(*ip, port)]),
        Host::Name(name) => name,
    };
    let owned = name.clone();
    let found = interruptible(phase, name, move || look_up(&owned, port))?;
    let failed = |what: &dyn fmt::Display| {
        Err(Error::new(Kind::Resolve, Step::Connect, format!("no address found for {name}: {what}")))
    };
    match found {
        Ok(addresses) if addresses.is_empty() => failed(&"the resolver's answer is empty"),
        Ok(addresses) => Ok(addresses),
        Err(error) => failed(&error),
    }
}

fn look_up(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    (name, port).to_socket_addrs().map(Iterator::collect)
}

/// Runs `work` in a thread and waits for it as long as `phase` lasts.
fn interruptible<T: Send + 'static>(
    phase: &PhaseLimits<'_>,
    name: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<io::Result<T>, Error> {
    let work = match Work::begin("smtp-resolve", STACK, work) {
        Ok(work) => work,
        Err(error) => return Ok(Err(error)),
    };
    loop {
        if let Err(error) = wait(work.fd(), true, false, phase.slice(Duration::MAX)) {
            return Ok(Err(error));
        }
        match work.poll() {
            WorkStatus::Done(result) => return Ok(result),
            WorkStatus::Died => return Ok(Err(io::Error::other("the resolver's thread died"))),
            WorkStatus::Going if phase.is_over()? => {
                let text = format!(
                    "no connection within {:?}: the resolver has no answer for {name}",
                    phase.length()
                );
                return Err(Error::new(Kind::Timeout, Step::Connect, text));
            }
            WorkStatus::Going => {}
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
