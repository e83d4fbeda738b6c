//! A sink that is built without TLS: it refuses to start with a certificate, so that neither type ever has a value.

use socket2::Socket;
use std::io::{self, Read, Write};

use super::Certificate;

pub(super) struct Acceptor {
    pub(super) authority: String,
    none: Secured,
}

pub(super) enum Secured {}

impl Secured {
    pub(super) fn socket(&self) -> &Socket {
        match *self {}
    }

    pub(super) fn shutdown(&mut self) -> io::Result<()> {
        match *self {}
    }
}

impl Read for Secured {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Write for Secured {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}

pub(super) fn acceptor(_: &Certificate) -> io::Result<Acceptor> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this server was built without TLS: use the feature `tls`",
    ))
}

pub(super) fn accept(acceptor: &Acceptor, _: Socket) -> io::Result<Secured> {
    match acceptor.none {}
}
