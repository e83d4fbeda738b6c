//! `sendmessage` without any I/O: which server comes next, what is said to it, and what became of it all.
//!
//! A driver asks for the [`Action`], does it, and tells how it went:
//!
//! ```text
//!   Dial(server)  connect, then `connected`, or `connect_failed`
//!   Exchange      move bytes: poll_output/output_done, handle_input, handle_eof, handle_timeout
//!   Done          close the connection and take the report
//! ```
//!
//! After every `Exchange` step the action may have changed: on `Dial` the old connection is closed first.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::command::ClientName;
use crate::content::{Content, Form, Transfer};
use crate::engine::{Config, Engine, Event, Id, Listener, Protocol, Timeouts, Transaction};
use crate::envelope::{Envelope, Local};
use crate::error::{Error, Kind, Step};
use crate::link::Link;
use crate::message::{Message, Outgoing};
use crate::opening::{Opening, Progress, check_credentials};
use crate::options::Options;
use crate::report::{Attempt, Outcome, Recipient, Report};
use crate::server::{Server, servers};
use crate::tls::Secure;

/// What a driver has to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Close the old connection, if there is one, and connect to this server.
    Dial(&'a Server),
    /// Move bytes.
    Exchange,
    /// Close the connection; [`Delivery::into_report`] has the report.
    Done,
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends {
    /// The server's address; none for a Unix socket.
    pub peer: Option<std::net::SocketAddr>,
    /// The connection's own address: the name in EHLO where there is no better one.
    pub local: Option<IpAddr>,
    /// The peer is this machine.
    pub loopback: bool,
}

/// One message on its way to the first server that takes it.
pub struct Delivery {
    envelope: Envelope,
    content: Arc<Mutex<Outgoing>>,
    options: Options,
    servers: Vec<Server>,
    /// The server that is tried now.
    current: usize,
    local: Local,
    library: Option<Arc<dyn Secure>>,
    /// The policy said `insecure` for the server that is tried now.
    plain: bool,
    state: State,
    report: Report,
}

enum State {
    Dial,
    Exchange(Box<Conversing>),
    Done,
}

/// One connection.
struct Conversing {
    link: Link,
    opening: Opening,
    /// The transaction, once it was asked for.
    sending: Option<Id>,
    decided: bool,
    /// Connect to the same server again.
    redial: bool,
}

impl Delivery {
    /// Checks everything that can be checked without a server and derives the envelope.
    ///
    /// # Errors
    /// [`Kind::Usage`] and [`Kind::Source`]: nothing was sent and no connection was opened.
    ///
    /// `library` makes the TLS layers; without one there is no TLS.
    pub fn new(
        message: &Message,
        options: &Options,
        local: &Local,
        library: Option<Arc<dyn Secure>>,
    ) -> Result<Self, Error> {
        let servers = servers(options)?;
        check_client(options)?;
        check_credentials(options)?;
        options.refuse_mailer_options()?;
        let envelope = Envelope::derive(message, options, local)?;
        let outgoing = message.prepare(&envelope.edits)?;
        let report = Report { recipients: unsent(&envelope), ..Report::default() };
        Ok(Self {
            content: Arc::new(Mutex::new(outgoing)),
            envelope,
            options: options.clone(),
            servers,
            current: 0,
            local: *local,
            library,
            plain: false,
            state: State::Dial,
            report,
        })
    }

    /// What to do next.
    pub fn action(&self) -> Action<'_> {
        match (&self.state, self.servers.get(self.current)) {
            (State::Dial, Some(server)) => Action::Dial(server),
            (State::Exchange(_), _) => Action::Exchange,
            _ => Action::Done,
        }
    }

    /// The servers that will be tried, in order.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Tells that the server of [`Action::Dial`] is connected, and how.
    pub fn connected(&mut self, ends: Ends) {
        let Some(server) = self.servers.get(self.current) else { return };
        let name = server.target.to_string();
        let client = client_name(&self.options, &self.servers, self.local.host, ends.local);
        let mut engine = Engine::new(engine_config(&self.options, server.protocol, client));
        if let Some(listener) = listener(&self.options) {
            engine.listen(listener);
        }
        let library = self.library.clone();
        let mut link = Link::new(engine);
        let mut opening = Opening::new(server, &self.options, library, ends.loopback, self.plain);
        if !self.envelope.is_ascii() {
            opening.need_utf8();
        }
        let begun = opening.begin(&mut link);
        self.report.attempts.push(Attempt { peer: ends.peer, ..Attempt::new(name) });
        let conversing = Conversing { link, opening, sending: None, decided: false, redial: false };
        self.state = State::Exchange(Box::new(conversing));
        if let Err(error) = begun {
            self.handle_error(error);
        }
    }

    /// Tells that the server of [`Action::Dial`] cannot be connected to.
    pub fn connect_failed(&mut self, error: Error) {
        let Some(server) = self.servers.get(self.current) else { return };
        let name = server.target.to_string();
        let error = error.with_server(name.as_str());
        self.report.attempts.push(Attempt { error: Some(error.clone()), ..Attempt::new(name) });
        if error.kind() == Kind::Cancelled {
            self.give_up(error);
        } else {
            self.next_server();
        }
    }

    /// Ends the whole call: cancelled, or over its deadline. No further server is tried.
    pub fn abort(&mut self, cause: Error) {
        match &mut self.state {
            State::Dial => self.give_up(cause),
            State::Exchange(conversing) => {
                conversing.link.abort(cause);
                self.servers.truncate(self.current + 1);
                self.update();
            }
            State::Done => {}
        }
    }

    /// Takes bytes that the server sent.
    pub fn handle_input(&mut self, input: &[u8]) {
        self.with_link(|link| link.handle_input(input));
    }

    /// Takes note that the server sends no more.
    pub fn handle_eof(&mut self) {
        self.with_link(Link::handle_eof);
    }

    /// Takes note that the time of [`timeout`](Self::timeout) has passed without progress.
    pub fn handle_timeout(&mut self) {
        self.with_link(Link::handle_timeout);
    }

    /// Takes note of a fault of the network.
    pub fn handle_error(&mut self, cause: Error) {
        self.with_link(|link| link.handle_error(cause));
    }

    /// Bytes for the server; empty when there is nothing to write now.
    pub fn poll_output(&mut self) -> &[u8] {
        // What is gathered may end the connection (a reader that fails), so its events come first.
        if let State::Exchange(conversing) = &mut self.state {
            conversing.link.poll_output();
        }
        self.update();
        match &mut self.state {
            State::Exchange(conversing) => conversing.link.poll_output(),
            _ => &[],
        }
    }

    /// Takes note that the first `n` bytes of [`poll_output`](Self::poll_output) were handed to the kernel.
    pub fn output_done(&mut self, n: usize) {
        self.with_link(|link| link.output_done(n));
    }

    /// How long the server may now take until there is progress.
    pub fn timeout(&self) -> Option<Duration> {
        self.link().and_then(Link::timeout)
    }

    /// Grows whenever the clock of [`timeout`](Self::timeout) starts anew.
    pub fn progress(&self) -> u64 {
        self.link().map_or(0, Link::progress)
    }

    /// Whether a caller's reader had no bytes when it was last asked.
    pub fn waits_for_source(&self) -> bool {
        self.link().is_some_and(Link::waits_for_source)
    }

    /// The report, as far as it is known; final when the action is [`Action::Done`].
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Takes the report out.
    pub fn into_report(self) -> Report {
        self.report
    }

    fn link(&self) -> Option<&Link> {
        match &self.state {
            State::Exchange(conversing) => Some(&conversing.link),
            _ => None,
        }
    }

    fn with_link(&mut self, tell: impl FnOnce(&mut Link)) {
        if let State::Exchange(conversing) = &mut self.state {
            tell(&mut conversing.link);
        }
        self.update();
    }

    /// Takes the engine's answers and asks for what follows.
    fn update(&mut self) {
        while let State::Exchange(conversing) = &mut self.state {
            let Conversing { link, opening, sending, decided, redial } = &mut **conversing;
            let event = link.engine_mut().poll_event();
            let progress = match event {
                Some(Event::Sent(id, report)) if Some(id) == *sending => {
                    *decided = true;
                    link.engine_mut().part();
                    self.sent(*report);
                    continue;
                }
                Some(event) => opening.step(link, event),
                None if sending.is_none() => opening.look(link),
                None => Progress::Going,
            };
            match progress {
                Progress::Ready => {
                    *sending = Some(link.engine_mut().send(Transaction {
                        mail: self.envelope.mail.clone(),
                        recipients: self.envelope.recipients.clone(),
                        content: Box::new(Lent(Arc::clone(&self.content))),
                        at_least_one: self.options.atleastone,
                        queue: self.options.queue,
                    }));
                }
                Progress::Failed(error) => {
                    link.engine_mut().part();
                    self.left(error);
                }
                Progress::Redial => {
                    *redial = true;
                    link.engine_mut().part();
                    let error = link.engine().fault().cloned();
                    if let Some(error) = error {
                        self.left(error);
                    }
                }
                Progress::Going => {
                    if link.engine().has_events() {
                        continue;
                    }
                    if !link.is_closed() {
                        return;
                    }
                    let (decided, redial) = (*decided, *redial);
                    let fault = link.engine().fault().cloned();
                    self.note_security();
                    if let Some(fault) = fault.filter(|_| {
                        !decided && self.report.attempts.last().is_some_and(|a| a.error.is_none())
                    }) {
                        self.left(fault);
                    }
                    self.connection_over(decided, redial);
                }
            }
        }
    }

    fn sent(&mut self, report: Report) {
        let attempts = std::mem::take(&mut self.report.attempts);
        self.report = Report { attempts, ..report };
        let server = self.server_name();
        let error = self.report.error.take().map(|error| error.with_server(server));
        if let Some(attempt) = self.report.attempts.last_mut() {
            attempt.error.clone_from(&error);
        }
        self.report.error = error;
    }

    fn left(&mut self, error: Error) {
        let error = error.with_server(self.server_name());
        if let Some(attempt) = self.report.attempts.last_mut() {
            attempt.error = Some(error);
        }
    }

    /// Puts what is known of TLS and logins into the attempt.
    fn note_security(&mut self) {
        if let (State::Exchange(conversing), Some(attempt)) = (&self.state, self.report.attempts.last_mut()) {
            attempt.tls = conversing.opening.facts().cloned();
            attempt.policy = conversing.opening.answer();
            attempt.logins = conversing.opening.logins().to_vec();
        }
    }

    /// The connection is of no more use. The next server, unless this one decided.
    fn connection_over(&mut self, decided: bool, redial: bool) {
        if redial {
            self.plain = true;
            self.state = State::Dial;
            return;
        }
        let error = self.report.attempts.last().and_then(|attempt| attempt.error.clone());
        let next = match &error {
            None => !decided,
            Some(error) => may_try_next(error, &self.report),
        };
        match error {
            _ if next => self.next_server(),
            Some(error) if !decided => self.give_up(error),
            _ => self.state = State::Done,
        }
    }

    fn next_server(&mut self) {
        self.current += 1;
        self.plain = false;
        if self.current < self.servers.len() {
            self.state = State::Dial;
            return;
        }
        let errors: Vec<&Error> =
            self.report.attempts.iter().filter_map(|attempt| attempt.error.as_ref()).collect();
        let Some(last) = errors.last() else {
            self.state = State::Done;
            return;
        };
        let error = if errors.len() == 1 {
            (*last).clone()
        } else {
            let each: Vec<String> = errors.iter().map(ToString::to_string).collect();
            let transient = errors.iter().any(|error| error.is_transient());
            let text = format!("no server took the message: {}", each.join("; "));
            Error::new(last.kind(), last.step(), text).with_transient(transient)
        };
        self.give_up(error);
    }

    fn give_up(&mut self, error: Error) {
        for recipient in &mut self.report.recipients {
            if recipient.outcome == Outcome::NotSent {
                recipient.step = error.step();
            }
        }
        self.report.error = Some(error);
        self.state = State::Done;
    }

    fn server_name(&self) -> String {
        self.servers.get(self.current).map_or_else(String::new, |server| server.target.to_string())
    }
}

