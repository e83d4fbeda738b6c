//! Finished messages: sent as they are, except for fields that go and fields that are put in front.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor};
use std::ops::Range;
use std::sync::Arc;

use super::PIECE;
use super::codec::Codec;
use super::field::Fields;
use super::head::{Head, HeadParser, MAX_HEAD, Role, nul_at};
use super::header::Section;
use super::known::Known;
use super::names::Names;
use super::rendered::Rendered;
use super::rewrite::Rewriter;
use super::source::{Path, Readability, Source, source};
use super::stream::{Chain, Checked, Coded, Edited, Promise, Slice, Stream};
use super::survey::{Blob, Census, Raw, Survey};
use super::{Edits, HeaderMode};
use crate::content::{BodyKind, Form, Transfer};
use crate::error::{Error, Kind, Step};

const NAME: &str = "the message";

/// A finished message and what was changed in its header section since.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    source: Source,
    front: Fields,
    removed: Names,
    rewriter: Option<Rewriter>,
}

impl Finished {
    pub(super) fn new(source: Source) -> Self {
        Self { source, front: Fields::default(), removed: Names::default(), rewriter: None }
    }

    /// A message in memory that can be written anew.
    pub(super) fn rewritable(octets: Vec<u8>, rewriter: Rewriter) -> Self {
        Self { rewriter: Some(rewriter), ..Self::new(Source::bytes(octets)) }
    }

    pub(super) fn rewriter(&self) -> Option<&Rewriter> {
        self.rewriter.as_ref()
    }

    /// The same changes to other octets.
    pub(super) fn with_source(&self, source: Source) -> Self {
        Self { source, rewriter: None, ..self.clone() }
    }

    /// The header section, read now.
    pub(super) fn section(&self) -> Result<Section<'_>, Error> {
        let (data, head) = match self.source.place()? {
            Readability::Memory(blob) => {
                let head = &blob.survey(Role::Message).head;
                head.check(blob.bytes())?;
                (Cow::Borrowed(blob.bytes()), Cow::Borrowed(head))
            }
            Readability::Regular(path, file, _) => {
                let (data, head, _) = file_head(path, file, Role::Message)?;
                head.check(&data)?;
                (Cow::Owned(data), Cow::Owned(head))
            }
            Readability::Stream(slot) => {
                let Some((data, head)) = slot.head(Role::Message)? else {
                    return Err(source(
                        "the reader has nothing to give yet, so the header section is not known: \
                         name the originator and the recipients"
                            .to_owned(),
                    ));
                };
                head.check_read(&data)?;
                (Cow::Owned(data), Cow::Owned(head))
            }
        };
        Ok(Section { front: &self.front, removed: &self.removed, data, head })
    }

    pub(super) fn set(&mut self, name: &str, value: &str, mode: HeaderMode) {
        if mode != HeaderMode::Append {
            self.removed.insert(name);
        }
        self.front.set(name, value, mode);
    }

    /// Sets fields, in place of those of the same name.
    pub(super) fn adopt(&mut self, fields: Fields) {
        self.removed.extend(fields.iter().map(|field| field.name.as_str()));
        self.front.adopt(fields);
    }

    /// The octets, where they are in memory and nothing was changed in front of them.
    pub(super) fn unchanged(&self) -> Option<&Arc<Blob>> {
        match &self.source {
            Source::Bytes(blob) if self.front.is_empty() && self.removed.is_empty() => Some(blob),
            _ => None,
        }
    }

    /// The whole message, where it is in memory and goes as it is.
    pub(super) fn untouched(&self, edits: &Edits) -> Option<&Arc<Blob>> {
        let Source::Bytes(blob) = &self.source else {
            return None;
        };
        let head = &blob.survey(Role::Message).head;
        let names_go = !self.removed.is_empty() || !edits.remove.is_empty();
        let goes = |name| self.removed.has(name) || edits.removes(name);
        let touched = !self.front.is_empty()
            || !edits.add.is_empty()
            || head.start() > 0
            || (edits.blind && head.known().has_any(&Known::BLIND))
            || names_go && head.names(blob.bytes()).any(goes);
        (!touched).then_some(blob)
    }

    /// Looks through the message. `embedded`: it will be a part of another one.
    pub(super) fn prepare(&self, edits: &Edits, embedded: bool) -> Result<Ready, Error> {
        let front = Rendered::of(edits.front(&self.front))?;
        let place = self.source.place()?;
        let role = if embedded { Role::Part } else { Role::Message };
        let mut remove = self.removed.clone();
        remove.extend(edits.remove.iter().map(String::as_str));
        if edits.blind {
            remove.extend(Known::BLIND.iter().map(|field| field.name()));
        }
        let mut ready = Ready {
            source: self.source.clone(),
            raw: None,
            edit: Edit { front, utf8: false, remove, embedded, binary: edits.binary },
            tail: None,
            promise: Promise { name: NAME, no_nul: !edits.binary, ..Promise::default() },
            estimate: None,
        };
        match place {
            Readability::Memory(blob) => ready.known(blob.bytes(), blob.survey(role))?,
            Readability::Regular(path, file, length) => {
                let (data, survey) = survey_file(path, file, role)?;
                ready.known(&data, &survey)?;
                ready.promise.length = Some(length);
            }
            Readability::Stream(slot) => {
                ready.promise.length = slot.length;
                ready.estimate = slot.length;
                if let Some((data, head)) = slot.head(role)? {
                    head.check_read(&data)?;
                    ready.edit.check(&head, &data)?;
                    ready.raw = Raw::of(&head, &data, &ready.edit.remove);
                    let kept = ready.edit.kept(&head, &data);
                    let gone = kept.iter().fold(head.end, |gone, range| gone.saturating_sub(range.len()));
                    ready.estimate = slot.length.map(|l| l.saturating_sub(gone as u64));
                }
            }
        }
        Ok(ready)
    }
}

