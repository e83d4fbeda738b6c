//! What a sink counts.

use std::fmt;

/// Everything since the start, or since the last `XCOUNT`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    /// Messages that were taken.
    pub(crate) messages: u64,
    /// Octets of their content, as on the wire: with doubled dots and the end that DATA needs.
    pub(crate) octets: u64,
    /// Connections that were accepted.
    pub(crate) connections: u64,
    /// The most of them that were open at once.
    pub(crate) peak: u64,
    /// How often it answered: what was read at once is answered at once, so this is at most one a round trip.
    pub(crate) answers: u64,
    /// TLS handshakes that were finished.
    pub(crate) handshakes: u64,
    /// Those that took a session up again.
    pub(crate) resumed: u64,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, octets, connections, peak, answers, handshakes, resumed } = self;
        write!(
            f,
            "messages={messages} octets={octets} connections={connections} peak={peak} answers={answers} \
             handshakes={handshakes} resumed={resumed}"
        )
    }
}
