//! The logins of an opening: one mechanism after the other, until one succeeds.

use super::{Opening, OpeningStage, OpeningStatus};
use crate::error::{Error, Kind, Step};
use crate::link::Link;
use crate::reply::Reply;
use crate::report::Login;
use crate::sasl;
use crate::times;

impl Opening {
    pub(super) fn begin_login(&mut self, link: &mut Link) -> OpeningStatus {
        self.hide(link);
        let Some(credentials) = &self.credentials else {
            self.stage = OpeningStage::Ready;
            return OpeningStatus::Ready;
        };
        self.channel.encrypted = link.engine().is_encrypted();
        self.channel.tls_version = link.layer().and_then(|layer| layer.facts().version.clone());
        self.channel.verified = link.layer().is_some_and(|layer| {
            let facts = layer.facts();
            facts.verified || facts.pinned
        });
        self.channel.bindings = link.layer().map_or_else(Vec::new, |layer| layer.bindings());
        let offered = link.engine().extensions().auth();
        let allowed = (!self.allowed.is_empty()).then_some(self.allowed.as_slice());
        let choice = sasl::choose(offered, allowed, credentials, &self.channel, self.auth_insecure);
        if choice.try_order.is_empty() {
            let reasons: Vec<String> =
                choice.left_out.iter().map(|(name, why)| format!("{name}: {why}")).collect();
            let text = if offered.is_empty() {
                let lack = link.engine().extensions().lack("AUTH");
                format!("credentials were given and {lack} on this connection")
            } else {
                format!("credentials were given and no login is possible ({})", reasons.join("; "))
            };
            return OpeningStatus::Failed(Error::new(Kind::Login, Step::Auth, text));
        }
        self.choice = choice;
        self.stage = OpeningStage::Login;
        self.next_login(link)
    }

    fn next_login(&mut self, link: &mut Link) -> OpeningStatus {
        self.trying = self.choice.next_mechanism();
        if self.lacks_token() {
            self.stage = OpeningStage::Token; // the driver's next look for output asks for it
            return OpeningStatus::Going;
        }
        self.start_login(link)
    }

    pub(super) fn start_login(&mut self, link: &mut Link) -> OpeningStatus {
        self.stage = OpeningStage::Login;
        let (Some(mechanism), Some(credentials)) = (&self.trying, &self.credentials) else {
            let error = self.refused.take();
            let error = error.unwrap_or_else(|| Error::new(Kind::Login, Step::Auth, "no login succeeded"));
            return OpeningStatus::Failed(self.choice.explained(error));
        };
        match sasl::start(mechanism, credentials, &self.channel, &self.choice.offered) {
            Ok(mechanism) => {
                let exchange = sasl::Exchange::new(mechanism);
                self.logins.push(Login { mechanism: exchange.mechanism().into(), error: None });
                self.asked = link.engine_mut().login(exchange);
                self.login.get_or_insert_with(|| (times::now(), None));
                OpeningStatus::Going
            }
            Err(error) => OpeningStatus::Failed(error),
        }
    }

    pub(super) fn login_refused(&mut self, link: &mut Link, error: Error) -> OpeningStatus {
        self.logged_in(Some(error.clone()));
        if self.token_refused(&error) {
            self.refused.get_or_insert(error);
            self.stage = OpeningStage::Token;
            return self.looked(link);
        }
        if !link.engine().is_closed() {
            if let Some(name) = &self.trying {
                self.choice.refused(name, error.reply().map(Reply::code));
            }
            self.refused.get_or_insert(error);
            return self.next_login(link);
        }
        self.login_ended(link, error)
    }

    /// The connection ended with `error` before a login succeeded.
    pub(super) fn login_ended(&mut self, link: &Link, error: Error) -> OpeningStatus {
        if self.moves_for_token(link)
            && let Some(refused) = self.refused.take()
        {
            return OpeningStatus::Again(refused);
        }
        // The first refusal decided, and what ended the rest does not change that: unless it was the caller, or a server
        // that cannot be trusted.
        let forged = link.engine().fault().is_some_and(|fault| fault.kind() == Kind::Login);
        let decided = self.refused.take().filter(|_| !forged && !link.is_aborted());
        OpeningStatus::Failed(decided.unwrap_or_else(|| self.decisive(error)))
    }

    pub(super) fn logged_in(&mut self, error: Option<Error>) {
        if let Some((begin, took)) = &mut self.login {
            *took = Some(begin.elapsed());
        }
        if let Some(login) = self.logins.last_mut() {
            login.error = error;
        }
    }
}
