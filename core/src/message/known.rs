//! The fields that a delivery asks every message for.

/// A field that says who a message is from, to whom it goes, when it was written and which one it is
/// (RFC 5322 section 3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    From,
    Sender,
    To,
    Cc,
    Bcc,
    Dcc,
    Date,
    MessageId,
    ResentFrom,
    ResentSender,
    ResentTo,
    ResentCc,
    ResentBcc,
    ResentDcc,
    ResentDate,
    ResentMessageId,
}

use Known::{
    Bcc, Cc, Date, Dcc, From, MessageId, ResentBcc, ResentCc, ResentDate, ResentDcc, ResentFrom,
    ResentMessageId, ResentSender, ResentTo, Sender, To,
};

const ALL: [Known; 16] = [
    From,
    Sender,
    To,
    Cc,
    Bcc,
    Dcc,
    Date,
    MessageId,
    ResentFrom,
    ResentSender,
    ResentTo,
    ResentCc,
    ResentBcc,
    ResentDcc,
    ResentDate,
    ResentMessageId,
];

impl Known {
    /// Those that never leave the machine.
    pub(crate) const BLIND: [Self; 4] = [Bcc, Dcc, ResentBcc, ResentDcc];

    /// Those by which a message was sent again (RFC 5322 section 3.6.6).
    pub(crate) const RESENT: [Self; 8] =
        [ResentFrom, ResentSender, ResentTo, ResentCc, ResentBcc, ResentDcc, ResentDate, ResentMessageId];

    pub(super) fn is_resent(self) -> bool {
        Self::RESENT.contains(&self)
    }

    /// The field's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            From => "From",
            Sender => "Sender",
            To => "To",
            Cc => "Cc",
            Bcc => "Bcc",
            Dcc => "Dcc",
            Date => "Date",
            MessageId => "Message-ID",
            ResentFrom => "Resent-From",
            ResentSender => "Resent-Sender",
            ResentTo => "Resent-To",
            ResentCc => "Resent-Cc",
            ResentBcc => "Resent-Bcc",
            ResentDcc => "Resent-Dcc",
            ResentDate => "Resent-Date",
            ResentMessageId => "Resent-Message-ID",
        }
    }

    /// Whether the field of that name never leaves the machine.
    pub(crate) fn is_blind(name: &str) -> bool {
        Self::BLIND.iter().any(|blind| blind.name().eq_ignore_ascii_case(name))
    }
}

/// Which of them there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownSet(u16);

impl KnownSet {
    /// Records a field; one that is not known changes nothing.
    pub(crate) fn insert(&mut self, name: &[u8]) {
        let is = |known: &&Known| known.name().as_bytes().eq_ignore_ascii_case(name);
        self.0 |= ALL.iter().find(is).map_or(0, |known| 1 << *known as u16);
    }

    pub(crate) fn has(self, known: Known) -> bool {
        self.0 & (1 << known as u16) != 0
    }

    pub(crate) fn has_any(self, wanted: &[Known]) -> bool {
        wanted.iter().any(|known| self.has(*known))
    }

    /// The fields of both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The fields of this one that are not in the other.
    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut set = Self::default();
        names.into_iter().for_each(|name| set.insert(name.as_bytes()));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_name_and_no_other() {
        for one in ALL {
            let mut set = KnownSet::default();
            set.insert(one.name().to_ascii_uppercase().as_bytes());
            assert_eq!(ALL.into_iter().filter(|known| set.has(*known)).collect::<Vec<_>>(), [one]);
            assert_eq!(
                Known::is_blind(one.name()),
                one.name().contains("cc") && one.name() != "Cc" && one != ResentCc
            );
        }
        let mut set = KnownSet::default();
        for name in ["", "Subject", "Fro", "From ", "Message_ID", "X-From"] {
            set.insert(name.as_bytes());
        }
        assert_eq!(set, KnownSet::default());
    }
}
