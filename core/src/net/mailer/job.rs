//! One message on its way through a mailer.

use std::time::Instant;

use super::MessageNumber;
use crate::envelope::Local;
use crate::error::Error;
use crate::message::Message;
use crate::options::Options;
use crate::prepared::Prepared;
use crate::report::{Attempts, Report};

/// A message with its envelope, and what was tried with it. Boxed from the queue to its outcome, as its reports are: to copy them from
/// place to place was 2 100 of 19 600 instructions of a message, where boxes cost 600, and each had 270 octets more in the queue.
pub(super) struct Job {
    pub(super) number: MessageNumber,
    pub(super) message: Prepared,
    /// When it is given up, unless it is under way.
    pub(super) deadline: Option<Instant>,
    /// Servers that turned it away and may be asked again only when all have.
    pub(super) refused_by: Vec<usize>,
    /// How often it was tried in vain.
    pub(super) tries: u32,
    /// Not to be tried again before.
    pub(super) not_before: Option<Instant>,
    /// When it was refused for now for the first time.
    pub(super) refused_since: Option<Instant>,
    /// The connection that refused it for now, which is not asked again.
    pub(super) not_on: Option<u64>,
    /// How often its connection ended before anything was said of it, which does not count as a try.
    pub(super) moves: u32,
    /// What came of the tries.
    pub(super) attempts: Attempts,
    /// The report of the last of them.
    pub(super) last: Option<Box<Report>>,
}

impl Job {
    /// One for a mailer that perhaps `names` its messages to functions of the caller's.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub(super) fn new(
        message: &Message,
        options: &Options,
        local: &Local,
        names: bool,
    ) -> Result<Box<Self>, Error> {
        // It gets its number when it is taken.
        let index = names.then_some(0);
        Ok(Box::new(Self {
            number: MessageNumber(0),
            message: Prepared::new(message, options, local, index)?,
            deadline: options.deadline.and_then(|time| Instant::now().checked_add(time)),
            refused_by: Vec::new(),
            tries: 0,
            not_before: None,
            refused_since: None,
            not_on: None,
            moves: 0,
            attempts: Attempts::new(),
            last: None,
        }))
    }

    /// One of `servers` servers has turned it away. That they all have is one try.
    pub(super) fn refused(&mut self, by: usize, servers: usize) {
        self.refused_by.push(by);
        if self.refused_by.len() >= servers {
            self.refused_by.clear();
            self.tries = self.tries.saturating_add(1);
        }
    }

    /// The report of a message that is given up before a server had it.
    pub(super) fn unsent(self: Box<Self>, error: Error) -> (MessageNumber, Box<Report>) {
        let report = Report { attempts: self.attempts, ..self.message.unsent(error) };
        (self.number, Box::new(report))
    }

    /// The report as a server's last word, with what was tried before.
    pub(super) fn decided(mut self: Box<Self>, mut report: Box<Report>) -> (MessageNumber, Box<Report>) {
        report.prefer_reason_of(self.last.as_deref());
        if !self.attempts.is_empty() {
            let last = std::mem::replace(&mut report.attempts, std::mem::take(&mut self.attempts));
            report.attempts.extend(last);
        }
        (self.number, report)
    }
}
