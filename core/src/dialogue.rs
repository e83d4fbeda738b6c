//! A session without any I/O: verbs and messages one after the other over one connection.
//!
//! A driver moves bytes (see [`Conversation`]), looks for answers, and connects again when asked to:
//!
//! ```text
//!   ask: command, data, starttls, login, introduce, send_message  ──> a Ticket
//!   poll_answer                                                   ──> Ticket and Answer
//!   wants_redial   close, connect to `server` again, then `reconnected` or `redial_failed`
//! ```
//!
//! What is asked is done in its order. EHLO, STARTTLS and login happen by themselves before the first
//! message, as the options want them. Messages that are asked for together share round trips where the
//! server offers PIPELINING.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::command::Command;
use crate::content::Content;
use crate::conversation::Conversation;
use crate::delivery::{Ends, check_client, client_name, engine_config, listener};
use crate::engine::{Engine, Event, Id, Protocol, Transaction};
use crate::envelope::{Envelope, Local};
use crate::error::{Error, Kind, Step};
use crate::extensions::Extensions;
use crate::link::Link;
use crate::message::Message;
use crate::opening::{Opening, Progress, check_credentials};
use crate::options::Options;
use crate::reply::Reply;
use crate::report::{Attempt, Report};
use crate::secret::Secret;
use crate::server::Server;
use crate::tls::{Layer, Secure, TlsFacts, Verify, VerifyFault};

/// Names what was asked; each is answered once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ticket {
    /// The ticket as a number that no other one of the same dialogue has.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// The answer to what was asked.
#[derive(Debug)]
pub enum Answer {
    /// To the greeting, a verb or STARTTLS: the server's reply whatever it says, or why there is none.
    Reply(Result<Reply, Error>),
    /// To an introduction or a login.
    Done(Result<(), Error>),
    /// To a message or DATA: what became of it.
    Sent(Box<Report>),
}

/// One session, without I/O. See the [module](self).
pub struct Dialogue {
    link: Link,
    server: Server,
    options: Options,
    library: Option<Arc<dyn Secure>>,
    ends: Ends,
    can_redial: bool,
    /// How TLS and login went, once the session is ready for messages.
    opening: Option<Opening>,
    logged_in: bool,
    asks: VecDeque<(Ticket, Ask)>,
    doing: Option<(Ticket, Doing)>,
    sending: VecDeque<(Ticket, Id)>,
    answers: VecDeque<(Ticket, Answer)>,
    redial: bool,
    next: u64,
}

/// What is asked and not begun.
enum Ask {
    Introduce,
    Verb(Command),
    /// Without a layer the caller encrypts.
    StartTls(Option<Box<dyn Layer>>),
    /// With the credentials among the options.
    Login(Box<Options>),
    Data(Box<dyn Content>),
    Send {
        transaction: Box<Transaction>,
        needs_tls: bool,
    },
}

/// What is under way, beside messages.
enum Doing {
    /// A reply that is the answer.
    Reply(Id),
    /// The reply to EHLO that STARTTLS needs before it.
    HelloBefore(Id, Option<Box<dyn Layer>>),
    /// The reply to STARTTLS, and the layer for behind it, unless the caller encrypts.
    StartTls(Id, Option<Box<dyn Layer>>),
    /// The handshake behind the reply.
    Shaking(Reply),
    /// EHLO, TLS and login.
    Opening(Box<OpeningUp>),
}

struct OpeningUp {
    opening: Opening,
    /// Because a message is to be sent, the first that is asked for.
    message: bool,
    /// Where they are not the session's own.
    options: Option<Box<Options>>,
    /// Behind a redial: TLS could not be had, and the policy says `insecure`.
    plain: bool,
}

impl Dialogue {
    /// The ticket of the server's greeting.
    pub const GREETING: Ticket = Ticket(0);

