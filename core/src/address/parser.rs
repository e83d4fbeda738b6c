//! The grammar of RFC 5322 sections 3.4 and 4.4, in one pass without going back.

use std::sync::Arc;

use smol_str::SmolStr;

use super::scanner::{Scanner, is_atext, is_atom, is_plain_addr_spec, quote};
use super::{Address, AddressError, MAX_ADDR_SPEC, MAX_DOMAIN, domain};

/// See [`super::parse_each`].
pub(super) fn each(
    text: &str,
    domain: Option<&str>,
    mut take: impl FnMut(Address),
) -> Result<(), AddressError> {
    let mut parser = Parser { scanner: Scanner::new(text)?, group: None, domain };
    loop {
        let start = parser.scanner.pos();
        if parser.group.is_none()
            && let Some(address) = parser.plain_element()
        {
            take(address);
            continue;
        }
        parser.scanner.skip_cfws()?;
        match parser.scanner.peek() {
            Some(b',') => {
                parser.scanner.eat(b',');
            }
            Some(b';') if parser.group.is_some() => parser.close_group()?,
            Some(_) => {
                if let Some(address) = parser.element(start)? {
                    take(address);
                }
            }
            None => return parser.finish(),
        }
    }
}

/// See [`super::parse_mailbox`].
pub(super) fn mailbox(text: &str, domain: Option<&str>) -> Result<Address, AddressError> {
    let mut parser = Parser { scanner: Scanner::new(text)?, group: None, domain };
    parser.scanner.skip_cfws()?;
    if parser.scanner.peek().is_none() {
        return parser.scanner.fail(parser.scanner.pos(), "there is no address: give one mailbox");
    }
    let Some(address) = parser.element(0)? else {
        return parser.scanner.fail(0, "this is a group: give one mailbox");
    };
    match parser.scanner.peek() {
        None => Ok(address),
        Some(_) => parser.scanner.fail(parser.scanner.pos(), "expected one mailbox, but more follows"),
    }
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    /// The open group: its name, and where it begins.
    group: Option<(Arc<str>, usize)>,
    /// That of names without one.
    domain: Option<&'a str>,
}

