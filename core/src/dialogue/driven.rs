//! What a driver sees of a session.

use std::time::Duration;

use super::{Dialogue, Doing, LinkState, Purpose, setup};
use crate::conversation::{Action, Conversation, Driven, Ends};
use crate::engine::{Awaited, Engine};
use crate::error::{Error, Step};
use crate::link::Link;
use crate::opening;
use crate::times;

impl Driven for Dialogue {
    fn action(&mut self) -> Action<'_> {
        match self.place {
            LinkState::Dial => Action::Dial(&self.server),
            LinkState::Connected if self.link.is_closed() => Action::Done,
            LinkState::Connected => Action::Exchange,
        }
    }

    fn prepare(&mut self) {
        let Some(library) = &self.library else { return };
        let options = match &self.doing {
            Some((_, Doing::Opening(up))) => up.options(&self.options),
            _ => &self.options,
        };
        opening::prepare(&self.server, options, &**library);
    }

    fn connected(&mut self, ends: Ends) {
        if self.place != LinkState::Dial {
            return;
        }
        // The first connection takes the engine that the dialogue began with.
        if !self.link.is_untouched() {
            let mut engine = Engine::new(self.link.engine().config().clone());
            engine.avoid_too(self.link.engine().avoided());
            self.is_ungrouped = engine.avoided().contains(&"PIPELINING");
            if let Some(listener) = self.link.engine_mut().take_listener() {
                engine.listen(listener);
            }
            self.link = Link::new(engine);
        }
        if self.is_nameless {
            self.link.engine_mut().config_mut().client = setup::literal(ends.local);
        }
        (self.ends, self.place, self.opening, self.attempt) = (ends, LinkState::Connected, None, None);
        self.made = times::now();
        (self.logged_in, self.is_ready) = (false, false);
        let begun = match self.doing.take() {
            Some((ticket, Doing::Opening(mut up))) => {
                up.opening = self.new_opening(up.options(&self.options), up.plain);
                if let Some(asking) = up.asking.take() {
                    up.opening.go_on_asking(asking);
                }
                if let Purpose::Message(needs) = &up.purpose {
                    up.opening.need(needs);
                }
                let begun = up.opening.begin(&mut self.link);
                self.doing = Some((ticket, Doing::Opening(up)));
                begun
            }
            other => {
                self.doing = other;
                self.new_opening(&self.options, false).begin(&mut self.link)
            }
        };
        if let Err(error) = begun {
            self.link.handle_error(error);
        }
        // For a driver that has not done so: while the greeting is awaited.
        self.prepare();
        self.advance();
    }

    fn connect_failed(&mut self, error: Error) {
        if self.place != LinkState::Dial {
            return;
        }
        self.place = LinkState::Connected;
        (self.ends, self.attempt) = (Ends::default(), None);
        match self.doing.take() {
            Some((ticket, Doing::Reply(_))) => self.fail(ticket, error.clone()),
            other => {
                self.doing = other;
                self.opening_over(Err(error.clone()));
            }
        }
        // Nothing can be said any more, and this is why.
        self.link = Link::new(Engine::new(self.link.engine().config().clone()));
        self.is_ready = false;
        self.link.handle_error(error);
        self.advance();
    }
}

impl Conversation for Dialogue {
    fn handle_input(&mut self, input: &[u8]) {
        self.with_link(|link| link.handle_input(input));
    }
    fn handle_eof(&mut self) {
        self.with_link(Link::handle_eof);
    }
    fn handle_timeout(&mut self) {
        self.with_link(Link::handle_timeout);
    }
    fn handle_error(&mut self, cause: Error) {
        self.with_link(|link| link.handle_error(cause));
    }
    fn abort(&mut self, cause: Error) {
        self.can_dial = false;
        if self.place == LinkState::Dial {
            let step = if cause.step() == Step::Command { Step::Connect } else { cause.step() };
            return self.connect_failed(cause.with_step(step));
        }
        self.with_link(|link| link.abort(cause));
    }
    fn poll_output(&mut self) -> &[u8] {
        self.gather();
        self.output()
    }
    fn output_done(&mut self, n: usize) {
        self.with_link(|link| link.output_done(n));
    }
    fn timeout(&self) -> Option<Duration> {
        if self.place == LinkState::Dial { None } else { self.link.timeout() }
    }
    fn patience(&self) -> Duration {
        self.link.patience()
    }
    fn progress(&self) -> u64 {
        self.link.progress()
    }
    fn waits_for(&self) -> Option<Awaited> {
        match &self.doing {
            Some((_, Doing::Opening(up)))
                if self.place == LinkState::Connected && up.opening.waits_for_token() =>
            {
                Some(Awaited::Login)
            }
            _ => self.link.waits_for(),
        }
    }
}
