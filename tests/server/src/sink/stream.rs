//! A connection in plain text or under TLS.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use socket2::Socket;

use super::tls::{Acceptor, Secured, accept};

pub(super) enum Stream {
    Plain(Socket),
    Tls(Box<Secured>),
    /// Lost in a handshake.
    Gone,
}

impl Stream {
    pub(super) fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Shakes hands as a server.
    pub(super) fn secure(self, acceptor: Option<&Acceptor>) -> io::Result<Self> {
        let (Self::Plain(socket), Some(acceptor)) = (self, acceptor) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        Ok(Self::Tls(Box::new(accept(acceptor, socket)?)))
    }

    /// Says that nothing follows: close_notify, and the end.
    pub(super) fn close(&mut self) {
        match self {
            Self::Tls(stream) => drop(stream.shutdown()),
            Self::Plain(socket) => drop(socket.shutdown(Shutdown::Write)),
            Self::Gone => {}
        }
    }
}

impl Stream {
    /// Has the end of the connection be a reset.
    pub(super) fn reset(&self) {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.socket(),
            Self::Gone => return,
        };
        let _ = socket.set_linger(Some(Duration::ZERO));
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Gone => Ok(0),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(octets),
            Self::Tls(stream) => stream.write(octets),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => stream.flush(),
            Self::Plain(_) | Self::Gone => Ok(()),
        }
    }
}
