//! SOCKS5: RFC 1928, with the login of RFC 1929.

use std::net::IpAddr;

use zeroize::Zeroizing;

use super::super::resolve::Host;
use super::Login;
use super::talk::{Talk, refused};
use crate::error::Error;

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const USER_PASSWORD: u8 = 2;
const NOTHING_FITS: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Has the proxy connect to `host`.
pub(super) fn ask(talk: &mut Talk<'_>, login: Option<&Login>, host: &Host, port: u16) -> Result<(), Error> {
    let request = request(host, port)?;
    match login {
        None => talk.send(&[VERSION, 1, NO_LOGIN])?,
        Some(_) => talk.send(&[VERSION, 2, NO_LOGIN, USER_PASSWORD])?,
    }
    let mut choice = [0; 2];
    talk.read_exact(&mut choice)?;
    match (choice, login) {
        ([VERSION, NO_LOGIN], _) => {}
        ([VERSION, USER_PASSWORD], Some(login)) => log_in(talk, login)?,
        ([VERSION, NOTHING_FITS], None) => {
            return Err(refused("it wants a login, and none was given", false));
        }
        ([VERSION, _], _) => return Err(refused("it takes no login by user and password", false)),
        ([first, _], _) => return Err(not_socks(first)),
    }
    talk.send(&request)?;
    read_reply(talk)
}

/// RFC 1929 section 2.
fn log_in(talk: &mut Talk<'_>, login: &Login) -> Result<(), Error> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(513));
    bytes.push(1);
    push_counted(&mut bytes, &login.user)?;
    push_counted(&mut bytes, login.password.expose())?;
    talk.send(&bytes)?;
    let mut answer = [0; 2];
    talk.read_exact(&mut answer)?;
    match answer {
        [_, 0] => Ok(()),
        _ => Err(refused("it refused the login", false)),
    }
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

/// RFC 1928 section 6. The address that the proxy bound is of no use here, but must be read.
fn read_reply(talk: &mut Talk<'_>) -> Result<(), Error> {
    let mut head = [0; 4];
    // Some proxies end a refusal here, without the address.
    talk.read_exact(&mut head[..2])?;
    match head {
        [VERSION, 0, ..] => {}
        [VERSION, code, ..] => return Err(refusal(code)),
        [first, ..] => return Err(not_socks(first)),
    }
    talk.read_exact(&mut head[2..])?;
    let address = match head[3] {
        IPV4 => 4,
        IPV6 => 16,
        NAME => {
            let mut count = [0];
            talk.read_exact(&mut count)?;
            usize::from(count[0])
        }
        other => {
            return Err(refused(format!("its answer has an address of the unknown type {other}"), false));
        }
    };
    let mut rest = vec![0; address.saturating_add(2)];
    talk.read_exact(&mut rest)
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
