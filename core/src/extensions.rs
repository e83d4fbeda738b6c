//! What a server offers: the reply to EHLO or LHLO (RFC 5321 section 4.1.1.1).

use smol_str::{SmolStr, StrExt};

use crate::reply::Reply;

// EHLO replies have some 20 keywords; a reply is 512 lines at most. What is beyond is not remembered.
const MAX_KEYWORDS: usize = 256;
// The IANA registry has some 60 mechanisms; a server offers 10 of them.
const MAX_MECHANISMS: usize = 64;

/// The extensions of one server, as one EHLO reply names them. Empty after HELO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Short, and so without allocations: 60 of them for a connection of one message cost 4 000 instructions.
    keywords: Vec<(SmolStr, SmolStr)>,
    mechanisms: Vec<String>,
    known: Offers,
    /// What the server offers and the caller wants to be ignored; few, as a rule none.
    ignored: Vec<SmolStr>,
}

/// What the engine asks for each message, looked up once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Offers {
    pipelining: bool,
    chunking: bool,
    binary_mime: bool,
    eight_bit_mime: bool,
    smtputf8: bool,
    dsn: bool,
    starttls: bool,
    requiretls: bool,
    xque: bool,
    mt_priority: bool,
    size: bool,
    size_limit: Option<u64>,
    deliver_by: bool,
    deliver_by_least: Option<u64>,
    limits: ServerLimits,
}

/// How far into the future a server holds a message (RFC 4865 section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FutureRelease {
    /// The longest `HOLDFOR`, in seconds.
    pub max_interval: u64,
    /// The latest `HOLDUNTIL`, an RFC 3339 date-time as the server wrote it.
    pub max_date_time: String,
}

/// How much a server takes (RFC 9422); `None` if it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// `MAILMAX`: transactions on one connection.
    pub mail_max: Option<u64>,
    /// `RCPTMAX`: recipients in one transaction.
    pub rcpt_max: Option<u64>,
    /// `RCPTDOMAINMAX`: different recipient domains on one connection.
    pub rcpt_domain_max: Option<u64>,
}

/// How commands are grouped where PIPELINING is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pipelining {
    /// One command at a time.
    Off,
    /// The commands of one message in a group (RFC 2920). Nothing is written after a final dot before its reply, except
    /// where the server offers CHUNKING: who reads counted octets does not take commands for text. There the end of a
    /// message and the envelope of the next go out together: one round trip a message.
    #[default]
    Rfc,
    /// The same at every server that offers PIPELINING, as RFC 2920 allows. A server that reads a message and what follows
    /// it in one go may take the next envelope for text of this message, and so show it to its recipients.
    Crossing,
    /// Where CHUNKING is offered too, the message is not held back until the recipients' replies are in, which
    /// RFC 3030 section 2 asks for: many whole messages are in flight at once. Only for messages with one recipient,
    /// or for which one accepted recipient is enough; others go as with [`Crossing`](Self::Crossing). When the connection is
    /// lost, all that were in flight may be unknown.
    Full,
}

/// When a message goes by BDAT (RFC 3030) where CHUNKING is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chunking {
    /// Never, nor as BINARYMIME.
    Off,
    /// Where it saves a round trip, and for binary content where BINARYMIME is offered.
    #[default]
    Auto,
    /// Always.
    On,
}

impl Extensions {
    /// Reads the reply to EHLO or LHLO. Its first line is the server's greeting; each other line is a keyword
    /// and its parameters. A line that makes no sense offers nothing.
    pub fn parse(reply: &Reply) -> Self {
        Self::parse_without(reply, &[])
    }

    /// The same as if the server did not offer these keywords, in any case.
    pub fn parse_without(reply: &Reply, ignored: &[String]) -> Self {
        let mut found = Self::default();
        for line in reply.lines().skip(1) {
            let line = line.trim();
            // "AUTH=LOGIN PLAIN" (before RFC 2554) and the like: '=' ends a keyword too.
            let end = line.find([' ', '=']).unwrap_or(line.len());
            let Some((keyword, rest)) = line.split_at_checked(end) else {
                continue;
            };
            if keyword.is_empty() || found.keywords.len() == MAX_KEYWORDS {
                continue;
            }
            if ignored.iter().any(|ignored| ignored.eq_ignore_ascii_case(keyword)) {
                found.ignored.push(keyword.to_ascii_uppercase_smolstr());
                continue;
            }
            let parameters = rest.get(1..).unwrap_or_default().trim_start();
            found.read(keyword, parameters);
            found.keywords.push((keyword.into(), parameters.into()));
        }
        found
    }

