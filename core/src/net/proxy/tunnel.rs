//! The handshake with a proxy, bytes in and bytes out.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::super::dial::endpoint;
use super::super::resolve::Host;
use super::http::Http;
use super::socks::Socks;
use super::{Proxy, Scheme};
use crate::conversation::Conversation;
use crate::engine::Awaited;
use crate::error::{Error, Kind, Step};

/// Has a proxy connect to a server, for drivers that connect and move the bytes themselves: a [`Conversation`] until
/// [`outcome`](Self::outcome) is there.
pub struct Tunnel {
    proxy: Proxy,
    shake: Shake,
    output: Zeroizing<Vec<u8>>,
    /// How much of the output was written.
    written: usize,
    /// What is not understood yet; after the handshake, what the server said.
    input: Vec<u8>,
    timeout: Duration,
    /// What is left of it.
    left: Duration,
    outcome: Option<Result<(), Error>>,
}

enum Shake {
    Socks(Socks),
    Http(Http),
}

/// What the proxy's bytes so far come to.
pub(super) enum ProxyStep {
    /// They are not all there.
    More,
    /// The first `taken` ask for an answer.
    Say { taken: usize, output: Zeroizing<Vec<u8>> },
    /// After the first `taken` the server speaks.
    Done { taken: usize },
}

impl Tunnel {
    /// To `host` and `port`; a proxy that is silent for `timeout` is given up.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an invalid host or port, [`Kind::Connect`] for a name that SOCKS5 cannot say.
    pub fn new(proxy: &Proxy, host: &str, port: u16, timeout: Duration) -> Result<Self, Error> {
        Self::to(proxy, &endpoint(host, port)?, port, timeout)
    }

    pub(super) fn to(proxy: &Proxy, host: &Host, port: u16, timeout: Duration) -> Result<Self, Error> {
        let login = proxy.login.as_ref();
        let (shake, output) = match proxy.scheme {
            Scheme::Socks5 => {
                let (socks, output) = Socks::begin(login, host, port).map_err(|error| proxy.blame(&error))?;
                (Shake::Socks(socks), output)
            }
            Scheme::Http => {
                let (http, output) = Http::begin(login, host, port);
                (Shake::Http(http), output)
            }
        };
        let proxy = proxy.clone();
        Ok(Self {
            proxy,
            shake,
            output,
            written: 0,
            input: Vec::new(),
            timeout,
            left: timeout,
            outcome: None,
        })
    }

    /// Whether the server is connected, once that is decided: [`Kind::Connect`], [`Kind::Timeout`] and whatever the
    /// driver told, with the proxy in the text.
    pub fn outcome(&self) -> Option<Result<(), Error>> {
        self.outcome.clone()
    }

    pub(super) fn is_done(&self) -> bool {
        self.outcome.is_some()
    }

    /// Less time than the whole.
    pub(super) fn set_left(&mut self, left: Duration) {
        self.left = left;
    }

    /// What the server said after the handshake, as far as it was read.
    pub fn rest(&self) -> &[u8] {
        if self.outcome.is_some() { &self.input } else { &[] }
    }

    fn advance(&mut self) {
        while self.outcome.is_none() {
            let progress = match &mut self.shake {
                Shake::Socks(socks) => socks.step(&self.input),
                Shake::Http(http) => http.step(&self.input),
            };
            match progress {
                Ok(ProxyStep::More) => return,
                Ok(ProxyStep::Say { taken, output }) => {
                    self.input.drain(..taken.min(self.input.len()));
                    (self.output, self.written) = (output, 0);
                }
                Ok(ProxyStep::Done { taken }) => {
                    self.input.drain(..taken.min(self.input.len()));
                    self.outcome = Some(Ok(()));
                }
                Err(error) => self.fail(&error),
            }
        }
    }

    fn fail(&mut self, error: &Error) {
        if self.outcome.is_none() {
            self.outcome = Some(Err(self.proxy.blame(error)));
        }
    }
}

impl Conversation for Tunnel {
    fn handle_input(&mut self, input: &[u8]) {
        self.input.extend_from_slice(input);
        self.advance();
    }
    fn handle_eof(&mut self) {
        self.fail(&refused("it closed the connection before it answered", true));
    }
    fn handle_timeout(&mut self) {
        let text = format!("no answer within {:?}", self.timeout);
        self.fail(&Error::new(Kind::Timeout, Step::Connect, text));
    }
    fn handle_error(&mut self, cause: Error) {
        // Nothing was said to the server that could be lost.
        let kind = if cause.kind() == Kind::Closed { Kind::Connect } else { cause.kind() };
        let text = cause.text().to_owned();
        self.fail(&Error::new(kind, Step::Connect, text).with_transient(cause.is_transient()));
    }
    fn abort(&mut self, cause: Error) {
        self.handle_error(cause);
    }
    fn poll_output(&mut self) -> &[u8] {
        if self.outcome.is_some() { &[] } else { self.output.get(self.written..).unwrap_or_default() }
    }
    fn output_done(&mut self, n: usize) {
        self.written = self.written.saturating_add(n);
    }
    fn timeout(&self) -> Option<Duration> {
        self.outcome.is_none().then_some(self.left)
    }
    /// Never changes: the time is for the whole.
    fn progress(&self) -> u64 {
        0
    }
    fn waits_for(&self) -> Option<Awaited> {
        None
    }
}

/// The proxy said no; `transient` where it may say yes later.
pub(super) fn refused(text: impl fmt::Display, transient: bool) -> Error {
    Error::new(Kind::Connect, Step::Connect, text.to_string()).with_transient(transient)
}

#[cfg(test)]
mod tests;
