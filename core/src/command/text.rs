use std::fmt;

use super::quoted;
use crate::error::Error;
use crate::secret::Secret;

// RFC 5321 section 4.5.3.1.4: a command line has 512 octets with its CRLF.
const MAX_LINE: usize = 510;
// Less a four-letter verb and its space.
const MAX_TEXT: usize = 505;
// RFC 4954 section 4: 12288 octets with CRLF, for AUTH and its responses.
const MAX_SECRET: usize = 12_286;

/// The argument of VRFY, EXPN, HELP or NOOP: 1 to 505 octets without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text(String);

/// A whole command line as the caller wrote it, without its CRLF.
#[derive(Clone)]
pub struct RawCommand {
    line: Secret, // for all of them, so that a secret one is wiped and none is printed by mistake
    secret: bool,
}

impl Text {
    /// Takes the argument.
    ///
    /// # Errors
    /// Usage, where it is empty, has a control character or more than 505 octets.
    pub fn new(text: &str) -> Result<Self, Error> {
        match fault(text, MAX_TEXT) {
            None => Ok(Self(text.to_owned())),
            Some(why) => Err(Error::usage(format!("argument {}: {why}", quoted(text)))),
        }
    }

    /// The argument as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RawCommand {
    /// A command line such as `XCLIENT NAME=spike.example.org`, of at most 510 octets.
    ///
    /// # Errors
    /// Usage, where it does not begin with a letter, has a control character or more octets.
    pub fn new(line: &str) -> Result<Self, Error> {
        let why = match fault(line, MAX_LINE) {
            None if line.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                return Ok(Self { line: line.into(), secret: false });
            }
            None => "a command begins with a letter",
            Some(why) => why,
        };
        Err(Error::usage(format!("command {}: {why}", quoted(line))))
    }

    /// A line that transcripts and errors must not show: a login's command or response, of at most 12286 octets. A
    /// response may be empty (RFC 4954 section 4).
    ///
    /// # Errors
    /// Usage, where it has a control character or more octets.
    pub fn secret(line: &str) -> Result<Self, Error> {
        match fault(line, MAX_SECRET).filter(|_| !line.is_empty()) {
            None => Ok(Self { line: line.into(), secret: true }),
            Some(why) => Err(Error::usage(format!("secret command: {why}"))),
        }
    }

    /// The first word as given. Empty for a secret line of one word, which would be the secret itself.
    pub fn verb(&self) -> &str {
        let line = std::str::from_utf8(self.line.expose()).unwrap_or_default();
        match line.split_once(' ') {
            Some((verb, _)) => verb,
            None if self.secret => "",
            None => line,
        }
    }

    /// Whether transcripts must mask the line.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// The line itself, secret or not, without CRLF.
    pub fn expose(&self) -> &[u8] {
        self.line.expose()
    }
}

impl fmt::Debug for RawCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self.line.expose()) {
            Ok(line) if !self.secret => write!(f, "RawCommand({line:?})"),
            _ => f.write_str("RawCommand(***)"),
        }
    }
}

fn fault(text: &str, max: usize) -> Option<&'static str> {
    if text.trim().is_empty() {
        Some("empty")
    } else if text.chars().any(char::is_control) {
        Some("control characters cannot stand in a command; take them out")
    } else if text.len() > max {
        Some("longer than a command line may be (RFC 5321 section 4.5.3.1.4)")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(Text::new("user \u{e9}").unwrap().as_str(), "user \u{e9}");
        assert!(Text::new(&"x".repeat(505)).is_ok());
        for bad in ["", " ", "a\r\nQUIT", "a\0", "a\tb", &"x".repeat(506)] {
            assert!(Text::new(bad).unwrap_err().text().starts_with("argument \""));
        }
    }

    #[test]
    fn raw_commands() {
        let raw = RawCommand::new("xclient NAME=a").unwrap();
        assert_eq!((raw.verb(), raw.is_secret(), raw.expose()), ("xclient", false, &b"xclient NAME=a"[..]));
        assert_eq!(RawCommand::new("TURN").unwrap().verb(), "TURN");
        assert!(RawCommand::new(&"x".repeat(510)).is_ok());
        for bad in ["", " NOOP", ".", "a\nb", "a\rb", "a\0b", &"x".repeat(511)] {
            assert!(RawCommand::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let raw = RawCommand::secret("AUTH PLAIN aHVudGVyMg==").unwrap();
        assert_eq!((raw.verb(), raw.is_secret()), ("AUTH", true));
        assert_eq!(format!("{raw:?}"), "RawCommand(***)");
        assert_eq!(RawCommand::secret("aHVudGVyMg==").unwrap().verb(), "");
        assert!(RawCommand::secret(&"x".repeat(12_286)).is_ok());
        assert_eq!(RawCommand::secret("").unwrap().expose(), b"");
        for bad in [" ", "hunter2\r\n", &"hunter2".repeat(2000)] {
            assert!(!RawCommand::secret(bad).unwrap_err().to_string().contains("hunter2"));
        }
    }
}
