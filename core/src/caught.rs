//! A panic in a function of the caller's ends where the library called it, since the library has promises to keep for other messages.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What stands for the answer of a function that panicked; the panic hook has told the rest.
pub(crate) const PANICKED: &str = "the function panicked";

/// What `call` gives; `None`: it panicked. What it leaves half done belongs to the caller.
pub(crate) fn caught<R>(call: impl FnOnce() -> R) -> Option<R> {
    // The drop of what it panicked with may panic, too.
    catch_unwind(AssertUnwindSafe(call)).map_err(std::mem::forget).ok()
}