/// Whether fields are written without encoding: SMTPUTF8 alone is of no use, and no server may offer it so.
pub(super) fn raw_fields(transfer: Transfer) -> bool {
    transfer.utf8 && transfer.eight_bit
}

/// # Errors
/// [`Kind::Unsupported`](crate::error::Kind::Unsupported) if there is a `field` without a form in ASCII and no way for it.
pub(super) fn may_be_raw(field: Option<&str>, transfer: Transfer) -> Result<(), Error> {
    let Some(field) = field.filter(|_| !raw_fields(transfer)) else { return Ok(()) };
    let text = format!(
        "the header field {field} has characters beyond ASCII that cannot be encoded (RFC 2047 section 5): the server must \
         offer SMTPUTF8, and 8BITMIME with it (RFC 6531 section 3.1)"
    );
    Err(Error::new(Kind::Unsupported, Step::Setup, text))
}

/// What becomes of a header section.
#[derive(Clone, Debug, Default)]
pub(super) struct Edit {
    /// Fields that are put in front.
    front: Rendered,
    /// Whether those are written in UTF-8.
    utf8: bool,
    remove: Names,
    embedded: bool,
    /// The message goes octet for octet, its line ends too.
    binary: bool,
}

impl Edit {
    pub(super) fn role(&self) -> Role {
        if self.embedded { Role::Part } else { Role::Message }
    }

