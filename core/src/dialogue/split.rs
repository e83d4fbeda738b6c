//! More recipients than a server takes in one transaction (RFC 5321 section 4.5.3.1.10, RFC 9422): the rest goes in further
//! ones, where one accepted recipient is enough.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::command::{Addressed, Rcpts};
use crate::commit::Name;
use crate::content::Content;
use crate::engine::{Transaction, unbegun};
use crate::error::{Error, Kind, Step};
use crate::extensions;
use crate::reply::Reply;
use crate::report::{Outcome, Recipient, Report};
use crate::times::MessageTimes;

/// What it takes to send a message to those whom a transaction leaves over.
pub(super) struct Rest {
    content: Box<dyn Content>,
    queue: bool,
    name: Option<Arc<Name>>,
    asked: Instant,
    /// The envelope with all recipients, as the caller gave them.
    all: Arc<Addressed>,
    /// Those that no transaction has asked for yet, or that the server had no room for.
    left: Rcpts,
    /// What is known of the others.
    known: Report,
}

impl Rest {
    /// Takes from the transaction what the server's `limits` leave no room for. `None` if there cannot be a second one.
    pub(super) fn of(transaction: &mut Transaction, limits: extensions::ServerLimits) -> Option<Box<Self>> {
        if !transaction.at_least_one || transaction.addressed.recipients.len() < 2 {
            return None;
        }
        let content = transaction.content.again()?;
        let all = Arc::clone(&transaction.addressed);
        let mut now = all.recipients.clone();
        let left = split(&mut now, limits);
        if !left.is_empty() {
            transaction.addressed = Addressed::new(all.mail.clone(), now);
        }
        let (queue, name) = (transaction.queue, transaction.name.clone());
        let (asked, known) = (transaction.asked, Report::default());
        Some(Box::new(Self { content, queue, name, asked, all, left, known }))
    }

    /// The envelope with all recipients, where no transaction of the message is over yet.
    pub(super) fn unbegun(&self) -> Option<&Arc<Addressed>> {
        self.known.recipients.is_empty().then_some(&self.all)
    }

    /// Takes the report of a transaction. `limits` are the server's, where another one may follow on the connection. Gives
    /// that, or the report of the whole.
    pub(super) fn take(
        &mut self,
        mut report: Report,
        limits: Option<extensions::ServerLimits>,
    ) -> Result<Box<Transaction>, Box<Report>> {
        let sent = report.sent();
        if sent && limits.is_some() {
            let (again, told) = report.recipients.into_iter().partition(|r| too_many(r).is_some());
            report.recipients = told;
            self.put_back(again);
        }
        let before = std::mem::take(&mut self.known);
        self.known = merged(before, report);
        if let Some(limits) = limits.filter(|_| sent && !self.left.is_empty())
            && let Some(content) = self.content.again()
        {
            let mut recipients = std::mem::take(&mut self.left);
            self.left = split(&mut recipients, limits);
            return Ok(Box::new(Transaction {
                addressed: Addressed::new(self.all.mail.clone(), recipients),
                content,
                at_least_one: true,
                queue: self.queue,
                name: self.name.clone(),
                asked: self.asked,
            }));
        }
        Err(Box::new(self.finish()))
    }

    /// Recipients that the server had no room for come first in the next transaction.
    fn put_back(&mut self, recipients: Vec<Recipient>) {
        let addresses: BTreeSet<_> = recipients.iter().map(Recipient::said).collect();
        let again = self.all.recipients.iter().filter(|rcpt| addresses.contains(rcpt.path.as_str())).cloned();
        let mut left: Rcpts = again.collect();
        left.append(&mut self.left);
        self.left = left;
    }