/// Whether nothing speaks against another server: this one has taken nothing and refused nothing for good.
fn may_try_next(error: &Error, report: &Report) -> bool {
    let untouched = report.recipients.iter().all(|r| match r.outcome {
        Outcome::NotSent => true,
        Outcome::Rejected => r.step == Step::Mail,
        Outcome::Accepted | Outcome::Unknown => false,
    });
    let lasting = match error.kind() {
        Kind::Cancelled | Kind::Usage | Kind::Source => true,
        Kind::Refused => error.step() == Step::Mail && !error.is_transient(),
        _ => false,
    };
    untouched && !lasting && error.step() <= Step::Mail
}

pub(crate) fn check_client(options: &Options) -> Result<(), Error> {
    match &options.client {
        Some(name) => ClientName::parse(name)
            .map(drop)
            .map_err(|error| Error::usage(format!("option `client`: {}", error.text()))),
        None => Ok(()),
    }
}

/// The name for EHLO (RFC 5321 section 4.1.1.1).
pub(crate) fn client_name(
    options: &Options,
    servers: &[Server],
    host: fn() -> String,
    local: Option<IpAddr>,
) -> ClientName {
    let name = match &options.client {
        Some(name) => ClientName::parse(name),
        None if servers.iter().any(Server::is_localhost) => ClientName::parse("localhost"),
        None => ClientName::parse(&host()),
    };
    name.unwrap_or_else(|_| ClientName::literal(local.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST))))
}

