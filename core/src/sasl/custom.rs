//! Mechanisms of the caller's own.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use smol_str::SmolStr;

use super::{Channel, Fault, Mechanism, MechanismName};
use crate::caught::{PANICKED, caught};
use crate::error::{Error, one_line};
use crate::secret::Secret;

/// What a mechanism may say at once: as much as the longest access token.
const MOST: usize = 64 * 1024;
/// How often a mechanism is asked: no known one needs a tenth of it, and a server may go on without end.
const MOST_STEPS: u32 = 100;

/// A login mechanism of the caller's own. See [`Options::mechanisms`](crate::options::Options::mechanisms).
///
/// ```
/// use std::sync::Arc;
/// use std::task::Poll;
///
/// use smtpclient::options::Options;
/// use smtpclient::sasl::{CustomExchange, CustomMechanism, CustomStep, LoginFacts};
///
/// /// ANONYMOUS (RFC 4505): one response, then the server decides.
/// struct Anonymous;
///
/// impl CustomMechanism for Anonymous {
///     fn name(&self) -> &str {
///         "ANONYMOUS"
///     }
///
///     fn reveals_secret(&self) -> bool {
///         false
///     }
///
///     fn begin(&self, login: &LoginFacts<'_>) -> Box<dyn CustomExchange> {
///         let trace = format!("visitor of {}", login.channel.host);
///         Box::new(move |_: Option<&[u8]>| Poll::Ready(Ok(CustomStep::last(trace.as_str()))))
///     }
/// }
///
/// let mut options = Options::default();
/// options.mechanisms.push(Arc::new(Anonymous));
/// ```
pub trait CustomMechanism: Send + Sync {
    /// The name in the AUTH command: 1 to 20 of `A` to `Z`, `0` to `9`, `-` and `_` (RFC 4422 section 3.1). One that ends in
    /// `-PLUS` is used only on a connection that a login can be bound to. It is always the same.
    fn name(&self) -> &str;

    /// Whether somebody who listens would learn a secret. Such a mechanism is used only over TLS, on this machine, or with
    /// option `authinsecure`.
    fn reveals_secret(&self) -> bool {
        true
    }

    /// Begins a login, of which any number may be under way in any thread.
    fn begin(&self, login: &LoginFacts<'_>) -> Box<dyn CustomExchange>;
}

/// One login by a mechanism of the caller's own. Any `FnMut(Option<&[u8]>) -> Poll<Result<CustomStep, String>>` is one.
pub trait CustomExchange: Send {
    /// What to say next. `challenge` is `None` at first, then what the server said, which is not to be trusted.
    ///
    /// It may block: a mailer, and whatever is awaited, calls it in a thread of its own, everybody else in the thread that sends.
    /// `Pending`: ask again with the same challenge, for event loops of the program's own alone.
    ///
    /// # Errors
    /// Why the login cannot go on, in one line without secrets.
    fn step(&mut self, challenge: Option<&[u8]>) -> Poll<Result<CustomStep, String>>;
}

impl<F: FnMut(Option<&[u8]>) -> Poll<Result<CustomStep, String>> + Send> CustomExchange for F {
    fn step(&mut self, challenge: Option<&[u8]>) -> Poll<Result<CustomStep, String>> {
        self(challenge)
    }
}

/// What a mechanism of the caller's own says, in bytes before base64.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CustomStep {
    /// `None`: nothing. At first the server then begins; later it is an empty response.
    pub response: Option<Secret>,
    /// Whether the mechanism has seen all that it needs. A server that says that the login succeeded before that, or asks
    /// for more after it, is not believed.
    pub is_done: bool,
}

impl CustomStep {
    /// A response after which the server has to say more.
    pub fn more(response: impl Into<Secret>) -> Self {
        Self { response: Some(response.into()), is_done: false }
    }

    /// A response after which only the outcome is awaited.
    pub fn last(response: impl Into<Secret>) -> Self {
        Self { response: Some(response.into()), is_done: true }
    }

    /// At first: the server begins.
    pub fn server_first() -> Self {
        Self { response: None, is_done: false }
    }
}

/// What is known of a login that begins.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LoginFacts<'a> {
    /// Option `username`; empty if there is none.
    pub username: &'a str,
    /// Option `authzid`: whom to act for. A mechanism that cannot say it must fail where it is set.
    pub authorization_id: Option<&'a str>,
    /// What is known of the connection.
    pub channel: &'a Channel,
}

impl<'a> LoginFacts<'a> {
    pub(super) fn new(username: &'a str, authorization_id: Option<&'a str>, channel: &'a Channel) -> Self {
        Self { username, authorization_id, channel }
    }
}