    fn read(&mut self, keyword: &str, parameters: &str) {
        let known = &mut self.known;
        match keyword.to_ascii_uppercase_smolstr().as_str() {
            "PIPELINING" => known.pipelining = true,
            "CHUNKING" => known.chunking = true,
            "BINARYMIME" => known.binary_mime = true,
            "8BITMIME" => known.eight_bit_mime = true,
            "SMTPUTF8" => known.smtputf8 = true,
            "DSN" => known.dsn = true,
            "STARTTLS" => known.starttls = true,
            "REQUIRETLS" => known.requiretls = true,
            "XQUE" => known.xque = true,
            "MT-PRIORITY" => known.mt_priority = true,
            "SIZE" => {
                known.size = true;
                known.size_limit = number(parameters).filter(|limit| *limit > 0);
            }
            "DELIVERBY" => {
                known.deliver_by = true;
                known.deliver_by_least = number(parameters);
            }
            "LIMITS" => known.limits.read(parameters),
            "AUTH" => self.read_mechanisms(parameters),
            _ => {}
        }
    }

    fn read_mechanisms(&mut self, parameters: &str) {
        // "AUTH =LOGIN" has been seen too.
        for mechanism in parameters.split([' ', '=', ',']).filter(|word| is_mechanism(word)) {
            let mechanism = mechanism.to_ascii_uppercase();
            if self.mechanisms.len() < MAX_MECHANISMS && !self.mechanisms.contains(&mechanism) {
                self.mechanisms.push(mechanism);
            }
        }
    }

    /// Every keyword and its parameters, both as sent, in the server's order; parameters may be empty.
    pub fn keywords(&self) -> impl Iterator<Item = (&str, &str)> {
        self.keywords.iter().map(|(keyword, parameters)| (keyword.as_str(), parameters.as_str()))
    }

    /// Why `keyword`, in upper case, cannot be used, for the start of an error's text.
    pub(crate) fn lack(&self, keyword: &str) -> String {
        if self.ignored.iter().any(|ignored| ignored == keyword) {
            format!("option `ignore` names {keyword}")
        } else {
            format!("the server does not offer {keyword}")
        }
    }

    /// Whether `keyword` is offered, in any case.
    pub fn has(&self, keyword: &str) -> bool {
        self.parameters(keyword).is_some()
    }

    /// The parameters of `keyword`, in any case, as sent; empty if there are none. Of several lines, the first.
    pub fn parameters(&self, keyword: &str) -> Option<&str> {
        self.keywords().find(|(name, _)| name.eq_ignore_ascii_case(keyword)).map(|(_, parameters)| parameters)
    }

    /// PIPELINING (RFC 2920).
    pub fn pipelining(&self) -> bool {
        self.known.pipelining
    }

    /// CHUNKING: BDAT (RFC 3030).
    pub fn chunking(&self) -> bool {
        self.known.chunking
    }

    /// BINARYMIME (RFC 3030), of use with [`chunking`](Self::chunking) only.
    pub fn binary_mime(&self) -> bool {
        self.known.binary_mime
    }

    /// 8BITMIME (RFC 6152).
    pub fn eight_bit_mime(&self) -> bool {
        self.known.eight_bit_mime
    }

    /// SMTPUTF8 (RFC 6531).
    pub fn smtputf8(&self) -> bool {
        self.known.smtputf8
    }

    /// DSN (RFC 3461).
    pub fn dsn(&self) -> bool {
        self.known.dsn
    }

    /// STARTTLS (RFC 3207).
    pub fn starttls(&self) -> bool {
        self.known.starttls
    }

    /// REQUIRETLS (RFC 8689).
    pub fn requiretls(&self) -> bool {
        self.known.requiretls
    }

    /// XQUE: the server queues on request.
    pub fn xque(&self) -> bool {
        self.known.xque
    }

    /// SIZE (RFC 1870), with or without a limit.
    pub fn size(&self) -> bool {
        self.known.size
    }

    /// The largest message in octets; `None` if SIZE names none, or 0, which means no limit.
    pub fn size_limit(&self) -> Option<u64> {
        self.known.size_limit
    }

    /// The mechanisms of AUTH (RFC 4954) in upper case and the server's order, each once.
    pub fn auth(&self) -> &[String] {
        &self.mechanisms
    }

    /// DELIVERBY (RFC 2852).
    pub fn deliver_by(&self) -> bool {
        self.known.deliver_by
    }

    /// The least time in seconds that DELIVERBY takes, where it tells one.
    pub fn deliver_by_least(&self) -> Option<u64> {
        self.known.deliver_by_least
    }

