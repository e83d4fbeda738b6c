//! The replies that are due, in the order of the commands that ask for them.
//!
//! Replies are counted, never matched by their code or text (RFC 2920 section 3.1).

use super::request::Id;
use crate::command::{ForwardPath, RawCommand, Rcpt, RcptParameters};
use crate::error::{Error, Step};
use crate::reply::Reply;

/// One reply that is due, and to what.
#[derive(Debug)]
pub(super) enum Expect {
    Greeting,
    /// EHLO or LHLO.
    Hello(Id),
    /// HELO, because EHLO was refused by this reply.
    Helo(Id, Reply),
    /// A verb of the caller's.
    Command {
        id: Id,
        step: Step,
        ends_group: bool,
        effect: Effect,
    },
    /// A line of the AUTH exchange.
    Auth(Id),
    /// QUED: the server may refuse it.
    Queued,
    /// RSET of our own, to leave a transaction.
    Rset,
    Mail(Id),
    Rcpt(Id),
    Data(Id),
    /// BDAT that is not the last; its octets end at this offset of the connection's output.
    Chunk {
        id: Id,
        end: u64,
    },
    /// The end mark, or the last BDAT.
    Final(Id),
    /// The lone dot after a 354 that came although every recipient was refused.
    LoneDot,
    /// QUIT of our own.
    Quit,
}

/// What a verb changes when the server takes it.
#[derive(Debug)]
pub(super) enum Effect {
    None,
    StartTls,
    Hello,
    Mail,
    Rcpt(Box<Rcpt>),
    Rset,
    Quit,
}

impl Effect {
    /// What a line does that the caller wrote: the same as the verb that it begins with.
    pub(super) fn of(raw: &RawCommand) -> Self {
        match raw.verb().to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" | "LHLO" => Self::Hello,
            "MAIL" => Self::Mail,
            "RCPT" => {
                let path = ForwardPath::said(&String::from_utf8_lossy(raw.expose()));
                Self::Rcpt(Box::new(Rcpt { path, parameters: RcptParameters::default() }))
            }
            "RSET" => Self::Rset,
            "QUIT" => Self::Quit,
            _ => Self::None,
        }
    }
}

impl Expect {
    /// Whether nothing may be written before this reply is in (RFC 2920 section 3.1).
    pub(super) fn ends_group(&self) -> bool {
        match self {
            Self::Rset
            | Self::Mail(_)
            | Self::Rcpt(_)
            | Self::Chunk { .. }
            | Self::Final(_)
            | Self::LoneDot => false,
            Self::Command { ends_group, .. } => *ends_group,
            Self::Greeting
            | Self::Hello(_)
            | Self::Helo(..)
            | Self::Auth(_)
            | Self::Queued
            | Self::Data(_)
            | Self::Quit => true,
        }
    }

    /// Whether it is due to a final dot, or to the last chunk.
    pub(super) fn ends_message(&self) -> bool {
        matches!(self, Self::Final(_) | Self::LoneDot)
    }

    pub(super) fn step(&self) -> Step {
        match self {
            Self::Greeting => Step::Greeting,
            Self::Hello(_) | Self::Helo(..) => Step::Hello,
            Self::Command { step, .. } => *step,
            Self::Auth(_) => Step::Auth,
            Self::Queued => Step::Command,
            Self::Rset => Step::Rset,
            Self::Mail(_) => Step::Mail,
            Self::Rcpt(_) => Step::Rcpt,
            Self::Data(_) => Step::Data,
            Self::Chunk { .. } => Step::Body,
            Self::Final(_) | Self::LoneDot => Step::Final,
            Self::Quit => Step::Quit,
        }
    }

    /// Why it fails when the connection ends because of `cause`: a refusal before that has decided already.
    pub(super) fn failure(&self, cause: &Error) -> Error {
        match self {
            Self::Helo(_, refusal) => hello_refused(refusal.clone()),
            _ => cause.clone().with_step(self.step()),
        }
    }

    /// The request that fails with the connection, where it is not a transaction.
    pub(super) fn request(&self) -> Option<Id> {
        match self {
            Self::Greeting => Some(Id::GREETING),
            Self::Hello(id) | Self::Helo(id, _) | Self::Auth(id) | Self::Command { id, .. } => Some(*id),
            _ => None,
        }
    }
}

/// EHLO was refused, and HELO came to nothing.
pub(super) fn hello_refused(refusal: Reply) -> Error {
    Error::refused(Step::Hello, "the server refused EHLO", refusal)
}
