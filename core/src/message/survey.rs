//! What must be known of octets before they are sent: how many, in which lines, and whether above 127.

use std::sync::OnceLock;

use super::head::Head;
use super::quoted::Counter;

/// Small enough for the passes over one piece to find it in the first cache.
const STEP: usize = 16 * 1024;

/// Counts octets as they will be on the wire, in any pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// The octets as given.
    pub(super) length: u64,
    /// The first NUL.
    pub(super) nul: Option<u64>,
    /// Whether an octet is above 127.
    pub(super) eight_bit: bool,
    /// The longest line, without CRLF or LF; 0 where lines are not measured.
    pub(super) longest_line: u64,
    unmeasured: bool,
    /// The CRs that a LF does not follow and the LFs that follow no CR; whether the last octet is one is not known.
    bare: u64,
    line: u64,
    last: Option<u8>,
}

impl Census {
    pub(super) fn of(data: &[u8]) -> Self {
        let mut census = Self::default();
        census.update(data);
        census
    }

    /// Measures no lines, which takes half of the time.
    pub(super) fn unmeasured() -> Self {
        Self { unmeasured: true, ..Self::default() }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        for piece in data.chunks(STEP) {
            self.piece(piece);
        }
    }

    /// Adds what was counted of octets that follow and start a line.
    pub(super) fn append(&mut self, next: &Self) {
        self.nul = self.nul.or_else(|| Some(self.length.saturating_add(next.nul?)));
        self.length = self.length.saturating_add(next.length);
        self.eight_bit |= next.eight_bit;
        self.longest_line = self.longest_line.max(next.longest_line);
        self.unmeasured |= next.unmeasured;
        self.line = next.line;
        if next.last.is_some() {
            self.bare = self.with_last().saturating_add(next.bare);
            self.last = next.last;
        }
    }

    /// The octets when every line ends in CRLF, the last line as it is.
    pub(super) fn canonical(&self) -> u64 {
        self.length.saturating_add(self.with_last())
    }

    /// Whether a CR or LF stands alone.
    pub(super) fn bare(&self) -> bool {
        self.canonical() != self.length
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
        let Some(&last) = piece.last() else {
            return;
        };
        if !self.eight_bit && !piece.is_ascii() {
            self.eight_bit = true;
        }
        if self.nul.is_none() {
            self.nul = memchr::memchr(0, piece).map(|at| self.length.saturating_add(at as u64));
        }
        if !self.unmeasured {
            self.measure(piece);
        }
        let joint = (self.last == Some(b'\r')) != (piece.first() == Some(&b'\n'));
        let bare = bare(piece).saturating_add(u64::from(joint));
        self.bare = self.bare.saturating_add(bare);
        self.length = self.length.saturating_add(piece.len() as u64);
        self.last = Some(last);
    }

    fn measure(&mut self, piece: &[u8]) {
        let mut start = 0;
        for at in memchr::memchr_iter(b'\n', piece) {
            let before = if at == 0 { self.last } else { piece.get(at - 1).copied() };
            let line = self.line.saturating_add((at - start) as u64);
            self.longest_line = self.longest_line.max(line.saturating_sub(u64::from(before == Some(b'\r'))));
            self.line = 0;
            start = at + 1;
        }
        self.line = self.line.saturating_add((piece.len() - start) as u64);
        let last = u64::from(piece.last() == Some(&b'\r'));
        self.longest_line = self.longest_line.max(self.line.saturating_sub(last));
    }

    fn with_last(&self) -> u64 {
        self.bare.saturating_add(u64::from(self.last == Some(b'\r')))
    }
}

/// How often a CR has no LF behind it, or a LF no CR before it.
fn bare(piece: &[u8]) -> u64 {
    let next = piece.get(1..).unwrap_or_default();
    let (here, _) = piece.split_at_checked(next.len()).unwrap_or_default();
    // Whole vectors, and a count of them fits in an octet.
    let ((here, here_rest), (next, next_rest)) = (here.as_chunks::<240>(), next.as_chunks::<240>());
    let whole: u64 = here.iter().zip(next).map(|(here, next)| u64::from(count_bare(here, next))).sum();
    whole.saturating_add(u64::from(count_bare(here_rest, next_rest)))
}

#[inline(always)]
fn count_bare(here: &[u8], next: &[u8]) -> u8 {
    let odd = |(&a, &b): (&u8, &u8)| u8::from(a == b'\r') ^ u8::from(b == b'\n');
    here.iter().zip(next).map(odd).fold(0, u8::wrapping_add)
}

/// A finished message, looked through once: its header section, and the rest counted.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    pub(super) head: Head,
    /// The header section.
    pub(super) fields: Census,
    /// What is behind it.
    pub(super) rest: Census,
}

impl Survey {
    /// `data` has at least the header section; what is behind it can be counted in `rest` later.
    pub(super) fn of(head: Head, data: &[u8]) -> Self {
        let (fields, rest) = data.split_at_checked(head.end).unwrap_or((data, &[]));
        let count = |octets: &[u8]| {
            let mut census = Census::unmeasured();
            census.update(octets);
            census
        };
        Self { fields: count(fields), rest: count(rest), head }
    }
}

/// Octets in memory, with what was found out about them, so that a token that is sent again costs nothing again.
#[derive(Debug)]
pub(super) struct Blob {
    bytes: Vec<u8>,
    census: OnceLock<Census>,
    survey: OnceLock<Survey>,
    quoted: [OnceLock<u64>; 2],
}

impl Blob {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, census: OnceLock::new(), survey: OnceLock::new(), quoted: Default::default() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn census(&self) -> &Census {
        self.census.get_or_init(|| Census::of(&self.bytes))
    }

    pub(super) fn survey(&self) -> &Survey {
        self.survey.get_or_init(|| Survey::of(Head::parse(&self.bytes), &self.bytes))
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

    proptest! {
        #[test]
        fn any_pieces_count_as_the_whole(data in proptest::collection::vec(prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b'a'), Just(0u8), Just(200u8)], 0..200), cut in 0usize..200) {
            let whole = Census::of(&data);
            let (a, b) = data.split_at(cut.min(data.len()));
            let mut pieces = Census::of(a);
            pieces.update(b);
            prop_assert_eq!(whole, pieces);
            prop_assert_eq!((whole.canonical(), whole.size()), slow(&data));
            prop_assert_eq!(whole.nul, data.iter().position(|x| *x == 0).map(|x| x as u64));
            let longest = data.split(|x| *x == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l).len()).max();
            prop_assert_eq!(whole.longest_line, longest.unwrap_or(0) as u64);
            if a.ends_with(b"\n") {
                let mut sum = Census::of(a);
                sum.append(&Census::of(b));
                prop_assert_eq!(sum, whole);
            }
        }
    }
}
