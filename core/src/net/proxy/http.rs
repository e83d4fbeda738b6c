//! HTTP CONNECT: RFC 9110 section 9.3.6.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use zeroize::Zeroizing;

use super::super::resolve::Host;
use super::Login;
use super::tunnel::{ProxyStep, refused};
use crate::error::Error;

/// The longest head of an answer; proxies send a few hundred octets.
const LONGEST_HEAD: usize = 16 * 1024;
/// As much of a status line as an error repeats.
const SHOWN: usize = 200;
/// The octets before the last of what ends a head.
const END: usize = 2;
/// As many characters of what is not HTTP.
const BEGIN: usize = 20;

/// One connection by CONNECT.
pub(super) struct Http {
    has_login: bool,
    /// So much of the answer has no end in it.
    seen: usize,
}

impl Http {
    /// Gives what is said first, too.
    pub(super) fn begin(login: Option<&Login>, host: &Host, port: u16) -> (Self, Zeroizing<Vec<u8>>) {
        (Self { has_login: login.is_some(), seen: 0 }, request(login, host, port))
    }

    pub(super) fn step(&mut self, input: &[u8]) -> Result<ProxyStep, Error> {
        // The error repeats how it begins, so there should be enough of that.
        let tells = input.len() >= BEGIN || input.iter().any(u8::is_ascii_control);
        if tells && !input.iter().zip(b"HTTP/").all(|(a, b)| a == b) {
            return Err(not_http(&String::from_utf8_lossy(input)));
        }
        // An end that the last look missed began in its last octets.
        let from = self.seen.saturating_sub(END);
        self.seen = input.len();
        match end_of_head(input.get(from..).unwrap_or_default()).map(|end| from.saturating_add(end)) {
            Some(taken) => {
                self.judge(input.get(..taken).unwrap_or_default()).map(|()| ProxyStep::Done { taken })
            }
            None if input.len() < LONGEST_HEAD => Ok(ProxyStep::More),
            None => Err(refused(format!("its answer has no end within {LONGEST_HEAD} octets"), false)),
        }
    }

    fn judge(&self, head: &[u8]) -> Result<(), Error> {
        let line = String::from_utf8_lossy(head.split(|&b| b == b'\n').next().unwrap_or_default());
        let line: String =
            line.trim_end().chars().take(SHOWN).map(|c| if c.is_control() { '?' } else { c }).collect();
        // A length or a body of a 2xx means nothing here: the tunnel begins after the empty line.
        match line.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok()) {
            Some(200..=299) => Ok(()),
            Some(407) if !self.has_login => {
                Err(refused(format!("it wants a login, and none was given: {line}"), false))
            }
            Some(code) => Err(refused(format!("it refused: {line}"), (500..=599).contains(&code))),
            None => Err(not_http(&line)),
        }
    }
}

fn request(login: Option<&Login>, host: &Host, port: u16) -> Zeroizing<Vec<u8>> {
    let mut head = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    let mut credentials = Zeroizing::new(String::new());
    if let Some(Login { user, password }) = login {
        let pair = Zeroizing::new([user, b":".as_slice(), password.expose()].concat());
        credentials = Zeroizing::new(STANDARD.encode(&*pair));
        head.push_str("Proxy-Authorization: Basic ");
    }
    let end: &[u8] = if login.is_some() { b"\r\n\r\n" } else { b"\r\n" };
    // In one go: a buffer that grows leaves copies of the password behind.
    Zeroizing::new([head.as_bytes(), credentials.as_bytes(), end].concat())
}

/// RFC 9112 section 2.2: a line may also end in a bare LF.
fn end_of_head(head: &[u8]) -> Option<usize> {
    let ends = ["\n\r\n", "\n\n"]
        .map(|end| memmem::find(head, end.as_bytes()).map(|at| at.saturating_add(end.len())));
    ends.into_iter().flatten().min()
}

fn not_http(start: &str) -> Error {
    let start: String = start.chars().take(BEGIN).collect();
    refused(format!("its answer is not HTTP: it begins with {start:?}"), false)
}

#[cfg(test)]
mod tests;
