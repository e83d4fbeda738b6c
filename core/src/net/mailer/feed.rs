//! Which message goes where, and which has waited for too long.

use std::sync::Arc;
use std::time::Instant;

use super::connection::{Connection, ConnectionPhase};
use super::driver::Driver;
use super::job::Job;
use super::server_state::ServerState;
use super::shared::State;
use crate::error::{Error, Kind, Step};
use crate::report::{Attempts, no_server};

/// Messages under way on one connection: the next envelope goes out with the end of a message, so two are the
/// least; what is beyond the most fills no round trip any better.
const LEAST: usize = 2;
const MOST: usize = 32;

impl Driver {
    /// Gives waiting messages to connections, and opens one where that is not enough.
    pub(super) fn feed(&mut self, state: &mut State, now: Instant) {
        for job in self.again.drain(..).rev() {
            state.first_deadline = earlier(state.first_deadline, job.deadline);
            state.queue.push_front(job);
        }
        if let Some(token) = state.token.take() {
            for server in &mut self.servers {
                Arc::make_mut(&mut server.options).oauthtoken = Some(token.clone());
            }
        }
        self.expire(state, now);
        self.look_at_failures(state);
        let mut quota = self.pace.quota(now);
        let window = self.window(state);
        self.feed_held(window, &mut quota, now);
        self.feed_queue(state, window, &mut quota, now);
        state.wants_jobs = state.queue.is_empty();
        state.counts.waiting = state.queue.len().saturating_add(self.held.len()) as u64;
        self.open(now);
        state.counts.opened = self.opened;
        state.counts.connections = self.servers.iter().map(|server| server.open as u64).sum();
    }

    /// Each connection's share of what is undecided.
    fn window(&self, state: &State) -> usize {
        let undecided = usize::try_from(state.undecided()).unwrap_or(usize::MAX);
        undecided.div_ceil(self.options.mailer.connections).clamp(LEAST, MOST)
    }

    /// Messages that one server has turned away.
    fn feed_held(&mut self, window: usize, quota: &mut usize, now: Instant) {
        self.next_held = None;
        if self.held.is_empty() {
            return;
        }
        let usable = self.servers.iter().any(|server| server.is_usable(now));
        for _ in 0..self.held.len() {
            let Some(job) = self.held.pop_front() else { return };
            if let Some(wait) = job.not_before.filter(|not_before| *not_before > now) {
                self.next_held = earlier(self.next_held, Some(wait));
                self.held.push_back(job);
                continue;
            }
            if !usable {
                self.held.push_back(job);
                continue;
            }
            let targets = self.targets(&job.refused_by, now);
            if targets.is_empty() || *quota == 0 {
                self.held.push_back(job);
                continue;
            }
            let rooms = self.rooms(&targets, window);
            let mut free = self.connections.iter_mut().zip(rooms).filter(|(_, room)| *room > 0);
            match free.find(|(c, _)| job.not_on != Some(c.id)) {
                Some((connection, _)) => {
                    connection.give(job);
                    *quota = self.pace.spend(now, 1);
                }
                None => {
                    for index in targets.iter().take(1) {
                        self.make_room(*index, job.not_on);
                    }
                    self.held.push_back(job);
                    self.want(&targets);
                }
            }
        }
    }

    /// Parts with the connection that refused a message for now, where it has nothing else to do and no other one may be
    /// opened beside it.
    fn make_room(&mut self, index: usize, not_on: Option<u64>) {
        let is_full =
            self.servers.get(index).is_some_and(|server| server.open >= self.options.mailer.connections);
        let idle = |c: &&mut Connection| {
            Some(c.id) == not_on
                && c.server == index
                && c.phase == ConnectionPhase::Ready
                && c.jobs.is_empty()
        };
        if is_full && let Some(connection) = self.connections.iter_mut().find(idle) {
            connection.part();
        }
    }

    fn feed_queue(&mut self, state: &mut State, window: usize, quota: &mut usize, now: Instant) {
        if state.queue.is_empty() || *quota == 0 {
            return;
        }
        let targets = self.targets(&[], now);
        if targets.is_empty() {
            return;
        }
        let rooms = self.rooms(&targets, window);
        let ready = self.connections.iter().zip(&rooms).filter(|(_, room)| **room > 0);
        // Evenly over those that are open anyway.
        let (count, under_way) = ready.fold((0, 0), |(n, sum), (c, _)| (n + 1, sum + c.jobs.len()));
        let share = usize::div_ceil(state.queue.len() + under_way, count.max(1)).clamp(1, window);
        for (connection, room) in self.connections.iter_mut().zip(rooms) {
            let left = share.saturating_sub(connection.jobs.len());
            for _ in 0..room.min(left).min(*quota) {
                let Some(job) = state.queue.pop_front() else { break };
                connection.give(job);
                *quota = self.pace.spend(now, 1);
            }
        }
        if !state.queue.is_empty() && *quota > 0 {
            self.want(&targets);
        }
    }

