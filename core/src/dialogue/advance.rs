//! How a dialogue goes on: what happened is taken, and what was asked is begun, in its order.

use std::sync::Arc;

use super::split;
use super::{Answer, Ask, Dialogue, Doing, LinkState, OpeningUp, Purpose, Sending, Ticket};
use crate::command::Command;
use crate::engine::{Event, Id, Transaction, is_nested};
use crate::error::{Error, Kind, Step};
use crate::link::Link;
use crate::opening::{Opening, OpeningStatus};
use crate::options::Options;
use crate::prepared::Needs;
use crate::report::{Attempt, Report};
use crate::times::ConnectionTimes;
use crate::tls::{Layer, VerifyFault};

impl Dialogue {
    /// Takes what happened and begins what can be begun.
    pub(super) fn advance(&mut self) {
        loop {
            while let Some(event) = self.link.engine_mut().poll_event() {
                self.on_event(event);
            }
            self.look();
            if self.doing.is_some() || self.place == LinkState::Dial || !self.begin_next() {
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
            Event::Unbegun(id, transaction, error) => return self.on_unbegun(id, transaction, error),
            other => other,
        };
        let greeted = match &event {
            Event::Reply(id, _) => *id == Id::GREETING,
            Event::Failed(id, error) => *id == Id::GREETING && error.reply().is_some(),
            _ => false,
        };
        if greeted {
            // A handshake that came before it is a part of its own.
            let before = self.link.handshake_time().unwrap_or_default();
            self.ends.times.greeting = Some(self.made.elapsed().saturating_sub(before));
        }
        match self.doing.take() {
            Some((ticket, Doing::Reply(id))) => match event {
                Event::Reply(other, reply) if other == id => self.answer(ticket, Answer::Reply(Ok(reply))),
                // The engine waits for a greeting; what failed is the handshake before it.
                Event::Failed(other, _) if other == id && self.link.is_handshaking() => {
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
                    // Closed by what followed the reply: there is nobody to shake hands with.
                    _ if self.link.engine().is_closed() => {
                        let error = self.gone();
                        self.fail(ticket, error);
                    }
                    Some(layer) => {
                        self.link.secure(layer);
                        self.doing = Some((ticket, Doing::Handshake(reply)));
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
        let Some(Sending { ticket, needs, rest, .. }) = self.take_sending(id) else { return };
        if let Some(mut rest) = rest {
            let limits = self.link.engine().fault().is_none().then(|| self.extensions().limits());
            match rest.take(*report, limits) {
                Ok(transaction) => return self.send_part(ticket, transaction, needs, Some(rest)),
                Err(whole) => report = whole,
            }
        } else if report.error.is_none() && !report.sent() {
            report.error = split::too_many_required(&report);
        }
        let error = report.error.take().map(|error| match &self.opening {
            Some(opening) if !report.is_decided() => opening.decisive(error),
            _ => error,
        });
        report.error = error.map(|error| error.with_server(self.name()));
        report.attempts = self.take_attempts(report.error.clone());
        self.answer(ticket, Answer::Sent(report));
    }

    /// The connection ended before anything was said of a message. It goes over the next one, where there may be one.
    fn on_unbegun(&mut self, id: Id, mut transaction: Box<Transaction>, error: Error) {
        let Some(Sending { ticket, needs, rest, .. }) = self.take_sending(id) else { return };
        if let Some(mut rest) = rest {
            match rest.unbegun() {
                Some(all) => transaction.addressed = Arc::clone(all),
                None => {
                    let unsent = crate::engine::unbegun(
                        &transaction.addressed.recipients,
                        transaction.asked,
                        error.with_server(self.name()),
                    );
                    let Err(mut whole) = rest.take(unsent, None) else { return };
                    whole.attempts = self.take_attempts(whole.error.clone());
                    return self.answer(ticket, Answer::Sent(whole));
                }
            }
        }
        if self.may_dial_again(ticket) {
            // Those that were asked for after it follow.
            let place = self.asks.iter().position(|(other, _)| *other > ticket).unwrap_or(self.asks.len());
            self.asks.insert(place, (ticket, Ask::Send { transaction, needs }));
        } else {
            self.refuse(ticket, &transaction, error);
        }
    }

    fn send_part(
        &mut self,
        ticket: Ticket,
        transaction: Box<Transaction>,
        needs: Needs,
        rest: Option<Box<split::Rest>>,
    ) {
        let id = self.link.engine_mut().send(transaction);
        self.sending.push_back(Sending { ticket, id, needs, rest });
    }

    fn take_sending(&mut self, id: Id) -> Option<Sending> {
        let index = self.sending.iter().position(|sending| sending.id == id)?;
        self.sending.remove(index)
    }

    /// Whether a new connection may be made for a message: the server ended one that was ready and had nothing to say, or
    /// lost its place on it, and it is the first one that this message finds so.
    fn may_dial_again(&self, ticket: Ticket) -> bool {
        let idle = |fault: &Error| {
            is_nested(fault)
                || (fault.step() == Step::Command && matches!(fault.kind(), Kind::Closed | Kind::Protocol))
        };
        let engine = self.link.engine();
        // Or it lost what stood after a final dot: this time without.
        let swallowed = engine.avoided().contains(&"PIPELINING") && !self.is_ungrouped;
        self.can_dial
            && self.is_ready
            && self.dialled_for != Some(ticket)
            && engine.is_closed()
            && (swallowed || (self.options.reconnect && engine.fault().is_some_and(idle)))
    }

    /// Whether the server takes no more messages on this connection, and may get this one over another.
    fn wants_another(&self, ticket: Ticket) -> bool {
        self.can_dial
            && self.options.reconnect
            && self.is_ready
            && self.dialled_for != Some(ticket)
            && self.link.engine().is_used_up()
    }

    /// Sends QUIT once everything before is answered, and connects again.
    fn leave_for(&mut self, ticket: Ticket) {
        if !self.sending.is_empty() {
            return;
        }
        if !self.link.is_closed() {
            return self.link.engine_mut().part();
        }
        self.dialled_for = Some(ticket);
        self.place = LinkState::Dial;
    }

    /// Looks at what happened below the engine.
    pub(super) fn look(&mut self) {
        match &mut self.doing {
            Some((_, Doing::Opening(up))) if self.place == LinkState::Connected => {
                let progress = up.opening.look(&mut self.link);
                self.on_progress(progress);
            }
            Some((ticket, Doing::Handshake(_))) if self.link.engine().is_closed() => {
                let ticket = *ticket;
                let error = self.gone();
                self.doing = None;
                self.fail(ticket, error);
            }
            Some((ticket, Doing::Handshake(reply))) if !self.link.is_handshaking() => {
                let (ticket, reply) = (*ticket, reply.clone());
                (self.doing, self.logged_in, self.is_ready) = (None, false, false);
                (self.opening, self.attempt) = (None, None);
                self.answer(ticket, Answer::Reply(Ok(reply)));
            }
            _ => {}
        }
    }

    pub(super) fn on_progress(&mut self, progress: OpeningStatus) {
        match progress {
            OpeningStatus::Going => {}
            OpeningStatus::Ready => self.opening_over(Ok(())),
            OpeningStatus::Failed(error) => self.opening_over(Err(error)),
            OpeningStatus::Redial if self.can_dial => {
                if let Some((_, Doing::Opening(up))) = &mut self.doing {
                    up.plain = true;
                }
                self.dial_again(None);
            }
            OpeningStatus::Again(error) if self.can_dial => self.dial_again(Some(error)),
            OpeningStatus::Again(error) => self.opening_over(Err(error)),
            OpeningStatus::Redial => {
                let error = self.gone();
                self.opening_over(Err(error));
            }
        }
    }

    pub(super) fn opening_over(&mut self, result: Result<(), Error>) {
        let Some((ticket, Doing::Opening(up))) = self.doing.take() else { return };
        let OpeningUp { opening, purpose, .. } = *up;
        let message = matches!(purpose, Purpose::Message(_));
        self.is_ready |= result.is_ok();
        self.logged_in |=
            result.is_ok() && opening.logins().last().is_some_and(|login| login.error.is_none());
        (self.opening, self.attempt) = (Some(opening), None);
        match result {
            Ok(()) => {
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

    /// Begins the next thing asked; false if there is none, or a message must come first.
    pub(super) fn begin_next(&mut self) -> bool {
        let ready = self.is_ready && self.link.engine().is_introduced();
        if let Some((ticket, Ask::Send { .. })) = self.asks.front()
            && self.may_dial_again(*ticket)
        {
            self.dialled_for = Some(*ticket);
            self.dial_again(None);
            return false;
        }
        if let Some((ticket, Ask::Send { .. })) = self.asks.front()
            && self.wants_another(*ticket)
        {
            self.leave_for(*ticket);
            return false;
        }
        if let Some((ticket, Ask::Send { needs, .. })) = self.asks.front()
            && !ready
        {
            let (ticket, needs) = (*ticket, needs.clone());
            self.open_up(ticket, Purpose::Message(needs.extensions));
            return true;
        }
        // Only messages go out together; everything else waits for its turn.
        if !self.sending.is_empty() && !matches!(self.asks.front(), Some((_, Ask::Send { .. }))) {
            return false;
        }
        let Some((ticket, ask)) = self.asks.pop_front() else { return false };
        match ask {
            Ask::Introduce if ready => self.answer(ticket, Answer::Done(Ok(()))),
            Ask::Introduce => self.open_up(ticket, Purpose::Introduction),
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
                self.sending.push_back(Sending { ticket, id, needs: Needs::default(), rest: None });
            }
            Ask::Send { transaction, needs } => match self.check_tls(needs.tls) {
                Ok(()) => {
                    let mut transaction = transaction;
                    let rest = split::Rest::of(&mut transaction, self.extensions().limits());
                    self.send_part(ticket, transaction, needs, rest);
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

    /// EHLO, TLS and login: for a message that needs something of them, or because they were asked for.
    pub(super) fn open_up(&mut self, ticket: Ticket, purpose: Purpose) {
        let mut opening = self.new_opening(&self.options, false);
        if let Purpose::Message(needs) = &purpose {
            opening.need(needs);
        }
        let progress = opening.resume(&mut self.link, self.logged_in);
        self.doing = Some((ticket, Doing::Opening(OpeningUp::new(opening, purpose))));
        self.on_progress(progress);
    }

    pub(super) fn log_in(&mut self, ticket: Ticket, options: Box<Options>) {
        let mut opening = self.new_opening(&options, false);
        let (mut unverified, mut progress) = (false, OpeningStatus::Going);
        match self.distrust() {
            None => progress = opening.resume(&mut self.link, false),
            Some(VerifyFault::NotChecked) if self.can_dial => unverified = true,
            Some(fault) => {
                let text = format!("the certificate {fault}, so that nothing secret is sent");
                progress = OpeningStatus::Failed(Error::new(Kind::Tls, Step::Auth, text));
            }
        }
        self.doing = Some((ticket, Doing::Opening(OpeningUp::new(opening, Purpose::Login(options)))));
        if unverified {
            // TLS was set up before there was a secret to send: this time somebody looks at the certificate.
            return self.dial_again(None);
        }
        self.on_progress(progress);
    }

    /// Asks the caller's function for the token that a login waits for. If there is none, the next message may need it.
    pub(super) fn ask_token(&mut self) {
        while let Some((_, Doing::Opening(up))) = &mut self.doing
            && up.opening.wants_token()
        {
            let progress = up.opening.ask_token(&mut self.link);
            let waits = matches!(progress, OpeningStatus::Going) && up.opening.wants_token();
            self.on_progress(progress);
            self.advance();
            if waits {
                return;
            }
        }
    }

    /// Leaves this connection for a new one to the same server: because of `error`, or of how it ended.
    pub(super) fn dial_again(&mut self, error: Option<Error>) {
        if let Some((_, Doing::Opening(up))) = &mut self.doing {
            // The next connection gets an opening of its own.
            let next = Opening::new(&self.server, &self.options, None, false, up.plain);
            up.asking = up.opening.take_asking();
            self.opening = Some(std::mem::replace(&mut up.opening, next));
            self.attempt = None;
        }
        let fault = error.or_else(|| self.link.engine().fault().cloned());
        let attempt = self.attempt(fault.map(|fault| fault.with_server(self.name())));
        self.earlier.push(attempt.into());
        self.place = LinkState::Dial;
    }

    pub(super) fn attempt(&self, error: Option<Error>) -> Attempt {
        let mut attempt = Attempt { peer: self.ends.peer, error, ..Attempt::new(self.name.clone()) };
        attempt.tls = self.tls().cloned();
        attempt.times = ConnectionTimes { tls: self.link.handshake_time(), ..self.ends.times };
        if let Some(opening) = &self.opening {
            attempt.policy = opening.answer();
            attempt.logins = opening.logins().to_vec();
            attempt.times.login = opening.login_time();
        }
        attempt
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
            _ if !needed || self.server.is_agent() => return Ok(()),
            _ if !self.link.engine().is_encrypted() => "the session is in plain text".to_owned(),
            Some(fault) => format!("the certificate {fault}"),
            None => return Ok(()),
        };
        let text = format!(
            "{text}, and TLS is required: set option `tlsrequired` when the session or mailer is made"
        );
        Err(Error::new(Kind::Tls, Step::Tls, text))
    }

    /// Answers a message of which nothing was said.
    pub(super) fn refuse(&mut self, ticket: Ticket, transaction: &Transaction, error: Error) {
        let error = error.with_server(self.name());
        let mut report =
            crate::engine::unbegun(&transaction.addressed.recipients, transaction.asked, error.clone());
        report.attempts = self.take_attempts(Some(error));
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
        // Most octets and replies decide nothing yet.
        if self.link.engine().has_events() || self.doing.is_some() || !self.asks.is_empty() {
            self.advance();
        }
    }
}

pub(super) fn under_tls() -> Error {
    Error::usage("the session is under TLS already")
}

pub(super) fn logged_in() -> Error {
    Error::usage("the session is logged in already: RFC 4954 allows one login a connection")
}
