//! One open connection, driven verb by verb or message by message.

use std::io::BufRead;
use std::net::SocketAddr;

use socket2::Socket;

use super::dial::dial;
use super::limits::Limits;
use super::run::{READ, run};
use super::security::library;
use super::sendmessage::{SendError, dial_options, ends, limits, local, with_debug};
use super::stream::Stream;
use crate::command::{ClientName, Command, Mail, Rcpt, Text};
use crate::content::Once;
use crate::delivery::{check_client, client_name, engine_config, listener};
use crate::engine::{Engine, Event, Id, Protocol, Transaction};
use crate::envelope::Envelope;
use crate::error::{Error, Kind, Step};
use crate::extensions::Extensions;
use crate::link::Link;
use crate::message::Message;
use crate::opening::{Opening, Progress, check_credentials};
use crate::options::Options;
use crate::reply::Reply;
use crate::report::{Attempt, Report};
use crate::secret::Secret;
use crate::server::{Server, Target, servers};
use crate::tls::{Layer, TlsFacts, Verify, VerifyFault};

/// One open connection to a server.
///
/// Verbs answer with the server's [`Reply`] whatever it says; an `Err` means that there is none. EHLO is
/// said by itself before the first thing that needs it. Dropping a session closes the connection without QUIT.
pub struct Session {
    stream: Option<Stream>,
    link: Link,
    options: Options,
    server: Server,
    /// Whether `server` can be dialled again.
    dialled: bool,
    loopback: bool,
    peer: Option<SocketAddr>,
    /// How TLS and login went, once they did.
    opening: Option<Opening>,
    logged_in: bool,
    buffer: Vec<u8>,
}

impl Session {
    /// Connects to `host`, which may also be a URL as in option `servers`, and reads the greeting.
    /// `port` 0 is the default port.
    ///
    /// # Errors
    /// No connection, or a greeting that is not 220.
    pub fn open(host: &str, port: u16, options: &Options) -> Result<Self, Error> {
        check_client(options)?;
        check_credentials(options)?;
        let mut one = options.clone();
        one.servers = vec![host.to_owned()];
        one.ports = if port == 0 { Vec::new() } else { vec![port] };
        let Some(server) = servers(&one)?.into_iter().next() else {
            return Err(Error::usage("the host is empty"));
        };
        let limits = limits(options);
        let stream = connect(&server, options, &limits)?;
        Self::begin(stream, server, options, &limits, true)
    }

    /// Takes over a connected stream socket on which nothing was said yet, and reads the greeting.
    /// `name` is the server's name, for certificates and reports.
    ///
    /// # Errors
    /// A socket that is not connected, or a greeting that is not 220.
    pub fn adopt(socket: impl Into<Socket>, name: &str, options: &Options) -> Result<Self, Error> {
        check_client(options)?;
        check_credentials(options)?;
        let stream = Stream::adopt(socket)?;
        let port = stream.peer().map_or(0, |peer| peer.port());
        let protocol = if options.lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        let target = Target::Tcp { host: name.to_owned(), port };
        let server = Server { target, protocol, tls: options.tlsimport };
        Self::begin(stream, server, options, &limits(options), false)
    }

    fn begin(
        stream: Stream,
        server: Server,
        options: &Options,
        limits: &Limits,
        dialled: bool,
    ) -> Result<Self, Error> {
        let options = with_debug(options);
        let ends = ends(&stream);
        let client = client_name(&options, std::slice::from_ref(&server), &local().host, ends.local);
        let mut engine = Engine::new(engine_config(&options, server.protocol, client));
        if let Some(listener) = listener(&options) {
            engine.listen(listener);
        }
        let mut session = Self {
            stream: Some(stream),
            link: Link::new(engine),
            options,
            server,
            dialled,
            loopback: ends.loopback,
            peer: ends.peer,
            opening: None,
            logged_in: false,
            buffer: vec![0; READ],
        };
        let mut opening = session.new_opening(&session.options, false)?;
        opening.begin(&mut session.link)?;
        session.greeted(limits)?;
        Ok(session)
    }

