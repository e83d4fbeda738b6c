//! What each server did: counted by the mailer's thread, told to everybody.

use std::time::Instant;

use super::connection::ConnectionPhase;
use super::driver::Driver;
use super::job::Job;
use super::shared::{State, verdict};
use crate::report::{Outcome, Report};

/// What one server did with the messages of a mailer. Each time that a message came back from one of its connections, one of
/// `accepted`, `rejected`, `unknown` and `retried` went up, or none if the message was given up and is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerCounts {
    /// The server, as reports name it.
    pub server: String,
    /// Messages that it has, for at least one recipient.
    pub accepted: u64,
    /// Messages that it refused, and that were not tried again.
    pub rejected: u64,
    /// Messages that it may have.
    pub unknown: u64,
    /// Tries here after which the message was tried again, at this server or at another one.
    pub retried: u64,
    /// Messages that were given to its connections and are not decided yet.
    pub under_way: u64,
    /// Connections that are open now, or being opened.
    pub connections: u64,
    /// Connections that were ever opened.
    pub opened: u64,
}

impl ServerCounts {
    /// Each with its name, the same in every language; append only.
    pub fn fields(&self) -> [(&'static str, u64); 7] {
        [
            ("accepted", self.accepted),
            ("rejected", self.rejected),
            ("unknown", self.unknown),
            ("retried", self.retried),
            ("under_way", self.under_way),
            ("connections", self.connections),
            ("opened", self.opened),
        ]
    }

    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Accepted => self.accepted += 1,
            Outcome::Rejected => self.rejected += 1,
            Outcome::Unknown => self.unknown += 1,
            Outcome::NotSent => {}
        }
    }
}

impl Driver {
    /// Counts the connections of each server, and what is under way on them.
    pub(super) fn census(&mut self) {
        for server in &mut self.servers {
            (server.live, server.open, server.is_opening, server.counts.under_way) = (0, 0, false, 0);
        }
        for connection in &self.connections {
            let Some(server) = self.servers.get_mut(connection.server) else { continue };
            server.open += 1;
            server.live += usize::from(connection.phase == ConnectionPhase::Ready);
            server.is_opening |= matches!(connection.phase, ConnectionPhase::Opening(_));
            server.counts.under_way += connection.jobs.len() as u64;
        }
        for server in &mut self.servers {
            server.counts.connections = server.open as u64;
        }
    }

    /// A message came back from its connection: what follows from that, and what it counts as.
    pub(super) fn came_back(&mut self, index: usize, job: Box<Job>, report: Box<Report>, now: Instant) {
        let Some(server) = self.connections.get(index).map(|connection| connection.server) else { return };
        let (outcome, before) = (verdict(&report), self.settled.len());
        self.sent(index, job, report, now);
        let Some(server) = self.servers.get_mut(server) else { return };
        if self.settled.len() > before {
            server.counts.note(outcome);
        } else {
            server.counts.retried += 1;
        }
    }

    /// A connection was made for the first time.
    pub(super) fn was_opened(&mut self, server: usize) {
        self.opened += 1;
        if let Some(server) = self.servers.get_mut(server) {
            server.counts.opened += 1;
        }
    }

    pub(super) fn tell_counts(&self, state: &mut State) {
        for (told, server) in state.servers.iter_mut().zip(&self.servers) {
            // The thread's own have no name.
            let server_name = std::mem::take(&mut told.server);
            *told = ServerCounts { server: server_name, ..server.counts.clone() };
        }
    }
}
