//! XOAUTH2: <https://developers.google.com/workspace/gmail/imap/xoauth2-protocol>.

use super::oauthbearer::failure;
use super::{Fault, Mechanism, text};
use crate::secret::Secret;

pub(super) struct Xoauth2 {
    username: String,
    token: Secret,
    said: Option<String>,
}

impl Xoauth2 {
    pub(super) fn new(username: String, token: Secret) -> Self {
        Self { username, token, said: None }
    }
}

impl Mechanism for Xoauth2 {
    fn name(&self) -> &'static str {
        "XOAUTH2"
    }

    fn initial(&mut self) -> Option<Secret> {
        let parts: [&[u8]; 5] =
            [b"user=", self.username.as_bytes(), b"\x01auth=Bearer ", self.token.expose(), b"\x01\x01"];
        Some(text::concat(&parts))
    }

    /// The server explains a failure and wants an empty line before it refuses.
    fn respond(&mut self, challenge: &[u8]) -> Result<Secret, Fault> {
        if self.said.is_some() {
            return Err(Fault::one_too_many());
        }
        self.said = Some(failure(challenge, &self.token));
        Ok(Secret::default())
    }

    fn said(&self) -> Option<&str> {
        self.said.as_deref()
    }
}
