//! What must be known of octets before they are sent: how many, in which lines, and whether above 127.

use std::sync::OnceLock;

use fearless_simd::{Level, Simd, dispatch};

use super::head::{Head, Role, nul_at};
use super::names::Names;
use super::quoted::Counter;
use crate::error::Error;

/// Small enough for the passes over one piece to find it in the first cache.
const STEP: usize = 16 * 1024;

/// The longest line, without CRLF (RFC 5322 2.1.1).
const LINE: usize = 998;

/// Counts octets as they will be on the wire, in any pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// The octets as given.
    pub(super) length: u64,
    /// The first NUL.
    pub(super) nul: Option<u64>,
    /// Whether an octet is above 127.
    pub(super) eight_bit: bool,
    /// Whether a line has more than 998 octets; the CR of a CRLF counts here.
    pub(super) long: bool,
    /// Every CR without an LF after it, and every LF without a CR before it. A CR at the end is not counted yet.
    bare: u64,
    /// Whether a line begins with a dot.
    dots: bool,
    /// The octets of the line so far, where no line was long.
    line: usize,
    last: Option<u8>,
}

impl Census {
    pub(super) fn of(data: &[u8]) -> Self {
        let mut census = Self::default();
        census.update(data);
        census
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        for piece in data.chunks(STEP) {
            self.piece(piece);
        }
    }

    /// Adds what was counted of octets that follow and start a line.
    pub(super) fn append(&mut self, next: &Self) {
        self.nul = self.nul.or_else(|| Some(self.length.saturating_add(next.nul?)));
        self.bare = self.bare().saturating_add(next.bare);
        self.length = self.length.saturating_add(next.length);
        self.eight_bit |= next.eight_bit;
        self.long |= next.long;
        self.dots |= next.dots;
        if next.last.is_some() {
            self.line = next.line;
            self.last = next.last;
        } else if self.last == Some(b'\r') {
            self.bare = self.bare.saturating_sub(1);
        }
    }

    /// How many CRs and LFs stand alone.
    pub(super) fn bare(&self) -> u64 {
        self.bare.saturating_add(u64::from(self.last == Some(b'\r')))
    }

    /// The octets when every line ends in CRLF, the last line as it is.
    pub(super) fn canonical(&self) -> u64 {
        self.length.saturating_add(self.bare())
    }

    /// Whether every line ends in CRLF, but perhaps the last one, and none begins with a dot.
    pub(super) fn clean(&self) -> bool {
        self.bare() == 0 && !self.dots
    }

    /// Whether the last line is ended.
    pub(super) fn ended(&self) -> bool {
        matches!(self.last, None | Some(b'\r' | b'\n'))
    }

    /// The octets on the wire: every line ends in CRLF, the last one too (RFC 1870, RFC 5321 4.1.1.4).
    pub(super) fn size(&self) -> u64 {
        self.canonical().saturating_add(if self.ended() { 0 } else { 2 })
    }

    fn piece(&mut self, piece: &[u8]) {
        let (Some(&first), Some(&last)) = (piece.first(), piece.last()) else {
            return;
        };
        let next = piece.get(1..).unwrap_or_default();
        let Seen { odd, least, any } = dispatch!(Level::new(), simd => look(simd, piece, next));
        if odd != 0 {
            let (bare, dots) = count_odd(piece, next);
            self.bare = self.bare.saturating_add(bare);
            self.dots |= dots;
        }
        if (self.last == Some(b'\r')) != (first == b'\n') {
            self.bare = self.bare.saturating_add(1);
        }
        self.dots |= first == b'.' && matches!(self.last, None | Some(b'\n'));
        self.eight_bit |= (any | last) > 127;
        if self.nul.is_none() && least.min(last) == 0 {
            self.nul = memchr::memchr(0, piece).map(|at| self.length.saturating_add(at as u64));
        }
        if !self.long {
            self.lines(piece);
        }
        self.length = self.length.saturating_add(piece.len() as u64);
        self.last = Some(last);
    }