    /// The server's greeting.
    pub fn greeting(&self) -> Option<&Reply> {
        self.link.engine().greeting()
    }

    /// The extensions that the server offers, by EHLO, which is said first where it was not.
    ///
    /// # Errors
    /// No EHLO, HELO or LHLO was taken.
    pub fn server_options(&mut self) -> Result<&Extensions, Error> {
        self.introduce()?;
        Ok(self.link.engine().extensions())
    }

    /// The SASL mechanisms that the server offers.
    ///
    /// # Errors
    /// As for [`server_options`](Self::server_options).
    pub fn auth_types(&mut self) -> Result<&[String], Error> {
        self.introduce()?;
        Ok(self.link.engine().extensions().auth())
    }

    /// EHLO (RFC 5321 section 4.1.1.1). `None`: the name of option `client`.
    ///
    /// # Errors
    /// No reply, or a name that is neither a domain nor an address literal.
    pub fn ehlo(&mut self, name: Option<&str>) -> Result<Reply, Error> {
        let name = self.client(name)?;
        self.command(Command::Ehlo(name))
    }

    /// HELO (RFC 5321 section 4.1.1.1). `None`: the name of option `client`.
    ///
    /// # Errors
    /// As for [`ehlo`](Self::ehlo).
    pub fn helo(&mut self, name: Option<&str>) -> Result<Reply, Error> {
        let name = self.client(name)?;
        self.command(Command::Helo(name))
    }

    /// LHLO (RFC 2033 section 4.1). `None`: the name of option `client`. From here on the session is LMTP.
    ///
    /// # Errors
    /// As for [`ehlo`](Self::ehlo).
    pub fn lhlo(&mut self, name: Option<&str>) -> Result<Reply, Error> {
        let name = self.client(name)?;
        self.link.engine_mut().config_mut().protocol = Protocol::Lmtp;
        self.command(Command::Lhlo(name))
    }

    /// MAIL FROM (RFC 5321 section 4.1.1.2). Says no EHLO by itself.
    ///
    /// # Errors
    /// No reply.
    pub fn mail(&mut self, mail: Mail) -> Result<Reply, Error> {
        self.command(Command::Mail(mail))
    }

    /// RCPT TO (RFC 5321 section 4.1.1.3).
    ///
    /// # Errors
    /// No reply.
    pub fn rcpt(&mut self, rcpt: Rcpt) -> Result<Reply, Error> {
        self.command(Command::Rcpt(rcpt))
    }

    /// DATA and the content, for the recipients that [`rcpt`](Self::rcpt) got accepted. The report's `reply` is
    /// the final reply, or that to DATA where it was refused; with LMTP each recipient has its own.
    ///
    /// # Errors
    /// No reply. [`Kind::Unknown`] where the content was sent whole.
    pub fn data(&mut self, content: Box<dyn BufRead + Send>) -> Result<Report, SendError> {
        let id = self.link.engine_mut().data(Box::new(Once::new(content)));
        let limits = limits(&self.options);
        let report = self.sent(id, &limits);
        match &report.error {
            Some(error) if error.kind() != Kind::Refused => {
                Err(SendError { error: error.clone(), report: Box::new(report) })
            }
            _ => Ok(report),
        }
    }

    /// RSET (RFC 5321 section 4.1.1.5).
    ///
    /// # Errors
    /// No reply.
    pub fn rset(&mut self) -> Result<Reply, Error> {
        self.command(Command::Rset)
    }

    /// NOOP (RFC 5321 section 4.1.1.9).
    ///
    /// # Errors
    /// No reply.
    pub fn noop(&mut self) -> Result<Reply, Error> {
        self.command(Command::Noop(None))
    }

