//! One connection of a mailer: a dialogue, what carries it, and the messages that are under way on it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::commits::Desk;
use super::job::Job;
use crate::conversation::Conversation;
use crate::dialogue::{Answer, Dialogue, Ticket};
use crate::engine::Awaited;
use crate::error::{Error, Kind, Step};
use crate::net::connection;
use crate::net::limits::{Limits, Owner};
use crate::options::Options;
use crate::report::Report;

/// How long a server may take to close a connection that has ended.
const LINGER: Duration = Duration::from_secs(1);

pub(super) struct Connection {
    /// A number that no other connection of the mailer has.
    pub(super) id: u64,
    /// The index of its server.
    pub(super) server: usize,
    pub(super) dialogue: Dialogue,
    pub(super) wire: connection::Connection,
    pub(super) phase: ConnectionPhase,
    pub(super) jobs: VecDeque<(Ticket, Box<Job>)>,
    /// Messages that it was ever given.
    pub(super) given: u64,
    /// Messages that its server has decided.
    pub(super) decided: u64,
    /// Its dialogue has ended or is to end, and the message because of which was reported.
    pub(super) is_ending: bool,
    pub(super) opened: Opened,
    /// Since when it has nothing to do.
    pub(super) idle_since: Instant,
    /// There is something to look at or to write.
    pub(super) is_touched: bool,
    /// Where its messages wait for the caller's commit.
    pub(super) desk: Option<Desk>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionPhase {
    /// Greeting, EHLO, TLS and login, which this ticket answers.
    Opening(Ticket),
    Ready,
    /// QUIT, or nothing at all, is left to say.
    Parting,
    /// Nothing is said any more: it is kept until then for the server to close it.
    Lingering(Instant),
    /// The server has closed it, or it is of no use any more.
    Gone,
}

/// Whether it was connected, if only once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    Never,
    /// And is to be counted.
    Uncounted,
    Counted,
}

/// What the dialogue has answered.
pub(super) enum News {
    Opened(Result<(), Error>),
    Sent(Box<Job>, Box<Report>),
}

impl Connection {
    /// One that is to be made, as `options` say.
    ///
    /// # Errors
    /// [`Kind::Usage`], which the options of a mailer do not give.
    pub(super) fn new(
        id: u64,
        server: usize,
        mut dialogue: Dialogue,
        options: &Options,
        desk: Option<Desk>,
        owner: Owner,
        now: Instant,
    ) -> Result<Self, Error> {
        let opening = dialogue.introduce();
        let mut wire = connection::Connection::new(options)?;
        // Option `deadline` is for messages.
        wire.set_limits(Limits { deadline: None, cancel: options.cancel.clone(), owner: Some(owner) });
        Ok(Self {
            id,
            server,
            dialogue,
            wire,
            phase: ConnectionPhase::Opening(opening),
            jobs: VecDeque::new(),
            given: 0,
            decided: 0,
            is_ending: false,
            opened: Opened::Never,
            idle_since: now,
            is_touched: true,
            desk,
        })
    }

    /// How many more messages may be given to it; `window` is how many may be under way.
    pub(super) fn room(&self, window: usize, most: Option<u64>) -> usize {
        if self.phase != ConnectionPhase::Ready {
            return 0;
        }
        let own = self.dialogue.extensions().limits().mail_max;
        let most = most.into_iter().chain(own).min().unwrap_or(u64::MAX);
        let left = usize::try_from(most.saturating_sub(self.given)).unwrap_or(usize::MAX);
        window.saturating_sub(self.jobs.len()).min(left)
    }

    /// Whether it can take no further message ever.
    pub(super) fn is_used_up(&self, most: Option<u64>) -> bool {
        self.phase == ConnectionPhase::Ready
            && self.jobs.is_empty()
            && self.given > 0
            && self.room(1, most) == 0
    }

    pub(super) fn give(&mut self, job: Box<Job>) {
        let ticket = self.dialogue.send(job.message.transaction(), job.message.needs().clone());
        self.jobs.push_back((ticket, job));
        self.given = self.given.saturating_add(1);
        self.is_touched = true;
    }

    /// Whether its dialogue has ended, and that was looked at.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, ConnectionPhase::Lingering(_) | ConnectionPhase::Gone)
    }

    /// QUIT, and nothing more.
    pub(super) fn part(&mut self) {
        if self.is_over() {
            return;
        }
        self.phase = ConnectionPhase::Parting;
        self.dialogue.part();
        self.is_touched = true;
    }

    /// Its dialogue is over: says so to the server, and waits a little for it to see that. A server that has a limit of
    /// connections counts this one until then.
    pub(super) fn linger(&mut self, now: Instant) {
        self.phase = if self.wire.shutdown() {
            ConnectionPhase::Lingering(now.checked_add(LINGER).unwrap_or(now))
        } else {
            ConnectionPhase::Gone
        };
    }

    /// Connects, writes and reads, as far as that goes without waiting.
    pub(super) fn turn(&mut self) {
        self.is_touched = false;
        if self.is_over() {
            if self.wire.has_ended() {
                self.phase = ConnectionPhase::Gone;
            }
            return;
        }
        if self.dialogue.is_closed() {
            return;
        }
        self.wire.turn(&mut self.dialogue);
        if self.dialogue.waits_for() == Some(Awaited::Source) {
            let text = "the reader has no bytes now, and a mailer does not wait for it";
            self.dialogue.handle_error(Error::new(Kind::Source, Step::Body, text));
        }
        if self.opened == Opened::Never && self.wire.stream().is_some() {
            self.opened = Opened::Uncounted;
        }
    }

    /// The next answer that anybody waits for.
    pub(super) fn news(&mut self) -> Option<News> {
        while let Some((ticket, answer)) = self.dialogue.poll_answer() {
            match answer {
                Answer::Done(done) if self.phase == ConnectionPhase::Opening(ticket) => {
                    return Some(News::Opened(done));
                }
                Answer::Sent(report) => {
                    let at = self.jobs.iter().position(|(own, _)| *own == ticket);
                    if let Some((_, job)) = at.and_then(|at| self.jobs.remove(at)) {
                        return Some(News::Sent(job, report));
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// How long nothing needs to be done here; `None`: until bytes come.
    pub(super) fn left(&mut self, now: Instant) -> Option<Duration> {
        match self.phase {
            ConnectionPhase::Gone => return Some(Duration::ZERO),
            ConnectionPhase::Lingering(until) => {
                let left = until.saturating_duration_since(now);
                if left.is_zero() {
                    self.phase = ConnectionPhase::Gone;
                }
                return Some(left);
            }
            _ => {}
        }
        let left = self.wire.timeout(&mut self.dialogue, now);
        // Whatever wakes the mailer may be the token.
        self.is_touched |=
            left.is_some_and(|left| left.is_zero()) || self.dialogue.waits_for() == Some(Awaited::Login);
        left
    }
}
