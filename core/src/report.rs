//! What became of a message: for each recipient, and at each server that was tried.

pub mod fields;
#[cfg(feature = "serde")]
mod serialize;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::error::{Error, Kind, Step};
use crate::reply::{Reply, queue_id};
use crate::times::{ConnectionTimes, MessageTimes};
use crate::tls::{TlsAnswer, TlsFacts};

/// What became of a message for one recipient. Exactly one of these holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The server took responsibility: 2yz to the final dot (or last BDAT).
    Accepted,
    /// The server refused: the recipient, the sender or the message. The reply says which, and whether
    /// for good (5yz) or for now (4yz).
    Rejected,
    /// The server does not have the message, and did not refuse this recipient. Sending again is safe.
    NotSent,
    /// The end of the message may have reached the server, and no final reply was read.
    Unknown,
}

impl Outcome {
    /// One word, the same in every language: `accepted`, `rejected`, `not_sent`, `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
        }
    }
}

/// What became of a message as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The server took it for every recipient; of `verify`, every server can be used.
    Ok,
    /// The server took it for some of the recipients, and nothing is unknown of the others.
    Partial,
    /// Nobody got it, or that is unknown for a recipient ([`Kind::Unknown`]).
    Failed(Kind),
}

impl Status {
    /// One word, the same in every language: `ok`, `partial`, or [`Kind::name`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Failed(kind) => kind.name(),
        }
    }
}

/// One recipient and what became of the message for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recipient {
    /// The addr-spec that stood in RCPT TO; of a recipient that was redirected, its own.
    pub address: SmolStr,
    /// The addr-spec that stood in RCPT TO in its place (option `redirectto`).
    pub redirected_to: Option<SmolStr>,
    /// What became of the message.
    pub outcome: Outcome,
    /// The step that decided: `Rcpt`, `Final`, or the step that failed.
    pub step: Step,
    /// The reply that decided, if there was one.
    pub reply: Option<Reply>,
}

/// One SASL mechanism that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Login {
    /// The mechanism's registered name.
    pub mechanism: SmolStr,
    /// Why it did not log in; `None` if it did.
    pub error: Option<Error>,
}

/// One server that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The server as the caller named it, with its port: `mail.example.org:25`.
    pub server: SmolStr,
    /// The address that was connected to, if one was.
    pub peer: Option<SocketAddr>,
    /// What is known of TLS, if it was begun.
    pub tls: Option<TlsFacts>,
    /// What the policy answered, if it was asked.
    pub policy: Option<TlsAnswer>,
    /// The mechanisms that were tried, in order.
    pub logins: Vec<Login>,
    /// Why it was left for the next one; `None` if it took the message.
    pub error: Option<Error>,
    /// What it offers, if that was asked, which `verify` does.
    pub offered: Option<Box<Offer>>,
    /// How long the connection took to make.
    pub times: ConnectionTimes,
}

/// What a server said of itself, when it was last asked: under TLS if TLS is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer {
    /// Its greeting.
    pub greeting: Option<Reply>,
    /// Keywords of EHLO or LHLO and their parameters, as sent and in its order; parameters may be empty.
    pub extensions: Vec<(String, String)>,
    /// The SASL mechanisms of AUTH, in upper case.
    pub mechanisms: Vec<String>,
}

impl Attempt {
    /// An attempt of which only the server is known.
    pub fn new(server: impl Into<SmolStr>) -> Self {
        Self {
            server: server.into(),
            peer: None,
            tls: None,
            policy: None,
            logins: Vec::new(),
            error: None,
            offered: None,
            times: ConnectionTimes::default(),
        }
    }
}

/// The servers that were tried, in order. Messages that went over one connection share what is to be told of it.
pub type Attempts = SmallVec<[Arc<Attempt>; 1]>;

