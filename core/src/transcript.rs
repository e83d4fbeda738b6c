//! The dialogue for a reader: what was said, secrets masked.

/// Who said a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The client, to the server.
    Client,
    /// The server, to the client.
    Server,
    /// Nobody: a remark, such as the number of octets of a message.
    Note,
}

/// Is given every line of the dialogue without its CRLF, as it is written or was read.
///
/// Secrets are masked as `***` before they get here.
pub type Listener = Box<dyn FnMut(Direction, &str) + Send>;
