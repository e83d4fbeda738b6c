//! A session without any I/O: verbs and messages one after the other over one connection.
//!
//! A driver connects and moves bytes (see [`Driven`]), and looks for answers:
//!
//! ```text
//!   ask: command, data, starttls, login, introduce, send_message  ──> a Ticket
//!   poll_answer                                                   ──> Ticket and Answer
//!   action: Dial       close, connect to the server, then `connected` or `connect_failed`
//!           Exchange   move bytes
//!           Done       close
//! ```
//!
//! What is asked is done in its order. EHLO, STARTTLS and login happen by themselves before the first
//! message, as the options want them. Messages that are asked for together share round trips where the
//! server offers PIPELINING.

mod accessors;
mod advance;
mod driven;
mod setup;
mod split;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use smol_str::SmolStr;

use self::advance::{logged_in, under_tls};
use crate::command::{Command, Verb};
use crate::content::Content;
use crate::conversation::{Driven, Ends};
use crate::engine::{Id, Protocol, Timeouts, Transaction};
use crate::envelope::{Envelope, Kept, Local, Redirect};
use crate::error::{Error, Kind, Step};
use crate::link::Link;
use crate::message::Message;
use crate::opening::{Asking, Opening, check, check_functions, check_login, check_protection, guarded};
use crate::options::Options;
use crate::prepared::{Needs, Prepared};
use crate::reply::Reply;
use crate::report::{Attempt, Attempts, Report};
use crate::secret::Secret;
use crate::server::{Server, without_network};
use crate::times;
use crate::tls::{Layer, Secure, Verify};

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
    /// When this connection was made.
    made: Instant,
    local: Local,
    place: LinkState,
    /// A connection before this one mishandled grouped commands.
    is_ungrouped: bool,
    /// This machine has no name for EHLO but the address of its end.
    is_nameless: bool,
    /// Whether a driver that is asked to can connect (again).
    can_dial: bool,
    /// Connections that ended before this one, of which no report has told yet.
    earlier: Attempts,
    /// What is to be told of this one, as long as that does not change.
    attempt: Option<Arc<Attempt>>,
    /// How TLS and login went on this connection, as far as that is known.
    opening: Option<Opening>,
    /// The session is ready for messages, unless EHLO is due again.
    is_ready: bool,
    logged_in: bool,
    /// Of recipients that are named by a verb.
    redirect: Option<Redirect>,
    /// The last message that was to go by the session's own options.
    kept: Option<Kept>,
    asks: VecDeque<(Ticket, Ask)>,
    doing: Option<(Ticket, Doing)>,
    sending: VecDeque<Sending>,
    /// The message that the last new connection was made for.
    dialled_for: Option<Ticket>,
    answers: VecDeque<(Ticket, Answer)>,
    next: u64,
}

/// Where the connection stands, as far as the driver is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkState {
    /// The driver is to connect: for the first time, or again.
    Dial,
    /// There is a connection, or it has ended.
    Connected,
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
        needs: Needs,
    },
}

/// A message that the engine was asked to send.
struct Sending {
    ticket: Ticket,
    id: Id,
    needs: Needs,
    /// For recipients that this transaction leaves over.
    rest: Option<Box<split::Rest>>,
}

/// What is under way, beside messages.
enum Doing {
    /// A reply that is the answer.
    Reply(Id),
    /// The reply to EHLO that STARTTLS needs before it.
    HelloBefore(Id, Option<Box<dyn Layer>>),
    /// The reply to STARTTLS, and the layer for what follows it, unless the caller encrypts.
    StartTls(Id, Option<Box<dyn Layer>>),
    /// The handshake after the reply.
    Handshake(Reply),
    /// EHLO, TLS and login.
    Opening(Box<OpeningUp>),
}

struct OpeningUp {
    opening: Opening,
    purpose: Purpose,
    /// On a new connection: TLS failed on the one before, and the policy says `insecure`.
    plain: bool,
    /// On a new connection: what was asked for the login over the one before.
    asking: Option<Asking>,
}

