//! From the octets of a body to its lines: each encoding of RFC 2045, piece by piece.

use base64::Engine;
use base64::engine::general_purpose::PAD;

use super::quoted::Quoted;

/// What one line of base64 takes, and what it is (RFC 2045 6.8).
const TAKES: usize = 57;
const LINE: usize = 76;

/// Whole lines that are encoded at once: below 64 KiB of output.
const BLOCK: usize = TAKES * 768;

/// The engine with vector instructions, which exists for these processors.
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
type Fast = base64::engine::Simd;

#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
fn fast() -> Fast {
    Fast::standard(PAD)
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))))]
type Fast = base64::engine::GeneralPurpose;

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))))]
fn fast() -> Fast {
    Fast::new(&base64::alphabet::STANDARD, PAD)
}

/// A running encoder. The output ends without a line end where the input does.
#[derive(Debug)]
pub(super) enum Codec {
    /// The octets as they are.
    Identity,
    /// Line ends become CRLF.
    Lines { after_cr: bool },
    /// Quoted-printable.
    Quoted(Quoted),
    /// Base64, of text whose line ends become CRLF first if `lines` says so.
    Base64 { encoder: Box<Base64>, lines: bool, after_cr: bool },
}

impl Codec {
    pub(super) fn base64(lines: bool) -> Self {
        Self::Base64 { encoder: Box::new(Base64::new()), lines, after_cr: false }
    }

    pub(super) fn update(&mut self, data: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Identity => out.extend_from_slice(data),
            Self::Lines { after_cr } => canonical(data, after_cr, out),
            Self::Quoted(encoder) => encoder.update(data, out),
            Self::Base64 { encoder, lines: false, .. } => encoder.update(data, out),
            Self::Base64 { encoder, after_cr, .. } => {
                let mut text = Vec::with_capacity(data.len() + data.len() / 16);
                canonical(data, after_cr, &mut text);
                encoder.update(&text, out);
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Identity | Self::Lines { .. } => {}
            Self::Quoted(encoder) => encoder.finish(out),
            Self::Base64 { encoder, .. } => encoder.finish(out),
        }
    }
}

/// Ends every line in CRLF; `after_cr` is kept between pieces.
pub(super) fn canonical(mut data: &[u8], after_cr: &mut bool, out: &mut Vec<u8>) {
    if data.is_empty() {
        return;
    }
    if std::mem::take(after_cr) {
        data = data.strip_prefix(b"\n").unwrap_or(data);
    }
    while let Some(at) = memchr::memchr2(b'\r', b'\n', data) {
        let (line, end) = data.split_at(at);
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        data = match end {
            [b'\r'] => {
                *after_cr = true;
                &[]
            }
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => &[],
        };
    }
    out.extend_from_slice(data);
}

/// Base64 in lines of 76, with CRLF between them.
#[derive(Debug)]
pub(super) struct Base64 {
    engine: Fast,
    /// Less than a line.
    held: Vec<u8>,
    started: bool,
    scratch: Vec<u8>,
}

impl Base64 {
    fn new() -> Self {
        Self { engine: fast(), held: Vec::new(), started: false, scratch: Vec::new() }
    }

    /// The length of the encoding of `length` octets.
    pub(super) fn size(length: u64) -> u64 {
        let code = length.div_ceil(3).saturating_mul(4);
        let breaks = code.div_ceil(LINE as u64).saturating_sub(1);
        code.saturating_add(breaks.saturating_mul(2))
    }

    fn update(&mut self, mut data: &[u8], out: &mut Vec<u8>) {
        if !self.held.is_empty() {
            let (now, later) = data.split_at(data.len().min(TAKES - self.held.len()));
            self.held.extend_from_slice(now);
            data = later;
            if self.held.len() == TAKES {
                let line = std::mem::take(&mut self.held);
                self.lines(&line, out);
            }
        }
        let (whole, rest) = data.split_at(data.len() - data.len() % TAKES);
        for block in whole.chunks(BLOCK) {
            self.lines(block, out);
        }
        self.held.extend_from_slice(rest);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let rest = std::mem::take(&mut self.held);
        self.lines(&rest, out);
    }

    fn lines(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let length = data.len().div_ceil(3).saturating_mul(4);
        if self.scratch.len() < length {
            self.scratch.resize(length, 0);
        }
        // The buffer fits by construction; were it not so, nothing at all would be written.
        let Ok(length) = self.engine.encode_slice(data, &mut self.scratch) else {
            return;
        };
        out.reserve(length + length / LINE * 2 + 2);
        for line in self.scratch.get(..length).unwrap_or_default().chunks(LINE) {
            if std::mem::replace(&mut self.started, true) {
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::quoted::Counter;
    use super::*;

    fn run(mut codec: Codec, pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in pieces {
            codec.update(piece, &mut out);
        }
        codec.finish(&mut out);
        out
    }

    fn lines(data: &[u8]) -> Vec<u8> {
        String::from_utf8_lossy(data)
            .replace("\r\n", "\n")
            .replace('\r', "\n")
            .replace('\n', "\r\n")
            .into_bytes()
    }

    fn unquote(data: &[u8]) -> Vec<u8> {
        let text = String::from_utf8(data.to_vec()).unwrap().replace("=\r\n", "");
        let mut out = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            if first == b'=' {
                let hex = std::str::from_utf8(&after[..2]).unwrap();
                out.push(u8::from_str_radix(hex, 16).unwrap());
                rest = &after[2..];
            } else {
                out.push(first);
                rest = after;
            }
        }
        out
    }

    fn octets() -> impl Strategy<Value = Vec<u8>> {
        let octet = prop_oneof![
            4 => b'a'..=b'z', 1 => Just(b'='), 2 => Just(b' '), 1 => Just(b'\t'), 1 => Just(b'\r'), 1 => Just(b'\n'),
            1 => Just(b'.')
        ];
        proptest::collection::vec(octet, 0..600)
    }

    proptest! {
        #[test]
        fn any_pieces_encode_as_the_whole(data in octets(), cuts in proptest::collection::vec(0usize..600, 0..4)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(data.len())).collect();
            cuts.extend([0, data.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &data[w[0]..w[1]]).collect();

            prop_assert_eq!(run(Codec::Lines { after_cr: false }, &pieces), lines(&data));
            for text in [true, false] {
                let wanted = if text { lines(&data) } else { data.clone() };

                let code = run(Codec::Quoted(Quoted::new(text)), &pieces);
                let width = code.split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l).len()).max();
                prop_assert!(width.unwrap_or(0) <= 76);
                prop_assert!(!code.windows(3).any(|w| w == b" \r\n" || w == b"\t\r\n"));
                prop_assert_eq!(unquote(&code), &wanted[..]);
                let mut counter = Counter::new(text);
                counter.update(&data);
                prop_assert_eq!(counter.finish(), code.len() as u64);

                let code = run(Codec::base64(text), &pieces);
                prop_assert_eq!(Base64::size(wanted.len() as u64), code.len() as u64);
                prop_assert!(code.split(|b| *b == b'\n').all(|l| l.len() <= 77));
                let flat: Vec<u8> = code.into_iter().filter(|b| !b.is_ascii_whitespace()).collect();
                prop_assert_eq!(fast().decode(flat).unwrap(), wanted);
            }
        }
    }
}
