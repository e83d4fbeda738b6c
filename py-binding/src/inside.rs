//! Threads that are in Python when the interpreter ends.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use pyo3::prelude::*;
use smtpclient::net::Process;

static INSIDE: AtomicUsize = AtomicUsize::new(0);
static ENDING: OnceLock<ThreadId> = OnceLock::new();

thread_local! {
    /// How many calls this thread is in, each within the one before.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Calls Python, as `Python::try_attach`, and the interpreter does not end in the middle: up to Python 3.13 it unwinds such a
/// thread through what called it, which Rust does not survive. `None` once it ends.
pub(crate) fn attach<R>(act: impl FnOnce(Python<'_>) -> R) -> Option<R> {
    let _inside = Inside::enter()?;
    Python::try_attach(act)
}

struct Inside;

impl Inside {
    /// While the interpreter ends, for nobody but the thread that ends it, and those that are inside already.
    fn enter() -> Option<Self> {
        let depth = DEPTH.get();
        INSIDE.fetch_add(1, Ordering::SeqCst);
        DEPTH.set(depth + 1);
        let inside = Self;
        if depth == 0 && ENDING.get().is_some_and(|ending| *ending != thread::current().id()) {
            drop(inside);
            // A thread of the library's goes on without Python; one of Python's could not come back to where it was called.
            let is_own = thread::current().name().is_some_and(|name| name.starts_with("smtp-"));
            if is_own {
                return None;
            }
            loop {
                thread::park(); // until the process is over
            }
        }
        Some(inside)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Called at the interpreter's end: lets the threads that are in such a call come out, for a second at most.
#[pyfunction]
pub(crate) fn leave(py: Python<'_>) {
    let _ = ENDING.set(thread::current().id());
    let own = DEPTH.get();
    if INSIDE.load(Ordering::SeqCst) <= own {
        return; // an interpreter that ends with the main one could not come back from waiting
    }
    // A child by fork(2) may have threads on its account that it does not have.
    let most = if is_forked() { 200 } else { 1000 };
    py.detach(|| {
        for _ in 0..most {
            if INSIDE.load(Ordering::SeqCst) <= own {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
}

static FIRST: OnceLock<Process> = OnceLock::new();

/// To be called when the module is imported, in the process whose threads are counted.
pub(crate) fn begin() {
    let _ = FIRST.set(Process::current());
}

fn is_forked() -> bool {
    FIRST.get().is_some_and(|first| first.is_forked())
}
