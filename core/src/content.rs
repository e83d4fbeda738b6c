//! What the engine asks of a message: what a server must offer to take it, how large it will be,
//! and, once the server has said 354, its bytes.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use crate::caught::caught;
use crate::error::{Error, Kind, Step};

/// What a server takes, as far as the form of a message depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfer {
    /// 8BITMIME (RFC 6152) is offered.
    pub eight_bit: bool,
    /// BINARYMIME with CHUNKING (RFC 3030) is offered.
    pub binary: bool,
    /// SMTPUTF8 (RFC 6531) is offered, and the transaction uses it.
    pub utf8: bool,
}

/// The `BODY=` value of MAIL (RFC 6152, RFC 3030).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyKind {
    /// Octets below 128 in lines: nothing to declare.
    #[default]
    SevenBit,
    /// `BODY=8BITMIME`.
    EightBitMime,
    /// `BODY=BINARYMIME`: sent with BDAT only.
    BinaryMime,
}

/// How a message will look for one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Form {
    /// What MAIL declares.
    pub body: BodyKind,
    /// The octets of the message as RFC 1870 counts them: CRLF line ends, without stuffed dots and
    /// the final dot. `None` if a source does not know its length.
    pub size: Option<u64>,
    /// `size` is not what a reader says its length is, which is less where its lines end in LF.
    pub exact: bool,
    /// Every line ends in CRLF, the last one perhaps in nothing, and none begins with a dot: octets that cannot change
    /// any more and of which this is known need no second look.
    pub clean: bool,
}

/// A message that is ready to be sent to any server, any number of times.
pub trait Content: Send {
    /// Whether the header section has octets above 127, which needs SMTPUTF8 (RFC 6532).
    fn needs_utf8(&self) -> bool;

    /// The form that the message takes for a server that offers `transfer`.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] if the message cannot be sent there.
    fn form(&self, transfer: Transfer) -> Result<Form, Error>;

    /// Opens the message from its first byte, in the form that `transfer` gives. Line ends need not be
    /// CRLF and dots are not stuffed: that is the wire's business. A reader that answers
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock) is asked again later; any other error abandons the
    /// message, and it is never completed.
    ///
    /// # Errors
    /// [`Kind::Source`] if a file or reader cannot be opened (again).
    fn open(&mut self, transfer: Transfer) -> Result<Box<dyn BufRead + Send>, Error>;

    /// What [`open`](Self::open) would give, where that lies in memory: it is asked for first. Octets that are
    /// [clean](Form::clean) are then written from there without a copy.
    fn memory(&self, _: Transfer) -> Option<Memory> {
        None
    }

    /// The same message once more, for a further transaction; `None` if it serves one.
    fn again(&self) -> Option<Box<dyn Content>> {
        None
    }
}

/// Octets that lie in memory, and stay there while they are written. A clone shares them.
#[derive(Clone)]
pub struct Memory {
    octets: Arc<dyn AsRef<[u8]> + Send + Sync>,
    begin: usize,
}

impl Memory {
    /// All of these.
    pub fn new(octets: Arc<dyn AsRef<[u8]> + Send + Sync>) -> Self {
        Self { octets, begin: 0 }
    }

    /// Those that are left.
    pub fn rest(&self) -> &[u8] {
        (*self.octets).as_ref().get(self.begin..).unwrap_or_default()
    }
}

impl BufRead for Memory {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.rest())
    }

    fn consume(&mut self, count: usize) {
        self.begin = self.begin.saturating_add(count);
    }
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.rest().read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// Content that can be opened once: what a caller hands over for one DATA.
pub struct Once(Option<Box<dyn BufRead + Send>>);

impl Once {
    /// Wraps a reader.
    pub fn new(reader: Box<dyn BufRead + Send>) -> Self {
        Self(Some(reader))
    }
}

impl Content for Once {
    fn needs_utf8(&self) -> bool {
        false
    }

    fn form(&self, _: Transfer) -> Result<Form, Error> {
        Ok(Form::default())
    }

    fn open(&mut self, _: Transfer) -> Result<Box<dyn BufRead + Send>, Error> {
        let reader = self.0.take();
        let read_already = || Error::new(Kind::Source, Step::Body, "the content was read already");
        Ok(Box::new(Own(reader.ok_or_else(read_already)?)))
    }
}

/// A reader of the caller's, which may panic.
struct Own(Box<dyn BufRead + Send>);

impl BufRead for Own {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let reader = &mut self.0;
        caught(move || reader.fill_buf()).unwrap_or_else(|| Err(io::Error::other("the reader panicked")))
    }

    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
}

impl Read for Own {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
