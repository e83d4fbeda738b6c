//! Ending a call from elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cancels calls from another thread. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Not triggered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels every call that was given this. One atomic store, so that a signal handler may do it.
    pub fn trigger(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was triggered.
    pub fn is_triggered(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Makes it usable again.
    pub fn reset(&self) {
        self.0.store(false, Ordering::Release);
    }
}