pub(crate) fn engine_config(options: &Options, protocol: Protocol, client: ClientName) -> Config {
    let mut timeouts = Timeouts { end: options.maxsecs, ..Timeouts::default() };
    if let Some(timeout) = options.timeout {
        timeouts.greeting = timeout;
        timeouts.command = timeout;
        timeouts.data = timeout;
        timeouts.block = timeout;
        timeouts.parting = timeouts.parting.min(timeout);
    }
    Config { protocol, client, timeouts, pipelining: options.pipelining, chunking: options.chunking }
}

pub(crate) fn listener(options: &Options) -> Option<Listener> {
    let transcript = options.transcript.clone()?;
    Some(Box::new(move |direction, line| transcript(direction, line)))
}

fn unsent(envelope: &Envelope) -> Vec<Recipient> {
    let recipients = envelope.recipients.iter().map(|rcpt| Recipient {
        address: rcpt.path.shared().clone(),
        outcome: Outcome::NotSent,
        step: Step::Connect,
        reply: None,
    });
    recipients.collect()
}

/// The message, lent to one engine after the other: a server that is left before DATA has not used it up.
pub(crate) struct Lent(pub(crate) Arc<Mutex<Outgoing>>);

impl Content for Lent {
    fn needs_utf8(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).needs_utf8()
    }

    fn form(&self, transfer: Transfer) -> Result<Form, Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).form(transfer)
    }

    fn open(&mut self, transfer: Transfer) -> Result<Box<dyn std::io::BufRead + Send>, Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).open(transfer)
    }
}
