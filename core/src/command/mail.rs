//! MAIL and what its parameters carry.

use std::io::Write;

use super::{DeliverBy, Hold, MtPriority, Parameter, ReversePath, quoted, write_number, write_others, xtext};
use crate::content::BodyKind;
use crate::error::Error;

// RFC 3461 section 4.4, counted as sent.
const MAX_ENVID: usize = 100;

/// MAIL: begins a transaction (RFC 5321 section 4.1.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// Where notifications of failure go.
    pub path: ReversePath,
    /// What follows the path.
    pub parameters: MailParameters,
}

/// The parameters of MAIL. Each is sent only if its extension is offered: that is the engine's business.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailParameters {
    /// `SIZE=`: the message's octets (RFC 1870).
    pub size: Option<u64>,
    /// `BODY=`, where it is not [`BodyKind::SevenBit`] (RFC 6152, RFC 3030).
    pub body: BodyKind,
    /// `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
    /// `RET=` (RFC 3461).
    pub ret: Option<Ret>,
    /// `ENVID=` (RFC 3461).
    pub envid: Option<Envid>,
    /// `BY=` (RFC 2852).
    pub by: Option<DeliverBy>,
    /// `MT-PRIORITY=` (RFC 6710).
    pub mt_priority: Option<MtPriority>,
    /// `REQUIRETLS` (RFC 8689).
    pub requiretls: bool,
    /// `AUTH=` (RFC 4954).
    pub auth: Option<AuthIdentity>,
    /// `HOLDFOR=` or `HOLDUNTIL=` (RFC 4865).
    pub hold: Option<Hold>,
    /// Any others, in this order.
    pub other: Vec<Parameter>,
}

/// How much of the message a notification of failure returns (RFC 3461 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// `FULL`: the whole message.
    Full,
    /// `HDRS`: the header section.
    Headers,
}

/// An envelope identifier, which notifications name (RFC 3461 section 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Envid(String); // encoded

/// Who submitted the message, as `AUTH=` of MAIL says it (RFC 4954 section 5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthIdentity(String); // encoded

/// What MAIL declares of the content, which depends on what the server takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// [`MailParameters::size`].
    pub size: Option<u64>,
    /// [`MailParameters::body`].
    pub body: BodyKind,
    /// [`MailParameters::smtputf8`].
    pub smtputf8: bool,
}

impl Mail {
    /// Appends the command with its CRLF.
    pub fn write(&self, out: &mut Vec<u8>) {
        let MailParameters { size, body, smtputf8, .. } = self.parameters;
        self.write_for(Declared { size, body, smtputf8 }, out);
    }

    /// The same with this in place of what the parameters say of the content.
    pub fn write_for(&self, declared: Declared, out: &mut Vec<u8>) {
        out.extend_from_slice(b"MAIL FROM:<");
        out.extend_from_slice(self.path.as_str().as_bytes());
        out.push(b'>');
        self.parameters.write(declared, out);
        out.extend_from_slice(b"\r\n");
    }
}

impl MailParameters {
    fn write(&self, declared: Declared, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        if let Some(size) = declared.size {
            out.extend_from_slice(b" SIZE=");
            write_number(size, out);
        }
        out.extend_from_slice(match declared.body {
            BodyKind::SevenBit => b"",
            BodyKind::EightBitMime => b" BODY=8BITMIME",
            BodyKind::BinaryMime => b" BODY=BINARYMIME",
        });
        if declared.smtputf8 {
            out.extend_from_slice(b" SMTPUTF8");
        }
        out.extend_from_slice(match self.ret {
            None => b"",
            Some(Ret::Full) => b" RET=FULL",
            Some(Ret::Headers) => b" RET=HDRS",
        });
        if let Some(Envid(envid)) = &self.envid {
            let _ = write!(out, " ENVID={envid}");
        }
        if let Some(by) = &self.by {
            by.write(out);
        }
        if let Some(priority) = &self.mt_priority {
            priority.write(out);
        }
        if self.requiretls {
            out.extend_from_slice(b" REQUIRETLS");
        }
        if let Some(AuthIdentity(identity)) = &self.auth {
            let _ = write!(out, " AUTH={identity}");
        }
        if let Some(hold) = &self.hold {
            hold.write(out);
        }
        write_others(&self.other, out);
    }
}

impl Ret {
    /// `full`, or `hdrs` or `headers`, in any case.
    ///
    /// # Errors
    /// Usage, where it is neither.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.to_ascii_lowercase().as_str() {
            "full" => Ok(Self::Full),
            "hdrs" | "headers" => Ok(Self::Headers),
            _ => Err(Error::usage(format!("what to return {}: write full or hdrs", quoted(text)))),
        }
    }
}

impl Envid {
    /// Printable ASCII, blanks included, of 1 to 100 octets after its encoding as xtext.
    ///
    /// # Errors
    /// Usage, where it is not so.
    pub fn new(text: &str) -> Result<Self, Error> {
        let bad = |why: &str| Err(Error::usage(format!("envelope id {}: {why}", quoted(text))));
        if text.is_empty() || !text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
            return bad("must be printable ASCII, and not empty");
        }
        let encoded = xtext::encode(text);
        if encoded.len() > MAX_ENVID {
            return bad("longer than 100 octets (a blank, + and = count as three)");
        }
        Ok(Self(encoded))
    }

    /// The identifier as it is sent: xtext.
    pub fn encoded(&self) -> &str {
        &self.0
    }
}

