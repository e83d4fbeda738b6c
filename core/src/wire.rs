//! A message on the wire: CRLF line ends, doubled dots and the final dot (RFC 5321 section 4.5.2), and what
//! can be told of it before.

use memchr::{memchr, memchr2};

const CR: u8 = b'\r';
const LF: u8 = b'\n';

// Looked at as one, and copied as it is where nothing needs repair. With smaller ones the overhead shows,
// with larger ones a single dot at a line's start costs more.
const BLOCK: usize = 1024;

/// Turns a message into what follows DATA. A bare CR or LF becomes CRLF, and nothing else changes: a message
/// that ends in a line's end gets no other (RFC 5321 section 4.1.1.4).
#[derive(Clone, Debug, Default)]
pub struct DotEncoder {
    place: Place,
    octets: u64,
    no_dots: bool,
}

/// Where in a line the next octet stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
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
        Self {
            no_dots: true,
            ..Self::default()
        }
    }

    /// Appends the next octets of the message, as they go out. It does not matter how a message is cut.
    pub fn encode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let Some(last) = input.last() else { return };
        let mut rest = input;
        if self.place == Place::AfterCr {
            rest = rest.strip_prefix(&[LF]).unwrap_or(rest);
        }
        if self.place != Place::InLine {
            self.double_dot(rest, out);
        }
        let mut repairing = false; // a text with bare LFs has them everywhere: do not look twice
        while !rest.is_empty() {
            let clean;
            (clean, rest) = rest
                .split_at_checked(if repairing { 0 } else { clean_octets(rest) })
                .unwrap_or_default();
            if clean.is_empty() {
                (rest, repairing) = self.repair_block(rest, out);
            } else {
                self.copy(clean, out);
            }
        }
        self.place = match *last {
            LF => Place::LineStart,
            CR => Place::AfterCr,
            _ => Place::InLine,
        };
    }

    /// Appends the end of the message: CRLF where the last line has none, and the final dot.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.place == Place::InLine {
            self.copy(b"\r\n", out);
        }
        self.place = Place::LineStart;
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

    /// Goes from line end to line end, at least to the end of a block: what is behind, and whether it had to
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
fn clean_octets(text: &[u8]) -> usize {
    let block = text.get(..BLOCK).unwrap_or(text);
    let next = text.get(1..).unwrap_or_default();
    if block.first() == Some(&LF) || needs_repair(block, next) {
        return 0;
    }
    block.strip_suffix(&[CR]).unwrap_or(block).len()
}

/// Whether an octet of `here` and the one at its place in `next`, which follows it, are half a CRLF or LF and a dot.
fn needs_repair(here: &[u8], next: &[u8]) -> bool {
    any_odd::<256>(here, next)
        .or_else(|| any_odd::<16>(here, next))
        .unwrap_or_else(|| here.iter().zip(next).any(|(&a, &b)| odd(a, b) != 0))
}

/// Looks at whole arrays, the last of which may overlap the one before; `None` where there is none.
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

fn odd_array<const N: usize>(here: &[u8; N], next: &[u8; N]) -> bool {
    // No short cut out of the loop: so it is compiled to vector instructions.
    here.iter()
        .zip(next)
        .fold(0, |all, (&a, &b)| all | odd(a, b))
        != 0
}

fn odd(a: u8, b: u8) -> u8 {
    (u8::from(a == CR) ^ u8::from(b == LF)) | (u8::from(a == LF) & u8::from(b == b'.'))
}

/// Tells what a message will be on the wire, in one pass.
#[derive(Clone, Debug, Default)]
pub struct Census {
    counted: Counted,
    line: u64,
    after_cr: bool,
}

/// What a [`Census`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Octets as RFC 1870 counts them: with CRLF line ends, also behind the last line, without what dots add.
    pub size: u64,
    /// There are octets above 127.
    pub eight_bit: bool,
    /// There are NULs, which need BINARYMIME or an encoding.
    pub nul: bool,
    /// Octets of the longest line without its CRLF; RFC 5321 section 4.5.3.1.6 allows 998.
    pub longest_line: u64,
}

