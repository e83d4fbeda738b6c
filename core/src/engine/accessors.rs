//! What an engine knows of its connection.

use super::request::{Awaited, Request};
use super::state::{Phase, Reset, Stage};
use super::{Config, Engine};
use crate::error::Error;
use crate::extensions::Extensions;
use crate::reply::Reply;

impl Engine {
    /// Whether nothing more will be written or read: close the connection.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Whether nothing was read, written or ended yet.
    pub(crate) fn is_untouched(&self) -> bool {
        self.phase == Phase::Greeting && self.parser.is_idle() && self.progress == 0 && self.next_id == 1
    }

    /// Whether everything asked was answered.
    pub fn is_idle(&self) -> bool {
        self.requests.is_empty()
            && self.actives.is_empty()
            && self.expected.is_empty()
            && self.reset != Reset::Due
            && self.login_asks.is_none()
    }

    /// What of the caller's had nothing to give when it was last asked, a reader or the commit: call
    /// [`poll_output`](Self::poll_output) again when it has.
    pub fn waits_for(&self) -> Option<Awaited> {
        self.waits_for
    }

    /// Why the connection ended, once it did.
    pub fn fault(&self) -> Option<&Error> {
        self.fault.as_ref()
    }

    /// The server's greeting, once it was read.
    pub fn greeting(&self) -> Option<&Reply> {
        self.greeting.as_ref()
    }

    /// Whether EHLO, HELO or LHLO was taken.
    pub fn is_introduced(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// The extensions that the server offered last; none before EHLO.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Extensions that the server offered and mishandled, and that are used no more: `PIPELINING`, `CHUNKING`.
    pub fn avoided(&self) -> &[&'static str] {
        &self.avoided
    }

    /// Whether as many messages were asked for as the server takes on one connection (RFC 9422, MAILMAX).
    pub(crate) fn is_used_up(&self) -> bool {
        let waiting = self.requests.iter().filter(|(_, request)| matches!(request, Request::Transaction(_)));
        let begun = self.actives.iter().filter(|active| active.stage == Stage::Mail);
        let count = self.mails.saturating_add(waiting.count().saturating_add(begun.count()) as u64);
        self.extensions.limits().mail_max.is_some_and(|most| count >= most)
    }

    /// Tells what the server mishandled on a connection before.
    pub(crate) fn avoid_too(&mut self, extensions: &[&'static str]) {
        for extension in extensions {
            self.avoid(extension);
        }
    }

    /// Whether the connection is under TLS.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// What the engine was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Changes what the engine knows of the connection, for what is written from now on.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }
}