    fn front(&self) -> &str {
        self.front.text(self.utf8)
    }

    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) as [`fault`](Self::fault) has it.
    fn check(&self, head: &Head, data: &[u8]) -> Result<(), Error> {
        self.fault(head, data).map_or(Ok(()), |text| Err(Error::usage(text)))
    }

    /// What is wrong with the header section of a message that goes octet for octet.
    pub(super) fn fault(&self, head: &Head, data: &[u8]) -> Option<String> {
        if !self.binary {
            return None;
        }
        if head.fields.is_empty() {
            let text = "option `binary`: the message has no header section, which must say what is binary (RFC 3030 section 3)";
            return Some(text.to_owned());
        }
        let (fields, rest) = data.split_at_checked(head.end)?;
        if let Some(nul) = memchr::memchr(0, fields) {
            return Some(nul_at(nul as u64));
        }
        let is_bare = match rest {
            [b'\r', next, ..] => *next != b'\n',
            rest => rest.first() == Some(&b'\n'),
        };
        (is_bare || Census::of(fields).bare() > 0).then(|| {
            "option `binary` sends the message as it is, and its header section has a line end other than CRLF, which RFC 3030 \
             section 3 asks for: end the lines in CRLF, except for those of binary parts"
                .to_owned()
        })
    }

    /// The edited header section and all of `data` after the old one.
    pub(super) fn apply(&self, head: &Head, data: &[u8]) -> Vec<u8> {
        let kept = self.kept(head, data);
        let mut out = self.front().as_bytes().to_vec();
        for range in &kept {
            out.extend_from_slice(data.get(range.clone()).unwrap_or_default());
        }
        out.extend_from_slice(self.separator(head, &kept, data));
        out.extend_from_slice(data.get(head.end..).unwrap_or_default());
        out
    }

    /// The parts of the header section that stay.
    fn kept(&self, head: &Head, data: &[u8]) -> Vec<Range<usize>> {
        head.kept(data, &self.remove)
    }

    /// A message without a header section is all body: an empty line keeps it apart from what is put in
    /// front. As a part of another message it also needs the one that a header section alone may lack.
    fn separator(&self, head: &Head, kept: &[Range<usize>], data: &[u8]) -> &'static [u8] {
        let headless = head.fields.is_empty() && !head.separated;
        if headless && (self.embedded || !self.front().is_empty()) {
            return b"\r\n";
        }
        let last = kept.last().map_or(0, |range| range.end).checked_sub(1).and_then(|at| data.get(at));
        // A field that went between a lone CR and a lone LF must not make one line end of them.
        if last == Some(&b'\r') && data.get(head.end) == Some(&b'\n') {
            return b"\n";
        }
        let bodiless = self.embedded && head.end == data.len();
        match last {
            Some(b'\r' | b'\n') if bodiless => b"\r\n",
            Some(_) if bodiless => b"\r\n\r\n",
            _ => b"",
        }
    }
}

/// A finished message that is ready to be sent.
#[derive(Debug)]
pub(super) struct Ready {
    source: Source,
    edit: Edit,
    raw: Option<Raw>,
    /// What follows the fields in front, counted; `None` if it is read once.
    tail: Option<Census>,
    promise: Promise,
    /// The size without the fields in front, where a reader says its length.
    estimate: Option<u64>,
}

impl Ready {
    /// `data` has at least the header section.
    fn known(&mut self, data: &[u8], survey: &Survey) -> Result<(), Error> {
        if self.edit.binary {
            survey.head.check(data)?;
            self.edit.check(&survey.head, data)?;
        } else {
            survey.check(data)?;
        }
        let kept = self.edit.kept(&survey.head, data);
        let mut tail = match kept.as_slice() {
            [all] if *all == (0..survey.head.end) => survey.fields,
            _ => kept.iter().fold(Census::default(), |mut sum, range| {
                sum.append(&Census::of(data.get(range.clone()).unwrap_or_default()));
                sum
            }),
        };
        if tail.eight_bit {
            self.raw = Raw::of(&survey.head, data, &self.edit.remove);
        }
        let whole = data.get(..survey.head.end.saturating_add(usize::from(survey.rest.length > 0)));
        tail.update(self.edit.separator(&survey.head, &kept, whole.unwrap_or(data)));
        if self.edit.binary {
            tail.length = tail.length.saturating_add(survey.rest.length);
        } else {
            tail.append(&survey.rest);
        }
        self.tail = Some(tail);
        Ok(())
    }