impl Census {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the next octets. It does not matter how a message is cut.
    pub fn update(&mut self, input: &[u8]) {
        if input.is_empty() {
            return;
        }
        self.counted.eight_bit = self.counted.eight_bit || !input.is_ascii();
        self.counted.nul = self.counted.nul || memchr(0, input).is_some();
        let mut rest = input;
        if self.after_cr {
            rest = rest.strip_prefix(&[LF]).unwrap_or(rest);
        }
        while let Some((line, end)) =
            memchr2(CR, LF, rest).and_then(|end| rest.split_at_checked(end))
        {
            self.line = self.line.saturating_add(line.len() as u64);
            self.end_line();
            rest = end
                .strip_prefix(b"\r\n")
                .or(end.get(1..))
                .unwrap_or_default();
        }
        self.line = self.line.saturating_add(rest.len() as u64);
        self.after_cr = input.ends_with(&[CR]);
    }

    /// What the message will be.
    pub fn finish(mut self) -> Counted {
        if self.line > 0 {
            self.end_line();
        }
        self.counted
    }

    fn end_line(&mut self) {
        self.counted.longest_line = self.counted.longest_line.max(self.line);
        self.counted.size = self
            .counted
            .size
            .saturating_add(self.line)
            .saturating_add(2);
        self.line = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode_with(mut encoder: DotEncoder, pieces: &[&[u8]]) -> (Vec<u8>, u64) {
        let mut out = Vec::new();
        for piece in pieces {
            encoder.encode(piece, &mut out);
        }
        encoder.finish(&mut out);
        (out, encoder.octets())
    }

    fn encode(input: &[u8]) -> Vec<u8> {
        let (whole, octets) = encode_with(DotEncoder::new(), &[input]);
        for size in [1, 2, 3, 511, 512, 513] {
            let pieces: Vec<_> = input.chunks(size).collect();
            assert_eq!(
                encode_with(DotEncoder::new(), &pieces),
                (whole.clone(), octets),
                "in pieces of {size}"
            );
        }
        whole
    }

    fn census(pieces: &[&[u8]]) -> Counted {
        let mut census = Census::new();
        for piece in pieces {
            census.update(piece);
        }
        census.finish()
    }

    /// RFC 5321 in the plainest words: lines, one by one.
    fn normal_lines(input: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = vec![Vec::new()];
        let mut octets = input.iter().peekable();
        while let Some(&octet) = octets.next() {
            match octet {
                CR | LF => {
                    if octet == CR {
                        octets.next_if(|next| **next == LF);
                    }
                    lines.push(Vec::new());
                }
                _ => lines.last_mut().unwrap().push(octet),
            }
        }
        lines.pop_if(|line| line.is_empty());
        lines
    }

    fn slowly(input: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for line in normal_lines(input) {
            if line.starts_with(b".") {
                out.push(b'.');
            }
            out.extend(line);
            out.extend(b"\r\n");
        }
        out.extend(b".\r\n");
        out
    }

    #[test]
    fn the_exact_bytes() {
        for (input, wanted) in [
            ("", ".\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a\n", "a\r\n.\r\n"),
            ("a\r", "a\r\n.\r\n"),
            ("\r\n", "\r\n.\r\n"),
            ("\r", "\r\n.\r\n"),
            ("\n", "\r\n.\r\n"),
            ("\r\r\n", "\r\n\r\n.\r\n"),
            ("\n\r", "\r\n\r\n.\r\n"),
            ("\r\n\r\n", "\r\n\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            ("..", "...\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("a\r\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\n.\n", "a\r\n..\r\n.\r\n"),
            ("a.b\r\n.c.\r\n", "a.b\r\n..c.\r\n.\r\n"),
            ("a\0\u{e9}", "a\0\u{e9}\r\n.\r\n"),
        ] {
            assert_eq!(
                encode(input.as_bytes()).escape_ascii().to_string(),
                wanted.as_bytes().escape_ascii().to_string(),
                "{input:?}"
            );
        }
    }

    #[test]
    fn no_message_can_end_itself() {
        // The ends that servers have been fooled with.
        for smuggled in [
            "\n.\n",
            "\n.\r\n",
            "\r.\r",
            "\r.\r\n",
            "\r\n.\r",
            "\r\n.\n",
            "\r\n.\r\n",
            "\n.\r",
            "\r\n\r.\r\n",
            "\r\n\0.\r\n",
        ] {
            let out = encode(format!("a{smuggled}MAIL FROM:<b@c>\r\n").as_bytes());
            let at = out.windows(5).position(|five| five == b"\r\n.\r\n");
            assert_eq!(at, Some(out.len() - 5), "{smuggled:?}");
        }
    }

    #[test]
    fn around_the_edges_of_blocks() {
        for odd in [
            "\r\n",
            "\r",
            "\n",
            ".",
            "\r\n.",
            "\n.",
            "\r.",
            "\r\n..\r\n.",
            "\r\r\n\n.",
        ] {
            for before in (BLOCK - 4..BLOCK + 4).chain(2 * BLOCK - 4..2 * BLOCK + 4) {
                for after in [0, 1, BLOCK] {
                    let text = format!("{}{odd}{}", "x".repeat(before), "y".repeat(after));
                    assert_eq!(
                        encode(text.as_bytes()),
                        slowly(text.as_bytes()),
                        "{before} octets, {odd:?}, {after}"
                    );
                }
            }
        }
    }

    #[test]
    fn chunks_have_no_dots() {
        let (out, octets) = encode_with(
            DotEncoder::without_dots(),
            &[b".a\n.b\r", b"\n.\r\n..", b""],
        );
        assert_eq!(out, b".a\r\n.b\r\n.\r\n..\r\n");
        assert_eq!(octets, out.len() as u64);
        assert_eq!(encode_with(DotEncoder::without_dots(), &[]), (vec![], 0));
    }

    #[test]
    fn a_census_tells_all() {
        assert_eq!(census(&[]), Counted::default());
        assert_eq!(
            census(&[b"", b"ab\r", b"\nabc\n", b"\r", b"abcd"]),
            Counted {
                size: 17,
                longest_line: 4,
                ..Counted::default()
            }
        );
        assert_eq!(
            census(&[b".\r\n"]),
            Counted {
                size: 3,
                longest_line: 1,
                ..Counted::default()
            }
        );
        assert_eq!(
            census(&["caf\u{e9}".as_bytes()]),
            Counted {
                size: 7,
                longest_line: 5,
                eight_bit: true,
                nul: false
            }
        );
        assert_eq!(
            census(&[b"a", b"\0\x7f"]),
            Counted {
                size: 5,
                longest_line: 3,
                eight_bit: false,
                nul: true
            }
        );
        let long = vec![b'x'; 5000];
        assert_eq!(census(&[&long, &long]).longest_line, 10_000);
    }

    fn message() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(prop::sample::select(&b"\r\n.a"[..]), 0..40),
            prop::collection::vec(any::<u8>(), 0..200),
            prop::collection::vec("[ -~]{0,80}(\r\n|\r\n|\r\n|\r\n\\.|\n|\r)", 0..60)
                .prop_map(|lines| lines.concat().into_bytes()),
        ]
    }

