//! Which process a connection or a thread belongs to.

use crate::error::Error;

/// Remembers the process that made it. fork(2) copies memory, but no threads, and the child shares the parent's
/// connections: whatever it said there would come in between what the parent says.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

impl Default for Process {
    fn default() -> Self {
        Self::current()
    }
}

impl Process {
    /// The process that calls.
    pub fn current() -> Self {
        Self(std::process::id())
    }

    /// Whether the caller is a child, by fork(2), of the process that made this.
    pub fn is_forked(self) -> bool {
        self.0 != std::process::id()
    }

    /// Refuses `thing` ("session", "mailer") in a child.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) where [`is_forked`](Self::is_forked).
    pub fn check(self, thing: &str) -> Result<(), Error> {
        if self.is_forked() {
            return Err(Error::usage(format!(
                "the {thing} belongs to the parent process: make one after fork()"
            )));
        }
        Ok(())
    }
}
