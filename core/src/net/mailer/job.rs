//! One message on its way through a mailer.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::Ticket;
use crate::command::{Mail, Rcpt};
use crate::delivery::Lent;
use crate::engine::{Transaction, unbegun};
use crate::envelope::{Envelope, Local};
use crate::error::Error;
use crate::message::{Message, Outgoing};
use crate::options::Options;
use crate::report::{Attempt, Report};

/// A message with its envelope, and what was tried with it.
pub(super) struct Job {
    pub(super) ticket: Ticket,
    pub(super) needs_tls: bool,
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
    mail: Mail,
    recipients: Vec<Rcpt>,
    content: Arc<Mutex<Outgoing>>,
    at_least_one: bool,
    queue: bool,
}

impl Job {
    /// # Errors
    /// As `Envelope::derive` and `Message::prepare`.
    pub(super) fn new(message: &Message, options: &Options, local: &Local) -> Result<Self, Error> {
        let envelope = Envelope::derive(message, options, local)?;
        let content = message.prepare(&envelope.edits)?;
        Ok(Self {
            ticket: Ticket(0),
            needs_tls: options.tlsrequired || options.requiretls,
            deadline: options.deadline.and_then(|time| Instant::now().checked_add(time)),
            refused_by: Vec::new(),
            tries: 0,
            moves: 0,
            attempts: Vec::new(),
            mail: envelope.mail,
            recipients: envelope.recipients,
            content: Arc::new(Mutex::new(content)),
            at_least_one: options.atleastone,
            queue: options.queue,
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

    /// What an engine is asked for; the job can be asked for again elsewhere.
    pub(super) fn transaction(&self) -> Box<Transaction> {
        Box::new(Transaction {
            mail: self.mail.clone(),
            recipients: self.recipients.clone(),
            content: Box::new(Lent(Arc::clone(&self.content))),
            at_least_one: self.at_least_one,
            queue: self.queue,
        })
    }

    /// The report of a message that is given up before a server had it.
    pub(super) fn unsent(self, error: Error) -> (Ticket, Report) {
        let report = Report { attempts: self.attempts, ..unbegun(&self.recipients, error) };
        (self.ticket, report)
    }

    /// The report as a server's last word, with what was tried before.
    pub(super) fn decided(self, mut report: Report) -> (Ticket, Report) {
        if !self.attempts.is_empty() {
            let last = std::mem::replace(&mut report.attempts, self.attempts);
            report.attempts.extend(last);
        }
        (self.ticket, report)
    }
}
