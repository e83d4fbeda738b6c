//! A mailer whose reports are awaited.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use ::tokio::sync::{Mutex as Turnstile, oneshot};
use ::tokio::time::timeout;

use crate::error::{Error, Kind, Step};
use crate::message::Message;
use crate::net::mailer::{self, Counts, MessageNumber, ServerCounts};
use crate::options::Options;
use crate::report::{Report, SendError};

/// Sends many messages over many connections. As [`smtpclient::Mailer`](crate::Mailer), awaited.
///
/// ```no_run
/// use std::time::Duration;
///
/// use smtpclient::{Message, Options, tokio::Mailer};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut options = Options::default();
/// options.set("servers", "mail.example.org")?;
/// options.set("connections", "8")?;
/// let mailer = Mailer::new(&options)?;
/// let message = Message::from_bytes("From: ann@example.org\nTo: bob@example.net\n\nHello.\n");
/// let submission = mailer.submit(&message, None).await?; // waits while the queue is full
/// let report = submission.await?; // waits for the server's word
/// println!("{}", report.queue_id().unwrap_or("no name"));
/// mailer.close(Duration::from_secs(600)).await?; // sends the rest, says QUIT
/// # Ok(())
/// # }
/// ```
///
/// One thread moves the bytes of all connections, whatever the runtime does; what the options call runs in it, and holds
/// up no task. It belongs to no runtime, and may be shared by tasks: put it in an [`Arc`]. Dropping it ends it at once without
/// waiting: what is not decided then is reported as not sent, or as unknown.
#[derive(Debug)]
pub struct Mailer {
    own: mailer::Mailer,
    reports: Arc<Mutex<Reports>>,
    /// One task at a time waits for room, so that they get it in their order.
    turnstile: Turnstile<()>,
}

/// What the mailer's thread tells the tasks.
#[derive(Debug, Default)]
struct Reports {
    /// By number: who waits for the report, or the report for which nobody has waited yet.
    by_number: HashMap<MessageNumber, Awaited>,
    /// The thread is gone, and reports nothing more.
    is_over: bool,
}

/// Held by the mailer's thread: where that ends, however it does, nobody waits any longer.
struct Lifeline(Arc<Mutex<Reports>>);

impl Drop for Lifeline {
    fn drop(&mut self) {
        let mut reports = lock(&self.0);
        reports.is_over = true;
        reports.by_number.retain(|_, awaited| matches!(awaited, Awaited::Report(_)));
    }
}

#[derive(Debug)]
enum Awaited {
    By(oneshot::Sender<Report>),
    Report(Box<Report>),
}

impl Mailer {
    /// A mailer. `options` are those of [`smtpclient::Mailer::new`](crate::Mailer::new).
    ///
    /// # Errors
    /// [`Kind::Usage`] for an option whose value cannot be, and for TLS files that cannot be used. No connection is
    /// opened before there is a message.
    pub fn new(options: &Options) -> Result<Self, Error> {
        let reports: Arc<Mutex<Reports>> = Arc::default();
        let lifeline = Lifeline(Arc::clone(&reports));
        let own = mailer::Mailer::with_reports(options, move |number, report| {
            let mut reports = lock(&lifeline.0);
            match reports.by_number.remove(&number) {
                // Nobody waits where the submission was dropped.
                Some(Awaited::By(sender)) => drop(sender.send(report)),
                _ => drop(reports.by_number.insert(number, Awaited::Report(Box::new(report)))),
            }
        })?;
        Ok(Self { own: own.detached(), reports, turnstile: Turnstile::new(()) })
    }