impl Parser<'_> {
    /// A mailbox that is an addr-spec of ASCII atoms and dots alone, with the comma after it: what almost all of 1 000
    /// recipients are, each for 250 instructions less than as an [`element`](Self::element). `None` steps over nothing.
    fn plain_element(&mut self) -> Option<Address> {
        let start = self.scanner.clone();
        self.scanner.skip_fws();
        let spec = self.plain_addr_spec();
        let is_whole = self.scanner.eat(b',') || self.scanner.peek().is_none();
        let Some(Spec { text, local_len, plain }) = spec.filter(|_| is_whole) else {
            self.scanner = start;
            return None;
        };
        Some(Address { source: text.clone(), spec: text, local_len, plain, display_name: None, group: None })
    }

    /// A mailbox up to the separator after it, or the opening of a group (then `None`).
    /// `start` is where its source begins.
    fn element(&mut self, start: usize) -> Result<Option<Address>, AddressError> {
        let (spec, display_name) = if let Some(spec) = self.plain_addr_spec() {
            (spec, None)
        } else {
            let words = self.words()?;
            match self.scanner.peek() {
                Some(b'<') => (self.angle_addr()?, Some(self.phrase(words)?)),
                Some(b':') if words.last.is_some() => return self.open_group(words).map(|()| None),
                Some(b'@') => (self.addr_spec(words)?, None),
                None | Some(b',' | b';') if words.last.is_some() => (self.bare_name(words)?, None),
                _ => return self.unexpected(),
            }
        };
        self.scanner.skip_cfws()?;
        let source = self.scanner.since(start).trim_matches([' ', '\t', '\r', '\n']);
        match self.scanner.peek() {
            None | Some(b',') => {}
            Some(b';') if self.group.is_some() => {}
            _ => return self.unexpected(),
        }
        Ok(Some(Address {
            source: if *source == *spec.text { spec.text.clone() } else { source.into() },
            local_len: spec.local_len,
            spec: spec.text,
            plain: spec.plain,
            display_name: display_name.filter(|name| !name.is_empty()),
            group: self.group.as_ref().map(|(name, _)| Arc::clone(name)),
        }))
    }

    fn open_group(&mut self, words: Words) -> Result<(), AddressError> {
        let start = words.start;
        if self.group.is_some() {
            return self.scanner.fail(start, "a group cannot hold a group: close the first with a semicolon");
        }
        self.group = Some((self.phrase(words)?.into(), start));
        self.scanner.eat(b':');
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), AddressError> {
        self.scanner.eat(b';');
        self.group = None;
        self.scanner.skip_cfws()?;
        match self.scanner.peek() {
            None | Some(b',') => Ok(()),
            Some(_) => {
                self.scanner.fail(self.scanner.pos(), "a comma must follow the semicolon that closes a group")
            }
        }
    }

    fn finish(self) -> Result<(), AddressError> {
        match self.group {
            None => Ok(()),
            Some((_, start)) => {
                self.scanner.fail(start, "the group that begins here has no closing semicolon")
            }
        }
    }

    /// Atoms, quoted strings and dots: a display name, a group's name or a local part, which only
    /// the character after them tells.
    fn words(&mut self) -> Result<Words, AddressError> {
        self.scanner.skip_cfws()?;
        let mut words = Words { start: self.scanner.pos(), ..Words::default() };
        let mut spaced = false;
        loop {
            let at = self.scanner.pos();
            match self.scanner.peek() {
                Some(b'.') => {
                    self.scanner.eat(b'.');
                    words.push_dot(at, spaced);
                }
                Some(b'"') => words.push_word(at, spaced, &self.scanner.quoted_string()?),
                Some(byte) if is_atext(byte) => {
                    let atom = self.scanner.atom();
                    words.push_word(at, spaced, atom);
                    if atom.contains(char::is_whitespace) {
                        words.fault(at, "white space that is not ASCII cannot stand here without quotes");
                    }
                }
                _ => return Ok(words),
            }
            spaced = self.scanner.skip_cfws()?;
        }
    }

    /// The words as the text of a phrase.
    fn phrase(&self, words: Words) -> Result<String, AddressError> {
        match words.first {
            Some(Token::Dot) => {
                self.scanner.fail(words.start, "a name that begins with a dot must be quoted")
            }
            _ => Ok(words.text),
        }
    }

    /// The addr-spec in angle brackets, without its route.
    fn angle_addr(&mut self) -> Result<Spec, AddressError> {
        let open = self.scanner.pos();
        self.scanner.eat(b'<');
        self.scanner.skip_cfws()?;
        self.skip_route()?;
        let spec = if let Some(spec) = self.plain_addr_spec() {
            spec
        } else {
            let words = self.words()?;
            match self.scanner.peek() {
                Some(b'@') => self.addr_spec(words)?,
                Some(b'>') if words.last.is_some() => self.bare_name(words)?,
                Some(b'>') => {
                    return self.scanner.fail(open, "<> holds no address; it is the null reverse-path alone");
                }
                None => return self.scanner.fail(open, "the < here has no closing >"),
                Some(_) => return self.unexpected(),
            }
        };
        if self.scanner.eat(b'>') {
            return Ok(spec);
        }
        match self.scanner.peek() {
            None | Some(b',' | b';') => self.scanner.fail(open, "the < here has no closing >"),
            Some(_) => self.unexpected(),
        }
    }

    /// The short way for what almost every addr-spec is.
    fn plain_addr_spec(&mut self) -> Option<Spec> {
        let (text, local_len) = self.scanner.plain_addr_spec()?;
        Some(Spec { text: text.into(), local_len, plain: true })
    }

    /// RFC 5322 section 4.4 `obs-route`: to be read and ignored.
    fn skip_route(&mut self) -> Result<(), AddressError> {
        if !matches!(self.scanner.peek(), Some(b'@' | b',')) {
            return Ok(());
        }
        let start = self.scanner.pos();
        let mut hops = 0_usize;
        loop {
            while self.scanner.eat(b',') {
                self.scanner.skip_cfws()?;
            }
            if self.scanner.eat(b'@') {
                self.domain()?;
                hops = hops.saturating_add(1);
            }
            match self.scanner.peek() {
                Some(b',') => {}
                Some(b':') if hops > 0 => {
                    self.scanner.eat(b':');
                    return Ok(());
                }
                _ => {
                    return self
                        .scanner
                        .fail(start, "nothing stands before the @, and no route with a colon begins here");
                }
            }
        }
    }

    /// A local part that has been read, and the `@` and domain that follow.
    fn addr_spec(&mut self, mut words: Words) -> Result<Spec, AddressError> {
        let start = words.start;
        let at = self.scanner.pos();
        match words.last {
            None => return self.scanner.fail(at, "nothing stands before the @"),
            Some(Token::Dot) => {
                words.fault(at, "the local part ends with a dot: remove it, or quote the local part")
            }
            Some(Token::Word) => {}
        }
        let mut text = self.local_part(words)?;
        let local_len = text.len();
        self.scanner.eat(b'@');
        let domain = self.domain()?;
        text.push('@');
        text.push_str(&domain);
        if text.len() > MAX_ADDR_SPEC {
            return self.scanner.fail(start, "the address is longer than 254 octets");
        }
        Ok(Spec { plain: is_plain_addr_spec(&text), text: text.into(), local_len })
    }

    /// A name that no domain follows.
    fn bare_name(&self, words: Words) -> Result<Spec, AddressError> {
        let start = words.start;
        if let Some(domain) = self.domain {
            let text = format!("{}@{domain}", self.local_part(words)?);
            return match mailbox(&text, None) {
                Ok(Address { spec: text, local_len, plain, .. }) => Ok(Spec { text, local_len, plain }),
                Err(error) => self.scanner.fail(start, error.reason()),
            };
        }
        if words.local.eq_ignore_ascii_case("postmaster") && words.fault.is_none() {
            return Ok(Spec { local_len: words.local.len(), text: words.local.into(), plain: false });
        }
        let reason = "this has no domain: add one, as in name@example.org; quote a name that holds a comma";
        self.scanner.fail(start, reason)
    }

    /// The words as a local part in the one form that it has here.
    fn local_part(&self, words: Words) -> Result<String, AddressError> {
        if let Some((at, reason)) = words.fault {
            return self.scanner.fail(at, reason);
        }
        if words.local.contains('\t') {
            return self
                .scanner
                .fail(words.start, "a tab cannot stand in a local part (RFC 5321 section 4.1.2)");
        }
        let local = match is_dot_atom(&words.local) {
            true => words.local,
            false => quote(&words.local),
        };
        Ok(local)
    }

    /// A domain or a literal, with the white space and comments on both sides.
    fn domain(&mut self) -> Result<String, AddressError> {
        self.scanner.skip_cfws()?;
        let start = self.scanner.pos();
        let domain = match self.scanner.peek() {
            Some(b'[') => self.domain_literal()?,
            _ => self.domain_name()?,
        };
        // Before and after the mapping: the first bounds its work.
        if domain.len() > MAX_DOMAIN {
            return self.scanner.fail(start, "the domain is longer than 255 octets");
        }
        match domain::to_u_labels(domain) {
            Some(domain) if domain.len() <= MAX_DOMAIN => Ok(domain),
            Some(_) => self.scanner.fail(start, "the domain is longer than 255 octets"),
            None => self.scanner.fail(start, "the domain is not a valid internationalized name (UTS #46)"),
        }
    }

    fn domain_name(&mut self) -> Result<String, AddressError> {
        let mut name = String::new();
        loop {
            let at = self.scanner.pos();
            let label = self.scanner.atom();
            if label.is_empty() {
                let dot = self.scanner.peek() == Some(b'.');
                let reason = match (name.is_empty(), dot) {
                    (true, true) => "the domain begins with a dot: remove it",
                    (true, false) => "no domain follows the @: add one",
                    (false, true) => "two dots in a row in the domain: remove one",
                    (false, false) => "the domain ends with a dot: remove it",
                };
                return self.scanner.fail(at, reason);
            }
            name.push_str(label);
            self.scanner.skip_cfws()?;
            if !self.scanner.eat(b'.') {
                return Ok(name);
            }
            name.push('.');
            self.scanner.skip_cfws()?;
        }
    }

    fn domain_literal(&mut self) -> Result<String, AddressError> {
        let open = self.scanner.pos();
        self.scanner.eat(b'[');
        self.scanner.skip_fws();
        let content = self.scanner.dcontent();
        self.scanner.skip_fws();
        if !self.scanner.eat(b']') {
            let at = self.scanner.pos();
            return match self.scanner.peek() {
                None => self.scanner.fail(open, "the domain literal that begins here has no closing bracket"),
                Some(_) => self.scanner.fail(at, "this character cannot stand in a domain literal"),
            };
        }
        if let Err(reason) = domain::check_literal(content) {
            return self.scanner.fail(open, reason);
        }
        self.scanner.skip_cfws()?;
        Ok(format!("[{content}]"))
    }

    fn unexpected<T>(&self) -> Result<T, AddressError> {
        let reason = match self.scanner.peek() {
            None => "an address is missing before the end",
            Some(b';') => "no group is open here: separate addresses with a comma, not a semicolon",
            Some(b':') => "a colon follows only a group's name: quote a name that holds one",
            Some(b'@') => "an address has one @: quote a local part or a name that holds another",
            Some(b'<') => {
                "an address is complete before this <: quote a name that holds an @, or add a comma"
            }
            Some(b'>') => "no < is open here",
            Some(b')') => "no comment is open here",
            Some(b'[' | b']') => "a bracket stands only around a domain literal: quote a name that holds one",
            Some(b'\\') => "a backslash stands only in quoted strings and comments",
            Some(b',') => "no address is complete before this comma: quote a name that holds one",
            Some(_) => "an address is complete before this: separate addresses with a comma",
        };
        self.scanner.fail(self.scanner.pos(), reason)
    }
}