    /// MT-PRIORITY (RFC 6710).
    pub fn mt_priority(&self) -> bool {
        self.known.mt_priority
    }

    /// FUTURERELEASE (RFC 4865), where its two parameters are there.
    pub fn future_release(&self) -> Option<FutureRelease> {
        let (max_interval, max_date_time) = self.parameters("FUTURERELEASE")?.split_once(' ')?;
        Some(FutureRelease {
            max_interval: number(max_interval)?,
            max_date_time: max_date_time.trim().to_owned(),
        })
    }

    /// LIMITS (RFC 9422).
    pub fn limits(&self) -> ServerLimits {
        self.known.limits
    }
}

impl ServerLimits {
    fn read(&mut self, parameters: &str) {
        for (name, value) in parameters.split(' ').filter_map(|limit| limit.split_once('=')) {
            let limit = match name.to_ascii_uppercase().as_str() {
                "MAILMAX" => &mut self.mail_max,
                "RCPTMAX" => &mut self.rcpt_max,
                "RCPTDOMAINMAX" => &mut self.rcpt_domain_max,
                _ => continue,
            };
            // Zero would forbid all mail, and RFC 9422 section 4 does not allow it.
            *limit = number(value).filter(|limit| *limit > 0);
        }
    }
}

/// Whether it can be a keyword (RFC 5321 section 4.1.1.1). Some of those in use have an underscore.
pub(crate) fn is_keyword(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
}

/// The number at the front of `text`; one too large for 64 bits is as good as the largest.
fn number(text: &str) -> Option<u64> {
    let word = text.split([' ', ',']).next()?;
    let digits = !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| word.parse().unwrap_or(u64::MAX))
}

