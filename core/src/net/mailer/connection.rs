//! One connection of a mailer: a dialogue, its socket, and the messages that are under way on it.

use std::collections::VecDeque;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::job::Job;
use crate::conversation::Conversation;
use crate::dialogue::{Answer, Dialogue, Ticket};
use crate::error::{Error, Kind, Step};
use crate::net::run::{broken, take};
use crate::net::stream::Stream;
use crate::report::Report;

/// How long a server may take to close a connection that has ended.
const LINGER: Duration = Duration::from_secs(1);

/// So much is written before others have their turn.
const TURN: usize = 256 * 1024;

pub(super) struct Connection {
    /// A number that no other connection of the mailer has.
    pub(super) id: u64,
    /// The index of its server.
    pub(super) lane: usize,
    pub(super) dialogue: Dialogue,
    /// None while it is dialled again.
    pub(super) stream: Option<Stream>,
    pub(super) phase: Phase,
    pub(super) jobs: VecDeque<(Ticket, Job)>,
    /// Messages that it was ever given.
    pub(super) given: u64,
    /// Messages that its server has decided.
    pub(super) decided: u64,
    /// Its dialogue has ended, and the message that it ended with was reported.
    pub(super) is_ending: bool,
    /// The server has closed it, or it is of no use any more.
    pub(super) is_gone: bool,
    /// Until when it is kept, though nothing is said any more, for the server to close it.
    pub(super) lingers: Option<Instant>,
    /// Since when it has nothing to do.
    pub(super) idle_since: Instant,
    /// The kernel took no more.
    pub(super) is_full: bool,
    /// There is something to look at or to write.
    pub(super) is_touched: bool,
    /// The dialogue's progress when it was looked at last, and since when it is that.
    progress: u64,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Greeting, EHLO, TLS and login, which this ticket answers.
    Opening(Ticket),
    Ready,
    /// QUIT, or nothing at all, is left to say.
    Parting,
}

/// What the dialogue has answered.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum News {
    Opened(Result<(), Error>),
    Sent(Job, Box<Report>),
}

impl Connection {
    pub(super) fn new(id: u64, lane: usize, mut dialogue: Dialogue, stream: Stream, now: Instant) -> Self {
        let opening = dialogue.introduce();
        Self {
            id,
            lane,
            dialogue,
            stream: Some(stream),
            phase: Phase::Opening(opening),
            jobs: VecDeque::new(),
            given: 0,
            decided: 0,
            is_ending: false,
            is_gone: false,
            lingers: None,
            idle_since: now,
            is_full: false,
            is_touched: true,
            progress: 0,
            since: now,
        }
    }

    /// How many more messages may be given to it; `window` is how many may be under way.
    pub(super) fn room(&self, window: usize, most: Option<u64>) -> usize {
        if self.phase != Phase::Ready {
            return 0;
        }
        let own = self.dialogue.extensions().limits().mail_max;
        let most = most.into_iter().chain(own).min().unwrap_or(u64::MAX);
        let left = usize::try_from(most.saturating_sub(self.given)).unwrap_or(usize::MAX);
        window.saturating_sub(self.jobs.len()).min(left)
    }

    /// Whether it can take no further message ever.
    pub(super) fn is_used_up(&self, most: Option<u64>) -> bool {
        self.phase == Phase::Ready && self.jobs.is_empty() && self.given > 0 && self.room(1, most) == 0
    }

    pub(super) fn give(&mut self, job: Job) {
        let ticket = self.dialogue.send(job.transaction(), job.needs_tls);
        self.jobs.push_back((ticket, job));
        self.given = self.given.saturating_add(1);
        self.is_touched = true;
    }

    /// QUIT, and nothing more.
    pub(super) fn part(&mut self) {
        self.phase = Phase::Parting;
        self.dialogue.part();
        self.is_touched = true;
    }

    /// Its dialogue is over: says so to the server, and waits a little for it to see that. A server that has a limit of
    /// connections counts this one until then.
    pub(super) fn linger(&mut self, now: Instant) {
        self.phase = Phase::Parting;
        self.lingers = Some(now.checked_add(LINGER).unwrap_or(now));
        if let Some(stream) = &self.stream {
            self.is_gone |= stream.shutdown(Shutdown::Write).is_err();
        }
    }

    /// Reads what is there.
    pub(super) fn read(&mut self, buffer: &mut [u8]) {
        let Some(stream) = &mut self.stream else { return };
        self.is_touched = true;
        let got = stream.try_recv(buffer);
        self.is_gone |= matches!(got, Ok(Some(0)) | Err(_));
        take(&mut self.dialogue, got, buffer);
    }

    /// Writes what the kernel takes; true where more is left that it would take.
    pub(super) fn write(&mut self, buffer: &mut [u8]) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        let mut written = 0;
        self.is_full = false;
        while written < TURN {
            let output = self.dialogue.poll_output();
            if output.is_empty() {
                if !self.dialogue.waits_for_source() {
                    return false;
                }
                let text = "the reader has no bytes now, and a mailer does not wait for it";
                self.dialogue.handle_error(Error::new(Kind::Source, Step::Body, text));
                continue;
            }
            match stream.try_send(output) {
                Ok(0) => {
                    self.is_full = true;
                    return false;
                }
                Ok(n) => {
                    self.dialogue.output_done(n);
                    written = written.saturating_add(n);
                }
                Err(error) => broken(stream, &mut self.dialogue, &error, buffer),
            }
        }
        true
    }

    /// The next answer that anybody waits for.
    pub(super) fn news(&mut self) -> Option<News> {
        while let Some((ticket, answer)) = self.dialogue.poll_answer() {
            match answer {
                Answer::Done(done) if self.phase == Phase::Opening(ticket) => {
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

    /// How long nothing needs to be done here; `None`: until bytes come. A server that is overdue is told so.
    pub(super) fn left(&mut self, now: Instant) -> Option<Duration> {
        if let Some(until) = self.lingers {
            let left = until.saturating_duration_since(now);
            self.is_gone |= left.is_zero();
            return Some(left);
        }
        let Some(timeout) = self.dialogue.timeout() else {
            self.since = now;
            // Nothing is due from the server, so what is left is a farewell that it does not take.
            if self.is_full {
                self.dialogue.handle_timeout();
                self.is_touched = true;
            }
            return None;
        };
        let progress = self.dialogue.progress();
        if progress != self.progress {
            (self.progress, self.since) = (progress, now);
        }
        let left = timeout.saturating_sub(now.saturating_duration_since(self.since));
        if left.is_zero() {
            self.dialogue.handle_timeout();
            self.is_touched = true;
        }
        Some(left)
    }
}
