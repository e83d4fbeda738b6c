//! From the greeting to the first MAIL: EHLO, STARTTLS, EHLO, login.

mod check;
mod login;
mod token;
mod wanted;

use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::caught::caught;
use crate::command::Command;
use crate::engine::{Event, Id, Protocol};
use crate::error::{Error, Kind, Step};
use crate::link::Link;
use crate::options::{Options, TlsAnswer, TlsPolicy, TlsPolicyFn};
use crate::report::Login;
use crate::sasl::{self, Channel, Credentials, MechanismName};
use crate::server::Server;
use crate::tls::{Secure, TlsFacts, Verify};

pub(crate) use self::check::{check, check_functions, check_login, check_protection, guarded};
pub use self::token::Asking;
pub(crate) use self::wanted::hinted;
pub use self::wanted::prepare;
use self::wanted::{credentials, requires_tls, verify};

/// How far the opening is.
#[derive(Debug)]
pub enum OpeningStatus {
    /// Move bytes.
    Going,
    /// MAIL may be said.
    Ready,
    /// This server is of no use.
    Failed(Error),
    /// TLS could not be set up and the policy says `insecure`: connect again, and go on in plain text.
    Redial,
    /// The server refused the token and ended the connection, for this reason: connect again, and try another token.
    Again(Error),
}

/// The opening of one connection.
pub struct Opening {
    security: Security,
    credentials: Option<Credentials>,
    asking: Option<Asking>,
    allowed: Vec<String>,
    auth_insecure: bool,
    channel: Channel,
    /// Extensions that the message needs.
    needs: SmallVec<[&'static str; 2]>,
    stage: OpeningStage,
    asked: Id,
    /// The mechanisms to try, and the one that is under way.
    choice: sasl::Choice,
    trying: Option<MechanismName>,
    /// The first refused login: the reason to name where none succeeds.
    refused: Option<Error>,
    /// STARTTLS was refused, and the policy said to go on: the reason to name where the server then hangs up.
    starttls_refused: Option<Error>,
    logins: Vec<Login>,
    /// When the first login began, and how long all of them took.
    login: Option<(Instant, Option<Duration>)>,
    facts: Option<TlsFacts>,
    answer: Option<TlsAnswer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpeningStage {
    /// Wait for 220, on a connection that is made for what this opening was asked for.
    Greeting,
    Hello,
    StartTls,
    Handshake,
    Login,
    /// The login has begun, and waits for its token.
    Token,
    /// Once more after the login.
    HelloAgain,
    Ready,
    /// Failed; that was said once.
    Over,
}

/// What the options say of TLS.
struct Security {
    library: Option<Arc<dyn Secure>>,
    want: Want,
    /// Implicit TLS.
    first: bool,
    verify: Verify,
    policy: TlsPolicy,
}

/// How much TLS is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    /// None, or no more.
    Nothing,
    /// Where it is offered and succeeds, or the policy says so.
    IfPossible,
    /// Nothing goes out without it.
    Required,
}

impl Opening {
    /// The opening of a connection to `server`. `loopback` tells that the peer is this machine; `plain`
    /// that the policy has answered `insecure` for this server before.
    pub fn new(
        server: &Server,
        options: &Options,
        library: Option<Arc<dyn Secure>>,
        loopback: bool,
        plain: bool,
    ) -> Self {
        let credentials = credentials(options, library.as_deref());
        let secret = credentials.is_some();
        let required = requires_tls(server, options) && !plain;
        let verify = verify(required || secret);
        let policy = match &options.tlspolicy {
            TlsPolicy::Default if secret => TlsPolicy::Fixed(TlsAnswer::Secure),
            TlsPolicy::Default => TlsPolicy::Fixed(TlsAnswer::Insecure),
            own => own.clone(),
        };
        let (host, port) = match &server.target {
            crate::server::Target::Tcp { host, port } => (host.clone(), *port),
            crate::server::Target::Unix(_) | crate::server::Target::Agent(_) => ("localhost".to_owned(), 0),
        };
        let lmtp = server.protocol == Protocol::Lmtp;
        Self {
            security: Security {
                library,
                want: match required {
                    true => Want::Required,
                    false if options.usetls && !plain => Want::IfPossible,
                    false => Want::Nothing,
                },
                first: server.tls,
                verify,
                policy,
            },
            credentials,
            asking: Asking::new(options),
            allowed: options.auth.clone(),
            auth_insecure: options.authinsecure,
            channel: Channel { loopback, lmtp, ..Channel::new(host, port) },
            needs: SmallVec::new(),
            stage: OpeningStage::Greeting,
            asked: Id::GREETING,
            choice: sasl::Choice::default(),
            trying: None,
            refused: None,
            starttls_refused: None,
            logins: Vec::new(),
            login: None,
            facts: None,
            answer: plain.then_some(TlsAnswer::Insecure),
        }
    }

