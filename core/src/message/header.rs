//! The header section of a token, read once for any number of questions.

use std::borrow::Cow;

use super::field::{Field, Fields, unique};
use super::head::{Head, Span, unfolded};
use super::known::{Known, KnownSet};
use super::names::Names;
use super::part::Part;
use super::syntax::starts_with_ignore_case;
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
    pub(super) removed: &'a Names,
    pub(super) data: Cow<'a, [u8]>,
    pub(super) head: Cow<'a, Head>,
}

impl<'a> Header<'a> {
    /// # Errors
    /// [`Kind::Source`](crate::error::Kind::Source) if the file or reader of a finished message cannot be read.
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
                let mut value = part.media.to_string();
                for (name, text) in &part.parameters {
                    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
                    value.push_str(&format!("; {name}=\"{text}\""));
                }
                vec![value]
            }
            Kind::Composed(part) => part.fields.values(name).map(str::to_owned).collect(),
        }
    }

    /// Gives the values of a field, as [`values`](Self::values) has them, until one is an error. Of Resent- fields only
    /// the newest block counts.
    pub(crate) fn each<'s, E>(
        &'s self,
        field: Known,
        mut take: impl FnMut(Cow<'s, str>) -> Result<(), E>,
    ) -> Result<(), E> {
        if field.is_resent() {
            return self.newest().try_for_each(|entry| match entry {
                Entry::Set(set) if set.name.eq_ignore_ascii_case(field.name()) => {
                    take(set.value.as_str().into())
                }
                Entry::Own(span, data) if span.is(data, field.name()) => take(unfolded(span.value(data))),
                _ => Ok(()),
            });
        }
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

    /// The known fields that there are; of Resent- fields those of the newest block.
    pub(crate) fn known(&self) -> KnownSet {
        let all = self.all_known();
        if !all.has_any(&Known::RESENT) {
            return all;
        }
        let newest = KnownSet::of(self.newest().map(|entry| entry.name()));
        let resent = KnownSet::of(Known::RESENT.iter().map(|known| known.name()));
        all.without(resent).and(newest)
    }

    fn all_known(&self) -> KnownSet {
        let names = |set: &Fields| KnownSet::of(set.iter().map(|field| field.name.as_str()));
        match &self.0 {
            Kind::Finished(section) => {
                let removed = KnownSet::of(section.removed.iter());
                section.head.known().without(removed).and(names(section.front))
            }
            Kind::Composed(part) => names(&part.fields),
        }
    }

    fn newest(&self) -> impl Iterator<Item = Entry<'_>> {
        newest_block(self.entries())
    }

    /// The fields in order, except for those that follow from the content.
    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let (set, own) = match &self.0 {
            Kind::Finished(section) => (section.front, Some(section)),
            Kind::Composed(part) => (&part.fields, None),
        };
        let own = own.into_iter().flat_map(|section| {
            let data: &[u8] = &section.data;
            let stays = move |span: &&Span| !section.is_removed(span.name(data));
            section.head.fields.iter().filter(stays).map(move |span| Entry::Own(span, data))
        });
        set.iter().map(Entry::Set).chain(own)
    }

    /// See [`Message::header_fields`].
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        let value = |entry: &Entry<'_>| match entry {
            Entry::Set(field) => field.value.to_string(),
            Entry::Own(span, data) => unfolded(span.value(data)).into_owned(),
        };
        self.entries().map(|entry| (entry.name().to_owned(), value(&entry))).collect()
    }

    /// See [`Message::header_names`].
    pub(super) fn names(&self) -> Vec<String> {
        match &self.0 {
            Kind::Finished(section) => {
                let own = section.head.names(&section.data).filter(|name| !section.is_removed(name));
                unique(section.front.iter().map(|f| f.name.as_str()).chain(own))
            }
            Kind::Composed(part) => {
                let derived = ["MIME-Version", "Content-Type"];
                unique(part.fields.iter().map(|f| f.name.as_str()).chain(derived))
            }
        }
    }
}

/// One field of a token.
enum Entry<'a> {
    /// That was set.
    Set(&'a Field),
    /// Of a finished message itself.
    Own(&'a Span, &'a [u8]),
}

impl<'a> Entry<'a> {
    fn name(&self) -> &'a str {
        match self {
            Self::Set(field) => &field.name,
            Self::Own(span, data) => span.name(data),
        }
    }
}

/// The fields down to the end of the first block of Resent- fields, which is the newest (RFC 5322 section 3.6.6): an older one
/// begins with a field that was there already, and trace fields stand between them (section 3.6.7).
fn newest_block<'a>(fields: impl Iterator<Item = Entry<'a>>) -> impl Iterator<Item = Entry<'a>> {
    const TRACE: [&str; 2] = ["Received", "Return-Path"];
    let mut block = Names::default();
    fields.take_while(move |field| {
        let name = field.name();
        if !starts_with_ignore_case(name, "Resent-") {
            return block.is_empty() || !TRACE.iter().any(|trace| trace.eq_ignore_ascii_case(name));
        }
        let is_new = !block.has(name);
        block.insert(name);
        is_new
    })
}

impl Section<'_> {
    /// Whether the message's own fields of that name are gone.
    fn is_removed(&self, name: &str) -> bool {
        self.removed.has(name)
    }
}
