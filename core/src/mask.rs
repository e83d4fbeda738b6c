//! Takes out of what a server says what was told to it in confidence.
//!
//! Servers repeat lines that they do not understand, decode them for their log, or wrap them over several lines. So what is
//! looked for is not the secret as it was sent, but any piece of it that is long enough not to be there by chance, in the text as it
//! stands and with escapes undone, whatever white space, line ends and replies stand in between. A password is also looked
//! for in base64, at each of the three places that it can begin at in there, and in hexadecimal digits.
//!
//! A server that wants to betray a secret to whoever reads the log can write it in a way that nobody foresees.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::reply::Reply;
use crate::secret::Secret;

/// What is shorter stands in many a word.
const LEAST: usize = 4;
/// Half of a secret is a piece of it, except for a short or long one: fewer octets may be chance, and more surely are none.
const PIECE: std::ops::RangeInclusive<usize> = 5..=8;
/// Pieces of what looks like chance anyway: queue ids are hexadecimal, nonces are base64.
const LONG_PIECE: usize = 8;
/// A word of a response that is so long is a proof computed from the password.
const PROOF: usize = 24;

/// The secrets of one connection.
#[derive(Default)]
pub struct Mask {
    known: Vec<Secret>,
    /// By their length, the pieces that must not be shown, each packed into a number and in order.
    pieces: Vec<(usize, Zeroizing<Vec<u64>>)>,
    /// A bit for each three octets in a row that stand in a piece: most text is seen to be harmless by that alone.
    filter: Zeroizing<Vec<u64>>,
    /// The last octets of what was said before.
    tail: u64,
    /// How many of them in a row the filter knows.
    run: usize,
}

impl Mask {
    /// Hides a password or token in every form.
    pub fn hide(&mut self, secret: &[u8]) {
        if !self.is_news(secret) {
            return;
        }
        self.add(secret, LEAST);
        // As replies show it, where it is not UTF-8.
        if let Cow::Owned(shown) = String::from_utf8_lossy(secret) {
            self.add(Zeroizing::new(shown).as_bytes(), LEAST);
        }
        for offset in 0..3_usize {
            let octets = Zeroizing::new([&[0; 2][..offset.min(2)], secret].concat());
            let text = Zeroizing::new(STANDARD_NO_PAD.encode(&*octets));
            // What comes before and after it in there changes the characters at its ends.
            let (first, end) = ((offset * 8).div_ceil(6), octets.len() * 8 / 6);
            self.add(text.as_bytes().get(first..end).unwrap_or_default(), LEAST);
        }
        let digits: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
        self.add(Zeroizing::new(digits).as_bytes(), LONG_PIECE);
    }

    /// Hides a line of a login as it was sent, in base64, and the proofs in it.
    pub fn hide_response(&mut self, line: &[u8]) {
        if !self.is_news(line) {
            return;
        }
        self.add(line, LONG_PIECE);
        let decoded = Zeroizing::new(decoded(line));
        let in_word = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
        for word in decoded.split(|octet| !in_word(octet)).filter(|word| word.len() >= PROOF) {
            self.add(word, LONG_PIECE);
        }
    }

    /// Hides a line of a login of which anything may be the secret: each piece of it that stands between control octets.
    pub fn hide_login(&mut self, line: &[u8]) {
        self.hide_response(line);
        let decoded = Zeroizing::new(decoded(line));
        for piece in decoded.split(u8::is_ascii_control) {
            self.hide(piece);
        }
    }

    /// Hides a command that the caller says is secret: all after its verb and the mechanism of AUTH, or the whole line where
    /// it answers a challenge; and what of it is in base64.
    pub fn hide_command(&mut self, line: &[u8]) {
        let mut words = line.split(|octet| *octet == b' ').filter(|word| !word.is_empty()).peekable();
        let verb = words.next_if(|word| word.len() < line.len());
        words.next_if(|_| verb.is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH")));
        for word in words {
            self.hide(word);
            let decoded = Zeroizing::new(decoded(word));
            // PLAIN has the password last, after a NUL.
            if let Some(last) = decoded.rsplit(|octet| *octet == 0).next() {
                self.hide(last);
            }
        }
    }

    /// What is to be shown of a reply; `None` if it can be shown as it is. Replies are given in their order.
    #[inline]
    pub fn reply(&mut self, reply: &Reply) -> Option<Reply> {
        if self.pieces.is_empty() { None } else { self.hidden(reply) }
    }

    fn hidden(&mut self, reply: &Reply) -> Option<Reply> {
        let tail = self.tail;
        if !self.suspects(&reply.raw()) {
            return None;
        }
        match self.masked(&reply.raw(), tail) {
            Cow::Owned(text) => Some(Reply::new(reply.code(), text)),
            Cow::Borrowed(_) => None,
        }
    }

    /// A text with what the server said in it.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.pieces.is_empty() { Cow::Borrowed(text) } else { self.masked(text, 0) }
    }

