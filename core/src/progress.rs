//! How far messages have got, for whoever waits for a large one.

use std::sync::Arc;

/// A message that is being handed over.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// Its Message-ID with the angle brackets; `None` if the message is sent by verbs.
    pub message_id: Option<&'a str>,
    /// Option `tag` of the message.
    pub tag: Option<&'a str>,
    /// Which message it is: its position in a batch, from 0; the number of its ticket in a mailer; else 0.
    pub index: u64,
    /// The server that is to get it, as reports name it.
    pub server: &'a str,
    /// The octets of the message that were handed over so far, as RFC 1870 counts them. That all of them were does not mean
    /// that the server has accepted the message.
    pub octets: u64,
    /// All octets of the message in the form that this server gets; `None` if it comes from a reader that does not know.
    pub total: Option<u64>,
}

/// Receives the progress of each message: whenever more of it was handed over, some 64 KiB or what the system took at once, and
/// when it was handed over as a whole. A message that is tried again begins anew. Called by the thread that sends.
pub type ProgressFn = Arc<dyn Fn(&Progress<'_>) + Send + Sync>;
