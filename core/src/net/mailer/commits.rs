//! Option `commit` of a mailer: one question for what all connections have ready at the same time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use super::connection::Connection;
use crate::commit::{Commit, Committed, MOST, Ready};
use crate::options::Options;

/// Where the messages of one connection wait.
#[derive(Clone, Default)]
pub(super) struct Desk(Arc<Mutex<DeskState>>);

#[derive(Default)]
enum DeskState {
    #[default]
    Empty,
    /// The engine has asked for these.
    Asked(Vec<Ready>),
    /// They are among those that the caller is asked for.
    Taken(Vec<Ready>),
    Answered(Vec<Ready>, Committed),
}

impl Desk {
    /// What the engine of the connection asks.
    fn commit(&self) -> Commit {
        let own = self.clone();
        Commit::polled(move |ready| {
            let mut place = own.place();
            match std::mem::take(&mut *place) {
                DeskState::Answered(asked, answer) if asked == ready => return Poll::Ready(answer),
                // Of others, which were decided without it, the answer is awaited all the same.
                DeskState::Taken(asked) => *place = DeskState::Taken(asked),
                _ => *place = DeskState::Asked(ready.to_vec()),
            }
            Poll::Pending
        })
    }

    /// What the engine has asked for since the last time, if there is room for it.
    fn take(&self, room: usize) -> Option<Vec<Ready>> {
        let mut place = self.place();
        match std::mem::take(&mut *place) {
            DeskState::Asked(ready) if ready.len() <= room => {
                *place = DeskState::Taken(ready.clone());
                Some(ready)
            }
            other => {
                *place = other;
                None
            }
        }
    }

    fn answer(&self, answer: Committed) {
        let mut place = self.place();
        if let DeskState::Taken(asked) = std::mem::take(&mut *place) {
            *place = DeskState::Answered(asked, answer);
        }
    }

    fn place(&self) -> MutexGuard<'_, DeskState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the caller is asked for.
#[derive(Default)]
pub(super) struct Commits {
    function: Option<Commit>,
    ready: Vec<Ready>,
    /// Whose they are: the numbers of connections, which may have ended meanwhile.
    from: Vec<u64>,
}

impl Commits {
    pub(super) fn new(function: Option<Commit>) -> Self {
        Self { function, ..Self::default() }
    }

    /// For a new connection: its desk, which its options lead to.
    pub(super) fn desk(&self, options: &mut Arc<Options>) -> Option<Desk> {
        self.function.as_ref()?;
        let desk = Desk::default();
        Arc::make_mut(options).commit = Some(desk.commit());
        Some(desk)
    }

    /// Asks the caller for all that is ready; whether connections have got their answers. While the caller thinks about some,
    /// others that become ready gather.
    pub(super) fn ask(&mut self, connections: &mut [Connection]) -> bool {
        let Some(function) = &self.function else { return false };
        if self.ready.is_empty() {
            for connection in connections.iter() {
                let room = MOST - self.ready.len();
                if let Some(ready) = connection.desk.as_ref().and_then(|desk| desk.take(room)) {
                    self.ready.extend(ready);
                    self.from.push(connection.id);
                }
            }
        }
        if self.ready.is_empty() {
            return false;
        }
        let Poll::Ready(answer) = function.ask(&self.ready) else { return false };
        self.ready.clear();
        let from = std::mem::take(&mut self.from);
        for connection in connections.iter_mut().filter(|connection| from.contains(&connection.id)) {
            if let Some(desk) = &connection.desk {
                desk.answer(answer.clone());
                connection.is_touched = true;
            }
        }
        true
    }
}
