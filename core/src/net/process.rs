//! Which process a connection or a thread belongs to.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::platform;
use crate::error::Error;

/// How often this process has been forked off, as far back as it was watched.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Whether a fork is counted.
static IS_WATCHED: AtomicBool = AtomicBool::new(false);

/// Remembers the process that made it. fork(2) copies memory, but no threads, and the child shares the parent's
/// connections: whatever it said there would come in between what the parent says.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    id: u32,
    forks: u64,
}

impl Default for Process {
    fn default() -> Self {
        Self::current()
    }
}

impl Process {
    /// The process that calls.
    pub fn current() -> Self {
        watch();
        // Where forks are counted nobody asks for the number, which is a system call.
        let id = if IS_WATCHED.load(Ordering::Relaxed) { 0 } else { std::process::id() };
        Self { id, forks: FORKS.load(Ordering::Relaxed) }
    }

    /// Whether the caller is a child, by fork(2), of the process that made this. It is asked before every octet that is
    /// written, so that a system call would be a third more of them for each message.
    pub fn is_forked(self) -> bool {
        if IS_WATCHED.load(Ordering::Relaxed) {
            self.forks != FORKS.load(Ordering::Relaxed)
        } else {
            self.id != std::process::id()
        }
    }

    /// Refuses `thing` ("session", "mailer") in a child.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) if [`is_forked`](Self::is_forked).
    pub fn check(self, thing: &str) -> Result<(), Error> {
        if self.is_forked() {
            return Err(Error::usage(format!(
                "the {thing} belongs to the parent process: make one after fork()"
            )));
        }
        Ok(())
    }
}

/// Counts forks from now on. Two threads that begin at once count each fork twice, which does no harm; a lock might be held
/// in a child for ever.
fn watch() {
    extern "C" fn forked() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    if !IS_WATCHED.load(Ordering::Relaxed) {
        // What it does, to add to an atomic number, is allowed in a child.
        let is_watched = platform::watch_forks(forked);
        IS_WATCHED.store(is_watched, Ordering::Relaxed);
    }
}
