use super::cram_md5::CramMd5;
use super::custom::{Custom, LoginFacts};
use super::digest_md5::DigestMd5;
use super::external::External;
use super::login::Login;
use super::name::Needs;
use super::oauthbearer::OauthBearer;
use super::plain::Plain;
use super::scram::{Gs2, LEAST_ITERATIONS, Scram, ScramHash};
use super::xoauth2::Xoauth2;
use super::{Channel, Credentials, Mechanism, MechanismName, prep, text};
use crate::error::{Error, Kind, Step};
use crate::secret::Secret;

/// A mechanism, ready for its one exchange. `offered` is the list that [`choose`](super::choose) got: a
/// SCRAM that does not bind tells the server whether it saw a variant that does (RFC 5802 section 6).
/// Whether the channel is safe for `name` is for [`choose`](super::choose) to say.
///
/// # Errors
/// [`Kind::Usage`] for credentials that the mechanism cannot carry, [`Kind::Login`] for any that are
/// missing, or where the system gives no random numbers.
pub fn start(
    name: &MechanismName,
    credentials: &Credentials,
    channel: &Channel,
    offered: &[String],
) -> Result<Box<dyn Mechanism>, Error> {
    check(name, credentials)?;
    let username = prep::name(&credentials.username).into_owned();
    let authorization_id = credentials.authorization_id.as_deref().map(|id| prep::name(id).into_owned());
    let password = || needed(name, credentials.password.as_ref(), "password");
    let prepared = || password().map(|p| prep::password(&p));
    let token = || needed(name, credentials.oauth_token.as_ref(), "oauthtoken");
    let gs2 = || gs2(name, channel, offered);
    let least = if channel.verified { 1 } else { LEAST_ITERATIONS };
    Ok(match name {
        MechanismName::Custom(own) => {
            let mechanism = credentials.custom(own).ok_or_else(|| {
                Error::new(
                    Kind::Login,
                    Step::Auth,
                    format!("{own} is not among the mechanisms of the caller"),
                )
            })?;
            Box::new(Custom::new(
                mechanism,
                &LoginFacts::new(&credentials.username, credentials.authorization_id.as_deref(), channel),
            ))
        }
        MechanismName::External => Box::new(External::new(authorization_id.unwrap_or(username))),
        MechanismName::ScramSha512Plus | MechanismName::ScramSha512 => {
            scram::<sha2::Sha512>(name, username, prepared()?, authorization_id, gs2()?, least)?
        }
        MechanismName::ScramSha256Plus | MechanismName::ScramSha256 => {
            scram::<sha2::Sha256>(name, username, prepared()?, authorization_id, gs2()?, least)?
        }
        MechanismName::ScramSha1Plus | MechanismName::ScramSha1 => {
            scram::<sha1::Sha1>(name, username, prepared()?, authorization_id, gs2()?, least)?
        }
        MechanismName::DigestMd5 => Box::new(DigestMd5::new(
            username,
            prepared()?,
            authorization_id,
            &channel.host,
            format!("smtp/{}", channel.host),
            text::nonce()?,
        )),
        MechanismName::CramMd5 => Box::new(CramMd5::new(username, prepared()?)),
        MechanismName::OauthBearer => Box::new(OauthBearer::new(
            authorization_id.unwrap_or(username),
            token()?,
            &channel.host,
            channel.port,
        )),
        MechanismName::Xoauth2 => Box::new(Xoauth2::new(username, token()?)),
        MechanismName::Plain => {
            Box::new(Plain::new(&authorization_id.unwrap_or_default(), &username, &password()?))
        }
        MechanismName::Login => Box::new(Login::new(username, password()?)),
    })
}

fn scram<H: ScramHash>(
    name: &MechanismName,
    username: String,
    password: Secret,
    authorization_id: Option<String>,
    gs2: Gs2,
    least: u32,
) -> Result<Box<dyn Mechanism>, Error> {
    let nonce = text::nonce()?;
    Ok(Box::new(Scram::<H>::new(name.clone(), username, password, authorization_id, gs2, nonce, least)))
}

fn needed(name: &MechanismName, secret: Option<&Secret>, option: &str) -> Result<Secret, Error> {
    secret.cloned().ok_or_else(|| {
        Error::new(Kind::Login, Step::Auth, format!("{name} needs the option {option}, which is not set"))
    })
}

/// The gs2-cbind-flag of RFC 5802 section 6.
fn gs2(name: &MechanismName, channel: &Channel, offered: &[String]) -> Result<Gs2, Error> {
    let server_binds = offered.iter().filter_map(|o| MechanismName::parse(o)).any(|name| name.is_plus());
    match channel.bindings.first() {
        Some(binding) if name.is_plus() => Ok(Gs2::Bound(binding.clone())),
        None if name.is_plus() => Err(Error::new(
            Kind::Login,
            Step::Auth,
            format!("{name} needs a TLS connection that a login can be bound to"),
        )),
        Some(_) if !server_binds => Ok(Gs2::NotOffered),
        _ => Ok(Gs2::Unbound),
    }
}

/// Refuses what would end a field early in the mechanism's messages.
fn check(name: &MechanismName, credentials: &Credentials) -> Result<(), Error> {
    let ends_a_field = |octet: u8| match name.needs() {
        Needs::Token => octet <= 1,
        Needs::Password | Needs::Certificate | Needs::Nothing => octet == 0,
    };
    let identities = [
        ("username", Some(&credentials.username)),
        ("authorization identity", credentials.authorization_id.as_ref()),
    ];
    for (what, identity) in identities {
        if identity.is_some_and(|i| i.bytes().any(ends_a_field)) {
            return Err(Error::usage(format!(
                "the {what} contains a NUL or control character, which {name} cannot carry; remove it"
            )));
        }
    }
    match name.needs() {
        Needs::Password => {
            if credentials.password.as_ref().is_some_and(|p| p.expose().contains(&0)) {
                return Err(Error::usage(format!(
                    "the password contains a NUL character, which {name} cannot carry; use another password"
                )));
            }
        }
        Needs::Token => {
            let token = credentials.oauth_token.as_ref().map(Secret::expose);
            if token.is_some_and(|t| t.is_empty() || !t.iter().all(u8::is_ascii_graphic)) {
                return Err(Error::usage(
                    "the option oauthtoken is empty or contains a space, a line end or a character that is not \
                     ASCII; give the access token alone, without \"Bearer\"",
                ));
            }
        }
        Needs::Certificate | Needs::Nothing => {}
    }
    Ok(())
}
