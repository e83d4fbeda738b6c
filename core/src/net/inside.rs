//! For whom a thread works: a thread that a mailer begins, to connect or to log in, works for the mailer, and a function that is called
//! there cannot wait for the mailer either.

use std::cell::Cell;
use std::io;
use std::thread::{self, ThreadId};

thread_local! {
    static WORKS_FOR: Cell<Option<ThreadId>> = const { Cell::new(None) };
}

/// The thread that this one works for: itself, unless another one [began](begin) it.
pub(super) fn works_for() -> ThreadId {
    WORKS_FOR.get().unwrap_or_else(|| thread::current().id())
}

/// Begins `work` in a thread of that name and stack, which works for whom this one works for.
pub(super) fn begin(name: &str, stack: usize, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let whom = works_for();
    let work = move || {
        WORKS_FOR.set(Some(whom));
        work();
    };
    thread::Builder::new().name(name.to_owned()).stack_size(stack).spawn(work).map(drop)
}
