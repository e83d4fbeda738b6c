//! Many messages over many connections: a queue with a bound, a pool of connections to each server, and exactly one
//! report for each message.
//!
//! ```no_run
//! use smtpclient::message::Message;
//! use smtpclient::net::mailer::Mailer;
//! use smtpclient::options::Options;
//!
//! let mut options = Options::default();
//! options.set("servers", "mail.example.org")?;
//! options.set("connections", "8")?;
//! let mailer = Mailer::with_reports(&options, |number, report| {
//!     if !report.complete() { /* look at report.recipients and report.error */ }
//! })?;
//! for n in 0..1000 {
//!     let text = format!("From: a@example.org\nTo: user{n}@example.net\nSubject: Hello\n\nHello.\n");
//!     mailer.submit(&Message::from_bytes(text), None)?; // blocks while the queue is full
//! }
//! mailer.close(std::time::Duration::from_secs(600))?; // sends the rest, says QUIT
//! # Ok::<(), smtpclient::error::Error>(())
//! ```
//!
//! # How it goes
//! - A message goes to the first server in order that is reachable, with option `order` to any. While nothing of it can have reached a server's queue
//!   (the connection ended before its last octet left, 421, MAIL answered by 4yz) it is tried again, at most
//!   `retries` times; after that, and with any other outcome, its report is the last word. `unknown` is never tried again.
//! - A connection is opened when the open ones have all that they should take and messages are left, one at a time,
//!   and never more than `connections` to a server. Each takes its share of what is undecided, 2 to 32 messages, so
//!   that the end of one goes out with the envelope of the next (RFC 2920 section 3.1).
//! - A connection that the server closes while it is idle costs nothing: it is watched, and gone before a message is given to it.
//! - A server that is unreachable, or has no room (4yz to MAIL, DATA or the end of a message), is retried
//!   with exponential backoff. Where no server is reachable at all, every message that waits counts that as a try.
//! - A message from a reader that cannot go back is tried again only as long as nothing of it was read.
//!
//! # One thread
//! One thread moves the bytes of all connections, by poll(2) over [`Dialogue`](crate::dialogue::Dialogue)s. A thread for
//! each connection, measured beside it (`core/tests/mailer_load.rs`, messages of 1 KiB), needs three times the memory at 200
//! connections, 11 MiB where this needs 4, and computes as long: 6 to 7 us a message at 1 and 16 connections, 10 at 200.
//! What it gains is a second core, which a server is seldom quick enough for. Only what may block has a thread of its
//! own: connecting, which waits for the resolver (one thread a server at most), and a function that is asked for an access
//! token. What the options call (`tlspolicy`, `transcript`), a reader that makes a message, and the function for reports
//! run in the mailer's thread, and hold up everything until they return. They cannot wait for the mailer, which waits for
//! them, and neither can those that have threads of their own: [`drain`](Mailer::drain) and [`close`](Mailer::close) fail there.
//!
//! # Panics
//! Each message has its report whatever those functions do: a panic in one ends there, as in every other caller of the library. In
//! one that decides something it is an error (a reader, a signer, `commit`, `dialler`, a login; `cancel`: it ends), and in one that
//! is only told (`transcript`, `progress`, the function for reports) it is passed over. The panic hook has the rest.
//!
//! # After fork(2)
//! A child has the mailer, but neither its thread nor its messages, which stay the parent's. There
//! [`submit`](Mailer::submit) fails, nothing waits, and closing and dropping do nothing.

mod commits;
mod connection;
mod counting;
mod disposition;
mod driver;
mod feed;
mod job;
mod pace;
mod server_state;
mod shared;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::fd::BorrowedFd;

use self::driver::Driver;
use self::job::Job;
use self::shared::{Closing, Shared, over};
use super::dial::check;
use super::inside;
use super::platform::pair;
use super::process::Process;
use super::sendmessage::local;
use crate::envelope::{Local, Redirect};
use crate::error::{Error, Kind, Step};
use crate::message::Message;
use crate::opening;
use crate::options::Options;
use crate::report::Report;
use crate::server::servers;

pub use self::counting::ServerCounts;
pub use self::shared::Counts;

/// Names a message that a mailer took: 1 for the first, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageNumber(u64);

impl MessageNumber {
    /// It as an integer, which no other message of the same mailer has.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Is given every report.
type OnReport = Box<dyn Fn(MessageNumber, Report) + Send>;

/// Sends many messages over many connections. See the [module](self).
///
/// It may be used from several threads at once. Dropping it is [`close`](Self::close) without waiting: what is not
/// decided then is reported as not sent, or as unknown.
pub struct Mailer {
    process: Process,
    shared: Arc<Shared>,
    options: Options,
    local: Local,
    thread: Option<JoinHandle<()>>,
    /// Dropping it does not wait for the thread.
    is_detached: bool,
}

impl Mailer {
    /// A mailer whose reports are fetched by [`next_report`](Self::next_report). They are kept until they are, so
    /// that a caller who never fetches them holds them all.
    ///
    /// `options` say how to connect and log in, and give the envelope of the messages that come without options. Option
    /// `deadline` is for how long a message may wait; `cancel` ends the mailer, with a report for each message.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an option whose value cannot be, and for TLS files that cannot be used. No connection is
    /// opened before there is a message.
    pub fn new(options: &Options) -> Result<Self, Error> {
        Self::begin(options, None)
    }

