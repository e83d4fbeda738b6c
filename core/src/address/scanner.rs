//! The tokens of RFC 5322 section 3.2: atoms, quoted strings, comments and white space.

use super::{AddressError, MAX_ADDR_SPEC};

/// How deep comments may nest. Nobody nests more than two or three; the header goes on to
/// readers that recurse, and this keeps a hostile list from reaching their limits.
pub const MAX_COMMENT_DEPTH: usize = 32;

/// A position in a text that has passed [`Scanner::new`]; always on a character boundary.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    pos: usize,
}

impl<'a> Scanner<'a> {
    /// Refuses control characters, and line ends that fold nothing, before anything else looks at
    /// the text: after this, CR and LF are white space and cannot end a header or a command.
    pub(super) fn new(text: &'a str) -> Result<Self, AddressError> {
        // Almost every text is such. All octets are looked at in any case, for which the compiler has vectors.
        if text.bytes().fold(true, |all, octet| all & matches!(octet, b' '..=b'~')) {
            return Ok(Self { text, pos: 0 });
        }
        let mut rest = text.char_indices();
        while let Some((at, c)) = rest.next() {
            let reason = match c {
                '\t' => continue,
                '\n' if rest.as_str().starts_with([' ', '\t']) => continue,
                '\r' if rest.as_str().starts_with("\n ") || rest.as_str().starts_with("\n\t") => {
                    continue;
                }
                '\n' | '\r' => {
                    "a line end is allowed only as CRLF or LF before a space or tab (a folded line)"
                }
                c if c.is_control() => "a control character cannot stand in an address",
                _ => continue,
            };
            return Err(AddressError::new(text, at, reason));
        }
        Ok(Self { text, pos: 0 })
    }

    pub(super) fn pos(&self) -> usize {
        self.pos
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    /// Steps over `byte`, which is ASCII, if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.pos = self.pos.saturating_add(1);
        }
        found
    }

    /// The text from `start` to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.pos).unwrap_or_default()
    }

    pub(super) fn fail<T>(&self, at: usize, reason: &'static str) -> Result<T, AddressError> {
        Err(AddressError::new(self.text, at, reason))
    }

    /// Steps over white space and comments; says whether there were any.
    pub(super) fn skip_cfws(&mut self) -> Result<bool, AddressError> {
        let start = self.pos;
        loop {
            match self.peek() {
                Some(b'(') => self.skip_comment()?,
                Some(byte) if is_white(byte) => self.pos = self.pos.saturating_add(1),
                _ => return Ok(self.pos > start),
            }
        }
    }

    /// Steps over folding white space alone.
    pub(super) fn skip_fws(&mut self) {
        self.skip_while(is_white);
    }

    /// The atom that begins here; empty if none does.
    pub(super) fn atom(&mut self) -> &'a str {
        let start = self.pos;
        self.skip_while(is_atext);
        self.since(start)
    }

    /// Steps over an addr-spec of ASCII atoms and dots with nothing but a separator after it, as almost every
    /// one is: itself, and the length of its local part. Anything else is left to the whole grammar.
    pub(super) fn plain_addr_spec(&mut self) -> Option<(&'a str, usize)> {
        let rest = self.text.as_bytes().get(self.pos..)?;
        let (length, local) = plain_addr_spec(rest)?;
        if !matches!(rest.get(length), None | Some(b',' | b';' | b'>')) {
            return None;
        }
        let start = self.pos;
        self.pos = start.saturating_add(length);
        Some((self.since(start), local))
    }

    /// The run of `dcontent` (RFC 5321 section 4.1.3) that begins here, except for `<` and `>`: they
    /// would end the path for a server that does not know literals.
    pub(super) fn dcontent(&mut self) -> &'a str {
        let start = self.pos;
        self.skip_while(|byte| byte.is_ascii_graphic() && !matches!(byte, b'[' | b'\\' | b']' | b'<' | b'>'));
        self.since(start)
    }

    /// The content of the quoted string that begins here: unfolded, quoted pairs undone.
    pub(super) fn quoted_string(&mut self) -> Result<String, AddressError> {
        let open = self.pos;
        self.eat(b'"');
        let mut content = String::new();
        loop {
            let start = self.pos;
            self.skip_while(|byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n'));
            content.push_str(self.since(start));
            match self.peek() {
                None => {
                    return self.fail(open, "the quoted string that begins here has no closing quote");
                }
                Some(b'\\') => content.push_str(self.quoted_pair()?),
                Some(byte) => {
                    self.eat(byte);
                    if byte == b'"' {
                        return Ok(content);
                    }
                }
            }
        }
    }

    /// The character after the backslash here.
    fn quoted_pair(&mut self) -> Result<&'a str, AddressError> {
        let backslash = self.pos;
        self.eat(b'\\');
        let start = self.pos;
        match self.text.get(start..).and_then(|rest| rest.chars().next()) {
            None => self.fail(backslash, "nothing follows the backslash"),
            Some('\r' | '\n') => self.fail(backslash, "a backslash cannot quote a line end"),
            Some(c) => {
                self.pos = start.saturating_add(c.len_utf8());
                Ok(self.since(start))
            }
        }
    }

    /// A counter instead of recursion: no depth can exhaust the stack.
    fn skip_comment(&mut self) -> Result<(), AddressError> {
        let open = self.pos;
        let mut depth = 0_usize;
        loop {
            self.skip_while(|byte| !matches!(byte, b'(' | b')' | b'\\'));
            match self.peek() {
                None => {
                    return self.fail(open, "the comment that begins here has no closing parenthesis");
                }
                Some(b'\\') => {
                    self.quoted_pair()?;
                    continue;
                }
                Some(b'(') if depth == MAX_COMMENT_DEPTH => {
                    return self.fail(self.pos, "comments are nested too deeply: 32 is the limit");
                }
                Some(b'(') => depth = depth.saturating_add(1),
                Some(_) => depth = depth.saturating_sub(1),
            }
            self.pos = self.pos.saturating_add(1);
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        let rest = self.text.as_bytes().get(self.pos..).unwrap_or_default();
        let run = rest.iter().position(|&byte| !wanted(byte)).unwrap_or(rest.len());
        self.pos = self.pos.saturating_add(run);
    }
}

