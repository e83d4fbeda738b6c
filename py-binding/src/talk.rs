//! How a session of Python's moves: until an answer is there, blocking or turn by turn.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use smtpclient::conversation::Conversation;
use smtpclient::dialogue::{self, Answer};
use smtpclient::error::Error;
use smtpclient::net::{Limits, Wait};
use smtpclient::report::Report;

use crate::line::{Abort, Line, Shared, Watch};
use crate::socket::{self, PySocket};

/// How long answers that are there may wait for others.
const LINGER: Duration = Duration::from_millis(5);

pub(crate) type Core = dialogue::Dialogue;

/// What is said over a connection, and what came of it.
pub(crate) struct Inner {
    pub(crate) dialogue: Core,
    pub(crate) line: Line,
    /// Answers that nobody has taken yet.
    pub(crate) answers: HashMap<u64, Answer>,
    /// What an event loop waits for.
    pub(crate) awaited: Awaited,
}

#[derive(Default)]
pub(crate) struct Awaited {
    /// None: the end.
    pub(crate) number: Option<u64>,
    /// So many answers if they come at once.
    pub(crate) most: usize,
    /// Until then.
    pub(crate) until: Option<Instant>,
}

impl Abort for Inner {
    fn abort(&mut self, cause: Error) {
        self.dialogue.abort(cause);
    }
}

impl Inner {
    fn collect(&mut self) {
        while let Some((ticket, answer)) = self.dialogue.poll_answer() {
            self.answers.insert(ticket.number(), answer);
        }
    }

    /// What became of a message that was ended with everything else.
    pub(crate) fn report(&mut self, number: u64) -> Option<Box<Report>> {
        self.collect();
        match self.answers.remove(&number) {
            Some(Answer::Sent(report)) => Some(report),
            _ => None,
        }
    }

    /// Whether all that is left is to say farewell, and to close.
    pub(crate) fn is_over(&self) -> bool {
        self.dialogue.engine().is_closed() && !self.dialogue.wants_dial()
    }

    /// Blocks until the answer is there, and up to `most` if they come at once.
    pub(crate) fn wait(&mut self, number: u64, most: usize) {
        self.line.set_limits(Limits::begin(self.dialogue.options()));
        self.collect();
        while !self.answers.contains_key(&number) {
            self.line.run(&mut self.dialogue, Wait::Block, |dialogue| dialogue.has_answers());
            if !self.dialogue.has_answers() {
                break;
            }
            self.collect();
        }
        if most > 1 {
            let known = self.answers.len();
            let until = Wait::Until(Instant::now() + LINGER);
            self.line.run(&mut self.dialogue, until, |dialogue| known + dialogue.answers() >= most);
            self.collect();
        }
    }

    /// Does something within the time-out that the caller's socket has, whose calls block otherwise.
    pub(crate) fn by_the_socket(&mut self, act: impl FnOnce(&mut Self)) {
        let limit = self.line.socket.as_ref().and_then(PySocket::limit);
        let set = |inner: &Self, limit| {
            if let (Some(socket), Some(limit)) = (&inner.line.socket, limit) {
                socket.set_limit(limit);
            }
        };
        if let Some(limit) = limit {
            self.dialogue.set_timeout(limit);
        }
        set(self, limit.map(|_| Duration::ZERO));
        act(self);
        set(self, limit);
    }

    /// Says what is left to say, such as why TLS failed, and closes.
    pub(crate) fn finish(&mut self) {
        self.line.run(&mut self.dialogue, Wait::Block, Core::is_closed);
        self.line.close();
    }

    pub(crate) fn turn(&mut self) -> Watch {
        self.line.turn(&mut self.dialogue, false);
        self.collect();
        let awaited = &mut self.awaited;
        let mut left = None;
        let mut over = awaited.number.is_some_and(|number| self.answers.contains_key(&number))
            && (!self.dialogue.engine().is_closed() || self.dialogue.wants_dial());
        if over && self.answers.len() < awaited.most {
            let now = Instant::now();
            let until = *awaited.until.get_or_insert(now + LINGER);
            left = Some(until.saturating_duration_since(now));
            over = now >= until;
        }
        self.line.watch(&mut self.dialogue, over, left)
    }
}

impl Shared<Inner> {
    /// A socket of Python's for the connection, which is made if there is none: outside, since making it may run anything.
    pub(crate) fn object(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        if let Some(known) = self.look(|inner| inner.line.known_object(py))? {
            return Ok(Some(known));
        }
        let Some((serial, descriptor)) = self.look(|inner| inner.line.duplicate())?? else { return Ok(None) };
        let copy = socket::open(py, descriptor)?;
        copy.call_method1("setblocking", (false,))?;
        let late = self.look(|inner| inner.line.keep(serial, copy.unbind()))?;
        drop(late);
        self.look(|inner| inner.line.known_object(py))
    }
}
