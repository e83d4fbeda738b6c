//! Where an OAuth 2.0 access token comes from.

use std::fmt;
use std::sync::Arc;

use crate::secret::Secret;

/// Why a function is asked for an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenReason {
    /// A connection logs in: a token that was kept will do, as long as it has not expired.
    First,
    /// The server refused the token before: only a new one can help.
    Refused,
}

impl TokenReason {
    /// One lower-case word, the same in every language: `first` or `refused`.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Refused => "refused",
        }
    }
}

/// Gives an access token. `Ok(None)`: none yet, ask again later, for event loops alone. `Err`: there will be none, and why,
/// in one line without secrets.
pub type TokenFn = Arc<dyn Fn(TokenReason) -> Result<Option<Secret>, String> + Send + Sync>;

/// An OAuth 2.0 access token, or the function that gives one.
///
/// The function is asked whenever a connection logs in by XOAUTH2 or OAUTHBEARER, and once more if the server refuses the
/// token: never a third time for one login. It may block. A mailer, and whatever is awaited, runs it in a thread of its own; everybody
/// else in the thread that sends, and no time limit ends it there.
#[derive(Clone)]
#[non_exhaustive]
pub enum OauthToken {
    /// The token itself, without `Bearer`.
    Given(Secret),
    /// The function to ask.
    Ask(TokenFn),
}

impl OauthToken {
    /// A function that gives a token, or says why it cannot.
    ///
    /// ```
    /// use smtpclient::options::{OauthToken, Options, TokenReason};
    ///
    /// let mut options = Options::default();
    /// options.username = Some("tim@example.org".to_owned());
    /// options.oauthtoken = Some(OauthToken::asking(|reason| match reason {
    ///     TokenReason::Refused => Err("the token was revoked"),
    ///     _ => Ok("ya29.token"),
    /// }));
    /// ```
    pub fn asking<T: Into<Secret>, E: fmt::Display>(
        function: impl Fn(TokenReason) -> Result<T, E> + Send + Sync + 'static,
    ) -> Self {
        Self::Ask(Arc::new(move |reason| match function(reason) {
            Ok(token) => Ok(Some(token.into())),
            Err(error) => Err(error.to_string()),
        }))
    }

    /// The token, where it is known.
    pub fn given(&self) -> Option<&Secret> {
        match self {
            Self::Given(token) => Some(token),
            Self::Ask(_) => None,
        }
    }

    /// The function, if there is one.
    pub fn function(&self) -> Option<&TokenFn> {
        match self {
            Self::Given(_) => None,
            Self::Ask(function) => Some(function),
        }
    }
}

impl fmt::Debug for OauthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "OauthToken(***)",
            Self::Ask(_) => "OauthToken(a function)",
        })
    }
}

impl From<Secret> for OauthToken {
    fn from(token: Secret) -> Self {
        Self::Given(token)
    }
}

impl From<&str> for OauthToken {
    fn from(token: &str) -> Self {
        Self::Given(token.into())
    }
}

impl From<String> for OauthToken {
    fn from(token: String) -> Self {
        Self::Given(token.into())
    }
}