/// Checks the names of mechanisms.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage): an invalid name, one that a mechanism of this library has, or one that occurs twice.
pub fn check_custom(mechanisms: &[Arc<dyn CustomMechanism>]) -> Result<(), Error> {
    for (index, mechanism) in mechanisms.iter().enumerate() {
        let name = mechanism.name();
        let valid =
            |octet: u8| octet.is_ascii_uppercase() || octet.is_ascii_digit() || b"-_".contains(&octet);
        if !(1..=20).contains(&name.len()) || !name.bytes().all(valid) {
            return Err(Error::usage(format!(
                "{name:?} must be 1 to 20 capital letters, digits, hyphens and underscores (RFC 4422 section 3.1)"
            )));
        }
        if MechanismName::parse(name).is_some() {
            return Err(Error::usage(format!(
                "{name} is the name of a mechanism that the library has: give yours another name"
            )));
        }
        if mechanisms.iter().take(index).any(|other| other.name() == name) {
            return Err(Error::usage(format!("{name} is there twice: remove one of them")));
        }
    }
    Ok(())
}

/// A mechanism of the caller's own, as the exchange sees it.
pub(super) struct Custom {
    name: SmolStr,
    reveals_secret: bool,
    exchange: Box<dyn CustomExchange>,
    is_done: bool,
    steps: u32,
}

impl Custom {
    pub(super) fn new(mechanism: &dyn CustomMechanism, login: &LoginFacts<'_>) -> Self {
        Self {
            name: mechanism.name().into(),
            reveals_secret: mechanism.reveals_secret(),
            exchange: caught(|| mechanism.begin(login)).unwrap_or_else(|| Box::new(panicked)),
            is_done: false,
            steps: 0,
        }
    }
}

/// What stands for a mechanism that panicked.
fn panicked(_: Option<&[u8]>) -> Poll<Result<CustomStep, String>> {
    Poll::Ready(Err(PANICKED.to_owned()))
}

impl Mechanism for Custom {
    fn name(&self) -> &str {
        &self.name
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, Fault> {
        match self.poll(Some(challenge)) {
            Poll::Ready(answer) => answer.map(Option::unwrap_or_default),
            Poll::Pending => Err(Fault::new("the mechanism has no answer now")),
        }
    }

    fn poll(&mut self, challenge: Option<&[u8]>) -> Poll<Result<Option<Secret>, Fault>> {
        if self.is_done {
            return Poll::Ready(Err(Fault::one_too_many()));
        }
        if self.steps >= MOST_STEPS {
            return Poll::Ready(Err(Fault::new(format!("the login is not over after {MOST_STEPS} lines"))));
        }
        caught(|| self.exchange.step(challenge)).unwrap_or_else(|| panicked(challenge)).map(|step| {
            self.steps += 1;
            let step = step.map_err(|words| Fault::of_caller(one_line(&words)))?;
            let length = step.response.as_ref().map_or(0, |response| response.expose().len());
            if length > MOST {
                return Err(Fault::of_caller(format!(
                    "the mechanism says {length} octets at once, and {MOST} is the most"
                )));
            }
            self.is_done = step.is_done;
            Ok(step.response)
        })
    }

    fn finish(&mut self) -> Result<(), Fault> {
        if self.is_done {
            return Ok(());
        }
        Err(Fault::security("the server says that the login succeeded, and the mechanism is not done"))
    }

    fn is_custom(&self) -> bool {
        true
    }

    fn reveals_secret(&self) -> bool {
        self.reveals_secret
    }
}

impl fmt::Debug for dyn CustomMechanism + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomMechanism({})", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Site(fn(Option<&[u8]>) -> Result<CustomStep, String>);

    impl CustomMechanism for Site {
        fn name(&self) -> &str {
            "X-SITE"
        }
        fn begin(&self, _: &LoginFacts<'_>) -> Box<dyn CustomExchange> {
            let step = self.0;
            Box::new(move |challenge: Option<&[u8]>| Poll::Ready(step(challenge)))
        }
    }

    fn custom(step: fn(Option<&[u8]>) -> Result<CustomStep, String>) -> Custom {
        Custom::new(&Site(step), &LoginFacts::new("ann", None, &Channel::default()))
    }

    #[test]
    fn a_login_has_an_end() {
        let mut custom = custom(|_| Ok(CustomStep::more("again")));
        let asked = (0..1000).find(|_| custom.respond(b"and now").is_err());
        assert_eq!(asked, Some(100));
        assert!(custom.finish().unwrap_err().security);
    }

    #[test]
    fn what_it_says_has_a_limit() {
        let mut custom = custom(|challenge| {
            let length = if challenge.is_none() { 64 * 1024 } else { 64 * 1024 + 1 };
            Ok(CustomStep::more("x".repeat(length)))
        });
        assert!(matches!(custom.poll(None), Poll::Ready(Ok(Some(_)))));
        let fault = custom.respond(b"").unwrap_err();
        assert!(fault.of_caller && !fault.security && fault.text.contains("65537 octets"), "{fault}");
    }

    #[test]
    fn what_it_fails_with_is_one_line() {
        let fault = custom(|_| Err("no ticket\r\nfor that".to_owned())).respond(b"").unwrap_err();
        assert_eq!(fault.text, "no ticket for that");
    }

    #[test]
    fn it_is_not_asked_after_it_is_done() {
        let mut custom = custom(|_| Ok(CustomStep::last("that is all")));
        custom.respond(b"").unwrap();
        custom.finish().unwrap();
        assert!(custom.respond(b"").unwrap_err().text.contains("one challenge more"));
    }
}
