//! The relaxed forms of RFC 6376 section 3.4.

use memchr::{memchr3, memmem};

/// A body on its way into its relaxed form (section 3.4.4): white space at the end of a line goes, any other becomes one
/// space, empty lines at the end go, and whatever is left ends in CRLF.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// A CR whose LF was not seen yet.
    cr: bool,
    blank: bool,
    line_ends: u64,
    any: bool,
}

impl Body {
    pub(super) fn update(&mut self, mut data: &[u8], out: &mut Vec<u8>) {
        if self.cr
            && let Some(first) = data.first()
        {
            self.cr = false;
            if *first == b'\n' {
                self.end_line();
                data = data.get(1..).unwrap_or_default();
            } else {
                self.text(b"\r", out);
            }
        }
        while let Some(at) = memchr3(b'\r', b' ', b'\t', data) {
            let (text, rest) = data.split_at(at);
            self.text(text, out);
            data = match rest {
                [b'\r', b'\n', rest @ ..] => {
                    self.end_line();
                    rest
                }
                [b'\r'] => {
                    self.cr = true;
                    return;
                }
                [b'\r', rest @ ..] => {
                    self.text(b"\r", out);
                    rest
                }
                [_, rest @ ..] => {
                    self.blank = true;
                    rest
                }
                [] => rest,
            };
        }
        self.text(data, out);
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        if self.cr {
            self.text(b"\r", out);
        }
        if self.any {
            out.extend_from_slice(b"\r\n");
        }
    }

    fn end_line(&mut self) {
        self.blank = false;
        self.line_ends = self.line_ends.saturating_add(1);
    }

    fn text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        for _ in 0..std::mem::take(&mut self.line_ends) {
            out.extend_from_slice(b"\r\n");
        }
        if std::mem::take(&mut self.blank) {
            out.push(b' ');
        }
        out.extend_from_slice(text);
        self.any = true;
    }
}

/// The length of the header section, with the empty line that ends it, in `data`.
pub(super) fn head_end(data: &[u8]) -> Option<usize> {
    if data.starts_with(b"\r\n") {
        return Some(2);
    }
    memmem::find(data, b"\r\n\r\n").map(|at| at + 4)
}

/// The fields of a header section: each a name, without the blanks before its colon, and a value with its line ends.
pub(super) fn fields(head: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut found = Vec::new();
    let mut rest = head;
    while !rest.is_empty() {
        let mut end = 0;
        loop {
            let line = rest.get(end..).unwrap_or_default();
            end += memmem::find(line, b"\r\n").map_or(line.len(), |at| at + 2);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, after) = rest.split_at(end);
        rest = after;
        if let Some(colon) = memchr::memchr(b':', field) {
            let (name, value) = field.split_at(colon);
            found.push((name.trim_ascii_end(), value.get(1..).unwrap_or_default()));
        }
    }
    found
}

/// The relaxed form of a field (section 3.4.2), with its CRLF.
pub(super) fn field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend(name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    let mut first = true;
    for word in value.split(is_blank).filter(|word| !word.is_empty()) {
        if !std::mem::take(&mut first) {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
    out.extend_from_slice(b"\r\n");
}
