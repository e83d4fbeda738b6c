//! Where octets come from: memory, a file, or a reader of the caller's.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::PIECE;
use super::head::{Head, HeadParser, MAX_HEAD, Role};
use super::stream::{Slice, Stream};
use super::survey::Blob;
use crate::caught::caught;
use crate::error::{Error, Kind, Step};

/// A body, or a whole message, that the caller gives piece by piece.
pub trait Reader: Send {
    /// Fills the front of `buf` and says how many octets; 0 is the end.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) asks to be called again later; any other error abandons
    /// the message, which is then never completed at the server; so does a panic.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Starts again from the first octet. `false`, the default, where that cannot be done: the reader
    /// then serves one send.
    ///
    /// # Errors
    /// Whatever went wrong; the send fails with [`Kind::Source`].
    fn rewind(&mut self) -> io::Result<bool> {
        Ok(false)
    }

    /// The octets that reading gives from the first one to the end, where known. It is declared to the
    /// server, and giving fewer or more abandons the message.
    fn length(&self) -> Option<u64> {
        None
    }
}

/// Any [`Read`] as a [`Reader`] that serves one send.
pub(super) struct OneShot<R>(pub(super) R);

impl<R: Read + Send> Reader for OneShot<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

/// A source of octets; a clone shares them.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Bytes(Arc<Blob>),
    File(Arc<Path>),
    Reader(Arc<Slot>),
}

/// A file by its name.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) path: PathBuf,
}

/// What `Source::place` says: whether the octets can be looked at before they are sent.
pub(super) enum Readability<'a> {
    Memory(&'a Arc<Blob>),
    /// Opened at its first octet, and its length.
    Regular(&'a Path, File, u64),
    Stream(&'a Arc<Slot>),
}

impl Source {
    pub(super) fn bytes(bytes: Vec<u8>) -> Self {
        Self::Bytes(Arc::new(Blob::new(bytes)))
    }

    pub(super) fn file(path: PathBuf) -> Self {
        Self::File(Arc::new(Path { path }))
    }

    pub(super) fn reader(reader: Box<dyn Reader>) -> Self {
        Self::Reader(Arc::new(Slot::new(reader)))
    }

    /// Looks at the file system, if there is one to look at.
    pub(super) fn place(&self) -> Result<Readability<'_>, Error> {
        match self {
            Self::Bytes(blob) => Ok(Readability::Memory(blob)),
            Self::Reader(slot) => Ok(Readability::Stream(slot)),
            Self::File(file) => {
                let facts = std::fs::metadata(&file.path).map_err(|e| file.error("opened", &e))?;
                if facts.is_dir() {
                    return Err(source(format!("{} is a directory, not a file", file.path.display())));
                }
                // To open a pipe may take for ever, and a device may never end.
                if !facts.is_file() {
                    return Err(source(format!(
                        "{} is a pipe or a device, not a file: open it yourself, and give a reader (in Tcl a channel)",
                        file.path.display()
                    )));
                }
                Ok(Readability::Regular(file, file.open()?, facts.len()))
            }
        }
    }

    /// Opens the octets from the first one. `later`: a regular file, which must be there, is opened when the first octet is
    /// asked for, so that a message with a thousand files needs one descriptor.
    pub(super) fn open(&self, later: bool) -> Result<Stream, Error> {
        Ok(match self.place()? {
            Readability::Memory(blob) => Box::new(Slice::new(Arc::clone(blob), 0..blob.bytes().len())),
            Readability::Regular(path, file, _) => {
                let file = Some(file).filter(|_| !later);
                Box::new(BufReader::with_capacity(PIECE, Lazy { path: path.path.clone(), file }))
            }
            Readability::Stream(slot) => Box::new(BufReader::with_capacity(PIECE, slot.take()?)),
        })
    }
}

impl Path {
    fn open(&self) -> Result<File, Error> {
        File::open(&self.path).map_err(|e| self.error("opened", &e))
    }

    pub(super) fn error(&self, verb: &str, error: &io::Error) -> Error {
        source(format!("the file {} cannot be {verb}: {error}", self.path.display()))
    }
}

pub(super) fn source(text: String) -> Error {
    Error::new(Kind::Source, Step::Setup, text)
}

/// A file that is opened when it is first read.
struct Lazy {
    path: PathBuf,
    file: Option<File>,
}

impl Read for Lazy {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            empty => {
                let file = File::open(&self.path).map_err(|e| {
                    io::Error::new(
                        e.kind(),
                        format!("the file {} cannot be opened: {e}", self.path.display()),
                    )
                })?;
                empty.insert(file)
            }
        };
        file.read(buf)
    }
}

