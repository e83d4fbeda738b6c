//! The socket side of the blocking driver: dialling, and a stream that knows time limits and can be
//! cancelled. No SMTP in here.

mod cancel;
mod dial;
mod limits;
mod poll;
mod proxy;
mod race;
mod resolve;
mod stream;

pub use cancel::Cancel;
pub use dial::{DialOptions, Target, dial};
pub use limits::Limits;
pub use proxy::Proxy;
pub use stream::{Ready, Stream};
