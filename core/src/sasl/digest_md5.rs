//! DIGEST-MD5 (RFC 2831): authentication only (`qop=auth`), no security layer.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Fault, Mechanism, text};
use crate::secret::Secret;

pub(super) struct DigestMd5 {
    username: String,
    password: Secret,
    authorization_id: Option<String>,
    host: String,
    uri: String,
    cnonce: String,
    state: State,
}

enum State {
    /// The digest-challenge is next.
    Challenge,
    /// The response-auth is next, with these hexadecimal digits.
    Proof(Zeroizing<String>),
    /// The server has proved that it knows the password too.
    Proved,
    Over,
}

impl DigestMd5 {
    /// `uri` is the digest-uri, `smtp/host`; `cnonce` is new for every exchange; name and password are
    /// prepared.
    pub(super) fn new(
        username: String,
        password: Secret,
        authorization_id: Option<String>,
        host: &str,
        uri: String,
        cnonce: String,
    ) -> Self {
        let host = host.to_owned();
        Self { username, password, authorization_id, host, uri, cnonce, state: State::Challenge }
    }

    /// The digest-response of section 2.1.2, and the rspauth to expect.
    fn answer(&self, challenge: &Challenge) -> Result<(Secret, Zeroizing<String>), Fault> {
        let realm = self.realm(&challenge.realms);
        let username = if challenge.utf8 {
            self.username.clone().into_bytes()
        } else {
            latin1(self.username.as_bytes()).ok_or_else(only_latin1)?.to_vec()
        };

        // A1 and A2 are hashed piece by piece: no buffer ever holds the password among them.
        let mut secret = Md5::new();
        secret.update(hashed(self.username.as_bytes(), challenge.utf8)?);
        secret.update(b":");
        let realm_hashed = realm.filter(|_| challenge.utf8).and_then(latin1);
        secret.update(realm_hashed.as_ref().map_or(realm.unwrap_or_default(), |r| r.as_slice()));
        secret.update(b":");
        secret.update(hashed(self.password.expose(), challenge.utf8)?);
        let mut a1 = Md5::new();
        a1.update(Zeroizing::new(<[u8; 16]>::from(secret.finalize())));
        for part in [&challenge.nonce, self.cnonce.as_bytes()] {
            a1.update(b":");
            a1.update(part);
        }
        if let Some(id) = &self.authorization_id {
            a1.update(b":");
            a1.update(id);
        }
        let ha1 = Zeroizing::new(text::hex(&a1.finalize()));
        let digest = |method: &str| {
            let ha2 = text::hex(&Md5::digest(format!("{method}:{}", self.uri)));
            let mut kd = Md5::new();
            kd.update(ha1.as_bytes());
            kd.update(b":");
            kd.update(&challenge.nonce);
            kd.update(format!(":00000001:{}:auth:{ha2}", self.cnonce));
            Zeroizing::new(text::hex(&kd.finalize()))
        };

        let mut out = Vec::new();
        if challenge.utf8 {
            out.extend_from_slice(b"charset=utf-8,");
        }
        quoted("username", &username, &mut out);
        if let Some(realm) = realm {
            quoted(",realm", realm, &mut out);
        }
        quoted(",nonce", &challenge.nonce, &mut out);
        out.extend_from_slice(b",nc=00000001");
        quoted(",cnonce", self.cnonce.as_bytes(), &mut out);
        quoted(",digest-uri", self.uri.as_bytes(), &mut out);
        out.extend_from_slice(b",response=");
        out.extend_from_slice(digest("AUTHENTICATE").as_bytes());
        out.extend_from_slice(b",qop=auth");
        if let Some(id) = &self.authorization_id {
            quoted(",authzid", id.as_bytes(), &mut out);
        }
        Ok((Secret::new(out), digest("")))
    }

    /// Of several realms the one that the user name or the host names, else the first.
    fn realm<'a>(&self, realms: &'a [Vec<u8>]) -> Option<&'a [u8]> {
        let domain = self.username.rsplit_once('@').map_or("", |(_, domain)| domain);
        [domain, &self.host]
            .into_iter()
            .find_map(|wanted| realms.iter().find(|r| r.eq_ignore_ascii_case(wanted.as_bytes())))
            .or_else(|| realms.first())
            .map(Vec::as_slice)
    }

    fn check_proof(challenge: &[u8], expected: &str) -> Result<(), Fault> {
        let proof = directives(challenge)
            .and_then(|list| list.into_iter().find(|(name, _)| name == "rspauth"))
            .map(|(_, value)| value.to_ascii_lowercase());
        match proof {
            Some(proof) if bool::from(proof.as_slice().ct_eq(expected.as_bytes())) => Ok(()),
            _ => Err(Fault::security(
                "the server's rspauth is wrong: it does not know the password, and is perhaps not the server",
            )),
        }
    }
}

