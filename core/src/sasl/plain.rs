//! PLAIN (RFC 4616).

use super::{Fault, Mechanism, text};
use crate::secret::Secret;

pub(super) struct Plain {
    message: Option<Secret>,
}

impl Plain {
    pub(super) fn new(authorization_id: &str, username: &str, password: &Secret) -> Self {
        let parts: [&[u8]; 5] =
            [authorization_id.as_bytes(), b"\0", username.as_bytes(), b"\0", password.expose()];
        Self { message: Some(text::concat(&parts)) }
    }
}

impl Mechanism for Plain {
    fn name(&self) -> &'static str {
        "PLAIN"
    }

    fn initial(&mut self) -> Option<Secret> {
        self.message.take()
    }

    fn respond(&mut self, _: &[u8]) -> Result<Secret, Fault> {
        self.message.take().ok_or_else(Fault::one_too_many)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4616_section_4() {
        let mut plain = Plain::new("", "tim", &"tanstaaftanstaaf".into());
        assert_eq!(plain.initial().unwrap().expose(), b"\0tim\0tanstaaftanstaaf");
        assert!(plain.respond(b"").is_err());
        let mut plain = Plain::new("Ursel", "Kurt", &"xipj3plmq".into());
        assert_eq!(plain.respond(b"").unwrap().expose(), b"Ursel\0Kurt\0xipj3plmq");
    }
}
