//! The phases of a connection and the only table that changes them.
//!
//! | in          | turn                | becomes     |
//! |-------------|---------------------|-------------|
//! | `Greeting`  | TLS is up           | `Greeting`  |
//! | `Greeting`  | 220 was read        | `Fresh`     |
//! | `Fresh`     | EHLO or HELO taken  | `Ready`     |
//! | `Ready`     | EHLO or HELO taken  | `Ready`     |
//! | `Fresh`     | 220 to STARTTLS     | `Handshake` |
//! | `Ready`     | 220 to STARTTLS     | `Handshake` |
//! | `Handshake` | TLS is up           | `Fresh`     |
//! | `Closed`    | TLS is up           | `Closed`    |
//! | any         | ended               | `Closed`    |
//!
//! Implicit TLS is up before the greeting. A turn that the table does not have is a bug: a debug build panics.
//!
//! How far the writer is with one message is its [`Stage`].

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing may be said before the server's 220.
    Greeting,
    /// Greeted, or under TLS anew: nothing is known of the server.
    Fresh,
    /// The server's extensions are known.
    Ready,
    /// 220 to STARTTLS was read: no byte of SMTP either way until TLS is up.
    Handshake,
    /// Nothing more is written, and what is read is ignored.
    Closed,
}

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Greeted,
    Introduced,
    TlsAgreed,
    TlsUp,
    Ended,
}

impl Phase {
    /// The next phase. In a debug build a turn that cannot happen panics; otherwise it changes nothing, since a
    /// program in use has more from its other messages than from a crash.
    pub(super) fn after(self, turn: Turn) -> Self {
        let next = self.lookup(turn);
        debug_assert!(next.is_some(), "{turn:?} cannot happen in {self:?}");
        next.unwrap_or(self)
    }

    fn lookup(self, turn: Turn) -> Option<Self> {
        match (self, turn) {
            (_, Turn::Ended) => Some(Self::Closed),
            (Self::Greeting | Self::Closed, Turn::TlsUp) => Some(self),
            (Self::Greeting, Turn::Greeted) => Some(Self::Fresh),
            (Self::Fresh | Self::Ready, Turn::Introduced) => Some(Self::Ready),
            (Self::Fresh | Self::Ready, Turn::TlsAgreed) => Some(Self::Handshake),
            (Self::Handshake, Turn::TlsUp) => Some(Self::Fresh),
            _ => None,
        }
    }
}

/// What the writer does next for one transaction.
///
/// `Mail -> Rcpt(0) .. Rcpt(n) -> Data -> Answer -> Body -> Over` by DATA, and
/// `Mail -> Rcpt(0) .. Rcpt(n) -> Data -> Chunks -> Over` by BDAT; every stage may go to `Over`. With option `commit`, `Ready`
/// is the last before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Write MAIL.
    Mail,
    /// Write RCPT for the recipient of that index.
    Rcpt(usize),
    /// Write DATA or begin the chunks, as soon as the recipients' replies allow it.
    Data,
    /// Wait for the reply to DATA.
    Answer,
    /// Write the content and the end mark.
    Body,
    /// Write the content in chunks.
    Chunks,
    /// Ask the caller for leave, and write the end mark or the last chunk.
    Ready,
    /// Nothing is left to write.
    Over,
}

/// Whether RSET is owed to the server, and before what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reset {
    #[default]
    No,
    /// The server may still be in the transaction before: before the next MAIL.
    BeforeMail,
    /// Before anything else.
    Due,
}

impl Reset {
    /// Owes it before that, if not already before something earlier.
    pub(super) fn owe(&mut self, before: Self) {
        *self = (*self).max(before);
    }
}

/// QUIT of our own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Quit {
    #[default]
    No,
    /// Once everything that was asked is answered.
    Due,
    Written,
}

impl Quit {
    pub(super) fn is_asked(self) -> bool {
        self != Self::No
    }

    /// It is written once: asked for again nothing changes.
    pub(super) fn ask(&mut self) {
        if *self == Self::No {
            *self = Self::Due;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_turns_of_the_table_exist() {
        use Phase::{Closed, Fresh, Greeting, Handshake, Ready};
        use Turn::{Ended, Greeted, Introduced, TlsAgreed, TlsUp};
        let allowed = [
            (Greeting, TlsUp, Greeting),
            (Greeting, Greeted, Fresh),
            (Fresh, Introduced, Ready),
            (Ready, Introduced, Ready),
            (Fresh, TlsAgreed, Handshake),
            (Ready, TlsAgreed, Handshake),
            (Handshake, TlsUp, Fresh),
            (Closed, TlsUp, Closed),
        ];
        for phase in [Greeting, Fresh, Ready, Handshake, Closed] {
            for turn in [Greeted, Introduced, TlsAgreed, TlsUp] {
                let expected = allowed.iter().find(|a| a.0 == phase && a.1 == turn).map(|a| a.2);
                assert_eq!(phase.lookup(turn), expected, "{phase:?} {turn:?}");
            }
            assert_eq!(phase.lookup(Ended), Some(Closed));
        }
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "Greeted cannot happen in Ready")]
    fn a_turn_that_cannot_happen_panics() {
        Phase::Ready.after(Turn::Greeted);
    }
}