    /// Leaps from line end to line end, each the last that a line of legal length could have: most lines
    /// are not looked at.
    fn lines(&mut self, mut piece: &[u8]) {
        loop {
            let window = piece.get(..=LINE - self.line).unwrap_or(piece);
            match memchr::memrchr(b'\n', window) {
                Some(at) => {
                    piece = piece.get(at + 1..).unwrap_or_default();
                    self.line = 0;
                }
                None => {
                    self.line += window.len();
                    self.long = self.line > LINE;
                    return;
                }
            }
        }
    }
}

/// What octets and their successors have.
#[derive(Clone, Copy)]
struct Seen {
    /// Not 0 if one is CR or the other is LF, but not both; or where one is LF and the other a dot.
    odd: u8,
    least: u8,
    /// The bits that any octet has.
    any: u8,
}

/// Looks at whole arrays, the last of which overlaps the one before: what is seen twice is seen. Written so that the
/// compiler makes vector instructions of it, as wide as the machine has them.
#[inline(always)]
fn look<S: Simd>(_: S, octets: &[u8], next: &[u8]) -> Seen {
    let octets = octets.get(..next.len()).unwrap_or_default();
    look_by::<256>(octets, next)
        .or_else(|| look_by::<16>(octets, next))
        .unwrap_or_else(|| octets.iter().zip(next).fold(Seen::NOTHING, Seen::and))
}

#[inline(always)]
fn look_by<const N: usize>(octets: &[u8], next: &[u8]) -> Option<Seen> {
    let array =
        |seen: Seen, (octets, next): (&[u8; N], &[u8; N])| octets.iter().zip(next).fold(seen, Seen::and);
    let seen = array(Seen::NOTHING, (octets.last_chunk()?, next.last_chunk()?));
    Some(octets.as_chunks().0.iter().zip(next.as_chunks().0).fold(seen, array))
}

impl Seen {
    const NOTHING: Self = Self { odd: 0, least: u8::MAX, any: 0 };

    #[inline(always)]
    fn and(self, (&a, &b): (&u8, &u8)) -> Self {
        let odd =
            (u8::from(a == b'\r') ^ u8::from(b == b'\n')) | (u8::from(a == b'\n') & u8::from(b == b'.'));
        Self { odd: self.odd | odd, least: self.least.min(a), any: self.any | a }
    }
}

/// How often an octet is CR or its successor is LF, but not both; and whether a LF and a dot follow each other.
fn count_odd(octets: &[u8], next: &[u8]) -> (u64, bool) {
    /// So many ones fit an octet.
    const BLOCK: usize = 192;
    let (mut bare, mut dots) = (0_u64, 0);
    for (octets, next) in octets.chunks(BLOCK).zip(next.chunks(BLOCK)) {
        let mut count = 0_u8;
        for (&a, &b) in octets.iter().zip(next) {
            count = count.wrapping_add(u8::from((a == b'\r') != (b == b'\n')));
            dots |= u8::from(a == b'\n') & u8::from(b == b'.');
        }
        bare = bare.saturating_add(u64::from(count));
    }
    (bare, dots != 0)
}

/// A finished message, looked through once: its header section, and both parts counted.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    pub(super) head: Head,
    /// The octets of the header section.
    pub(super) fields: Census,
    /// The octets after it.
    pub(super) rest: Census,
    /// Where an octet of the header section is above 127.
    pub(super) raw: Option<Raw>,
}

/// Octets above 127 in a header section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Raw {
    /// The first field that has one.
    pub(super) field: String,
    /// The first field that is not in UTF-8, so that SMTPUTF8 must not be declared (RFC 6532 section 3).
    pub(super) other: Option<String>,
}

impl Raw {
    /// Looks at the fields that are not named in `remove`.
    pub(super) fn of(head: &Head, data: &[u8], remove: &Names) -> Option<Self> {
        let octets = |range: &std::ops::Range<usize>| data.get(range.clone()).unwrap_or_default();
        let mut raw = head
            .fields
            .iter()
            .filter(|span| !octets(&span.whole).is_ascii() && !remove.has(span.name(data)))
            .peekable();
        let field = raw.peek()?.name(data).to_owned();
        let other = raw.find(|span| std::str::from_utf8(octets(&span.whole)).is_err());
        Some(Self { field, other: other.map(|span| span.name(data).to_owned()) })
    }
}

