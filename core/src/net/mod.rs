//! The blocking driver: dialling, a stream that knows time limits and can be cancelled, the loop that
//! moves bytes, and the two ways to use it, [`sendmessage`] and [`Session`].

mod agent;
mod batch;
mod connection;
mod dial;
mod dialling;
mod functions;
mod inside;
mod limits;
pub mod mailer;
mod platform;
mod poll;
mod process;
mod proxy;
mod race;
mod resolve;
mod run;
mod security;
mod sendmessage;
mod session;
mod signals;
mod stream;
#[cfg(feature = "tokio")]
pub mod tokio;
mod verbs;
mod work;
mod zone;

pub use batch::{Batch, SendMany};
pub use connection::Connection;
pub use limits::Limits;
pub use mailer::Mailer;
pub use run::Wait;
pub use security::tls;
pub use sendmessage::{delivery, local, sendmessage, verification, verify};
pub use session::{Session, dialogue, dialogue_over, one_server};
pub use stream::Ready;

pub use crate::report::SendError;

// For the bindings, which have sockets, signals and forks of their own to deal with.
#[doc(hidden)]
pub use dial::{DialOptions, check, dial};
#[doc(hidden)]
pub use poll::wait;
#[doc(hidden)]
pub use process::Process;
#[doc(hidden)]
pub use proxy::{Proxy, Tunnel};
#[doc(hidden)]
pub use run::{Mover, Transport};
/// Descriptors; those of Windows are sockets.
#[doc(hidden)]
pub use rustix::fd;
#[doc(hidden)]
pub use security::library;
#[doc(hidden)]
pub use session::connect;
#[doc(hidden)]
pub use signals::{HandledSignals, is_ignored};
#[doc(hidden)]
pub use stream::{Stream, unacknowledged};
