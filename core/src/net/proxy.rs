//! Proxies: SOCKS5 (RFC 1928, RFC 1929) and HTTP CONNECT (RFC 9110 section 9.3.6).

mod http;
mod socks;
mod talk;
mod tunnel;

use std::fmt;

use super::dial::{DialOptions, endpoint, reach};
use super::resolve::Host;
use super::stream::Stream;
use crate::error::Error;
use crate::mask::Mask;
use crate::options::{ProxyLogin as Login, ProxyScheme as Scheme, ProxyUrl};
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
        let ProxyUrl { scheme, host, port, login } = ProxyUrl::parse(text)?;
        Ok(Self { scheme, host: endpoint(&host, port)?, port, login })
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
    pub(super) fn connect(
        &self,
        host: &Host,
        port: u16,
        options: &DialOptions,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<Stream, Error> {
        let mut tunnel = Tunnel::to(self, host, port, options.connect_timeout)?;
        let (mut stream, phase) =
            reach(&self.host, self.port, options, meanwhile).map_err(|error| self.blame(&error))?;
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

#[cfg(test)]
mod tests;