    /// VRFY (RFC 5321 section 4.1.1.6).
    ///
    /// # Errors
    /// No reply, or a name with control characters in it.
    pub fn vrfy(&mut self, name: &str) -> Result<Reply, Error> {
        self.command(Command::Vrfy(Text::new(name)?))
    }

    /// EXPN (RFC 5321 section 4.1.1.7).
    ///
    /// # Errors
    /// As for [`vrfy`](Self::vrfy).
    pub fn expn(&mut self, list: &str) -> Result<Reply, Error> {
        self.command(Command::Expn(Text::new(list)?))
    }

    /// HELP (RFC 5321 section 4.1.1.8), on a topic or in general.
    ///
    /// # Errors
    /// As for [`vrfy`](Self::vrfy).
    pub fn help(&mut self, topic: Option<&str>) -> Result<Reply, Error> {
        let topic = topic.map(Text::new).transpose()?;
        self.command(Command::Help(topic))
    }

    /// QUIT (RFC 5321 section 4.1.1.10), and waits for the reply. The session is closed then.
    ///
    /// # Errors
    /// No reply.
    pub fn quit(&mut self) -> Result<Reply, Error> {
        let reply = self.command(Command::Quit);
        self.stream = None;
        reply
    }

    /// Any command, also [`Command::Raw`].
    ///
    /// # Errors
    /// No reply. STARTTLS is not for this: it changes the connection.
    pub fn command(&mut self, command: Command) -> Result<Reply, Error> {
        if matches!(command, Command::StartTls) {
            return Err(Error::usage("STARTTLS changes the connection: it is no plain command"));
        }
        let limits = limits(&self.options);
        let id = self.link.engine_mut().command(command);
        self.reply(id, &limits)
    }

    /// STARTTLS (RFC 3207) and the handshake behind it. Certificate and host name are verified unless option
    /// `tlsverify` is off. EHLO is said first where it was not; what the server offered before is forgotten, and EHLO is
    /// said again when it is needed.
    ///
    /// A login before it counts no longer (RFC 3207 section 4.2).
    ///
    /// # Errors
    /// No reply, or no TLS: the session is closed then. A refusal is a reply.
    pub fn starttls(&mut self) -> Result<Reply, Error> {
        if self.link.engine().is_encrypted() {
            return Err(Error::usage("the session is under TLS already"));
        }
        let limits = limits(&self.options);
        let library = library(&self.options)?;
        let layer = library.start(self.server.host(), Verify::Require)?;
        if !self.link.engine().is_introduced() {
            // Some servers know no STARTTLS that they did not offer yet.
            let id = self.link.engine_mut().hello();
            self.reply(id, &limits)?;
        }
        let id = self.link.engine_mut().command(Command::StartTls);
        match self.event(id, &limits) {
            Some(Event::StartTls(_, reply)) => {
                if !self.link.engine().is_closed() {
                    self.link.secure(layer);
                    self.run(&limits, |link| !link.is_shaking() || link.is_closed());
                }
                if self.link.is_shaking() || self.link.engine().is_closed() {
                    self.stream = None;
                    return Err(self.gone());
                }
                self.logged_in = false;
                self.opening = None;
                Ok(reply)
            }
            Some(Event::Reply(_, reply)) => Ok(reply),
            Some(Event::Failed(_, error)) => Err(error.with_server(self.name())),
            Some(Event::Sent(..)) | None => Err(self.gone()),
        }
    }

