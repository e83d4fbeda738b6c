//! The header section of a finished message: where it ends and where each field lies (RFC 5322 2.1).

use std::borrow::Cow;
use std::io;
use std::ops::Range;

use super::known::KnownSet;
use super::names::Names;
use crate::error::{Error, Kind, Step};

/// The longest header section that is looked for in a file or reader: it is held in memory, and no
/// server takes a longer one (Postfix: 100 KiB, Exim: 1 MiB).
pub(super) const MAX_HEAD: usize = 1024 * 1024;

/// One field: its name, and the whole of it with its folded lines and last line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) name: Range<usize>,
    pub(super) whole: Range<usize>,
}

impl Span {
    pub(super) fn name<'a>(&self, data: &'a [u8]) -> &'a str {
        // A name is ASCII.
        std::str::from_utf8(data.get(self.name.clone()).unwrap_or_default()).unwrap_or_default()
    }

    /// What comes after the colon.
    pub(super) fn value<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        let raw = data.get(self.name.end..self.whole.end).unwrap_or_default();
        raw.get(memchr::memchr(b':', raw).map_or(0, |colon| colon + 1)..).unwrap_or_default()
    }

    pub(super) fn is(&self, data: &[u8], name: &str) -> bool {
        self.name.len() == name.len()
            && data.get(self.name.clone()).is_some_and(|own| own.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// What the octets are: before the first field of a message some lines are skipped that no part of a message has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    #[default]
    Message,
    /// A part of another message, which ends its header section at the first line that is not a field.
    Part,
}

/// A header section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) fields: Vec<Span>,
    known: KnownSet,
    /// Where the fields end: at the empty line, or at the end of the message.
    pub(super) end: usize,
    /// Whether the rest starts with the empty line, or there is no rest.
    pub(super) separated: bool,
    /// A line among the fields of a message that is not one, and its number, from 1.
    broken: Option<(Range<usize>, usize)>,
}

impl Head {
    /// Parses octets that are in memory.
    pub(super) fn parse(data: &[u8], role: Role) -> Self {
        HeadParser::new(role).advance(data, true).unwrap_or_default()
    }

    /// The names of the fields, in order.
    pub(super) fn names<'a>(&self, data: &'a [u8]) -> impl Iterator<Item = &'a str> {
        self.fields.iter().map(move |span| span.name(data))
    }

    /// Of each field of that name: what is after the colon.
    pub(super) fn values<'a>(&self, data: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |span| span.is(data, name)).map(move |span| span.value(data))
    }

    /// The known fields that there are.
    pub(super) fn known(&self) -> KnownSet {
        self.known
    }

    /// Where the first field begins: after the lines that are skipped.
    pub(super) fn start(&self) -> usize {
        self.fields.first().map_or(0, |span| span.whole.start)
    }

    /// The parts of the header section that stay when the fields named in `remove` go.
    pub(super) fn kept(&self, data: &[u8], remove: &Names) -> Vec<Range<usize>> {
        let mut kept: Vec<Range<usize>> = Vec::new();
        for span in &self.fields {
            if remove.has(span.name(data)) {
                continue;
            }
            match kept.last_mut() {
                Some(last) if last.end == span.whole.start => last.end = span.whole.end,
                _ => kept.push(span.whole.clone()),
            }
        }
        kept
    }

    /// What is wrong with the header section.
    pub(super) fn fault(&self, data: &[u8]) -> Option<String> {
        /// Enough to find the line.
        const SHOWN: usize = 80;
        let (range, number) = self.broken.as_ref()?;
        let line = String::from_utf8_lossy(data.get(range.clone()).unwrap_or_default());
        let line = line.trim_end_matches(['\r', '\n']);
        let shown: String = line.chars().take(SHOWN).collect();
        if let Some(nul) = self.nul(data) {
            return Some(nul_at(nul as u64));
        }
        if line.is_empty() {
            return Some(format!(
                "line {number} of the message is empty by a CR beside another line end, so that it is unclear where the \
                 header section ends: end every line with CRLF alone, or with LF alone (RFC 5322 2.1)"
            ));
        }
        let more = if shown.len() < line.len() { "..." } else { "" };
        Some(format!(
            "line {number} of the message is not a header field: {shown:?}{more}; a field is a name without spaces, a \
             colon and a value, and only an empty line ends the header section (RFC 5322 section 2): correct the line, \
             or put an empty line where the text begins"
        ))
    }

    /// A NUL in the line that is not a field, or before it.
    fn nul(&self, data: &[u8]) -> Option<usize> {
        memchr::memchr(0, data.get(..self.broken.as_ref()?.0.end)?)
    }

    /// # Errors
    /// As [`check`](Self::check), for what comes from a reader, in which a NUL is the reader's fault.
    pub(super) fn check_read(&self, data: &[u8]) -> Result<(), Error> {
        match self.nul(data) {
            Some(nul) => Err(Error::new(Kind::Source, Step::Setup, nul_at(nul as u64))),
            None => self.check(data),
        }
    }

    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a line among the fields that is not one.
    pub(super) fn check(&self, data: &[u8]) -> Result<(), Error> {
        self.fault(data).map_or(Ok(()), |text| Err(Error::usage(text)))
    }
}