impl Survey {
    /// `data` begins with the header section, and may go on.
    pub(super) fn of(head: Head, data: &[u8]) -> Self {
        let (fields, rest) = data.split_at_checked(head.end).unwrap_or((data, &[]));
        let fields = Census::of(fields);
        let raw = if fields.eight_bit { Raw::of(&head, data, &Names::default()) } else { None };
        Self { fields, rest: Census::of(rest), raw, head }
    }

    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a NUL, and for a line among the fields that is not one.
    pub(super) fn check(&self, data: &[u8]) -> Result<(), Error> {
        let behind = |at: u64| at.saturating_add(self.head.end as u64);
        let Some(nul) = self.fields.nul.or(self.rest.nul.map(behind)) else {
            return self.head.check(data);
        };
        Err(Error::usage(nul_at(nul)))
    }

    /// Both parts counted as one.
    pub(super) fn whole(&self) -> Census {
        let mut whole = self.fields;
        whole.append(&self.rest);
        whole
    }
}

/// Octets in memory, with what was found out about them, so that a token that is sent again costs nothing again.
#[derive(Debug)]
pub(super) struct Blob {
    bytes: Vec<u8>,
    census: OnceLock<Census>,
    /// As a message, and as a part.
    surveys: [OnceLock<Survey>; 2],
    quoted: [OnceLock<u64>; 2],
}

impl Blob {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, census: OnceLock::new(), surveys: Default::default(), quoted: Default::default() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn census(&self) -> &Census {
        self.census.get_or_init(|| Census::of(&self.bytes))
    }

    pub(super) fn survey(&self, role: Role) -> &Survey {
        let [message, part] = &self.surveys;
        let cell = if role == Role::Part { part } else { message };
        cell.get_or_init(|| Survey::of(Head::parse(&self.bytes, role), &self.bytes))
    }

    /// The octets as quoted-printable, of text or of anything else.
    pub(super) fn quoted(&self, text: bool) -> u64 {
        let [other, lines] = &self.quoted;
        let cell = if text { lines } else { other };
        *cell.get_or_init(|| {
            let mut counter = Counter::new(text);
            counter.update(&self.bytes);
            counter.finish()
        })
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slow(data: &[u8]) -> (u64, u64) {
        let text: String = data.iter().map(|b| char::from(*b)).collect();
        let lines = text.replace("\r\n", "\n").replace('\r', "\n");
        let canonical =
            lines.len() + lines.matches('\n').count() - lines.chars().filter(|c| *c > '\x7f').count();
        let end = if lines.is_empty() || lines.ends_with('\n') { 0 } else { 2 };
        (canonical as u64, canonical as u64 + end)
    }

    #[test]
    fn long_lines_are_found_in_any_pieces() {
        for (length, long) in [(997, false), (998, false), (999, true), (1_000, true), (40_000, true)] {
            for end in ["", "\n"] {
                for before in [0, 1, 500, 5_000] {
                    let data = format!(
                        "{}{}{end}a\n",
                        "a\nb".repeat(before) + "\n",
                        "x".repeat(length - usize::from(end.is_empty()))
                    );
                    for step in [1, 7, 998, 999, 1_000, 100_000] {
                        let mut census = Census::default();
                        data.as_bytes().chunks(step).for_each(|piece| census.update(piece));
                        assert_eq!(census.long, long, "{length} {end:?} {before} {step}");
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_pieces_count_as_the_whole(data in proptest::collection::vec(prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'a'), Just(0u8), Just(200u8)], 0..200), cut in 0usize..200) {
            let whole = Census::of(&data);
            let (a, b) = data.split_at(cut.min(data.len()));
            let mut pieces = Census::of(a);
            pieces.update(b);
            prop_assert_eq!(whole, pieces);
            prop_assert_eq!((whole.canonical(), whole.size()), slow(&data));
            let text: String = data.iter().map(|b| char::from(*b)).collect();
            let clean = !text.replace("\r\n", "").contains(['\r', '\n']) && !format!("\r\n{text}").contains("\n.");
            prop_assert_eq!(whole.clean(), clean);
            prop_assert_eq!(whole.nul, data.iter().position(|x| *x == 0).map(|x| x as u64));
            if a.ends_with(b"\n") {
                let mut sum = Census::of(a);
                sum.append(&Census::of(b));
                prop_assert_eq!(sum, whole);
            }
        }
    }
}
