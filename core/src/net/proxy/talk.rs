//! A tunnel over a blocking socket, within the time-out of connecting.

use std::io;
use std::time::Duration;

use super::super::limits::Phase;
use super::super::stream::Stream;
use super::tunnel::Tunnel;
use crate::conversation::Conversation;
use crate::error::{Error, Kind, Step};

/// The longest piece that is looked at.
const PEEK: usize = 2048;

/// Drives the tunnel to its outcome. Nothing beyond is read: behind a proxy's answer the server's greeting begins.
pub(super) fn talk(stream: &mut Stream, tunnel: &mut Tunnel, phase: &Phase<'_>) -> Result<(), Error> {
    let mut buffer = [0; PEEK];
    loop {
        if let Some(outcome) = tunnel.outcome() {
            return outcome;
        }
        match phase.is_over() {
            Ok(false) => {}
            Ok(true) => {
                tunnel.handle_timeout();
                continue;
            }
            Err(cause) => {
                tunnel.abort(cause);
                continue;
            }
        }
        if let Err(error) = step(stream, tunnel, phase.slice(Duration::MAX), &mut buffer) {
            let text = format!("the connection broke: {error}");
            tunnel.handle_error(Error::new(Kind::Connect, Step::Connect, text));
        }
    }
}

fn step(stream: &mut Stream, tunnel: &mut Tunnel, slice: Duration, buffer: &mut [u8]) -> io::Result<()> {
    let output = tunnel.poll_output();
    if !output.is_empty() {
        match stream.try_send(output)? {
            0 => stream.wait(false, true, slice).map(drop)?,
            sent => tunnel.output_done(sent),
        }
        return Ok(());
    }
    match stream.peek(buffer, slice)? {
        None => {}
        Some(0) => tunnel.handle_eof(),
        Some(seen) => {
            let seen = buffer.get(..seen).unwrap_or_default();
            tunnel.handle_input(seen);
            let mut taken = seen.len().saturating_sub(tunnel.rest().len());
            while taken > 0 {
                match stream.recv(buffer.get_mut(..taken).unwrap_or_default(), slice)? {
                    Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => taken = taken.saturating_sub(count.unwrap_or(0)),
                }
            }
        }
    }
    Ok(())
}
