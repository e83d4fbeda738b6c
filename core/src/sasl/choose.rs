use super::name::Needs;
use super::{Channel, Credentials, MechanismName};
use crate::error::Error;
use crate::secret::Secret;

/// Which mechanisms to try, and why not the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// To be tried in this order until one succeeds. Empty: no login is possible.
    pub try_order: Vec<MechanismName>,
    /// Mechanisms that the server or the option `auth` names, each with the reason why it is not tried.
    pub left_out: Vec<(String, String)>,
    /// What the server offers, without the bound mechanisms that it turned out not to know.
    pub offered: Vec<String>,
    /// Those that would have been tried, had no bound login been refused.
    pub withheld: Vec<MechanismName>,
    /// Variants that do not bind, each in reserve for its bound one.
    reserve: Vec<MechanismName>,
}

/// The mechanisms to try.
///
/// `offered` is what the server's EHLO reply names. `allowed` (option `auth`) restricts and orders; without
/// it the strongest goes first. `auth_insecure` permits mechanisms that show the password or token on a
/// connection that is neither encrypted nor loopback.
pub fn choose(
    offered: &[String],
    allowed: Option<&[String]>,
    credentials: &Credentials,
    channel: &Channel,
    auth_insecure: bool,
) -> Choice {
    let mut choice = Choice { offered: offered.to_vec(), ..Choice::default() };
    let order = order(allowed, credentials, &mut choice);
    for name in &order {
        if !offers(offered, name) {
            if allowed.is_some() || matches!(name, MechanismName::Custom(_)) {
                choice.leave_out(name.as_str(), "the server does not offer it");
            }
        } else if let Some(why) = obstacle(name, credentials, channel, auth_insecure) {
            choice.leave_out(name.as_str(), why);
        } else if let Some(plus) = name.plus().filter(|plus| {
            order.contains(plus)
                && offers(offered, plus)
                && obstacle(plus, credentials, channel, auth_insecure).is_none()
        }) {
            // RFC 5802 section 6: must bind where the server offers it. Else whoever makes the bound
            // login fail gets an unbound one.
            choice.leave_out(name.as_str(), format!("{plus} is used in its place"));
            choice.reserve.push(name.clone());
        } else {
            choice.try_order.push(name.clone());
        }
    }
    for name in offered {
        match credentials.mechanism(name) {
            Some(known) if order.contains(&known) => {}
            Some(_) => choice.leave_out(name, "the option auth does not name it"),
            None => choice.leave_out(name, "this library does not speak it"),
        }
    }
    choice
}

impl Choice {
    /// Takes the next mechanism to try.
    pub fn next_mechanism(&mut self) -> Option<MechanismName> {
        (!self.try_order.is_empty()).then(|| self.try_order.remove(0))
    }

    /// `name` did not log in; `code` is the reply, if there was one. Leaves in [`try_order`](Self::try_order) what may
    /// follow.
    ///
    /// A bound login is followed by bound ones alone: whoever is in between cannot log in by one, but could make it fail
    /// to be shown more. Only where the server does not know the mechanism do SCRAMs follow that do not bind, and they
    /// say `y`: a server that does bind then refuses (RFC 5802 section 6).
    pub fn refused(&mut self, name: &MechanismName, code: Option<u16>) {
        if !name.is_plus() {
            return;
        }
        // RFC 4954 section 4 has 504; others say that they do not know the command or its argument.
        let unknown = matches!(code, Some(500..=504));
        if unknown {
            self.offered.retain(|offered| !MechanismName::parse(offered).is_some_and(|name| name.is_plus()));
            let unbound = self.reserve.iter().filter(|unbound| unbound.plus().as_ref() == Some(name));
            self.try_order.extend(unbound.cloned());
        }
        let may_follow = |next: &MechanismName| next.is_plus() || (unknown && next.plus().is_some());
        let (mut follow, withheld): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.try_order).into_iter().partition(may_follow);
        follow.sort();
        self.try_order = follow;
        self.withheld.extend(withheld);
    }

    /// The error of the first login that was refused, with what was not tried because of it.
    pub(crate) fn explained(&self, error: Error) -> Error {
        if self.withheld.is_empty() {
            return error;
        }
        let names: Vec<_> = self.withheld.iter().map(|name| name.as_str()).collect();
        let text = format!(
            "{}; {} would not be bound to this connection, and is not tried after that: to allow it, name it with the \
             option auth, without the -PLUS mechanisms",
            error.text(),
            names.join(" ")
        );
        error.with_text(text)
    }

    fn leave_out(&mut self, name: &str, why: impl Into<String>) {
        if !self.left_out.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            self.left_out.push((name.to_owned(), why.into()));
        }
    }
}

