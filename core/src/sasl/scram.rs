//! SCRAM (RFC 5802), with SHA-1 and with SHA-256 (RFC 7677), bound to the channel or not.

use std::marker::PhantomData;

use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::{ChannelBinding, Fault, Mechanism, MechanismName, text};
use crate::secret::Secret;

/// Three times what OWASP advises for SHA-256, and a quarter of a second in a release build. Without a
/// limit a hostile server could hold the caller up for minutes.
const MAX_ITERATIONS: u32 = 2_000_000;
/// RFC 5802 section 5.1 and RFC 7677 section 4. With fewer, whoever passes for the server learns enough to guess the password
/// fast.
pub(super) const LEAST_ITERATIONS: u32 = 4096;

/// The hash of a SCRAM, with the HMAC over it.
pub(super) trait ScramHash: Digest + 'static {
    type Hmac: Mac + KeyInit + Clone;
}

impl ScramHash for Sha1 {
    type Hmac = Hmac<Sha1>;
}

impl ScramHash for Sha256 {
    type Hmac = Hmac<Sha256>;
}

impl ScramHash for Sha512 {
    type Hmac = Hmac<Sha512>;
}

/// What the client says about channel binding (RFC 5802 section 6).
#[derive(Clone, Debug)]
pub(super) enum Gs2 {
    /// `p`: the login is bound by this.
    Bound(ChannelBinding),
    /// `y`: the client could bind, and the server seems not to. One that does knows then that somebody
    /// took its -PLUS mechanisms out of the list.
    NotOffered,
    /// `n`: the client cannot bind, or does not want to.
    Unbound,
}

pub(super) struct Scram<H> {
    name: MechanismName,
    gs2_header: String,
    binding: Vec<u8>,
    nonce: String,
    first_bare: String,
    password: Secret,
    least: u32,
    state: State,
    hash: PhantomData<fn() -> H>,
}

enum State {
    /// The server-first-message is next.
    First,
    /// The server-final-message is next, with this signature.
    Final(Zeroizing<Vec<u8>>),
    /// The server has proved that it knows the password too.
    Proved,
    Over,
}

impl<H: ScramHash> Scram<H> {
    /// `nonce` is printable ASCII without comma, new for every exchange; name and password are prepared. A count of fewer
    /// than `least` iterations is refused.
    pub(super) fn new(
        name: MechanismName,
        username: String,
        password: Secret,
        authorization_id: Option<String>,
        gs2: Gs2,
        nonce: String,
        least: u32,
    ) -> Self {
        let (flag, binding) = match gs2 {
            Gs2::Bound(binding) => (format!("p={}", binding.kind.name()), binding.data),
            Gs2::NotOffered => ("y".to_owned(), Vec::new()),
            Gs2::Unbound => ("n".to_owned(), Vec::new()),
        };
        let identity = authorization_id.map(|id| format!("a={}", saslname(&id))).unwrap_or_default();
        Self {
            name,
            gs2_header: format!("{flag},{identity},"),
            binding,
            first_bare: format!("n={},r={nonce}", saslname(&username)),
            nonce,
            password,
            least,
            state: State::First,
            hash: PhantomData,
        }
    }

    /// Reads the server-first-message; makes the client-final-message, and the signature to expect.
    fn client_final(&self, challenge: &[u8]) -> Result<(Secret, Zeroizing<Vec<u8>>), Fault> {
        let message = std::str::from_utf8(challenge)
            .map_err(|_| Fault::new("the server's first SCRAM message is not UTF-8"))?;
        let first = self.server_first(message)?;

        let mut cbind_input = self.gs2_header.clone().into_bytes();
        cbind_input.extend_from_slice(&self.binding);
        let without_proof = format!("c={},r={}", text::encode(&cbind_input), first.nonce);
        let auth_message = format!("{},{message},{without_proof}", self.first_bare);

        let salted = salted_password::<H>(&self.password, &first.salt, first.iterations)?;
        let client_key = hmac::<H>(&salted, b"Client Key")?;
        let mut stored_key = H::digest(&*client_key);
        let signature = hmac::<H>(&stored_key, auth_message.as_bytes())?;
        stored_key.zeroize();
        let mut proof = client_key;
        xor(&mut proof, &signature);
        let server_key = hmac::<H>(&salted, b"Server Key")?;
        let server_signature = hmac::<H>(&server_key, auth_message.as_bytes())?;

        let mut response = Vec::with_capacity(without_proof.len() + 3 + text::encoded_len(proof.len()));
        response.extend_from_slice(without_proof.as_bytes());
        response.extend_from_slice(b",p=");
        text::append_base64(&proof, &mut response);
        Ok((Secret::new(response), server_signature))
    }

