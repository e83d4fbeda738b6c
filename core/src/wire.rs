//! A message on the wire: CRLF line ends, doubled dots and the final dot (RFC 5321 section 4.5.2).

use fearless_simd::{Level, Simd, dispatch};
use memchr::memchr2;

const CR: u8 = b'\r';
const LF: u8 = b'\n';

// Looked at as one, and copied as it is where nothing needs repair. With smaller ones the overhead shows,
// with larger ones a single dot at a line's start costs more.
const BLOCK: usize = 1024;

/// Turns a message into what follows DATA. A bare CR or LF becomes CRLF, and nothing else changes: a message
/// that ends in a line's end gets no other (RFC 5321 section 4.1.1.4).
#[derive(Clone, Debug, Default)]
pub struct DotEncoder {
    place: LinePosition,
    octets: u64,
    no_dots: bool,
    verbatim: bool,
    clean: bool,
}

/// Where in a line the next octet stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LinePosition {
    #[default]
    LineStart,
    /// At a line's start, by a CR for which CRLF is written already: a LF would belong to it.
    AfterCr,
    InLine,
}

impl DotEncoder {
    /// An encoder for a message that follows DATA.
    pub fn new() -> Self {
        Self::default()
    }

    /// An encoder for a message in lines that follows BDAT (RFC 3030): it repairs line ends, and knows no dots.
    pub fn without_dots() -> Self {
        Self { no_dots: true, ..Self::default() }
    }

    /// An encoder for BINARYMIME (RFC 3030 section 3): nothing changes.
    pub fn verbatim() -> Self {
        Self { no_dots: true, verbatim: true, ..Self::default() }
    }

    /// The encoder for a message of which it is known that only its end may need anything: every line ends in CRLF,
    /// and none begins with a dot. It is not looked at again.
    #[must_use]
    pub fn for_clean(self) -> Self {
        Self { clean: true, ..self }
    }

    /// Whether the octets of the message go out as they are, up to its end.
    pub fn is_clean(&self) -> bool {
        self.clean || self.verbatim
    }

    /// Records the next octets of the message, which go out as they are without having been
    /// [encoded](Self::encode): where it [is clean](Self::is_clean).
    pub fn pass(&mut self, octets: &[u8]) {
        let Some(last) = octets.last() else { return };
        self.octets = self.octets.saturating_add(octets.len() as u64);
        if !self.verbatim {
            self.place = if *last == LF { LinePosition::LineStart } else { LinePosition::InLine };
        }
    }

    /// Appends the next octets of the message, as they go out. It does not matter how a message is cut.
    pub fn encode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let Some(last) = input.last() else { return };
        if self.verbatim {
            return self.copy(input, out);
        }
        if self.clean {
            input.chunks(BLOCK).for_each(|block| self.copy(block, out));
            self.place = if *last == LF { LinePosition::LineStart } else { LinePosition::InLine };
            return;
        }
        let mut rest = input;
        if self.place == LinePosition::AfterCr {
            rest = rest.strip_prefix(&[LF]).unwrap_or(rest);
        }
        if self.place != LinePosition::InLine {
            self.double_dot(rest, out);
        }
        let level = Level::new();
        let mut repairing = false; // a text with bare LFs has them everywhere: do not look twice
        while !rest.is_empty() {
            let clean;
            (clean, rest) = rest
                .split_at_checked(if repairing { 0 } else { clean_octets(rest, level) })
                .unwrap_or_default();
            if clean.is_empty() {
                (rest, repairing) = self.repair_block(rest, out);
            } else {
                self.copy(clean, out);
            }
        }
        self.place = match *last {
            LF => LinePosition::LineStart,
            CR => LinePosition::AfterCr,
            _ => LinePosition::InLine,
        };
    }

    /// Appends the end of the message: CRLF where the last line has none, and the final dot.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.place == LinePosition::InLine {
            self.copy(b"\r\n", out);
        }
        self.place = LinePosition::LineStart;
        if !self.no_dots {
            out.extend_from_slice(b".\r\n");
        }
    }

    /// The message's octets so far as RFC 1870 counts them: with CRLF line ends, and without what the dots add.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    fn copy(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        out.extend_from_slice(octets);
        self.octets = self.octets.saturating_add(octets.len() as u64);
    }

    /// Appends one dot more where `line` begins with one.
    fn double_dot(&self, line: &[u8], out: &mut Vec<u8>) {
        if line.first() == Some(&b'.') && !self.no_dots {
            out.push(b'.');
        }
    }

    /// Goes from line end to line end, at least to the end of a block: what comes after, and whether it had to
    /// change anything.
    fn repair_block<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> (&'a [u8], bool) {
        let mut from = 0; // what is before is written
        let mut at = 0; // what is before is looked at
        let block = input.get(..BLOCK).unwrap_or(input);
        while let Some(end) = line_end(block, at) {
            if input.get(end..end + 2) == Some(b"\r\n") {
                at = end + 2;
            } else {
                self.copy(input.get(from..end).unwrap_or_default(), out);
                self.copy(b"\r\n", out);
                at = end + 1;
                from = at;
            }
            if input.get(at) == Some(&b'.') {
                self.copy(input.get(from..at).unwrap_or_default(), out);
                from = at;
                self.double_dot(b".", out);
            }
        }
        let end = at.max(BLOCK).min(input.len());
        self.copy(input.get(from..end).unwrap_or_default(), out);
        (input.get(end..).unwrap_or_default(), from > 0)
    }
}

