//! Proxies: SOCKS5 (RFC 1928, RFC 1929) and HTTP CONNECT (RFC 9110 section 9.3.6).

mod http;
mod socks;
mod talk;
mod tunnel;

use std::fmt;

use url::Url;

use super::dial::{DialOptions, endpoint, reach};
use super::resolve::Host;
use super::stream::Stream;
use crate::error::Error;
use crate::mask::Mask;
use crate::secret::Secret;
pub use tunnel::Tunnel;

/// A proxy to connect through. It resolves the server's name; nothing is looked up here but its own name.
///
/// `Display` and `Debug` do not show the password.
#[derive(Clone, Debug)]
pub struct Proxy {
    scheme: Scheme,
    host: Host,
    port: u16,
    login: Option<Login>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Socks5,
    Http,
}

#[derive(Clone, Debug)]
struct Login {
    user: Vec<u8>,
    password: Secret,
}

impl Proxy {
    /// Takes the option's text: `socks5://[user:password@]host:port`, the same with `socks5h`, or
    /// `http://[user:password@]host:port`.
    ///
    /// The port is by default 1080 for SOCKS (IANA) and 80 for HTTP. User and password are percent-encoded
    /// where they contain what a URL cannot (RFC 3986 section 2.1).
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage). The text does not repeat the option, because the password
    /// is in it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        // The url crate drops line ends and tabs without a word.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(invalid("it contains white space or a control character"));
        }
        let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
        let scheme = match url.scheme() {
            "socks5" | "socks5h" => Scheme::Socks5,
            "http" => Scheme::Http,
            _ => return Err(invalid("its scheme is none of socks5, socks5h and http")),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("something follows the port"));
        }
        let default_port = match scheme {
            Scheme::Socks5 => 1080,
            Scheme::Http => 80,
        };
        let host = String::from_utf8(percent_decode(url.host_str().unwrap_or_default()))
            .map_err(|_| invalid("its host is not UTF-8"))?;
        let port = url.port().unwrap_or(default_port);
        let proxy = Self { scheme, host: endpoint(&host, port)?, port, login: login(&url) };
        proxy.check_login()?;
        Ok(proxy)
    }

    /// The proxy's own host, a name or an address without brackets: where a driver connects to.
    pub fn host(&self) -> String {
        match &self.host {
            Host::Ip(ip) => ip.to_string(),
            Host::Name(name) => name.clone(),
        }
    }

    /// The proxy's own port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connects to the proxy and has it connect to the host.
    pub(super) fn connect(&self, host: &Host, port: u16, options: &DialOptions) -> Result<Stream, Error> {
        let mut tunnel = Tunnel::to(self, host, port, options.connect_timeout)?;
        let (mut stream, phase) =
            reach(&self.host, self.port, options).map_err(|error| self.blame(&error))?;
        talk::talk(&mut stream, &mut tunnel, &phase)?;
        stream.set_proxied();
        Ok(stream)
    }

    /// The error of a step that was the proxy's.
    fn blame(&self, error: &Error) -> Error {
        // It may repeat what it was told.
        let mut mask = Mask::default();
        if let Some(login) = &self.login {
            mask.hide(login.password.expose());
        }
        let text = format!("proxy {self}: {}", mask.text(error.text()));
        Error::new(error.kind(), error.step(), text).with_transient(error.is_transient())
    }

    fn check_login(&self) -> Result<(), Error> {
        let Some(Login { user, password }) = &self.login else {
            return Ok(());
        };
        if user.is_empty() {
            return Err(invalid("its user is empty"));
        }
        match self.scheme {
            // RFC 1929 section 2: one octet for each length. Servers take an empty password.
            Scheme::Socks5 if user.len() > 255 || password.expose().len() > 255 => {
                Err(invalid("its user or password is longer than the 255 octets of SOCKS5"))
            }
            // RFC 7617 section 2: the first colon ends the user.
            Scheme::Http if user.contains(&b':') => Err(invalid("its user contains a colon")),
            Scheme::Http if user.iter().chain(password.expose()).any(u8::is_ascii_control) => {
                Err(invalid("its user or password contains a control character"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Socks5 => "socks5",
            Scheme::Http => "http",
        };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

fn login(url: &Url) -> Option<Login> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let password = Secret::new(percent_decode(url.password().unwrap_or_default()));
    Some(Login { user: percent_decode(url.username()), password })
}

fn invalid(why: &str) -> Error {
    Error::usage(format!(
        "option proxy cannot be used: {why}; give socks5://[user:password@]host:port or http://[user:password@]host:port"
    ))
}

/// RFC 3986 section 2.1; a percent sign without two digits stands for itself.
fn percent_decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let octet = match (first, tail) {
            (b'%', [high, low, after @ ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| {
                rest = after;
                high << 4 | low
            }),
            _ => None,
        };
        decoded.push(octet.unwrap_or(*first));
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests;
