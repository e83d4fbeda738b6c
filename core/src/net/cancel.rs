//! Ending a call from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cancels a call from another thread, or from a signal handler. A clone shares the state.
///
/// A blocking call looks at it at least every 200 ms.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A new one, not triggered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends every call that carries this. One atomic store: safe in a signal handler.
    pub fn trigger(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether [`trigger`](Self::trigger) was called since the last [`reset`](Self::reset).
    pub fn is_triggered(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Makes it usable for another call.
    pub fn reset(&self) {
        self.0.store(false, Ordering::Release);
    }
}