    pub(super) fn needs_utf8(&self) -> bool {
        self.edit.front.unencoded().is_some() || self.raw.as_ref().is_some_and(|raw| raw.other.is_none())
    }

    fn count(&self, transfer: Transfer) -> Option<Census> {
        let tail = self.tail.as_ref()?;
        let mut census = Census::of(self.front(transfer).as_bytes());
        census.append(tail);
        Some(census)
    }

    fn front(&self, transfer: Transfer) -> &str {
        self.edit.front.text(raw_fields(transfer))
    }

    pub(super) fn form(&self, transfer: Transfer) -> Result<Form, Error> {
        let unencoded = self.edit.front.unencoded();
        may_be_raw(unencoded, transfer)?;
        let count = self.count(transfer);
        if self.edit.binary {
            let front = self.front(transfer).len() as u64;
            let size =
                count.map(|census| census.length).or_else(|| Some(self.estimate?.saturating_add(front)));
            let form = binary_form(self.raw.as_ref(), size, transfer)?;
            return Ok(Form { exact: count.is_some(), ..form });
        }
        let eight_bit = match &count {
            Some(census) => census.eight_bit,
            None => transfer.eight_bit || unencoded.is_some() || self.raw.is_some(),
        };
        let size = match &count {
            Some(census) => Some(census.size()),
            None => {
                let front = self.front(transfer).len() as u64;
                self.estimate.map(|e| e.saturating_add(front))
            }
        };
        Ok(Form { exact: count.is_some(), ..form(eight_bit, self.raw.as_ref(), size, transfer)? })
    }

    /// Whether the size is counted, and not what a reader says.
    pub(super) fn is_counted(&self, transfer: Transfer) -> bool {
        self.count(transfer).is_some()
    }

    /// The size in another message, and whether the last line is ended.
    pub(super) fn embedded_size(&self, transfer: Transfer) -> Result<(Option<u64>, bool), Error> {
        Ok(match self.count(transfer) {
            Some(census) => (Some(census.canonical()), census.ended()),
            None => (self.form(transfer)?.size, true),
        })
    }

    pub(super) fn open(&self, transfer: Transfer) -> Result<Stream, Error> {
        let front = self.front(transfer);
        if let Source::Bytes(blob) = &self.source {
            let (head, data) = (&blob.survey(self.edit.role()).head, blob.bytes());
            let kept = self.edit.kept(head, data);
            let separator = self.edit.separator(head, &kept, data);
            if front.is_empty()
                && separator.is_empty()
                && matches!(kept.as_slice(), [all] if *all == (0..head.end))
            {
                return Ok(Box::new(Slice::new(Arc::clone(blob), 0..data.len())));
            }
            let mut chain: VecDeque<Stream> = VecDeque::new();
            chain.push_back(Box::new(Cursor::new(front.to_owned())));
            for range in kept {
                chain.push_back(Box::new(Slice::new(Arc::clone(blob), range)));
            }
            chain.push_back(Box::new(Cursor::new(separator)));
            chain.push_back(Box::new(Slice::new(Arc::clone(blob), head.end..data.len())));
            return Ok(Box::new(Chain(chain)));
        }
        let input = Checked::new(self.source.open(self.edit.embedded)?, self.promise.clone());
        let edit = Edit { utf8: raw_fields(transfer), ..self.edit.clone() };
        let edited = Box::new(Edited::new(Box::new(input), edit));
        if transfer.eight_bit || self.edit.binary || self.tail.is_some() {
            return Ok(edited);
        }
        // Looked at after the edit: what is stripped does not count.
        Ok(Box::new(Checked::new(edited, Promise { name: NAME, seven_bit: true, ..Promise::default() })))
    }

