//! One message on its way: what was written, what was answered, and what follows from both.

use std::io::BufRead;
use std::time::Instant;

use smallvec::SmallVec;

use super::commit::Group;
use super::request::{Id, Transaction};
use super::state::Stage;
use crate::command::{Addressed, Declared, Mail, Rcpt, Rcpts};
use crate::content::{Content, Memory, Transfer};
use crate::error::{Error, Kind, Step};
use crate::reply::Reply;
use crate::report::{Attempts, Keywords, Outcome, Recipient, Report};
use crate::times::{self, Stopwatch};
use crate::wire::DotEncoder;

/// The envelope that a caller builds by verbs: what the server took of it.
#[derive(Default)]
pub(super) struct Verbs {
    mail_reply: Option<Reply>,
    recipients: Rcpts,
    rcpt_replies: Vec<Reply>,
}

impl Verbs {
    pub(super) fn new(mail_reply: Reply) -> Self {
        Self { mail_reply: Some(mail_reply), ..Self::default() }
    }

    pub(super) fn accepted(&mut self, rcpt: Rcpt, reply: Reply) {
        self.recipients.push(rcpt);
        self.rcpt_replies.push(reply);
    }
}

/// How a transaction began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The envelope was said by verbs.
    Verbs,
    /// As the first message of the connection.
    First,
    /// When all messages before were answered.
    Later,
    /// While another message was still under way.
    Follows,
}

/// Content that was opened.
pub(super) enum Body {
    /// As most is: that saves an allocation.
    Memory(Memory),
    Reader(Box<dyn BufRead + Send>),
}

impl Body {
    /// # Errors
    /// As [`Content::open`].
    fn open(content: &mut dyn Content, transfer: Transfer) -> Result<Self, Error> {
        match content.memory(transfer) {
            Some(memory) => Ok(Self::Memory(memory)),
            None => content.open(transfer).map(Self::Reader),
        }
    }

    pub(super) fn reader(&mut self) -> &mut dyn BufRead {
        match self {
            Self::Memory(memory) => memory,
            Self::Reader(reader) => reader,
        }
    }
}

/// A transaction of which at least the first command is due.
pub(super) struct Active {
    pub(super) id: Id,
    pub(super) stage: Stage,
    pub(super) asked: Box<Transaction>,
    /// What MAIL declares to this server.
    pub(super) declared: Declared,
    /// One final reply for each accepted recipient.
    pub(super) lmtp: bool,
    pub(super) origin: Origin,

    pub(super) transfer: Transfer,
    /// The content goes by BDAT.
    pub(super) chunked: bool,
    pub(super) used: Keywords,
    pub(super) body: Option<Body>,
    pub(super) encoder: DotEncoder,
    /// The octets of the message, where known, and how many of them were told.
    pub(super) size: Option<u64>,
    pub(super) told: u64,
    /// The offset in the connection's output after the last octet of the end mark or chunk, once it is written.
    pub(super) end: Option<u64>,

    /// Replies still to come for this transaction.
    pub(super) outstanding: usize,
    pub(super) mail_reply: Option<Reply>,
    pub(super) rcpt_replies: SmallVec<[Reply; 1]>,
    /// The refusal of DATA, or of a chunk that was not the last.
    pub(super) refused: Option<(Step, Reply)>,
    /// Chunks before the last that were written, and that the server took.
    pub(super) written: usize,
    pub(super) taken: usize,
    /// What the caller's commit was asked for with it, and has not answered.
    pub(super) asked_for: Option<Group>,
    /// Why the rest of the content is not sent.
    pub(super) withdrawn: Option<Error>,
    pub(super) finals: SmallVec<[Reply; 1]>,
    /// The server mishandled an extension: to be sent once more without it.
    pub(super) again: bool,
    pub(super) watch: Stopwatch,
}

impl Active {
    pub(super) fn new(id: Id, asked: Box<Transaction>, origin: Origin, lmtp: bool) -> Self {
        Self {
            id,
            stage: Stage::Mail,
            watch: Stopwatch::since(asked.asked),
            rcpt_replies: SmallVec::with_capacity(asked.addressed.recipients.len()),
            asked,
            declared: Declared::default(),
            lmtp,
            origin,
            chunked: false,
            transfer: Transfer::default(),
            used: Keywords::new(),
            body: None,
            encoder: DotEncoder::default(),
            size: None,
            told: 0,
            end: None,
            outstanding: 0,
            mail_reply: None,
            refused: None,
            written: 0,
            taken: 0,
            asked_for: None,
            withdrawn: None,
            finals: SmallVec::new(),
            again: false,
        }
    }