impl AuthIdentity {
    /// The mailbox of the submitter; the empty string is `<>`, which says that it is not known.
    ///
    /// # Errors
    /// Usage, where it is not a mailbox.
    pub fn new(mailbox: &str) -> Result<Self, Error> {
        let path = ReversePath::new(mailbox)?;
        Ok(Self(if path.is_null() { "<>".to_owned() } else { xtext::encode(path.as_str()) }))
    }

    /// The identity as it is sent: xtext, or `<>`.
    pub fn encoded(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::ByMode;
    use super::*;

    fn sent(path: &str, parameters: MailParameters) -> String {
        let mut out = Vec::new();
        Mail { path: ReversePath::new(path).unwrap(), parameters }.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_path_alone() {
        assert_eq!(sent("a@example.org", MailParameters::default()), "MAIL FROM:<a@example.org>\r\n");
        assert_eq!(sent("", MailParameters::default()), "MAIL FROM:<>\r\n");
        assert_eq!(
            sent("\"a>b\"@example.org", MailParameters::default()),
            "MAIL FROM:<\"a>b\"@example.org>\r\n"
        );
    }

    #[test]
    fn each_parameter_alone() {
        let none = MailParameters::default;
        for (parameters, wanted) in [
            (MailParameters { size: Some(0), ..none() }, "SIZE=0"),
            (MailParameters { size: Some(u64::MAX), ..none() }, "SIZE=18446744073709551615"),
            (MailParameters { body: BodyKind::EightBitMime, ..none() }, "BODY=8BITMIME"),
            (MailParameters { body: BodyKind::BinaryMime, ..none() }, "BODY=BINARYMIME"),
            (MailParameters { smtputf8: true, ..none() }, "SMTPUTF8"),
            (MailParameters { ret: Some(Ret::Full), ..none() }, "RET=FULL"),
            (MailParameters { ret: Some(Ret::Headers), ..none() }, "RET=HDRS"),
            (MailParameters { envid: Some(Envid::new("a b+c=d").unwrap()), ..none() }, "ENVID=a+20b+2Bc+3Dd"),
            (
                MailParameters { by: Some(DeliverBy::new(120, ByMode::Return, true).unwrap()), ..none() },
                "BY=120;RT",
            ),
            (MailParameters { mt_priority: Some(MtPriority::new(-3).unwrap()), ..none() }, "MT-PRIORITY=-3"),
            (MailParameters { requiretls: true, ..none() }, "REQUIRETLS"),
            (
                MailParameters { auth: Some(AuthIdentity::new("e+mc2@example.com").unwrap()), ..none() },
                "AUTH=e+2Bmc2@example.com",
            ),
            (MailParameters { auth: Some(AuthIdentity::new("").unwrap()), ..none() }, "AUTH=<>"),
            (MailParameters { hold: Some(Hold::for_seconds(60).unwrap()), ..none() }, "HOLDFOR=60"),
            (
                MailParameters { hold: Some(Hold::until("2026-12-01T08:00:00Z").unwrap()), ..none() },
                "HOLDUNTIL=2026-12-01T08:00:00Z",
            ),
            (
                MailParameters {
                    other: vec![Parameter::parse("XVERP").unwrap(), Parameter::parse("A=b").unwrap()],
                    ..none()
                },
                "XVERP A=b",
            ),
        ] {
            assert_eq!(sent("", parameters), format!("MAIL FROM:<> {wanted}\r\n"));
        }
    }

    #[test]
    fn all_parameters() {
        let parameters = MailParameters {
            size: Some(1024),
            body: BodyKind::EightBitMime,
            smtputf8: true,
            ret: Some(Ret::Headers),
            envid: Some(Envid::new("QQ314159").unwrap()),
            by: Some(DeliverBy::parse("60;N").unwrap()),
            mt_priority: Some(MtPriority::new(3).unwrap()),
            requiretls: true,
            auth: Some(AuthIdentity::new("a@b").unwrap()),
            hold: Some(Hold::for_seconds(1).unwrap()),
            other: vec![Parameter::parse("X=y").unwrap()],
        };
        assert_eq!(
            sent("zo\u{eb}@example.org", parameters),
            "MAIL FROM:<zo\u{eb}@example.org> SIZE=1024 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ314159 BY=60;N MT-PRIORITY=3 \
             REQUIRETLS AUTH=a@b HOLDFOR=1 X=y\r\n"
        );
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(Ret::parse("Full").unwrap(), Ret::Full);
        assert_eq!(Ret::parse("HDRS").unwrap(), Ret::Headers);
        assert!(Ret::parse("").is_err() && Ret::parse("body").is_err());
        assert_eq!(Envid::new(&"x".repeat(100)).unwrap().encoded().len(), 100);
        for bad in ["", "a\r\nb", "\u{e9}", "a\tb", "\x7f", &"x".repeat(101), &" ".repeat(34)] {
            assert!(Envid::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(AuthIdentity::new("\"a b\"@c").unwrap().encoded(), "\"a+20b\"@c");
        assert!(AuthIdentity::new("a b@c").is_err() && AuthIdentity::new("a").is_err());
    }
}
