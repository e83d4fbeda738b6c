//! The point of no return: a function of the caller's that is asked before the end of a message is handed to the kernel.
//!
//! Until it has returned, the message is certainly not sent; from then on the outcome is what the server says, or
//! unknown. A queue records at this moment that a message goes out, so that after a crash it is known whether the message may be
//! sent again.
//!
#![cfg_attr(feature = "net", doc = "```no_run")]
#![cfg_attr(not(feature = "net"), doc = "```text")]
//! use smtpclient::{Commit, Message, Options, Ready, sendmessage};
//!
//! let mut options = Options::default();
//! options.set("servers", "mail.example.org")?;
//! options.commit = Some(Commit::new(|ready: &[Ready]| {
//!     println!("{} on their way", ready.len());
//!     std::fs::rename("queue/sending/7", "queue/sent/7")
//! }));
//! sendmessage(&Message::from_file("queue/sending/7"), &options)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use crate::caught::{PANICKED, caught};

/// The most messages that are asked for at once.
pub(crate) const MOST: usize = 64;

/// A message of which everything but its end mark (by BDAT: its last chunk) is written, or may be written with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ready {
    /// Its Message-ID with the angle brackets; `None` if the message is sent by verbs.
    pub message_id: Option<String>,
    /// Option `tag` of the message.
    pub tag: Option<String>,
    /// Which message it is: its position in a batch, from 0; the number of its ticket in a mailer; else 0.
    pub index: u64,
    /// The server that is to get it, as reports name it.
    pub server: String,
    /// The addresses that the server has accepted so far, as the report names them, in the order of the envelope. With option `pipelining` `full` that may
    /// be none, because the replies are not waited for.
    pub recipients: Vec<String>,
    /// How often this message has been ready, this time included: 2 where its first try came to nothing.
    pub attempt: u32,
}

/// Whether messages may go out; an error says in a few words why not.
pub type Committed = Result<(), String>;

type Ask = dyn Fn(&[Ready]) -> Poll<Committed> + Send + Sync;

/// A function of the caller's that decides whether messages go out. See the [module](self).
#[derive(Clone)]
pub struct Commit {
    ask: Arc<Ask>,
    /// It is a function that answers when it returns.
    blocks: bool,
}

impl Commit {
    /// Asks `function` once for each message that is ready, with all that are ready at the same time. It blocks
    /// whatever sends them, except for what is awaited, which asks it in a thread. A panic in it is an error.
    pub fn new<E: fmt::Display>(
        function: impl Fn(&[Ready]) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        let ask = move |ready: &[Ready]| Poll::Ready(function(ready).map_err(|error| error.to_string()));
        Self { ask: Arc::new(ask), blocks: true }
    }

    /// The same for event loops: while the function is pending it is called again with the same messages whenever the
    /// conversation is polled for output. Only drivers that do not block may wait for it.
    pub fn polled(function: impl Fn(&[Ready]) -> Poll<Committed> + Send + Sync + 'static) -> Self {
        Self { ask: Arc::new(function), blocks: false }
    }

    /// Whether both are the same function.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ask, &other.ask)
    }

    /// Whether the function answers by returning, and so may block: an event loop asks it in a thread.
    pub fn blocks(&self) -> bool {
        self.blocks
    }

    /// The same, whose answer counts when it is asked for once more: the driver listens in between, because the function may have
    /// taken its time, and the end of the message is not what the server replied to meanwhile.
    pub(crate) fn heard_out(self) -> Self {
        let answered: Mutex<Option<(Vec<Ready>, Committed)>> = Mutex::default();
        Self::polled(move |ready| {
            let before = lock(&answered).take();
            if let Some((asked, answer)) = before
                && asked == ready
            {
                return Poll::Ready(answer);
            }
            // Nothing is locked while it runs: it may end the call.
            if let Poll::Ready(answer) = self.ask(ready) {
                *lock(&answered) = Some((ready.to_vec(), answer));
            }
            Poll::Pending
        })
    }

    pub(crate) fn ask(&self, ready: &[Ready]) -> Poll<Committed> {
        caught(|| (self.ask)(ready)).unwrap_or_else(|| Poll::Ready(Err(PANICKED.to_owned())))
    }
}

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Commit")
    }
}

/// What a message is known by when it is ready, however often it is tried.
#[derive(Debug, Default)]
pub struct Name {
    message_id: Option<String>,
    tag: Option<String>,
    pub(crate) index: u64,
    attempts: AtomicU32,
}

impl Name {
    pub(crate) fn new(message_id: Option<String>, tag: Option<String>, index: u64) -> Self {
        Self { message_id, tag, index, attempts: AtomicU32::new(0) }
    }

    pub(crate) fn message_id(&self) -> Option<&str> {
        self.message_id.as_deref()
    }

    pub(crate) fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The message as it is ready once more.
    pub(crate) fn ready(&self, server: &str, recipients: Vec<String>) -> Ready {
        let before = self.attempts.fetch_add(1, Ordering::Relaxed);
        Ready {
            message_id: self.message_id.clone(),
            tag: self.tag.clone(),
            index: self.index,
            server: server.to_owned(),
            recipients,
            attempt: before.saturating_add(1),
        }
    }
}
