//! The blocking driver: dialling, a stream that knows time limits and can be cancelled, the loop that
//! moves bytes, and the two ways to use it, [`sendmessage`] and [`Session`].

mod batch;
mod connection;
mod dial;
mod dialling;
mod limits;
pub mod mailer;
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
mod work;
mod zone;

pub use batch::{Batch, SendMany};
pub use connection::Connection;
pub use dial::{DialOptions, check, dial};
pub use limits::Limits;
pub use mailer::Mailer;
pub use poll::wait;
pub use process::Process;
pub use proxy::{Proxy, Tunnel};
pub use run::{Mover, Transport, Wait};
pub use security::{library, tls};
pub use sendmessage::{delivery, local, sendmessage};
pub use session::{Session, connect, dialogue, dialogue_over, one_server};
pub use signals::with_signals;
pub use stream::{Ready, Stream, unacknowledged};

pub use crate::report::SendError;
