//! The socket side of the blocking driver: dialling, and a stream that knows time limits and can be
//! cancelled. No SMTP in here.

mod cancel;
mod limits;
mod poll;
mod stream;

pub use cancel::Cancel;
pub use limits::Limits;
pub use stream::{Ready, Stream};
