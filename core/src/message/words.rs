//! Header fields as they are written: encoded words (RFC 2047), parameters (RFC 2231), folded lines.

use std::fmt::{self, Write};

use email_encoding::headers::rfc2047;
use email_encoding::headers::writer::EmailWriter;

use super::finished::may_be_raw;
use super::parameters::{self, Parameter};
use super::syntax::Syntax;
use crate::address::parse_mailbox;
use crate::content::Transfer;
use crate::error::Error;

/// The longest line that is allowed, without CRLF (RFC 5322 2.1.1).
const LIMIT: usize = 998;

/// A word of unstructured text from here on is encoded, as a line must be broken within it.
const LONG_WORD: usize = 900;

/// What `email-encoding` folds at.
pub(super) const WIDTH: usize = 76;

/// Refuses a value that cannot be written as that field.
pub(super) fn check(name: &str, value: &str) -> Result<(), Error> {
    // Whatever its syntax, this stays as it is, and no line is too long. Writing it to find that out costs
    // 7 000 instructions.
    if name.len() + value.len() < LONG_WORD && value.is_ascii() && !Syntax::has_parameters(name) {
        return Ok(());
    }
    let value = trimmed(value);
    written(name, value, false)?;
    if value.is_ascii() { Ok(()) } else { written(name, value, true).map(drop) }
}

/// Appends the whole field, folded, with its last CRLF. With `utf8` (RFC 6532) words are not encoded. Octets
/// above 127 stay without `utf8` too where no encoding exists: in a local part, a message-id or a URL.
pub(super) fn field(name: &str, value: &str, utf8: bool, out: &mut String) -> Result<(), Error> {
    let value = trimmed(value);
    if is_one_line(name, value) {
        // As most fields are: 200 instructions instead of 3 500.
        for piece in [name, ": ", value, "\r\n"] {
            out.push_str(piece);
        }
    } else {
        out.push_str(&written(name, value, utf8)?);
    }
    Ok(())
}

/// A whole field for a header section in ASCII, folded, with its last CRLF: domains as A-labels, display names, comments
/// and text as encoded words.
///
/// # Errors
/// [`Kind::Unsupported`](crate::error::Kind::Unsupported) with the field's name where it has no such form: for a local part, a
/// message-id or a URL beyond ASCII.
pub fn ascii_field(name: &str, value: &str) -> Result<String, Error> {
    let mut text = String::new();
    field(name, value, false, &mut text)?;
    may_be_raw(Some(name).filter(|_| !text.is_ascii()), Transfer::default())?;
    Ok(text)
}

/// Whether the field is text, or a value with parameters, which always have a form in ASCII.
pub fn is_text(name: &str) -> bool {
    matches!(Syntax::of(name), Syntax::Text | Syntax::Parameters)
}

/// Appends a field of a value and its parameters; with a `file_name` that is not ASCII, which becomes parameter `name`.
pub(super) fn with_parameters(
    name: &str,
    value: &str,
    list: &[Parameter],
    file_name: Option<&str>,
    out: &mut String,
) -> Result<(), Error> {
    if file_name.is_none() && parameters::fit_one_line(name, value, list) {
        // As those of a text do: 300 instructions instead of 3 000.
        for piece in [name, ": ", value] {
            out.push_str(piece);
        }
        for (name, value) in list {
            for piece in ["; ", name, "=\"", value, "\""] {
                out.push_str(piece);
            }
        }
        out.push_str("\r\n");
        return Ok(());
    }
    out.push_str(&folded(name, value, list, file_name)?);
    Ok(())
}

