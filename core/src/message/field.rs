//! Header fields: what a name and a value may be, and a list of them in order.

use super::words;
use crate::error::Error;

/// How [`Message::set_header`](super::Message::set_header) treats fields that are there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderMode {
    /// Replaces every field of that name by one.
    #[default]
    Write,
    /// Adds one more field.
    Append,
    /// Removes every field of that name; the value is ignored.
    Delete,
}

/// The fields that follow from the content; tcllib's `mime` refuses the same ones.
const DERIVED: [(&str, &str); 4] = [
    ("Content-Type", "give it when the part is made, and its parameters by set_parameter"),
    ("Content-Transfer-Encoding", "use set_encoding"),
    ("Content-MD5", "leave it out"),
    ("MIME-Version", "it is written where it belongs"),
];

/// Refuses what cannot be a field, and what follows from the content.
pub(super) fn check(name: &str, value: &str) -> Result<(), Error> {
    check_name(name)?;
    if let Some((name, way)) = DERIVED.iter().find(|(derived, _)| derived.eq_ignore_ascii_case(name)) {
        return Err(Error::usage(format!("the header field {name} cannot be set: {way}")));
    }
    check_value(name, value)
}

/// A name is printable ASCII without the colon (RFC 5322 3.6.8).
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
        return Err(Error::usage(format!(
            "{name:?} is no header field name: printable ASCII without spaces and colon is (RFC 5322 3.6.8)"
        )));
    }
    Ok(())
}

/// A value is one line of text that can be folded.
pub(super) fn check_value(name: &str, value: &str) -> Result<(), Error> {
    if let Some(bad) = value.chars().find(|c| c.is_control() && *c != '\t') {
        return Err(Error::usage(format!(
            "the header field {name} has the control character {bad:?} in its value; give unfolded text"
        )));
    }
    words::field(name, value, false)?;
    words::field(name, value, true).map(drop)
}

/// One field; the value is unfolded and not encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: String,
}

/// Fields in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(pub(super) Vec<Field>);

impl Fields {
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value.as_str())
    }

    /// Changes the fields; both arguments have been checked.
    pub(super) fn set(&mut self, name: &str, value: &str, mode: HeaderMode) {
        let same = |field: &Field| field.name.eq_ignore_ascii_case(name);
        let field = Field { name: name.to_owned(), value: value.trim_matches([' ', '\t']).to_owned() };
        match mode {
            HeaderMode::Append => self.0.push(field),
            HeaderMode::Delete => self.0.retain(|f| !same(f)),
            HeaderMode::Write => match self.0.iter().position(same) {
                None => self.0.push(field),
                Some(first) => {
                    let mut index = 0;
                    self.0.retain(|f| {
                        index += 1;
                        index - 1 <= first || !same(f)
                    });
                    if let Some(old) = self.0.get_mut(first) {
                        *old = field;
                    }
                }
            },
        }
    }
}

/// Names in order of their first field.
pub(super) fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.filter(|name| seen.insert(name.to_ascii_lowercase())).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(fields: &Fields) -> String {
        fields.0.iter().map(|f| format!("{}={} ", f.name, f.value)).collect()
    }

    #[test]
    fn fields_keep_their_order() {
        let mut fields = Fields::default();
        for (name, value, mode) in [
            ("A", "1", HeaderMode::Write),
            ("B", "2", HeaderMode::Write),
            ("a", "3", HeaderMode::Append),
            ("C", " 4\t", HeaderMode::Append),
        ] {
            fields.set(name, value, mode);
        }
        assert_eq!(list(&fields), "A=1 B=2 a=3 C=4 ");
        fields.set("a", "5", HeaderMode::Write);
        assert_eq!(list(&fields), "a=5 B=2 C=4 ");
        fields.set("b", "", HeaderMode::Delete);
        assert_eq!(list(&fields), "a=5 C=4 ");
        assert_eq!(fields.values("c").collect::<Vec<_>>(), ["4"]);
    }

    #[test]
    fn what_is_no_field_is_refused() {
        for name in ["", "a b", "a:", "a\r\nB", "gr\u{fc}n", "a\0", "content-type", "MIME-version"] {
            assert!(check(name, "x").is_err(), "{name:?}");
        }
        for value in ["a\r\nBcc: x", "a\nb", "a\rb", "a\0", "a\x1b", "\u{85}"] {
            assert!(check("Subject", value).is_err(), "{value:?}");
        }
        assert!(check("References", &format!("<{}@x>", "a".repeat(1100))).is_err());
        assert!(check("Subject", &"a".repeat(3000)).is_ok());
        assert!(check("X-Y", "a\tb").is_ok());
    }
}