    /// Logs in (RFC 4954), once a connection. `mechanism` is one of [`auth_types`](Self::auth_types);
    /// `None` tries the strongest first, each in turn. EHLO is said first where it was not, and STARTTLS where it is
    /// offered, unless option `usetls` is off.
    ///
    /// The certificate must have been verified for that. Where TLS was set up before there was a secret to send,
    /// and nobody looked at the certificate, the session connects again and verifies it.
    ///
    /// # Errors
    /// [`Kind::Login`] where no login succeeded, [`Kind::Tls`] where it would not be safe.
    pub fn authenticate(&mut self, user: &str, password: &str, mechanism: Option<&str>) -> Result<(), Error> {
        if self.logged_in {
            return Err(Error::usage(
                "the session is logged in already: RFC 4954 allows one login a connection",
            ));
        }
        let limits = limits(&self.options);
        let mut options = self.options.clone();
        options.username = Some(user.to_owned());
        options.password = Some(Secret::from(password));
        options.oauthtoken = None;
        if let Some(mechanism) = mechanism {
            match mechanism.to_ascii_uppercase().as_str() {
                "XOAUTH2" | "OAUTHBEARER" => options.oauthtoken = options.password.take(),
                "EXTERNAL" => options.password = None,
                _ => {}
            }
            options.auth = vec![mechanism.to_owned()];
        }
        check_credentials(&options)?;
        let (opening, progress) = match self.distrust() {
            None => {
                let mut opening = self.new_opening(&options, false)?;
                let progress = opening.resume(&mut self.link, false);
                (opening, progress)
            }
            Some(VerifyFault::NotChecked) if self.dialled => self.redial(&options, false, &limits)?,
            Some(fault) => {
                let text = format!("the certificate {fault}, so that nothing secret is sent");
                return Err(Error::new(Kind::Tls, Step::Auth, text).with_server(self.name()));
            }
        };
        self.go_on(&options, opening, progress, &limits)
    }

    /// Sends a message with the envelope that the options, or its header section, give.
    ///
    /// # Errors
    /// A failed step, with the report. The session can be used on unless [`is_open`](Self::is_open) is false.
    pub fn send_message(&mut self, message: &Message, options: &Options) -> Result<Report, SendError> {
        let envelope = Envelope::derive(message, options, &local())?;
        let content = message.prepare(&envelope.edits)?;
        let limits = limits(options);
        self.introduce()?;
        self.check_tls(options)?;
        let id = self.link.engine_mut().send(Transaction {
            mail: envelope.mail,
            recipients: envelope.recipients,
            content: Box::new(content),
            at_least_one: options.atleastone,
            queue: options.queue,
        });
        let mut report = self.sent(id, &limits);
        report.error = report.error.map(|error| error.with_server(self.name()));
        report.attempts.push(self.attempt(report.error.clone()));
        match &report.error {
            None => Ok(report),
            Some(error) => Err(SendError { error: error.clone(), report: Box::new(report) }),
        }
    }

    /// Sends content to `to`, `cc` and `bcc`: plain text, or a finished message, told apart by its own header
    /// section (a `MIME-Version` field). Lists are RFC 5322 address lists; empty ones are none.
    ///
    /// # Errors
    /// As for [`send_message`](Self::send_message).
    pub fn send(
        &mut self,
        from: &str,
        to: &str,
        cc: &str,
        bcc: &str,
        subject: &str,
        content: &[u8],
    ) -> Result<Report, SendError> {
        let message = token(content)?;
        let mut options = self.options.clone();
        options.originator = None;
        options.recipients = None;
        for (name, value) in [("From", from), ("To", to), ("Cc", cc), ("Bcc", bcc), ("Subject", subject)] {
            if !value.is_empty() {
                options.header.push((name.to_owned(), value.to_owned()));
            }
        }
        self.send_message(&message, &options)
    }

    /// Says QUIT without waiting for its reply, and closes the connection.
    pub fn close(mut self) {
        self.part();
    }

    /// What [`close`](Self::close) does, for those who cannot give the session away.
    pub fn part(&mut self) {
        let limits = limits(&self.options);
        self.link.engine_mut().part();
        self.run(&limits, Link::is_closed);
        self.stream = None;
    }