/// A reader that one send at a time can hold.
pub(super) struct Slot {
    pub(super) length: Option<u64>,
    state: Mutex<State>,
}

enum State {
    Here(Held),
    Away,
}

struct Held {
    reader: Box<dyn Reader>,
    /// The header section and what was read after it, when somebody asked for a field before the send.
    ahead: Vec<u8>,
    used: bool,
}

impl Slot {
    fn new(reader: Box<dyn Reader>) -> Self {
        let length = reader.length();
        let held = Held { reader, ahead: Vec::new(), used: false };
        Self { length, state: Mutex::new(State::Here(held)) }
    }

    /// Takes the reader at its first octet; it comes back when the result is dropped.
    pub(super) fn take(self: &Arc<Self>) -> Result<Taken, Error> {
        let held = self.hold()?;
        Ok(Taken { slot: Arc::clone(self), held: Some(held), position: 0 })
    }

    /// Reads the header section ahead. `None` if the reader has nothing to give yet.
    pub(super) fn head(&self, role: Role) -> Result<Option<(Vec<u8>, Head)>, Error> {
        let mut held = self.hold()?;
        let result = read_head(&mut held, role);
        let copy = held.ahead.clone();
        *self.lock() = State::Here(held);
        match result {
            Ok(head) => Ok(Some((copy, head))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(source(format!("the reader cannot be read: {error}"))),
        }
    }

    fn hold(&self) -> Result<Held, Error> {
        let mut state = self.lock();
        let State::Here(mut held) = std::mem::replace(&mut *state, State::Away) else {
            let text =
                "the reader is being read by another send; give each send a reader of its own, or wait";
            return Err(source(text.to_owned()));
        };
        let again =
            if held.used { caught(|| held.reader.rewind()).unwrap_or_else(panicked) } else { Ok(true) };
        match again {
            Ok(true) => {
                if std::mem::take(&mut held.used) {
                    held.ahead.clear();
                }
                Ok(held)
            }
            Ok(false) => {
                *state = State::Here(held);
                let text = "the reader was read by an earlier send and cannot start again; make it rewind, or give a new one";
                Err(source(text.to_owned()))
            }
            Err(error) => {
                *state = State::Here(held);
                Err(source(format!("the reader cannot start again: {error}")))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("length", &self.length).finish_non_exhaustive()
    }
}

fn read_head(held: &mut Held, role: Role) -> io::Result<Head> {
    let mut parser = HeadParser::new(role);
    let mut buf = vec![0; 4096];
    loop {
        if let Some(head) = parser.advance(&held.ahead, false) {
            return Ok(head);
        }
        if held.ahead.len() > MAX_HEAD {
            return Err(HeadParser::too_long());
        }
        let count = read_from(&mut *held.reader, &mut buf)?;
        if count == 0 {
            let head = parser.advance(&held.ahead, true);
            return head.ok_or_else(HeadParser::too_long);
        }
        held.ahead.extend_from_slice(buf.get(..count).unwrap_or_default());
    }
}

/// Reads on where a signal came in between, and refuses a count that cannot be.
fn read_from(reader: &mut dyn Reader, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match caught(|| reader.read(buf)).unwrap_or_else(panicked) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(count) if count > buf.len() => {
                let text = format!("the reader says {count} octets where {} were asked for", buf.len());
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            result => return result,
        }
    }
}

/// What stands for the octets of a reader that panicked.
fn panicked<T>() -> io::Result<T> {
    Err(io::Error::other("the reader panicked"))
}

/// A reader on loan.
pub(super) struct Taken {
    slot: Arc<Slot>,
    held: Option<Held>,
    /// How much of `ahead` was given.
    position: usize,
}

impl Read for Taken {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(held) = &mut self.held else {
            return Ok(0);
        };
        held.used = true;
        let mut ahead = held.ahead.get(self.position..).unwrap_or_default();
        if !ahead.is_empty() {
            let count = ahead.read(buf)?;
            self.position = self.position.saturating_add(count);
            return Ok(count);
        }
        read_from(&mut *held.reader, buf)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            *self.slot.lock() = State::Here(held);
        }
    }
}