    /// `input` cut at these places.
    fn cut<'a>(input: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        places.extend([0, input.len()]);
        places.sort_unstable();
        places
            .windows(2)
            .map(|pair| &input[pair[0]..pair[1]])
            .collect()
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same(input in message(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let pieces = cut(&input, &cuts);
            let (out, octets) = encode_with(DotEncoder::new(), &pieces);
            prop_assert_eq!(&out, &slowly(&input));
            prop_assert_eq!(census(&pieces), census(&[&input]));
            prop_assert_eq!(census(&[&input]).size, octets);
        }

        #[test]
        fn the_message_comes_back(input in message()) {
            let (out, octets) = encode_with(DotEncoder::new(), &[&input]);
            let content = out.strip_suffix(b".\r\n").unwrap();
            let mut lines = Vec::new();
            for line in content.split_inclusive(|octet| *octet == LF) {
                let line = line.strip_suffix(b"\r\n").unwrap();
                prop_assert!(!line.contains(&CR));
                prop_assert!(line != b".");
                lines.push(line.strip_prefix(b".").unwrap_or(line).to_vec());
            }
            prop_assert_eq!(&lines, &normal_lines(&input));
            let size: usize = lines.iter().map(|line| line.len() + 2).sum();
            prop_assert_eq!(octets, size as u64);
            let (plain, same) = encode_with(DotEncoder::without_dots(), &[&input]);
            prop_assert_eq!((plain.len() as u64, same), (octets, octets));
        }

        #[test]
        fn a_census_is_right(input in message()) {
            let lines = normal_lines(&input);
            prop_assert_eq!(census(&[&input]), Counted {
                size: lines.iter().map(|line| line.len() as u64 + 2).sum(),
                eight_bit: input.iter().any(|octet| *octet > 127),
                nul: input.contains(&0),
                longest_line: lines.iter().map(|line| line.len() as u64).max().unwrap_or(0),
            });
        }
    }
}
