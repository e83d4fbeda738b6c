//! Sessions that servers gave, for the next connection to them (RFC 8446 section 2.2, RFC 5077): it costs a
//! fraction of the arithmetic of a full handshake.
//!
//! A session is only for connections to the same host name, by the same connector, so with the same settings, and
//! with the same answer to whether the certificate must verify. It bears what the full handshake it comes from said of
//! the certificate, and a connection that resumes it says the same.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use ::openssl::error::ErrorStack;
use ::openssl::ex_data::Index;
use ::openssl::ssl::{Ssl, SslContextBuilder, SslRef, SslSession, SslSessionCacheMode, SslVersion};

use super::facts::VerifyFault;

/// Servers give two tickets with each handshake, and one is enough for each connection.
const MOST_SESSIONS: usize = 8;
/// A program that talks to more servers than this forgets some.
const MOST_HOSTS: usize = 256;

/// What the verification of a full handshake found against the certificate.
pub(super) type Verdict = Option<VerifyFault>;

/// The host name as the certificate must bear it, and whether it must.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    host: String,
    verify: bool,
}

struct Kept {
    session: SslSession,
    verdict: Verdict,
}

/// The sessions of one connector.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<Key, Vec<Kept>>>>);

/// What a connection must know when the server gives it a session.
struct Owner {
    key: Key,
    /// What a full handshake of its own found.
    seen: Box<dyn Fn() -> Verdict + Send + Sync>,
    /// What the one found that it resumed.
    inherited: Verdict,
}

/// Where OpenSSL keeps the owner of a connection. `None` if it has no place for one: nothing is kept then.
static OWNER: LazyLock<Option<Index<Ssl, Owner>>> = LazyLock::new(|| Ssl::new_ex_index().ok());

impl Sessions {
    /// Has the connector keep the sessions that its connections are given.
    pub(super) fn of(builder: &mut SslContextBuilder) -> Self {
        let sessions = Self::default();
        // OpenSSL's own cache is looked at by servers only.
        builder.set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
        let keeps = sessions.clone();
        builder.set_new_session_callback(move |ssl, session| keeps.keep(ssl, session));
        sessions
    }

    /// Offers the server a session, if there is one for `host`; gives what its full handshake found. `ssl` is of the
    /// connector that these sessions are of, and has not said anything yet.
    pub(super) fn offer(
        &self,
        ssl: &mut SslRef,
        host: &str,
        verify: bool,
        seen: impl Fn() -> Verdict + Send + Sync + 'static,
    ) -> Result<Verdict, ErrorStack> {
        let key = Key { host: host.to_owned(), verify };
        let kept = self.take(&key);
        if let Some(kept) = &kept {
            resume(ssl, kept)?;
        }
        let inherited = kept.and_then(|kept| kept.verdict);
        if let Some(index) = *OWNER {
            ssl.set_ex_data(index, Owner { key, seen: Box::new(seen), inherited: inherited.clone() });
        }
        Ok(inherited)
    }

    /// A ticket of TLS 1.3 is used once, so that nobody can tell that two connections are of one client (RFC 8446
    /// appendix C.4); an older session is the same for all.
    fn take(&self, key: &Key) -> Option<Kept> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions = all.get_mut(key)?;
        let kept = sessions.pop()?;
        if kept.session.protocol_version() != SslVersion::TLS1_3 {
            sessions.push(Kept { session: kept.session.clone(), verdict: kept.verdict.clone() });
        }
        Some(kept)
    }

    fn keep(&self, ssl: &SslRef, session: SslSession) {
        let Some(owner) = (*OWNER).and_then(|index| ssl.ex_data(index)) else { return };
        let verdict = if ssl.session_reused() { owner.inherited.clone() } else { (owner.seen)() };
        if owner.key.verify && verdict.is_some() {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_HOSTS && !all.contains_key(&owner.key) {
            all.clear();
        }
        let sessions = all.entry(owner.key.clone()).or_default();
        if sessions.len() >= MOST_SESSIONS {
            sessions.remove(0);
        }
        sessions.push(Kept { session, verdict });
    }
}

/// The one thing that the `openssl` crate leaves to its caller to get right.
#[expect(unsafe_code, reason = "the crate has no other way to resume a session")]
fn resume(ssl: &mut SslRef, kept: &Kept) -> Result<(), ErrorStack> {
    // SAFETY: the session must be of the `SslContext` of `ssl`. `Sessions` belongs to one connector: what is kept
    // comes from the callback of its context only, and `offer` is called with connections of that context only.
    unsafe { ssl.set_session(&kept.session) }
}