pub(super) fn nul_at(octet: u64) -> String {
    format!(
        "the message has a NUL at octet {octet}, which no message may have (RFC 5322 4): encode that part"
    )
}

/// Whether the first paragraph says of itself, by a MIME-Version field, that it is the header section of a message.
pub(super) fn declares_mime(content: &[u8]) -> bool {
    const NAME: &[u8] = b"MIME-Version";
    let mut rest = content.trim_ascii_start();
    while !rest.is_empty() && !matches!(rest.first(), Some(b'\r' | b'\n')) {
        if let Some((name, behind)) = rest.split_at_checked(NAME.len())
            && name.eq_ignore_ascii_case(NAME)
            && behind.trim_ascii_start().starts_with(b":")
        {
            return true;
        }
        rest = line_end(rest, true).and_then(|end| rest.get(end..)).unwrap_or_default();
    }
    false
}

/// Finds the header section in data that grows; it does not look twice at a line that it has understood.
/// CRLF, LF and CR end a line, as they will on the wire.
///
/// Before the first field of a message the `From ` line of an mbox (also quoted, `>From `), a byte order mark and empty
/// lines are skipped, as sendmail, Postfix and Exim do. A message whose first paragraph has no field is all body.
#[derive(Debug, Default)]
pub(super) struct HeadParser {
    role: Role,
    fields: Vec<Span>,
    known: KnownSet,
    position: usize,
    /// The lines before `position`.
    lines: usize,
    /// Whether there is a field, perhaps not a whole one.
    begun: bool,
    /// The first line that is not a field, where none was one before it.
    text: Option<(Range<usize>, usize)>,
}

enum Line {
    Field(Range<usize>),
    Continuation,
    Empty,
    Mbox,
    Other,
    End,
    Undecided,
}

impl HeadParser {
    pub(super) fn new(role: Role) -> Self {
        Self { role, ..Self::default() }
    }

    /// Looks at `data`, which starts with what was there at the last call. `None`: more is needed, which
    /// never is the case where `last` says that no more will come.
    pub(super) fn advance(&mut self, data: &[u8], last: bool) -> Option<Head> {
        let found = self.find(data, last);
        // No field so far, and nobody has a header section as long as that.
        let endless = found.is_none() && !self.begun && data.len() > MAX_HEAD;
        if endless { Some(self.no_fields(data)) } else { found }
    }

    fn find(&mut self, data: &[u8], last: bool) -> Option<Head> {
        if self.position == 0 && self.role == Role::Message {
            self.position = byte_order_mark(data, last)?;
        }
        loop {
            let rest = data.get(self.position..).unwrap_or_default();
            let before_fields = self.fields.is_empty() && self.role == Role::Message;
            if before_fields && self.position > MAX_HEAD {
                return Some(self.no_fields(data));
            }
            match self.line(rest, last) {
                Line::Undecided => return None,
                Line::End | Line::Empty if before_fields && (self.text.is_some() || rest.is_empty()) => {
                    return Some(self.no_fields(data));
                }
                Line::End => return Some(self.head(true)),
                Line::Empty if before_fields => self.pass(line_end(rest, last)?),
                Line::Empty if self.role == Role::Message && stray_return(data, self.position, last)? => {
                    let line = self.position..self.position.saturating_add(line_end(rest, last)?);
                    let broken = Some((line, self.lines.saturating_add(1)));
                    return Some(Head { broken, ..self.head(false) });
                }
                Line::Empty => return Some(self.head(true)),
                Line::Mbox if before_fields && self.text.is_none() => self.pass(line_end(rest, last)?),
                Line::Mbox | Line::Other if before_fields => {
                    let end = line_end(rest, last)?;
                    let line = self.position..self.position.saturating_add(end);
                    self.text.get_or_insert((line, self.lines.saturating_add(1)));
                    self.pass(end);
                }
                Line::Mbox | Line::Other if self.role == Role::Part => return Some(self.head(false)),
                Line::Mbox | Line::Other => {
                    let line = self.position..self.position.saturating_add(line_end(rest, last)?);
                    let broken = Some((line, self.lines.saturating_add(1)));
                    return Some(Head { broken, ..self.head(false) });
                }
                Line::Field(_) if self.text.is_some() => {
                    return Some(Head { broken: self.text.take(), ..self.no_fields(data) });
                }
                Line::Continuation => {
                    self.pass(line_end(rest, last)?);
                    if let Some(field) = self.fields.last_mut() {
                        field.whole.end = self.position;
                    }
                }
                Line::Field(name) => {
                    let start = self.position;
                    self.begun = true;
                    self.pass(line_end(rest, last)?);
                    self.known.insert(data.get(name.clone()).unwrap_or_default());
                    self.fields.push(Span { name, whole: start..self.position });
                }
            }
        }
    }

