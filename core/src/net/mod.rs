//! The blocking driver: dialling, a stream that knows time limits and can be cancelled, the loop that
//! moves bytes, and the two ways to use it, [`sendmessage`] and [`Session`].

mod batch;
mod dial;
mod limits;
pub mod mailer;
mod poll;
mod proxy;
mod race;
mod resolve;
mod run;
mod security;
mod sendmessage;
mod session;
mod stream;

pub use batch::{Batch, SendMany};
pub use dial::{DialOptions, check, dial};
pub use limits::Limits;
pub use mailer::Mailer;
pub use proxy::{Proxy, Tunnel};
pub use run::{linger, run};
pub use security::{library, tls};
pub use sendmessage::{SendError, delivery, local, sendmessage};
pub use session::{Session, connect, dialogue, one_server};
pub use stream::{Ready, Stream};
