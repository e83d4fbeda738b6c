//! What a mailer does with its connections.

use std::time::Duration;

use super::Options;
use crate::error::Error;

/// How a mailer uses its connections. Every other caller leaves this alone.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MailerOptions {
    /// Option `connections`: the most connections to one server, those that are being opened or closed
    /// included. Default: 4.
    pub connections: usize,
    /// Option `connectionmessages`: the most messages on one connection. What the server says itself (`MAILMAX`,
    /// RFC 9422) counts too. Default: no limit.
    pub messages: Option<u64>,
    /// Option `rate`: the most messages a second, over all connections. Default: no limit.
    pub rate: Option<f64>,
    /// Option `queuesize`: the most messages that are taken and not decided. Default: 1000.
    pub queue: usize,
    /// Option `retries`: how often a message that is certainly not sent is tried again. Default: 3.
    pub retries: u32,
    /// Option `retrytime`: how long after it was refused for now for the first time a message may be tried again. Default:
    /// 10 minutes.
    pub retry_time: Duration,
    /// Option `backoff`: how long a server that failed is left alone. It doubles with each failure in a row, up to
    /// 64 times this. Default: 1 s.
    pub backoff: Duration,
    /// Option `idletime`: how long a connection without messages stays open. Default: 30 s.
    pub idle: Duration,
}

impl Default for MailerOptions {
    fn default() -> Self {
        Self {
            connections: 4,
            messages: None,
            rate: None,
            queue: 1000,
            retries: 3,
            retry_time: Duration::from_secs(600),
            backoff: Duration::from_secs(1),
            idle: Duration::from_secs(30),
        }
    }
}

impl Options {
    /// For everything that is not a mailer, where these options would mean nothing.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), which names the option that is set.
    pub fn refuse_mailer_options(&self) -> Result<(), Error> {
        let (own, default) = (&self.mailer, MailerOptions::default());
        if *own == default {
            return Ok(());
        }
        let set = [
            ("connections", own.connections != default.connections),
            ("connectionmessages", own.messages != default.messages),
            ("rate", own.rate != default.rate),
            ("queuesize", own.queue != default.queue),
            ("retries", own.retries != default.retries),
            ("backoff", own.backoff != default.backoff),
            ("idletime", own.idle != default.idle),
        ];
        let names: Vec<_> = set.iter().filter(|(_, set)| *set).map(|(name, _)| format!("`{name}`")).collect();
        Err(Error::usage(format!(
            "option {}: only a mailer takes it, which sends many messages over many connections: give it to one, or take it out",
            names.join(", ")
        )))
    }
}
