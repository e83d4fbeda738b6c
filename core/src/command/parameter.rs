use std::fmt;

use super::quoted;
use crate::error::Error;

// RFC 5321 section 4.5.3.1: each extension says by how much it lengthens the command, none by more.
const MAX_PARAMETER: usize = 510;

/// A parameter of MAIL or RCPT that this library does not know: `KEYWORD` or `KEYWORD=value` (RFC 5321
/// section 4.1.2), sent as given, after the others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameter(String);

impl Parameter {
    /// A keyword of letters, digits and hyphens, and a value of ASCII without blanks, controls and `=`; where
    /// it needs others, its extension says how they are encoded.
    ///
    /// # Errors
    /// Usage, where it is not so, or longer than 510 octets.
    pub fn new(keyword: &str, value: Option<&str>) -> Result<Self, Error> {
        let text = match value {
            None => keyword.to_owned(),
            Some(value) => format!("{keyword}={value}"),
        };
        let bad = |why: &str| Err(Error::usage(format!("parameter {}: {why}", quoted(&text))));
        let in_keyword = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if keyword.is_empty() || keyword.starts_with('-') || !keyword.chars().all(in_keyword) {
            return bad("a keyword has letters, digits and hyphens only");
        }
        if value
            .is_some_and(|value| value.is_empty() || !value.chars().all(|c| c.is_ascii_graphic() && c != '='))
        {
            return bad("a value is printable ASCII without blanks and '=', and not empty");
        }
        if text.len() > MAX_PARAMETER {
            return bad("longer than 510 octets");
        }
        Ok(Self(text))
    }

    /// `KEYWORD` or `KEYWORD=value`.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.split_once('=') {
            Some((keyword, value)) => Self::new(keyword, Some(value)),
            None => Self::new(text, None),
        }
    }

    /// What stands before the `=`.
    pub fn keyword(&self) -> &str {
        self.0.split_once('=').map_or(&self.0, |(keyword, _)| keyword)
    }

    /// The parameter as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        assert_eq!(Parameter::new("XVERP", None).unwrap().as_str(), "XVERP");
        assert_eq!(Parameter::new("CONPERM", Some("a+20b;<c>")).unwrap().as_str(), "CONPERM=a+20b;<c>");
        assert_eq!(
            Parameter::parse("SOLICIT=org.example:ADV").unwrap().to_string(),
            "SOLICIT=org.example:ADV"
        );
        assert_eq!(Parameter::parse("X").unwrap().as_str(), "X");
        let long = format!("X={}", "x".repeat(509));
        for bad in [
            "",
            "=",
            "=x",
            "X=",
            "-X",
            "X Y",
            "X=a b",
            "X=a=b",
            "X=\u{e9}",
            "X\r\nRSET",
            "X=\r\nRSET",
            "X_Y",
            &long,
        ] {
            assert!(Parameter::parse(bad).unwrap_err().text().starts_with("parameter \""), "{bad:?}");
        }
        assert!(Parameter::new("X=Y", None).is_err());
    }
}
