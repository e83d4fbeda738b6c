//! What the options want of TLS and login.

use crate::error::{Error, Kind, Step};
use crate::options::{OauthToken, Options};
use crate::sasl::Credentials;
use crate::server::Server;
use crate::tls::{Secure, Verify};

/// A port that waits for TLS looks like a server that says nothing.
pub(crate) fn hinted(error: Error, tls_first: bool) -> Error {
    if tls_first || error.kind() != Kind::Timeout || error.step() != Step::Greeting {
        return error;
    }
    let text =
        format!("{}: does this port expect implicit TLS (smtps://, option `tlsimport`)?", error.text());
    Error::new(Kind::Timeout, Step::Greeting, text)
}

/// Whether nothing may go out without TLS.
pub(super) fn requires_tls(server: &Server, options: &Options) -> bool {
    // A pin that a stripped STARTTLS could go round would pin nothing.
    let pinned =
        !options.tlsfingerprint.is_empty() || options.tls.as_ref().is_some_and(|tls| tls.is_pinned());
    options.tlsrequired || server.tls || options.requiretls || pinned
}

/// What becomes of a certificate that does not verify, where much may depend on it.
pub(super) fn verify(much: bool) -> Verify {
    if much { Verify::Require } else { Verify::Report }
}

/// Has the library read what it needs, where the connection to `server` may be encrypted.
pub fn prepare(server: &Server, options: &Options, library: &dyn Secure) {
    let required = requires_tls(server, options);
    if required || options.usetls {
        library.prepare(verify(required || logs_in(options, Some(library)).0));
    }
}

/// Whether there is something to log in with, and whether the client certificate may do.
fn logs_in(options: &Options, library: Option<&dyn Secure>) -> (bool, bool) {
    let certificate = options.tlscertfile.is_some() || library.is_some_and(Secure::has_certificate);
    let external = certificate && options.password().is_none();
    let named = options.auth.iter().any(|name| name.eq_ignore_ascii_case("EXTERNAL"));
    let wanted = options.username.is_some()
        || options.password().is_some()
        || options.oauthtoken.is_some()
        || !options.mechanisms.is_empty()
        || (external && named);
    (wanted, external)
}

/// What the options give to log in with; `None` if no login is wanted.
pub(super) fn credentials(options: &Options, library: Option<&dyn Secure>) -> Option<Credentials> {
    let (wanted, external) = logs_in(options, library);
    wanted.then(|| Credentials {
        username: options.username.clone().unwrap_or_default(),
        password: options.password().cloned(),
        oauth_token: options.oauthtoken.as_ref().and_then(OauthToken::given).cloned(),
        asks_token: options.oauthtoken.as_ref().and_then(OauthToken::function).is_some(),
        external,
        authorization_id: options.authzid.clone(),
        mechanisms: options.mechanisms.clone(),
    })
}
