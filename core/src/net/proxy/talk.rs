//! The few bytes that are exchanged with a proxy, within the time-out of connecting.

use std::fmt;
use std::io;
use std::time::Duration;

use super::super::limits::Phase;
use super::super::stream::Stream;
use crate::error::{Error, Kind, Step};

pub(super) struct Talk<'a> {
    stream: &'a mut Stream,
    phase: &'a Phase<'a>,
}

impl<'a> Talk<'a> {
    pub(super) fn new(stream: &'a mut Stream, phase: &'a Phase<'a>) -> Self {
        Self { stream, phase }
    }

    pub(super) fn send(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            match self.stream.try_send(bytes).map_err(broken)? {
                0 => {
                    let slice = self.slice()?;
                    self.stream.wait(false, true, slice).map_err(broken)?;
                }
                sent => bytes = bytes.get(sent..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    /// Fills `buf` and reads nothing beyond it: behind a proxy's answer the server's greeting begins.
    pub(super) fn read_exact(&mut self, mut buf: &mut [u8]) -> Result<(), Error> {
        while !buf.is_empty() {
            let slice = self.slice()?;
            let count = self.stream.recv(buf, slice);
            let count = some(count)?;
            buf = buf.get_mut(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Looks at what is there, at least one byte, without taking it.
    pub(super) fn peek(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        loop {
            let slice = self.slice()?;
            match some(self.stream.peek(buf, slice))? {
                0 => {}
                count => return Ok(count),
            }
        }
    }

    fn slice(&self) -> Result<Duration, Error> {
        if self.phase.is_over()? {
            let text = format!("no answer within {:?}", self.phase.length());
            return Err(Error::new(Kind::Timeout, Step::Connect, text));
        }
        Ok(self.phase.slice(Duration::MAX))
    }
}

/// The number of bytes read, zero where there are none yet; an error where there never will be.
fn some(read: io::Result<Option<usize>>) -> Result<usize, Error> {
    match read {
        Ok(Some(0)) => {
            Err(Error::new(Kind::Connect, Step::Connect, "it closed the connection before it answered"))
        }
        Ok(count) => Ok(count.unwrap_or(0)),
        Err(error) => Err(broken(error)),
    }
}

fn broken(error: io::Error) -> Error {
    Error::new(Kind::Connect, Step::Connect, format!("the connection broke: {error}"))
}

/// The proxy said no; `transient` where it may say yes later.
pub(super) fn refused(text: impl fmt::Display, transient: bool) -> Error {
    Error::new(Kind::Connect, Step::Connect, text.to_string()).with_transient(transient)
}
