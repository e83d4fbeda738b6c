//! The access token of a login, where a function gives it: asked for when a mechanism needs it, and once more if the
//! server refuses it, on the same connection or, where the server has ended that, over the next.

use super::{Opening, OpeningStage, OpeningStatus, check};
use crate::caught::{PANICKED, caught};
use crate::error::{Error, Kind, Step, one_line};
use crate::link::Link;
use crate::options::{Options, TokenFn, TokenReason};
use crate::secret::Secret;

/// What is to be asked of the function, and what it said. It goes with the login from one connection to the next.
#[derive(Clone)]
pub struct Asking {
    function: TokenFn,
    /// Why it is asked the next time; `None`: it is not asked any more.
    next: Option<TokenReason>,
    /// The token that no server has judged yet.
    token: Option<Secret>,
    /// The function had none when it was asked last.
    waits: bool,
    /// A connection was made for the second token.
    moved: bool,
}

impl Asking {
    pub(super) fn new(options: &Options) -> Option<Self> {
        let function = options.oauthtoken.as_ref()?.function()?.clone();
        Some(Self { function, next: Some(TokenReason::First), token: None, waits: false, moved: false })
    }
}

impl Opening {
    /// Whether the caller's function is to be [asked](Self::ask_token) now.
    pub fn wants_token(&self) -> bool {
        self.stage == OpeningStage::Token
    }

    /// Whether it was asked, and had no token yet.
    pub fn waits_for_token(&self) -> bool {
        self.stage == OpeningStage::Token && self.asking.as_ref().is_some_and(|asking| asking.waits)
    }

    /// Asks the function for the token that the login needs.
    pub fn ask_token(&mut self, link: &mut Link) -> OpeningStatus {
        let progress = self.asked_token(link);
        self.note_end(progress)
    }

    /// What the next connection goes on with.
    pub fn take_asking(&mut self) -> Option<Asking> {
        self.asking.take()
    }

    /// Goes on with what was asked over the connection before.
    pub fn go_on_asking(&mut self, asking: Asking) {
        if let Some(credentials) = &mut self.credentials {
            credentials.oauth_token.clone_from(&asking.token);
        }
        self.asking = Some(asking);
    }

    fn asked_token(&mut self, link: &mut Link) -> OpeningStatus {
        let Some(asking) = self.asking.as_mut().filter(|_| self.stage == OpeningStage::Token) else {
            return OpeningStatus::Going;
        };
        let Some(reason) = asking.next else { return OpeningStatus::Going };
        let answer = caught(|| (asking.function)(reason)).unwrap_or_else(|| Err(PANICKED.to_owned()));
        asking.waits = matches!(answer, Ok(None));
        let token = match answer {
            Ok(None) => return OpeningStatus::Going,
            Ok(Some(token)) => check::check_token(&token).map(|()| token).map_err(|error| {
                Error::new(Kind::Login, Step::Auth, format!("what the function gave: {}", error.text()))
            }),
            // It may have been the network, which another try may find in order.
            Err(why) => {
                let text = format!("no access token: {}", one_line(&why));
                Err(Error::new(Kind::Login, Step::Auth, text).with_transient(true))
            }
        };
        asking.next = (reason == TokenReason::First).then_some(TokenReason::Refused);
        match token {
            Ok(token) => {
                asking.token = Some(token.clone());
                if let Some(credentials) = &mut self.credentials {
                    credentials.oauth_token = Some(token);
                }
                self.hide(link);
                self.start_login(link)
            }
            Err(error) => OpeningStatus::Failed(self.refused.take().map_or(error.clone(), |refused| {
                let text = format!("{}; then {}", refused.text(), error.text());
                refused.with_text(text)
            })),
        }
    }

    /// Whether the mechanism that is about to begin must wait for the token.
    pub(super) fn lacks_token(&self) -> bool {
        let needs = self.trying.as_ref().is_some_and(|mechanism| mechanism.is_oauth());
        needs && self.asking.is_some() && self.credentials.as_ref().is_some_and(|c| c.oauth_token.is_none())
    }

    /// The server answered the token with `error`: whether another one is to be asked for.
    pub(super) fn token_refused(&mut self, error: &Error) -> bool {
        let Some(asking) = &mut self.asking else { return false };
        let by_token = self.trying.as_ref().is_some_and(|mechanism| mechanism.is_oauth());
        // RFC 4954 section 6: these do not speak of the token but of the mechanism, the command or the connection.
        let code = error.reply().map_or(0, |reply| reply.code());
        let judged = (500..600).contains(&code) && !matches!(code, 500..=504 | 534 | 538);
        if !by_token || !judged {
            return false;
        }
        asking.token = None;
        if asking.next != Some(TokenReason::Refused) {
            return false;
        }
        if let Some(credentials) = &mut self.credentials {
            credentials.oauth_token = None;
        }
        true
    }

    /// The connection ended after the token was refused, and before the server judged another: whether that is to be tried
    /// over a new one.
    pub(super) fn moves_for_token(&mut self, link: &Link) -> bool {
        let due = self.stage == OpeningStage::Token
            || self.asking.as_ref().is_some_and(|asking| asking.token.is_some());
        match &mut self.asking {
            Some(asking) if due && self.refused.is_some() && !asking.moved && !link.is_aborted() => {
                asking.moved = true;
                true
            }
            _ => false,
        }
    }
}
