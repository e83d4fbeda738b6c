//! One open connection, driven verb by verb or message by message, and awaited.

use std::future::poll_fn;
use std::io::BufRead;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use socket2::Socket;

use super::many::{Items, SendMany};
use super::wire::Wire;
use crate::command::{ClientName, Command, Mail, Rcpt, Text};
use crate::content::Once;
use crate::conversation::Conversation;
use crate::dialogue::{Answer, Dialogue, Ticket};
use crate::error::{Error, Kind, Step};
use crate::extensions::Extensions;
use crate::message::Message;
use crate::net::limits::Limits;
use crate::net::sendmessage::limits;
use crate::net::session::{adopted, dialogue, dialogue_over, gone, one_server};
use crate::net::verbs::verbs;
use crate::options::Options;
use crate::reply::Reply;
use crate::report::{Report, SendError};
use crate::secret::Secret;
use crate::tls::TlsFacts;

/// One open connection to a server. As [`smtpclient::Session`](crate::Session), awaited.
///
/// ```no_run
/// use smtpclient::{Message, Options, tokio::Session};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let options = Options::default();
/// let mut session = Session::open("mail.example.org", 587, &options).await?;
/// println!("{}", session.vrfy("postmaster").await?);
/// let report = session.send_message(&Message::from_file("message.eml"), &options).await?;
/// println!("{} octets", report.octets);
/// session.quit().await?;
/// # Ok(())
/// # }
/// ```
///
/// Verbs answer with the server's [`Reply`] whatever it says; an `Err` means that there is none. EHLO is
/// said by itself before the first thing that needs it. Dropping a session closes the connection without QUIT; dropping a future
/// of it does the same, and the session says so from then on ([module](super#what-is-dropped)).
pub struct Session {
    wire: Wire,
    dialogue: Dialogue,
    /// What it was opened with: those of the dialogue call the caller's functions in threads.
    options: Arc<Options>,
}

impl Session {
    /// Connects to `host`, which may also be a URL as in option `servers`, and reads the greeting.
    /// `port` 0 is the default port.
    ///
    /// # Errors
    /// No connection, a greeting that is not 220, or no runtime.
    pub async fn open(host: &str, port: u16, options: &Options) -> Result<Self, Error> {
        let server = one_server(host, port, options)?;
        let (wire, options) = (Wire::new(options)?, Arc::new(options.clone()));
        let dialogue = dialogue(server, &wire.for_task(&options))?;
        Self { wire, dialogue, options }.begin().await
    }

    /// Takes over a connected stream socket on which nothing was said yet, and reads the greeting: one of `std` or `socket2`, or
    /// what `into_std` makes of one of tokio's. `name` is the server's name, for certificates and reports.
    ///
    /// # Errors
    /// A socket that is not connected, a greeting that is not 220, or no runtime.
    pub async fn adopt(socket: impl Into<Socket>, name: &str, options: &Options) -> Result<Self, Error> {
        let (connection, server, ends) = adopted(socket.into(), name, options)?;
        let (wire, options) = (Wire::over(connection)?, Arc::new(options.clone()));
        let dialogue = dialogue_over(server, &wire.for_task(&options), ends)?;
        Self { wire, dialogue, options }.begin().await
    }

    async fn begin(mut self) -> Result<Self, Error> {
        let limits = limits(&self.options);
        self.reply(Dialogue::GREETING, &limits).await?;
        Ok(self)
    }

    verbs!([async] [.await]);

    /// Sends many messages with the session's options, of an iterator, and gives what became of each: its number, from 0, and its
    /// report, in order, also for those that failed ([`Report::failure`], [`Report::into_result`]). Up to 64 messages are taken ahead of
    /// their reports and share round trips, as with [`smtpclient::Session::send_many`](crate::Session::send_many).
    ///
    /// ```no_run
    /// use smtpclient::{Message, Options, tokio::Session};
    ///
    /// # async fn example() -> Result<(), smtpclient::Error> {
    /// let mut session = Session::open("mail.example.org", 25, &Options::default()).await?;
    /// let messages = ["monday.eml", "tuesday.eml"].map(Message::from_file);
    /// let mut reports = session.send_many(messages);
    /// while let Some((number, report)) = reports.next().await {
    ///     println!("message {number}: {} of {} refused", report.refused().count(), report.recipients.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_many<I>(&mut self, messages: I) -> SendMany<'_, Items<I::IntoIter>>
    where
        I: IntoIterator<Item = Message>,
    {
        self.send_stream(Items::new(messages.into_iter()))
    }

