//! SOCKS5: RFC 1928, with the login of RFC 1929.

use std::net::IpAddr;

use zeroize::Zeroizing;

use super::super::resolve::Host;
use super::Login;
use super::tunnel::{ProxyStep, refused};
use crate::error::Error;

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const USER_PASSWORD: u8 = 2;
const NOTHING_FITS: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// One connection by SOCKS5.
pub(super) struct Socks {
    login: Option<Login>,
    request: Vec<u8>,
    expected: Expected,
}

enum Expected {
    /// The method of login that the proxy chooses.
    Choice,
    Login,
    Reply,
}

impl Socks {
    /// Gives what is said first, too.
    pub(super) fn begin(
        login: Option<&Login>,
        host: &Host,
        port: u16,
    ) -> Result<(Self, Zeroizing<Vec<u8>>), Error> {
        let socks = Self { login: login.cloned(), request: request(host, port)?, expected: Expected::Choice };
        let greeting: &[u8] = match login {
            None => &[VERSION, 1, NO_LOGIN],
            Some(_) => &[VERSION, 2, NO_LOGIN, USER_PASSWORD],
        };
        Ok((socks, Zeroizing::new(greeting.to_vec())))
    }

    pub(super) fn step(&mut self, input: &[u8]) -> Result<ProxyStep, Error> {
        // Some proxies end a refusal here, without the address.
        let Some(&[first, second]) = input.first_chunk() else { return Ok(ProxyStep::More) };
        match self.expected {
            Expected::Choice => match (first, second, &self.login) {
                (VERSION, NO_LOGIN, _) => Ok(self.ask()),
                (VERSION, USER_PASSWORD, Some(login)) => {
                    let output = credentials(login)?;
                    self.expected = Expected::Login;
                    Ok(ProxyStep::Say { taken: 2, output })
                }
                (VERSION, NOTHING_FITS, None) => Err(refused("it wants a login, and none was given", false)),
                (VERSION, ..) => Err(refused("it takes no login by user and password", false)),
                _ => Err(not_socks(first)),
            },
            Expected::Login if second == 0 => Ok(self.ask()),
            Expected::Login => Err(refused("it refused the login", false)),
            Expected::Reply => match (first, second) {
                (VERSION, 0) => connected(input),
                (VERSION, code) => Err(refusal(code)),
                _ => Err(not_socks(first)),
            },
        }
    }

    fn ask(&mut self) -> ProxyStep {
        self.expected = Expected::Reply;
        ProxyStep::Say { taken: 2, output: Zeroizing::new(std::mem::take(&mut self.request)) }
    }
}

/// RFC 1929 section 2.
fn credentials(login: &Login) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(513));
    bytes.push(1);
    push_counted(&mut bytes, &login.user)?;
    push_counted(&mut bytes, login.password.expose())?;
    Ok(bytes)
}

/// RFC 1928 section 4.
fn request(host: &Host, port: u16) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![VERSION, CONNECT, 0];
    match host {
        Host::Ip(IpAddr::V4(ip)) => {
            bytes.push(IPV4);
            bytes.extend(ip.octets());
        }
        Host::Ip(IpAddr::V6(ip)) => {
            bytes.push(IPV6);
            bytes.extend(ip.octets());
        }
        Host::Name(name) => {
            bytes.push(NAME);
            push_counted(&mut bytes, name.as_bytes())?;
        }
    }
    bytes.extend(port.to_be_bytes());
    Ok(bytes)
}

fn push_counted(bytes: &mut Vec<u8>, field: &[u8]) -> Result<(), Error> {
    let count = u8::try_from(field.len()).map_err(|_| {
        refused("a host name, user or password is longer than the 255 octets of SOCKS5", false)
    })?;
    bytes.push(count);
    bytes.extend(field);
    Ok(())
}

/// RFC 1928 section 6. The address that the proxy bound is of no use here, but stands before the server's greeting.
fn connected(reply: &[u8]) -> Result<ProxyStep, Error> {
    let address = match (reply.get(3), reply.get(4)) {
        (Some(&IPV4), _) => 4,
        (Some(&IPV6), _) => 16,
        (Some(&NAME), Some(&count)) => usize::from(count).saturating_add(1),
        (None, _) | (Some(&NAME), None) => return Ok(ProxyStep::More),
        (Some(other), _) => {
            return Err(refused(format!("its answer has an address of the unknown type {other}"), false));
        }
    };
    let taken = address.saturating_add(6);
    Ok(if reply.len() < taken { ProxyStep::More } else { ProxyStep::Done { taken } })
}

fn refusal(code: u8) -> Error {
    let (what, transient) = match code {
        1 => ("general failure", true),
        2 => ("not allowed by its rules", false),
        3 => ("network unreachable", true),
        4 => ("host unreachable", true),
        5 => ("connection refused", true),
        6 => ("TTL expired", true),
        7 => ("it cannot CONNECT", false),
        8 => ("it cannot do this type of address", false),
        _ => ("unknown refusal", false),
    };
    refused(format!("{what} (SOCKS5 reply {code})"), transient)
}

fn not_socks(first: u8) -> Error {
    refused(format!("its answer is not SOCKS5: it begins with 0x{first:02x}"), false)
}

#[cfg(test)]
mod tests;
