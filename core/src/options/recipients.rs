//! Who gets a message, and what the server is to do for each.

use std::fmt;

use crate::command::{Notify, Orcpt};
use crate::error::Error;

/// Option `recipients`: entries, in their order. Made from an RFC 5322 address list by `into()`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients(Vec<RecipientEntry>);

/// One entry of [`Recipients`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecipientEntry {
    /// An RFC 5322 address list; one mailbox where `notify` or `orcpt` stands beside it.
    pub addresses: String,
    /// When the server is to send delivery status notifications (RFC 3461 section 4.1). Default: option `dsnnotify`.
    pub notify: Option<Notify>,
    /// The recipient as the sender first named it (RFC 3461 section 4.2).
    pub orcpt: Option<Orcpt>,
}

impl Recipients {
    /// The entries.
    pub fn entries(&self) -> &[RecipientEntry] {
        &self.0
    }

    /// Adds an entry after those of before.
    pub fn push(&mut self, entry: RecipientEntry) {
        self.0.push(entry);
    }

    /// Adds an address, or a list of them; nothing if it is empty.
    pub fn add(&mut self, addresses: &str) {
        if addresses.is_empty() {
            return;
        }
        match self.0.last_mut().filter(|last| !last.is_special()) {
            Some(last) => {
                last.addresses.push_str(", ");
                last.addresses.push_str(addresses);
            }
            None => {
                self.push(RecipientEntry { addresses: addresses.to_owned(), ..RecipientEntry::default() })
            }
        }
    }
}

impl From<String> for Recipients {
    fn from(addresses: String) -> Self {
        Self(vec![RecipientEntry { addresses, ..RecipientEntry::default() }])
    }
}

impl From<&str> for Recipients {
    fn from(addresses: &str) -> Self {
        addresses.to_owned().into()
    }
}

/// The addresses, as one list.
impl fmt::Display for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, entry) in self.0.iter().enumerate() {
            f.write_str(if n == 0 { "" } else { ", " })?;
            f.write_str(&entry.addresses)?;
        }
        Ok(())
    }
}

impl RecipientEntry {
    /// A mailbox, when to notify (`never`, or any of `success,failure,delay`), and the original recipient
    /// (`type;address`, not encoded, as in `rfc822;user@example.org`); empty texts are none.
    ///
    /// # Errors
    /// Usage, for what RFC 3461 does not allow. The send reports what is not a mailbox.
    pub fn new(mailbox: &str, notify: &str, orcpt: &str) -> Result<Self, Error> {
        if mailbox.trim().is_empty() {
            return Err(Error::usage("there is no mailbox: write one, as in user@example.org"));
        }
        Ok(Self {
            addresses: mailbox.to_owned(),
            notify: if notify.is_empty() { None } else { Some(Notify::parse(notify)?) },
            orcpt: if orcpt.is_empty() { None } else { Some(Orcpt::parse(orcpt)?) },
        })
    }

    /// The text of option `rcpt`: a mailbox, and after it `notify=` and `orcpt=` as for [`new`](Self::new), in any case
    /// and order: `Bob <bob@example.org> notify=failure,delay orcpt=rfc822;bob@example.net`.
    ///
    /// # Errors
    /// As for [`new`](Self::new), and where one stands twice.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (mut rest, mut notify, mut orcpt) = (text.trim_end(), None, None);
        while let Some((before, word)) = rest.rsplit_once([' ', '\t']) {
            let Some((name, value)) = word.split_once('=') else { break };
            let found = match name.to_ascii_lowercase().as_str() {
                "notify" => &mut notify,
                "orcpt" => &mut orcpt,
                _ => break,
            };
            if value.is_empty() || found.replace(value).is_some() {
                return Err(Error::usage(format!("{text:?}: give `{name}=` once, with a value")));
            }
            rest = before.trim_end();
        }
        Self::new(rest, notify.unwrap_or_default(), orcpt.unwrap_or_default())
    }

    /// Whether it asks for more than a message.
    pub fn is_special(&self) -> bool {
        self.notify.is_some() || self.orcpt.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_added_behind_those_of_before() {
        let mut recipients = Recipients::default();
        recipients.add("");
        assert_eq!(recipients.entries(), []);
        recipients.add("a@b");
        recipients.add("c@d, e@f");
        recipients.push(RecipientEntry::new("g@h", "never", "").unwrap());
        recipients.add("i@j");
        assert_eq!(recipients.to_string(), "a@b, c@d, e@f, g@h, i@j");
        assert_eq!(recipients.entries().len(), 3);
    }

    #[test]
    fn an_entry_as_text() {
        let told = |text: &str| {
            let entry = RecipientEntry::parse(text).unwrap();
            let orcpt = entry.orcpt.map(|orcpt| orcpt.encoded().to_owned());
            (entry.addresses, entry.notify, orcpt)
        };
        assert_eq!(told("a@b"), ("a@b".into(), None, None));
        assert_eq!(told("\"x=y\" <a@b> "), ("\"x=y\" <a@b>".into(), None, None));
        let both = Some(Notify::new(false, true, true));
        let orcpt = Some("rfc822;a+2Bx@b".to_owned());
        let wanted = ("Ann <a@b>".to_owned(), both, orcpt);
        assert_eq!(told("Ann <a@b> notify=failure,delay orcpt=rfc822;a+x@b"), wanted);
        assert_eq!(told("Ann <a@b>  ORCPT=rfc822;a+x@b\tNotify=DELAY,FAILURE "), wanted);
        for bad in [
            "",
            " notify=never",
            "a@b notify=",
            "a@b notify=never notify=never",
            "a@b notify=sometimes",
            "a@b notify=never,delay",
            "a@b orcpt=a@b",
            "a@b orcpt=;x",
            "a@b orcpt=rfc822;zo\u{eb}@b",
            "a@b orcpt=rf/c;x",
        ] {
            RecipientEntry::parse(bad).unwrap_err();
        }
    }
}