    fn server_first<'a>(&self, message: &'a str) -> Result<ServerFirst<'a>, Fault> {
        let malformed = || Fault::new("the server's first SCRAM message is malformed");
        let mut attributes = message.split(',');
        let nonce = match attributes.next().map(|a| a.split_at_checked(2)) {
            Some(Some(("r=", nonce))) => nonce,
            Some(Some(("e=", error))) => return Err(refused(error)),
            Some(Some(("m=", _))) => {
                return Err(Fault::new("the server demands a SCRAM extension, and none is known"));
            }
            _ => return Err(malformed()),
        };
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(Fault::security("the server's SCRAM nonce does not continue the client's"));
        }
        if !nonce.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(malformed());
        }
        let salt = attributes.next().and_then(|a| a.strip_prefix("s=")).and_then(text::decode_value);
        let salt = salt.filter(|s| !s.is_empty()).ok_or_else(malformed)?;
        let count = attributes.next().and_then(|a| a.strip_prefix("i=")).ok_or_else(malformed)?;
        if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
            return Err(malformed());
        }
        // Digits that do not fit a u32 are too many as well.
        let iterations = count.parse().unwrap_or(u32::MAX);
        if !(self.least..=MAX_ITERATIONS).contains(&iterations) {
            let why = if self.least > 1 { " where no certificate was verified" } else { "" };
            return Err(Fault::new(format!(
                "the server asks for {} SCRAM iterations; {} to {MAX_ITERATIONS} are allowed{why}",
                text::quote(count.as_bytes()),
                self.least
            )));
        }
        Ok(ServerFirst { nonce, salt, iterations })
    }

    fn server_final(challenge: &[u8], expected: &[u8]) -> Result<(), Fault> {
        let message = std::str::from_utf8(challenge).unwrap_or_default();
        // Extensions may follow the first attribute.
        let first = message.split(',').next().unwrap_or_default();
        if let Some(error) = first.strip_prefix("e=") {
            return Err(refused(error));
        }
        let signature = first.strip_prefix("v=").and_then(text::decode_value);
        match signature {
            Some(signature) if bool::from(signature.as_slice().ct_eq(expected)) => Ok(()),
            _ => Err(Fault::security(
                "the server's SCRAM signature is wrong: it does not know the password, and is perhaps not \
                 the server",
            )),
        }
    }
}

impl<H: ScramHash> Mechanism for Scram<H> {
    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn initial(&mut self) -> Option<Secret> {
        Some(Secret::from(format!("{}{}", self.gs2_header, self.first_bare)))
    }

    fn initial_is_secret(&self) -> bool {
        false
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, Fault> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::First => {
                let (response, signature) = self.client_final(challenge)?;
                self.state = State::Final(signature);
                Ok(response)
            }
            State::Final(expected) => {
                Self::server_final(challenge, &expected)?;
                self.state = State::Proved;
                Ok(Secret::default())
            }
            State::Proved | State::Over => Err(Fault::one_too_many()),
        }
    }

    fn finish(&mut self) -> Result<(), Fault> {
        match self.state {
            State::Proved => Ok(()),
            _ => Err(Fault::security(
                "the server accepts the login without its SCRAM signature, and is perhaps not the server",
            )),
        }
    }
}

struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u32,
}

/// `=` and `,` would end a name early (RFC 5802 section 5.1).
pub(super) fn saslname(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

fn refused(error: &str) -> Fault {
    Fault::new(format!("the server says {}", text::quote(error.as_bytes())))
}

/// `Hi` of RFC 5802 section 2.2.
fn salted_password<H: ScramHash>(
    password: &Secret,
    salt: &[u8],
    iterations: u32,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let keyed = H::Hmac::new_from_slice(password.expose()).map_err(text::no_key)?;
    let mut u = keyed.clone().chain_update(salt).chain_update([0, 0, 0, 1]).finalize().into_bytes();
    let mut sum = Zeroizing::new(u.to_vec());
    for _ in 1..iterations {
        u = keyed.clone().chain_update(&u).finalize().into_bytes();
        xor(&mut sum, &u);
    }
    u.zeroize();
    Ok(sum)
}

fn hmac<H: ScramHash>(key: &[u8], octets: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mac = H::Hmac::new_from_slice(key).map_err(text::no_key)?;
    Ok(Zeroizing::new(mac.chain_update(octets).finalize().into_bytes().to_vec()))
}

fn xor(to: &mut [u8], with: &[u8]) {
    for (to, with) in to.iter_mut().zip(with) {
        *to ^= with;
    }
}

#[cfg(test)]
#[path = "scram_tests.rs"]
mod tests;