impl Mechanism for DigestMd5 {
    fn name(&self) -> &'static str {
        "DIGEST-MD5"
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, Fault> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Challenge => {
                let (response, proof) = self.answer(&Challenge::read(challenge)?)?;
                self.state = State::Proof(proof);
                Ok(response)
            }
            State::Proof(expected) => {
                Self::check_proof(challenge, &expected)?;
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
                "the server accepts the login without its rspauth, and is perhaps not the server",
            )),
        }
    }
}

/// What matters of a digest-challenge (section 2.1.1).
struct Challenge {
    realms: Vec<Vec<u8>>,
    nonce: Vec<u8>,
    utf8: bool,
}

impl Challenge {
    fn read(challenge: &[u8]) -> Result<Self, Fault> {
        let list = directives(challenge).ok_or_else(|| Fault::new("the digest-challenge is malformed"))?;
        let all = |wanted: &'static str| list.iter().filter(move |(name, _)| name == wanted).map(|(_, v)| v);
        let once = |wanted: &'static str| {
            let mut values = all(wanted);
            match (values.next(), values.next()) {
                (Some(value), None) => Ok(value),
                _ => Err(Fault::new(format!("the digest-challenge does not have exactly one {wanted}"))),
            }
        };
        if !once("algorithm")?.eq_ignore_ascii_case(b"md5-sess") {
            return Err(Fault::new("the digest-challenge asks for another algorithm than md5-sess"));
        }
        let is_auth = |qop: &[u8]| qop.trim_ascii().eq_ignore_ascii_case(b"auth");
        let mut qops = all("qop").peekable();
        if qops.peek().is_some() && !qops.any(|list| list.split(|&b| b == b',').any(is_auth)) {
            return Err(Fault::new(
                "the digest-challenge does not offer qop=auth, but a security layer only",
            ));
        }
        Ok(Self {
            realms: all("realm").cloned().collect(),
            nonce: once("nonce")?.clone(),
            utf8: all("charset").any(|value| value.eq_ignore_ascii_case(b"utf-8")),
        })
    }
}

/// `name=value, name="value"`, the names in lower case and the values without quotes; `None`: malformed.
fn directives(challenge: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut list = Vec::new();
    let mut rest = challenge.trim_ascii();
    while let Some((&first, behind)) = rest.split_first() {
        if first == b',' {
            rest = behind.trim_ascii_start(); // empty elements are allowed
            continue;
        }
        let equals = rest.iter().position(|&b| b == b'=')?;
        let (name, behind) = rest.split_at_checked(equals)?;
        let name = std::str::from_utf8(name).ok()?.trim_ascii().to_ascii_lowercase();
        let (value, behind) = value(behind.get(1..)?.trim_ascii_start())?;
        list.push((name, value));
        rest = behind.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
    Some(list)
}

/// One token or quoted-string, and what is after it.
fn value(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(mut rest) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|&b| b == b',' || b.is_ascii_whitespace()).unwrap_or(text.len());
        let (token, behind) = text.split_at_checked(end)?;
        return Some((token.to_vec(), behind));
    };
    let mut value = Vec::new();
    loop {
        let (&octet, behind) = rest.split_first()?;
        rest = behind;
        match octet {
            b'"' => return Some((value, rest)),
            b'\\' => {
                let (&escaped, behind) = rest.split_first()?;
                rest = behind;
                value.push(escaped);
            }
            _ => value.push(octet),
        }
    }
}

fn quoted(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    for &octet in value {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(octet);
    }
    out.push(b'"');
}

/// What ISO 8859-1 has is hashed in it, so that the databases of HTTP servers fit (section 2.1.2.1).
fn hashed(octets: &[u8], utf8: bool) -> Result<Zeroizing<Vec<u8>>, Fault> {
    match latin1(octets) {
        Some(latin1) => Ok(latin1),
        None if utf8 => Ok(Zeroizing::new(octets.to_vec())),
        None => Err(only_latin1()),
    }
}

fn only_latin1() -> Fault {
    Fault::new("the server takes ISO 8859-1 only, which lacks characters of the user name or password")
}

/// UTF-8 in ISO 8859-1, where that has all its characters.
fn latin1(utf8: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut latin1 = Zeroizing::new(Vec::with_capacity(utf8.len()));
    for character in std::str::from_utf8(utf8).ok()?.chars() {
        latin1.push(u8::try_from(u32::from(character)).ok()?);
    }
    Some(latin1)
}

#[cfg(test)]
#[path = "digest_md5_tests.rs"]
mod tests;
