//! Fields as they are written.

use super::words;
use crate::error::Error;

/// Fields, written once for each form that they can take: a delivery asks for them up to four times, and writing them costs
/// more than all else in a message that is put together here.
#[derive(Clone, Debug, Default)]
pub(super) struct Rendered {
    encoded: String,
    /// In UTF-8, where that is something else.
    raw: Option<String>,
    /// The name of the first field that has no form in ASCII: only text, display names and domains can be encoded.
    unencoded: Option<String>,
}

impl Rendered {
    /// Names and values, which are unfolded and not encoded.
    pub(super) fn of<'a>(fields: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Result<Self, Error> {
        // With room for the colon, the space and the line end.
        let room = |(name, value): (&str, &str)| name.len() + value.len() + 4;
        let encoded = String::with_capacity(fields.clone().map(room).sum());
        let mut own = Self { encoded, ..Self::default() };
        let mut is_ascii = true;
        for (name, value) in fields.clone() {
            let start = own.encoded.len();
            words::field(name, value, false, &mut own.encoded)?;
            if value.is_ascii() {
                continue;
            }
            is_ascii = false;
            if own.unencoded.is_none() && !own.encoded.get(start..).unwrap_or_default().is_ascii() {
                own.unencoded = Some(name.to_owned());
            }
        }
        if !is_ascii {
            let raw = own.raw.get_or_insert_default();
            for (name, value) in fields {
                words::field(name, value, true, raw)?;
            }
        }
        Ok(own)
    }

    /// As they are written; `raw`: without encoding.
    pub(super) fn text(&self, raw: bool) -> &str {
        self.raw.as_ref().filter(|_| raw).unwrap_or(&self.encoded)
    }

    /// The name of the first field that has no form in ASCII.
    pub(super) fn unencoded(&self) -> Option<&str> {
        self.unencoded.as_deref()
    }
}
