//! LOGIN (draft-murchison-sasl-login): two prompts whose words differ from server to server.

use super::{Fault, Mechanism};
use crate::secret::Secret;

pub(super) struct Login {
    username: Option<Secret>,
    password: Option<Secret>,
}

impl Login {
    pub(super) fn new(username: String, password: Secret) -> Self {
        Self { username: Some(username.into()), password: Some(password) }
    }
}

impl Mechanism for Login {
    fn name(&self) -> &'static str {
        "LOGIN"
    }

    // Without initial response: some servers ask for the user name all the same.

    fn respond(&mut self, _: &[u8]) -> Result<Secret, Fault> {
        self.username.take().or_else(|| self.password.take()).ok_or_else(Fault::one_too_many)
    }

    fn ignores_challenges(&self) -> bool {
        true
    }
}