    /// An error with what the server said in it.
    pub fn error(&self, error: Error) -> Error {
        let text = match self.text(error.text()) {
            Cow::Owned(text) => Some(text),
            Cow::Borrowed(_) => None,
        };
        text.into_iter().fold(error, Error::with_text)
    }

    fn is_news(&mut self, secret: &[u8]) -> bool {
        let news = !self.known.iter().any(|known| known.expose() == secret);
        if news {
            self.known.push(Secret::new(secret));
        }
        news
    }

    /// Adds the pieces of a text, half of it each, but no shorter than `least`.
    fn add(&mut self, text: &[u8], least: usize) {
        let mut octets = Zeroizing::new(Vec::with_capacity(text.len()));
        octets.extend(text.iter().filter(|octet| !octet.is_ascii_whitespace()).map(|octet| folded(*octet)));
        let size = (octets.len() / 2).clamp(*PIECE.start(), *PIECE.end()).min(octets.len()).max(least);
        if octets.len() < size {
            return;
        }
        self.filter.resize(FILTER / 64, 0);
        for three in octets.windows(3) {
            let bit = filter_bit(three.iter().fold(0, |all, octet| all << 8 | u64::from(*octet)));
            if let Some(word) = self.filter.get_mut(bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
        let packed =
            octets.windows(size).map(|piece| piece.iter().fold(0, |all, o| all << 8 | u64::from(*o)));
        let at = self.pieces.iter().position(|(other, _)| *other == size).unwrap_or_else(|| {
            self.pieces.push((size, Zeroizing::default()));
            self.pieces.len() - 1
        });
        if let Some((_, list)) = self.pieces.get_mut(at) {
            // The room is made first, so that growing leaves no copy behind.
            let mut grown = Zeroizing::new(Vec::with_capacity(list.len() + octets.len()));
            grown.extend(list.iter().copied().chain(packed));
            grown.sort_unstable();
            *list = grown;
        }
    }

    /// Whether a piece may stand in `text`, or end in it.
    fn suspects(&mut self, text: &str) -> bool {
        let mut suspect = memchr::memchr3(b'%', b'\\', b'=', text.as_bytes()).is_some();
        walk(text, false, |octet, _, _| {
            self.tail = self.tail << 8 | u64::from(octet);
            let bit = filter_bit(self.tail);
            let hit = self.filter.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1);
            self.run = if hit { self.run + 1 } else { 0 };
            // Three octets at a time: a piece of four is two in a row.
            suspect |= self.run + 2 >= LEAST;
        });
        suspect
    }

    fn masked<'a>(&self, text: &'a str, tail: u64) -> Cow<'a, str> {
        let mut hidden = vec![false; text.len()];
        let mut found = false;
        for escapes in [false, true] {
            let mut octets: Vec<u8> = tail.to_be_bytes().to_vec();
            let mut places = vec![0..0; octets.len()];
            walk(text, escapes, |octet, start, end| {
                octets.push(octet);
                places.push(start..end);
            });
            for (size, pieces) in &self.pieces {
                let mask = u64::MAX >> (64 - 8 * size.min(&8));
                let mut last = 0;
                for (at, octet) in octets.iter().enumerate() {
                    last = (last << 8 | u64::from(*octet)) & mask;
                    if at + 1 < *size || pieces.binary_search(&last).is_err() {
                        continue;
                    }
                    let mut last_end = None;
                    for place in places.get(at + 1 - size..=at).unwrap_or_default() {
                        if place.is_empty() {
                            continue; // it was said before
                        }
                        let between = last_end.unwrap_or(place.start)..place.start;
                        let blank = text.get(between.clone()).is_some_and(|text| !text.contains('\n'));
                        let start = if blank { between.start } else { place.start };
                        hidden.get_mut(start..place.end).unwrap_or_default().fill(true);
                        last_end = Some(place.end);
                        found = true;
                    }
                }
            }
        }
        if !found {
            return Cow::Borrowed(text);
        }
        let mut shown = String::with_capacity(text.len());
        let mut before = false;
        for (at, char) in text.char_indices() {
            let now = hidden.get(at).copied().unwrap_or(false);
            match (before, now) {
                (false, true) => shown.push_str("***"),
                (true, true) => {}
                (_, false) => shown.push(char),
            }
            before = now;
        }
        Cow::Owned(shown)
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask(***)")
    }
}

