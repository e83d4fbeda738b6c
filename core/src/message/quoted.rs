//! Quoted-printable (RFC 2045 6.7), piece by piece.

/// The longest line without the `=` of a soft line break.
const WIDTH: usize = 75;

/// Octets that may stand for themselves within a line.
const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = b' ';
    while octet <= b'~' {
        table[octet as usize] = octet != b'=';
        octet += 1;
    }
    table[b'\t' as usize] = true;
    table
};

/// Where the encoding goes: into a buffer, or only counted.
pub(super) trait Sink {
    fn put(&mut self, data: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, data: &[u8]) {
        self.extend_from_slice(data);
    }
}

impl Sink for u64 {
    fn put(&mut self, data: &[u8]) {
        *self = self.saturating_add(data.len() as u64);
    }
}

/// The encoder. In text CR, LF and CRLF are line ends and become CRLF; in anything else CR and LF are
/// octets like others and are written as `=0D` and `=0A`.
#[derive(Clone, Debug)]
pub(super) struct Quoted {
    text: bool,
    column: usize,
    /// White space that must be encoded if the line ends here (rule 3).
    held: Option<u8>,
    /// The last octet was CR, so an LF ends no line.
    after_cr: bool,
}

impl Quoted {
    pub(super) fn new(text: bool) -> Self {
        Self { text, column: 0, held: None, after_cr: false }
    }

    pub(super) fn update(&mut self, mut data: &[u8], out: &mut impl Sink) {
        if !self.text {
            self.line(data, out);
            return;
        }
        if self.after_cr && !data.is_empty() {
            self.after_cr = false;
            data = data.strip_prefix(b"\n").unwrap_or(data);
        }
        while let Some(at) = memchr::memchr2(b'\r', b'\n', data) {
            let (line, end) = data.split_at(at);
            self.line(line, out);
            self.end_line(out);
            self.column = 0;
            out.put(b"\r\n");
            data = match end {
                [b'\r'] => {
                    self.after_cr = true;
                    &[]
                }
                [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
                [] => &[],
            };
        }
        self.line(data, out);
    }

    pub(super) fn finish(&mut self, out: &mut impl Sink) {
        self.end_line(out);
    }

    fn end_line(&mut self, out: &mut impl Sink) {
        if let Some(space) = self.held.take() {
            self.escape(space, out);
        }
    }

    /// A line, or the next part of one.
    fn line(&mut self, data: &[u8], out: &mut impl Sink) {
        if data.is_empty() {
            return;
        }
        if let Some(space) = self.held.take() {
            self.plain(&[space], out);
        }
        let (mut rest, held) = match data {
            [rest @ .., space @ (b' ' | b'\t')] => (rest, Some(*space)),
            _ => (data, None),
        };
        while let Some(&first) = rest.first() {
            let run = plain_run(rest);
            if run == 0 {
                self.escape(first, out);
                rest = rest.get(1..).unwrap_or_default();
            } else {
                let (plain, after) = rest.split_at(run);
                self.plain(plain, out);
                rest = after;
            }
        }
        self.held = held;
    }

    fn plain(&mut self, mut data: &[u8], out: &mut impl Sink) {
        loop {
            let (now, later) = data.split_at(data.len().min(WIDTH - self.column));
            out.put(now);
            self.column += now.len();
            if later.is_empty() {
                return;
            }
            self.soft_break(out);
            data = later;
        }
    }

    fn escape(&mut self, octet: u8, out: &mut impl Sink) {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        if self.column + 3 > WIDTH {
            self.soft_break(out);
        }
        out.put(&[b'=', HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
        self.column += 3;
    }

    fn soft_break(&mut self, out: &mut impl Sink) {
        out.put(b"=\r\n");
        self.column = 0;
    }
}

/// How many octets stand for themselves. Runs are short in text with many escapes; longer ones are passed
/// over in blocks, which the compiler compares at once.
fn plain_run(data: &[u8]) -> usize {
    const BLOCK: usize = 16;
    let escape = |b: &u8| !PLAIN[usize::from(*b)];
    let start = data.get(..8).unwrap_or(data);
    if let Some(short) = start.iter().position(escape) {
        return short;
    }
    let plain =
        |block: &&[u8]| block.iter().fold(true, |all, b| all & (b.wrapping_sub(b' ') < 95) & (*b != b'='));
    let behind = data.get(start.len()..).unwrap_or_default();
    let run = start.len() + behind.chunks_exact(BLOCK).take_while(plain).count() * BLOCK;
    // The last octets once more with those before them, as a block.
    if data.len() - run < BLOCK && data.rchunks_exact(BLOCK).take(1).any(|last| plain(&last)) {
        return data.len();
    }
    let rest = data.get(run..).unwrap_or_default();
    run + rest.iter().position(escape).unwrap_or(rest.len())
}

/// How long the encoding is.
#[derive(Debug)]
pub(super) struct Counter {
    encoder: Quoted,
    count: u64,
}

impl Counter {
    pub(super) fn new(text: bool) -> Self {
        Self { encoder: Quoted::new(text), count: 0 }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        self.encoder.update(data, &mut self.count);
    }

    pub(super) fn finish(mut self) -> u64 {
        self.encoder.finish(&mut self.count);
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: bool, data: &[u8]) -> String {
        let mut out = Vec::new();
        let mut encoder = Quoted::new(text);
        encoder.update(data, &mut out);
        encoder.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_of_text_stay_lines() {
        assert_eq!(encode(true, b"a=b \r\nc\t\nd \re"), "a=3Db=20\r\nc=09\r\nd=20\r\ne");
        assert_eq!(encode(true, "gr\u{fc}n ".as_bytes()), "gr=C3=BCn=20");
        assert_eq!(encode(true, b"\r\r\n\n\n"), "\r\n\r\n\r\n\r\n");
        assert_eq!(encode(true, b" \n  \n"), "=20\r\n =20\r\n");
    }

    #[test]
    fn octets_of_anything_else_are_kept() {
        assert_eq!(encode(false, b"a\r\nb\n"), "a=0D=0Ab=0A");
        assert_eq!(encode(false, b"\0\xff"), "=00=FF");
    }

    #[test]
    fn no_line_is_longer_than_76() {
        let long = "x".repeat(75);
        assert_eq!(encode(true, long.as_bytes()), long);
        assert_eq!(encode(true, "x".repeat(76).as_bytes()), format!("{long}=\r\nx"));
        assert_eq!(
            encode(true, format!("{}=", "x".repeat(73)).as_bytes()),
            format!("{}=\r\n=3D", "x".repeat(73))
        );
        assert_eq!(encode(true, format!("{}=", "x".repeat(72)).as_bytes()), format!("{}=3D", "x".repeat(72)));
    }
}
