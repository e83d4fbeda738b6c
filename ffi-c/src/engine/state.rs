//! What an engine works on, by which of the two ways it is driven, and what the program knows of that.

use std::ffi::{CString, c_int};
use std::time::{Duration, Instant};

use smtpclient::cancel::Cancel;
use smtpclient::conversation::{Action, Driven};
use smtpclient::delivery::Delivery;
use smtpclient::dialogue::Dialogue;
use smtpclient::engine::Awaited;
use smtpclient::error::{Error, Step};
use smtpclient::net::{Connection, Limits, Process, SendError};
use smtpclient::options::Options;
use smtpclient::report::Report;

use super::ask::Given;
use super::octets::Octets;
use super::{SMTP_DIAL, SMTP_DONE, SMTP_EXCHANGE};
use crate::code::{SMTP_ERR_USAGE, SMTP_OK, code_of};

pub(crate) struct State {
    /// In a child by fork(2) everything is over: the connection is the parent's.
    pub(super) process: Process,
    pub(super) work: Work,
    /// None if nothing could be begun.
    pub(super) connection: Option<Connection>,
    /// The parent's, in a child: the program may still watch the descriptor, so that it is open until the next
    /// `smtp_engine_ready()`.
    pub(super) inherited: Option<Connection>,
    pub(super) octets: Octets,
    pub(super) way: Way,
    /// What the program was told to do, and which connection it was told to make: whatever else is to be done now, it
    /// must not sleep before it has heard of that.
    pub(super) told: Option<(c_int, Option<Instant>)>,
    /// Of a session: questions that are not answered yet, the answer that was taken last, why the last question could
    /// not be asked, and what the server offers.
    pub(super) open: usize,
    pub(super) answer: Option<Given>,
    pub(super) error: CString,
    pub(super) offer: CString,
}

/// What an engine works on.
pub(super) enum Work {
    Send(Box<Delivery>),
    Session(Box<Dialogue>),
    /// It could not be begun.
    Over(Box<Report>),
}

/// Who owns the socket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// That is not known yet.
    Open,
    /// The program, which moves the octets.
    Octets,
    /// The library; the program watches.
    Watched,
}

impl Work {
    pub(super) fn driven(&mut self) -> Option<&mut dyn Driven> {
        match self {
            Self::Send(delivery) => Some(&mut **delivery),
            Self::Session(dialogue) => Some(&mut **dialogue),
            Self::Over(_) => None,
        }
    }
}

impl State {
    /// The state, and the code of what came of beginning. `cancel` ends it, and knows that of the options.
    pub(super) fn begin(begun: Result<Work, Error>, options: &Options, cancel: Cancel) -> (Self, c_int) {
        let begun = begun.and_then(|work| Ok((work, Some(Connection::new(options)?))));
        let code = begun.as_ref().map_or_else(|error| code_of(error.kind()), |_| SMTP_OK);
        let (work, mut connection) =
            begun.unwrap_or_else(|error| (Work::Over(SendError::from(error).report), None));
        if let Some(connection) = &mut connection {
            connection.set_limits(Limits::new(Limits::begin(options).deadline, Some(cancel)));
        }
        let mut state = Self {
            process: Process::current(),
            work,
            connection,
            inherited: None,
            octets: Octets::default(),
            way: Way::Open,
            told: None,
            open: 1, // the greeting
            answer: None,
            error: CString::default(),
            offer: CString::default(),
        };
        state.update();
        (state, code)
    }

    pub(super) fn action(&mut self) -> c_int {
        if self.process.is_forked() && self.connection.is_some() {
            let mut report = Box::<Report>::default();
            report.error = self.process.check("connection").err();
            self.work = Work::Over(report);
            self.inherited = self.connection.take();
            self.octets.leave_tunnel();
        }
        if self.octets.is_tunnelling() {
            return SMTP_EXCHANGE;
        }
        match self.work.driven().map(Driven::action) {
            Some(Action::Dial(_)) => SMTP_DIAL,
            Some(Action::Exchange) => SMTP_EXCHANGE,
            Some(Action::Done) | None => SMTP_DONE,
        }
    }

    /// The program knows what is to be done now.
    pub(super) fn tell(&mut self) -> c_int {
        let action = self.action();
        self.told = Some((action, self.octets.dialling()));
        action
    }

    /// Something was asked: whoever watches must not go on sleeping over it. Who connects goes on with that first.
    pub(super) fn asked(&mut self) {
        if self.way == Way::Watched || self.action() != SMTP_DIAL {
            self.told = None;
        }
        self.update();
    }

    /// Whether it is used in this way: it is from the first call on that can only be of one.
    pub(super) fn goes(&mut self, way: Way) -> bool {
        if self.way == Way::Open {
            self.way = way;
        }
        self.way == way
    }

    pub(super) fn limits(&self) -> Limits {
        self.connection
            .as_ref()
            .map(|connection| connection.dial_options().limits.clone())
            .unwrap_or_default()
    }

    /// The time that is left for what was asked; none: nobody waits.
    pub(super) fn set_deadline(&mut self, time: Option<Duration>) {
        let deadline = time.and_then(|time| Instant::now().checked_add(time));
        let mut limits = self.limits();
        limits.deadline = deadline;
        if let Some(connection) = &mut self.connection {
            connection.set_limits(limits);
        }
    }

    pub(super) fn waits_for_reader(&mut self) -> bool {
        self.octets
            .conversation(&mut self.work)
            .is_some_and(|conversation| conversation.waits_for() == Some(Awaited::Source))
    }

    pub(super) fn waits_for_commit(&mut self) -> bool {
        self.octets
            .conversation(&mut self.work)
            .is_some_and(|conversation| conversation.waits_for() == Some(Awaited::Commit))
    }

    pub(super) fn abort(&mut self, cause: Error) -> c_int {
        self.action(); // which may be that of a forked child
        let Some(driven) = self.work.driven() else { return SMTP_ERR_USAGE };
        self.octets.leave_tunnel();
        driven.abort(cause);
        self.update();
        SMTP_OK
    }

    /// The time until something is to be done, whoever does it.
    pub(super) fn timeout(&mut self) -> Option<Duration> {
        let now = (self.action(), self.octets.dialling());
        if self.told != Some(now) {
            return Some(Duration::ZERO);
        }
        let (action, _) = now;
        let (connection, driven) = (self.connection.as_mut()?, self.work.driven()?);
        if action == SMTP_DONE {
            return None;
        }
        if connection.dial_options().limits.check(Step::Command).is_err() {
            return Some(Duration::ZERO);
        }
        if self.way == Way::Watched {
            return connection.timeout(driven, Instant::now());
        }
        let options = connection.dial_options();
        let left = self.octets.left(&mut self.work, options.connect_timeout);
        let wait = options.limits.slice(left.unwrap_or(Duration::MAX));
        (wait < Duration::MAX).then_some(wait)
    }
}
