//! `sendmessage` without network I/O: a list of servers, a [`Dialogue`] with one after the other, and the rule of what
//! counts as failed.
//!
//! A driver needs to know of it what [`Driven`] says: it connects when it is told to, and moves bytes. Then the
//! [report](Delivery::report) is there.

use std::sync::Arc;
use std::time::Duration;

use crate::conversation::{Action, Awaited, Conversation, Driven, Ends};
use crate::dialogue::{Answer, Dialogue, Ticket};
use crate::envelope::Local;
use crate::error::{Error, Kind, Step};
use crate::message::Message;
use crate::opening::check;
use crate::options::Options;
use crate::prepared::Prepared;
use crate::reply::Reply;
use crate::report::{Outcome, Report, all_of, no_server};
use crate::server::{Server, servers, servers_in_order};
use crate::tls::Secure;

/// One message on its way to the first server that takes it; or a look at each of the servers.
pub struct Delivery {
    errand: Errand,
    options: Arc<Options>,
    servers: Vec<Server>,
    /// The server that is tried now.
    current: usize,
    local: Local,
    library: Option<Arc<dyn Secure>>,
    /// With the current server; `None` when all is done.
    dialogue: Option<Box<Dialogue>>,
    /// The message's, in that dialogue.
    ticket: Ticket,
    /// No further server is tried.
    ended: bool,
    report: Report,
}

enum Errand {
    Send(Prepared),
    /// The servers are only looked at: why some cannot be used.
    Look(Vec<Error>),
}

impl Delivery {
    /// Checks everything that can be checked without a server and derives the envelope. `library` makes the TLS layers;
    /// without one there is no TLS.
    ///
    /// # Errors
    /// [`Kind::Usage`] and [`Kind::Source`]: nothing was sent and no connection was opened.
    pub fn new(
        message: &Message,
        options: impl Into<Arc<Options>>,
        local: &Local,
        library: Option<Arc<dyn Secure>>,
    ) -> Result<Self, Error> {
        let options = options.into();
        // First, since a mistake here is told before one in the message.
        let servers = checked(&options, servers_in_order)?;
        let message = Prepared::new(message, &options, local, options.names_messages().then_some(0))?;
        let report = message.untried(Step::Connect);
        Ok(Self::begun(Errand::Send(message), report, options, servers, local, library))
    }

    /// Connects to every server, one after the other, does EHLO, TLS and login as the options want them, and says QUIT. The
    /// report has an attempt for each, which says what the server [offers](crate::report::Offer), and no recipients.
    ///
    /// # Errors
    /// [`Kind::Usage`]: no connection was opened.
    pub fn verify(
        options: impl Into<Arc<Options>>,
        local: &Local,
        library: Option<Arc<dyn Secure>>,
    ) -> Result<Self, Error> {
        let options = options.into();
        let servers = checked(&options, servers)?;
        Ok(Self::begun(Errand::Look(Vec::new()), Report::default(), options, servers, local, library))
    }

    fn begun(
        errand: Errand,
        report: Report,
        mut options: Arc<Options>,
        servers: Vec<Server>,
        local: &Local,
        library: Option<Arc<dyn Secure>>,
    ) -> Self {
        if options.client.is_none() && servers.iter().any(Server::is_localhost) {
            Arc::make_mut(&mut options).client = Some("localhost".to_owned());
        }
        let mut delivery = Self {
            errand,
            report,
            options,
            servers,
            current: 0,
            local: *local,
            library,
            dialogue: None,
            ticket: Dialogue::GREETING,
            ended: false,
        };
        delivery.begin();
        delivery
    }

    /// The servers that will be tried, in order.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Whether everything is over, and the report final.
    pub fn is_done(&self) -> bool {
        self.dialogue.is_none()
    }

    /// The report, as far as it is known; final when [`is_done`](Self::is_done).
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Takes the report out.
    pub fn into_report(self) -> Report {
        self.report
    }

    /// Offers the message to the current server, or looks at it, or ends if there is none.
    fn begin(&mut self) {
        self.dialogue = None;
        if let Some(server) = self.servers.get(self.current).filter(|_| !self.ended) {
            let options = Arc::clone(&self.options);
            let mut dialogue = Dialogue::checked(server.clone(), options, self.library.clone(), self.local);
            self.ticket = match &self.errand {
                Errand::Send(message) => dialogue.send(message.transaction(), message.needs().clone()),
                Errand::Look(_) => dialogue.introduce(),
            };
            self.dialogue = Some(Box::new(dialogue));
        }
    }

    fn with_dialogue(&mut self, tell: impl FnOnce(&mut Dialogue)) {
        if let Some(dialogue) = &mut self.dialogue {
            tell(dialogue);
        }
        self.update();
    }

    /// Takes what the dialogue answers.
    fn update(&mut self) {
        while let Some(dialogue) = &mut self.dialogue {
            match dialogue.poll_answer() {
                Some((ticket, Answer::Sent(report))) if ticket == self.ticket => {
                    dialogue.part();
                    self.take(*report);
                }
                Some((ticket, Answer::Done(done))) if ticket == self.ticket => {
                    self.report.attempts.append(&mut dialogue.take_offer(done.as_ref().err().cloned()));
                    dialogue.part();
                    if let Errand::Look(unfit) = &mut self.errand {
                        unfit.extend(done.err());
                    }
                }
                Some(_) => {}
                None if dialogue.is_closed() => self.next_server(),
                None => return,
            }
        }
    }