    /// As [`open`](Self::open), with CRLF line ends.
    pub(super) fn open_embedded(&self, transfer: Transfer) -> Result<Stream, Error> {
        let stream = self.open(transfer)?;
        if self.tail.is_some_and(|tail| tail.bare() == 0) {
            return Ok(stream);
        }
        Ok(Box::new(Coded::new(stream, Codec::Lines { after_cr: false })))
    }
}

/// The form of a finished message, which is never encoded again.
pub(super) fn form(
    eight_bit: bool,
    raw: Option<&Raw>,
    size: Option<u64>,
    transfer: Transfer,
) -> Result<Form, Error> {
    check_utf8(raw, transfer)?;
    if eight_bit && !transfer.eight_bit {
        let place = match raw {
            Some(raw) => format!(" in the header field {}", raw.field),
            None => String::new(),
        };
        return Err(unsupported(format!(
            "the message has 8-bit octets{place} and the server does not offer 8BITMIME; a finished message is not \
             encoded again: encode it as quoted-printable or base64, or compose it here"
        )));
    }
    let body = if eight_bit { BodyKind::EightBitMime } else { BodyKind::SevenBit };
    Ok(Form { body, size, exact: true, clean: false })
}

/// The form of a finished message that goes octet for octet (RFC 3030 section 3).
fn binary_form(raw: Option<&Raw>, size: Option<u64>, transfer: Transfer) -> Result<Form, Error> {
    check_utf8(raw, transfer)?;
    if !transfer.binary {
        return Err(unsupported(
            "option `binary`: the server does not offer BINARYMIME with CHUNKING (RFC 3030), or option `chunking` is off: encode \
             the binary parts in base64, and leave the option out"
                .to_owned(),
        ));
    }
    Ok(Form { body: BodyKind::BinaryMime, size, exact: true, clean: false })
}

fn check_utf8(raw: Option<&Raw>, transfer: Transfer) -> Result<(), Error> {
    let Some(field) = raw.and_then(|raw| raw.other.as_ref()).filter(|_| transfer.utf8) else { return Ok(()) };
    Err(unsupported(format!(
        "the header field {field} is not in UTF-8, as SMTPUTF8 needs it, and the envelope needs SMTPUTF8 (RFC 6532 \
         section 3): encode the field (RFC 2047)"
    )))
}

fn unsupported(text: String) -> Error {
    Error::new(Kind::Unsupported, Step::Setup, text)
}

/// The header section of a regular file, with what was read after it, and the open rest.
fn file_head(path: &Path, file: File, role: Role) -> Result<(Vec<u8>, Head, impl BufRead + use<>), Error> {
    let mut input = BufReader::with_capacity(PIECE, file);
    let mut parser = HeadParser::new(role);
    let mut data = Vec::new();
    loop {
        let piece = input.fill_buf().map_err(|e| path.error("read", &e))?;
        let count = piece.len();
        data.extend_from_slice(piece);
        input.consume(count);
        if let Some(head) = parser.advance(&data, count == 0) {
            return Ok((data, head, input));
        }
        if data.len() > MAX_HEAD {
            return Err(path.error("used", &HeadParser::too_long()));
        }
    }
}

fn survey_file(path: &Path, file: File, role: Role) -> Result<(Vec<u8>, Survey), Error> {
    let (data, head, mut input) = file_head(path, file, role)?;
    let mut survey = Survey::of(head, &data);
    count(path, &mut input, |piece| survey.rest.update(piece))?;
    Ok((data, survey))
}

/// Shows every piece of a file to `each`.
pub(super) fn count(file: &Path, input: &mut impl BufRead, mut each: impl FnMut(&[u8])) -> Result<(), Error> {
    loop {
        let piece = input.fill_buf().map_err(|e| file.error("read", &e))?;
        if piece.is_empty() {
            return Ok(());
        }
        each(piece);
        let count = piece.len();
        input.consume(count);
    }
}
