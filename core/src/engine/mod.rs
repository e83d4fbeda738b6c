//! The SMTP engine: bytes in, bytes out, no socket, no thread, and of the clock only how long a message took.
//!
//! A driver moves bytes between an engine and a server and nothing else:
//!
//! ```text
//!   bytes from the server ──> handle_input        poll_output ──> bytes to the server
//!   the server hung up    ──> handle_eof          output_done <── how many were handed over
//!   the server was silent ──> handle_timeout      timeout     ──> how long it may be
//!                             poll_event          ──> what became of what was asked
//! ```
//!
//! Whatever is asked ([`hello`](Engine::hello), [`command`](Engine::command), [`send`](Engine::send), ...)
//! is queued, written in its order, and answered by exactly one [`Event`] that bears its [`Id`].
//! With PIPELINING several commands are written before the first reply is read, also across messages.
//!
//! A whole dialogue:
//!
//! ```
//! use smtpclient::command::ClientName;
//! use smtpclient::engine::{Config, Engine, Event, Id};
//!
//! let mut engine = Engine::new(Config::new(ClientName::parse("client.example")?));
//! engine.handle_input(b"220 mail.example ESMTP\r\n");
//! assert!(matches!(engine.poll_event(), Some(Event::Reply(Id::GREETING, _))));
//!
//! let hello = engine.hello();
//! assert_eq!(engine.poll_output(), b"EHLO client.example\r\n");
//! engine.output_done(21);
//! engine.handle_input(b"250-mail.example\r\n250 PIPELINING\r\n");
//! assert!(matches!(engine.poll_event(), Some(Event::Reply(id, _)) if id == hello));
//! assert!(engine.extensions().pipelining());
//! # Ok::<(), smtpclient::error::Error>(())
//! ```
//!
//! # Certainty
//! The engine counts the octets that the driver handed over. When a connection ends, a message whose
//! end mark was handed over whole and that got no final reply is
//! [`Unknown`](crate::report::Outcome::Unknown); what was not handed over is dropped, so every other
//! message is certainly not sent.

mod accessors;
mod adapt;
mod chunks;
mod commit;
mod expect;
mod login;
mod output;
mod reader;
mod recorder;
mod request;
mod state;
mod transaction;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use self::chunks::Lending;
use self::expect::{Expect, hello_refused};
use self::recorder::Recorder;
use self::request::Request;
use self::state::{Phase, Quit, Reset, Turn};
use self::transaction::{Active, Verbs};
use crate::command::Command;
use crate::content::Content;
use crate::error::{Error, Kind, Step};
use crate::extensions::{Extensions, Pipelining};
use crate::mask::Mask;
use crate::reply::{Reply, ReplyParser};
use crate::report::Keywords;
use crate::secret::Secret;
use crate::times;

pub(crate) use self::reader::is_nested;
pub use self::request::{Awaited, Config, Event, Id, Protocol, Timeouts, Transaction};
pub(crate) use self::transaction::{not_sent, unbegun};
pub use crate::transcript::{Direction, Listener};

/// One connection's SMTP. See the [module](self).
pub struct Engine {
    config: Config,
    phase: Phase,
    greeting: Option<Reply>,
    extensions: Extensions,
    encrypted: bool,

    parser: ReplyParser,
    expected: VecDeque<Expect>,
    requests: VecDeque<(Id, Request)>,
    /// In the order in which they are written. Only the last can have anything left to write.
    actives: VecDeque<Active>,
    /// The AUTH exchange that is under way.
    login: Option<crate::sasl::Exchange>,
    /// The login whose mechanism, the caller's own, is to be asked.
    login_asks: Option<Id>,
    /// The envelope that verbs have built so far.
    verbs: Option<Verbs>,
    events: VecDeque<Event>,

    out: Vec<u8>,
    /// The rest of a chunk that goes out from where it lies, after `out`.
    lending: Option<Lending>,
    /// The chunk that is gathered.
    chunk: Vec<u8>,
    /// How much of `out` was taken.
    sent: usize,
    /// How many octets were taken in all.
    taken: u64,
    /// How many of them were handed to the kernel.
    flushed: u64,
    /// `out` holds a secret, to be wiped once it is taken.
    wipe: bool,

    next_id: u64,
    mails: u64,
    progress: u64,
    reset: Reset,
    /// The message whose BDAT was written and not answered yet: should it be refused, only RSET ends it.
    unsettled: Option<Id>,
    /// How far commands may be grouped now.
    grouping: Pipelining,
    /// What the server offers and mishandles.
    avoided: Keywords,
    queue_asked: bool,
    /// What output waits for.
    waits_for: Option<Awaited>,
    /// Messages that the commit has given leave for, and that are to be written yet.
    granted: VecDeque<Id>,
    quit: Quit,
    fault: Option<Error>,
    /// What must not be shown of what the server says.
    mask: Mask,
    transcript: Recorder,
}

