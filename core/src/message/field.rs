//! Header fields: what a name and a value may be, and a list of them in order.

use std::collections::HashMap;

use smol_str::SmolStr;

use super::names::{FEW, Names};
use super::words;
use crate::error::Error;

/// How [`Message::set_header`](super::Message::set_header) treats fields that are there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
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
            "{name:?} is not a header field name: use printable ASCII without spaces or colons (RFC 5322 3.6.8)"
        )));
    }
    Ok(())
}

/// A value is one line of text that can be folded.
pub(super) fn check_value(name: &str, value: &str) -> Result<(), Error> {
    // Almost every value is printable ASCII, and to see that takes an eighth of the time.
    if !words::is_printable(value)
        && let Some(bad) = value.chars().find(|c| c.is_control() && *c != '\t')
    {
        return Err(Error::usage(format!(
            "the header field {name} has the control character {bad:?} in its value; give unfolded text"
        )));
    }
    words::check(name, value)
}

/// One field; the value is unfolded and not encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: SmolStr,
    pub(super) value: SmolStr,
}

impl Field {
    /// Name and value.
    pub(super) fn pair(&self) -> (&str, &str) {
        (&self.name, &self.value)
    }
}

/// Fields in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    /// Of those that were removed, the places stay for a while.
    list: Vec<Option<Field>>,
    removed: usize,
    /// The places of each name in lower case, if there are more than a few fields.
    index: Option<HashMap<String, Vec<usize>>>,
}

impl Fields {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Field> + Clone {
        self.list.iter().flatten()
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = Field> {
        self.list.into_iter().flatten()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.len() == self.removed
    }

    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter().filter(move |f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value.as_str())
    }

    /// Changes the fields; both arguments have been checked.
    pub(super) fn set(&mut self, name: &str, value: &str, mode: HeaderMode) {
        let field = Field { name: name.into(), value: words::trimmed(value).into() };
        match mode {
            HeaderMode::Append => self.push(field),
            HeaderMode::Delete => self.remove(&self.places(name)),
            HeaderMode::Write => match self.places(name).as_slice() {
                [] => self.push(field),
                [first, others @ ..] => {
                    if let Some(place) = self.list.get_mut(*first) {
                        *place = Some(field);
                    }
                    self.remove(others);
                }
            },
        }
    }

    /// Sets the fields of `other`, in place of those of the same name.
    pub(super) fn adopt(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        let mut seen = Names::default();
        for field in other.into_iter() {
            let mode = if seen.has(&field.name) { HeaderMode::Append } else { HeaderMode::Write };
            seen.insert(&field.name);
            self.set(&field.name, &field.value, mode);
        }
    }

    fn push(&mut self, field: Field) {
        if let Some(index) = &mut self.index {
            index.entry(field.name.to_ascii_lowercase()).or_default().push(self.list.len());
        }
        self.list.push(Some(field));
        if self.index.is_none() && self.list.len() > FEW {
            self.index = Some(HashMap::new());
            self.tidy();
        }
    }

    fn places(&self, name: &str) -> Vec<usize> {
        match &self.index {
            Some(index) => index.get(&name.to_ascii_lowercase()).cloned().unwrap_or_default(),
            None => {
                let is = |field: &Option<Field>| {
                    field.as_ref().is_some_and(|field| field.name.eq_ignore_ascii_case(name))
                };
                self.list.iter().enumerate().filter(|(_, field)| is(field)).map(|(at, _)| at).collect()
            }
        }
    }

    /// The fields of one name, or all of them but the first.
    fn remove(&mut self, places: &[usize]) {
        for at in places {
            let Some(gone) = self.list.get_mut(*at).and_then(Option::take) else { continue };
            self.removed = self.removed.saturating_add(1);
            if let Some(index) = &mut self.index
                && let Some(own) = index.get_mut(&gone.name.to_ascii_lowercase())
            {
                own.truncate(own.len().saturating_sub(1));
            }
        }
        if self.removed > self.list.len() / 2 {
            self.tidy();
        }
    }

    fn tidy(&mut self) {
        self.list.retain(Option::is_some);
        self.removed = 0;
        if let Some(index) = &mut self.index {
            index.clear();
            for (at, field) in self.list.iter().flatten().enumerate() {
                index.entry(field.name.to_ascii_lowercase()).or_default().push(at);
            }
        }
    }
}

impl FromIterator<Field> for Fields {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        let mut own = Self::default();
        fields.into_iter().for_each(|field| own.push(field));
        own
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
        fields.iter().map(|f| format!("{}={} ", f.name, f.value)).collect()
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

    proptest::proptest! {
        #[test]
        fn many_fields_are_as_a_plain_list_has_them(changes in proptest::collection::vec((0..30u8, 0..9u8), 0..200)) {
            let (mut fields, mut plain) = (Fields::default(), Vec::<(String, String)>::new());
            for (n, (name, mode)) in changes.into_iter().enumerate() {
                let (name, value) = (format!("{}{name}", if n % 2 == 0 { "X" } else { "x" }), n.to_string());
                let same = |own: &(String, String)| own.0.eq_ignore_ascii_case(&name);
                let mode = [HeaderMode::Append, HeaderMode::Delete, HeaderMode::Write][usize::from(mode / 4)];
                let first = plain.iter().position(same);
                match (mode, first) {
                    (HeaderMode::Delete, _) => plain.retain(|own| !same(own)),
                    (HeaderMode::Write, Some(first)) => {
                        plain[first] = (name.clone(), value.clone());
                        let mut at = 0;
                        plain.retain(|own| { at += 1; at - 1 <= first || !same(own) });
                    }
                    _ => plain.push((name.clone(), value.clone())),
                }
                fields.set(&name, &value, mode);
                let plain: String = plain.iter().map(|(name, value)| format!("{name}={value} ")).collect();
                proptest::prop_assert_eq!(list(&fields), &*plain);
                proptest::prop_assert_eq!(fields.is_empty(), plain.is_empty());
            }
        }
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