/// Nothing where it is not base64.
fn decoded(base64: &[u8]) -> Vec<u8> {
    let padding = base64.iter().rev().take_while(|octet| **octet == b'=').count();
    STANDARD_NO_PAD.decode(base64.get(..base64.len() - padding).unwrap_or_default()).unwrap_or_default()
}

/// The bits of the filter.
const FILTER: usize = 1 << 15;

/// The bit of the last three octets.
fn filter_bit(octets: u64) -> usize {
    let hash = (octets & 0xff_ffff).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER.trailing_zeros());
    usize::try_from(hash).unwrap_or(0)
}

/// One spelling for both alphabets of base64, for what a server turned to upper case, and for what replies show as `?`.
fn folded(octet: u8) -> u8 {
    match octet {
        b'-' => b'+',
        b'_' => b'/',
        0..=0x1f | 0x7f => b'?',
        _ => octet.to_ascii_lowercase(),
    }
}

/// Gives each octet of a text but white space, with the place where it stands; at will with percent signs,
/// quoted-printable and backslashes undone. The enhanced status codes that repeat on each line are left out.
fn walk(text: &str, escapes: bool, mut each: impl FnMut(u8, usize, usize)) {
    let octets = text.as_bytes();
    let mut at = enhanced_code(octets, 0);
    while let Some(&octet) = octets.get(at) {
        let start = at;
        at += 1;
        if octet == b'\n' {
            at = enhanced_code(octets, at);
            continue;
        }
        if octet.is_ascii_whitespace() {
            continue;
        }
        let escaped = if escapes { escaped(octet, octets.get(at..).unwrap_or_default()) } else { None };
        match escaped {
            Some((undone, length)) => {
                at += length;
                if let Some(undone) = undone.filter(|undone| !undone.is_ascii_whitespace()) {
                    each(folded(undone), start, at);
                }
            }
            None => each(folded(octet), start, at),
        }
    }
}

/// What `%41`, `=41`, `\x41` and `\A` stand for, and how many octets follow the first. `=` at the end of a line stands
/// for nothing.
fn escaped(first: u8, behind: &[u8]) -> Option<(Option<u8>, usize)> {
    let hex = |at: usize| {
        let digits = std::str::from_utf8(behind.get(at..at + 2)?).ok()?;
        let number = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        number.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
    };
    match (first, behind.first()?) {
        (b'=', b'\n') => Some((None, 0)),
        (b'%' | b'=', _) => hex(0).map(|octet| (Some(octet), 2)),
        (b'\\', b'x') if hex(1).is_some() => Some((hex(1), 3)),
        (b'\\', b'\n') => None,
        (b'\\', next) => Some((Some(*next), 1)),
        _ => None,
    }
}

/// Where the text after an enhanced status code at `at` begins; `at` if there is none.
fn enhanced_code(octets: &[u8], at: usize) -> usize {
    let line = octets.get(at..).unwrap_or_default();
    let length = line.iter().take_while(|octet| octet.is_ascii_digit() || **octet == b'.').count();
    let code = line.get(..length).unwrap_or_default();
    let dots = code.iter().filter(|octet| **octet == b'.').count();
    let is_code = dots == 2 && matches!(code, [b'2' | b'4' | b'5', b'.', .., b'0'..=b'9']);
    if is_code { at + length } else { at }
}

#[cfg(test)]
#[path = "mask_tests.rs"]
mod tests;