impl Engine {
    /// An engine for a connection on which nothing was said yet.
    pub fn new(config: Config) -> Self {
        Self {
            phase: Phase::Greeting,
            greeting: None,
            extensions: Extensions::default(),
            encrypted: false,
            parser: ReplyParser::new(),
            expected: VecDeque::from([Expect::Greeting]),
            requests: VecDeque::new(),
            actives: VecDeque::new(),
            verbs: None,
            events: VecDeque::new(),
            out: Vec::new(),
            lending: None,
            chunk: Vec::new(),
            sent: 0,
            taken: 0,
            flushed: 0,
            wipe: false,
            login: None,
            login_asks: None,
            next_id: 1,
            mails: 0,
            progress: 0,
            reset: Reset::default(),
            unsettled: None,
            grouping: Pipelining::Off,
            avoided: Keywords::new(),
            queue_asked: false,
            waits_for: None,
            granted: VecDeque::new(),
            quit: Quit::default(),
            fault: None,
            mask: Mask::default(),
            transcript: Recorder::default(),
            config,
        }
    }

    /// Tells what was or will be said to the server in confidence: replies, errors and the dialogue show `***` where the
    /// server repeats it, in whatever form.
    pub fn hide(&mut self, secret: &Secret) {
        self.mask.hide(secret.expose());
    }

    /// Gives every line of the dialogue to `listener`, secrets masked.
    pub fn listen(&mut self, listener: Listener) {
        self.transcript.listen(listener);
    }

    /// Takes the listener back, to hand it to the engine of the next connection.
    pub fn take_listener(&mut self) -> Option<Listener> {
        self.transcript.take()
    }

    // What may be asked.

    /// Says EHLO, or HELO where EHLO is refused for good; LHLO for LMTP. Answered by
    /// [`Event::Reply`] when the server took it, by [`Event::Failed`] when not.
    pub fn hello(&mut self) -> Id {
        self.ask(Request::Hello)
    }

    /// Says one command. Answered by [`Event::Reply`] whatever the reply says.
    ///
    /// [`Command::Data`] and [`Command::Bdat`] are refused here: use [`data`](Self::data). A raw line does what its
    /// verb does; AUTH, and the responses after it, must be [secret](crate::command::RawCommand::secret) ones.
    pub fn command(&mut self, command: Command) -> Id {
        // These change what the connection is: a reply to the line alone would not tell where it stands.
        let special = match &command {
            Command::Data | Command::Bdat { .. } => true,
            Command::Raw(raw) => {
                ["DATA", "BDAT", "STARTTLS"].iter().any(|v| raw.verb().eq_ignore_ascii_case(v))
                    || (raw.verb().eq_ignore_ascii_case("AUTH") && !raw.is_secret())
            }
            _ => false,
        };
        if special {
            let id = self.new_id();
            let error = Error::usage("DATA, BDAT, STARTTLS and AUTH must be sent with their own functions");
            self.events.push_back(Event::Failed(id, error));
            return id;
        }
        self.ask(Request::Command(command))
    }

    /// Sends one message. Answered by [`Event::Sent`]. Several may be asked for at once.
    pub fn send(&mut self, transaction: impl Into<Box<Transaction>>) -> Id {
        self.ask(Request::Transaction(transaction.into()))
    }

    /// Says DATA and sends content to the recipients that were accepted by the verbs MAIL and RCPT.
    /// Answered by [`Event::Sent`], whose `reply` is the final reply, or that to DATA where it was refused.
    pub fn data(&mut self, content: Box<dyn Content>) -> Id {
        self.ask(Request::Data(content))
    }

    /// Queues QUIT after all pending requests and does not wait for its reply. The connection then closes by itself.
    pub fn part(&mut self) {
        self.quit.ask();
        if matches!(self.phase, Phase::Greeting | Phase::Handshake) && self.actives.is_empty() {
            self.finish();
        }
    }

    /// Tells that a TLS handshake is done, at the start or after [`Event::StartTls`]. All that was known of the server is
    /// forgotten; say [`hello`](Self::hello) again.
    ///
    /// # Panics
    /// In a debug build, when no handshake can have been under way: after the greeting, and without a STARTTLS that the
    /// server agreed to.
    pub fn tls_established(&mut self) {
        self.encrypted = true;
        self.queue_asked = false;
        self.turn(Turn::TlsUp);
    }

    // Bytes.

    /// Takes bytes that the server sent, in pieces of any size.
    pub fn handle_input(&mut self, mut input: &[u8]) {
        while !input.is_empty() && self.phase != Phase::Closed {
            if self.phase == Phase::Handshake {
                let text =
                    "the server sent plain text after its reply to STARTTLS: somebody may be in between";
                return self.end(Error::new(Kind::Tls, Step::StartTls, text));
            }
            let is_unasked = self.expected.is_empty();
            let (taken, found) = self.parser.parse(input);
            input = input.get(taken..).unwrap_or_default();
            match found {
                Some(Ok(reply)) => self.on_reply(reply),
                Some(Err(fault)) => {
                    let step = self.waiting_for();
                    let text = self.mask.text(&fault.to_string()).into_owned();
                    let error = Error::new(Kind::Protocol, step, text);
                    return self.end(error.with_transient(is_unasked));
                }
                None => {}
            }
        }
    }

