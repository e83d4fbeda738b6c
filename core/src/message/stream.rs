//! The pieces that a message is read from. Each can be asked again after `WouldBlock`.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::sync::Arc;

use super::PIECE;
use super::codec::Codec;
use super::finished::Edit;
use super::head::{HeadParser, MAX_HEAD};
use super::survey::Blob;

pub(super) type Stream = Box<dyn BufRead + Send>;

/// Gives every `BufRead` here its `Read`.
macro_rules! read_by_filling {
    ($name:ident) => {
        impl Read for $name {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let count = self.fill_buf()?.read(buf)?;
                self.consume(count);
                Ok(count)
            }
        }
    };
}

/// A part of octets in memory, without a copy.
pub(super) struct Slice {
    blob: Arc<Blob>,
    range: Range<usize>,
}

impl Slice {
    pub(super) fn new(blob: Arc<Blob>, range: Range<usize>) -> Self {
        Self { blob, range }
    }
}

impl BufRead for Slice {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.blob.bytes().get(self.range.clone()).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.range.start = self.range.start.saturating_add(count).min(self.range.end);
    }
}

read_by_filling!(Slice);

/// One stream after the other.
pub(super) struct Chain(pub(super) VecDeque<Stream>);

impl BufRead for Chain {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while let Some(first) = self.0.front_mut() {
            if !first.fill_buf()?.is_empty() {
                break;
            }
            self.0.pop_front();
        }
        match self.0.front_mut() {
            Some(first) => first.fill_buf(),
            None => Ok(&[]),
        }
    }

    fn consume(&mut self, count: usize) {
        if let Some(first) = self.0.front_mut() {
            first.consume(count);
        }
    }
}

read_by_filling!(Chain);

/// A body on its way through its encoder.
pub(super) struct Coded {
    input: Stream,
    codec: Codec,
    buffer: Vec<u8>,
    position: usize,
    done: bool,
}

impl Coded {
    pub(super) fn new(input: Stream, codec: Codec) -> Self {
        Self { input, codec, buffer: Vec::new(), position: 0, done: false }
    }
}

impl BufRead for Coded {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.position >= self.buffer.len() && !self.done {
            self.buffer.clear();
            self.position = 0;
            let data = self.input.fill_buf()?;
            let data = data.get(..PIECE).unwrap_or(data);
            if data.is_empty() {
                self.codec.finish(&mut self.buffer);
                self.done = true;
            } else {
                let count = data.len();
                self.codec.update(data, &mut self.buffer);
                self.input.consume(count);
            }
        }
        Ok(self.buffer.get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.position = self.position.saturating_add(count).min(self.buffer.len());
    }
}

read_by_filling!(Coded);

/// What the octets of a source must be like, as far as it was declared or promised.
#[derive(Clone, Debug, Default)]
pub(super) struct Promise {
    /// What the source is called in an error.
    pub(super) name: &'static str,
    /// Exactly so many octets.
    pub(super) length: Option<u64>,
    /// No octet above 127.
    pub(super) seven_bit: bool,
    /// No NUL.
    pub(super) no_nul: bool,
    /// No line over 998 octets (RFC 5322 2.1.1).
    pub(super) lines: bool,
}

/// A source that is held to its promise: where it breaks it the message is abandoned, not sent wrong.
pub(super) struct Checked {
    input: Stream,
    promise: Promise,
    /// The octets consumed, and how many of those after them were looked at.
    given: u64,
    seen: usize,
    line: u64,
}

impl Checked {
    pub(super) fn new(input: Stream, promise: Promise) -> Self {
        Self { input, promise, given: 0, seen: 0, line: 0 }
    }

    fn check(promise: &Promise, at: u64, line: &mut u64, data: &[u8]) -> io::Result<()> {
        let name = promise.name;
        if promise.no_nul
            && let Some(nul) = memchr::memchr(0, data)
        {
            return Err(broken(format!("{name} has a NUL at octet {}", at.saturating_add(nul as u64))));
        }
        if promise.seven_bit && !data.is_ascii() {
            return Err(broken(format!("{name} has 8-bit octets and the server does not offer 8BITMIME")));
        }
        if promise.lines {
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', data).chain([data.len()]) {
                *line = line.saturating_add((end - start) as u64);
                if *line > 999 {
                    return Err(broken(format!(
                        "{name} has a line of more than 998 octets; let it be encoded"
                    )));
                }
                if end < data.len() {
                    *line = 0;
                }
                start = end + 1;
            }
        }
        Ok(())
    }
}

impl BufRead for Checked {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let data = self.input.fill_buf()?;
        let end = self.given.saturating_add(data.len() as u64);
        if let Some(length) = self.promise.length
            && (end > length || data.is_empty() && end < length)
        {
            let name = self.promise.name;
            let sign = if end > length { "more" } else { "fewer" };
            return Err(broken(format!("{name} gave {sign} than the {length} octets that it had before")));
        }
        if let Some(new) = data.get(self.seen..) {
            Self::check(&self.promise, self.given.saturating_add(self.seen as u64), &mut self.line, new)?;
            self.seen = data.len();
        }
        Ok(data)
    }

    fn consume(&mut self, count: usize) {
        self.given = self.given.saturating_add(count as u64);
        self.seen = self.seen.saturating_sub(count);
        self.input.consume(count);
    }
}

read_by_filling!(Checked);

fn broken(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// A finished message from a source that is read once: its header section is edited on the way.
pub(super) struct Edited {
    input: Stream,
    edit: Edit,
    parser: HeadParser,
    /// The header section while it is looked for, then what it has become.
    buffer: Vec<u8>,
    position: usize,
    done: bool,
}

impl Edited {
    pub(super) fn new(input: Stream, edit: Edit) -> Self {
        let parser = HeadParser::new(edit.role());
        Self { input, edit, parser, buffer: Vec::new(), position: 0, done: false }
    }

    fn read_head(&mut self) -> io::Result<()> {
        while !self.done {
            let data = self.input.fill_buf()?;
            let count = data.len();
            // A line without an end yet is looked at once it has one.
            let news = count == 0 || self.buffer.is_empty() || memchr::memchr2(b'\r', b'\n', data).is_some();
            self.buffer.extend_from_slice(data);
            self.input.consume(count);
            let long = self.buffer.len() > MAX_HEAD;
            if (news || long)
                && let Some(head) = self.parser.advance(&self.buffer, count == 0)
            {
                if let Some(fault) = head.fault(&self.buffer).or_else(|| self.edit.fault(&head, &self.buffer))
                {
                    return Err(broken(fault));
                }
                self.buffer = self.edit.apply(&head, &self.buffer);
                self.done = true;
            } else if long {
                return Err(HeadParser::too_long());
            }
        }
        Ok(())
    }
}

impl BufRead for Edited {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.read_head()?;
        if self.position < self.buffer.len() {
            return Ok(self.buffer.get(self.position..).unwrap_or_default());
        }
        self.buffer = Vec::new();
        self.position = 0;
        self.input.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        if self.position < self.buffer.len() {
            self.position = self.position.saturating_add(count).min(self.buffer.len());
        } else {
            self.input.consume(count);
        }
    }
}

read_by_filling!(Edited);
