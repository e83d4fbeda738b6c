//! One message on its way through a mailer.

use std::time::Instant;

use super::Ticket;
use crate::envelope::Local;
use crate::error::{Error, Kind};
use crate::message::Message;
use crate::options::Options;
use crate::prepared::Prepared;
use crate::report::{Attempt, Report};

/// A message with its envelope, and what was tried with it.
pub(super) struct Job {
    pub(super) ticket: Ticket,
    pub(super) message: Prepared,
    /// When it is given up, unless it is under way.
    pub(super) deadline: Option<Instant>,
    /// Servers that turned it away and may be asked again only when all have.
    pub(super) refused_by: Vec<usize>,
    /// How often it was tried in vain.
    pub(super) tries: u32,
    /// How often its connection ended before anything was said of it, which is no try.
    pub(super) moves: u32,
    /// What came of the tries.
    pub(super) attempts: Vec<Attempt>,
    /// The report of the last of them.
    pub(super) last: Option<Report>,
}

impl Job {
    /// # Errors
    /// As [`Prepared::new`].
    pub(super) fn new(message: &Message, options: &Options, local: &Local) -> Result<Self, Error> {
        Ok(Self {
            ticket: Ticket(0),
            message: Prepared::new(message, options, local)?,
            deadline: options.deadline.and_then(|time| Instant::now().checked_add(time)),
            refused_by: Vec::new(),
            tries: 0,
            moves: 0,
            attempts: Vec::new(),
            last: None,
        })
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
    pub(super) fn unsent(self, error: Error) -> (Ticket, Report) {
        let report = Report { attempts: self.attempts, ..self.message.unsent(error) };
        (self.ticket, report)
    }

    /// The report as a server's last word, with what was tried before.
    pub(super) fn decided(self, mut report: Report) -> (Ticket, Report) {
        // A reader that cannot begin again is no reason: the one for which it would have had to is.
        let cannot_go_back = report.error.as_ref().is_some_and(|error| error.kind() == Kind::Source);
        if let Some(last) = self.last.filter(|_| cannot_go_back) {
            report = Report { attempts: report.attempts, ..last };
        }
        if !self.attempts.is_empty() {
            let last = std::mem::replace(&mut report.attempts, self.attempts);
            report.attempts.extend(last);
        }
        (self.ticket, report)
    }
}