/// Where the first CR or LF from `at` on is. Empty lines in a row are not worth a search each.
fn line_end(block: &[u8], at: usize) -> Option<usize> {
    let rest = block.get(at..)?;
    match rest.first()? {
        &CR | &LF => Some(at),
        _ => memchr2(CR, LF, rest).map(|found| at + found),
    }
}

/// How many octets of the block in front can go as they are: all, all but a CR whose LF is in the next
/// block, or none. Of what is before the block only this is known: if a dot had to be doubled, it is done.
fn clean_octets(text: &[u8], level: Level) -> usize {
    let block = text.get(..BLOCK).unwrap_or(text);
    let next = text.get(1..).unwrap_or_default();
    if block.first() == Some(&LF) || dispatch!(level, simd => needs_repair(simd, block, next)) {
        return 0;
    }
    block.strip_suffix(&[CR]).unwrap_or(block).len()
}

/// Whether an octet of `here` and the one at its place in `next`, which follows it, are half a CRLF or LF and a dot.
#[inline(always)] // so that it is compiled for the widest vectors that the machine has
fn needs_repair<S: Simd>(_: S, here: &[u8], next: &[u8]) -> bool {
    any_odd::<256>(here, next)
        .or_else(|| any_odd::<16>(here, next))
        .unwrap_or_else(|| here.iter().zip(next).any(|(&a, &b)| odd(a, b) != 0))
}

/// Looks at whole arrays, the last of which may overlap the one before; `None` if there is none.
#[inline(always)]
fn any_odd<const N: usize>(here: &[u8], next: &[u8]) -> Option<bool> {
    let pairs = here.len().min(next.len());
    let (here, next) = (here.get(..pairs)?, next.get(..pairs)?);
    let (last_here, last_next) = (here.last_chunk()?, next.last_chunk()?);
    let (arrays, rest) = here.as_chunks();
    let mut arrays = arrays.iter().zip(next.as_chunks().0);
    Some(
        arrays.any(|(here, next)| odd_array::<N>(here, next))
            || (!rest.is_empty() && odd_array::<N>(last_here, last_next)),
    )
}

#[inline(always)]
fn odd_array<const N: usize>(here: &[u8; N], next: &[u8; N]) -> bool {
    // No short cut out of the loop: so it is compiled to vector instructions.
    here.iter().zip(next).fold(0, |all, (&a, &b)| all | odd(a, b)) != 0
}

#[inline(always)]
fn odd(a: u8, b: u8) -> u8 {
    (u8::from(a == CR) ^ u8::from(b == LF)) | (u8::from(a == LF) & u8::from(b == b'.'))
}

#[cfg(test)]
mod tests;