    /// A session over a connection to `server` on which nothing was said yet. `library` makes the TLS
    /// layers; `can_redial` tells whether the driver can connect to the same server again.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a client name that is none, and where TLS comes first and cannot be begun.
    pub fn new(
        server: Server,
        options: Options,
        library: Option<Arc<dyn Secure>>,
        ends: Ends,
        host: &str,
        can_redial: bool,
    ) -> Result<Self, Error> {
        check_client(&options)?;
        check_credentials(&options)?;
        let client = client_name(&options, std::slice::from_ref(&server), host, ends.local);
        let mut engine = Engine::new(engine_config(&options, server.protocol, client));
        if let Some(listener) = listener(&options) {
            engine.listen(listener);
        }
        let mut dialogue = Self {
            link: Link::new(engine),
            server,
            options,
            library,
            ends,
            can_redial,
            opening: None,
            logged_in: false,
            asks: VecDeque::new(),
            doing: Some((Self::GREETING, Doing::Reply(Id::GREETING))),
            sending: VecDeque::new(),
            answers: VecDeque::new(),
            redial: false,
            next: 1,
        };
        let mut opening = dialogue.new_opening(&dialogue.options, false);
        opening.begin(&mut dialogue.link)?;
        Ok(dialogue)
    }

    // What may be asked.

    /// EHLO, TLS and login as the options want them, unless they were had already.
    pub fn introduce(&mut self) -> Ticket {
        self.ask(Ask::Introduce)
    }

    /// Any verb but STARTTLS, AUTH, DATA and BDAT. Answered by [`Answer::Reply`].
    pub fn command(&mut self, command: Command) -> Ticket {
        if let Command::Lhlo(_) = command {
            self.link.engine_mut().config_mut().protocol = Protocol::Lmtp;
        }
        self.ask(Ask::Verb(command))
    }

    /// STARTTLS and the handshake behind it. Answered by [`Answer::Reply`]; an error closes the session. The
    /// certificate is verified unless option `tlsverify` is off. EHLO is said first where it was not; what the server
    /// offered before, and a login, count no longer (RFC 3207 section 4.2).
    ///
    /// # Errors
    /// [`Kind::Usage`] under TLS already, [`Kind::Unsupported`] without a TLS library.
    pub fn starttls(&mut self) -> Result<Ticket, Error> {
        if self.link.engine().is_encrypted() {
            return Err(under_tls());
        }
        let Some(library) = &self.library else {
            return Err(Error::new(Kind::Unsupported, Step::Tls, "this build of the library has no TLS"));
        };
        let layer = library.start(self.server.host(), Verify::Require)?;
        Ok(self.ask(Ask::StartTls(Some(layer))))
    }

    /// STARTTLS alone, for a caller who encrypts below the session. Answered by [`Answer::Reply`]; where that is 220,
    /// nothing more is said before [`tls_established`](Self::tls_established), and nothing may have been read.
    ///
    /// # Errors
    /// [`Kind::Usage`] under TLS already.
    pub fn starttls_below(&mut self) -> Result<Ticket, Error> {
        if self.link.engine().is_encrypted() {
            return Err(Error::usage("the session is under TLS already"));
        }
        Ok(self.ask(Ask::StartTls(None)))
    }

    /// Tells that the caller has set up TLS below the session: behind [`starttls_below`](Self::starttls_below), or
    /// from the first byte. Whether the certificate is good is the caller's business then.
    pub fn tls_established(&mut self) {
        self.link.engine_mut().tls_established();
        self.advance();
    }

    /// A login (RFC 4954), once a connection, by one mechanism or by the strongest that succeeds. EHLO is said
    /// first where it was not, and STARTTLS where it is offered, unless option `usetls` is off. Answered by
    /// [`Answer::Done`]. For `XOAUTH2` and `OAUTHBEARER` the password is the token.
    ///
    /// The certificate must have been verified for that. Where TLS was set up before there was a secret to send,
    /// and nobody looked at the certificate, the session connects again and verifies it.
    ///
    /// # Errors
    /// [`Kind::Usage`] where the session is logged in.
    pub fn login(&mut self, user: &str, password: Secret, mechanism: Option<&str>) -> Result<Ticket, Error> {
        if self.logged_in {
            return Err(logged_in());
        }
        let mut options = self.options.clone();
        options.username = Some(user.to_owned());
        (options.password, options.oauthtoken) = (Some(password), None);
        if let Some(mechanism) = mechanism {
            match mechanism.to_ascii_uppercase().as_str() {
                "XOAUTH2" | "OAUTHBEARER" => options.oauthtoken = options.password.take(),
                "EXTERNAL" => options.password = None,
                _ => {}
            }
            options.auth = vec![mechanism.to_owned()];
        }
        check_credentials(&options)?;
        Ok(self.ask(Ask::Login(Box::new(options))))
    }

