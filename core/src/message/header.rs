//! The header section of a token, read once for any number of questions.

use std::borrow::Cow;

use super::field::{Fields, unique};
use super::head::{Head, unfolded};
use super::known::{Known, KnownSet};
use super::part::Part;
use super::token::{Message, Token};
use crate::error::Error;

/// A header section as it is now. A file or reader was read to its end when it was made.
pub(crate) struct Header<'a>(Kind<'a>);

enum Kind<'a> {
    Finished(Section<'a>),
    Composed(&'a Part),
}

/// The header section of a finished message, and what was changed in it since.
pub(super) struct Section<'a> {
    pub(super) front: &'a Fields,
    pub(super) removed: &'a [String],
    pub(super) data: Cow<'a, [u8]>,
    pub(super) head: Cow<'a, Head>,
}

impl<'a> Header<'a> {
    /// # Errors
    /// [`Kind::Source`](crate::error::Kind::Source) where the file or reader of a finished message cannot be read.
    pub(crate) fn of(message: &'a Message) -> Result<Self, Error> {
        Ok(Self(match message.token() {
            Token::Finished(finished) => Kind::Finished(finished.section()?),
            Token::Composed(part) => Kind::Composed(part),
        }))
    }

    /// See [`Message::header`].
    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        match &self.0 {
            Kind::Finished(section) => {
                let front = section.front.values(name).map(str::to_owned);
                if section.is_removed(name) {
                    return front.collect();
                }
                let own = section.head.values(&section.data, name).map(unfolded);
                front.chain(own.map(Cow::into_owned)).collect()
            }
            Kind::Composed(_) if name.eq_ignore_ascii_case("MIME-Version") => vec!["1.0".to_owned()],
            Kind::Composed(part) if name.eq_ignore_ascii_case("Content-Type") => {
                let mut value = part.media.clone();
                for (name, text) in &part.parameters {
                    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
                    value.push_str(&format!("; {name}=\"{text}\""));
                }
                vec![value]
            }
            Kind::Composed(part) => part.fields.values(name).map(str::to_owned).collect(),
        }
    }

    /// Gives the values of a field, as [`values`](Self::values) has them, until one is an error.
    pub(crate) fn each<'s, E>(
        &'s self,
        field: Known,
        mut take: impl FnMut(Cow<'s, str>) -> Result<(), E>,
    ) -> Result<(), E> {
        let name = field.name();
        let (set, own) = match &self.0 {
            Kind::Finished(section) => (section.front, Some(section).filter(|own| !own.is_removed(name))),
            Kind::Composed(part) => (&part.fields, None),
        };
        set.values(name).try_for_each(|value| take(value.into()))?;
        match own {
            Some(own) => own.head.values(&own.data, name).try_for_each(|raw| take(unfolded(raw))),
            None => Ok(()),
        }
    }

    /// The known fields that there are.
    pub(crate) fn known(&self) -> KnownSet {
        let names = |set: &Fields| KnownSet::of(set.0.iter().map(|field| field.name.as_str()));
        match &self.0 {
            Kind::Finished(section) => {
                let removed = KnownSet::of(section.removed.iter().map(String::as_str));
                section.head.known().without(removed).and(names(section.front))
            }
            Kind::Composed(part) => names(&part.fields),
        }
    }

    /// See [`Message::header_names`].
    pub(super) fn names(&self) -> Vec<String> {
        match &self.0 {
            Kind::Finished(section) => {
                let own = section.head.names(&section.data).filter(|name| !section.is_removed(name));
                unique(section.front.0.iter().map(|f| f.name.as_str()).chain(own))
            }
            Kind::Composed(part) => {
                let derived = ["MIME-Version", "Content-Type"];
                unique(part.fields.0.iter().map(|f| f.name.as_str()).chain(derived))
            }
        }
    }
}

impl Section<'_> {
    /// Whether the message's own fields of that name are gone.
    fn is_removed(&self, name: &str) -> bool {
        self.removed.iter().any(|removed| removed.eq_ignore_ascii_case(name))
    }
}