    /// What is known of TLS; `None` where the session is in plain text.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.link.layer().map(Layer::facts)
    }

    /// Whether the connection can still be used.
    pub fn is_open(&self) -> bool {
        self.stream.is_some() && !self.link.engine().is_closed()
    }

    /// The options that the session was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    fn client(&self, name: Option<&str>) -> Result<ClientName, Error> {
        match name {
            Some(name) => ClientName::parse(name),
            None => Ok(self.link.engine().config().client.clone()),
        }
    }

    /// EHLO, TLS and login as the options want them, unless they were had already.
    fn introduce(&mut self) -> Result<(), Error> {
        if self.opening.is_some() && self.link.engine().is_introduced() {
            return Ok(());
        }
        let limits = limits(&self.options);
        let options = self.options.clone();
        let mut opening = self.new_opening(&options, false)?;
        let progress = opening.resume(&mut self.link, self.logged_in);
        self.go_on(&options, opening, progress, &limits)
    }

    /// What speaks against the certificate of a session under TLS, where it was to verify.
    fn distrust(&self) -> Option<VerifyFault> {
        let facts = self.tls().filter(|facts| self.options.tlsverify && !facts.verified && !facts.pinned)?;
        Some(facts.why_not.clone().unwrap_or(VerifyFault::NotChecked))
    }

    /// A message may want more of TLS than the session did when it began.
    fn check_tls(&self, options: &Options) -> Result<(), Error> {
        if !options.tlsrequired && !options.requiretls {
            return Ok(());
        }
        let text = match self.distrust() {
            _ if !self.link.engine().is_encrypted() => "the session is in plain text".to_owned(),
            Some(fault) => format!("the certificate {fault}"),
            None => return Ok(()),
        };
        let text = format!("{text}, and TLS is required: open the session with option `tlsrequired`");
        Err(Error::new(Kind::Tls, Step::Tls, text).with_server(self.name()))
    }

    fn new_opening(&self, options: &Options, plain: bool) -> Result<Opening, Error> {
        Ok(Opening::new(&self.server, options, Some(library(options)?), self.loopback, plain))
    }

    fn go_on(
        &mut self,
        options: &Options,
        mut opening: Opening,
        mut progress: Progress,
        limits: &Limits,
    ) -> Result<(), Error> {
        loop {
            match progress {
                Progress::Ready => {
                    self.logged_in |= opening.logins().last().is_some_and(|login| login.error.is_none());
                    self.opening = Some(opening);
                    return Ok(());
                }
                Progress::Failed(error) => {
                    self.opening = None;
                    return Err(error.with_server(self.name()));
                }
                Progress::Redial => {
                    (opening, progress) = self.redial(options, true, limits)?;
                    continue;
                }
                Progress::Going if self.link.engine().has_events() => {}
                Progress::Going if self.link.engine().is_closed() => return Err(self.gone()),
                Progress::Going => {
                    let shaking = self.link.is_shaking();
                    self.run(limits, |link| {
                        link.engine().has_events() || link.is_shaking() != shaking || link.is_closed()
                    });
                }
            }
            progress = match self.link.engine_mut().poll_event() {
                Some(event) => opening.step(&mut self.link, event),
                None => opening.look(&mut self.link),
            };
        }
    }

    /// Connects again: to go on in plain text where the policy said so, or to verify what was not.
    fn redial(
        &mut self,
        options: &Options,
        plain: bool,
        limits: &Limits,
    ) -> Result<(Opening, Progress), Error> {
        self.stream = None;
        if !self.dialled {
            return Err(self.gone());
        }
        let stream = connect(&self.server, options, limits)?;
        let ends = ends(&stream);
        (self.peer, self.loopback) = (ends.peer, ends.loopback);
        let listener = self.link.engine_mut().take_listener();
        let mut engine = Engine::new(self.link.engine().config().clone());
        if let Some(listener) = listener {
            engine.listen(listener);
        }
        self.stream = Some(stream);
        self.link = Link::new(engine);
        self.opening = None;
        self.logged_in = false;
        let mut opening = self.new_opening(options, plain)?;
        opening.begin(&mut self.link)?;
        self.greeted(limits)?;
        let progress = opening.resume(&mut self.link, false);
        Ok((opening, progress))
    }

    /// Reads the greeting, behind TLS where that comes first.
    fn greeted(&mut self, limits: &Limits) -> Result<(), Error> {
        let greeting = self.reply(Id::GREETING, limits);
        if greeting.is_err() {
            // The server is to know why.
            self.run(limits, Link::is_closed);
            if self.link.is_shaking() {
                return Err(self.gone());
            }
        }
        greeting.map(drop)
    }

    fn attempt(&self, error: Option<Error>) -> Attempt {
        let mut attempt = Attempt { peer: self.peer, error, ..Attempt::new(self.name()) };
        attempt.tls = self.tls().cloned();
        if let Some(opening) = &self.opening {
            attempt.policy = opening.answer();
            attempt.logins = opening.logins().to_vec();
        }
        attempt
    }

    fn name(&self) -> String {
        self.server.target.to_string()
    }

    fn run(&mut self, limits: &Limits, done: impl Fn(&mut Link) -> bool) {
        if let Some(stream) = &mut self.stream {
            run(stream, &mut self.link, limits, &mut self.buffer, done);
        }
    }

    /// Runs until the answer to a hello, a verb or the greeting is there.
    fn reply(&mut self, id: Id, limits: &Limits) -> Result<Reply, Error> {
        match self.event(id, limits) {
            Some(Event::Reply(_, reply) | Event::StartTls(_, reply)) => Ok(reply),
            Some(Event::Failed(_, error)) => Err(error.with_server(self.name())),
            Some(Event::Sent(..)) | None => Err(self.gone()),
        }
    }

    /// Runs until a message has its outcome.
    fn sent(&mut self, id: Id, limits: &Limits) -> Report {
        match self.event(id, limits) {
            Some(Event::Sent(_, report)) => *report,
            _ => Report { error: Some(self.gone()), ..Report::default() },
        }
    }

    fn gone(&self) -> Error {
        let fault = self.link.engine().fault().cloned();
        let fault = fault.unwrap_or_else(|| Error::new(Kind::Closed, Step::Command, "the session is closed"));
        fault.with_server(self.name())
    }

    fn event(&mut self, id: Id, limits: &Limits) -> Option<Event> {
        let mut answered = self.take_event(id);
        while answered.is_none() && !self.link.is_closed() {
            self.run(limits, |link| link.engine().has_events() || link.is_closed());
            let nothing = !self.link.engine().has_events();
            answered = self.take_event(id);
            if nothing {
                break;
            }
        }
        if self.link.is_closed() {
            self.stream = None;
        }
        answered
    }

    fn take_event(&mut self, id: Id) -> Option<Event> {
        while let Some(event) = self.link.engine_mut().poll_event() {
            let own = match &event {
                Event::Reply(other, _) | Event::StartTls(other, _) => *other == id,
                Event::Sent(other, _) => *other == id,
                Event::Failed(other, _) => *other == id,
            };
            if own {
                return Some(event);
            }
        }
        None
    }
}

fn connect(server: &Server, options: &Options, limits: &Limits) -> Result<Stream, Error> {
    dial(&server.target, &dial_options(options, limits)?)
        .map_err(|error| error.with_server(server.target.to_string()))
}

/// The token for a content that is plain text, or a message already: one that says `MIME-Version`.
fn token(content: &[u8]) -> Result<Message, Error> {
    let finished = Message::from_bytes(content);
    if !finished.header("MIME-Version")?.is_empty() {
        return Ok(finished);
    }
    match std::str::from_utf8(content) {
        Ok(text) => Ok(Message::text(text)),
        Err(error) => {
            let text = format!(
                "the content is no UTF-8 (octet {}), and no message with a MIME-Version field that could say what it is",
                error.valid_up_to()
            );
            Err(Error::usage(text))
        }
    }
}