    /// The same for a stream of messages. While it has none, those that were taken go on their way.
    pub fn send_stream<S: Stream<Item = Message> + Unpin>(&mut self, messages: S) -> SendMany<'_, S> {
        SendMany::new(self, messages)
    }

    /// Says QUIT without waiting for its reply, and closes the connection.
    pub async fn close(mut self) {
        self.wire.set_limits(limits(&self.options));
        self.dialogue.part();
        poll_fn(|cx| self.wire.poll(cx, &mut self.dialogue, Dialogue::is_closed)).await;
    }

    /// Whether the connection can still be used.
    pub fn is_open(&self) -> bool {
        self.wire.is_open() && !self.dialogue.engine().is_closed()
    }

    /// The options that the session was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    fn hang_up(&mut self) {
        self.wire.close();
    }

    /// Asks for a message; nothing is written yet.
    pub(super) fn ask(&mut self, message: &Message, options: &Options, index: u64) -> Result<Ticket, Error> {
        options.refuse_mailer_options()?;
        if options.commit.is_none() && options.oauthtoken.is_none() {
            return self.dialogue.send_one_of(message, options, index);
        }
        let mut own = Options::clone(&self.wire.for_logins(&Arc::new(options.clone())));
        if let (Some(commit), Some(known)) = (&own.commit, &self.options.commit)
            && commit.is_same(known)
        {
            own.commit.clone_from(&self.dialogue.options().commit);
        }
        self.dialogue.send_one_of(message, &own, index)
    }

    /// The same with the session's options.
    pub(super) fn ask_own(&mut self, message: &Message, index: u64) -> Result<Ticket, Error> {
        let options = self.dialogue.shared_options();
        self.dialogue.send_one_of(message, &options, index)
    }

    /// Begins a batch: answers that nobody waits for any more are dropped.
    pub(super) fn begin_batch(&mut self) {
        self.dialogue.forget_answers();
    }

    /// What comes next has the time of a call.
    pub(super) fn begin_call(&mut self) {
        self.wire.set_limits(limits(&self.options));
    }

    /// How many answers nobody has taken.
    pub(super) fn answers(&self) -> usize {
        self.dialogue.answers()
    }

    pub(super) fn gone(&self) -> Error {
        gone(&self.dialogue)
    }

    /// Nobody waits for what is under way: it ends, so that nothing is left half sent.
    pub(super) fn end(&mut self) {
        let text = "a future of the session was dropped before its end: open another session";
        self.dialogue.abort(Error::new(Kind::Cancelled, Step::Command, text));
        self.wire.close();
    }

    /// Waits until the answer is there; dropped before that, it ends the session.
    async fn wait(&mut self, ticket: Ticket, limits: &Limits) -> Option<Answer> {
        self.wire.set_limits(limits.clone());
        let mut unfinished = Unfinished(Some(self));
        let answer = poll_fn(|cx| match &mut unfinished.0 {
            Some(session) => session.poll_answer(cx, ticket),
            None => Poll::Ready(None),
        })
        .await;
        unfinished.0 = None;
        answer
    }

    /// The answer, once it is there; `None`: there will be none.
    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>, ticket: Ticket) -> Poll<Option<Answer>> {
        loop {
            if self.is_closing() {
                // The server is to know why: a TLS alert may be left to write.
                ready!(self.wire.poll(cx, &mut self.dialogue, Dialogue::is_closed));
                self.wire.close();
            }
            if let Some(answer) = self.dialogue.take_answer(ticket) {
                return Poll::Ready(Some(answer));
            }
            // Those of other messages stay until they are asked for.
            let known = self.dialogue.answers();
            ready!(self.wire.poll(cx, &mut self.dialogue, |dialogue| dialogue.answers() > known));
            if self.dialogue.answers() == known && !self.is_closing() {
                return Poll::Ready(None);
            }
        }
    }

    fn is_closing(&self) -> bool {
        self.wire.is_open() && self.dialogue.engine().is_closed() && !self.dialogue.wants_dial()
    }
}

/// A session while a future of it waits.
struct Unfinished<'a>(Option<&'a mut Session>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(session) = &mut self.0 {
            session.end();
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let server = self.dialogue.server().target.to_string();
        f.debug_struct("Session").field("server", &server).field("is_open", &self.is_open()).finish()
    }
}
