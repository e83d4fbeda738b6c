//! A message that was checked and is ready for any connection: its envelope, its content, and what it needs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use smallvec::SmallVec;

use crate::command::Addressed;
use crate::commit::Name;
use crate::content::{Content, Form, Memory, Transfer};
use crate::engine::{Transaction, not_sent, unbegun};
use crate::envelope::{Envelope, Local};
use crate::error::{Error, Step};
use crate::message::{Edits, Message, Outgoing};
use crate::options::Options;
use crate::report::Report;
use crate::times;

/// A message, its envelope, and how it is to be sent: for one connection after the other, as far as its sources can be
/// read again.
pub struct Prepared {
    addressed: Arc<Addressed>,
    content: Arc<Mutex<Outgoing>>,
    at_least_one: bool,
    queue: bool,
    needs: Needs,
    name: Option<Arc<Name>>,
    asked: Instant,
}

/// What a message needs of the connection that it goes over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// It must not go out in plain text.
    pub tls: bool,
    /// Keywords of extensions without which it cannot be sent as the options say.
    pub extensions: SmallVec<[&'static str; 2]>,
}

impl Needs {
    fn of(options: &Options, envelope: &Envelope) -> Self {
        let extensions = envelope.needs.iter().map(|need| need.keyword);
        Self { tls: options.tlsrequired || options.requiretls, extensions: extensions.collect() }
    }
}

impl Prepared {
    /// Derives the envelope and checks everything that can be checked without a server. `index` is what the message is known
    /// by to option `commit`, if there is one.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) and [`Kind::Source`](crate::error::Kind::Source), as
    /// [`Envelope::derive`] and [`Message::prepare`].
    pub fn new(
        message: &Message,
        options: &Options,
        local: &Local,
        index: Option<u64>,
    ) -> Result<Self, Error> {
        let envelope = Envelope::derive(message, options, local)?;
        let content = content(message, options, local, &envelope)?;
        Ok(Self {
            name: name(message, &envelope.edits, options, index)?,
            needs: Needs::of(options, &envelope),
            addressed: envelope.addressed,
            content: Arc::new(Mutex::new(content)),
            at_least_one: options.atleastone,
            queue: options.queue,
            asked: times::now(),
        })
    }

    /// The same for one dialogue alone, with the envelope: what its engine is asked for, and what the message needs.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn once(
        message: &Message,
        options: &Options,
        local: &Local,
        index: Option<u64>,
        envelope: &Envelope,
    ) -> Result<(Box<Transaction>, Needs), Error> {
        let content = content(message, options, local, envelope)?;
        let needs = Needs::of(options, envelope);
        let name = name(message, &envelope.edits, options, index)?;
        // What may take several transactions is lent to each; all else saves an allocation.
        let content: Box<dyn Content> = if options.atleastone && envelope.recipients.len() > 1 {
            Box::new(Lent(Arc::new(Mutex::new(content))))
        } else {
            Box::new(content)
        };
        let transaction = Box::new(Transaction {
            addressed: Arc::clone(&envelope.addressed),
            content,
            at_least_one: options.atleastone,
            queue: options.queue,
            name,
            asked: times::now(),
        });
        Ok((transaction, needs))
    }

    /// Says what the message is known by to option `commit`, before its first transaction.
    pub fn set_index(&mut self, index: u64) {
        if let Some(name) = self.name.as_mut().and_then(Arc::get_mut) {
            name.index = index;
        }
    }

    /// What the message needs of its connection.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// Whether one accepted recipient is enough.
    pub fn at_least_one(&self) -> bool {
        self.at_least_one
    }

    /// What an engine is asked for. The message can be asked for again elsewhere.
    pub fn transaction(&self) -> Box<Transaction> {
        Box::new(Transaction {
            addressed: Arc::clone(&self.addressed),
            content: Box::new(Lent(Arc::clone(&self.content))),
            at_least_one: self.at_least_one,
            queue: self.queue,
            name: self.name.clone(),
            asked: self.asked,
        })
    }

    /// Writes the message, signatures included, octet for octet as it goes to a server that takes `transfer`.
    ///
    /// # Errors
    /// As [`Outgoing::write`], and [`Kind::Source`](crate::error::Kind::Source) if it cannot be signed.
    pub fn write(&self, transfer: Transfer, out: &mut dyn std::io::Write) -> Result<u64, Error> {
        lock(&self.content).write(transfer, out)
    }

    /// The report of a message of which nothing was said: `error` says why.
    pub fn unsent(&self, error: Error) -> Report {
        unbegun(&self.addressed.recipients, self.asked, error)
    }

    /// The report before anything was tried; `step` is what comes first.
    pub fn untried(&self, step: Step) -> Report {
        not_sent(&self.addressed.recipients, step)
    }
}

/// The message as it goes out, signed where the options say so.
fn content(
    message: &Message,
    options: &Options,
    local: &Local,
    envelope: &Envelope,
) -> Result<Outgoing, Error> {
    let mut content = message.prepare(&envelope.edits)?;
    let signers = options.all_signers();
    if !signers.is_empty() {
        content.sign(signers, (local.now)().timestamp().as_second());
    }
    Ok(content)
}

/// The content, lent to one engine after the other: a server that is left before DATA has not used it up.
struct Lent(Arc<Mutex<Outgoing>>);

impl Content for Lent {
    fn needs_utf8(&self) -> bool {
        lock(&self.0).needs_utf8()
    }

    fn form(&self, transfer: Transfer) -> Result<Form, Error> {
        lock(&self.0).form(transfer)
    }

    fn open(&mut self, transfer: Transfer) -> Result<Box<dyn std::io::BufRead + Send>, Error> {
        lock(&self.0).open(transfer)
    }

    fn memory(&self, transfer: Transfer) -> Option<Memory> {
        lock(&self.0).memory(transfer)
    }

    fn again(&self) -> Option<Box<dyn Content>> {
        Some(Box::new(Self(Arc::clone(&self.0))))
    }
}

fn lock(content: &Mutex<Outgoing>) -> std::sync::MutexGuard<'_, Outgoing> {
    content.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the message is known by; `None` without an index.
fn name(
    message: &Message,
    edits: &Edits,
    options: &Options,
    index: Option<u64>,
) -> Result<Option<Arc<Name>>, Error> {
    const FIELD: &str = "Message-ID";
    let Some(index) = index else { return Ok(None) };
    let added = edits.add.iter().find(|(name, _)| name.eq_ignore_ascii_case(FIELD));
    let own = match added {
        Some((_, id)) => Some(id.clone()),
        None => message.header(FIELD)?.into_iter().next(),
    };
    let id = own.map(|id| id.trim().to_owned());
    Ok(Some(Arc::new(Name::new(id, options.tag.clone(), index))))
}