/// A value without the white space around it, which does not count.
pub(super) fn trimmed(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// Whether it is of printable ASCII alone. It looks at every octet in any case, for which the compiler has vectors.
pub(super) fn is_printable(text: &str) -> bool {
    text.bytes().fold(true, |all, octet| all & matches!(octet, b' '..=b'~'))
}

/// Whether nothing of it is to be folded or encoded: it is printable ASCII, and short.
fn is_one_line(name: &str, value: &str) -> bool {
    name.len() + ": ".len() + value.len() <= WIDTH && is_printable(value) && !Syntax::has_parameters(name)
}

/// The whole field by the rules of its syntax. `value` has no white space around it.
fn written(name: &str, value: &str, utf8: bool) -> Result<String, Error> {
    write(name, |w| match Syntax::of(name) {
        Syntax::Addresses => addresses(value, utf8, w),
        Syntax::Parameters => match parameters::parse(value) {
            Some((first, list)) => parameters::write(first, &list, w),
            None => text(value, utf8, w),
        },
        Syntax::Tokens => w.folding().write_str(value),
        Syntax::Urls => urls(value, utf8, false, w),
        Syntax::ListId => urls(value, utf8, true, w),
        Syntax::Text => text(value, utf8, w),
    })
}

/// As [`with_parameters`], by the rules.
fn folded(name: &str, value: &str, list: &[Parameter], file_name: Option<&str>) -> Result<String, Error> {
    write(name, |w| {
        parameters::write(value, list, w)?;
        let Some(text) = file_name else { return Ok(()) };
        w.write_char(';')?;
        parameters::encoded_words("name", text, w)
    })
}

fn write(name: &str, body: impl FnOnce(&mut EmailWriter<'_>) -> fmt::Result) -> Result<String, Error> {
    // The first word stays on the first line: a line without any is legal, and often misread.
    let mut out = format!("{name}: ");
    let length = out.len();
    let result = body(&mut EmailWriter::new(&mut out, length, 0, false));
    let longest = out.split("\r\n").map(str::len).max().unwrap_or(0);
    if result.is_err() || longest > LIMIT {
        return Err(Error::usage(format!(
            "the header field {name} has a word (or URL) too long for a line: {longest} octets, and {LIMIT} are allowed \
             (RFC 5322 2.1.1)"
        )));
    }
    out.push_str("\r\n");
    Ok(out)
}

/// Unstructured text. Words that must be encoded are encoded together with the spaces between them, and between them and
/// words that are encoded already, as a reader drops those between encoded words (RFC 2047 6.2).
fn text(value: &str, utf8: bool, w: &mut EmailWriter<'_>) -> fmt::Result {
    let must = |word: &&str| !utf8 && !word.is_ascii() || word.len() > LONG_WORD;
    let words: Vec<&str> = value.split(' ').collect();
    let mut rest = words.as_slice();
    // The spaces since a word that was encoded already.
    let mut spaces_before: Option<usize> = None;
    while let Some((first, after)) = rest.split_first() {
        if must(first) {
            let stretch = rest.iter().take_while(|word| must(word) || word.is_empty()).count();
            let whole = rest.get(..stretch).unwrap_or_default();
            let empty = whole.iter().rev().take_while(|word| word.is_empty()).count();
            let (now, later) = rest.split_at(stretch - empty);
            let next = later.get(empty).is_some_and(|word| is_encoded(word));
            let front = " ".repeat(spaces_before.take().unwrap_or(0));
            let back = if next { " ".repeat(empty + 1) } else { String::new() };
            rfc2047::encode(&format!("{front}{}{back}", now.join(" ")), w)?;
            rest = later;
        } else {
            w.folding().write_str(first)?;
            if !first.is_empty() {
                spaces_before = is_encoded(first).then_some(0);
            }
            rest = after;
        }
        if !rest.is_empty() {
            spaces_before = spaces_before.map(|spaces| spaces + 1);
            w.space();
        }
    }
    Ok(())
}

/// Whether it is an encoded word, `=?charset?encoding?text?=`.
fn is_encoded(word: &str) -> bool {
    let inner = word.strip_prefix("=?").and_then(|word| word.strip_suffix("?="));
    inner.is_some_and(|inner| inner.matches('?').count() == 2)
}

/// An address list: display names, group names and comments are encoded where they must be, the rest is
/// written as it is.
fn addresses(value: &str, utf8: bool, w: &mut EmailWriter<'_>) -> fmt::Result {
    let bytes = value.as_bytes();
    let part = |from: usize, to: usize| value.get(from..to).unwrap_or_default();
    let (mut start, mut at) = (0, 0);
    while let Some(&octet) = bytes.get(at) {
        match octet {
            b'"' => at = quoted(bytes, at, b'"'),
            b'[' => at = quoted(bytes, at, b']'),
            b'(' => {
                let end = comment(bytes, at);
                // Within a display name that is encoded the comment is a part of it.
                if !utf8 && !part(at, end).is_ascii() && part(start, at).is_ascii() {
                    bare(part(start, at), utf8, w)?;
                    commented(part(at, end), w)?;
                    start = end;
                }
                at = end;
            }
            b'<' => {
                phrase(part(start, at), utf8, start > 0, w)?;
                let end = quoted(bytes, at, b'>');
                match a_labels(part(at, end), utf8) {
                    Some(spec) => word(&format!("<{spec}>"), w)?,
                    None => word(part(at, end), w)?,
                }
                (start, at) = (end, end);
            }
            b':' => {
                phrase(part(start, at), utf8, start > 0, w)?;
                w.write_char(':')?;
                at += 1;
                start = at;
            }
            b',' | b';' => {
                bare(part(start, at), utf8, w)?;
                w.write_char(char::from(octet))?;
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    bare(part(start, bytes.len()), utf8, w)
}

/// URLs, which are never folded or encoded, with comments and perhaps a phrase between them.
fn urls(value: &str, utf8: bool, phrases: bool, w: &mut EmailWriter<'_>) -> fmt::Result {
    let bytes = value.as_bytes();
    let part = |from: usize, to: usize| value.get(from..to).unwrap_or_default();
    let between = |text: &str, inside: bool, w: &mut EmailWriter<'_>| {
        if phrases { phrase(text, utf8, inside, w) } else { spaced(text, w) }
    };
    let (mut start, mut at) = (0, 0);
    while let Some(&octet) = bytes.get(at) {
        let end = match octet {
            b'"' => {
                at = quoted(bytes, at, b'"');
                continue;
            }
            b'(' => comment(bytes, at),
            b'<' => quoted(bytes, at, b'>'),
            _ => {
                at += 1;
                continue;
            }
        };
        between(part(start, at), start > 0, w)?;
        let text = part(at, end);
        if octet == b'(' && !utf8 && !text.is_ascii() {
            commented(text, w)?;
        } else if octet == b'(' {
            spaced(text, w)?;
        } else {
            whole(text, w)?;
        }
        (start, at) = (end, end);
    }
    between(part(start, bytes.len()), start > 0, w)
}

/// A mailbox without angle brackets, or what is left of one.
fn bare(text: &str, utf8: bool, w: &mut EmailWriter<'_>) -> fmt::Result {
    let trimmed = text.trim_matches([' ', '\t']);
    // The comments around an address stay.
    let mut mailbox = trimmed;
    while mailbox.starts_with('(') {
        mailbox =
            mailbox.get(comment(mailbox.as_bytes(), 0)..).unwrap_or_default().trim_start_matches([' ', '\t']);
    }
    if let Some((address, _)) = mailbox.split_once(" (").or_else(|| mailbox.split_once('(')) {
        mailbox = address.trim_end_matches([' ', '\t']);
    }
    match a_labels(mailbox, utf8) {
        Some(spec) => spaced(&text.replacen(mailbox, &spec, 1), w),
        None => spaced(text, w),
    }
}

/// The addr-spec for a reader without SMTPUTF8, where it has one and is not ASCII yet (RFC 5890).
fn a_labels(mailbox: &str, utf8: bool) -> Option<String> {
    if utf8 || mailbox.is_ascii() {
        return None;
    }
    parse_mailbox(mailbox).ok()?.to_ascii().ok()
}

/// After the `close` of what opens at `at`; quoted pairs, and within angle brackets quoted strings, are passed over.
pub(super) fn quoted(bytes: &[u8], mut at: usize, close: u8) -> usize {
    at += 1;
    while let Some(&octet) = bytes.get(at) {
        match octet {
            b'\\' => at += 2,
            b'"' if close == b'>' => at = quoted(bytes, at, b'"'),
            _ if octet == close => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// After the comment that opens at `at`, nested ones included.
fn comment(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(&octet) = bytes.get(at) {
        match octet {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' if depth <= 1 => return at + 1,
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Text as it is, folded at the spaces outside quoted strings.
fn spaced(text: &str, w: &mut EmailWriter<'_>) -> fmt::Result {
    let (mut start, mut at) = (0, 0);
    while let Some(&octet) = text.as_bytes().get(at) {
        match octet {
            b'"' => at = quoted(text.as_bytes(), at, b'"'),
            b' ' => {
                word(text.get(start..at).unwrap_or_default(), w)?;
                w.space();
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    word(text.get(start..).unwrap_or_default(), w)
}

/// A word in one piece, on a new line where it does not fit and a space comes before it.
fn word(text: &str, w: &mut EmailWriter<'_>) -> fmt::Result {
    if text.is_empty() {
        return Ok(());
    }
    if text.len() > LONG_WORD {
        return w.folding().write_str(text);
    }
    whole(text, w)
}

/// As [`word`], however long it is.
fn whole(text: &str, w: &mut EmailWriter<'_>) -> fmt::Result {
    if has_space(w) && w.projected_line_len() + text.len() > WIDTH {
        w.new_line()?;
    }
    w.write_str(text)
}

fn has_space(w: &EmailWriter<'_>) -> bool {
    w.projected_line_len() > w.line_len()
}

/// A display name or the name of a group, with the white space around it; `inside`: not the first.
fn phrase(text: &str, utf8: bool, inside: bool, w: &mut EmailWriter<'_>) -> fmt::Result {
    let name = text.trim_matches([' ', '\t']);
    if utf8 || name.is_ascii() {
        return spaced(text, w);
    }
    if inside && !has_space(w) {
        w.space();
    }
    if name.split(' ').any(is_encoded) && !name.contains('"') {
        self::text(name, utf8, w)?;
    } else {
        rfc2047::encode(&unquote(name), w)?;
    }
    w.space();
    Ok(())
}

fn commented(text: &str, w: &mut EmailWriter<'_>) -> fmt::Result {
    let inner = text.strip_prefix('(').unwrap_or(text);
    w.write_char('(')?;
    rfc2047::encode(&unescape(inner.strip_suffix(')').unwrap_or(inner)), w)?;
    w.write_char(')')
}

/// The words of a phrase without the quotes: white space between them counts as one space.
fn unquote(phrase: &str) -> String {
    let mut out = String::new();
    let (mut quote, mut pair) = (false, false);
    for c in phrase.chars() {
        match c {
            _ if pair => {
                out.push(c);
                pair = false;
            }
            '\\' => pair = true,
            '"' => quote = !quote,
            ' ' | '\t' if !quote && out.ends_with(' ') => {}
            '\t' if !quote => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

pub(super) fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

#[cfg(test)]
mod tests;
