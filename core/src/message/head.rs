//! The header section of a finished message: where it ends and where each field lies (RFC 5322 2.1).

use std::borrow::Cow;
use std::io;
use std::ops::Range;

use super::known::KnownSet;

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
    fn is(&self, data: &[u8], name: &str) -> bool {
        self.name.len() == name.len()
            && data.get(self.name.clone()).is_some_and(|own| own.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// A header section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) fields: Vec<Span>,
    known: KnownSet,
    /// Where the fields end: at the empty line, at a line that is no field, or at the end of the message.
    pub(super) end: usize,
    /// Whether the rest starts with the empty line, or there is no rest.
    pub(super) separated: bool,
}

impl Head {
    /// Parses a message that is in memory.
    pub(super) fn parse(data: &[u8]) -> Self {
        HeadParser::default().advance(data, true).unwrap_or_default()
    }

    /// The names of the fields, in order.
    pub(super) fn names<'a>(&self, data: &'a [u8]) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter_map(move |span| std::str::from_utf8(data.get(span.name.clone())?).ok())
    }

    /// Of each field of that name: what is behind the colon.
    pub(super) fn values<'a>(&self, data: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |span| span.is(data, name)).filter_map(move |span| {
            let raw = data.get(span.name.end..span.whole.end)?;
            raw.get(memchr::memchr(b':', raw)? + 1..)
        })
    }

    /// Whether there is a field of that name.
    pub(super) fn has(&self, data: &[u8], name: &str) -> bool {
        self.fields.iter().any(|span| span.is(data, name))
    }

    /// The known fields that there are.
    pub(super) fn known(&self) -> KnownSet {
        self.known
    }

    /// The parts of the header section that stay when the fields named in `remove` go.
    pub(super) fn kept(&self, data: &[u8], remove: &[String]) -> Vec<Range<usize>> {
        let mut kept: Vec<Range<usize>> = Vec::new();
        for span in &self.fields {
            if remove.iter().any(|name| span.is(data, name)) {
                continue;
            }
            match kept.last_mut() {
                Some(last) if last.end == span.whole.start => last.end = span.whole.end,
                _ => kept.push(span.whole.clone()),
            }
        }
        kept
    }
}

/// Finds the header section in data that grows; it does not look twice at a line that it has understood.
/// CRLF, LF and CR end a line, as they will on the wire.
#[derive(Debug, Default)]
pub(super) struct HeadParser {
    fields: Vec<Span>,
    known: KnownSet,
    position: usize,
}

enum Line {
    Field(Range<usize>),
    Continuation,
    Empty,
    Other,
    Undecided,
}

impl HeadParser {
    /// Looks at `data`, which starts with what was there at the last call. `None`: more is needed, which
    /// never is the case where `last` says that no more will come.
    pub(super) fn advance(&mut self, data: &[u8], last: bool) -> Option<Head> {
        loop {
            let rest = data.get(self.position..).unwrap_or_default();
            let end = line_end(rest, last);
            match self.line(rest, last) {
                Line::Undecided => return None,
                Line::Empty => return Some(self.head(true)),
                Line::Other => return Some(self.head(rest.is_empty())),
                Line::Continuation => {
                    let end = self.position.saturating_add(end?);
                    if let Some(field) = self.fields.last_mut() {
                        field.whole.end = end;
                    }
                    self.position = end;
                }
                Line::Field(name) => {
                    let end = self.position.saturating_add(end?);
                    self.known.insert(data.get(name.clone()).unwrap_or_default());
                    self.fields.push(Span { name, whole: self.position..end });
                    self.position = end;
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
            None => undecided,
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
                    Some(_) => Line::Other,
                }
            }
        }
    }

    fn head(&mut self, separated: bool) -> Head {
        Head { fields: std::mem::take(&mut self.fields), known: self.known, end: self.position, separated }
    }
}

/// The value of a field, from what is behind its colon.
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
mod tests {
    use super::*;

    fn names(data: &[u8]) -> (Vec<(String, String)>, usize, bool) {
        let head = Head::parse(data);
        let mut fields: Vec<(String, String)> = Vec::new();
        for name in head.names(data) {
            let before = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count();
            fields
                .push((name.to_owned(), unfolded(head.values(data, name).nth(before).unwrap()).into_owned()));
        }
        (fields, head.end, head.separated)
    }

    #[test]
    fn fields_are_found_whatever_ends_their_lines() {
        for end in ["\r\n", "\n", "\r"] {
            let data = ["A: 1", " 2", "\t3", "Bcc : x", "", "body: no", ""].join(end);
            let (fields, at, separated) = names(data.as_bytes());
            assert_eq!(fields, [("A".into(), "1 2\t3".into()), ("Bcc".into(), "x".into())], "{end:?}");
            assert!(separated);
            assert!(data.as_bytes()[at..].starts_with(end.as_bytes()));
        }
    }

    #[test]
    fn what_is_no_field_ends_the_header_section() {
        assert_eq!(names(b""), (vec![], 0, true));
        assert_eq!(names(b"\r\nA: b"), (vec![], 0, true));
        assert_eq!(names(b"From me Thu\r\nA: b\r\n"), (vec![], 0, false));
        assert_eq!(names(b": x\r\n"), (vec![], 0, false));
        assert_eq!(names(b" A: x\r\n"), (vec![], 0, false));
        assert_eq!(names(b"A: x\nno field\nBcc: y\n").1, 5);
        assert_eq!(names(b"A: x"), (vec![("A".into(), "x".into())], 4, true));
        assert_eq!(names(b"A"), (vec![], 0, false));
    }

    #[test]
    fn growing_data_gives_what_the_whole_gives() {
        let messages: [&[u8]; 7] = [
            b"A: 1\r\n 2\r\nB: x\r\n\r\nbody",
            b"A: 1\r\r\nbody",
            b"A: 1\n\rbody",
            b"no header at all\r\n",
            b"A : 1",
            b"A: 1\r",
            b"",
        ];
        for data in messages {
            let mut parser = HeadParser::default();
            let grown = (0..=data.len())
                .find_map(|end| parser.advance(&data[..end], false))
                .or_else(|| parser.advance(data, true));
            assert_eq!(grown, Some(Head::parse(data)), "{:?}", String::from_utf8_lossy(data));
        }
    }

    #[test]
    fn removed_fields_leave_the_others_in_one_piece() {
        let data = b"A: 1\r\nBcc: x,\r\n y\r\nC: 2\r\nbcc: z\r\nD: 3\r\n\r\n";
        let kept = Head::parse(data).kept(data, &["BCC".into()]);
        let kept: Vec<u8> = kept.into_iter().flat_map(|r| data[r].to_vec()).collect();
        assert_eq!(kept, b"A: 1\r\nC: 2\r\nD: 3\r\n");
    }
}
