//! RCPT and what its parameters carry.

use std::io::Write;
use std::sync::Arc;

use smol_str::SmolStr;

use super::{ForwardPath, Parameter, quoted, write_others, xtext};
use crate::error::Error;

// RFC 3461 section 4.2, counted as sent.
const MAX_ORCPT: usize = 500;

/// RCPT: one recipient (RFC 5321 section 4.1.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rcpt {
    /// The recipient.
    pub path: ForwardPath,
    /// What follows the path.
    pub parameters: RcptParameters,
}

/// The parameters of RCPT, all of them of DSN (RFC 3461) but the unknown ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RcptParameters {
    /// `NOTIFY=`.
    pub notify: Option<Notify>,
    /// `ORCPT=`.
    pub orcpt: Option<Orcpt>,
    /// Any others, in this order.
    pub other: Vec<Parameter>,
    /// Whom the caller named, where this recipient stands for others (option `redirectto`): no server sees it.
    pub(crate) stands_for: Option<Arc<[SmolStr]>>,
}

/// When a server is to notify the sender (RFC 3461 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notify {
    success: bool,
    failure: bool,
    delay: bool,
}

/// The recipient as the sender first named it (RFC 3461 section 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Orcpt(String); // encoded

impl Rcpt {
    /// The recipient's domain, in lower case; empty if there is none.
    pub fn domain(&self) -> String {
        self.path.as_str().rsplit_once('@').map_or("", |(_, domain)| domain).to_ascii_lowercase()
    }

    /// Appends the command with its CRLF.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"RCPT TO:<");
        out.extend_from_slice(self.path.as_str().as_bytes());
        out.push(b'>');
        if let Some(notify) = &self.parameters.notify {
            notify.write(out);
        }
        if let Some(Orcpt(orcpt)) = &self.parameters.orcpt {
            let _ = write!(out, " ORCPT={orcpt}"); // writing to a Vec cannot fail
        }
        write_others(&self.parameters.other, out);
        out.extend_from_slice(b"\r\n");
    }
}

impl Notify {
    /// `NEVER`: no notification at all.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };

    /// On these occasions; on none is [`NEVER`](Self::NEVER).
    pub fn new(success: bool, failure: bool, delay: bool) -> Self {
        Self { success, failure, delay }
    }

    /// `never`, or any of `success`, `failure` and `delay` between commas, in any case.
    ///
    /// # Errors
    /// Usage, where it is anything else; `never` stands alone.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.trim().eq_ignore_ascii_case("never") {
            return Ok(Self::NEVER);
        }
        let mut notify = Self::NEVER;
        for word in text.split(',') {
            match word.trim().to_ascii_lowercase().as_str() {
                "success" => notify.success = true,
                "failure" => notify.failure = true,
                "delay" => notify.delay = true,
                _ => {
                    return Err(Error::usage(format!(
                        "when to notify {}: write never, or any of success,failure,delay",
                        quoted(text)
                    )));
                }
            }
        }
        Ok(notify)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b" NOTIFY");
        let mut separator = b'=';
        for (wanted, word) in [
            (*self == Self::NEVER, "NEVER"),
            (self.success, "SUCCESS"),
            (self.failure, "FAILURE"),
            (self.delay, "DELAY"),
        ] {
            if wanted {
                out.push(separator);
                out.extend_from_slice(word.as_bytes());
                separator = b',';
            }
        }
    }
}

impl Orcpt {
    /// An address of `addr_type`, such as `rfc822` or `x400`, not encoded. Type `utf-8` (RFC 6533) may be beyond
    /// ASCII, and is sent in a form that is not.
    ///
    /// # Errors
    /// Usage, where the type is not an atom, the address is empty, has control characters, or is beyond ASCII in another
    /// type; or where both have more than 500 octets as sent.
    pub fn new(addr_type: &str, address: &str) -> Result<Self, Error> {
        let bad = |why: &str| {
            Err(Error::usage(format!(
                "original recipient {}: {why}",
                quoted(&format!("{addr_type};{address}"))
            )))
        };
        if addr_type.is_empty()
            || !addr_type.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        {
            return bad("the type before the ';' has letters, digits and hyphens, as in rfc822");
        }
        if address.is_empty() || address.chars().any(char::is_control) {
            return bad("the address must not be empty, nor have control characters");
        }
        let encoded = if addr_type.eq_ignore_ascii_case("utf-8") {
            xtext::encode_utf8_address(address)
        } else if address.is_ascii() {
            xtext::encode(address)
        } else {
            return bad("an address beyond ASCII needs the type utf-8");
        };
        let whole = format!("{addr_type};{encoded}");
        if whole.len() > MAX_ORCPT {
            return bad("longer than the 500 octets that RFC 3461 allows");
        }
        Ok(Self(whole))
    }

