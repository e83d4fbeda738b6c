//! `sendmessage`, sessions and mailers for tokio, over the same engine: no thread for a connection.
//!
//! ```no_run
//! use smtpclient::{Message, Options};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut options = Options::default();
//! options.set("servers", "submission://mail.example.org")?;
//! options.set("timeout", "60")?; // seconds
//! let message = Message::from_bytes("From: ann@example.org\nTo: bob@example.net\n\nHello.\n");
//! let report = smtpclient::tokio::sendmessage(&message, &options).await?;
//! println!("{} octets, {}", report.octets, report.queue_id().unwrap_or("no name"));
//! # Ok(())
//! # }
//! ```
//!
//! Feature `tokio` has this module; it is for Unix. The runtime needs I/O and time enabled
//! ([`enable_all`](::tokio::runtime::Builder::enable_all)); it may have one thread or many. Time limits are those of the options, by the
//! system's clock: a paused clock of tokio's does not stop it.
//!
//! # What is dropped
//! A future that is dropped before its end, by `select!`, a time-out or a task that is aborted, ends what it was doing, at any
//! `await`, and without blocking:
//!
//! - The connection is closed at once, without QUIT. A [`Session`] can only be dropped after that:
//!   its functions fail with [`Kind::Cancelled`](crate::Kind::Cancelled).
//! - A message whose end mark (by BDAT: its last chunk) had not been handed to the kernel is never completed, so that no server takes it.
//!   Nothing goes on in the background, and nothing is tried again.
//! - A message whose end mark had been handed to the kernel may have been taken: for the caller it is
//!   [unknown](crate::Outcome::Unknown), since the report went with the future.
//!
//! Who has to know does not drop the future, but ends it by option `deadline`, or by option `cancel` ([`Cancel`](crate::Cancel)) and awaits
//! it: it ends within 200 ms then, with a report that tells `not_sent` from `unknown`. A program that may be dropped all the same
//! learns it from option `commit`: as long as that function was not called, the message was certainly not sent. The
//! transcript has the rest.
//!
//! What a [`Mailer`] has taken it sends, whatever is dropped, except for the mailer itself.
//!
//! # What may block
//! Nothing that the library does waits in a task. Names are resolved, and option `dialler` is called, in a thread of its own for as
//! long as one connects. The functions of options `oauthtoken`, `mechanisms` and `commit` are called in threads of their own, too: one
//! that is dropped in the meantime is left behind, and its answer counts no more. All other functions of the options
//! (`transcript`, `tlspolicy`, a signer) are called in the task, and hold up its thread until they return; so do a message's files and
//! readers, whose octets are read as they go out. A reader that says
//! [`WouldBlock`](std::io::ErrorKind::WouldBlock) is an error, since nothing could tell when it has more. A [`Commit`](crate::Commit)
//! that is [polled](crate::Commit::polled) is asked again whenever the future is.
//!
//! The authorities that the system trusts are read in the task before the first TLS connection: tens of milliseconds once
//! for a process.

#[cfg(not(unix))]
compile_error!(
    "feature `tokio` of smtpclient is for Unix: elsewhere use `smtpclient::Mailer`, or `sendmessage` in \
     `tokio::task::spawn_blocking`"
);

mod mailer;
mod many;
mod session;
mod wire;

use std::future::poll_fn;
use std::sync::Arc;

use self::wire::Wire;
use crate::delivery::Delivery;
use crate::error::Error;
use crate::message::Message;
use crate::options::Options;
use crate::report::{Report, SendError};

pub use self::mailer::{Mailer, Submission};
pub use self::many::{Items, SendMany};
pub use self::session::Session;

/// Sends a message: validates, connects to the first server that answers, and reports. As
/// [`smtpclient::sendmessage`](crate::sendmessage), awaited.
///
/// `Ok` if at least one recipient was accepted; the report lists those that were refused. What becomes of a message whose
/// future is dropped the [module](self#what-is-dropped) says.
///
/// # Errors
/// A failed step, or [`Kind::Recipients`](crate::Kind::Recipients) if refused recipients are why nobody got the message, with
/// the report. [`Kind::Unknown`](crate::Kind::Unknown) means that the message may have been delivered.
/// [`Kind::Usage`](crate::Kind::Usage) outside of a runtime.
///
/// # Panics
/// Where the runtime has no I/O or no time enabled.
pub async fn sendmessage(message: &Message, options: &Options) -> Result<Report, SendError> {
    drive(options, |options| super::delivery(message, options)).await?.into_result()
}

/// Looks whether a message could be sent as these options say. As [`smtpclient::verify`](crate::verify), awaited.
///
/// # Errors
/// Why servers cannot be used, with the report of all of them, or a mistake in the options.
///
/// # Panics
/// As [`sendmessage`].
pub async fn verify(options: &Options) -> Result<Report, SendError> {
    drive(options, super::verification).await?.into_result()
}

async fn drive(
    options: &Options,
    make: impl FnOnce(&Options) -> Result<Delivery, Error>,
) -> Result<Report, Error> {
    let mut wire = Wire::new(options)?;
    let mut delivery = make(&wire.for_task(&Arc::new(options.clone())))?;
    poll_fn(|cx| wire.poll(cx, &mut delivery, |delivery| delivery.is_done())).await;
    Ok(delivery.into_report())
}