fn order(allowed: Option<&[String]>, credentials: &Credentials, choice: &mut Choice) -> Vec<MechanismName> {
    let Some(allowed) = allowed else {
        let own = credentials.mechanisms.iter().map(|own| MechanismName::Custom(own.name().into()));
        return own.chain(MechanismName::ALL).collect();
    };
    let mut order = Vec::with_capacity(allowed.len());
    for name in allowed {
        match credentials.mechanism(name) {
            Some(known) if order.contains(&known) => {}
            Some(known) => order.push(known),
            None => choice.leave_out(name, "this library does not speak it"),
        }
    }
    order
}

fn offers(offered: &[String], name: &MechanismName) -> bool {
    offered.iter().any(|o| o.eq_ignore_ascii_case(name.as_str()))
}

/// Why `name` cannot be used, whatever the server offers.
fn obstacle(
    name: &MechanismName,
    credentials: &Credentials,
    channel: &Channel,
    auth_insecure: bool,
) -> Option<&'static str> {
    let why = match name.needs() {
        Needs::Password if credentials.password.is_none() => "it needs a password, and none is set",
        Needs::Password if *name == MechanismName::Plain && is_empty(credentials.password.as_ref()) => {
            "it cannot say an empty password (RFC 4616 section 2)"
        }
        Needs::Token if credentials.oauth_token.is_none() && !credentials.asks_token => {
            "it needs the option oauthtoken, which is not set"
        }
        Needs::Certificate if !credentials.external || !channel.encrypted => {
            "it needs TLS with a client certificate, and none is in use"
        }
        Needs::Certificate if credentials.password.is_some() => {
            "a password is set, and logs in instead of the client certificate"
        }
        // OAUTHBEARER's token names the user; EXTERNAL's certificate does.
        Needs::Password if credentials.username.is_empty() => "it needs a user name, and none is set",
        Needs::Token if *name == MechanismName::Xoauth2 && credentials.username.is_empty() => {
            "it needs a user name, and none is set"
        }
        _ if credentials.authorization_id.is_some() && !name.says_whom_to_act_for() => {
            "it cannot say whom to act for (the option authzid)"
        }
        _ if name.is_plus() && channel.bindings.is_empty() => {
            "this connection has nothing that a login can be bound to"
        }
        _ if credentials.reveals_secret(name)
            && !(channel.encrypted || channel.loopback || auth_insecure) =>
        {
            "it would show the secret on an unencrypted connection (the option authinsecure allows that)"
        }
        _ => return None,
    };
    Some(why)
}

