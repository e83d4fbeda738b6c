//! SIGINT and SIGTERM while messages are sent: the first one gives up, and what became of the messages is told; a second one ends the
//! program at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use smtpclient::cancel::Cancel;
use smtpclient::net::is_ignored;

/// What gives up at the first of them. One that is ignored, as in a job in the background, stays so.
pub(crate) fn giving_up() -> Cancel {
    let came = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        if !is_ignored(signal) {
            // In this order, so that the first one does not end the program. Where that fails, it does, as it always did.
            let _ = flag::register_conditional_default(signal, Arc::clone(&came))
                .and_then(|_| flag::register(signal, Arc::clone(&came)));
        }
    }
    Cancel::asking(move || came.load(Ordering::Relaxed))
}
