//! EXTERNAL (RFC 4422 appendix A): the TLS client certificate says who it is.

use super::{Fault, Mechanism};
use crate::secret::Secret;

pub(super) struct External {
    authorization_id: Option<Secret>,
}

impl External {
    /// An empty `authorization_id` leaves the choice to the server.
    pub(super) fn new(authorization_id: String) -> Self {
        Self { authorization_id: Some(authorization_id.into()) }
    }
}

impl Mechanism for External {
    fn name(&self) -> &'static str {
        "EXTERNAL"
    }

    fn initial(&mut self) -> Option<Secret> {
        self.authorization_id.take()
    }

    fn initial_is_secret(&self) -> bool {
        false
    }

    fn respond(&mut self, _: &[u8]) -> Result<Secret, Fault> {
        self.authorization_id.take().ok_or_else(Fault::one_too_many)
    }
}
