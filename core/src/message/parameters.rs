//! Parameters of Content-Type and Content-Disposition (RFC 2045 5.1, RFC 2231).

use std::fmt::{self, Write};

use email_encoding::headers::writer::EmailWriter;
use email_encoding::headers::{rfc2047, rfc2231};
use smallvec::SmallVec;
use smol_str::SmolStr;

use super::words::{WIDTH, quoted, unescape};
use crate::error::Error;

/// Whether a parameter can be written: a name that is not a token, or one with punctuation for a value
/// outside printable ASCII, cannot.
pub(super) fn check(name: &str, value: &str) -> Result<(), Error> {
    let token = |b: u8| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?='*%".contains(&b);
    if name.is_empty() || name.len() > 40 || !name.bytes().all(token) {
        return Err(Error::usage(format!(
            "{name:?} is not a parameter name: use a token of at most 40 characters (RFC 2045 5.1)"
        )));
    }
    if let Some(bad) = value.chars().find(|c| c.is_control()) {
        return Err(Error::usage(format!(
            "the parameter {name} has the control character {bad:?} in its value"
        )));
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric()) && (!value.is_ascii() || value.len() > 800) {
        return Err(Error::usage(format!(
            "the parameter {name} can only have a short ASCII value, as its own name has punctuation"
        )));
    }
    Ok(())
}

/// The value and its parameters; those that are not ASCII, or longer than a line, by RFC 2231.
pub(super) fn write(value: &str, list: &[Parameter], w: &mut EmailWriter<'_>) -> fmt::Result {
    w.folding().write_str(value)?;
    for (name, value) in list {
        w.write_char(';')?;
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        let length = name.len() + escaped.len() + "=\"\";".len();
        let ascii = value.bytes().all(|b| matches!(b, b' '..=b'~'));
        // Every reader knows boundary=, few know boundary*0=.
        let whole = name.eq_ignore_ascii_case("boundary") || !name.bytes().all(|b| b.is_ascii_alphanumeric());
        if ascii && (whole || length < WIDTH) {
            if w.line_len() + 1 + length > WIDTH {
                w.new_line()?;
            }
            w.space();
            write!(w, "{name}=\"{escaped}\"")?;
        } else {
            if name.eq_ignore_ascii_case("filename") && !value.is_ascii() {
                encoded_words(name, value, w)?;
                w.write_char(';')?;
            }
            rfc2231::encode(name, value, w)?;
        }
    }
    Ok(())
}

/// Whether [`write`] gives one line, on which nothing is escaped or encoded.
pub(super) fn fit_one_line(field: &str, value: &str, list: &[Parameter]) -> bool {
    let printable = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\');
    let lengths = list.iter().map(|(name, value)| "; =\"\"".len() + name.len() + value.len());
    let length = field.len() + ": ".len() + value.len() + lengths.sum::<usize>();
    // Where a line ends there must be room for one more semicolon.
    length < WIDTH && printable(value) && list.iter().all(|(_, value)| printable(value))
}

/// Encoded words in quotes, as no RFC has them: what readers take that do not know RFC 2231, old Outlooks among them.
/// Those that know it prefer `filename*`.
pub(super) fn encoded_words(name: &str, value: &str, w: &mut EmailWriter<'_>) -> fmt::Result {
    w.new_line()?;
    write!(w, " {name}=\"")?;
    rfc2047::encode(value, w)?;
    w.write_char('"')
}

/// A name and a value, which is not encoded.
pub(super) type Parameter = (SmolStr, SmolStr);

/// Those of one part: a text has its charset.
pub(super) type Parameters = SmallVec<[Parameter; 1]>;

/// `value; name=value; name="value"`. `None` if the text is something else.
pub(super) fn parse(text: &str) -> Option<(&str, Vec<Parameter>)> {
    let (value, mut rest) = text.split_once(';').unwrap_or((text, ""));
    if !value.is_ascii() {
        return None;
    }
    let mut list = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return Some((value.trim(), list));
        }
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, later) = if after.starts_with('"') {
            let end = quoted(after.as_bytes(), 0, b'"');
            (unescape(after.get(1..end)?.strip_suffix('"')?), after.get(end..)?)
        } else {
            let end = after.find([';', ' ', '\t']).unwrap_or(after.len());
            (after.get(..end)?.to_owned(), after.get(end..)?)
        };
        // A parameter that is encoded already stays as it is.
        check(name.trim(), &value).ok()?;
        list.push((name.trim().into(), value.into()));
        rest = later;
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::{self, with_parameters};
    use super::*;

    fn field(name: &str, value: &str) -> String {
        let mut out = String::new();
        words::field(name, value, false, &mut out).map(|()| out).unwrap()
    }

    #[test]
    fn parameters_are_encoded_and_boundaries_are_whole() {
        assert_eq!(
            field("Content-Disposition", "attachment; filename=\"na\u{ef}ve \\\"x\\\".txt\""),
            "Content-Disposition: attachment;\r\n filename=\"=?utf-8?b?bmHDr3ZlICJ4Ii50eHQ=?=\";\r\n filename*0*=utf-8''na%C3%AFve%20%22x%22.txt\r\n"
        );
        assert_eq!(
            field("Content-Disposition", "inline;a=b ; c=d"),
            "Content-Disposition: inline; a=\"b\"; c=\"d\"\r\n"
        );
        let boundary = "x".repeat(70);
        let list = [("boundary".into(), (&boundary).into()), ("x-y".into(), "\"".into())];
        let mut out = String::new();
        with_parameters("Content-Type", "multipart/mixed", &list, None, &mut out).unwrap();
        assert_eq!(
            out,
            format!("Content-Type: multipart/mixed;\r\n boundary=\"{boundary}\";\r\n x-y=\"\\\"\"\r\n")
        );
        assert!(check("x-y", "\u{e9}").is_err());
        assert!(check("x y", "z").is_err());
        assert!(check("name", "a\nb").is_err());
    }
}