/// Whether the text is one atom.
pub(super) fn is_atom(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_atext)
}

/// How long the addr-spec of ASCII atoms and dots that begins here is, and its local part.
fn plain_addr_spec(octets: &[u8]) -> Option<(usize, usize)> {
    let local = plain_dot_atom(octets)?;
    let domain = plain_dot_atom(octets.get(local..)?.strip_prefix(b"@")?)?;
    let length = local.saturating_add(1).saturating_add(domain);
    (length <= MAX_ADDR_SPEC).then_some((length, local))
}

/// Whether the whole text is such an addr-spec.
pub(super) fn is_plain_addr_spec(text: &str) -> bool {
    plain_addr_spec(text.as_bytes()).is_some_and(|(length, _)| length == text.len())
}

/// The addr-spec of a text that plainly is one mailbox, and the length of its local part: ASCII atoms and dots, alone or
/// in angle brackets after atoms or one quoted string. The whole grammar reads such a text as the same one mailbox.
pub(super) fn plain_mailbox(text: &str) -> Option<(&str, usize)> {
    let spec = match text.strip_suffix('>') {
        None => text,
        Some(rest) => {
            let (name, spec) = rest.split_at_checked(memchr::memrchr(b'<', rest.as_bytes())?)?;
            if !is_plain_name(name.as_bytes()) {
                return None;
            }
            spec.get(1..)?
        }
    };
    let (length, local) = plain_addr_spec(spec.as_bytes())?;
    (length == spec.len()).then_some((spec, local))
}

/// Whether this is atoms of ASCII and spaces, or one quoted string without quoted pairs.
fn is_plain_name(name: &[u8]) -> bool {
    let spaces = name.iter().rev().take_while(|octet| **octet == b' ').count();
    match name.get(..name.len() - spaces).unwrap_or_default() {
        [b'"', quoted @ .., b'"'] => {
            quoted.iter().all(|octet| matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\'))
        }
        atoms => atoms.iter().all(|&octet| octet == b' ' || is_plain_atext(octet)),
    }
}

/// How long the dot-atom that begins here is, where it is ASCII.
fn plain_dot_atom(octets: &[u8]) -> Option<usize> {
    let mut at = 0_usize;
    loop {
        let rest = octets.get(at..)?;
        let atom = rest.iter().position(|&octet| !is_plain_atext(octet)).unwrap_or(rest.len());
        at = at.saturating_add(atom);
        match rest.get(atom) {
            _ if atom == 0 => return None,
            Some(b'.') => at = at.saturating_add(1),
            _ => return Some(at),
        }
    }
}

/// [`is_atext`] of ASCII, by a table: every octet of every address is asked for.
fn is_plain_atext(octet: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut octet = 0_u8;
        while octet < 128 {
            table[octet as usize] = is_atext(octet);
            octet += 1;
        }
        table
    };
    TABLE[usize::from(octet)]
}

/// The text as a quoted string (RFC 5322 section 3.2.4).
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// Line ends have been found harmless by [`Scanner::new`].
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// RFC 5322 section 3.2.3, and the octets of UTF-8 (RFC 6532 section 3.2).
pub(super) const fn is_atext(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | 0x80.. | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'/'
        | b'=' | b'?' | b'^'..=b'`' | b'{'..=b'~')
}