fn is_empty(password: Option<&Secret>) -> bool {
    password.is_some_and(|password| password.expose().is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Poll;

    use super::*;
    use crate::sasl::{BindingKind, ChannelBinding, CustomExchange, CustomMechanism, LoginFacts};
    use MechanismName as M;

    fn names(list: &str) -> Vec<String> {
        list.split_whitespace().map(str::to_owned).collect()
    }

    fn user() -> Credentials {
        Credentials::with_password("tim", "tanstaaf")
    }

    fn clear() -> Channel {
        Channel::new("mail.example.org", 587)
    }

    fn tls() -> Channel {
        Channel { encrypted: true, ..clear() }
    }

    fn bound() -> Channel {
        let binding = ChannelBinding { kind: BindingKind::TlsExporter, data: vec![7; 32] };
        Channel { bindings: vec![binding], ..tls() }
    }

    fn why<'a>(choice: &'a Choice, name: &str) -> &'a str {
        &choice.left_out.iter().find(|(n, _)| n == name).unwrap().1
    }

    const EVERYTHING: &str = "LOGIN PLAIN cram-md5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256 \
        SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS XOAUTH2 OAUTHBEARER EXTERNAL GSSAPI";

    #[test]
    fn the_strongest_goes_first() {
        let choice = choose(&names(EVERYTHING), None, &user(), &bound(), false);
        assert_eq!(
            choice.try_order,
            [M::ScramSha256Plus, M::ScramSha1Plus, M::DigestMd5, M::CramMd5, M::Plain, M::Login]
        );
        assert_eq!(why(&choice, "SCRAM-SHA-256"), "SCRAM-SHA-256-PLUS is used in its place");
        assert!(why(&choice, "XOAUTH2").contains("oauthtoken"));
        assert!(why(&choice, "EXTERNAL").contains("client certificate"));
        assert!(why(&choice, "GSSAPI").contains("does not speak"));
        assert_eq!(choice.try_order.len() + choice.left_out.len(), 12);
    }

    #[test]
    fn a_channel_that_cannot_bind_leaves_plus_out() {
        let choice = choose(&names(EVERYTHING), None, &user(), &tls(), false);
        assert_eq!(choice.try_order[..2], [M::ScramSha256, M::ScramSha1]);
        assert!(why(&choice, "SCRAM-SHA-256-PLUS").contains("bound"));
    }

    #[test]
    fn only_an_offered_plus_replaces_the_plain_variant() {
        let offered = names("SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256");
        let choice = choose(&offered, None, &user(), &bound(), false);
        assert_eq!(choice.try_order, [M::ScramSha1Plus, M::ScramSha256]);
    }

    #[test]
    fn nothing_unbound_follows_a_bound_login_that_is_refused() {
        let start = || choose(&names(EVERYTHING), None, &user(), &bound(), false);
        let mut choice = start();
        assert_eq!(choice.next_mechanism(), Some(M::ScramSha256Plus));
        choice.refused(&M::ScramSha256Plus, Some(535));
        assert_eq!(choice.try_order, [M::ScramSha1Plus]);
        assert_eq!(choice.withheld, [M::DigestMd5, M::CramMd5, M::Plain, M::Login]);

        // The server does not know what it offers.
        let mut choice = start();
        for plus in [M::ScramSha256Plus, M::ScramSha1Plus] {
            assert_eq!(choice.next_mechanism(), Some(plus.clone()));
            choice.refused(&plus, Some(504));
        }
        assert_eq!(choice.try_order, [M::ScramSha256, M::ScramSha1]);
        assert!(!choice.offered.iter().any(|name| name.ends_with("-PLUS")));

        // It knows one of two, and does bind.
        let mut choice = start();
        assert_eq!(choice.next_mechanism(), Some(M::ScramSha256Plus));
        choice.refused(&M::ScramSha256Plus, Some(504));
        assert_eq!(choice.try_order, [M::ScramSha1Plus, M::ScramSha256]);
        assert_eq!(choice.next_mechanism(), Some(M::ScramSha1Plus));
        choice.refused(&M::ScramSha1Plus, None);
        assert_eq!(choice.try_order, []);
    }

    #[test]
    fn secrets_are_not_shown_in_the_clear() {
        let offered = names("PLAIN LOGIN XOAUTH2 OAUTHBEARER CRAM-MD5");
        let credentials = Credentials { oauth_token: Some("t0ken".into()), ..user() };
        let choice = choose(&offered, None, &credentials, &clear(), false);
        assert_eq!(choice.try_order, [M::CramMd5]);
        assert!(why(&choice, "PLAIN").contains("authinsecure"));
        let loopback = Channel { loopback: true, ..clear() };
        for (channel, insecure) in [(tls(), false), (loopback, false), (clear(), true)] {
            let choice = choose(&offered, None, &credentials, &channel, insecure);
            assert_eq!(choice.try_order, [M::CramMd5, M::OauthBearer, M::Xoauth2, M::Plain, M::Login]);
        }
    }

    #[test]
    fn auth_restricts_and_orders() {
        let allowed = names("login PLAIN login SCRAM-SHA-256 NTLM");
        let choice = choose(&names("PLAIN LOGIN CRAM-MD5"), Some(&allowed), &user(), &tls(), false);
        assert_eq!(choice.try_order, [M::Login, M::Plain]);
        assert!(why(&choice, "SCRAM-SHA-256").contains("does not offer"));
        assert!(why(&choice, "CRAM-MD5").contains("option auth"));
        assert!(why(&choice, "NTLM").contains("does not speak"));
        // Who allows the plain variant only, wants no binding.
        let choice = choose(&names(EVERYTHING), Some(&names("SCRAM-SHA-1")), &user(), &bound(), false);
        assert_eq!(choice.try_order, [M::ScramSha1]);
    }

    #[test]
    fn a_certificate_logs_in_where_there_is_no_password() {
        let certificate = Credentials { external: true, ..Credentials::default() };
        let offered = names("PLAIN EXTERNAL");
        assert_eq!(choose(&offered, None, &certificate, &tls(), false).try_order, [M::External]);
        assert_eq!(choose(&offered, None, &certificate, &clear(), true).try_order, []);
        let both = Credentials { external: true, ..user() };
        assert_eq!(choose(&offered, None, &both, &tls(), false).try_order, [M::Plain]);
    }

    #[test]
    fn no_user_name_no_password_login() {
        let nobody = Credentials::with_password("", "tanstaaf");
        let choice = choose(&names("PLAIN"), None, &nobody, &tls(), false);
        assert_eq!(choice.try_order, []);
        assert!(why(&choice, "PLAIN").contains("user name"));
        let token = Credentials { oauth_token: Some("t0ken".into()), ..Credentials::default() };
        let choice = choose(&names("XOAUTH2 OAUTHBEARER"), None, &token, &tls(), false);
        assert_eq!(choice.try_order, [M::OauthBearer]);
    }

    struct Own(&'static str, bool);

    impl CustomMechanism for Own {
        fn name(&self) -> &str {
            self.0
        }
        fn reveals_secret(&self) -> bool {
            self.1
        }
        fn begin(&self, _: &LoginFacts<'_>) -> Box<dyn CustomExchange> {
            Box::new(|_: Option<&[u8]>| Poll::Ready(Err("not asked here".to_owned())))
        }
    }

    #[test]
    fn the_callers_own_go_first_and_by_the_same_rules() {
        let custom = |name: &str| M::Custom(name.into());
        let mechanisms: Vec<Arc<dyn CustomMechanism>> =
            vec![Arc::new(Own("NTLM", false)), Arc::new(Own("X-OPEN", true)), Arc::new(Own("X-PLUS", true))];
        let own = Credentials { mechanisms, ..user() };
        let offered = names("PLAIN X-PLUS X-OPEN ntlm");
        let tried = |auth: Option<&[String]>, channel: &Channel, insecure| {
            choose(&offered, auth, &own, channel, insecure).try_order
        };
        assert_eq!(
            tried(None, &bound(), false),
            [custom("NTLM"), custom("X-OPEN"), custom("X-PLUS"), M::Plain]
        );
        assert_eq!(tried(None, &tls(), false), [custom("NTLM"), custom("X-OPEN"), M::Plain]);
        assert_eq!(tried(None, &clear(), false), [custom("NTLM")]);
        assert_eq!(tried(None, &clear(), true), [custom("NTLM"), custom("X-OPEN"), M::Plain]);
        let auth = names("plain x-open");
        assert_eq!(tried(Some(&auth), &tls(), false), [M::Plain, custom("X-OPEN")]);

        let choice = choose(&offered, Some(&auth), &own, &clear(), false);
        assert!(
            why(&choice, "X-OPEN").contains("unencrypted")
                && why(&choice, "ntlm").contains("the option auth")
        );
        // What follows a login that was bound is bound too.
        let mut choice = choose(&offered, Some(&names("X-PLUS NTLM")), &own, &bound(), false);
        let first = choice.next_mechanism().unwrap();
        choice.refused(&first, Some(535));
        assert_eq!((choice.try_order, choice.withheld), (vec![], vec![custom("NTLM")]));
    }
}
