//! What the callers of a mailer and its thread have in common.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use rustix::fd::{AsFd, BorrowedFd};
use socket2::Socket;

use super::MessageNumber;
use super::counting::ServerCounts;
use super::job::Job;
use crate::error::{Error, Kind, Step};
use crate::net::limits::Owner;
use crate::net::platform::{pair, send_now};
use crate::options::{OauthToken, Options};
use crate::report::{Outcome, Report};
use crate::server::Server;

/// What became of the messages of a mailer. The last four sum up to `decided`; with several recipients the
/// first of `unknown`, `accepted`, `rejected` and `not_sent` that holds for one of them counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that were taken.
    pub submitted: u64,
    /// Messages that are decided.
    pub decided: u64,
    /// A server has them.
    pub accepted: u64,
    /// A server refused them.
    pub rejected: u64,
    /// No server has them; sending again is safe.
    pub not_sent: u64,
    /// A server may have them.
    pub unknown: u64,
    /// Messages that are not given to a connection now.
    pub waiting: u64,
    /// Connections that are open now, or being opened.
    pub connections: u64,
    /// Connections that were ever opened.
    pub opened: u64,
}

impl Counts {
    /// Each with its name, the same in every language; append only.
    pub fn fields(&self) -> [(&'static str, u64); 9] {
        [
            ("submitted", self.submitted),
            ("decided", self.decided),
            ("accepted", self.accepted),
            ("rejected", self.rejected),
            ("not_sent", self.not_sent),
            ("unknown", self.unknown),
            ("waiting", self.waiting),
            ("connections", self.connections),
            ("opened", self.opened),
        ]
    }

    pub(super) fn note(&mut self, report: &Report) {
        self.decided += 1;
        match verdict(report) {
            Outcome::Unknown => self.unknown += 1,
            Outcome::Accepted => self.accepted += 1,
            Outcome::Rejected => self.rejected += 1,
            Outcome::NotSent => self.not_sent += 1,
        }
    }
}

/// What a message with several recipients counts as.
pub(super) fn verdict(report: &Report) -> Outcome {
    let any = |outcome: &Outcome| report.recipients.iter().any(|recipient| recipient.outcome == *outcome);
    let order = [Outcome::Unknown, Outcome::Accepted, Outcome::Rejected];
    order.into_iter().find(any).unwrap_or(Outcome::NotSent)
}

/// Whether, and how, a mailer is being closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closing {
    #[default]
    Not,
    /// When everything is decided.
    Gently,
    AtOnce,
}

/// What messages say that are ended with the mailer.
pub(super) const ENDED: &str = "the mailer was ended before the message was decided";

/// What every thread may look at.
#[derive(Default)]
pub(super) struct State {
    /// Messages that were given to no connection yet.
    pub(super) queue: VecDeque<Box<Job>>,
    /// The mailer's thread waits for messages: it must be called when one comes.
    pub(super) wants_jobs: bool,
    pub(super) closing: Closing,
    /// The access token that came with a message last: what new connections log in with.
    pub(super) token: Option<OauthToken>,
    pub(super) counts: Counts,
    /// In the order of the options.
    pub(super) servers: Vec<ServerCounts>,
    /// The first moment at which a message in the queue is given up.
    pub(super) first_deadline: Option<Instant>,
    reports: VecDeque<(MessageNumber, Box<Report>)>,
    /// There is an octet in the flag.
    flagged: bool,
    /// Callers that wait for room.
    blocked: usize,
    /// Tasks that wait for room, and those that wait until everything is decided, or over.
    tasks_for_room: Vec<Waker>,
    tasks_for_end: Vec<Waker>,
    /// The mailer's thread has ended.
    is_over: bool,
}

impl State {
    /// Counts what is decided.
    pub(super) fn add(&mut self, decided: &Counts) {
        let counts = &mut self.counts;
        counts.decided += decided.decided;
        counts.accepted += decided.accepted;
        counts.rejected += decided.rejected;
        counts.not_sent += decided.not_sent;
        counts.unknown += decided.unknown;
    }

    pub(super) fn undecided(&self) -> u64 {
        self.counts.submitted.saturating_sub(self.counts.decided)
    }

