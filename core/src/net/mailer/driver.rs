//! The mailer's thread: it moves the bytes of all connections and takes what they tell.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fd::AsFd;
use socket2::Socket;

use super::commits::Commits;
use super::connection::{Connection, ConnectionPhase, News, Opened};
use super::disposition::{Disposition, disposition, server_is_overloaded};
use super::feed::earlier;
use super::job::Job;
use super::pace::Pace;
use super::server_state::ServerState;
use super::shared::{Closing, Counts, ENDED, Shared};
use super::{MessageNumber, OnReport};
use crate::cancel::Cancel;
use crate::caught::caught;
use crate::conversation::Conversation;
use crate::dialogue::Dialogue;
use crate::envelope::Local;
use crate::error::{Error, Kind, Step};
use crate::net::functions::logins_in_threads;
use crate::net::limits::Limits;
use crate::net::poll::poll;
use crate::net::process::Process;
use crate::net::security::library;
use crate::net::sendmessage::with_debug;
use crate::options::{MailerOptions, Options};
use crate::report::{Attempt, Attempts, Report};
use crate::server::{Preference, Server};
use crate::tls::Secure;

/// How long the caller's cancel may go unseen.
const CANCEL_SLICE: Duration = Duration::from_millis(200);

/// How often a message may find that its connection has just ended before that counts as a try: servers that take
/// a few messages on a connection are not rare, but there is an end to everything.
const MOST_MOVES: u32 = 16;

/// What refused unknown senders is tried again after 7, 49 and 343 times option `backoff`: whoever greylists wants some
/// seconds, a minute, or five.
const GREYLISTING: u32 = 7;

