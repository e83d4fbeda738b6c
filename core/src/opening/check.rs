//! What the options must not say, found before a connection is opened.

use std::borrow::Cow;
use std::sync::Arc;

use crate::command::ClientName;
use crate::error::Error;
use crate::options::{OauthToken, Options, TlsAnswer, TlsPolicy, check_keywords};
use crate::sasl::{check_custom, check_mechanisms};
use crate::secret::Secret;

/// Finds what no server can be greeted or logged in with, before a connection is opened.
pub(crate) fn check(options: &Options) -> Result<(), Error> {
    if let Some(name) = &options.client
        && let Err(error) = ClientName::parse(name)
    {
        return Err(Error::usage(format!("option `client`: {}", error.text())));
    }
    if let Some(local) = options.localaddress
        && !options.family.has(local)
    {
        let family = options.family.noun();
        let text = format!("option `localaddress`: {local} must be an {family}, as option `family` says");
        return Err(Error::usage(text));
    }
    check_keywords(&options.ignore)
        .map_err(|error| Error::usage(format!("option `ignore`: {}", error.text())))?;
    check_custom(&options.mechanisms)
        .map_err(|error| Error::usage(format!("option `mechanisms`: {}", error.text())))?;
    check_mechanisms(&options.auth, &options.mechanisms)
        .map_err(|error| Error::usage(format!("option `auth`: {}", error.text())))?;
    let token = options.oauthtoken.as_ref().and_then(OauthToken::given);
    let credentials = [
        ("username", options.username.as_deref().map(str::as_bytes)),
        ("authzid", options.authzid.as_deref().map(str::as_bytes)),
        ("password", options.password.as_ref().map(Secret::expose)),
        ("oauthtoken", token.map(Secret::expose)),
    ];
    for (name, value) in credentials {
        if value.is_some_and(|value| value.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0))) {
            let text = format!("option `{name}` has a line end or NUL in it: remove it");
            return Err(Error::usage(text));
        }
    }
    token.map_or(Ok(()), check_token)
}

/// Finds what no access token can be (RFC 6750 section 2.1).
pub(super) fn check_token(token: &Secret) -> Result<(), Error> {
    let octets = token.expose();
    if octets.is_empty() || !octets.iter().all(u8::is_ascii_graphic) {
        return Err(Error::usage(
            "option `oauthtoken` is empty, or has a space or a character in it that is not ASCII: give the access token \
             alone, without \"Bearer\"",
        ));
    }
    Ok(())
}

/// A login that is asked for too late is an error, not a silence: `options` are a message's, `own` those that its `holder`
/// (session or mailer) was made with.
pub(crate) fn check_login(options: &Options, own: &Options, holder: &str) -> Result<(), Error> {
    let login = |o: &Options| {
        o.username.is_some() || o.password().is_some() || o.oauthtoken.is_some() || !o.mechanisms.is_empty()
    };
    if login(options) && !login(own) {
        let text = format!(
            "options `username`, `password`, `oauthtoken`, `mechanisms`: the {holder} was made without a login: make it with one, or \
             authenticate first where it is a session"
        );
        return Err(Error::usage(text));
    }
    Ok(())
}

/// The options of a message under the guard of its `holder`: what a session or mailer redirects, it redirects of every message.
///
/// # Errors
/// Usage, where the message wants it otherwise. Arguments as for [`check_login`].
pub(crate) fn guarded<'o>(
    options: &'o Options,
    own: &Options,
    holder: &str,
) -> Result<Cow<'o, Options>, Error> {
    let redirect = |o: &Options| (o.redirectto.clone(), o.redirectexcept.clone());
    if own.redirectto.is_none() || std::ptr::eq(options, own) || redirect(options) == redirect(own) {
        return Ok(Cow::Borrowed(options));
    }
    if options.redirectto.is_some() || !options.redirectexcept.is_empty() {
        let text = format!(
            "options `redirectto`, `redirectexcept`: those of the {holder} hold for all its messages: leave them out of the message's"
        );
        return Err(Error::usage(text));
    }
    let mut options = options.clone();
    (options.redirectto, options.redirectexcept) = redirect(own);
    Ok(Cow::Owned(options))
}

/// A commit or a progress function that nobody would call is an error too. Arguments as for [`check_login`].
pub(crate) fn check_functions(options: &Options, own: &Options, holder: &str) -> Result<(), Error> {
    let commits = options
        .commit
        .as_ref()
        .is_none_or(|commit| own.commit.as_ref().is_some_and(|own| commit.is_same(own)));
    let tells = options
        .progress
        .as_ref()
        .is_none_or(|told| own.progress.as_ref().is_some_and(|own| Arc::ptr_eq(told, own)));
    let lost = match (commits, tells) {
        (false, _) => "commit",
        (_, false) => "progress",
        _ => return Ok(()),
    };
    let text =
        format!("option `{lost}` belongs to the {holder}, for all its messages: set it when that is made");
    Err(Error::usage(text))
}

/// Refuses options of a message that protect it on its way, where only its holder can obey them and was made without: the message would
/// leave without that protection. Arguments as for [`check_login`].
pub(crate) fn check_protection(options: &Options, own: &Options, holder: &str) -> Result<(), Error> {
    if std::ptr::eq(options, own) {
        return Ok(());
    }
    let lost = |name: &str| {
        Err(Error::usage(format!(
            "option `{name}` is about the connection, which all messages of the {holder} share: set it when the {holder} is made"
        )))
    };
    // One after the other, as almost no message has any: a table of all was a third more of what this costs.
    macro_rules! keep {
        ($($name:ident)*) => {
            $(if differs(&options.$name, &own.$name) {
                return lost(stringify!($name));
            })*
        };
    }
    keep!(tlsfingerprint tlsimport tlstrust tlscafile tlsca tlscertfile tlskeyfile);
    keep!(tlsminversion tlsmaxversion tlsciphers tlsservername);
    let is_kept = match (&options.tlspolicy, &own.tlspolicy) {
        // Both are functions, which nobody can compare.
        (TlsPolicy::Ask(_), own) => matches!(own, TlsPolicy::Ask(_)),
        (TlsPolicy::Fixed(TlsAnswer::Secure), own) => matches!(own, TlsPolicy::Fixed(TlsAnswer::Secure)),
        _ => true,
    };
    if !is_kept {
        return lost("tlspolicy");
    }
    if options.tls.is_some() && own.tls.is_none() {
        return lost("tls");
    }
    if options.proxy.is_some() && proxy(options) != proxy(own) {
        return lost("proxy");
    }
    if options.dialler.is_some() && own.dialler.is_none() {
        return lost("dialler");
    }
    Ok(())
}

fn proxy(options: &Options) -> Option<&[u8]> {
    options.proxy.as_ref().map(Secret::expose)
}

/// Whether a message has an option, and its holder has not or has another value of it.
fn differs<T: Default + PartialEq>(message: &T, own: &T) -> bool {
    message != own && *message != T::default()
}