    pub(super) fn too_long() -> io::Error {
        let text =
            format!("the header section is longer than {MAX_HEAD} octets; is there an empty line after it?");
        io::Error::new(io::ErrorKind::InvalidData, text)
    }

    fn line(&self, rest: &[u8], last: bool) -> Line {
        let undecided = if last { Line::Other } else { Line::Undecided };
        match rest.first() {
            None if last => Line::End,
            None => Line::Undecided,
            Some(b'\r' | b'\n') => Line::Empty,
            Some(b' ' | b'\t') if self.fields.is_empty() => Line::Other,
            Some(b' ' | b'\t') => Line::Continuation,
            Some(_) => {
                let Some(length) = rest.iter().position(|b| !b.is_ascii_graphic() || *b == b':') else {
                    return undecided;
                };
                // White space in front of the colon is obsolete syntax (RFC 5322 4.5), and a field.
                let behind =
                    rest.get(length..).unwrap_or_default().iter().find(|b| !matches!(b, b' ' | b'\t'));
                match behind {
                    None => undecided,
                    Some(b':') if length > 0 => {
                        Line::Field(self.position..self.position.saturating_add(length))
                    }
                    Some(_) if rest.starts_with(b"From ") || rest.starts_with(b">From ") => Line::Mbox,
                    Some(_) => Line::Other,
                }
            }
        }
    }

    fn pass(&mut self, line: usize) {
        self.position = self.position.saturating_add(line);
        self.lines = self.lines.saturating_add(1);
    }

    fn head(&mut self, separated: bool) -> Head {
        let fields = std::mem::take(&mut self.fields);
        Head { fields, known: self.known, end: self.position, separated, broken: None }
    }

    /// All is body; nothing was skipped.
    fn no_fields(&mut self, data: &[u8]) -> Head {
        self.position = 0;
        self.head(matches!(data.first(), None | Some(b'\r' | b'\n')))
    }
}

/// The octets of a byte order mark in front. `None`: that is not known yet.
fn byte_order_mark(data: &[u8], last: bool) -> Option<usize> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if data.starts_with(MARK) {
        return Some(MARK.len());
    }
    if !last && data.len() < MARK.len() && MARK.starts_with(data) { None } else { Some(0) }
}

/// The value of a field, from what comes after its colon.
pub(super) fn unfolded(raw: &[u8]) -> Cow<'_, str> {
    let is_white = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    let start = raw.iter().position(|octet| !is_white(octet)).unwrap_or(raw.len());
    let end = raw.iter().rposition(|octet| !is_white(octet)).map_or(start, |last| last.saturating_add(1));
    let text = raw.get(start..end).unwrap_or_default();
    let folded = memchr::memchr2(b'\r', b'\n', text).is_some();
    match std::str::from_utf8(text) {
        Ok(text) if !folded => text.into(),
        _ => String::from_utf8_lossy(text).replace(['\r', '\n'], "").into(),
    }
}

/// Whether the line that is empty there is so only by a CR beside another line end, CR CR LF or LF CR, as programs write
/// that end lines twice: fields may come after it. `None`: that is not known yet.
fn stray_return(data: &[u8], at: usize, last: bool) -> Option<bool> {
    let before = at.checked_sub(1).and_then(|before| data.get(before));
    match (before, data.get(at), data.get(at + 1)) {
        (_, Some(b'\r'), None) if !last => None,
        (Some(b'\r'), Some(b'\r'), Some(b'\n')) => Some(true),
        (Some(b'\n'), Some(b'\r'), Some(next)) => Some(*next != b'\n'),
        _ => Some(false),
    }
}

/// The length of the first line with its line end. A CR at the very end may be half a CRLF.
fn line_end(data: &[u8], last: bool) -> Option<usize> {
    let Some(at) = memchr::memchr2(b'\r', b'\n', data) else {
        return last.then_some(data.len());
    };
    match (data.get(at), data.get(at + 1)) {
        (Some(b'\r'), Some(b'\n')) => Some(at + 2),
        (Some(b'\r'), None) if !last => None,
        _ => Some(at + 1),
    }
}

#[cfg(test)]
mod tests;
