//! One open connection, driven verb by verb or message by message.

use std::io::BufRead;
use std::sync::Arc;

use socket2::Socket;

use super::batch::{Batch, SendMany};
use super::connection::{Connection, ends};
use super::dial::{check, dial};
use super::limits::Limits;
use super::process::Process;
use super::run::Wait;
use super::security::library;
use super::sendmessage::{dial_options, limits, local, with_debug};
use super::stream::Stream;
use crate::command::{ClientName, Command, Mail, Rcpt, Text};
use crate::content::Once;
use crate::conversation::Ends;
use crate::dialogue::{Answer, Dialogue, Ticket};
use crate::engine::Protocol;
use crate::error::{Error, Kind, Step};
use crate::extensions::Extensions;
use crate::message::Message;
use crate::options::Options;
use crate::reply::Reply;
use crate::report::{Report, SendError};
use crate::secret::Secret;
use crate::server::{Server, Target, servers};
use crate::tls::TlsFacts;

/// One open connection to a server.
///
/// Verbs answer with the server's [`Reply`] whatever it says; an `Err` means that there is none. EHLO is
/// said by itself before the first thing that needs it. Dropping a session closes the connection without QUIT.
///
/// In a child by fork(2) nothing is said on it: verbs fail with [`Kind::Usage`], and closing it only closes the child's
/// descriptor.
pub struct Session {
    process: Process,
    connection: Connection,
    dialogue: Dialogue,
}

impl Session {
    /// Connects to `host`, which may also be a URL as in option `servers`, and reads the greeting.
    /// `port` 0 is the default port.
    ///
    /// # Errors
    /// No connection, or a greeting that is not 220.
    pub fn open(host: &str, port: u16, options: &Options) -> Result<Self, Error> {
        let server = one_server(host, port, options)?;
        Self::begin(Connection::new(options)?, dialogue(server, options)?)
    }

    /// Takes over a connected stream socket on which nothing was said yet, and reads the greeting.
    /// `name` is the server's name, for certificates and reports.
    ///
    /// # Errors
    /// A socket that is not connected, or a greeting that is not 220.
    pub fn adopt(socket: impl Into<Socket>, name: &str, options: &Options) -> Result<Self, Error> {
        let stream = Stream::adopt(socket)?;
        let port = stream.peer().map_or(0, |peer| peer.port());
        let protocol = if options.lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        let target = Target::Tcp { host: name.to_owned(), port };
        let server = Server::new(target, protocol, options.tlsimport);
        let dialogue = dialogue_over(server, options, ends(&stream))?;
        Self::begin(Connection::over(stream, options)?, dialogue)
    }

    fn begin(connection: Connection, dialogue: Dialogue) -> Result<Self, Error> {
        let process = Process::current();
        let mut session = Self { process, connection, dialogue };
        let limits = limits(session.dialogue.options());
        session.reply(Dialogue::GREETING, &limits)?;
        Ok(session)
    }

    /// The server's greeting.
    pub fn greeting(&self) -> Option<&Reply> {
        self.dialogue.engine().greeting()
    }

    /// The extensions that the server offers, by EHLO, which is said first where it was not.
    ///
    /// # Errors
    /// No EHLO, HELO or LHLO was taken.
    pub fn server_options(&mut self) -> Result<&Extensions, Error> {
        self.introduce()?;
        Ok(self.dialogue.extensions())
    }

