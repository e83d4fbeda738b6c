//! A message on its way: what a delivery changes in it, and the form for each server.

use std::io::{self, BufRead};
use std::sync::Arc;

use super::codec::canonical;
use super::field::{self, Field, Fields};
use super::finished::{self, Finished};
use super::head::Role;
use super::known::Known;
use super::plan::Node;
use super::rewrite::Forms;
use super::signed::Signatures;
use super::stream::Slice;
use super::survey::Blob;
use super::token::{Message, Token};
use crate::content::{BodyKind, Content, Form, Memory, Transfer};
use crate::error::{Error, Kind, Step};
use crate::signer::Signer;

/// What a delivery changes in the header section of the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edits {
    /// Whether `Bcc`, `Dcc` and their `Resent-` forms go, which nobody may see.
    pub blind: bool,
    /// Names of other fields that go, folded lines included, whatever their case.
    pub remove: Vec<String>,
    /// Names and values of fields that are put in front, in this order. A value is unfolded text; it is
    /// folded and encoded here.
    pub add: Vec<(String, String)>,
    /// Whether the message, a finished one, goes octet for octet, as BINARYMIME (RFC 3030).
    pub binary: bool,
}

impl Edits {
    /// The fields that are put in front, and those of `own` that stay.
    pub(super) fn front<'a>(&'a self, own: &'a Fields) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        let added = self.add.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        added.chain(own.iter().map(Field::pair).filter(|(name, _)| !self.removes(name)))
    }

    pub(super) fn removes(&self, name: &str) -> bool {
        (self.blind && Known::is_blind(name)) || self.remove.iter().any(|r| r.eq_ignore_ascii_case(name))
    }
}

/// A message that is ready to be sent, to one server after the other and any number of times, as far as
/// its sources can be read again. It holds what it needs; the token it came from is free.
#[derive(Debug)]
pub struct Outgoing {
    shape: Shape,
    /// Where the message can be written anew for a server that does not take it so.
    forms: Option<Box<Forms>>,
    signatures: Option<Box<Signatures>>,
}

#[derive(Debug)]
pub(super) enum Shape {
    /// A finished message in memory that goes as it is.
    Untouched(Arc<Blob>),
    Made(Node),
}

impl Outgoing {
    pub(super) fn new(message: &Message, edits: &Edits) -> Result<Self, Error> {
        for (name, value) in &edits.add {
            field::check(name, value)?;
        }
        for name in &edits.remove {
            field::check_name(name)?;
        }
        let Token::Finished(finished) = message.token() else {
            if edits.binary {
                return Err(Error::usage(
                    "option `binary` is for a finished message, and this one is composed: give the part the encoding `binary`",
                ));
            }
            let shape = Shape::Made(Node::new(message, edits)?);
            return Ok(Self { shape, forms: None, signatures: None });
        };
        let shape = Shape::of_finished(finished, edits)?;
        // What must go as it is has no other form.
        let forms = finished
            .rewriter()
            .filter(|_| !edits.binary)
            .map(|own| Box::new(Forms::new(own.clone(), finished, edits)));
        Ok(Self { shape, forms, signatures: None })
    }

    /// Has the message signed, in each form that it takes. `now` is in seconds since 1970.
    pub fn sign(&mut self, signers: Vec<Arc<dyn Signer>>, now: i64) {
        self.signatures = Some(Box::new(Signatures::new(signers, now)));
    }

    /// The message as it looks for a server.
    fn shape(&self, transfer: Transfer) -> Result<&Shape, Error> {
        match &self.forms {
            Some(forms) if !self.shape.fits(transfer) => forms.get(transfer),
            _ => Ok(&self.shape),
        }
    }