pub(super) struct Driver {
    pub(super) options: Arc<Options>,
    pub(super) servers: Vec<ServerState>,
    pub(super) preference: Preference,
    pub(super) connections: Vec<Connection>,
    /// Messages that a server has turned away and that wait for another one, or for its pause to end.
    pub(super) held: VecDeque<Box<Job>>,
    /// Messages of connections that ended, to be sent before all others.
    #[expect(clippy::vec_box, reason = "they come boxed from the queue, and go back there")]
    pub(super) again: Vec<Box<Job>>,
    pub(super) settled: Vec<(MessageNumber, Box<Report>)>,
    pub(super) pace: Pace,
    commits: Commits,
    pub(super) opened: u64,
    /// Connections that were begun.
    made: u64,
    /// When the first message that waits for its pause to end may be tried again.
    pub(super) next_held: Option<Instant>,
    shared: Arc<Shared>,
    local: Local,
    library: Arc<dyn Secure>,
    listener: Socket,
    on_report: Option<OnReport>,
    /// There is something to do before anything is waited for.
    is_busy: bool,
}

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        options: &Options,
        local: Local,
        servers: Vec<Server>,
        listener: Socket,
        on_report: Option<OnReport>,
    ) -> Result<Self, Error> {
        let library = library(options)?;
        if let Err(error) = listener.set_nonblocking(true) {
            let text = format!("the mailer cannot be begun: {error}");
            return Err(Error::new(Kind::Connect, Step::Setup, text));
        }
        let options = Arc::new(with_debug(options));
        Ok(Self {
            preference: Preference::new(&options, servers.len()),
            servers: servers
                .into_iter()
                .map(|server| ServerState::new(server, Arc::clone(&options)))
                .collect(),
            connections: Vec::new(),
            held: VecDeque::new(),
            again: Vec::new(),
            settled: Vec::new(),
            pace: Pace::new(options.mailer.rate, Instant::now()),
            commits: Commits::new(options.commit.clone()),
            options,
            opened: 0,
            made: 0,
            next_held: None,
            shared,
            local,
            library,
            listener,
            on_report,
            is_busy: false,
        })
    }

    pub(super) fn run(mut self) {
        let over = Over(Arc::clone(&self.shared));
        let process = Process::current();
        loop {
            let now = Instant::now();
            self.is_busy = false;
            if self.options.cancel.as_ref().is_some_and(Cancel::is_triggered) {
                self.shared.close(Closing::AtOnce);
            }
            let decided = self.give_reports();
            if process.is_forked() {
                break;
            }
            self.census();
            let shared = Arc::clone(&self.shared);
            let mut state = shared.lock();
            state.add(&decided);
            self.tell_counts(&mut state);
            shared.settle(&mut state, &mut self.settled);
            match state.closing {
                Closing::AtOnce => {
                    let queue = std::mem::take(&mut state.queue);
                    drop(state);
                    return self.end(queue);
                }
                Closing::Gently if state.undecided() == 0 => {
                    drop(state);
                    if self.part_all() {
                        return;
                    }
                }
                _ => {
                    self.feed(&mut state, now);
                    drop(state);
                }
            }
            shared.wake_tasks();
            self.turn();
            if process.is_forked() {
                break;
            }
            self.collect(now);
            self.is_busy |= !self.settled.is_empty() || !self.again.is_empty();
            self.wait(now);
            if process.is_forked() {
                break;
            }
            // A pause begins when the server asked for it, not before it was waited for.
            self.collect(Instant::now());
        }
        // A function that it called came back in a child: the messages are the parent's, and a lock may be held for ever.
        std::mem::forget(over);
    }

    /// Opens one more connection to each server that more are wanted for.
    pub(super) fn open(&mut self, now: Instant) {
        let most = self.options.mailer.connections;
        for index in 0..self.servers.len() {
            let Some(server) = self.servers.get_mut(index) else { return };
            let wanted = std::mem::take(&mut server.is_wanted);
            if !wanted || server.is_opening || server.open >= most || server.opening.is_on(now) {
                continue;
            }
            let waker = Waker::from(Arc::clone(&self.shared));
            let (address, mut options) = (server.address.clone(), logins_in_threads(&server.options, &waker));
            let desk = self.commits.desk(&mut options);
            let library = Some(Arc::clone(&self.library));
            let owner = self.shared.owner.clone();
            self.made += 1;
            let connection = Dialogue::new(address, Arc::clone(&options), library, self.local)
                .and_then(|dialogue| Connection::new(self.made, index, dialogue, &options, desk, owner, now));
            match connection {
                Ok(connection) => {
                    server.open += 1;
                    server.is_opening = true;
                    self.preference.had_its_turn(index);
                    self.connections.push(connection);
                }
                Err(error) => self.server_failed(index, Attempts::new(), error, now),
            }
        }
    }

    /// A connection could not be made, or ended before it was of any use.
    fn server_failed(&mut self, index: usize, mut attempts: Attempts, error: Error, now: Instant) {
        let Some(server) = self.servers.get_mut(index) else { return };
        let name = server.address.target.to_string();
        if attempts.is_empty() {
            let error = Some(error.with_server(name.as_str()));
            attempts.push(Arc::new(Attempt { error, ..Attempt::new(name) }));
        }
        server.failure = attempts;
        server.opening.fail(now, self.options.mailer.backoff);
        server.has_failed = true;
        self.is_busy = true;
    }

    /// Takes what the connections tell.
    fn collect(&mut self, now: Instant) {
        let mut index = 0;
        while let Some(connection) = self.connections.get_mut(index) {
            let before = connection.jobs.len();
            if connection.opened == Opened::Uncounted {
                connection.opened = Opened::Counted;
                let server = connection.server;
                self.was_opened(server);
            }
            while let Some(news) = self.connections.get_mut(index).and_then(Connection::news) {
                self.is_busy = true;
                match news {
                    News::Opened(done) => self.opened(index, done, now),
                    News::Sent(job, report) => self.came_back(index, job, report, now),
                }
            }
            let Some(connection) = self.connections.get_mut(index) else { return };
            if before > 0 && connection.jobs.is_empty() {
                connection.idle_since = now;
            }
            if !connection.is_over() && connection.dialogue.is_closed() {
                self.ended(index, now);
            }
            if self.connections.get(index).is_some_and(|c| c.phase == ConnectionPhase::Gone) {
                self.connections.swap_remove(index);
                self.is_busy = true;
                continue;
            }
            index += 1;
        }
    }

    fn opened(&mut self, index: usize, done: Result<(), Error>, now: Instant) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        match done {
            Ok(()) => {
                connection.phase = ConnectionPhase::Ready;
                connection.idle_since = now;
            }
            Err(error) => {
                connection.part();
                let (server, attempts) =
                    (connection.server, connection.dialogue.take_attempts(Some(error.clone())));
                self.server_failed(server, attempts, error, now);
            }
        }
    }

    pub(super) fn sent(&mut self, index: usize, mut job: Box<Job>, report: Box<Report>, now: Instant) {
        let MailerOptions { backoff: first, retries, retrytime: longest, .. } = self.options.mailer;
        let Some(connection) = self.connections.get_mut(index) else { return };
        let Some(server) = self.servers.get_mut(connection.server) else { return };
        let bystander = connection.is_ending;
        connection.is_ending |= report.error.is_some() && connection.dialogue.engine().is_closed();
        let disposition = disposition(&report, job.message.at_least_one(), bystander);
        server.avoid(&report.avoided);
        if disposition == Disposition::Spent {
            connection.is_ending = true;
            connection.part();
        } else if server_is_overloaded(&report) {
            server.sending.fail(now, first);
        } else if report.sent() {
            server.sending.clear(now);
        }
        match disposition {
            Disposition::Decided => {
                if !report.unknown() {
                    if connection.decided == 0 {
                        server.opening.clear(now);
                    }
                    connection.decided += 1;
                }
                return self.settled.push(job.decided(report));
            }
            Disposition::Again | Disposition::Spent if bystander => return self.again.push(job),
            // A connection that has had its time, and nothing of the message but its envelope was said.
            Disposition::Again
                if connection.decided > 0
                    && job.moves < MOST_MOVES
                    && report.error.as_ref().is_some_and(|error| error.step() <= Step::Mail) =>
            {
                job.moves += 1;
                job.attempts.extend(report.attempts.iter().cloned());
                return self.again.push(job);
            }
            Disposition::Spent if connection.decided > 0 && job.moves < MOST_MOVES => {
                job.moves += 1;
                job.attempts.extend(report.attempts.iter().cloned());
                job.last = Some(report);
                return self.again.push(job);
            }
            Disposition::Again => job.tries = job.tries.saturating_add(1),
            Disposition::Spent | Disposition::Later | Disposition::Greylisted => {
                let factor = if disposition == Disposition::Greylisted { GREYLISTING } else { 2 };
                job.tries = job.tries.saturating_add(1);
                let pause = first
                    .saturating_mul(factor.saturating_pow(job.tries.saturating_sub(u32::from(factor == 2))));
                let since = *job.refused_since.get_or_insert(now);
                let next = now.checked_add(pause).unwrap_or(now);
                if next.saturating_duration_since(since) > longest {
                    return self.settled.push(job.decided(report));
                }
                (job.not_before, job.not_on) = (Some(next), Some(connection.id));
            }
            Disposition::Elsewhere => {
                let server = connection.server;
                job.refused(server, self.servers.len());
            }
        }
        if job.tries > retries {
            return self.settled.push(job.decided(report));
        }
        job.attempts.extend(report.attempts.iter().cloned());
        job.last = Some(report);
        match disposition {
            Disposition::Again => self.again.push(job),
            _ => self.held.push_back(job),
        }
    }

    fn ended(&mut self, index: usize, now: Instant) {
        self.is_busy = true;
        let backoff = self.options.mailer.backoff;
        let Some(connection) = self.connections.get_mut(index) else { return };
        // One that nothing was given to for a while, and that the server therefore closed, is not a failure.
        let unused = connection.given == 0 && now.saturating_duration_since(connection.idle_since) >= backoff;
        let is_failure = connection.decided == 0 && connection.phase != ConnectionPhase::Parting && !unused;
        connection.linger(now);
        // None is left, as each was answered; if one were, it would not be lost.
        self.again.extend(connection.jobs.drain(..).map(|(_, job)| job));
        if is_failure {
            let fault = connection.dialogue.engine().fault().cloned();
            let fault =
                fault.unwrap_or_else(|| Error::new(Kind::Closed, Step::Command, "the connection ended"));
            let fault = fault.with_server(connection.dialogue.server().target.to_string());
            let (server, attempts) =
                (connection.server, connection.dialogue.take_attempts(Some(fault.clone())));
            self.server_failed(server, attempts, fault, now);
        }
    }

    /// Counts what is decided, and gives it to the caller's function if there is one.
    fn give_reports(&mut self) -> Counts {
        let mut decided = Counts::default();
        for (_, report) in &self.settled {
            decided.note(report);
        }
        if let Some(on_report) = &self.on_report {
            for (number, report) in self.settled.drain(..) {
                caught(|| on_report(number, *report));
            }
        }
        decided
    }

    fn turn(&mut self) {
        loop {
            for connection in self.connections.iter_mut().filter(|connection| connection.is_touched) {
                connection.turn();
            }
            if !self.commits.ask(&mut self.connections) {
                return;
            }
        }
    }

    /// Waits until something can be done.
    fn wait(&mut self, now: Instant) {
        let mut timeout = if self.is_busy { Duration::ZERO } else { Duration::MAX };
        let (idle, most) = (self.options.mailer.idletime, self.options.mailer.connectionmessages);
        for connection in &mut self.connections {
            if connection.phase == ConnectionPhase::Ready && connection.jobs.is_empty() {
                let left = idle.saturating_sub(now.saturating_duration_since(connection.idle_since));
                timeout = timeout.min(left);
                if left.is_zero() || connection.is_used_up(most) {
                    connection.part();
                    timeout = Duration::ZERO;
                }
            }
            if let Some(left) = connection.left(now) {
                timeout = timeout.min(left);
            }
        }
        if !timeout.is_zero() {
            timeout = timeout.min(self.alarm(now));
        }
        let mut fds = Vec::with_capacity(self.connections.len() + 1);
        fds.push(PollFd::new(&self.listener, PollFlags::IN));
        for connection in &self.connections {
            let interest = connection.wire.interest();
            let mut events = PollFlags::empty();
            events.set(PollFlags::IN, interest.read || connection.is_over());
            events.set(PollFlags::OUT, interest.write);
            let fd = connection.wire.fd();
            fds.push(match fd {
                Some(fd) => PollFd::from_borrowed_fd(fd, events),
                None => PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::empty()),
            });
        }
        if poll(&mut fds, timeout).is_err() {
            return; // nothing but a lack of memory, which may pass
        }
        let seen: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        let mut seen = seen.into_iter();
        if seen.next().is_some_and(|events| !events.is_empty()) {
            let _ = (&self.listener).read(&mut [0; 256]);
        }
        for (connection, events) in self.connections.iter_mut().zip(seen) {
            connection.is_touched |= !events.is_empty();
        }
        self.turn();
    }

    /// How long until something must be done though no connection tells anything.
    fn alarm(&self, now: Instant) -> Duration {
        let state = self.shared.lock();
        let mut next = None;
        if !state.queue.is_empty() || !self.held.is_empty() {
            next = state.first_deadline;
            next = earlier(next, self.pace.wakes(now));
            next = earlier(next, self.next_held);
            for server in &self.servers {
                next = earlier(next, server.wakes(now));
            }
        }
        let left = next.map_or(Duration::MAX, |next| next.saturating_duration_since(now));
        if self.options.cancel.is_some() { left.min(CANCEL_SLICE) } else { left }
    }

    /// Sends QUIT on every connection; true when that is done.
    fn part_all(&mut self) -> bool {
        for connection in
            self.connections.iter_mut().filter(|c| c.phase != ConnectionPhase::Parting && !c.is_over())
        {
            connection.part();
        }
        self.connections.is_empty()
    }

    /// Ends everything now, with a definite outcome for each message.
    fn end(mut self, queue: VecDeque<Box<Job>>) {
        let now = Instant::now();
        let cause = |step| Error::new(Kind::Cancelled, step, ENDED);
        for connection in &mut self.connections {
            if connection.jobs.is_empty() {
                connection.wire.set_limits(Limits::default());
                connection.part();
                connection.turn();
            } else {
                connection.dialogue.abort(cause(Step::Command));
            }
        }
        self.collect(now);
        let left = self.connections.drain(..).flat_map(|connection| connection.jobs).map(|(_, job)| job);
        let left: Vec<_> = left.chain(self.again.drain(..)).chain(self.held.drain(..)).chain(queue).collect();
        self.settled.extend(left.into_iter().map(|job| job.unsent(cause(Step::Setup))));
        let decided = self.give_reports();
        let shared = Arc::clone(&self.shared);
        self.census();
        let mut state = shared.lock();
        state.add(&decided);
        self.tell_counts(&mut state);
        state.counts.waiting = 0;
        shared.settle(&mut state, &mut self.settled);
    }
}

/// Tells those who wait that the mailer's thread has ended, however it did.
struct Over(Arc<Shared>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.is_over();
    }
}