    /// What became of the message at one server, beside what became of it at those before.
    fn take(&mut self, mut report: Report) {
        let mut before = std::mem::take(&mut self.report);
        let mut attempts = std::mem::take(&mut before.attempts);
        attempts.append(&mut report.attempts);
        report.prefer_reason_of(Some(&before));
        self.report = Report { attempts, ..report };
        // What a server said of a recipient counts more than that the next one said nothing.
        if before.recipients.iter().any(|r| r.outcome != Outcome::NotSent) && !self.report.is_decided() {
            self.report.recipients = before.recipients;
        }
    }

    /// The connection has ended: the next server, unless this one decided.
    fn next_server(&mut self) {
        let left = match &self.errand {
            Errand::Send(_) => {
                self.report.error.as_ref().is_some_and(|error| may_try_next(error, &self.report))
            }
            Errand::Look(unfit) => {
                self.report.error = all_of(&unfit.iter().collect::<Vec<_>>(), "servers cannot be used");
                true
            }
        };
        if !left || self.ended {
            self.dialogue = None;
            return;
        }
        if self.current + 1 < self.servers.len() {
            self.current += 1;
            self.begin();
            return;
        }
        if let Errand::Send(_) = &self.errand {
            self.report.error = no_server(&self.report.attempts);
        }
        self.dialogue = None;
    }
}

impl Driven for Delivery {
    fn action(&mut self) -> Action<'_> {
        self.dialogue.as_mut().map_or(Action::Done, |dialogue| dialogue.action())
    }

    fn prepare(&mut self) {
        self.with_dialogue(Driven::prepare);
    }

    fn connected(&mut self, ends: Ends) {
        self.with_dialogue(|dialogue| dialogue.connected(ends));
    }

    fn connect_failed(&mut self, error: Error) {
        self.ended |= error.kind() == Kind::Cancelled;
        self.with_dialogue(|dialogue| dialogue.connect_failed(error));
    }
}

impl Conversation for Delivery {
    fn handle_input(&mut self, input: &[u8]) {
        self.with_dialogue(|dialogue| dialogue.handle_input(input));
    }

    fn handle_eof(&mut self) {
        self.with_dialogue(|dialogue| dialogue.handle_eof());
    }

    fn handle_timeout(&mut self) {
        self.with_dialogue(|dialogue| dialogue.handle_timeout());
    }

    fn handle_error(&mut self, cause: Error) {
        self.with_dialogue(|dialogue| dialogue.handle_error(cause));
    }

    fn abort(&mut self, cause: Error) {
        self.ended = true;
        self.with_dialogue(|dialogue| dialogue.abort(cause));
    }

    fn poll_output(&mut self) -> &[u8] {
        // What is gathered may end the connection (a reader that fails), so its answers come first.
        if self.dialogue.as_mut().is_some_and(|dialogue| dialogue.gather()) {
            self.update();
            if let Some(dialogue) = &mut self.dialogue {
                dialogue.gather();
            }
        }
        self.dialogue.as_ref().map_or(&[], |dialogue| dialogue.output())
    }

    fn output_done(&mut self, n: usize) {
        self.with_dialogue(|dialogue| dialogue.output_done(n));
    }

    fn timeout(&self) -> Option<Duration> {
        self.dialogue.as_ref().and_then(|dialogue| dialogue.timeout())
    }

    fn patience(&self) -> Duration {
        self.dialogue.as_ref().map_or(Duration::ZERO, |dialogue| dialogue.patience())
    }

    fn progress(&self) -> u64 {
        self.dialogue.as_ref().map_or(0, |dialogue| dialogue.progress())
    }

    fn waits_for(&self) -> Option<Awaited> {
        self.dialogue.as_ref().and_then(|dialogue| dialogue.waits_for())
    }
}

/// The servers, where the options are fit for a delivery.
fn checked(
    options: &Options,
    list: fn(&Options) -> Result<Vec<Server>, Error>,
) -> Result<Vec<Server>, Error> {
    // A mistake takes nobody's turn.
    servers(options)?;
    check(options)?;
    options.refuse_mailer_options()?;
    list(options)
}

/// Whether nothing speaks against another server: this one has taken nothing and refused nothing for good.
fn may_try_next(error: &Error, report: &Report) -> bool {
    let goodbye = |reply: Option<&Reply>| reply.is_some_and(|reply| reply.code() == 421);
    let untouched = report.recipients.iter().all(|r| match r.outcome {
        Outcome::NotSent => true,
        Outcome::Rejected => r.step == Step::Mail || goodbye(r.reply.as_ref()),
        Outcome::Accepted | Outcome::Unknown => false,
    });
    let left = match error.kind() {
        Kind::Cancelled | Kind::Usage | Kind::Source | Kind::Commit => false,
        // One that goes away, whatever was said, has nothing while no octet of the end mark has left (RFC 5321 section 5.1).
        Kind::Closed | Kind::Timeout | Kind::Protocol => true,
        Kind::Refused if goodbye(error.reply()) => true,
        Kind::Refused if error.step() == Step::Mail => error.is_transient(),
        _ => error.step() <= Step::Mail,
    };
    untouched && left
}