    /// Writes the message as it goes to a server that takes `transfer`, and gives its octets: with CRLF at the end of every line,
    /// the last one too, unless it is binary.
    ///
    /// # Errors
    /// [`Kind::Source`] if it cannot be read or written, [`Kind::Unsupported`] if it has no such form.
    pub fn write(&mut self, transfer: Transfer, out: &mut dyn io::Write) -> Result<u64, Error> {
        let is_binary = self.form(transfer)?.body == BodyKind::BinaryMime;
        let mut input = self.open(transfer)?;
        let failed = |verb: &str, e: &io::Error| {
            Error::new(Kind::Source, Step::Setup, format!("the message cannot be {verb}: {e}"))
        };
        let mut count = 0_u64;
        let mut after_cr = false;
        let mut ended = true;
        let mut buffer = Vec::new();
        loop {
            let data = input.fill_buf().map_err(|e| failed("read", &e))?;
            let data = data.get(..super::PIECE).unwrap_or(data);
            if data.is_empty() {
                break;
            }
            buffer.clear();
            if is_binary {
                buffer.extend_from_slice(data);
            } else {
                canonical(data, &mut after_cr, &mut buffer);
            }
            let taken = data.len();
            input.consume(taken);
            ended = buffer.last().map_or(ended, |last| *last == b'\n');
            out.write_all(&buffer).map_err(|e| failed("written", &e))?;
            count = count.saturating_add(buffer.len() as u64);
        }
        if !ended && !is_binary {
            out.write_all(b"\r\n").map_err(|e| failed("written", &e))?;
            count = count.saturating_add(2);
        }
        out.flush().map_err(|e| failed("written", &e))?;
        Ok(count)
    }
}

impl Content for Outgoing {
    fn needs_utf8(&self) -> bool {
        self.shape.needs_utf8()
    }

    fn form(&self, transfer: Transfer) -> Result<Form, Error> {
        let shape = self.shape(transfer)?;
        match &self.signatures {
            None => shape.form(transfer),
            Some(signatures) => signatures.form(shape, transfer),
        }
    }

    fn open(&mut self, transfer: Transfer) -> Result<Box<dyn BufRead + Send>, Error> {
        let shape = self.shape(transfer)?;
        match &self.signatures {
            None => shape.open(transfer),
            Some(signatures) => signatures.open(shape, transfer),
        }
    }

    fn memory(&self, transfer: Transfer) -> Option<Memory> {
        match self.shape(transfer) {
            Ok(Shape::Untouched(blob)) if self.signatures.is_none() => {
                Some(Memory::new(Arc::<Blob>::clone(blob)))
            }
            _ => None,
        }
    }
}

impl Shape {
    pub(super) fn of_finished(finished: &Finished, edits: &Edits) -> Result<Self, Error> {
        if let Some(blob) = finished.untouched(edits).filter(|_| !edits.binary) {
            blob.survey(Role::Message).check(blob.bytes())?;
            return Ok(Self::Untouched(Arc::clone(blob)));
        }
        Ok(Self::Made(Node::Finished(Box::new(finished.prepare(edits, false)?))))
    }

    fn needs_utf8(&self) -> bool {
        match self {
            Self::Untouched(blob) => {
                blob.survey(Role::Message).raw.as_ref().is_some_and(|raw| raw.other.is_none())
            }
            Self::Made(node) => node.needs_utf8(),
        }
    }

    /// Whether a server takes it without another form.
    fn fits(&self, transfer: Transfer) -> bool {
        (transfer.utf8 || !self.needs_utf8()) && self.form(transfer).is_ok()
    }

    pub(super) fn form(&self, transfer: Transfer) -> Result<Form, Error> {
        match self {
            Self::Untouched(blob) => {
                let survey = blob.survey(Role::Message);
                let census = survey.whole();
                let form =
                    finished::form(census.eight_bit, survey.raw.as_ref(), Some(census.size()), transfer)?;
                Ok(Form { clean: census.clean(), ..form })
            }
            Self::Made(node) => node.form(transfer),
        }
    }

    pub(super) fn open(&self, transfer: Transfer) -> Result<Box<dyn BufRead + Send>, Error> {
        match self {
            Self::Untouched(blob) => Ok(Box::new(Slice::new(Arc::clone(blob), 0..blob.bytes().len()))),
            Self::Made(node) => node.open(transfer),
        }
    }
}