    /// Tells which extensions the message that comes first needs: some servers offer them after the login only.
    pub fn need(&mut self, extensions: &[&'static str]) {
        self.needs = extensions.into();
    }

    /// Begins TLS where it comes first. Called once, before any byte is moved.
    ///
    /// # Errors
    /// TLS cannot be begun.
    pub fn begin(&mut self, link: &mut Link) -> Result<(), Error> {
        self.hide(link);
        if self.security.first { self.secure(link) } else { Ok(()) }
    }

    /// Goes on from wherever verbs have led to: EHLO if it was not said, TLS and login if they are wanted and
    /// were not had.
    pub fn resume(&mut self, link: &mut Link, logged_in: bool) -> OpeningStatus {
        if logged_in {
            self.credentials = None;
            // STARTTLS would undo the login (RFC 3207 section 4.2).
            if self.security.want == Want::IfPossible {
                self.security.want = Want::Nothing;
            }
        }
        if link.engine().is_introduced() {
            return self.introduced(link);
        }
        self.hello(link);
        OpeningStatus::Going
    }

    /// Takes an answer of the engine and asks for what follows. Answers to other requests are ignored.
    pub fn step(&mut self, link: &mut Link, event: Event) -> OpeningStatus {
        let progress = self.answered(link, event);
        self.note_end(progress)
    }

    /// Looks at what happened below the engine: a handshake that is done, or a connection that ended in one.
    pub fn look(&mut self, link: &mut Link) -> OpeningStatus {
        let progress = self.looked(link);
        self.note_end(progress)
    }

    /// Whatever the server says on this connection must not show what it is told.
    fn hide(&self, link: &mut Link) {
        for secret in self.credentials.iter().flat_map(Credentials::secrets) {
            link.engine_mut().hide(&secret);
        }
    }

    /// What is known of TLS, where it was begun.
    pub fn facts(&self) -> Option<&TlsFacts> {
        self.facts.as_ref()
    }

    /// What the policy answered, where it was asked.
    pub fn answer(&self) -> Option<TlsAnswer> {
        self.answer
    }

    /// The mechanisms that were tried, in order.
    pub fn logins(&self) -> &[Login] {
        &self.logins
    }

    /// How long the logins took.
    pub fn login_time(&self) -> Option<Duration> {
        self.login.and_then(|(_, took)| took)
    }

    fn note_end(&mut self, progress: OpeningStatus) -> OpeningStatus {
        if matches!(progress, OpeningStatus::Failed(_) | OpeningStatus::Redial | OpeningStatus::Again(_)) {
            self.stage = OpeningStage::Over;
        }
        progress
    }

    fn answered(&mut self, link: &mut Link, event: Event) -> OpeningStatus {
        match event {
            Event::Reply(id, reply) if id == self.asked => match self.stage {
                OpeningStage::Greeting => {
                    self.hello(link);
                    OpeningStatus::Going
                }
                OpeningStage::Hello => self.introduced(link),
                OpeningStage::StartTls => {
                    let text = "the server offers STARTTLS and refuses it";
                    self.tls_failed(
                        link,
                        reply.code(),
                        Error::new(Kind::Tls, Step::StartTls, text).with_reply(reply),
                    )
                }
                OpeningStage::Login => {
                    self.logged_in(None);
                    let offered = link.engine().extensions();
                    // Some servers (Dovecot) offer to those who logged in what they did not offer before.
                    if self.needs.iter().any(|keyword| !offered.has(keyword)) {
                        self.hello(link);
                        self.stage = OpeningStage::HelloAgain;
                        return OpeningStatus::Going;
                    }
                    self.stage = OpeningStage::Ready;
                    OpeningStatus::Ready
                }
                OpeningStage::HelloAgain => {
                    self.stage = OpeningStage::Ready;
                    OpeningStatus::Ready
                }
                OpeningStage::Handshake | OpeningStage::Token | OpeningStage::Ready | OpeningStage::Over => {
                    OpeningStatus::Going
                }
            },
            Event::StartTls(id, _) if id == self.asked => {
                self.stage = OpeningStage::Handshake;
                if link.engine().is_closed() {
                    return self.looked(link); // because of what followed the reply
                }
                match self.secure(link) {
                    Ok(()) => OpeningStatus::Going,
                    Err(error) => OpeningStatus::Failed(error),
                }
            }
            Event::Failed(id, error) if id == self.asked => match self.stage {
                OpeningStage::Over => OpeningStatus::Going,
                OpeningStage::Login => self.login_refused(link, error),
                // The engine waits for a greeting; what failed is the handshake before it.
                _ if link.is_handshaking() => {
                    let fault = link.engine().fault().cloned().unwrap_or(error);
                    self.ended(link, fault)
                }
                _ => self.ended(link, error),
            },
            _ => OpeningStatus::Going,
        }
    }

    fn looked(&mut self, link: &mut Link) -> OpeningStatus {
        if self.stage == OpeningStage::Over {
            return OpeningStatus::Going;
        }
        let handshaking = link.is_handshaking();
        if !handshaking && self.facts.is_none() && link.layer().is_some() {
            self.facts = link.layer().map(|layer| layer.facts().clone());
        }
        match link.engine().fault() {
            Some(fault) if self.stage == OpeningStage::Token => {
                let fault = fault.clone();
                self.login_ended(link, fault)
            }
            None if self.stage == OpeningStage::Handshake && !handshaking => {
                self.hello(link);
                OpeningStatus::Going
            }
            Some(fault) if matches!(self.stage, OpeningStage::Handshake) || handshaking => {
                let fault = fault.clone();
                self.ended(link, fault)
            }
            _ => OpeningStatus::Going,
        }
    }

    fn hello(&mut self, link: &mut Link) {
        self.stage = OpeningStage::Hello;
        self.asked = link.engine_mut().hello();
    }

    fn secure(&mut self, link: &mut Link) -> Result<(), Error> {
        let Some(library) = &self.security.library else {
            return Err(Error::new(Kind::Unsupported, Step::Tls, "this build of the library has no TLS"));
        };
        link.secure(library.start(&self.channel.host, self.security.verify)?);
        Ok(())
    }

    fn introduced(&mut self, link: &mut Link) -> OpeningStatus {
        if link.engine().is_encrypted() || self.security.want == Want::Nothing {
            return self.begin_login(link);
        }
        if link.engine().extensions().starttls()
            && (self.security.library.is_some() || self.security.want == Want::Required)
        {
            self.stage = OpeningStage::StartTls;
            self.asked = link.engine_mut().command(Command::StartTls);
            return OpeningStatus::Going;
        }
        if self.security.want == Want::Required {
            let text = format!("{}, and TLS is required", link.engine().extensions().lack("STARTTLS"));
            return OpeningStatus::Failed(Error::new(Kind::Tls, Step::StartTls, text));
        }
        self.begin_login(link)
    }

    /// Asks the policy, if there is a question: never where TLS is required.
    fn tls_failed(&mut self, link: &mut Link, code: u16, error: Error) -> OpeningStatus {
        match self.ask(code, &error) {
            TlsAnswer::Secure => OpeningStatus::Failed(error),
            TlsAnswer::Insecure if link.engine().is_closed() => OpeningStatus::Redial,
            TlsAnswer::Insecure => {
                self.starttls_refused = Some(error);
                self.begin_login(link)
            }
        }
    }

    /// Why the server is of no use, when the connection ended with `error` before it took anything: a server that
    /// refused STARTTLS and then hangs up has said why.
    pub fn decisive(&self, error: Error) -> Error {
        match &self.starttls_refused {
            Some(refused) if error.kind() == Kind::Closed && error.step() <= Step::Mail => refused.clone(),
            _ => error,
        }
    }

    fn ended(&mut self, link: &Link, error: Error) -> OpeningStatus {
        self.facts = link.layer().map(|layer| layer.facts().clone());
        let error = self.decisive(hinted(error, self.security.first));
        // An attack is not a question of policy, nor is what the caller ended.
        let negotiable = error.kind() == Kind::Tls && error.step() != Step::StartTls;
        let cut = matches!(error.kind(), Kind::Closed | Kind::Timeout)
            && matches!(self.stage, OpeningStage::StartTls | OpeningStage::Handshake);
        if (negotiable || cut) && !link.is_aborted() && self.ask(0, &error) == TlsAnswer::Insecure {
            return OpeningStatus::Redial;
        }
        OpeningStatus::Failed(error)
    }

    fn ask(&mut self, code: u16, error: &Error) -> TlsAnswer {
        if self.security.want == Want::Required {
            return TlsAnswer::Secure;
        }
        let answer = match &self.security.policy {
            TlsPolicy::Fixed(answer) => *answer,
            TlsPolicy::Default => TlsAnswer::Secure,
            TlsPolicy::Ask(ask) => match error.reply() {
                // As the server said it, which is what tcllib's policies get.
                Some(reply) => answer(ask, code, &reply.raw()),
                None => answer(ask, code, error.text()),
            },
        };
        self.answer = Some(answer);
        answer
    }
}

/// What the caller's policy says; where it panics nothing goes on in plain text.
fn answer(ask: &TlsPolicyFn, code: u16, text: &str) -> TlsAnswer {
    caught(|| ask(code, text)).unwrap_or(TlsAnswer::Secure)
}