/// RFC 4422 section 3.1: 1 to 20 letters, digits, hyphens and underscores.
fn is_mechanism(word: &str) -> bool {
    (1..=20).contains(&word.len())
        && word.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offered(lines: &str) -> Extensions {
        Extensions::parse(&Reply::new(250, format!("PIPELINING greets you\n{lines}")))
    }

    #[test]
    fn postfix() {
        let found = offered(
            "PIPELINING\nSIZE 10240000\nVRFY\nETRN\nSTARTTLS\nAUTH PLAIN LOGIN\nAUTH=PLAIN LOGIN CRAM-MD5\nENHANCEDSTATUSCODES\n\
             8BITMIME\nDSN\nSMTPUTF8\nCHUNKING",
        );
        assert!(
            found.pipelining()
                && found.starttls()
                && found.eight_bit_mime()
                && found.dsn()
                && found.smtputf8()
        );
        assert!(found.chunking() && found.size());
        assert!(!found.binary_mime() && !found.requiretls() && !found.xque() && !found.mt_priority());
        assert_eq!(found.size_limit(), Some(10_240_000));
        assert_eq!(found.auth(), ["PLAIN", "LOGIN", "CRAM-MD5"]);
        assert!(!found.deliver_by());
        assert_eq!(found.future_release(), None);
        assert_eq!(found.limits(), ServerLimits::default());
        assert_eq!(found.keywords().count(), 12);
        assert_eq!(found.keywords().nth(1), Some(("SIZE", "10240000")));
        assert!(found.has("etrn") && !found.has("ETR") && !found.has(""));
        assert_eq!(found.parameters("Size"), Some("10240000"));
        assert_eq!(found.parameters("VRFY"), Some(""));
        assert_eq!(found.parameters("HELP"), None);
    }

    #[test]
    fn the_greeting_is_no_keyword() {
        assert!(!offered("SIZE").pipelining());
        assert_eq!(Extensions::parse(&Reply::new(250, "PIPELINING")), Extensions::default());
        assert_eq!(Extensions::parse(&Reply::new(250, "")), Extensions::default());
    }

    #[test]
    fn what_is_ignored_is_not_offered() {
        let reply = Reply::new(250, "x\nPIPELINING\nSIZE 10\nAUTH=LOGIN\nAUTH PLAIN");
        let found = Extensions::parse_without(&reply, &["auth".into(), "Size".into(), "DSN".into()]);
        assert_eq!(found.keywords().collect::<Vec<_>>(), [("PIPELINING", "")]);
        assert!(found.auth().is_empty() && !found.size() && found.size_limit().is_none());
        assert_eq!(found.lack("AUTH"), "option `ignore` names AUTH");
        assert_eq!(found.lack("DSN"), "the server does not offer DSN");
    }

    #[test]
    fn keywords_are_told_from_other_words() {
        assert!(is_keyword("8BITMIME") && is_keyword("X-A_b"));
        assert!(!["", "A B", "AUTH=LOGIN", "\u{e9}"].into_iter().any(is_keyword));
    }

    #[test]
    fn case_and_blanks_do_not_matter() {
        let found =
            offered("pipelining \nSize  12\n  8BitMime\nbinarymime\nRequireTLS\nxque\nmt-priority MIXER");
        assert!(found.pipelining() && found.eight_bit_mime() && found.binary_mime() && found.requiretls());
        assert!(found.xque() && found.mt_priority());
        assert_eq!(found.size_limit(), Some(12));
        assert_eq!(found.parameters("MT-PRIORITY"), Some("MIXER"));
    }

    #[test]
    fn sizes() {
        for (line, limit) in [
            ("SIZE", None),
            ("SIZE 0", None),
            ("SIZE=100", Some(100)),
            ("SIZE 100 200", Some(100)),
            ("SIZE 99999999999999999999999", Some(u64::MAX)),
            ("SIZE -1", None),
            ("SIZE +1", None),
            ("SIZE big", None),
        ] {
            assert!(offered(line).size(), "{line}");
            assert_eq!(offered(line).size_limit(), limit, "{line}");
        }
        assert!(!offered("SIZES 100").size());
    }

    #[test]
    fn mechanisms_are_merged() {
        assert_eq!(offered("AUTH").auth(), [""; 0]);
        assert_eq!(offered("AUTH login plain\nAUTH PLAIN  XOAUTH2").auth(), ["LOGIN", "PLAIN", "XOAUTH2"]);
        assert_eq!(offered("AUTH=LOGIN PLAIN").auth(), ["LOGIN", "PLAIN"]);
        assert_eq!(offered("AUTH =LOGIN").auth(), ["LOGIN"]);
        assert_eq!(
            offered("AUTH SCRAM-SHA-256-PLUS \u{e9} A;B NTLM this-is-longer-than-twenty").auth(),
            ["SCRAM-SHA-256-PLUS", "NTLM"]
        );
        assert!(offered("AUTH=LOGIN").has("AUTH"));
        assert_eq!(offered("AUTH=LOGIN PLAIN").parameters("auth"), Some("LOGIN PLAIN"));
    }

    #[test]
    fn parameters_of_the_rarer_ones() {
        assert!(offered("DELIVERBY").deliver_by());
        assert_eq!(offered("DELIVERBY").deliver_by_least(), None);
        assert_eq!(offered("DELIVERBY 240").deliver_by_least(), Some(240));
        assert_eq!(offered("DELIVERBY 240,future").deliver_by_least(), Some(240));
        assert_eq!(
            offered("FUTURERELEASE 604800 2026-12-01T00:00:00Z").future_release(),
            Some(FutureRelease { max_interval: 604_800, max_date_time: "2026-12-01T00:00:00Z".into() })
        );
        assert_eq!(offered("FUTURERELEASE").future_release(), None);
        assert_eq!(offered("FUTURERELEASE x 2026-12-01T00:00:00Z").future_release(), None);
        assert_eq!(
            offered("LIMITS MAILMAX=1000 rcptmax=50000 RCPTDOMAINMAX=1 NEW=7 RUBBISH").limits(),
            ServerLimits { mail_max: Some(1000), rcpt_max: Some(50_000), rcpt_domain_max: Some(1) }
        );
        assert_eq!(offered("LIMITS RCPTMAX=0 MAILMAX=x").limits(), ServerLimits::default());
    }

    #[test]
    fn odd_lines_break_nothing() {
        let found = offered("\n \n=\n= x\nREADY for mail.\n???\n\u{fffd}=\u{20ac}\nDSN");
        assert!(found.dsn());
        assert_eq!(
            found.keywords().collect::<Vec<_>>(),
            [("READY", "for mail."), ("???", ""), ("\u{fffd}", "\u{20ac}"), ("DSN", "")]
        );
    }

    #[test]
    fn what_is_kept_is_bounded() {
        assert_eq!(offered(&"X\n".repeat(1000)).keywords().count(), MAX_KEYWORDS);
        let many: String = (0..500).map(|n| format!(" M{n}")).collect();
        assert_eq!(offered(&format!("AUTH{many}")).auth().len(), MAX_MECHANISMS);
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "(SIZE|AUTH|LIMITS|DELIVERBY|FUTURERELEASE|[ -~\u{e9}\n=])*") {
            let _ = offered(&text).future_release();
        }
    }
}