    /// The tasks that have to look again.
    fn take_tasks(&mut self, bound: u64) -> Vec<Waker> {
        let mut tasks = Vec::new();
        let is_ended = self.closing != Closing::Not || self.is_over;
        // Half of it, as for threads.
        if is_ended || self.undecided() <= bound / 2 {
            tasks.append(&mut self.tasks_for_room);
        }
        if self.is_over || self.undecided() == 0 {
            tasks.append(&mut self.tasks_for_end);
        }
        tasks
    }
}

pub(super) struct Shared {
    state: Mutex<State>,
    /// There is room in the queue, or will never be.
    room: Condvar,
    /// There are reports, everything is decided, or the mailer is over.
    news: Condvar,
    bell: Socket,
    /// For callers with an event loop, once one asked for it: what is read, and what is written to.
    flag: OnceLock<(Socket, Socket)>,
    bound: u64,
    /// For what a function is called for that ends the mailer: not one octet leaves after that.
    pub(super) owner: Owner,
}

impl Shared {
    pub(super) fn new(options: &Options, servers: &[Server], bell: Socket) -> Self {
        let name = |server: &Server| server.target.to_string();
        let counts = |server| ServerCounts { server: name(server), ..ServerCounts::default() };
        Self {
            state: Mutex::new(State { servers: servers.iter().map(counts).collect(), ..State::default() }),
            room: Condvar::new(),
            news: Condvar::new(),
            bell,
            flag: OnceLock::new(),
            bound: options.mailer.queuesize as u64,
            owner: Owner::new(ENDED),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message.
    pub(super) fn push(&self, mut job: Box<Job>, wait: bool) -> Result<MessageNumber, Error> {
        let mut state = self.lock();
        while state.closing == Closing::Not && state.undecided() >= self.bound {
            if !wait {
                return Err(full(self.bound));
            }
            state.blocked += 1;
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.blocked -= 1;
        }
        if state.closing != Closing::Not || state.is_over {
            return Err(over());
        }
        state.counts.submitted += 1;
        job.number = MessageNumber(state.counts.submitted);
        let number = job.number;
        job.message.set_index(number.0);
        if let Some(deadline) = job.deadline {
            state.first_deadline = Some(state.first_deadline.map_or(deadline, |first| first.min(deadline)));
        }
        state.queue.push_back(job);
        if std::mem::take(&mut state.wants_jobs) {
            drop(state);
            self.ring();
        }
        Ok(number)
    }

    pub(super) fn wait_for_room(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        let until = Instant::now().checked_add(timeout);
        while state.closing == Closing::Not && state.undecided() >= self.bound {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            // In pieces: the clock's end is nobody's time-out.
            let left = left.unwrap_or(Duration::from_secs(3600)).min(Duration::from_secs(3600));
            state.blocked += 1;
            state = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.blocked -= 1;
        }
        true
    }

    /// As [`wait_for_room`](Self::wait_for_room), for a task.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.closing != Closing::Not || state.undecided() < self.bound {
            return Poll::Ready(());
        }
        note(&mut state.tasks_for_room, cx)
    }

