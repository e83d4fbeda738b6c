//! Many messages over one session, several on their way at once.

use std::collections::VecDeque;
use std::sync::Arc;

use super::sendmessage::limits;
use super::session::Session;
use crate::dialogue::Ticket;
use crate::error::Error;
use crate::message::Message;
use crate::options::Options;
use crate::report::{Report, SendError};

/// Messages of a batch that are on their way at once: enough to fill a round trip, few enough to hold.
pub(super) const WINDOW: usize = 64;

/// Messages that are sent one after the other. See [`Session::batch`].
pub struct Batch<'a> {
    session: &'a mut Session,
    options: Arc<Options>,
    /// Messages that were asked for, or could not be, and are not reported yet.
    taken: VecDeque<Result<Ticket, Error>>,
    /// Messages that were ever added.
    added: u64,
}

impl<'a> Batch<'a> {
    pub(super) fn new(session: &'a mut Session) -> Self {
        session.forget_answers();
        Self { options: session.shared_options(), session, taken: VecDeque::new(), added: 0 }
    }

    /// Whether a message that is added now shares a round trip with those before; with 64 on their way there is
    /// nothing more to gain.
    pub fn has_room(&self) -> bool {
        self.taken.len() < WINDOW
    }

    /// Asks for a message, with the session's options or its own; nothing is written yet. Its [`report`](Self::report)
    /// says where it is wrong.
    pub fn add(&mut self, message: &Message, options: Option<&Options>) {
        let ticket = self.session.ask(message, options.unwrap_or(&self.options), self.added);
        self.added += 1;
        self.taken.push_back(ticket);
    }

    /// Sends, until it is known what became of the oldest message that was not reported yet. `None`: there is none.
    pub fn report(&mut self) -> Option<Result<Report, SendError>> {
        let limits = limits(&self.options);
        Some(match self.taken.pop_front()? {
            Ok(ticket) => self.session.sent(ticket, &limits).unboxed(),
            Err(error) => Err(error.into()),
        })
    }
}

/// What became of the messages of a batch. See [`Session::send_many`].
pub struct SendMany<'a, I: Iterator<Item = Message>> {
    batch: Batch<'a>,
    messages: std::iter::Fuse<I>,
}

impl<'a, I: Iterator<Item = Message>> SendMany<'a, I> {
    pub(super) fn new(session: &'a mut Session, messages: I) -> Self {
        Self { batch: Batch::new(session), messages: messages.fuse() }
    }
}

impl<I: Iterator<Item = Message>> Iterator for SendMany<'_, I> {
    type Item = Result<Report, SendError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.batch.has_room()
            && let Some(message) = self.messages.next()
        {
            self.batch.add(&message, None);
        }
        self.batch.report()
    }
}