    /// DATA and content after MAIL and RCPT that were said by verbs.
    pub(super) fn for_verbs(id: Id, verbs: Verbs, content: Box<dyn Content>, lmtp: bool) -> Self {
        let asked = Transaction {
            addressed: Addressed::new(Mail::default(), verbs.recipients),
            content,
            at_least_one: true,
            queue: false,
            name: None,
            asked: times::now(),
        };
        Self {
            stage: Stage::Data,
            mail_reply: verbs.mail_reply,
            rcpt_replies: verbs.rcpt_replies.into(),
            ..Self::new(id, Box::new(asked), Origin::Verbs, lmtp)
        }
    }

    /// Opens the content.
    ///
    /// # Errors
    /// As [`Content::open`], at the step of the body.
    pub(super) fn open(&mut self) -> Result<(), Error> {
        let body = Body::open(&mut *self.asked.content, self.transfer);
        self.body = Some(body.map_err(|error| error.with_step(Step::Body))?);
        self.watch.content();
        Ok(())
    }

    /// Whether only DATA and the content are left: the caller said the envelope.
    pub(super) fn is_by_verbs(&self) -> bool {
        self.origin == Origin::Verbs
    }

    pub(super) fn mail_refused(&self) -> bool {
        self.mail_reply.as_ref().is_some_and(|reply| !reply.is_success())
    }

    pub(super) fn accepted(&self) -> usize {
        self.rcpt_replies.iter().filter(|reply| reply.is_success()).count()
    }

    /// Whether nothing of it was answered, and nothing of its content was written.
    pub(super) fn is_untouched(&self) -> bool {
        self.mail_reply.is_none() && self.written == 0 && self.body.is_none() && self.end.is_none()
    }

    /// Whether MAIL and every RCPT were answered.
    pub(super) fn envelope_answered(&self) -> bool {
        self.mail_reply.is_some() && self.rcpt_replies.len() == self.asked.addressed.recipients.len()
    }

    /// Whether nobody can get the message, whatever follows.
    pub(super) fn is_lost(&self) -> bool {
        self.mail_refused() || (self.envelope_answered() && !self.may_send())
    }

    /// Whether the server has refused the message, so that it does not matter how the connection ends: the sender, or so
    /// many recipients that nothing may be sent. 421 ends the connection itself, and is not such a decision.
    fn is_refused(&self) -> bool {
        let refuses = |reply: &Reply| reply.is_failure() && reply.code() != 421;
        if self.mail_reply.as_ref().is_some_and(refuses) {
            return true;
        }
        let refused = self.rcpt_replies.iter().filter(|reply| refuses(reply)).count();
        refused > 0
            && self.rcpt_replies.iter().all(|reply| reply.code() != 421)
            && if self.asked.at_least_one {
                refused == self.asked.addressed.recipients.len()
            } else {
                !self.is_by_verbs()
            }
    }

    /// Whether the content may be sent, now that every reply before it was read.
    pub(super) fn may_send(&self) -> bool {
        let accepted = self.accepted();
        !self.mail_refused()
            && accepted > 0
            && (self.asked.at_least_one || accepted == self.asked.addressed.recipients.len())
    }

    /// Whether DATA may be written before the recipients' replies are in. Not where a refused recipient
    /// forbids the message while another was accepted: after a 354 there is no way to send nothing.
    pub(super) fn may_pipeline_data(&self) -> bool {
        self.asked.at_least_one || self.asked.addressed.recipients.len() == 1
    }

    /// How many replies follow the end mark.
    pub(super) fn finals_due(&self) -> usize {
        if self.lmtp { self.accepted() } else { 1 }
    }

    /// Whether the whole end mark may have left, when `flushed` octets of the output have.
    pub(super) fn end_left(&self, flushed: u64) -> bool {
        self.end.is_some_and(|end| flushed >= end)
    }

    /// What became of the message when it came to its decision: every reply due was read. The replies move into the report.
    pub(super) fn report(&mut self) -> Box<Report> {
        if let Some(error) = self.withdrawn.take() {
            return self.take_report((Outcome::NotSent, error.step(), None), Some(error));
        }
        let error = self.refusal();
        self.take_report((Outcome::NotSent, Step::Rcpt, None), error)
    }

    /// What became of the message when the connection ended because of `cause`, with `flushed` octets
    /// of the output handed over.
    pub(super) fn report_ended(&mut self, cause: Error, flushed: u64) -> Box<Report> {
        if self.is_refused() {
            let (step, error) = (cause.step(), self.refusal());
            return self.take_report((Outcome::NotSent, step, None), error);
        }
        if !self.end_left(flushed) || self.is_lost() {
            return self.take_report((Outcome::NotSent, cause.step(), None), Some(cause));
        }
        let text = format!(
            "the whole message was sent and no final reply came ({}): it may have been delivered, and sending \
             it again may deliver it twice",
            cause.text()
        );
        let error = Error::new(Kind::Unknown, Step::Final, text);
        self.take_report((Outcome::Unknown, Step::Final, None), Some(error))
    }