    /// Tells the engine that the server closed its end.
    pub fn handle_eof(&mut self) {
        let text = if self.parser.is_idle() {
            "the server closed the connection"
        } else {
            "the server closed the connection in the middle of a reply"
        };
        self.handle_error(Error::new(Kind::Closed, self.waiting_for(), text));
    }

    /// Tells the engine that the time of [`timeout`](Self::timeout) has passed without
    /// [`progress`](Self::progress).
    pub fn handle_timeout(&mut self) {
        let limit = self.timeout().unwrap_or_default().as_secs_f64();
        let text = format!("the server was silent for {limit} s");
        self.handle_error(Error::new(Kind::Timeout, self.waiting_for(), text));
    }

    /// Tells the engine that the connection is no longer usable: a network error, a cancelled call.
    /// Everything under way gets its outcome. A `cause` at [`Step::Command`] is taken to the step under way.
    pub fn handle_error(&mut self, cause: Error) {
        if self.quit.is_asked() && self.actives.is_empty() {
            self.finish();
        } else if cause.step() == Step::Command {
            let step = self.waiting_for();
            self.end(cause.with_step(step));
        } else {
            self.end(cause);
        }
    }

    /// The next answer, in the order in which they were decided.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether an answer is there.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// How long the server may now take until there is progress; `None` when nothing is due from it.
    pub fn timeout(&self) -> Option<Duration> {
        // What the server has not taken yet is due from it, also while the source pauses.
        let is_taken = self.is_taken() && self.flushed == self.taken;
        if self.phase == Phase::Closed || (self.waits_for.is_some() && is_taken) {
            return None;
        }
        let timeouts = &self.config.timeouts;
        let limit = match self.expected.front() {
            Some(Expect::Greeting) => timeouts.greeting,
            Some(Expect::Data(_)) => timeouts.data,
            Some(Expect::Chunk { end, .. }) if self.flushed < *end => timeouts.block,
            Some(Expect::Final(id)) => match self.actives.iter().find(|active| active.id == *id) {
                Some(active) if !active.end_left(self.flushed) => timeouts.block,
                _ => timeouts.end,
            },
            Some(_) => timeouts.command,
            None if self.phase == Phase::Handshake => timeouts.command,
            None if self.sent < self.out.len() => timeouts.block,
            None => return None,
        };
        Some(self.before_parting(limit))
    }

    /// How long the server may take to acknowledge a piece of what was written.
    pub fn patience(&self) -> Duration {
        self.before_parting(self.config.timeouts.block)
    }

    /// Nobody waits long for a server that is only told goodbye.
    fn before_parting(&self, limit: Duration) -> Duration {
        let decided = self.quit.is_asked() && self.actives.is_empty();
        if decided { limit.min(self.config.timeouts.parting) } else { limit }
    }

    /// Grows with every whole reply read and every byte handed over. The clock of
    /// [`timeout`](Self::timeout) starts anew when it changes.
    pub fn progress(&self) -> u64 {
        self.progress
    }

    fn ask(&mut self, request: Request) -> Id {
        let id = self.new_id();
        if let Some(fault) = self.fault.clone() {
            self.refuse(id, request, fault);
        } else if self.quit.is_asked() {
            self.refuse(id, request, Error::usage("the session is being closed"));
        } else {
            self.requests.push_back((id, request));
        }
        id
    }

    /// Answers a request of which nothing was written.
    fn refuse(&mut self, id: Id, request: Request, error: Error) {
        match request {
            Request::Transaction(transaction) => {
                self.events.push_back(Event::Unbegun(id, transaction, error));
            }
            Request::Data(_) => self.tell(id, unbegun(&[], times::now(), error).into()),
            Request::Helo(refusal) => self.events.push_back(Event::Failed(id, hello_refused(refusal))),
            Request::Hello | Request::Command(_) | Request::Login(_) => {
                self.events.push_back(Event::Failed(id, error));
            }
        }
    }

    fn new_id(&mut self) -> Id {
        let id = Id(self.next_id);
        self.next_id += 1;
        id
    }

    fn active(&mut self, id: Id) -> Option<&mut Active> {
        self.actives.iter_mut().find(|active| active.id == id)
    }

    /// Drops it where it lies: taken out, it would be moved twice, which are 170 instructions of a message.
    fn forget_active(&mut self, id: Id) {
        if let Some(index) = self.actives.iter().position(|active| active.id == id) {
            self.actives.drain(index..=index);
        }
    }

    /// The step that the next reply belongs to.
    pub(crate) fn waiting_for(&self) -> Step {
        match self.expected.front() {
            Some(Expect::Final(id)) => match self.actives.iter().find(|active| active.id == *id) {
                Some(active) if !active.end_left(self.flushed) => Step::Body,
                _ => Step::Final,
            },
            Some(expect) => expect.step(),
            None if self.phase == Phase::Handshake => Step::Tls,
            None if self.login_asks.is_some() => Step::Auth,
            None => Step::Command,
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.clear_output();
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("phase", &self.phase)
            .field("expected", &self.expected)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}