    /// DATA and the content, for the recipients that the verb RCPT got accepted. Answered by [`Answer::Sent`],
    /// whose `reply` is the final reply, or that to DATA where it was refused.
    pub fn data(&mut self, content: Box<dyn Content>) -> Ticket {
        self.ask(Ask::Data(content))
    }

    /// A message, with the envelope that `options` or its header section give. Answered by [`Answer::Sent`].
    /// What `options` say of servers, time-outs and the dialogue was settled when the session was opened.
    ///
    /// # Errors
    /// [`Kind::Usage`] and [`Kind::Source`]: nothing was said. Usage too where `options` want a login that the
    /// session was not opened with and does not have.
    pub fn send_message(
        &mut self,
        message: &Message,
        options: &Options,
        local: &Local,
    ) -> Result<Ticket, Error> {
        self.check_login(options)?;
        let envelope = Envelope::derive(message, options, local)?;
        let content = message.prepare(&envelope.edits)?;
        let transaction = Box::new(Transaction {
            mail: envelope.mail,
            recipients: envelope.recipients,
            content: Box::new(content),
            at_least_one: options.atleastone,
            queue: options.queue,
        });
        Ok(self.ask(Ask::Send { transaction, needs_tls: options.tlsrequired || options.requiretls }))
    }

    /// Takes leave: QUIT behind everything asked so far, whose reply is not waited for.
    pub fn part(&mut self) {
        self.link.engine_mut().part();
        self.advance();
    }

    /// The next answer, in the order in which they came about.
    pub fn poll_answer(&mut self) -> Option<(Ticket, Answer)> {
        self.answers.pop_front()
    }

    /// Whether an answer is there.
    pub fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    // Connecting again, where TLS failed and the policy said `insecure`.

    /// Whether the driver is to close the connection and to connect to [`server`](Self::server) again.
    pub fn wants_redial(&self) -> bool {
        self.redial
    }

    /// Tells that the server is connected again.
    pub fn reconnected(&mut self, ends: Ends) {
        let listener = self.link.engine_mut().take_listener();
        let mut engine = Engine::new(self.link.engine().config().clone());
        if let Some(listener) = listener {
            engine.listen(listener);
        }
        self.link = Link::new(engine);
        (self.ends, self.redial, self.logged_in, self.opening) = (ends, false, false, None);
        let Some((ticket, Doing::Opening(mut up))) = self.doing.take() else { return };
        up.opening = self.new_opening(up.options.as_deref().unwrap_or(&self.options), up.plain);
        let begun = up.opening.begin(&mut self.link);
        self.doing = Some((ticket, Doing::Opening(up)));
        if let Err(error) = begun {
            self.opening_over(Err(error));
        }
        self.advance();
    }

    /// Tells that the server could not be connected to again.
    pub fn redial_failed(&mut self, error: Error) {
        self.redial = false;
        self.opening_over(Err(error));
        self.advance();
    }

    // What is known.

    /// The engine below.
    pub fn engine(&self) -> &Engine {
        self.link.engine()
    }

    /// The extensions that the server offered last.
    pub fn extensions(&self) -> &Extensions {
        self.link.engine().extensions()
    }

    /// What is known of TLS; `None` where the session is in plain text.
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

    /// Whether the connection is to be closed.
    pub fn is_closed(&mut self) -> bool {
        !self.redial && self.link.is_closed()
    }

