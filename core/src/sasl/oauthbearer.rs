//! OAUTHBEARER (RFC 7628).

use super::scram::saslname;
use super::{Fault, Mechanism, text};
use crate::secret::Secret;

pub(super) struct OauthBearer {
    header: String,
    token: Secret,
    said: Option<String>,
}

impl OauthBearer {
    /// `authorization_id` may be empty: the token says whose it is.
    pub(super) fn new(authorization_id: String, token: Secret, host: &str, port: u16) -> Self {
        let identity = match authorization_id.as_str() {
            "" => String::new(),
            id => format!("a={}", saslname(id)),
        };
        let header = format!("n,{identity},\x01host={host}\x01port={port}\x01auth=Bearer ");
        Self { header, token, said: None }
    }
}

impl Mechanism for OauthBearer {
    fn name(&self) -> &'static str {
        "OAUTHBEARER"
    }

    fn initial(&mut self) -> Option<Secret> {
        Some(text::concat(&[self.header.as_bytes(), self.token.expose(), b"\x01\x01"]))
    }

    /// The server explains a failure and wants one %x01 before it refuses (RFC 7628 section 3.2.3).
    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, Fault> {
        if self.said.is_some() {
            return Err(Fault::one_too_many());
        }
        self.said = Some(failure(challenge, &self.token));
        Ok(Secret::new(*b"\x01"))
    }

    fn said(&self) -> Option<&str> {
        self.said.as_deref()
    }
}

/// The server's JSON in one line, without the token should it repeat that.
pub(super) fn failure(challenge: &[u8], token: &Secret) -> String {
    let json = String::from_utf8_lossy(challenge);
    match std::str::from_utf8(token.expose()) {
        Ok(token) if !token.is_empty() => text::quote(json.replace(token, "***").as_bytes()),
        _ => text::quote(json.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::xoauth2::Xoauth2;
    use super::*;

    const JSON: &[u8] = br#"{"status":"invalid_token","scope":"example_scope"}"#;

    #[test]
    fn rfc_7628_section_4() {
        let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
        let mut bearer = OauthBearer::new("user@example.com".into(), token.into(), "server.example.com", 143);
        assert_eq!(
            text::encode(bearer.initial().unwrap().expose()),
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRx\
             bVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
        );
        assert_eq!(text::encode(bearer.respond(JSON).unwrap().expose()), "AQ==");
        assert_eq!(bearer.said().unwrap().as_bytes(), JSON);
        assert!(bearer.respond(JSON).is_err());
    }

    #[test]
    fn googles_example() {
        let mut xoauth2 = Xoauth2::new(
            "someuser@example.com".into(),
            "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg".into(),
        );
        assert_eq!(
            text::encode(xoauth2.initial().unwrap().expose()),
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRH\
             RXVZMjl0Q2cBAQ=="
        );
        assert!(xoauth2.respond(JSON).unwrap().is_empty());
        assert_eq!(xoauth2.said().unwrap().as_bytes(), JSON);
    }

    #[test]
    fn names_are_escaped_and_the_token_is_not_repeated() {
        let mut bearer = OauthBearer::new("a,b=c".into(), "t0ken".into(), "h", 25);
        assert!(bearer.initial().unwrap().expose().starts_with(b"n,a=a=2Cb=3Dc,\x01host=h\x01port=25\x01"));
        bearer.respond(b"{\n\"t\": \"t0ken\"}").unwrap();
        assert_eq!(bearer.said(), Some("{ \"t\": \"***\"}"));
        let mut nobody = OauthBearer::new(String::new(), "t0ken".into(), "h", 25);
        assert!(nobody.initial().unwrap().expose().starts_with(b"n,,\x01host="));
    }
}
