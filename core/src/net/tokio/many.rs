//! Many messages over one session, several on their way at once, as a stream of reports.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::session::Session;
use crate::dialogue::{Answer, Ticket};
use crate::error::Error;
use crate::message::Message;
use crate::net::batch::WINDOW;
use crate::report::{Report, SendError};

/// What becomes of the messages of a batch: numbers from 0, and reports, in order. See [`Session::send_many`].
///
/// [`next`](Self::next) may be dropped and called again, as in `select!`: nothing is lost. Dropping the stream itself while messages
/// are on their way closes the session ([module](super#what-is-dropped)).
#[must_use = "messages are sent while the reports are awaited"]
pub struct SendMany<'a, S> {
    session: &'a mut Session,
    /// `None`: it has no more.
    messages: Option<S>,
    /// Messages that were asked for, or could not be, and are not reported yet.
    taken: VecDeque<Result<Ticket, Error>>,
    /// Messages that were ever taken, and reported.
    count: u64,
    reported: u64,
    /// The time for the next report runs.
    is_waiting: bool,
}

impl<'a, S: Stream<Item = Message> + Unpin> SendMany<'a, S> {
    pub(super) fn new(session: &'a mut Session, messages: S) -> Self {
        session.begin_batch();
        let taken = VecDeque::new();
        Self { session, messages: Some(messages), taken, count: 0, reported: 0, is_waiting: false }
    }

    /// What became of the next message; `None`: there are no more.
    pub async fn next(&mut self) -> Option<(u64, Report)> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Takes as many messages as may be on their way; whether there may be more.
    fn take(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(messages) = &mut self.messages
            && self.taken.len() < WINDOW
        {
            match Pin::new(messages).poll_next(cx) {
                Poll::Pending => return true,
                Poll::Ready(None) => self.messages = None,
                Poll::Ready(Some(message)) => {
                    self.taken.push_back(self.session.ask_own(&message, self.count));
                    self.count += 1;
                }
            }
        }
        self.messages.is_some()
    }
}

impl<S: Stream<Item = Message> + Unpin> Stream for SendMany<'_, S> {
    type Item = (u64, Report);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let may_have_more = self.take(cx);
        let report = match self.taken.front() {
            None if may_have_more => return Poll::Pending,
            None => return Poll::Ready(None),
            Some(Err(error)) => *SendError::from(error.clone()).report,
            Some(Ok(ticket)) => {
                let ticket = *ticket;
                if !std::mem::replace(&mut self.is_waiting, true) {
                    self.session.begin_call();
                }
                match ready!(self.session.poll_answer(cx, ticket)) {
                    Some(Answer::Sent(report)) => *report,
                    _ => *SendError::from(self.session.gone()).report,
                }
            }
        };
        self.taken.pop_front();
        self.is_waiting = false;
        self.reported += 1;
        Poll::Ready(Some((self.reported - 1, report)))
    }
}

impl<S> Drop for SendMany<'_, S> {
    fn drop(&mut self) {
        let waiting = self.taken.iter().filter(|one| one.is_ok()).count();
        if waiting > self.session.answers() {
            self.session.end();
        }
    }
}

/// The messages of an iterator, as a stream.
#[derive(Debug)]
pub struct Items<I>(I);

impl<I> Items<I> {
    pub(super) fn new(messages: I) -> Self {
        Self(messages)
    }
}

// An iterator is never pinned.
impl<I> Unpin for Items<I> {}

impl<I: Iterator<Item = Message>> Stream for Items<I> {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Message>> {
        Poll::Ready(self.0.next())
    }
}