    fn finish(&mut self) -> Report {
        let mut report = std::mem::take(&mut self.known);
        if !self.left.is_empty() {
            let cause = report.error.clone().unwrap_or_else(|| {
                let text = "the server took no further transaction of this message";
                Error::new(Kind::Closed, Step::Rcpt, text)
            });
            report.recipients.extend(unbegun(&self.left, self.asked, cause.clone()).recipients);
            report.error.get_or_insert(cause);
        }
        let place = |recipient: &Recipient| {
            self.all.recipients.iter().position(|rcpt| rcpt.path.as_str() == recipient.said())
        };
        report.recipients.sort_by_cached_key(place);
        report
    }
}

/// Both in one: each recipient keeps the reply of its own transaction.
fn merged(before: Report, report: Report) -> Report {
    let mut recipients = before.recipients;
    recipients.extend(report.recipients);
    // What is not known counts more than what was merely not sent.
    let error = match (before.error, report.error) {
        (Some(before), after) if after.as_ref().is_none_or(|after| after.kind() != Kind::Unknown) => {
            Some(before)
        }
        (_, after) => after,
    };
    let reply = report.reply.or(before.reply);
    let octets = before.octets.saturating_add(report.octets);
    let mut used = report.used;
    used.extend(before.used);
    used.sort_unstable();
    used.dedup();
    Report {
        recipients,
        reply,
        octets,
        used,
        error,
        ..Report {
            attempts: report.attempts,
            avoided: report.avoided,
            times: both(before.times, report.times),
            ..Report::default()
        }
    }
}

/// The parts of one transaction after the other; what is counted from the beginning is of the last.
fn both(before: MessageTimes, last: MessageTimes) -> MessageTimes {
    let sum = |one: Option<Duration>, other: Option<Duration>| match (one, other) {
        (Some(one), Some(other)) => one.checked_add(other),
        _ => one.or(other),
    };
    MessageTimes {
        envelope: sum(before.envelope, last.envelope),
        body: sum(before.body, last.body),
        reply: sum(before.reply, last.reply),
        total: last.total.or(before.total),
    }
}

/// Leaves as many recipients as the server takes at once, and gives the others.
fn split(recipients: &mut Rcpts, limits: extensions::ServerLimits) -> Rcpts {
    let most = limits.rcpt_max.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX).max(1);
    let domains =
        limits.rcpt_domain_max.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX).max(1);
    if recipients.len() <= most && domains == usize::MAX {
        return Rcpts::new();
    }
    let mut seen = BTreeSet::new();
    let (mut now, mut later) = (Rcpts::new(), Rcpts::new());
    for rcpt in recipients.drain(..) {
        let domain = rcpt.domain();
        if now.len() < most && (seen.len() < domains || seen.contains(&domain)) {
            seen.insert(domain);
            now.push(rcpt);
        } else {
            later.push(rcpt);
        }
    }
    *recipients = now;
    later
}

/// The reply, where it says that there are too many recipients (RFC 5321 section 4.5.3.1.10: 452, or 552 of old servers).
pub(super) fn too_many(recipient: &Recipient) -> Option<&Reply> {
    let reply = recipient
        .reply
        .as_ref()
        .filter(|_| recipient.outcome == Outcome::Rejected && recipient.step == Step::Rcpt)?;
    let enhanced = reply.enhanced().map(|code| code.to_string()).unwrap_or_default();
    let says = |text: &str| text.to_ascii_lowercase().contains("too many recipients");
    let counts = matches!(enhanced.as_str(), "4.5.3" | "5.5.3") || says(reply.text());
    (matches!(reply.code(), 451 | 452 | 552) && (counts || (reply.code() == 452 && enhanced.is_empty())))
        .then_some(reply)
}

/// The error of a message that every recipient was required for.
pub(super) fn too_many_required(report: &Report) -> Option<Error> {
    let reply = report.recipients.iter().find_map(too_many)?;
    let text = "the server takes no more recipients in one transaction, and every one is required: option `atleastone` \
                sends to the rest in further transactions";
    Some(Error::refused(Step::Rcpt, text, reply.clone()))
}
