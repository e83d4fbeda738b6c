//! What a dialogue knows of its connection.

use std::sync::Arc;

use super::{Dialogue, LinkState};
use crate::engine::Engine;
use crate::error::Error;
use crate::extensions::Extensions;
use crate::options::Options;
use crate::report::{Attempts, Offer};
use crate::server::Server;
use crate::tls::{Layer, TlsFacts};

impl Dialogue {
    /// The engine below.
    pub fn engine(&self) -> &Engine {
        self.link.engine()
    }

    /// The extensions that the server offered last.
    pub fn extensions(&self) -> &Extensions {
        self.link.engine().extensions()
    }

    /// What is known of TLS; `None` if the session is in plain text.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.link.layer().map(Layer::facts)
    }

    /// The server that the session is with.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The options that the session was made with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The same, to keep.
    pub fn shared_options(&self) -> Arc<Options> {
        Arc::clone(&self.options)
    }

    /// Whether the connection is to be closed.
    pub fn is_closed(&mut self) -> bool {
        self.place == LinkState::Connected && self.link.is_closed()
    }

    /// What is known of the connection, which ended or goes on with `error`, and of those before it that no report has told
    /// of.
    pub(crate) fn take_attempts(&mut self, error: Option<Error>) -> Attempts {
        let attempt = match (error, &self.attempt) {
            (None, Some(known)) => Arc::clone(known),
            (None, None) => Arc::clone(self.attempt.insert(Arc::new(self.attempt(None)))),
            (error, _) => Arc::new(self.attempt(error)),
        };
        let mut attempts = std::mem::take(&mut self.earlier);
        attempts.push(attempt);
        attempts
    }

    /// The same with what the server offers, after an [introduction](Self::introduce).
    pub(crate) fn take_offer(&mut self, error: Option<Error>) -> Attempts {
        let mut attempts = self.take_attempts(error);
        let engine = self.link.engine();
        if let (Some(attempt), Some(greeting)) = (attempts.last_mut(), engine.greeting()) {
            let text = |(keyword, parameters): (&str, &str)| (keyword.to_owned(), parameters.to_owned());
            Arc::make_mut(attempt).offered = Some(Box::new(Offer {
                greeting: Some(greeting.clone()),
                extensions: engine.extensions().keywords().map(text).collect(),
                mechanisms: engine.extensions().auth().to_vec(),
            }));
        }
        attempts
    }

    /// Whether the driver is to connect.
    pub fn wants_dial(&self) -> bool {
        self.place == LinkState::Dial
    }
}
