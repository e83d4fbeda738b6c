//! AUTH and the lines after it.

use std::task::Poll;

use zeroize::Zeroizing;

use super::expect::Expect;
use super::request::{Awaited, Id, Request};
use super::writer::SECRET;
use super::{Engine, Event};
use crate::error::{Error, Kind, Step};
use crate::reply::Reply;
use crate::sasl::{Exchange, ExchangeStep};

impl Engine {
    /// Logs in by one mechanism (RFC 4954). Answered by [`Event::Reply`] with the 235, or by
    /// [`Event::Failed`]; the connection is closed where the server cannot be trusted any more.
    pub fn login(&mut self, exchange: Exchange) -> Id {
        self.ask(Request::Login(Box::new(exchange)))
    }

    pub(super) fn begin_login(&mut self, id: Id, mut exchange: Exchange) {
        if exchange.is_custom() {
            (self.login, self.login_asks) = (Some(exchange), Some(id));
            return;
        }
        let mut line = Zeroizing::new(Vec::with_capacity(SECRET));
        exchange.command(&mut line);
        self.say_auth(id, exchange, &line);
    }

    /// Asks the caller's own mechanism for its next line, as readers are asked for octets; false if it has none yet.
    pub(super) fn ask_mechanism(&mut self, id: Id) -> bool {
        let Some(mut exchange) = self.login.take() else { return false };
        let begins = !exchange.is_begun();
        let mut line = Zeroizing::new(Vec::with_capacity(SECRET));
        let Poll::Ready(progress) = exchange.ask(&mut line) else {
            (self.login, self.waits_for) = (Some(exchange), Some(Awaited::Login));
            return false;
        };
        self.login_asks = None;
        if begins && matches!(progress, ExchangeStep::Continue) {
            self.say_auth(id, exchange, &line);
        } else {
            self.go_on(id, exchange, progress, &line, None);
        }
        true
    }

    pub(super) fn on_auth(&mut self, id: Id, heard: Option<&Reply>, reply: Reply) {
        let Some(mut exchange) = self.login.take() else { return };
        let mut line = Zeroizing::new(Vec::with_capacity(SECRET));
        let progress = exchange.reply(heard.unwrap_or(&reply), &mut line);
        self.go_on(id, exchange, progress, &line, Some(reply));
    }

    /// Whether `reply` is a challenge to the caller's own mechanism, of which nothing is shown: nobody knows what is secret in it.
    pub(super) fn hides_challenge(&self, reply: &Reply) -> bool {
        let is_due = matches!(self.expected.front(), Some(Expect::Auth(_)));
        is_due && reply.code() / 100 == 3 && self.login.as_ref().is_some_and(Exchange::is_custom)
    }

    fn say_auth(&mut self, id: Id, mut exchange: Exchange, line: &[u8]) {
        self.transcript.masked(&format!("AUTH {}", exchange.mechanism()));
        self.hide_responses(&mut exchange);
        self.login = Some(exchange);
        self.write_secret(line, Expect::Auth(id));
    }

    fn go_on(
        &mut self,
        id: Id,
        mut exchange: Exchange,
        progress: ExchangeStep,
        line: &[u8],
        reply: Option<Reply>,
    ) {
        self.hide_responses(&mut exchange);
        match progress {
            ExchangeStep::Asking => (self.login, self.login_asks) = (Some(exchange), Some(id)),
            ExchangeStep::Continue => {
                self.transcript.note(format_args!("a line of the login"));
                self.login = Some(exchange);
                self.write_secret(line, Expect::Auth(id));
            }
            ExchangeStep::Cancelled => {
                self.transcript.client(b"*");
                self.login = Some(exchange);
                self.write_secret(line, Expect::Auth(id));
            }
            ExchangeStep::Done(Ok(())) => self.events.extend(reply.map(|reply| Event::Reply(id, reply))),
            ExchangeStep::Done(Err(fault)) => {
                let mut error = self.mask.error(Error::new(Kind::Login, Step::Auth, fault.text));
                if let Some(reply) = reply.filter(Reply::is_failure) {
                    error = error.with_reply(reply);
                }
                // It may have been a ticket that has expired, or the network.
                if fault.of_caller {
                    error = error.with_transient(true);
                }
                self.events.push_back(Event::Failed(id, error.clone()));
                if fault.security {
                    self.end(error);
                }
            }
        }
    }

    fn hide_responses(&mut self, exchange: &mut Exchange) {
        for line in exchange.take_sent() {
            if exchange.may_show_secret() {
                self.mask.hide_login(line.expose());
            } else {
                self.mask.hide_response(line.expose());
            }
        }
    }
}
