//! One open connection, driven verb by verb or message by message.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use socket2::Socket;

use super::batch::{Batch, SendMany};
use super::connection::{Connection, ends};
use super::dial::{check, dial};
use super::limits::{Limits, Owner};
use super::process::Process;
use super::run::Wait;
use super::security::library;
use super::sendmessage::{dial_options, limits, local, with_debug};
use super::stream::Stream;
use super::verbs::verbs;
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
use crate::server::{Server, Target, is_host_name, servers};
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
    owner: Owner,
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
        let (connection, server, ends) = adopted(socket.into(), name, options)?;
        Self::begin(connection, dialogue_over(server, options, ends)?)
    }

    fn begin(connection: Connection, dialogue: Dialogue) -> Result<Self, Error> {
        let process = Process::current();
        let owner = Owner::new("the session was freed by a function that it called");
        let mut session = Self { process, owner, connection, dialogue };
        let limits = limits(session.dialogue.options());
        session.reply(Dialogue::GREETING, &limits)?;
        Ok(session)
    }

    verbs!([] []);

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

    /// Whether the connection can still be used.
    pub fn is_open(&self) -> bool {
        self.connection.stream().is_some() && !self.dialogue.engine().is_closed() && !self.process.is_forked()
    }

    /// Set by a function that the session calls, it ends what the session does, as if it were dropped there: not one octet
    /// more is sent.
    #[doc(hidden)]
    pub fn over(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.owner.over)
    }

    /// The options that the session was opened with.
    pub fn options(&self) -> &Options {
        self.dialogue.options()
    }

    /// The same, to keep.
    pub fn shared_options(&self) -> Arc<Options> {
        self.dialogue.shared_options()
    }

    fn hang_up(&mut self) {
        self.connection.close();
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

    /// Runs until the answer is there.
    fn wait(&mut self, ticket: Ticket, limits: &Limits) -> Option<Answer> {
        if self.process.is_forked() {
            self.connection.close();
            return None;
        }
        self.connection.set_limits(Limits { owner: Some(self.owner.clone()), ..limits.clone() });
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
        gone(&self.dialogue)
    }
}

/// A connected socket as a connection to a server of this name, and its ends.
pub(super) fn adopted(
    socket: Socket,
    name: &str,
    options: &Options,
) -> Result<(Connection, Server, Ends), Error> {
    let stream = Stream::adopt(socket)?;
    if !is_host_name(name) {
        return Err(Error::usage(format!("{name:?} is not a server's name")));
    }
    let port = stream.peer().map_or(0, |peer| peer.port());
    let protocol = if options.lmtp { Protocol::Lmtp } else { Protocol::Smtp };
    let target = Target::Tcp { host: name.to_owned(), port };
    let (server, ends) = (Server::new(target, protocol, options.tlsimport), ends(&stream));
    Ok((Connection::over(stream, options)?, server, ends))
}

/// Why a session answers nothing more.
pub(super) fn gone(dialogue: &Dialogue) -> Error {
    let fault = dialogue.engine().fault().cloned();
    let fault = fault.unwrap_or_else(|| Error::new(Kind::Closed, Step::Command, "the session is closed"));
    fault.with_server(dialogue.server().target.to_string())
}

/// The server that `host`, which may also be a URL as in option `servers`, and `port` name; `port` 0 is the default.
///
/// # Errors
/// [`Kind::Usage`] if that is not a server, or a session with it or its TLS cannot be as the options say.
pub fn one_server(host: &str, port: u16, options: &Options) -> Result<Server, Error> {
    crate::opening::check(options)?;
    crate::envelope::Redirect::of(options)?;
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
    let mut stream = dial(&server.target, &dial_options(options, &limits)?)?;
    stream.keep_alive();
    Ok(stream)
}