    /// Takes a message, with the envelope that `options`, or its header section, give; `None`: the mailer's options.
    /// Waits while the queue is full (option `queuesize`). What it gives is a future of the report.
    ///
    /// Dropped while it waits, nothing was taken.
    ///
    /// # Errors
    /// Nothing was taken: [`Kind::Usage`] and [`Kind::Source`] as for [`sendmessage`](super::sendmessage());
    /// [`Kind::Closed`] for a mailer that is closed.
    pub async fn submit(&self, message: &Message, options: Option<&Options>) -> Result<Submission, Error> {
        let _turn = self.turnstile.lock().await;
        loop {
            poll_fn(|cx| self.own.poll_room(cx)).await;
            match self.try_submit(message, options) {
                Err(error) if error.kind() == Kind::Full => {}
                done => return done,
            }
        }
    }

    /// As [`submit`](Self::submit), but never waits.
    ///
    /// # Errors
    /// [`Kind::Full`] if the queue is full; else as [`submit`](Self::submit).
    pub fn try_submit(&self, message: &Message, options: Option<&Options>) -> Result<Submission, Error> {
        let number = self.own.try_submit(message, options)?;
        let (sender, report) = oneshot::channel();
        let mut reports = lock(&self.reports);
        match reports.by_number.remove(&number) {
            Some(Awaited::Report(early)) => drop(sender.send(*early)),
            _ if reports.is_over => drop(sender),
            _ => drop(reports.by_number.insert(number, Awaited::By(sender))),
        }
        Ok(Submission { number, report })
    }

    /// Waits until every message that was taken is decided, for at most `time`; whether they are.
    ///
    /// # Errors
    /// [`Kind::Usage`] in a function that the mailer calls: it would wait for itself.
    pub async fn drain(&self, time: Duration) -> Result<bool, Error> {
        self.own.check_outside("drained")?;
        Ok(timeout(time, poll_fn(|cx| self.own.poll_drained(cx))).await.unwrap_or(false))
    }

    /// Takes no more messages, sends what it has for at most `time`, says QUIT to every server and ends. What is
    /// not decided then is ended: it is not sent, or unknown. Whether nothing had to be.
    ///
    /// Dropped before its end, the mailer takes no more messages, and goes on sending those that it has.
    ///
    /// # Errors
    /// As [`drain`](Self::drain).
    pub async fn close(&self, time: Duration) -> Result<bool, Error> {
        self.own.check_outside("closed")?;
        self.own.seal();
        let drained = self.drain(time).await?;
        if !drained {
            self.own.end();
        }
        poll_fn(|cx| self.own.poll_over(cx)).await;
        Ok(drained)
    }

    /// Takes no more messages, and ends by itself once it has sent those that it has.
    pub fn seal(&self) {
        self.own.seal();
    }

    /// Asks once more what was pending: option `commit` of a mailer may be [polled](crate::Commit::polled), and says by this
    /// that its answer is there.
    pub fn wake(&self) {
        self.own.wake();
    }

    /// What became of the messages so far.
    pub fn counts(&self) -> Counts {
        self.own.counts()
    }

    /// What each server did so far, in the order of the options.
    pub fn server_counts(&self) -> Vec<ServerCounts> {
        self.own.server_counts()
    }

    /// The options that it was made with.
    pub fn options(&self) -> &Options {
        self.own.options()
    }
}

/// A message that a mailer has taken: a future of what becomes of it, as [`sendmessage`](super::sendmessage()) tells it.
///
/// Dropping it does not take the message back.
#[derive(Debug)]
#[must_use = "the message is sent all the same, and its report is lost"]
pub struct Submission {
    number: MessageNumber,
    report: oneshot::Receiver<Report>,
}

impl Submission {
    /// The number of the message: 1 for the first that the mailer took, and so on.
    pub fn number(&self) -> MessageNumber {
        self.number
    }
}

impl Future for Submission {
    type Output = Result<Report, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.report).poll(cx).map(|report| match report {
            Ok(report) => report.into_result(),
            Err(_) => {
                let text = "the mailer's thread died, and what became of the message is not known";
                Err(Error::new(Kind::Unknown, Step::Final, text).into())
            }
        })
    }
}

fn lock(reports: &Mutex<Reports>) -> MutexGuard<'_, Reports> {
    reports.lock().unwrap_or_else(PoisonError::into_inner)
}