    /// A mailer that gives each report to `on_report`, in the mailer's own thread: it should be quick, and cannot
    /// [`submit`](Self::submit) if that would have to wait. A panic in it is passed over.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_reports(
        options: &Options,
        on_report: impl Fn(MessageNumber, Report) + Send + 'static,
    ) -> Result<Self, Error> {
        Self::begin(options, Some(Box::new(on_report)))
    }

    fn begin(options: &Options, on_report: Option<OnReport>) -> Result<Self, Error> {
        opening::check(options)?;
        Redirect::of(options)?;
        let servers = servers(options)?;
        for server in &servers {
            check(&server.target)?;
        }
        for (name, value) in
            [("connections", options.mailer.connections), ("queuesize", options.mailer.queuesize)]
        {
            if value == 0 {
                return Err(Error::usage(format!("option `{name}`: 0 would send nothing: give 1 or more")));
            }
        }
        let (local, failed) = (local(), |error| {
            Error::new(Kind::Connect, Step::Setup, format!("the mailer cannot be begun: {error}"))
        });
        let (bell, listener) = pair().map_err(failed)?;
        let shared = Arc::new(Shared::new(options, &servers, bell));
        let driver = Driver::new(Arc::clone(&shared), options, local, servers, listener, on_report)?;
        let thread = thread::Builder::new().name("smtp-mailer".to_owned());
        let thread = thread.spawn(move || driver.run()).map_err(failed)?;
        Ok(Self {
            process: Process::current(),
            shared,
            options: options.clone(),
            local,
            thread: Some(thread),
            is_detached: false,
        })
    }

    /// The same mailer, which waits for nothing when it is dropped: its thread ends by itself.
    #[must_use]
    pub fn detached(mut self) -> Self {
        self.is_detached = true;
        self
    }

    /// Takes a message, with the envelope that `options`, or its header section, give; `None`: the mailer's options.
    /// What `options` say of servers, login and time-outs was settled when the mailer was made; what they say of TLS, proxy and
    /// dialler must have been the same then. Waits while the queue is full.
    ///
    /// # Errors
    /// Nothing was taken: [`Kind::Usage`] and [`Kind::Source`] as for [`sendmessage`](crate::net::sendmessage());
    /// [`Kind::Closed`] for a mailer that is closed; [`Kind::Full`] instead of waiting for oneself in the function
    /// that is given the reports.
    pub fn submit(&self, message: &Message, options: Option<&Options>) -> Result<MessageNumber, Error> {
        self.shared.push(self.job(message, options)?, !self.is_inside())
    }

    /// As [`submit`](Self::submit), but never waits.
    ///
    /// # Errors
    /// [`Kind::Full`] if the queue is full; else as [`submit`](Self::submit).
    pub fn try_submit(&self, message: &Message, options: Option<&Options>) -> Result<MessageNumber, Error> {
        self.shared.push(self.job(message, options)?, false)
    }

    /// Asks once more what was pending: option `commit` of a mailer may be [polled](crate::Commit::polled), and says by this
    /// that its answer is there.
    pub fn wake(&self) {
        if !self.process.is_forked() {
            self.shared.ring();
        }
    }

    /// Waits until the queue has room, for at most `timeout`; whether it has. Another thread may be quicker to use it.
    pub fn room(&self, timeout: Duration) -> bool {
        self.process.is_forked() || self.shared.wait_for_room(self.patience(timeout))
    }