    /// The SASL mechanisms that the server offers.
    ///
    /// # Errors
    /// As for [`server_options`](Self::server_options).
    pub fn auth_types(&mut self) -> Result<&[String], Error> {
        self.introduce()?;
        Ok(self.dialogue.extensions().auth())
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
        let ticket = self.dialogue.data(Box::new(Once::new(content)));
        let limits = limits(self.dialogue.options());
        let report = self.sent(ticket, &limits);
        match &report.error {
            Some(error) if error.kind() != Kind::Refused => Err(SendError { error: error.clone(), report }),
            _ => Ok(*report),
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
        self.connection.close();
        reply
    }

    /// Any command, also [`Command::Raw`].
    ///
    /// # Errors
    /// No reply. STARTTLS is not for this: it changes the connection.
    pub fn command(&mut self, command: Command) -> Result<Reply, Error> {
        if matches!(command, Command::StartTls) {
            return Err(Error::usage(
                "STARTTLS changes the connection: use `starttls` instead of a plain command",
            ));
        }
        let limits = limits(self.dialogue.options());
        let ticket = self.dialogue.command(command);
        self.reply(ticket, &limits)
    }

    /// A verb of [`VERBS`](crate::command::VERBS) that is one command, by its name.
    ///
    /// # Errors
    /// No reply, or as for [`Verb::command`](crate::command::Verb::command).
    pub fn verb(&mut self, name: &str, arguments: &[&str]) -> Result<Reply, Error> {
        let limits = limits(self.dialogue.options());
        let ticket = self.dialogue.verb(name, arguments)?;
        let reply = self.reply(ticket, &limits);
        if name == "quit" {
            self.connection.close();
        }
        reply
    }

    /// STARTTLS (RFC 3207) and the handshake after it. Certificate and host name are verified unless option
    /// `tlsverify` is off. EHLO is said first where it was not; what the server offered before is forgotten, and EHLO
    /// is said again when it is needed. A login before it counts no longer (RFC 3207 section 4.2).
    ///
    /// # Errors
    /// No reply, or no TLS: the session is closed then. A refusal is a reply.
    pub fn starttls(&mut self) -> Result<Reply, Error> {
        let limits = limits(self.dialogue.options());
        let ticket = self.dialogue.starttls()?;
        self.reply(ticket, &limits)
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
        let limits = limits(self.dialogue.options());
        let ticket = self.dialogue.login(user, Secret::from(password), mechanism)?;
        self.done(ticket, &limits)
    }

    /// Sends a message with the envelope that the options, or its header section, give.
    ///
    /// # Errors
    /// A failed step, or that recipients were refused and nobody got the message, with the report. The session can be used on unless [`is_open`](Self::is_open) is false.
    pub fn send_message(&mut self, message: &Message, options: &Options) -> Result<Report, SendError> {
        let limits = limits(options);
        let ticket = self.ask(message, options, 0)?;
        self.sent(ticket, &limits).into_result()
    }

    /// Sends many messages with the session's options, and yields what became of each, in order. Where the server
    /// offers PIPELINING, the end of one message and the envelope of the next go out together (RFC 2920
    /// section 3.1): one round trip a message; with option `pipelining` `full` even less. Up to 64 messages are taken
    /// ahead of their reports; those that were taken are sent with what is done next on the session if the iterator is
    /// dropped before.
    pub fn send_many<I>(&mut self, messages: I) -> SendMany<'_, I::IntoIter>
    where
        I: IntoIterator<Item = Message>,
    {
        SendMany::new(self, messages.into_iter())
    }

    /// The same, message by message: for senders whose messages are not an iterator, or have options of their own.
    pub fn batch(&mut self) -> Batch<'_> {
        Batch::new(self)
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
        let message = Message::from_content(content)?;
        let mut options = self.dialogue.options().clone();
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
        if self.process.is_forked() {
            return self.connection.close();
        }
        self.connection.set_limits(limits(self.dialogue.options()));
        self.dialogue.part();
        self.connection.run(&mut self.dialogue, Wait::Block, Dialogue::is_closed);
        self.connection.close();
    }

