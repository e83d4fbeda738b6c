//! Finished messages that their maker can write in another form, for a server that does not take the first one.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::finished::Finished;
use super::outgoing::{Edits, Shape};
use super::source::Source;
use crate::content::Transfer;
use crate::error::Error;

/// Writes a message anew for a server. See [`Message::from_rewritable`](super::Message::from_rewritable).
pub trait Rewrite: Send + Sync {
    /// The whole message, header section and all: with octets below 128 only if `transfer` has no 8BITMIME, and in the
    /// header section where it has no SMTPUTF8.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](crate::error::Kind::Unsupported) with the name of the field that has no such form; the server is
    /// not offered the message then.
    fn rewrite(&self, transfer: Transfer) -> Result<Vec<u8>, Error>;
}

#[derive(Clone)]
pub(super) struct Rewriter(pub(super) Arc<dyn Rewrite>);

impl fmt::Debug for Rewriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rewriter")
    }
}

/// The forms of a message on its way that were needed so far.
#[derive(Debug)]
pub(super) struct Forms {
    rewriter: Rewriter,
    finished: Finished,
    edits: Edits,
    /// With and without 8BITMIME, each with and without SMTPUTF8.
    made: [[OnceLock<Result<Shape, Error>>; 2]; 2],
}

impl Forms {
    pub(super) fn new(rewriter: Rewriter, finished: &Finished, edits: &Edits) -> Self {
        Self { rewriter, finished: finished.clone(), edits: edits.clone(), made: Default::default() }
    }

    pub(super) fn get(&self, transfer: Transfer) -> Result<&Shape, Error> {
        let [seven, eight] = &self.made;
        let [ascii, utf8] = if transfer.eight_bit { eight } else { seven };
        let cell = if transfer.utf8 { utf8 } else { ascii };
        let made = cell.get_or_init(|| {
            let octets = self.rewriter.0.rewrite(transfer)?;
            Shape::of_finished(&self.finished.with_source(Source::bytes(octets)), &self.edits)
        });
        made.as_ref().map_err(Clone::clone)
    }
}
