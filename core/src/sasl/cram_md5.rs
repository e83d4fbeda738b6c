//! CRAM-MD5 (RFC 2195).

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use super::{Fault, Mechanism, text};
use crate::secret::Secret;

pub(super) struct CramMd5 {
    username: String,
    password: Option<Secret>,
}

impl CramMd5 {
    pub(super) fn new(username: String, password: Secret) -> Self {
        Self { username, password: Some(password) }
    }
}

impl Mechanism for CramMd5 {
    fn name(&self) -> &'static str {
        "CRAM-MD5"
    }

    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, Fault> {
        let password = self.password.take().ok_or_else(Fault::one_too_many)?;
        let mut mac = Hmac::<Md5>::new_from_slice(password.expose()).map_err(text::no_key)?;
        mac.update(challenge);
        let digest = text::hex(&mac.finalize().into_bytes());
        Ok(Secret::from(format!("{} {digest}", self.username)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_2195_section_2() {
        let mut cram = CramMd5::new("tim".into(), "tanstaaftanstaaf".into());
        assert!(cram.initial().is_none());
        let answer = cram.respond(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
        assert_eq!(answer.expose(), b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert!(!cram.respond(b"again").unwrap_err().security);
    }
}