    /// What is known of TLS; `None` where the session is in plain text.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.dialogue.tls()
    }

    /// Whether the connection can still be used.
    pub fn is_open(&self) -> bool {
        self.connection.stream().is_some() && !self.dialogue.engine().is_closed() && !self.process.is_forked()
    }

    /// The options that the session was opened with.
    pub fn options(&self) -> &Options {
        self.dialogue.options()
    }

    /// The same, to keep.
    pub fn shared_options(&self) -> Arc<Options> {
        self.dialogue.shared_options()
    }

    fn client(&self, name: Option<&str>) -> Result<ClientName, Error> {
        match name {
            Some(name) => ClientName::parse(name),
            None => Ok(self.dialogue.engine().config().client.clone()),
        }
    }

    fn introduce(&mut self) -> Result<(), Error> {
        let limits = limits(self.dialogue.options());
        let ticket = self.dialogue.introduce();
        self.done(ticket, &limits)
    }

    fn reply(&mut self, ticket: Ticket, limits: &Limits) -> Result<Reply, Error> {
        match self.wait(ticket, limits) {
            Some(Answer::Reply(reply)) => reply,
            _ => Err(self.gone()),
        }
    }

    fn done(&mut self, ticket: Ticket, limits: &Limits) -> Result<(), Error> {
        match self.wait(ticket, limits) {
            Some(Answer::Done(done)) => done,
            _ => Err(self.gone()),
        }
    }

    /// Asks for a message; nothing is written yet.
    pub(super) fn ask(&mut self, message: &Message, options: &Options, index: u64) -> Result<Ticket, Error> {
        options.refuse_mailer_options()?;
        self.dialogue.send_one_of(message, options, index)
    }

    /// Drops answers that nobody waits for any more.
    pub(super) fn forget_answers(&mut self) {
        self.dialogue.forget_answers();
    }

    pub(super) fn sent(&mut self, ticket: Ticket, limits: &Limits) -> Box<Report> {
        match self.wait(ticket, limits) {
            Some(Answer::Sent(report)) => report,
            _ => Box::new(Report { error: Some(self.gone()), ..Report::default() }),
        }
    }

    /// Runs until the answer is there.
    fn wait(&mut self, ticket: Ticket, limits: &Limits) -> Option<Answer> {
        if self.process.is_forked() {
            self.connection.close();
            return None;
        }
        self.connection.set_limits(limits.clone());
        loop {
            if let Some(answer) = self.dialogue.take_answer(ticket) {
                if self.dialogue.engine().is_closed() && !self.dialogue.wants_dial() {
                    // The server is to know why: a TLS alert may be left to write.
                    self.connection.run(&mut self.dialogue, Wait::Block, Dialogue::is_closed);
                    self.connection.close();
                }
                return Some(answer);
            }
            // Those of other messages stay until they are asked for.
            let known = self.dialogue.answers();
            self.connection.run(&mut self.dialogue, Wait::Block, |dialogue| dialogue.answers() > known);
            if self.dialogue.answers() == known {
                return None;
            }
        }
    }

    fn gone(&self) -> Error {
        if let Err(forked) = self.process.check("session") {
            return forked;
        }
        let fault = self.dialogue.engine().fault().cloned();
        let fault = fault.unwrap_or_else(|| Error::new(Kind::Closed, Step::Command, "the session is closed"));
        fault.with_server(self.dialogue.server().target.to_string())
    }
}

/// The server that `host`, which may also be a URL as in option `servers`, and `port` name; `port` 0 is the default.
///
/// # Errors
/// [`Kind::Usage`] where that is not a server, or a session with it or its TLS cannot be as the options say.
pub fn one_server(host: &str, port: u16, options: &Options) -> Result<Server, Error> {
    crate::opening::check(options)?;
    library(options)?;
    let mut one = options.clone();
    one.servers = vec![host.to_owned()];
    one.ports = if port == 0 { Vec::new() } else { vec![port] };
    if host.trim().is_empty() {
        return Err(Error::usage("the host is empty"));
    }
    let server = servers(&one)?.into_iter().next().ok_or_else(|| Error::usage("the host is empty"))?;
    check(&server.target)?;
    Ok(server)
}

/// The dialogue that [`Session`] drives, for an event loop: with a [`Connection`], or one that connects and moves the
/// bytes itself.
///
/// # Errors
/// As [`Dialogue::new`], and a TLS library that cannot be set up as the options say.
pub fn dialogue(server: Server, options: &Options) -> Result<Dialogue, Error> {
    options.refuse_mailer_options()?;
    Dialogue::new(server, with_debug(options), Some(library(options)?), local())
}

/// The same over a connection that the caller has made.
///
/// # Errors
/// As [`dialogue`].
pub fn dialogue_over(server: Server, options: &Options, ends: Ends) -> Result<Dialogue, Error> {
    options.refuse_mailer_options()?;
    Dialogue::over(server, with_debug(options), Some(library(options)?), local(), ends)
}

/// Connects to `server` as the options say: time-outs, local address, proxy. For drivers that speak over the
/// socket themselves.
///
/// # Errors
/// No connection.
pub fn connect(server: &Server, options: &Options) -> Result<Stream, Error> {
    let limits = limits(options);
    dial(&server.target, &dial_options(options, &limits)?)
}
