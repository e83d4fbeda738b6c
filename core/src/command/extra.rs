//! Parameters of MAIL and RCPT that the caller gives as they are sent: options `mailparameters` and `rcptparameters`.

use super::Parameter;
use crate::error::Error;

/// Whether a parameter is of MAIL or of RCPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Option `mailparameters`.
    Mail,
    /// Option `rcptparameters`.
    Rcpt,
}

impl Extra {
    /// Parameters separated by white space, checked as by [`check`](Self::check).
    ///
    /// # Errors
    /// Usage, as for [`Parameter::parse`] and [`check`](Self::check).
    pub fn parse(self, text: &str) -> Result<Vec<Parameter>, Error> {
        let all = text.split_ascii_whitespace().map(Parameter::parse).collect::<Result<Vec<_>, _>>()?;
        self.check(&all)?;
        Ok(all)
    }

    /// Finds parameters that are sent anyway, and those that stand twice.
    ///
    /// # Errors
    /// Usage, which names the parameter and the option to set in its place.
    pub fn check(self, all: &[Parameter]) -> Result<(), Error> {
        for (n, one) in all.iter().enumerate() {
            let keyword = one.keyword();
            let is = |other: &str| keyword.eq_ignore_ascii_case(other);
            let own = self.own().iter().find(|(own, _)| is(own)).map(|(_, option)| *option);
            let way_out = match own {
                Some(None) => "the library sends it where the server takes it: take it out".to_owned(),
                Some(Some(option)) => format!("option `{option}` sends it: set that"),
                None if all.iter().take(n).any(|other| is(other.keyword())) => {
                    "it stands twice: give it once".to_owned()
                }
                None => continue,
            };
            return Err(Error::usage(format!("parameter {:?}: {way_out}", one.as_str())));
        }
        Ok(())
    }

    /// What is sent anyway, and by which option.
    fn own(self) -> &'static [(&'static str, Option<&'static str>)] {
        match self {
            Self::Mail => &[
                ("SIZE", None),
                ("BODY", None),
                ("SMTPUTF8", Some("smtputf8")),
                ("RET", Some("dsnret")),
                ("ENVID", Some("dsnenvid")),
                ("BY", Some("deliverby")),
                ("MT-PRIORITY", Some("priority")),
                ("REQUIRETLS", Some("requiretls")),
                ("HOLDFOR", Some("hold")),
                ("HOLDUNTIL", Some("hold")),
            ],
            Self::Rcpt => &[("NOTIFY", Some("dsnnotify")), ("ORCPT", Some("rcpt"))],
        }
    }

    /// The keyword of EHLO of the extension that a registered parameter belongs to. What is sent anyway has a rule of its own,
    /// and a server may offer AUTH in more than one way.
    pub(super) fn extension(self, parameter: &Parameter) -> Option<&'static str> {
        let known: &[(&str, &'static str)] = match self {
            // RFC 4141, RFC 3865, RFC 3885, RFC 1845
            Self::Mail => &[
                ("CONPERM", "CONPERM"),
                ("SOLICIT", "NO-SOLICITING"),
                ("MTRK", "MTRK"),
                ("TRANSID", "CHECKPOINT"),
            ],
            // RFC 4141, RFC 7293
            Self::Rcpt => &[("CONNEG", "CONNEG"), ("RRVS", "RRVS")],
        };
        let keyword = parameter.keyword();
        known.iter().find(|(known, _)| known.eq_ignore_ascii_case(keyword)).map(|(_, extension)| *extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(extra: Extra, text: &str) -> String {
        extra.parse(text).unwrap_err().text().to_owned()
    }

    #[test]
    fn a_list_of_parameters() {
        let all =
            Extra::Mail.parse(" XVERP  AUTH=<> SOLICIT=org.example:ADV,org.example:X\tNOTIFY=x ").unwrap();
        let all: Vec<_> = all.iter().map(Parameter::as_str).collect();
        assert_eq!(all, ["XVERP", "AUTH=<>", "SOLICIT=org.example:ADV,org.example:X", "NOTIFY=x"]);
        assert_eq!(Extra::Rcpt.parse("RRVS=2014-04-03T23:01:00Z;C SIZE=1").unwrap().len(), 2);
    }

    #[test]
    fn what_is_sent_anyway_is_told_with_its_option() {
        for (keyword, option) in Extra::Mail.own() {
            let text = told(Extra::Mail, &format!("X-A {}=1", keyword.to_ascii_lowercase()));
            assert!(text.contains(option.unwrap_or("take it out")), "{text}");
        }
        assert!(told(Extra::Rcpt, "notify=NEVER").contains("`dsnnotify`"));
        assert!(told(Extra::Rcpt, "ORCPT=rfc822;a@b").contains("`rcpt`"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(told(Extra::Mail, "X-A=1 XVERP x-a").contains("\"x-a\": it stands twice"));
        assert!(told(Extra::Rcpt, "X=a=b").contains("\"X=a=b\""));
    }

    #[test]
    fn a_registered_one_has_an_extension() {
        let extension = |extra: Extra, text: &str| extra.extension(&Parameter::parse(text).unwrap());
        assert_eq!(extension(Extra::Mail, "solicit=org.example:ADV"), Some("NO-SOLICITING"));
        assert_eq!(extension(Extra::Rcpt, "CONNEG"), Some("CONNEG"));
        assert_eq!(extension(Extra::Rcpt, "SOLICIT=org.example:ADV"), None);
        assert_eq!(extension(Extra::Mail, "XVERP"), None);
    }
}