    /// The server refused the message before it had all of it: `reply` came while it was being written.
    pub(super) fn report_stopped(&mut self, reply: Reply) -> Box<Report> {
        let error =
            Error::refused(Step::Body, "the server refused the message before its end", reply.clone());
        self.take_report((Outcome::Rejected, Step::Body, Some(reply)), Some(error))
    }

    /// The step that failed for all recipients alike, if one did.
    fn refusal(&self) -> Option<Error> {
        if let Some(reply) = self.mail_reply.clone().filter(Reply::is_failure) {
            return Some(Error::refused(Step::Mail, "the server refused the sender", reply));
        }
        if self.accepted() == 0 {
            return None;
        }
        if let Some((step, reply)) = self.refused.clone() {
            let text = match step {
                Step::Data => "the server refused DATA",
                _ => "the server refused the message before its end",
            };
            return Some(Error::refused(step, text, reply));
        }
        let reply = self.finals.first().filter(|reply| !self.lmtp && !reply.is_success())?;
        Some(Error::refused(Step::Final, "the server refused the message", reply.clone()))
    }

    /// Each recipient by the first reply that decided over it, or `undecided`.
    fn take_report(
        &mut self,
        undecided: (Outcome, Step, Option<Reply>),
        error: Option<Error>,
    ) -> Box<Report> {
        // A message that was taken after a refused MAIL is taken, for whomever RCPT was.
        let taken = self.finals.iter().any(Reply::is_success);
        let mail_refused = self.mail_reply.take().filter(|reply| reply.is_failure() && !taken);
        let refused = self.refused.take();
        let times = self.watch.stop(!self.finals.is_empty());
        let last = if self.lmtp { self.finals.last().cloned() } else { self.finals.pop() };
        let shared = last.as_ref().filter(|_| !self.lmtp);
        let mut finals = self.finals.iter();
        let mut replies = self.rcpt_replies.iter();
        let recipients = told(&self.asked.addressed.recipients, || {
            let own = replies.next();
            let decided = if let Some(reply) = &mail_refused {
                Some((Step::Mail, reply))
            } else if !own.is_some_and(Reply::is_success) {
                own.map(|reply| (Step::Rcpt, reply))
            } else if let Some((step, reply)) = &refused {
                Some((*step, reply))
            } else {
                shared.or_else(|| finals.next()).map(|reply| (Step::Final, reply))
            };
            let (outcome, step, reply) = match decided {
                None => (undecided.0, undecided.1, undecided.2.as_ref()),
                Some((Step::Final, reply)) if reply.is_success() => {
                    (Outcome::Accepted, Step::Final, Some(reply))
                }
                Some((step, reply)) => (Outcome::Rejected, step, Some(reply)),
            };
            (outcome, step, reply.cloned())
        });
        Box::new(Report {
            recipients,
            attempts: Attempts::new(),
            reply: last.or(undecided.2).or(refused.map(|(_, reply)| reply)),
            used: std::mem::take(&mut self.used),
            avoided: Keywords::new(),
            octets: self.encoder.octets(),
            times,
            error,
        })
    }
}

/// The report of a transaction of which nothing was written: `error` says why.
pub(crate) fn unbegun(recipients: &[Rcpt], asked: Instant, error: Error) -> Report {
    let report = not_sent(recipients, error.step());
    Report { error: Some(error), times: Stopwatch::since(asked).stop(false), ..report }
}

/// Every recipient as not sent, because of nothing yet.
pub(crate) fn not_sent(recipients: &[Rcpt], step: Step) -> Report {
    let recipients = told(recipients, || (Outcome::NotSent, step, None));
    Report { recipients, ..Report::default() }
}

/// What became of each recipient, as the caller named it: `decide` is asked for one RCPT after the other.
fn told(recipients: &[Rcpt], mut decide: impl FnMut() -> (Outcome, Step, Option<Reply>)) -> Vec<Recipient> {
    let mut told = Vec::with_capacity(recipients.len());
    for rcpt in recipients {
        let (outcome, step, reply) = decide();
        let path = rcpt.path.shared();
        match &rcpt.parameters.stands_for {
            None => told.push(Recipient { address: path.clone(), redirected_to: None, outcome, step, reply }),
            Some(named) => told.extend(named.iter().map(|address| Recipient {
                address: address.clone(),
                redirected_to: Some(path).filter(|path| *path != address).cloned(),
                outcome,
                step,
                reply: reply.clone(),
            })),
        }
    }
    told
}
