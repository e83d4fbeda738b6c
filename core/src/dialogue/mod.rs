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

mod advance;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use smol_str::SmolStr;

use self::advance::{logged_in, under_tls};
use crate::command::Command;
use crate::content::Content;
use crate::conversation::Conversation;
use crate::delivery::{Ends, check_client, client_name, engine_config, listener};
use crate::engine::{Engine, Id, Protocol, Transaction};
use crate::envelope::{Envelope, Local};
use crate::error::{Error, Kind, Step};
use crate::extensions::Extensions;
use crate::link::Link;
use crate::message::Message;
use crate::opening::{Opening, check_credentials};
use crate::options::Options;
use crate::reply::Reply;
use crate::report::Report;
use crate::secret::Secret;
use crate::server::Server;
use crate::tls::{Layer, Secure, TlsFacts, Verify};

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
    /// The server's, in reports.
    name: SmolStr,
    options: Arc<Options>,
    library: Option<Arc<dyn Secure>>,
    ends: Ends,
    local: Local,
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
        options: impl Into<Arc<Options>>,
        library: Option<Arc<dyn Secure>>,
        ends: Ends,
        local: Local,
        can_redial: bool,
    ) -> Result<Self, Error> {
        let options = options.into();
        check_client(&options)?;
        check_credentials(&options)?;
        let client = client_name(&options, std::slice::from_ref(&server), local.host, ends.local);
        let mut engine = Engine::new(engine_config(&options, server.protocol, client));
        if let Some(listener) = listener(&options) {
            engine.listen(listener);
        }
        let mut dialogue = Self {
            link: Link::new(engine),
            name: server.target.to_string().into(),
            server,
            options,
            library,
            ends,
            local,
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
        let mut options = Options::clone(&self.options);
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
    pub fn send_message(&mut self, message: &Message, options: &Options) -> Result<Ticket, Error> {
        self.check_login(options)?;
        let envelope = Envelope::derive(message, options, &self.local)?;
        let content = message.prepare(&envelope.edits)?;
        let transaction = Box::new(Transaction {
            mail: envelope.mail,
            recipients: envelope.recipients,
            content: Box::new(content),
            at_least_one: options.atleastone,
            queue: options.queue,
        });
        Ok(self.send(transaction, options.tlsrequired || options.requiretls))
    }

    /// The same for a transaction that was prepared before. `needs_tls`: it must not go out in plain text.
    pub fn send(&mut self, transaction: Box<Transaction>, needs_tls: bool) -> Ticket {
        self.ask(Ask::Send { transaction, needs_tls })
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

    /// How many answers are there.
    pub fn answers(&self) -> usize {
        self.answers.len()
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

    /// The same, to keep.
    pub fn shared_options(&self) -> Arc<Options> {
        Arc::clone(&self.options)
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