/// An addr-spec in its one form.
struct Spec {
    text: SmolStr,
    local_len: usize,
    /// ASCII atoms and dots alone.
    plain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Word,
    Dot,
}

/// A run of words and dots, read both as a phrase and as a local part.
#[derive(Debug, Default)]
struct Words {
    start: usize,
    /// As a phrase: one space if there was white space or a comment.
    text: String,
    /// As a local part: no space at all.
    local: String,
    /// What keeps it from being a local part, and where.
    fault: Option<(usize, &'static str)>,
    first: Option<Token>,
    last: Option<Token>,
}

impl Words {
    fn push_word(&mut self, at: usize, spaced: bool, word: &str) {
        if self.last == Some(Token::Word) {
            self.fault(
                at,
                "two words without a dot between them are not a local part: quote it, or add a comma or <>",
            );
        }
        self.push(Token::Word, spaced, word);
    }

    fn push_dot(&mut self, at: usize, spaced: bool) {
        match self.last {
            None => self.fault(at, "the local part begins with a dot: remove it, or quote the local part"),
            Some(Token::Dot) => self.fault(at, "two dots in a row: remove one, or quote the local part"),
            Some(Token::Word) => {}
        }
        self.push(Token::Dot, spaced, ".");
    }

    fn push(&mut self, token: Token, spaced: bool, text: &str) {
        if spaced && !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.local.push_str(text);
        self.first = self.first.or(Some(token));
        self.last = Some(token);
    }

    /// The first fault is the one to tell.
    fn fault(&mut self, at: usize, reason: &'static str) {
        self.fault = self.fault.or(Some((at, reason)));
    }
}

/// RFC 5322 section 3.2.3 `dot-atom-text`. White space beyond ASCII stays in quotes.
fn is_dot_atom(text: &str) -> bool {
    text.split('.').all(is_atom) && !text.contains(char::is_whitespace)
}