/// What EHLO, TLS and login are for.
enum Purpose {
    /// Themselves.
    Introduction,
    /// The message that is the first that is asked for, and that needs these extensions.
    Message(SmallVec<[&'static str; 2]>),
    /// A login by these options.
    Login(Box<Options>),
}

impl OpeningUp {
    fn new(opening: Opening, purpose: Purpose) -> Box<Self> {
        Box::new(Self { opening, purpose, plain: false, asking: None })
    }

    /// The options of the login, or those of the session.
    fn options<'a>(&'a self, own: &'a Options) -> &'a Options {
        match &self.purpose {
            Purpose::Login(options) => options,
            Purpose::Introduction | Purpose::Message(_) => own,
        }
    }
}

impl Dialogue {
    /// The ticket of the server's greeting.
    pub const GREETING: Ticket = Ticket(0);

    /// A session with `server`, which the driver is to connect to. `library` makes the TLS layers; without one there is
    /// no TLS.
    ///
    /// # Errors
    /// [`Kind::Usage`] for options that no server can be greeted or logged in with.
    pub fn new(
        server: Server,
        options: impl Into<Arc<Options>>,
        library: Option<Arc<dyn Secure>>,
        local: Local,
    ) -> Result<Self, Error> {
        let options = options.into();
        check(&options)?;
        let redirect = Redirect::of(&options)?;
        Ok(Self { redirect, ..Self::checked(server, options, library, local) })
    }

    /// The same with options that were checked.
    pub(crate) fn checked(
        server: Server,
        options: Arc<Options>,
        library: Option<Arc<dyn Secure>>,
        local: Local,
    ) -> Self {
        let options = match &server.login {
            _ if server.is_agent() => Arc::new(without_network(&options)),
            Some(login) => Arc::new(login.over(&options)),
            None => options,
        };
        let name = setup::client_name(&options, &server, local.host);
        let is_nameless = name.is_none();
        let engine = setup::engine(&options, &server, name.unwrap_or_else(|| setup::literal(None)));
        Self {
            link: Link::new(engine),
            is_nameless,
            is_ungrouped: false,
            redirect: None,
            name: server.target.to_string().into(),
            server,
            options,
            library,
            ends: Ends::default(),
            made: times::now(),
            local,
            place: LinkState::Dial,
            can_dial: true,
            earlier: Attempts::new(),
            attempt: None,
            opening: None,
            is_ready: false,
            logged_in: false,
            kept: None,
            asks: VecDeque::new(),
            doing: Some((Self::GREETING, Doing::Reply(Id::GREETING))),
            sending: VecDeque::new(),
            dialled_for: None,
            answers: VecDeque::new(),
            next: 1,
        }
    }

    /// The same over a connection that the caller has made, and on which nothing was said yet. It is the only one.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn over(
        server: Server,
        options: impl Into<Arc<Options>>,
        library: Option<Arc<dyn Secure>>,
        local: Local,
        ends: Ends,
    ) -> Result<Self, Error> {
        let mut dialogue = Self::new(server, options, library, local)?;
        dialogue.can_dial = false;
        dialogue.connected(ends);
        Ok(dialogue)
    }

    // What may be asked.

    /// EHLO, TLS and login as the options want them, unless they were done already.
    pub fn introduce(&mut self) -> Ticket {
        self.ask(Ask::Introduce)
    }

    /// Any verb but STARTTLS, AUTH, DATA and BDAT. Answered by [`Answer::Reply`].
    pub fn command(&mut self, command: Command) -> Ticket {
        if let Command::Lhlo(_) = command {
            self.link.engine_mut().config_mut().protocol = Protocol::Lmtp;
        }
        let command = match &self.redirect {
            Some(redirect) => redirect.command(command),
            None => command,
        };
        self.ask(Ask::Verb(command))
    }

    /// A verb of [`VERBS`](crate::command::VERBS) that is one command, by its name. Answered by [`Answer::Reply`].
    ///
    /// # Errors
    /// As for [`Verb::command`]: nothing was asked.
    pub fn verb(&mut self, name: &str, arguments: &[&str]) -> Result<Ticket, Error> {
        let command = Verb::find(name)?.command(&self.link.engine().config().client, arguments)?;
        Ok(self.command(command))
    }

    /// STARTTLS and the handshake after it. Answered by [`Answer::Reply`]; an error closes the session. The
    /// certificate is verified unless option `tlsverify` is off. EHLO is said first if it was not; what the server
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

    /// Tells that the caller has set up TLS below the session: after [`starttls_below`](Self::starttls_below), or
    /// from the first byte. Whether the certificate is good is the caller's business then.
    pub fn tls_established(&mut self) {
        self.link.engine_mut().tls_established();
        self.advance();
    }

    /// A login (RFC 4954), once a connection, by one mechanism or by the strongest that succeeds. EHLO is said
    /// first if it was not, and STARTTLS where it is offered, unless option `usetls` is off. Answered by
    /// [`Answer::Done`]. For `XOAUTH2` and `OAUTHBEARER` the password is the token.
    ///
    /// The certificate must have been verified for that. Where TLS was set up before there was a secret to send,
    /// and nobody looked at the certificate, the session connects again and verifies it.
    ///
    /// # Errors
    /// [`Kind::Usage`] if the session is logged in.
    pub fn login(&mut self, user: &str, password: Secret, mechanism: Option<&str>) -> Result<Ticket, Error> {
        if self.logged_in {
            return Err(logged_in());
        }
        let mut options = Options::clone(&self.options);
        options.username = Some(user.to_owned());
        (options.password, options.oauthtoken) = (Some(password), None);
        if let Some(mechanism) = mechanism {
            match mechanism.to_ascii_uppercase().as_str() {
                "XOAUTH2" | "OAUTHBEARER" => options.oauthtoken = options.password.take().map(Into::into),
                "EXTERNAL" => options.password = None,
                _ => {}
            }
            options.auth = vec![mechanism.to_owned()];
        }
        check(&options)?;
        Ok(self.ask(Ask::Login(Box::new(options))))
    }

    /// DATA and the content, for the recipients that the verb RCPT got accepted. Answered by [`Answer::Sent`],
    /// whose `reply` is the final reply, or that to DATA where it was refused.
    pub fn data(&mut self, content: Box<dyn Content>) -> Ticket {
        self.ask(Ask::Data(content))
    }

    /// A message, with the envelope that `options` or its header section give. Answered by [`Answer::Sent`].
    /// What `options` say of servers, time-outs and the dialogue was settled when the session was opened; what they say of
    /// TLS, proxy and dialler must have been the same then.
    ///
    /// # Errors
    /// [`Kind::Usage`] and [`Kind::Source`]: nothing was said. Usage too where `options` want a login that the
    /// session was not opened with and does not have.
    pub fn send_message(&mut self, message: &Message, options: &Options) -> Result<Ticket, Error> {
        self.send_one_of(message, options, self.next)
    }

    /// The same where option `commit` is to know the message by `index`, and not by the number of its ticket.
    ///
    /// # Errors
    /// As [`send_message`](Self::send_message).
    pub fn send_one_of(&mut self, message: &Message, options: &Options, index: u64) -> Result<Ticket, Error> {
        if !self.logged_in && !self.server.is_agent() {
            check_login(options, &self.options, "session")?;
        }
        if !self.server.is_agent() {
            check_protection(options, &self.options, "session")?;
        }
        check_functions(options, &self.options, "session")?;
        let own = Arc::clone(&self.options);
        let options = &*guarded(options, &own, "session")?;
        let index = own.names_messages().then_some(index);
        let envelope = self.envelope(message, options)?;
        let (transaction, needs) = Prepared::once(message, options, &self.local, index, &envelope)?;
        if let Some(token) = &options.oauthtoken
            && self.options.oauthtoken.is_some()
        {
            // For the login that is to come, now or over a new connection.
            Arc::make_mut(&mut self.options).oauthtoken = Some(token.clone());
        }
        Ok(self.send(transaction, needs))
    }

    fn envelope(&mut self, message: &Message, options: &Options) -> Result<Envelope, Error> {
        if !std::ptr::eq(options, &raw const *self.options) {
            return Envelope::derive(message, options, &self.local);
        }
        if let Some(envelope) = self.kept.as_ref().and_then(|kept| kept.envelope(message)) {
            return Ok(envelope.clone());
        }
        let envelope = Envelope::derive(message, options, &self.local)?;
        self.kept = Kept::after(self.kept.take(), message, &envelope);
        Ok(envelope)
    }

    /// The same for a message that was [prepared](Prepared) before.
    #[doc(hidden)]
    pub fn send(&mut self, transaction: Box<Transaction>, needs: Needs) -> Ticket {
        self.ask(Ask::Send { transaction, needs })
    }

    /// Queues QUIT after everything asked so far; does not wait for its reply.
    pub fn part(&mut self) {
        if self.place == LinkState::Dial {
            return self.connect_failed(Error::new(Kind::Closed, Step::Connect, "the session was closed"));
        }
        self.link.engine_mut().part();
        self.advance();
    }

    /// Sets how long the server may take from now on, for everything: for a caller whose socket has a time-out of its own.
    pub fn set_timeout(&mut self, limit: Duration) {
        self.link.engine_mut().config_mut().timeouts = Timeouts::all(limit);
    }

    /// The next answer, in the order in which they were decided.
    pub fn poll_answer(&mut self) -> Option<(Ticket, Answer)> {
        self.answers.pop_front()
    }

    /// The answer to one ticket, where it is there.
    pub fn take_answer(&mut self, ticket: Ticket) -> Option<Answer> {
        let index = self.answers.iter().position(|(own, _)| *own == ticket)?;
        self.answers.remove(index).map(|(_, answer)| answer)
    }

    /// Drops answers that nobody waits for any more.
    pub fn forget_answers(&mut self) {
        self.answers.clear();
    }

    /// How many answers are there.
    pub fn answers(&self) -> usize {
        self.answers.len()
    }

    /// Whether an answer is there.
    pub fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Gathers what may be written now; whether an answer is there, or the connection is to be closed.
    pub(crate) fn gather(&mut self) -> bool {
        // What is gathered may fail before an octet has left, or end the connection (a token, a mechanism, a reader). Then the turn is
        // that of the next thing asked, which may fail as well: nobody comes back for it while there is nothing to write.
        while self.place == LinkState::Connected {
            self.ask_token();
            if self.place == LinkState::Dial || !self.link.gather() {
                break;
            }
            let closed = !self.link.engine().has_events();
            self.advance();
            if closed {
                break;
            }
        }
        self.has_answers() || self.is_closed()
    }

    /// What was gathered.
    pub(crate) fn output(&self) -> &[u8] {
        if self.place == LinkState::Dial { &[] } else { self.link.output() }
    }

    fn ask(&mut self, ask: Ask) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.asks.push_back((ticket, ask));
        self.advance();
        ticket
    }
}
