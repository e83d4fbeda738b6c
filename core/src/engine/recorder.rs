//! Gives what is said to a listener, secrets masked.

use std::fmt;

use crate::transcript::{Direction, Listener};

/// The listener of an engine, if it has one.
#[derive(Default)]
pub(super) struct Recorder(Option<Listener>);

impl Recorder {
    pub(super) fn listen(&mut self, listener: Listener) {
        self.0 = Some(listener);
    }

    pub(super) fn take(&mut self) -> Option<Listener> {
        self.0.take()
    }

    /// A command line as it went into the output, CRLF included.
    pub(super) fn client(&mut self, line: &[u8]) {
        if let Some(listener) = &mut self.0 {
            listener(Direction::Client, String::from_utf8_lossy(line).trim_end_matches(['\r', '\n']));
        }
    }

    /// A command whose arguments are nobody's business.
    pub(super) fn masked(&mut self, verb: &str) {
        if let Some(listener) = &mut self.0 {
            listener(Direction::Client, &format!("{verb} ***"));
        }
    }

    pub(super) fn server(&mut self, reply: &crate::reply::Reply) {
        if let Some(listener) = &mut self.0 {
            let raw = reply.raw();
            let last = raw.split('\n').count().saturating_sub(1);
            for (n, line) in raw.split('\n').enumerate() {
                let separator = if n == last { ' ' } else { '-' };
                listener(Direction::Server, format!("{}{separator}{line}", reply.code()).trim_end());
            }
        }
    }

    pub(super) fn note(&mut self, text: fmt::Arguments<'_>) {
        if let Some(listener) = &mut self.0 {
            listener(Direction::Note, &text.to_string());
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Recorder(on)" } else { "Recorder(off)" })
    }
}