    /// A login that is asked for too late is an error, not a silence.
    fn check_login(&self, options: &Options) -> Result<(), Error> {
        let login = |o: &Options| o.username.is_some() || o.password.is_some() || o.oauthtoken.is_some();
        if login(options) && !login(&self.options) && !self.logged_in {
            let text = "options `username`, `password`, `oauthtoken`: the session was opened without a login: open \
                        it with one, or authenticate first";
            return Err(Error::usage(text));
        }
        Ok(())
    }

    fn ask(&mut self, ask: Ask) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.asks.push_back((ticket, ask));
        self.advance();
        ticket
    }

    /// Takes what happened and begins what can be begun.
    fn advance(&mut self) {
        loop {
            while let Some(event) = self.link.engine_mut().poll_event() {
                self.on_event(event);
            }
            self.look();
            if self.doing.is_some() || self.redial || !self.begin_next() {
                if self.link.engine().has_events() {
                    continue;
                }
                return;
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        let event = match event {
            Event::Sent(id, report) => return self.on_sent(id, report),
            other => other,
        };
        match self.doing.take() {
            Some((ticket, Doing::Reply(id))) => match event {
                Event::Reply(other, reply) if other == id => self.answer(ticket, Answer::Reply(Ok(reply))),
                // The engine waits for a greeting; what failed is the handshake before it.
                Event::Failed(other, _) if other == id && self.link.is_shaking() => {
                    let error = self.gone();
                    self.fail(ticket, error);
                }
                Event::Failed(other, error) if other == id => self.fail(ticket, error),
                _ => self.doing = Some((ticket, Doing::Reply(id))),
            },
            Some((ticket, Doing::HelloBefore(id, layer))) => match event {
                Event::Reply(other, _) if other == id => self.say_starttls(ticket, layer),
                Event::Failed(other, error) if other == id => self.fail(ticket, error),
                _ => self.doing = Some((ticket, Doing::HelloBefore(id, layer))),
            },
            Some((ticket, Doing::StartTls(id, mut layer))) => match event {
                Event::StartTls(other, reply) if other == id => match layer.take() {
                    // Closed by what stood behind the reply: there is nobody to shake hands with.
                    _ if self.link.engine().is_closed() => {
                        let error = self.gone();
                        self.fail(ticket, error);
                    }
                    Some(layer) => {
                        self.link.secure(layer);
                        self.doing = Some((ticket, Doing::Shaking(reply)));
                    }
                    None => self.answer(ticket, Answer::Reply(Ok(reply))),
                },
                Event::Reply(other, reply) if other == id => self.answer(ticket, Answer::Reply(Ok(reply))),
                Event::Failed(other, error) if other == id => self.fail(ticket, error),
                _ => self.doing = Some((ticket, Doing::StartTls(id, layer))),
            },
            Some((ticket, Doing::Opening(mut up))) => {
                let progress = up.opening.step(&mut self.link, event);
                self.doing = Some((ticket, Doing::Opening(up)));
                self.on_progress(progress);
            }
            other => self.doing = other,
        }
    }

    fn on_sent(&mut self, id: Id, mut report: Box<Report>) {
        let Some(index) = self.sending.iter().position(|(_, own)| *own == id) else { return };
        let Some((ticket, _)) = self.sending.remove(index) else { return };
        report.error = report.error.map(|error| error.with_server(self.name()));
        let mut attempt =
            Attempt { peer: self.ends.peer, error: report.error.clone(), ..Attempt::new(self.name()) };
        attempt.tls = self.tls().cloned();
        if let Some(opening) = &self.opening {
            attempt.policy = opening.answer();
            attempt.logins = opening.logins().to_vec();
        }
        report.attempts.push(attempt);
        self.answer(ticket, Answer::Sent(report));
    }

    /// Looks at what happened below the engine.
    fn look(&mut self) {
        match &mut self.doing {
            Some((_, Doing::Opening(up))) if !self.redial => {
                let progress = up.opening.look(&mut self.link);
                self.on_progress(progress);
            }
            Some((ticket, Doing::Shaking(_))) if self.link.engine().is_closed() => {
                let ticket = *ticket;
                let error = self.gone();
                self.doing = None;
                self.fail(ticket, error);
            }
            Some((ticket, Doing::Shaking(reply))) if !self.link.is_shaking() => {
                let (ticket, reply) = (*ticket, reply.clone());
                (self.doing, self.opening, self.logged_in) = (None, None, false);
                self.answer(ticket, Answer::Reply(Ok(reply)));
            }
            _ => {}
        }
    }

    fn on_progress(&mut self, progress: Progress) {
        match progress {
            Progress::Going => {}
            Progress::Ready => self.opening_over(Ok(())),
            Progress::Failed(error) => self.opening_over(Err(error)),
            Progress::Redial if self.can_redial => {
                self.redial = true;
                if let Some((_, Doing::Opening(up))) = &mut self.doing {
                    up.plain = true;
                }
            }
            Progress::Redial => {
                let error = self.gone();
                self.opening_over(Err(error));
            }
        }
    }

    fn opening_over(&mut self, result: Result<(), Error>) {
        let Some((ticket, Doing::Opening(up))) = self.doing.take() else { return };
        let OpeningUp { opening, message, .. } = *up;
        match result {
            Ok(()) => {
                self.logged_in |= opening.logins().last().is_some_and(|login| login.error.is_none());
                self.opening = Some(opening);
                if !message {
                    self.answer(ticket, Answer::Done(Ok(())));
                }
            }
            Err(error) => {
                let error = error.with_server(self.name());
                if !message {
                    return self.answer(ticket, Answer::Done(Err(error)));
                }
                // The message that the opening was for is the first that is asked for.
                if let Some((ticket, Ask::Send { transaction, .. })) = self.asks.pop_front() {
                    self.refuse(ticket, &transaction, error);
                }
            }
        }
    }

    /// Begins the next thing asked; false where there is none, or a message must come first.
    fn begin_next(&mut self) -> bool {
        let ready = self.opening.is_some() && self.link.engine().is_introduced();
        if let Some((ticket, Ask::Send { .. })) = self.asks.front()
            && !ready
        {
            let ticket = *ticket;
            self.open_up(ticket, true);
            return true;
        }
        // Only messages go out together; everything else waits for its turn.
        if !self.sending.is_empty() && !matches!(self.asks.front(), Some((_, Ask::Send { .. }))) {
            return false;
        }
        let Some((ticket, ask)) = self.asks.pop_front() else { return false };
        match ask {
            Ask::Introduce if ready => self.answer(ticket, Answer::Done(Ok(()))),
            Ask::Introduce => self.open_up(ticket, false),
            Ask::Verb(command) => {
                let id = self.link.engine_mut().command(command);
                self.doing = Some((ticket, Doing::Reply(id)));
            }
            Ask::StartTls(_) if self.link.engine().is_encrypted() => self.fail(ticket, under_tls()),
            Ask::StartTls(layer) if self.link.engine().is_introduced() => self.say_starttls(ticket, layer),
            Ask::StartTls(layer) => {
                // Some servers know no STARTTLS that they did not offer yet.
                let id = self.link.engine_mut().hello();
                self.doing = Some((ticket, Doing::HelloBefore(id, layer)));
            }
            // Asked for before the one that succeeded was done.
            Ask::Login(_) if self.logged_in => self.answer(ticket, Answer::Done(Err(logged_in()))),
            Ask::Login(options) => self.log_in(ticket, options),
            Ask::Data(content) => {
                let id = self.link.engine_mut().data(content);
                self.sending.push_back((ticket, id));
            }
            Ask::Send { transaction, needs_tls } => match self.check_tls(needs_tls) {
                Ok(()) => {
                    let id = self.link.engine_mut().send(*transaction);
                    self.sending.push_back((ticket, id));
                }
                Err(error) => self.refuse(ticket, &transaction, error),
            },
        }
        true
    }

    fn say_starttls(&mut self, ticket: Ticket, layer: Option<Box<dyn Layer>>) {
        let id = self.link.engine_mut().command(Command::StartTls);
        self.doing = Some((ticket, Doing::StartTls(id, layer)));
    }

    fn open_up(&mut self, ticket: Ticket, message: bool) {
        let mut opening = self.new_opening(&self.options, false);
        let progress = opening.resume(&mut self.link, self.logged_in);
        let up = OpeningUp { opening, message, options: None, plain: false };
        self.doing = Some((ticket, Doing::Opening(Box::new(up))));
        self.on_progress(progress);
    }

    fn log_in(&mut self, ticket: Ticket, options: Box<Options>) {
        let mut opening = self.new_opening(&options, false);
        let progress = match self.distrust() {
            None => opening.resume(&mut self.link, false),
            Some(VerifyFault::NotChecked) if self.can_redial => {
                self.redial = true;
                Progress::Going
            }
            Some(fault) => {
                let text = format!("the certificate {fault}, so that nothing secret is sent");
                Progress::Failed(Error::new(Kind::Tls, Step::Auth, text))
            }
        };
        let up = OpeningUp { opening, message: false, options: Some(options), plain: false };
        self.doing = Some((ticket, Doing::Opening(Box::new(up))));
        self.on_progress(progress);
    }

    /// What speaks against the certificate of a session under TLS, where it was to verify.
    fn distrust(&self) -> Option<VerifyFault> {
        let facts = self.tls().filter(|facts| self.options.tlsverify && !facts.verified && !facts.pinned)?;
        Some(facts.why_not.clone().unwrap_or(VerifyFault::NotChecked))
    }

    /// A message may want more of TLS than the session did when it began.
    fn check_tls(&self, needed: bool) -> Result<(), Error> {
        let text = match self.distrust() {
            _ if !needed => return Ok(()),
            _ if !self.link.engine().is_encrypted() => "the session is in plain text".to_owned(),
            Some(fault) => format!("the certificate {fault}"),
            None => return Ok(()),
        };
        let text = format!("{text}, and TLS is required: open the session with option `tlsrequired`");
        Err(Error::new(Kind::Tls, Step::Tls, text))
    }

    fn refuse(&mut self, ticket: Ticket, transaction: &Transaction, error: Error) {
        let report = crate::engine::unbegun(&transaction.recipients, error.with_server(self.name()));
        self.answer(ticket, Answer::Sent(Box::new(report)));
    }

    fn new_opening(&self, options: &Options, plain: bool) -> Opening {
        Opening::new(&self.server, options, self.library.clone(), self.ends.loopback, plain)
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.answers.push_back((ticket, answer));
    }

    fn fail(&mut self, ticket: Ticket, error: Error) {
        let error = error.with_server(self.name());
        self.answer(ticket, Answer::Reply(Err(error)));
    }

    fn gone(&self) -> Error {
        let fault = self.link.engine().fault().cloned();
        fault.unwrap_or_else(|| Error::new(Kind::Closed, Step::Command, "the session is closed"))
    }

    fn name(&self) -> String {
        self.server.target.to_string()
    }

    fn with_link(&mut self, tell: impl FnOnce(&mut Link)) {
        tell(&mut self.link);
        self.advance();
    }
}

fn under_tls() -> Error {
    Error::usage("the session is under TLS already")
}

fn logged_in() -> Error {
    Error::usage("the session is logged in already: RFC 4954 allows one login a connection")
}

impl Conversation for Dialogue {
    fn handle_input(&mut self, input: &[u8]) {
        self.with_link(|link| link.handle_input(input));
    }
    fn handle_eof(&mut self) {
        self.with_link(Link::handle_eof);
    }
    fn handle_timeout(&mut self) {
        self.with_link(Link::handle_timeout);
    }
    fn handle_error(&mut self, cause: Error) {
        self.with_link(|link| link.handle_error(cause));
    }
    fn abort(&mut self, cause: Error) {
        self.can_redial = false;
        self.with_link(|link| link.abort(cause));
    }
    fn poll_output(&mut self) -> &[u8] {
        // What is gathered may end the connection (a reader that fails): its answers come first.
        self.link.poll_output();
        self.advance();
        self.link.poll_output()
    }
    fn output_done(&mut self, n: usize) {
        self.with_link(|link| link.output_done(n));
    }
    fn timeout(&self) -> Option<Duration> {
        self.link.timeout()
    }
    fn progress(&self) -> u64 {
        self.link.progress()
    }
    fn waits_for_source(&self) -> bool {
        self.link.waits_for_source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Target;

    fn dialogue(options: Options) -> Dialogue {
        let target = Target::Tcp { host: "s.example".to_owned(), port: 25 };
        let server = Server { target, protocol: Protocol::Smtp, tls: false };
        Dialogue::new(server, options, None, Ends::default(), "c.example", false).unwrap()
    }

    fn local() -> Local {
        Local { host: "c.example".into(), user: "u".into(), now: jiff::Zoned::default() }
    }

    fn said(dialogue: &mut Dialogue) -> String {
        let mut said = Vec::new();
        loop {
            let output = dialogue.poll_output().to_vec();
            if output.is_empty() {
                return String::from_utf8(said).unwrap();
            }
            dialogue.output_done(output.len());
            said.extend(output);
        }
    }

    const TOKEN: &[u8] = b"From: a@c\nTo: b@s\nDate: x\nMessage-ID: <1@c>\n\nHi\n";

    #[test]
    fn messages_asked_for_together_share_round_trips() {
        let mut dialogue = dialogue(Options::default());
        let message = Message::from_bytes(TOKEN);
        let tickets: Vec<Ticket> =
            (0..3).map(|_| dialogue.send_message(&message, &Options::default(), &local()).unwrap()).collect();
        assert_eq!(said(&mut dialogue), "");
        dialogue.handle_input(b"220 s\r\n");
        assert_eq!(said(&mut dialogue), "EHLO c.example\r\n");
        dialogue.handle_input(b"250-s\r\n250 PIPELINING\r\n");
        let envelope = "MAIL FROM:<a@c>\r\nRCPT TO:<b@s>\r\nDATA\r\n";
        assert_eq!(said(&mut dialogue), envelope);
        dialogue.handle_input(b"250 ok\r\n250 ok\r\n354 go\r\n");
        assert!(said(&mut dialogue).ends_with(&format!("\r\nHi\r\n.\r\n{envelope}")));
        dialogue.handle_input(b"250 one\r\n250 ok\r\n250 ok\r\n354 go\r\n");
        said(&mut dialogue);
        dialogue.handle_input(b"250 two\r\n250 ok\r\n250 ok\r\n354 go\r\n");
        said(&mut dialogue);
        dialogue.handle_input(b"554 three\r\n");
        assert!(matches!(dialogue.poll_answer(), Some((Dialogue::GREETING, Answer::Reply(Ok(_))))));
        for (n, ticket) in tickets.into_iter().enumerate() {
            let Some((own, Answer::Sent(report))) = dialogue.poll_answer() else { panic!("message {n}") };
            assert_eq!((own, report.sent()), (ticket, n < 2));
        }
    }

    #[test]
    fn a_verb_waits_for_the_messages_before_it() {
        let mut dialogue = dialogue(Options::default());
        dialogue.send_message(&Message::from_bytes(TOKEN), &Options::default(), &local()).unwrap();
        dialogue.command(Command::Noop(None));
        dialogue.handle_input(b"220 s\r\n");
        said(&mut dialogue);
        dialogue.handle_input(b"250-s\r\n250 PIPELINING\r\n");
        assert!(said(&mut dialogue).ends_with("DATA\r\n"));
        dialogue.handle_input(b"250 ok\r\n250 ok\r\n354 go\r\n");
        assert!(said(&mut dialogue).ends_with("\r\n.\r\n"));
        dialogue.handle_input(b"250 done\r\n");
        assert_eq!(said(&mut dialogue), "NOOP\r\n");
    }

    #[test]
    fn a_login_that_is_asked_for_too_late_is_an_error() {
        for (name, value) in [("username", "u"), ("password", "p"), ("oauthtoken", "t")] {
            let mut options = Options::default();
            options.set(name, value).unwrap();
            let error = dialogue(Options::default())
                .send_message(&Message::from_bytes(TOKEN), &options, &local())
                .unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.text().contains(name), "{error}");
        }
    }

    #[test]
    fn a_caller_may_encrypt_below_the_session() {
        let mut dialogue = dialogue(Options::default());
        dialogue.handle_input(b"220 s\r\n");
        dialogue.introduce();
        said(&mut dialogue);
        dialogue.handle_input(b"250-s\r\n250 STARTTLS\r\n");
        while dialogue.poll_answer().is_some() {}
        let ticket = dialogue.starttls_below().unwrap();
        assert_eq!(said(&mut dialogue), "STARTTLS\r\n");
        dialogue.handle_input(b"220 go\r\n");
        let answer = dialogue.poll_answer();
        assert!(matches!(answer, Some((own, Answer::Reply(Ok(_)))) if own == ticket));
        dialogue.introduce();
        assert_eq!(said(&mut dialogue), "");
        dialogue.tls_established();
        assert_eq!(said(&mut dialogue), "EHLO c.example\r\n");
        assert!(dialogue.engine().is_encrypted());
        assert!(dialogue.starttls_below().is_err());
    }

    #[test]
    fn plain_text_behind_the_reply_to_starttls_ends_a_session_that_is_encrypted_below() {
        let mut dialogue = dialogue(Options::default());
        dialogue.handle_input(b"220 s\r\n");
        dialogue.starttls_below().unwrap();
        said(&mut dialogue);
        dialogue.handle_input(b"250 s\r\n");
        said(&mut dialogue);
        dialogue.handle_input(b"220 go\r\n250 injected\r\n");
        assert!(dialogue.is_closed());
        assert_eq!(dialogue.engine().fault().unwrap().kind(), Kind::Tls);
    }

    #[test]
    fn credentials_that_cannot_be_used_send_nothing() {
        let mut options = Options::default();
        options.set("username", "u").unwrap();
        options.set("password", "hunter2").unwrap();
        let mut dialogue = dialogue(options);
        dialogue.send_message(&Message::from_bytes(TOKEN), &Options::default(), &local()).unwrap();
        dialogue.handle_input(b"220 s\r\n");
        said(&mut dialogue);
        dialogue.handle_input(b"250-s\r\n250 AUTH PLAIN\r\n");
        assert_eq!(said(&mut dialogue), "");
        dialogue.poll_answer();
        let Some((_, Answer::Sent(report))) = dialogue.poll_answer() else { panic!("no report") };
        let error = report.error.unwrap();
        assert_eq!((error.kind(), error.step()), (Kind::Login, Step::Auth));
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn one_login_a_connection_also_where_two_are_asked_for_at_once() {
        let mut dialogue = dialogue(Options::default());
        for _ in 0..2 {
            dialogue.login("u", "hunter2".into(), Some("CRAM-MD5")).unwrap();
        }
        for (reply, verb) in [("220 s", "EHLO"), ("250-s\r\n250 AUTH CRAM-MD5", "AUTH"), ("334 eA==", "")] {
            dialogue.handle_input(format!("{reply}\r\n").as_bytes());
            assert!(said(&mut dialogue).starts_with(verb), "{reply}");
        }
        dialogue.handle_input(b"235 ok\r\n");
        assert_eq!(said(&mut dialogue), "");
        let mut answers = std::iter::from_fn(|| dialogue.poll_answer()).skip(1);
        assert!(matches!(answers.next(), Some((_, Answer::Done(Ok(()))))));
        let Some((_, Answer::Done(Err(error)))) = answers.next() else { panic!("no second answer") };
        assert_eq!(error.kind(), Kind::Usage);
    }
}