/// Keywords of extensions.
pub type Keywords = SmallVec<[&'static str; 4]>;

/// The result of sending one message.
///
/// As a list it is the list of the refused recipients ([`refused`](Self::refused)); the rest is what is
/// known beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a message may be refused for some of its recipients: look at `refused()`"]
#[non_exhaustive]
pub struct Report {
    /// Every recipient once, in the order of the envelope; those that are redirected together.
    pub recipients: Vec<Recipient>,
    /// The servers tried, in order; the last one is the one that the outcome comes from.
    pub attempts: Attempts,
    /// The server's reply to the end of the message; for LMTP the last of them.
    pub reply: Option<Reply>,
    /// Extensions that were used, by keyword: `PIPELINING`, `SIZE`, `8BITMIME`, ...
    pub used: Keywords,
    /// Extensions that the server offers and that are not used any more on its connection, since it mishandled
    /// them, for this message or one before: `PIPELINING`, `CHUNKING`.
    pub avoided: Keywords,
    /// Octets of the message that were given to the connection, as on the wire.
    pub octets: u64,
    /// How long the message took.
    pub times: MessageTimes,
    /// The step that failed; `None` if only recipients were refused, which [`failure`](Self::failure) tells too.
    pub error: Option<Error>,
}

/// A message that nobody got, or of which that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError {
    /// Why: [`Report::failure`].
    pub error: Error,
    /// What is known all the same: each recipient's outcome and every attempt.
    pub report: Box<Report>,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for SendError {}

impl From<Error> for SendError {
    fn from(error: Error) -> Self {
        let report = Report { error: Some(error.clone()), ..Report::default() };
        Self { error, report: Box::new(report) }
    }
}

impl Recipient {
    /// What stood in RCPT TO.
    pub(crate) fn said(&self) -> &str {
        self.redirected_to.as_ref().unwrap_or(&self.address)
    }
}

impl Report {
    /// Whether the server took the message for at least one recipient.
    pub fn sent(&self) -> bool {
        self.recipients.iter().any(|r| r.outcome == Outcome::Accepted)
    }

    /// Whether the server took the message for every recipient.
    pub fn complete(&self) -> bool {
        !self.recipients.is_empty() && self.recipients.iter().all(|r| r.outcome == Outcome::Accepted)
    }

    /// What became of the message as a whole.
    pub fn status(&self) -> Status {
        if self.unknown() {
            Status::Failed(Kind::Unknown)
        } else if self.complete() || self.is_of_nothing() && self.error.is_none() {
            Status::Ok
        } else if self.sent() {
            Status::Partial
        } else {
            Status::Failed(self.failure().map_or(Kind::Recipients, |error| error.kind()))
        }
    }

    /// Whether no message was to be sent, as by `verify`.
    fn is_of_nothing(&self) -> bool {
        self.recipients.is_empty()
    }

    /// Whether a server has said, or may have said, anything final to at least one recipient.
    pub(crate) fn is_decided(&self) -> bool {
        self.recipients.iter().any(|r| r.outcome != Outcome::NotSent)
    }

    /// This report of one more try becomes that of the try before if this one failed only because a reader could not begin
    /// again: the reason is why it had to.
    pub(crate) fn prefer_reason_of(&mut self, before: Option<&Report>) {
        let cannot_go_back = self.error.as_ref().is_some_and(|error| error.kind() == Kind::Source);
        if let Some(before) = before.filter(|before| cannot_go_back && before.error.is_some()) {
            *self = Self { attempts: std::mem::take(&mut self.attempts), ..before.clone() };
        }
    }

    /// Whether it is unknown for at least one recipient what became of the message.
    pub fn unknown(&self) -> bool {
        self.recipients.iter().any(|r| r.outcome == Outcome::Unknown)
    }

    /// The server's own name for the message, taken out of `reply` if its form is known.
    pub fn queue_id(&self) -> Option<&str> {
        self.reply.as_ref().filter(|reply| reply.is_success()).and_then(queue_id)
    }

    /// The recipients that the server refused: the result list.
    pub fn refused(&self) -> impl Iterator<Item = &Recipient> {
        self.recipients.iter().filter(|r| r.outcome == Outcome::Rejected)
    }

    /// Why the message was not sent, or is not known to be: the step that failed, or [`Kind::Recipients`] if
    /// refused recipients are why nobody got it. `None` if the server took it for at least one recipient and
    /// no step failed.
    ///
    /// An error of [`Kind::Recipients`] bears the reply to the first recipient that was refused for good, else to the
    /// first that was refused; it is transient if every refusal is.
    pub fn failure(&self) -> Option<Error> {
        if self.error.is_some() || self.sent() {
            return self.error.clone();
        }
        let lasting = |recipient: &&Recipient| !recipient.reply.as_ref().is_some_and(Reply::is_transient);
        let first = self.refused().find(lasting).or_else(|| self.refused().next())?;
        let address = match &first.redirected_to {
            Some(other) => format!("{} (redirected to {other})", first.address),
            None => first.address.to_string(),
        };
        let text = match (self.refused().count(), self.recipients.len()) {
            (_, 1) => format!("the recipient {address} was refused"),
            (1, all) => format!("1 of {all} recipients was refused, and nobody got the message: {address}"),
            (refused, all) => {
                format!("{refused} of {all} recipients were refused, and nobody got the message: {address}")
            }
        };
        let mut error = Error::new(Kind::Recipients, first.step, text);
        if let Some(reply) = &first.reply {
            error = error.with_reply(reply.clone());
        }
        Some(match self.attempts.last() {
            Some(attempt) => error.with_server(attempt.server.as_str()),
            None => error,
        })
    }

    /// The report as a result: `Err` if there is a [`failure`](Self::failure).
    ///
    /// # Errors
    /// The failure, with the report in it.
    pub fn into_result(self) -> Result<Self, SendError> {
        match self.failure() {
            None => Ok(self),
            Some(error) => Err(SendError { error, report: Box::new(self) }),
        }
    }

    /// The same of a boxed one, which is moved once: four times was 140 instructions of a message.
    #[cfg(feature = "net")]
    pub(crate) fn unboxed(self: Box<Self>) -> Result<Self, SendError> {
        match self.failure() {
            None => Ok(*self),
            Some(error) => Err(SendError { error, report: self }),
        }
    }
}

/// Why no server took the message: the error of the only attempt, or one that lists them all.
pub(crate) fn no_server(attempts: &[Arc<Attempt>]) -> Option<Error> {
    let errors: Vec<&Error> = attempts.iter().filter_map(|attempt| attempt.error.as_ref()).collect();
    all_of(&errors, "no server took the message")
}

/// The only one of these errors, or one that lists them all, after what they mean together.
pub(crate) fn all_of(errors: &[&Error], meaning: &str) -> Option<Error> {
    let last = *errors.last()?;
    if errors.len() == 1 {
        return Some(last.clone());
    }
    let each: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let text = format!("{meaning}: {}", each.join("; "));
    let transient = errors.iter().any(|error| error.is_transient());
    Some(Error::new(last.kind(), last.step(), text).with_transient(transient))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(recipients: &[(Outcome, u16)]) -> Report {
        let recipient = |(n, (outcome, code)): (usize, &(Outcome, u16))| Recipient {
            address: format!("r{n}@mail.example").into(),
            redirected_to: None,
            outcome: *outcome,
            step: Step::Rcpt,
            reply: (*code > 0).then(|| Reply::new(*code, format!("{}.1.1 said {code}", code / 100))),
        };
        Report {
            recipients: recipients.iter().enumerate().map(recipient).collect(),
            attempts: Attempts::from_elem(Attempt::new("mail.example:25").into(), 1),
            ..Report::default()
        }
    }

    #[test]
    fn refused_recipients_are_a_failure_where_nobody_got_the_message() {
        use Outcome::{Accepted, NotSent, Rejected};
        let told = |recipients: &[_]| report(recipients).failure().map(|error| error.to_string());
        assert_eq!(told(&[(Accepted, 250)]), None);
        assert_eq!(told(&[(Accepted, 250), (Rejected, 550)]), None);
        assert_eq!(
            told(&[(Rejected, 550)]).unwrap(),
            "mail.example:25: rcpt: the recipient r0@mail.example was refused: 550 5.1.1 said 550"
        );
        assert_eq!(
            told(&[(NotSent, 0), (Rejected, 450), (Rejected, 551)]).unwrap(),
            "mail.example:25: rcpt: 2 of 3 recipients were refused, and nobody got the message: r2@mail.example: \
             551 5.1.1 said 551"
        );
        let error = |recipients: &[_]| report(recipients).into_result().unwrap_err().error;
        assert_eq!(error(&[(Rejected, 550)]).kind(), Kind::Recipients);
        assert!(error(&[(Rejected, 450), (Rejected, 452)]).is_transient());
        assert!(!error(&[(Rejected, 450), (Rejected, 552)]).is_transient());
    }

    #[test]
    fn the_status_is_what_became_of_the_message() {
        use Outcome::{Accepted, NotSent, Rejected, Unknown};
        let closed = |outcomes: &[_]| Report {
            error: Some(Error::new(Kind::Closed, Step::Final, "x")),
            ..report(outcomes)
        };
        assert_eq!(report(&[(Accepted, 250), (Accepted, 250)]).status(), Status::Ok);
        assert_eq!(report(&[(Accepted, 250), (Rejected, 550)]).status(), Status::Partial);
        assert_eq!(closed(&[(Accepted, 250), (NotSent, 0)]).status(), Status::Partial);
        assert_eq!(closed(&[(Accepted, 250), (Unknown, 0)]).status(), Status::Failed(Kind::Unknown));
        assert_eq!(report(&[(NotSent, 0), (Rejected, 550)]).status(), Status::Failed(Kind::Recipients));
        assert_eq!(closed(&[(NotSent, 0)]).status(), Status::Failed(Kind::Closed));
        assert_eq!(closed(&[]).status(), Status::Failed(Kind::Closed));
        assert_eq!(report(&[]).status(), Status::Ok);
    }

    #[test]
    fn a_step_that_failed_comes_first() {
        let closed = Error::new(Kind::Closed, Step::Rcpt, "x");
        let failed = Report { error: Some(closed.clone()), ..report(&[(Outcome::Rejected, 550)]) };
        assert_eq!(failed.failure(), Some(closed));
        assert_eq!(Report::default().failure(), None);
    }
}