    /// How many more messages each connection may be given, where its server is one of `targets`.
    fn rooms(&self, targets: &[usize], window: usize) -> Vec<usize> {
        let most = self.options.mailer.connectionmessages;
        let room = |c: &Connection| c.room(self.cautious(c.server, window), most);
        self.connections.iter().map(|c| if targets.contains(&c.server) { room(c) } else { 0 }).collect()
    }

    /// One at a time where the server had no room for the last one.
    fn cautious(&self, server: usize, window: usize) -> usize {
        match self.servers.get(server) {
            Some(server) if server.sending.failures > 0 => 1,
            _ => window,
        }
    }

    /// The first server that is reachable and has not turned the message away; all of them, the preferred one first, where
    /// they are equal.
    fn targets(&self, refused_by: &[usize], now: Instant) -> Vec<usize> {
        let is_usable = |index: &usize| {
            !refused_by.contains(index)
                && self.servers.get(*index).is_some_and(|server| server.is_usable(now))
        };
        let usable = self.preference.positions().iter().copied().filter(is_usable);
        usable.take(if self.preference.is_shared() { usize::MAX } else { 1 }).collect()
    }

    /// One more connection is wanted to the first of these that has room for one.
    fn want(&mut self, targets: &[usize]) {
        // One is opened at a time: what it takes may be all there is.
        let of = |index: &usize| self.servers.get(*index);
        if targets.iter().filter_map(of).any(|server| server.is_opening) {
            return;
        }
        let most = self.options.mailer.connections;
        let first = targets.iter().find(|index| of(index).is_some_and(|server| server.open < most));
        if let Some(server) = first.and_then(|index| self.servers.get_mut(*index)) {
            server.is_wanted = true;
        }
    }

    fn look_at_failures(&mut self, state: &mut State) {
        let all_down = self.servers.iter().all(ServerState::is_down);
        let mut any = false;
        for index in 0..self.servers.len() {
            let Some(server) = self.servers.get_mut(index) else { return };
            if std::mem::take(&mut server.has_failed) {
                any = true;
                if !all_down && server.is_down() {
                    self.charge_held(index);
                }
            }
        }
        if any && all_down {
            self.charge_all(state);
        }
    }

    /// A server is unreachable: for messages that another one has turned away that is as good as one more refusal.
    fn charge_held(&mut self, index: usize) {
        let failure = self.servers.get(index).map(|server| server.failure.clone()).unwrap_or_default();
        let Some(error) = failure.last().and_then(|attempt| attempt.error.clone()) else { return };
        for mut job in std::mem::take(&mut self.held) {
            if !job.refused_by.contains(&index) {
                job.attempts.extend(failure.iter().cloned());
                job.refused(index, self.servers.len());
            }
            if job.tries > self.options.mailer.retries {
                self.settled.push(job.unsent(error.clone()));
            } else {
                self.held.push_back(job);
            }
        }
    }

    /// No server is reachable: each message that waits has been tried once more. One whose tries are used up, and
    /// every one where trying again can help nobody, is given up.
    fn charge_all(&mut self, state: &mut State) {
        let failures: Attempts =
            self.servers.iter().flat_map(|server| server.failure.iter().cloned()).collect();
        let Some(error) = no_server(&failures) else { return };
        // Nonsense from a server says nothing of the messages that wait.
        let may_help = error.is_transient() || error.kind() == Kind::Protocol;
        let most = if may_help { self.options.mailer.retries } else { 0 };
        let settled = &mut self.settled;
        let mut charge = |mut job: Box<Job>| {
            job.tries = job.tries.saturating_add(1);
            job.attempts.extend(failures.iter().cloned());
            if job.tries <= most {
                return Some(job);
            }
            settled.push(job.unsent(error.clone()));
            None
        };
        state.queue = std::mem::take(&mut state.queue).into_iter().filter_map(&mut charge).collect();
        self.held = std::mem::take(&mut self.held).into_iter().filter_map(&mut charge).collect();
    }

    /// Gives up what has waited beyond its deadline.
    fn expire(&mut self, state: &mut State, now: Instant) {
        if state.first_deadline.is_none_or(|first| now < first) {
            return;
        }
        state.first_deadline = None;
        let settled = &mut self.settled;
        let mut look = |job: Box<Job>| {
            if job.deadline.is_some_and(|deadline| deadline <= now) {
                let text = "the message waited for its connection until its deadline";
                settled.push(job.unsent(Error::new(Kind::Timeout, Step::Connect, text)));
                return None;
            }
            state.first_deadline = earlier(state.first_deadline, job.deadline);
            Some(job)
        };
        state.queue = std::mem::take(&mut state.queue).into_iter().filter_map(&mut look).collect();
        self.held = std::mem::take(&mut self.held).into_iter().filter_map(&mut look).collect();
    }
}

pub(super) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}
