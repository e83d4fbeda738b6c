//! A message that is signed: read once before it is offered to a server, and once more as it goes out.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, BufRead, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::codec::canonical;
use super::head::{Head, Role};
use super::known::Known;
use super::outgoing::Shape;
use super::stream::{Chain, Stream};
use super::survey::Census;
use crate::caught::caught;
use crate::content::{BodyKind, Form, Transfer};
use crate::error::{Error, Kind, Step};
use crate::signer::{Signer, unsigned};

/// The signers of a message, and what they have put in front of it in each of its forms.
pub(super) struct Signatures {
    signers: Vec<Arc<dyn Signer>>,
    /// Seconds since 1970.
    now: i64,
    made: Mutex<Vec<(Transfer, Signed)>>,
}

type Signed = Result<Arc<Made>, Error>;

#[derive(Debug)]
struct Made {
    /// Whole lines.
    fields: String,
    /// Of the message without them: what goes out must be what was signed.
    digest: [u8; 32],
}

impl Signatures {
    pub(super) fn new(signers: Vec<Arc<dyn Signer>>, now: i64) -> Self {
        Self { signers, now, made: Mutex::default() }
    }

    pub(super) fn form(&self, shape: &Shape, transfer: Transfer) -> Result<Form, Error> {
        let form = shape.form(transfer)?;
        let made = self.made(shape, transfer)?;
        let length = made.fields.len() as u64;
        Ok(Form { size: form.size.map(|size| size.saturating_add(length)), ..form })
    }

    pub(super) fn open(&self, shape: &Shape, transfer: Transfer) -> Result<Stream, Error> {
        let made = self.made(shape, transfer)?;
        let front: Stream = Box::new(Cursor::new(made.fields.clone()));
        let input = shape.open(transfer)?;
        let rest: Stream = Box::new(Same { input, digest: Some(Sha256::new()), wanted: made.digest });
        Ok(Box::new(Chain(VecDeque::from([front, rest]))))
    }

    fn made(&self, shape: &Shape, transfer: Transfer) -> Signed {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = made.iter().find(|(own, _)| *own == transfer) {
            return found.clone();
        }
        let signed = caught(|| self.sign(shape, transfer));
        let result = signed.unwrap_or_else(|| Err(unsigned("the signer panicked"))).map(Arc::new);
        made.push((transfer, result.clone()));
        result
    }

    fn sign(&self, shape: &Shape, transfer: Transfer) -> Result<Made, Error> {
        let as_they_are = shape.form(transfer)?.body == BodyKind::BinaryMime;
        let mut digest = Sha256::new();
        let mut signings: Vec<_> = self.signers.iter().map(|signer| signer.begin()).collect();
        let mut input = shape.open(transfer)?;
        let (mut after_cr, mut ended) = (false, true);
        let mut lines = Vec::new();
        loop {
            let data = input.fill_buf().map_err(|error| unreadable(&error))?;
            let data = data.get(..super::PIECE).unwrap_or(data);
            if data.is_empty() {
                break;
            }
            let count = data.len();
            digest.update(data);
            let octets = if as_they_are {
                data
            } else {
                lines.clear();
                canonical(data, &mut after_cr, &mut lines);
                &lines
            };
            ended = octets.last().map_or(ended, |last| *last == b'\n');
            for signing in &mut signings {
                signing.update(octets);
            }
            input.consume(count);
        }
        drop(input);
        if !ended && !as_they_are {
            for signing in &mut signings {
                signing.update(b"\r\n");
            }
        }
        // It has to be read again: better to learn now that it cannot be.
        drop(shape.open(transfer)?);
        let mut fields = String::new();
        for signing in signings {
            fields.push_str(&whole_lines(&signing.finish(self.now)?)?);
        }
        Ok(Made { fields, digest: digest.finalize().into() })
    }
}

/// As much of what a signer gave as an error shows.
const SHOWN: usize = 80;

/// What a signer gave, with CRLF at the end of each line.
fn whole_lines(given: &str) -> Result<String, Error> {
    let has_bare_cr = memchr::memchr_iter(b'\r', given.as_bytes()).any(|at| !given[at..].starts_with("\r\n"));
    let (mut lines, mut after_cr) = (Vec::with_capacity(given.len()), false);
    canonical(given.as_bytes(), &mut after_cr, &mut lines);
    if !lines.is_empty() && !lines.ends_with(b"\n") {
        lines.extend_from_slice(b"\r\n");
    }
    let head = Head::parse(&lines, Role::Part);
    let is_printable = |octet: &u8| matches!(octet, b'\t' | b'\r' | b'\n' | b' '..=b'~');
    if let Some(name) = head.names(&lines).find(|name| Known::is_blind(name)) {
        return Err(unsigned(&format!(
            "the signer gave a field `{name}`, which names those who must not be named"
        )));
    }
    // Such a line is taken for the empty one that ends the header section where blanks at the end of lines get lost.
    let has_blank_line =
        lines.split(|octet| *octet == b'\n').any(|line| !line.is_empty() && line.trim_ascii().is_empty());
    let is_whole = head.end == lines.len() && !has_bare_cr && !has_blank_line;
    if !is_whole || !lines.iter().all(is_printable) || Census::of(&lines).long {
        let shown: String = given.chars().take(SHOWN).collect();
        return Err(unsigned(&format!(
            "the signer gave {shown:?}, and {} octets in all: give whole header fields in ASCII, in lines of at most 998 octets that are not blank and end in CRLF or LF (RFC 5322 section 2.2)",
            given.len()
        )));
    }
    String::from_utf8(lines).map_err(|error| unsigned(&error.to_string()))
}

fn unreadable(error: &io::Error) -> Error {
    let text = if error.kind() == io::ErrorKind::WouldBlock {
        "the message has to be read before it is signed, and its reader has nothing to give yet: give one that waits, or the octets"
            .to_owned()
    } else {
        format!("the message cannot be read to be signed: {error}")
    };
    Error::new(Kind::Source, Step::Setup, text)
}

impl fmt::Debug for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signatures").field("signers", &self.signers.len()).finish_non_exhaustive()
    }
}

/// The octets that were signed, or an error before the last of them: a signature over others is worse than none.
struct Same {
    input: Stream,
    digest: Option<Sha256>,
    wanted: [u8; 32],
}

impl BufRead for Same {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let data = self.input.fill_buf()?;
        if data.is_empty()
            && let Some(digest) = self.digest.take()
            && digest.finalize().as_slice() != self.wanted
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the message has changed since it was signed",
            ));
        }
        Ok(data)
    }

    fn consume(&mut self, count: usize) {
        // What was shown last is still there.
        if let (Some(digest), Ok(data)) = (&mut self.digest, self.input.fill_buf()) {
            digest.update(data.get(..count).unwrap_or(data));
        }
        self.input.consume(count);
    }
}

impl Read for Same {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buf)?;
        self.consume(count);
        Ok(count)
    }
}
