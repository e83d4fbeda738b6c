//! What blocks and cannot be interrupted, in a thread of its own: a descriptor becomes readable when it is done, so that
//! whoever waits also wakes for its time and for signals.

use std::io;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use rustix::fd::{AsFd, BorrowedFd};
use socket2::Socket;

use super::{inside, platform};

/// Work under way. Dropped, it is left behind and ends by itself.
#[derive(Debug)]
pub(super) struct Work<T> {
    result: Receiver<T>,
    /// Closed by the thread when the result is there.
    bell: Socket,
}

/// How far it is.
#[derive(Debug)]
pub(super) enum WorkStatus<T> {
    Going,
    Done(T),
    /// The thread panicked.
    Died,
}

impl<T: Send + 'static> Work<T> {
    /// Begins `work` in a thread of that name and stack.
    pub(super) fn begin(
        name: &str,
        stack: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Self> {
        let (bell, far) = platform::pair()?;
        let (sender, result) = sync_channel(1);
        let run = move || {
            // Nobody waits for it any more where the caller has given up.
            let _ = sender.send(work());
            drop(far);
        };
        inside::begin(name, stack, run)?;
        Ok(Self { result, bell })
    }

    /// What came of it, once.
    pub(super) fn poll(&self) -> WorkStatus<T> {
        match self.result.try_recv() {
            Ok(result) => WorkStatus::Done(result),
            Err(TryRecvError::Empty) => WorkStatus::Going,
            Err(TryRecvError::Disconnected) => WorkStatus::Died,
        }
    }
}

impl<T> Work<T> {
    /// What becomes readable when it is done.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
