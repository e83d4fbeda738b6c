//! Functions of the caller's: a panic in one ends where it was called, since whoever called it has promises to keep to others.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What stands for the answer of a function that panicked; the panic hook has told the rest.
pub(crate) const PANICKED: &str = "the function panicked";

/// What `call` gives; `None`: it panicked. What it leaves half done is its own.
pub(crate) fn caught<R>(call: impl FnOnce() -> R) -> Option<R> {
    // The drop of what it panicked with may panic, too.
    catch_unwind(AssertUnwindSafe(call)).map_err(std::mem::forget).ok()
}