    /// The same for a task: ready when the queue has room, or takes nothing more. Another task may be quicker to use it.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.process.is_forked() { Poll::Ready(()) } else { self.shared.poll_room(cx) }
    }

    /// The next report that was not fetched; waits for it for at most `timeout`. `None`: there was none in
    /// that time, or there will be none, because everything is reported and the mailer is closed.
    pub fn next_report(&self, timeout: Duration) -> Option<(MessageNumber, Report)> {
        self.reports(timeout, 1).pop()
    }

    /// At most `most` reports that were not fetched, in the order in which messages were decided; waits for the first of them.
    pub fn reports(&self, timeout: Duration, most: usize) -> Vec<(MessageNumber, Report)> {
        if self.process.is_forked() {
            return Vec::new();
        }
        self.shared.reports(self.patience(timeout), most)
    }

    /// A descriptor that is readable while there are reports to fetch, for event loops. It is only to be watched.
    ///
    /// # Errors
    /// There is no descriptor left to make it of.
    pub fn fd(&self) -> std::io::Result<BorrowedFd<'_>> {
        self.shared.flag()
    }

    /// Waits until every message that was taken is decided, for at most `timeout`; whether they are.
    ///
    /// # Errors
    /// [`Kind::Usage`] in a function that the mailer calls: it would wait for itself.
    pub fn drain(&self, timeout: Duration) -> Result<bool, Error> {
        if self.process.is_forked() {
            return Ok(true);
        }
        self.check_outside("drained")?;
        Ok(self.shared.drain(timeout))
    }

    /// The same for a task: ready when everything is decided, or the mailer has ended; whether everything is.
    pub fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.process.is_forked() { Poll::Ready(true) } else { self.shared.poll_drained(cx) }
    }

    /// Takes no more messages, and ends by itself once it has sent those that it has.
    pub fn seal(&self) {
        if !self.process.is_forked() {
            self.shared.close(Closing::Gently);
        }
    }

    /// Takes no more messages, sends what it has for at most `timeout`, says QUIT to every server and ends. What is
    /// not decided then is ended: it is not sent, or unknown. Whether nothing had to be. Reports can still be fetched.
    ///
    /// # Errors
    /// [`Kind::Usage`] in a function that the mailer calls: it would wait for itself. The mailer goes on then; use
    /// [`seal`](Self::seal) there.
    pub fn close(&self, timeout: Duration) -> Result<bool, Error> {
        if self.process.is_forked() {
            return Ok(true);
        }
        self.check_outside("closed")?;
        self.seal();
        let drained = self.shared.drain(timeout);
        if !drained {
            self.shared.close(Closing::AtOnce);
        }
        self.shared.wait_until_over();
        Ok(drained)
    }

    /// Takes no more messages, and ends what is not decided: it is not sent, or unknown. Waits for nothing;
    /// [`poll_over`](Self::poll_over) tells when that is done.
    pub fn end(&self) {
        if !self.process.is_forked() {
            self.shared.close(Closing::AtOnce);
        }
    }

    /// For a task: ready when the mailer's thread has ended, all connections are closed, and everything is reported.
    pub fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.process.is_forked() { Poll::Ready(()) } else { self.shared.poll_over(cx) }
    }

    /// What became of the messages so far; all 0 in a child by fork(2).
    pub fn counts(&self) -> Counts {
        if self.process.is_forked() { Counts::default() } else { self.shared.counts() }
    }

    /// What each server did so far, in the order of the options; nothing in a child by fork(2).
    pub fn server_counts(&self) -> Vec<ServerCounts> {
        if self.process.is_forked() { Vec::new() } else { self.shared.server_counts() }
    }

    /// Whether the caller is a function that the mailer calls, in its own thread or in one that it began for that: to connect,
    /// or to log in.
    pub fn is_inside(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.thread().id() == inside::works_for())
    }

    /// Whether the caller is a child by fork(2) of the process that made the mailer.
    pub fn is_forked(&self) -> bool {
        self.process.is_forked()
    }

    /// The options that it was made with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    pub(in crate::net) fn check_outside(&self, what: &str) -> Result<(), Error> {
        if self.is_inside() {
            let text = format!(
                "the mailer cannot be {what} by a function that it calls: do that in another thread, and do not wait for that here"
            );
            return Err(Error::usage(text));
        }
        Ok(())
    }

    /// A function that the mailer calls would wait for itself.
    fn patience(&self, timeout: Duration) -> Duration {
        if self.is_inside() { Duration::ZERO } else { timeout }
    }

    fn job(&self, message: &Message, options: Option<&Options>) -> Result<Box<Job>, Error> {
        self.process.check("mailer")?;
        if self.shared.is_closed() {
            return Err(over());
        }
        let own = options.and_then(|options| options.oauthtoken.clone());
        let options = options.unwrap_or(&self.options);
        opening::check_login(options, &self.options, "mailer")?;
        opening::check_protection(options, &self.options, "mailer")?;
        opening::check_functions(options, &self.options, "mailer")?;
        let options = opening::guarded(options, &self.options, "mailer")?;
        let job = Job::new(message, &options, &self.local, self.options.names_messages())?;
        if let Some(token) = own {
            self.shared.lock().token = Some(token);
        }
        Ok(job)
    }
}

impl Drop for Mailer {
    fn drop(&mut self) {
        if self.process.is_forked() {
            // The thread is not there, and a lock may be held for ever by one that is not either.
            std::mem::forget(self.thread.take());
            return;
        }
        self.shared.close(Closing::AtOnce);
        let Some(thread) = self.thread.take() else { return };
        // Dropped by a function that it calls, it ends by itself after that.
        if !self.is_detached && thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("options", &self.options).field("counts", &self.counts()).finish()
    }
}
