//! Connecting by a function of the caller's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::caught::{PANICKED, caught};
use crate::descriptor::Descriptor;

/// Where a dialler is to connect to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DialTo<'a> {
    /// The server's name or address, or the proxy's if there is one.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// How long that may take: what is left of `connecttimeout` and `deadline`. The function keeps that time itself: nothing ends it.
    pub timeout: Duration,
}

impl<'a> DialTo<'a> {
    /// To this host and port, within this time.
    pub fn new(host: &'a str, port: u16, timeout: Duration) -> Self {
        Self { host, port, timeout }
    }
}

type DialFn = dyn Fn(&DialTo<'_>) -> Result<Descriptor, String> + Send + Sync;

/// A function that connects in the library's place, and gives a connected stream socket: through another proxy, from another
/// interface, with other socket options.
///
/// It may block. It is called in the thread that connects: the one that sends, where that blocks, and else one of its own, so
/// that several may be in it at once. The socket is the library's from then on. Unix sockets (`unix:/path`) do not go through
/// it. Since nobody knows what is in between, the server never counts as this machine.
#[derive(Clone)]
pub struct Dialler(Arc<DialFn>);

impl Dialler {
    /// The function gives a socket, as a `TcpStream`, or says why there is none.
    ///
    /// ```
    /// use std::net::TcpStream;
    ///
    /// use smtpclient::options::{Dialler, Options};
    ///
    /// let mut options = Options::default();
    /// options.dialler = Some(Dialler::new(|to| TcpStream::connect((to.host, to.port))));
    /// ```
    pub fn new<S: Into<Descriptor>, E: fmt::Display>(
        function: impl Fn(&DialTo<'_>) -> Result<S, E> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |to| function(to).map(Into::into).map_err(|error| error.to_string())))
    }

    /// Calls it.
    #[cfg_attr(not(feature = "net"), expect(dead_code, reason = "only sockets are connected"))]
    pub(crate) fn dial(&self, to: &DialTo<'_>) -> Result<Descriptor, String> {
        caught(|| (self.0)(to)).unwrap_or_else(|| Err(PANICKED.to_owned()))
    }
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialler")
    }
}
