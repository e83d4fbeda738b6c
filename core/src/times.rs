//! How long the parts of a send took, as its report tells. Nothing else depends on what the clock says here: when something is
//! overdue the driver knows.

use std::time::{Duration, Instant};

/// The parts of making a connection, each where it took place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionTimes {
    /// Finding the addresses of the server, or of its proxy.
    pub resolve: Option<Duration>,
    /// Connecting to one of them, with the handshake of a proxy; or the caller's own dialler.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the connection to the server's greeting, without a handshake that came before it.
    pub greeting: Option<Duration>,
    /// From the first AUTH to the reply that ended the last login that was tried.
    pub login: Option<Duration>,
}

/// The parts of sending a message, each where it took place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageTimes {
    /// From MAIL until the content could be written.
    pub envelope: Option<Duration>,
    /// Until the end of the content was written, with what the message's reader and option `commit` took.
    pub body: Option<Duration>,
    /// Until the final reply came.
    pub reply: Option<Duration>,
    /// From when the message was asked for until its outcome was known, with waiting for its turn, connecting, and servers
    /// and attempts that came before.
    pub total: Option<Duration>,
}

/// What time it is, to measure from.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// When the parts of a message were over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    asked: Instant,
    mail: Option<Instant>,
    content: Option<Instant>,
    end: Option<Instant>,
}

impl Stopwatch {
    /// For a message that was asked for at that time.
    pub(crate) fn since(asked: Instant) -> Self {
        Self { asked, mail: None, content: None, end: None }
    }

    /// MAIL is written.
    pub(crate) fn mail(&mut self) {
        self.mail = Some(now());
    }

    /// The content may be written.
    pub(crate) fn content(&mut self) {
        self.content = Some(now());
    }

    /// The end of the content was written.
    pub(crate) fn end(&mut self) {
        self.end = Some(now());
    }

    /// The outcome is known, `replied` by a final reply.
    pub(crate) fn stop(&self, replied: bool) -> MessageTimes {
        let end = now();
        let between = |from: Option<Instant>, to: Option<Instant>| Some(to?.saturating_duration_since(from?));
        MessageTimes {
            envelope: between(self.mail, self.content),
            body: between(self.content, self.end),
            reply: between(self.end, Some(end)).filter(|_| replied),
            total: between(Some(self.asked), Some(end)),
        }
    }
}