    /// An Internet address: of type `rfc822`, or `utf-8` where it is beyond ASCII.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn address(address: &str) -> Result<Self, Error> {
        Self::new(if address.is_ascii() { "rfc822" } else { "utf-8" }, address)
    }

    /// `type;address`, not encoded.
    ///
    /// # Errors
    /// Usage, if there is no `;`, or as for [`new`](Self::new).
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.split_once(';') {
            Some((addr_type, address)) => Self::new(addr_type, address),
            None => Err(Error::usage(format!(
                "original recipient {}: write type;address, as in rfc822;user@example.org",
                quoted(text)
            ))),
        }
    }

    /// Type and address as they are sent.
    pub fn encoded(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(parameters: RcptParameters) -> String {
        let mut out = Vec::new();
        Rcpt { path: ForwardPath::new("a@example.org").unwrap(), parameters }.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_exact_bytes() {
        assert_eq!(sent(RcptParameters::default()), "RCPT TO:<a@example.org>\r\n");
        for (notify, wanted) in [
            ("never", "NEVER"),
            ("NEVER ", "NEVER"),
            ("success", "SUCCESS"),
            ("delay,failure", "FAILURE,DELAY"),
            ("Success, Failure, Delay", "SUCCESS,FAILURE,DELAY"),
            ("delay,delay", "DELAY"),
        ] {
            let notify = Some(Notify::parse(notify).unwrap());
            assert_eq!(
                sent(RcptParameters { notify, ..Default::default() }),
                format!("RCPT TO:<a@example.org> NOTIFY={wanted}\r\n")
            );
        }
        let all = RcptParameters {
            notify: Some(Notify::new(false, true, false)),
            orcpt: Some(Orcpt::address("b+c@example.org").unwrap()),
            other: vec![Parameter::parse("X").unwrap(), Parameter::parse("Y=z").unwrap()],
            stands_for: None,
        };
        assert_eq!(
            sent(all),
            "RCPT TO:<a@example.org> NOTIFY=FAILURE ORCPT=rfc822;b+2Bc@example.org X Y=z\r\n"
        );
    }

    #[test]
    fn original_recipients() {
        let encoded = |text: &str| Orcpt::parse(text).map(|orcpt| orcpt.encoded().to_owned());
        assert_eq!(encoded("rfc822;\"a b\"@example.org").unwrap(), "rfc822;\"a+20b\"@example.org");
        assert_eq!(encoded("x400;/G=Jo/S=Doe/").unwrap(), "x400;/G+3DJo/S+3DDoe/");
        assert_eq!(encoded("utf-8;zo\u{eb}+x@example.org").unwrap(), "utf-8;zo\\x{EB}\\x{2B}x@example.org");
        assert_eq!(encoded("UTF-8;a@b").unwrap(), "UTF-8;a@b");
        assert_eq!(Orcpt::address("zo\u{eb}@example.org").unwrap().encoded(), "utf-8;zo\\x{EB}@example.org");
        assert!(encoded(&format!("rfc822;{}", "x".repeat(493))).is_ok());
        let long = format!("rfc822;{}", "x".repeat(494));
        for bad in [
            "",
            "a@b",
            ";a@b",
            "rfc822;",
            "rfc 822;a",
            "rfc822;zo\u{eb}@b",
            "rfc822;a\r\nb",
            "utf-8;a\0",
            "r\n;a",
            &long,
        ] {
            assert!(encoded(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn occasions_are_checked() {
        for bad in ["", ",", "never,success", "success,never", "success,,delay", "always", "success\r\n.x"] {
            assert!(Notify::parse(bad).is_err(), "{bad:?}");
        }
    }
}
