//! A tunnel over a blocking socket, within the time-out of connecting.

use std::io;
use std::time::Duration;

use super::super::limits::PhaseLimits;
use super::super::run::{Mover, Transport, Wait};
use super::super::stream::{Ready, Stream};
use super::tunnel::Tunnel;
use crate::error::Error;

/// Drives the tunnel to its outcome.
pub(super) fn talk(stream: &mut Stream, tunnel: &mut Tunnel, phase: &PhaseLimits<'_>) -> Result<(), Error> {
    tunnel.set_left(phase.left());
    let mut transport = Bytewise(stream);
    Mover::default().run(&mut transport, tunnel, phase.limits(), Wait::Block, |tunnel| tunnel.is_done());
    tunnel.outcome().unwrap_or(Ok(()))
}

/// Reads octet by octet: after a proxy's answer, which is short, the server's greeting begins, and whoever gets the socket
/// must find it there.
struct Bytewise<'a>(&'a mut Stream);

impl Bytewise<'_> {
    fn one(buffer: &mut [u8]) -> &mut [u8] {
        buffer.get_mut(..1).unwrap_or_default()
    }
}

impl Transport for Bytewise<'_> {
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_send(bytes)
    }
    fn try_recv(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.0.try_recv(Self::one(buffer))
    }
    fn recv(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<Option<usize>> {
        self.0.recv(Self::one(buffer), wait)
    }
    fn wait(&mut self, wait: Duration) -> io::Result<Ready> {
        Transport::wait(self.0, wait)
    }
}
