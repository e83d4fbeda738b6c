//! How a dialogue goes on: what happened is taken, and what was asked is begun, in its order.

use super::{Answer, Ask, Dialogue, Doing, OpeningUp, Ticket};
use crate::command::Command;
use crate::engine::{Event, Id, Transaction};
use crate::error::{Error, Kind, Step};
use crate::link::Link;
use crate::opening::{Opening, Progress};
use crate::options::Options;
use crate::report::{Attempt, Report};
use crate::tls::{Layer, VerifyFault};

impl Dialogue {
    /// Takes what happened and begins what can be begun.
    pub(super) fn advance(&mut self) {
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

    pub(super) fn on_event(&mut self, event: Event) {
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

    pub(super) fn on_sent(&mut self, id: Id, mut report: Box<Report>) {
        let Some(index) = self.sending.iter().position(|(_, own)| *own == id) else { return };
        let Some((ticket, _)) = self.sending.remove(index) else { return };
        if let Some(error) = report.error.take() {
            report.error = Some(error.with_server(self.name()));
        }
        let mut attempt =
            Attempt { peer: self.ends.peer, error: report.error.clone(), ..Attempt::new(self.name.clone()) };
        attempt.tls = self.tls().cloned();
        if let Some(opening) = &self.opening {
            attempt.policy = opening.answer();
            attempt.logins = opening.logins().to_vec();
        }
        report.attempts = vec![attempt];
        self.answer(ticket, Answer::Sent(report));
    }

    /// Looks at what happened below the engine.
    pub(super) fn look(&mut self) {
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

    pub(super) fn on_progress(&mut self, progress: Progress) {
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

    pub(super) fn opening_over(&mut self, result: Result<(), Error>) {
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
    pub(super) fn begin_next(&mut self) -> bool {
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
                    let id = self.link.engine_mut().send(transaction);
                    self.sending.push_back((ticket, id));
                }
                Err(error) => self.refuse(ticket, &transaction, error),
            },
        }
        true
    }

    pub(super) fn say_starttls(&mut self, ticket: Ticket, layer: Option<Box<dyn Layer>>) {
        let id = self.link.engine_mut().command(Command::StartTls);
        self.doing = Some((ticket, Doing::StartTls(id, layer)));
    }

    pub(super) fn open_up(&mut self, ticket: Ticket, message: bool) {
        let mut opening = self.new_opening(&self.options, false);
        let progress = opening.resume(&mut self.link, self.logged_in);
        let up = OpeningUp { opening, message, options: None, plain: false };
        self.doing = Some((ticket, Doing::Opening(Box::new(up))));
        self.on_progress(progress);
    }

    pub(super) fn log_in(&mut self, ticket: Ticket, options: Box<Options>) {
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
    pub(super) fn distrust(&self) -> Option<VerifyFault> {
        let verifies = self.options.tlsverify && self.library.as_ref().is_none_or(|tls| tls.verifies());
        let facts = self.tls().filter(|facts| verifies && !facts.verified && !facts.pinned)?;
        Some(facts.why_not.clone().unwrap_or(VerifyFault::NotChecked))
    }

    /// A message may want more of TLS than the session did when it began.
    pub(super) fn check_tls(&self, needed: bool) -> Result<(), Error> {
        let text = match self.distrust() {
            _ if !needed => return Ok(()),
            _ if !self.link.engine().is_encrypted() => "the session is in plain text".to_owned(),
            Some(fault) => format!("the certificate {fault}"),
            None => return Ok(()),
        };
        let text = format!(
            "{text}, and TLS is required: set option `tlsrequired` when the session or mailer is made"
        );
        Err(Error::new(Kind::Tls, Step::Tls, text))
    }

    pub(super) fn refuse(&mut self, ticket: Ticket, transaction: &Transaction, error: Error) {
        let report = crate::engine::unbegun(&transaction.recipients, error.with_server(self.name()));
        self.answer(ticket, Answer::Sent(Box::new(report)));
    }

    pub(super) fn new_opening(&self, options: &Options, plain: bool) -> Opening {
        Opening::new(&self.server, options, self.library.clone(), self.ends.loopback, plain)
    }

    pub(super) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.answers.push_back((ticket, answer));
    }

    pub(super) fn fail(&mut self, ticket: Ticket, error: Error) {
        let error = error.with_server(self.name());
        self.answer(ticket, Answer::Reply(Err(error)));
    }

    pub(super) fn gone(&self) -> Error {
        let fault = self.link.engine().fault().cloned();
        fault.unwrap_or_else(|| Error::new(Kind::Closed, Step::Command, "the session is closed"))
    }

    pub(super) fn name(&self) -> String {
        self.name.to_string()
    }

    pub(super) fn with_link(&mut self, tell: impl FnOnce(&mut Link)) {
        tell(&mut self.link);
        self.advance();
    }
}

pub(super) fn under_tls() -> Error {
    Error::usage("the session is under TLS already")
}

pub(super) fn logged_in() -> Error {
    Error::usage("the session is logged in already: RFC 4954 allows one login a connection")
}
