//! Connecting, in a thread of its own while it lasts: the resolver blocks.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;

use super::shared::Shared;
use crate::error::{Error, Kind, Step};
use crate::net::dial::{DialOptions, dial};
use crate::net::stream::Stream;
use crate::server::Target;

/// getaddrinfo(3) with its modules needs some tens of kilobytes.
const STACK: usize = 256 * 1024;

/// What came of it.
pub(super) struct Dialled {
    pub(super) lane: usize,
    /// The connection that is dialled again; `None` for a new one.
    pub(super) again: Option<u64>,
    pub(super) result: Result<Stream, Error>,
}

/// Connects, and rings the bell when that is done.
pub(super) fn begin(
    (lane, again): (usize, Option<u64>),
    target: &Target,
    options: &DialOptions,
    shared: &Arc<Shared>,
    results: &Sender<Dialled>,
) {
    let (to, options) = (target.clone(), options.clone());
    let (shared, answer) = (Arc::clone(shared), results.clone());
    let spawned = thread::Builder::new().name("smtp-dial".to_owned()).stack_size(STACK).spawn(move || {
        // Nobody waits for it any more where the mailer has ended.
        let _ = answer.send(Dialled { lane, again, result: dial(&to, &options) });
        shared.ring();
    });
    if let Err(error) = spawned {
        let text = format!("no thread to connect in: {error}");
        let error = Error::new(Kind::Connect, Step::Connect, text).with_server(target.to_string());
        let _ = results.send(Dialled { lane, again, result: Err(error) });
    }
}