    /// As [`drain`](Self::drain), for a task.
    pub(super) fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        let is_drained = state.undecided() == 0;
        if is_drained || state.is_over {
            return Poll::Ready(is_drained);
        }
        note(&mut state.tasks_for_end, cx).map(|()| is_drained)
    }

    /// As [`wait_until_over`](Self::wait_until_over), for a task.
    pub(super) fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.is_over { Poll::Ready(()) } else { note(&mut state.tasks_for_end, cx) }
    }

    /// Wakes the tasks that have to look again: not with the lock, since a waker may do anything.
    pub(super) fn wake_tasks(&self) {
        let tasks = self.lock().take_tasks(self.bound);
        tasks.into_iter().for_each(Waker::wake);
    }

    /// Wakes the mailer's thread.
    pub(super) fn ring(&self) {
        // Full is as good: it is awake then.
        let _ = send_now(&self.bell, b"!");
    }

    /// Keeps reports for those who fetch them, and wakes whoever waits for what was counted just now.
    pub(super) fn settle(&self, state: &mut State, settled: &mut Vec<(MessageNumber, Box<Report>)>) {
        state.reports.extend(settled.drain(..));
        self.show(state);
        if !state.reports.is_empty() || state.undecided() == 0 {
            self.news.notify_all();
        }
        // Half of it: a caller that is woken for each place has a switch of threads for each message.
        if state.blocked > 0 && state.undecided() <= self.bound / 2 {
            self.room.notify_all();
        }
    }

    pub(super) fn reports(&self, timeout: Duration, most: usize) -> Vec<(MessageNumber, Report)> {
        let state = self.lock();
        let mut state = self.wait(state, timeout, |state| !state.reports.is_empty() || state.is_over);
        let count = state.reports.len().min(most);
        let reports = state.reports.drain(..count).map(|(number, report)| (number, *report)).collect();
        self.show(&mut state);
        reports
    }

    /// What is readable while there are reports.
    pub(super) fn flag(&self) -> std::io::Result<BorrowedFd<'_>> {
        let mut state = self.lock();
        if self.flag.get().is_none() {
            let (near, far) = pair()?;
            near.set_nonblocking(true)?;
            let _ = self.flag.set((near, far)); // with the lock, nobody else does
            self.show(&mut state);
        }
        drop(state);
        self.flag.get().map(|(near, _)| near.as_fd()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }

    /// Raises the flag, or lowers it.
    fn show(&self, state: &mut State) {
        let Some((near, far)) = self.flag.get() else { return };
        if std::mem::replace(&mut state.flagged, !state.reports.is_empty()) == state.flagged {
            return;
        }
        // One octet, or none.
        if state.flagged {
            let _ = send_now(far, b"!");
        } else {
            let _ = (&*near).read(&mut [0]);
        }
    }

    pub(super) fn drain(&self, timeout: Duration) -> bool {
        let state = self.lock();
        self.wait(state, timeout, |state| state.undecided() == 0 || state.is_over).undecided() == 0
    }

    pub(super) fn close(&self, closing: Closing) {
        if closing == Closing::AtOnce {
            self.owner.over.store(true, Ordering::Release);
        }
        let mut state = self.lock();
        state.closing = state.closing.max(closing);
        drop(state);
        self.room.notify_all();
        self.wake_tasks();
        self.ring();
    }

    pub(super) fn wait_until_over(&self) {
        drop(self.wait(self.lock(), Duration::MAX, |state| state.is_over));
    }

    /// The mailer's thread ends, also where it panics: nobody waits for it any more.
    pub(super) fn is_over(&self) {
        let mut state = self.lock();
        state.is_over = true;
        state.closing = Closing::AtOnce;
        drop(state);
        self.room.notify_all();
        self.news.notify_all();
        self.wake_tasks();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closing != Closing::Not
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().counts
    }

    pub(super) fn server_counts(&self) -> Vec<ServerCounts> {
        self.lock().servers.clone()
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        timeout: Duration,
        until: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        // The clock's end is not the caller's: a timeout beyond it is none.
        match Instant::now().checked_add(timeout) {
            None => {
                let waited = self.news.wait_while(state, |state| !until(state));
                waited.unwrap_or_else(PoisonError::into_inner)
            }
            Some(_) => {
                let waited = self.news.wait_timeout_while(state, timeout, |state| !until(state));
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}

/// What wakes the mailer's thread from elsewhere.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// Notes who waits, once however often it looks.
fn note(tasks: &mut Vec<Waker>, cx: &Context<'_>) -> Poll<()> {
    if !tasks.iter().any(|task| task.will_wake(cx.waker())) {
        tasks.push(cx.waker().clone());
    }
    Poll::Pending
}

fn full(bound: u64) -> Error {
    let text = format!(
        "the queue of the mailer is full ({bound} messages are not decided): wait for reports, or let submit wait, \
         or raise option `queuesize`"
    );
    Error::new(Kind::Full, Step::Setup, text)
}

pub(super) fn over() -> Error {
    Error::new(Kind::Closed, Step::Setup, "the mailer was closed and takes no more messages")
        .with_transient(false)
}
