//! Options by name: the one table that every language's face reads.

use std::borrow::Cow;

use super::proxy::ProxyUrl;
use super::values::{
    boolean, count, domain, fingerprints, header_field, integers, list, mechanisms, number, rate, seconds,
    text, tls_answer, tls_version,
};
use super::{Chunking, MailerOptions, Options, Pipelining, RecipientEntry, TlsPolicy, Trust};
use crate::command::{DeliverBy, Envid, Hold, MtPriority, Notify, Ret};
use crate::error::Error;
use crate::secret::Secret;

type Setter = fn(&mut Options, &str) -> Result<(), Error>;

/// Every option by name, in the order of the documentation. Append only.
#[expect(clippy::unit_arg, reason = "a line an option")]
const TABLE: &[(&str, Setter)] = &[
    ("servers", |o, v| Ok(o.servers = list(v))),
    ("ports", |o, v| Ok(o.ports = integers(v)?)),
    ("client", |o, v| Ok(o.client = text(v))),
    ("queue", |o, v| Ok(o.queue = boolean(v)?)),
    ("atleastone", |o, v| Ok(o.atleastone = boolean(v)?)),
    ("originator", |o, v| Ok(o.originator = Some(v.to_owned()))),
    ("recipients", |o, v| Ok(o.recipients = Some(v.into()))),
    ("header", |o, v| Ok(o.header.push(header_field(v)?))),
    ("usetls", |o, v| Ok(o.usetls = boolean(v)?)),
    ("tlsimport", |o, v| Ok(o.tlsimport = boolean(v)?)),
    ("tlspolicy", |o, v| Ok(o.tlspolicy = TlsPolicy::Fixed(tls_answer(v)?))),
    ("username", |o, v| Ok(o.username = text(v))),
    ("password", |o, v| Ok(o.password = text(v).map(Secret::from))),
    ("debug", |o, v| Ok(o.debug = boolean(v)?)),
    ("maxsecs", |o, v| Ok(o.maxsecs = seconds(v)?)),
    ("tlsrequired", |o, v| Ok(o.tlsrequired = boolean(v)?)),
    ("tlsverify", |o, v| Ok(o.tlsverify = boolean(v)?)),
    ("tlscafile", |o, v| Ok(o.tlscafile = text(v))),
    ("tlscertfile", |o, v| Ok(o.tlscertfile = text(v))),
    ("tlskeyfile", |o, v| Ok(o.tlskeyfile = text(v))),
    ("tlskeypassword", |o, v| Ok(o.tlskeypassword = text(v).map(Secret::from))),
    ("tlsfingerprint", |o, v| Ok(o.tlsfingerprint = fingerprints(v)?)),
    ("tlsminversion", |o, v| Ok(o.tlsminversion = tls_version(v)?)),
    ("auth", |o, v| Ok(o.auth = mechanisms(v)?)),
    ("oauthtoken", |o, v| Ok(o.oauthtoken = text(v).map(Secret::from))),
    ("authinsecure", |o, v| Ok(o.authinsecure = boolean(v)?)),
    ("connecttimeout", |o, v| Ok(o.connecttimeout = seconds(v)?)),
    ("timeout", |o, v| Ok(o.timeout = optional(v, seconds)?)),
    ("deadline", |o, v| Ok(o.deadline = optional(v, seconds)?)),
    ("localaddress", |o, v| Ok(o.localaddress = optional(v, super::values::ip_address)?)),
    ("proxy", |o, v| o.set_proxy(Secret::from(v))),
    ("dsnnotify", |o, v| Ok(o.dsnnotify = optional(v, Notify::parse)?)),
    ("dsnret", |o, v| Ok(o.dsnret = optional(v, Ret::parse)?)),
    ("dsnenvid", |o, v| Ok(o.dsnenvid = optional(v, Envid::new)?)),
    ("smtputf8", |o, v| Ok(o.smtputf8 = boolean(v)?)),
    ("requiretls", |o, v| Ok(o.requiretls = boolean(v)?)),
    ("deliverby", |o, v| Ok(o.deliverby = optional(v, DeliverBy::parse)?)),
    ("priority", |o, v| Ok(o.priority = optional(v, MtPriority::parse)?)),
    ("lmtp", |o, v| Ok(o.lmtp = boolean(v)?)),
    ("pipelining", |o, v| Ok(o.pipelining = pipelining(v)?)),
    ("chunking", |o, v| Ok(o.chunking = chunking(v)?)),
    ("reconnect", |o, v| Ok(o.reconnect = boolean(v)?)),
    ("hold", |o, v| Ok(o.hold = optional(v, Hold::parse)?)),
    ("connections", |o, v| Ok(o.mailer.connections = or_default(v, count, |m| m.connections)?)),
    ("connectionmessages", |o, v| Ok(o.mailer.messages = optional(v, count)?)),
    ("rate", |o, v| Ok(o.mailer.rate = optional(v, rate)?)),
    ("queuesize", |o, v| Ok(o.mailer.queue = or_default(v, count, |m| m.queue)?)),
    ("retries", |o, v| Ok(o.mailer.retries = or_default(v, number, |m| m.retries)?)),
    ("backoff", |o, v| Ok(o.mailer.backoff = or_default(v, seconds, |m| m.backoff)?)),
    ("retrytime", |o, v| Ok(o.mailer.retry_time = or_default(v, seconds, |m| m.retry_time)?)),
    ("idletime", |o, v| Ok(o.mailer.idle = or_default(v, seconds, |m| m.idle)?)),
    ("rcpt", |o, v| Ok(o.recipients.get_or_insert_default().push(RecipientEntry::parse(v)?))),
    ("defaultdomain", |o, v| Ok(o.defaultdomain = optional(v, domain)?)),
    ("tlstrust", |o, v| Ok(o.tlstrust = trust(v)?)),
    ("tlsca", |o, v| Ok(o.tlsca = text(v).map(String::into_bytes))),
    ("tlsciphers", |o, v| Ok(o.tlsciphers = text(v))),
    ("tlsmaxversion", |o, v| Ok(o.tlsmaxversion = optional(v, tls_version)?)),
    ("tlskeylog", |o, v| Ok(o.tlskeylog = text(v))),
    ("tlsservername", |o, v| Ok(o.tlsservername = text(v))),
];

/// The options that say what TLS is like: those of an object that is made once, beside which they must be left alone.
pub const TLS: [&str; 13] = [
    "tlsverify",
    "tlstrust",
    "tlscafile",
    "tlsca",
    "tlscertfile",
    "tlskeyfile",
    "tlskeypassword",
    "tlsfingerprint",
    "tlsminversion",
    "tlsmaxversion",
    "tlsciphers",
    "tlskeylog",
    "tlsservername",
];

/// The names of all options.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

impl Options {
    /// Sets an option by its name. Lists are separated by white space or commas, truth values are
    /// `1 true yes on` or `0 false no off`, times are seconds (`30`, `0.5`), `header` takes
    /// `Name: value` and adds to those before. An empty value takes an option back to its default;
    /// the empty `originator` is the null reverse-path. Address lists, and fields of `header` that hold one, may be folded
    /// (RFC 5322 section 2.2.3). `rcpt` adds a recipient to those before, as [`RecipientEntry::parse`] has it.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a name that is no option, with the nearest that is
    /// one, and for a value that does not fit.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let Some((known, setter)) = TABLE.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
            return Err(unknown(name));
        };
        if *known == "proxy" {
            return setter(self, value); // whose errors do not show the value
        }
        if matches!(*known, "password" | "oauthtoken" | "tlskeypassword") {
            // The value must not show in an error.
            return setter(self, value)
                .map_err(|_| Error::usage(format!("option `{known}`: the value does not fit")));
        }
        let value = foldable(known, value);
        // PEM has many lines.
        if *known != "tlsca" {
            check_one_line(known, &value)?;
        }
        setter(self, &value).map_err(|error| Error::usage(format!("option `{known}`: {}", error.text())))
    }

    /// Sets option `proxy`; an empty one is none.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for what is not a proxy; the text does not repeat it, as there may be a
    /// password in it.
    pub fn set_proxy(&mut self, proxy: Secret) -> Result<(), Error> {
        if !proxy.is_empty() {
            ProxyUrl::parse(&String::from_utf8_lossy(proxy.expose()))?;
        }
        self.proxy = (!proxy.is_empty()).then_some(proxy);
        Ok(())
    }

    /// Adds an address, or a list of them, behind the `recipients` of before; nothing where it is empty.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a line end or NUL. What is no address list is told by the send.
    pub fn add_recipient(&mut self, recipient: &str) -> Result<(), Error> {
        let recipient = foldable("recipients", recipient);
        check_one_line("recipients", &recipient)?;
        if !recipient.is_empty() {
            self.recipients.get_or_insert_default().add(&recipient);
        }
        Ok(())
    }

    /// Adds one recipient after those already there, with what the server is asked for it (RFC 3461): see
    /// [`RecipientEntry::new`].
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a line end or NUL, and for what RFC 3461 does not allow. What is not a
    /// mailbox is told by the send.
    pub fn add_recipient_dsn(&mut self, recipient: &str, notify: &str, orcpt: &str) -> Result<(), Error> {
        let recipient = foldable("recipients", recipient);
        check_one_line("recipients", &recipient)?;
        let entry = RecipientEntry::new(&recipient, notify, orcpt)
            .map_err(|error| Error::usage(format!("option `recipients`: {}", error.text())))?;
        self.recipients.get_or_insert_default().push(entry);
        Ok(())
    }
}

/// The value unfolded where the option holds an address list.
fn foldable<'a>(option: &str, value: &'a str) -> Cow<'a, str> {
    let foldable = match option {
        "recipients" | "originator" | "rcpt" => true,
        "header" => value.split_once(':').is_some_and(|(name, _)| holds_addresses(name.trim_end())),
        _ => false,
    };
    if foldable { unfolded(value) } else { value.into() }
}

/// Whether the header field of this name holds an address list (RFC 5322 sections 3.6.2, 3.6.3 and 3.6.6).
pub(crate) fn holds_addresses(name: &str) -> bool {
    let resent = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("resent-"));
    let name = if resent { name.get(7..).unwrap_or_default() } else { name };
    ["from", "sender", "reply-to", "to", "cc", "bcc", "dcc"].iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// The text without the line ends that fold it (RFC 5322 section 2.2.3): those before a space or tab.
pub(crate) fn unfolded(text: &str) -> Cow<'_, str> {
    if !text.contains("\n ") && !text.contains("\n\t") {
        return text.into();
    }
    let mut lines = text.split('\n').peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(line) = lines.next() {
        match lines.peek() {
            Some(next) if next.starts_with([' ', '\t']) => {
                out.push_str(line.strip_suffix('\r').unwrap_or(line))
            }
            Some(_) => {
                out.push_str(line);
                out.push('\n');
            }
            None => out.push_str(line),
        }
    }
    out.into()
}

fn check_one_line(option: &str, value: &str) -> Result<(), Error> {
    if value.contains(['\r', '\n', '\0']) {
        let text = format!("option `{option}`: {value:?} has a line end or NUL in it: remove it");
        return Err(Error::usage(text));
    }
    Ok(())
}

/// Words of other programs for options of this one.
const ALIASES: &[(&str, &str)] = &[
    ("from", "originator"),
    ("sender", "originator"),
    ("to", "recipients"),
    ("host", "servers"),
    ("user", "username"),
    ("starttls", "usetls"),
    ("ssl", "tlsimport"),
    ("tls", "usetls"),
];

/// Names that are less alike are no misprints of each other.
const FAR: f64 = 0.75;

fn unknown(name: &str) -> Error {
    let alias = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, own)| *own);
    let likeness = |own: &str| strsim::jaro_winkler(own, &name.to_ascii_lowercase());
    let nearest = alias.or_else(|| names().max_by(|a, b| likeness(a).total_cmp(&likeness(b))));
    let nearest = nearest.filter(|own| alias.is_some() || likeness(own) > FAR);
    let name = name.escape_debug();
    Error::usage(match nearest {
        Some(nearest) => format!("there is no option `{name}`: did you mean `{nearest}`?"),
        None => format!("there is no option `{name}`: the README lists them"),
    })
}

/// An empty value takes the option back to its default.
fn optional<T>(value: &str, parse: impl Fn(&str) -> Result<T, Error>) -> Result<Option<T>, Error> {
    if value.is_empty() { Ok(None) } else { parse(value).map(Some) }
}

/// The same for a value that is always there.
fn or_default<T>(
    value: &str,
    parse: impl Fn(&str) -> Result<T, Error>,
    default: impl Fn(MailerOptions) -> T,
) -> Result<T, Error> {
    Ok(optional(value, parse)?.unwrap_or_else(|| default(MailerOptions::default())))
}

fn pipelining(value: &str) -> Result<Pipelining, Error> {
    match value {
        "off" => Ok(Pipelining::Off),
        "rfc" | "" => Ok(Pipelining::Rfc),
        "crossing" => Ok(Pipelining::Crossing),
        "full" => Ok(Pipelining::Full),
        _ => Err(Error::usage(format!("{value:?} is none of `off`, `rfc`, `full`"))),
    }
}

fn trust(value: &str) -> Result<Trust, Error> {
    match value {
        "system" => Ok(Trust::System),
        "given" => Ok(Trust::Given),
        "both" | "" => Ok(Trust::Both),
        _ => Err(Error::usage(format!("{value:?} is none of `system`, `given`, `both`"))),
    }
}

fn chunking(value: &str) -> Result<Chunking, Error> {
    match value {
        "off" => Ok(Chunking::Off),
        "auto" | "" => Ok(Chunking::Auto),
        "on" => Ok(Chunking::On),
        _ => Err(Error::usage(format!("{value:?} is none of `off`, `auto`, `on`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_name_that_is_like_none_is_not_taken_for_a_misprint() {
        let told = |name| Options::default().set(name, "1").unwrap_err().text().to_owned();
        assert!(told("recipient").contains("did you mean `recipients`"));
        assert!(told("tls").contains("did you mean `usetls`"));
        for name in ["frobnicate", "frob", "x"] {
            assert!(!told(name).contains("did you mean"), "{}", told(name));
        }
    }

    #[test]
    fn recipients_are_added_behind_those_of_before() {
        let mut options = Options::default();
        options.add_recipient("").unwrap();
        assert_eq!(options.recipients, None);
        options.add_recipient("a@b").unwrap();
        options.add_recipient("").unwrap();
        options.add_recipient("c@d, e@f").unwrap();
        assert_eq!(options.add_recipient("g@h\r\n").unwrap_err().kind(), Kind::Usage);
        assert_eq!(options.add_recipient_dsn("g@h\r\n", "", "").unwrap_err().kind(), Kind::Usage);
        assert_eq!(options.recipients.as_ref().unwrap(), &"a@b, c@d, e@f".into());
        options.add_recipient_dsn("g@h", "never", "").unwrap();
        assert_eq!(options.recipients.unwrap().entries().len(), 2);
    }

    #[test]
    fn address_lists_may_be_folded() {
        for (text, wanted) in [
            ("a@b,\r\n c@d,\n\te@f", "a@b, c@d,\te@f"),
            ("a@b\r\n\r\n c@d", "a@b\r\n c@d"),
            ("a@b\r\nDATA", "a@b\r\nDATA"),
            ("a@b\n", "a@b\n"),
            ("a@b\r c@d", "a@b\r c@d"),
        ] {
            assert_eq!(unfolded(text), wanted);
            let set = |name: &str, text: &str| Options::default().set(name, text).is_ok();
            for name in ["recipients", "originator"] {
                assert_eq!(set(name, text), !wanted.contains(['\r', '\n']), "{name} {text:?}");
            }
            for name in ["To", "cc", "Resent-Bcc", "From"] {
                assert_eq!(set("header", &format!("{name}: {text}")), !wanted.contains(['\r', '\n']));
            }
            assert!(!set("header", &format!("Subject: {text}")));
            assert!(!set("client", text));
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_the_nearest() {
        let error = Options::default().set("recipient", "a@b").unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.text().contains("`recipients`"), "{error}");
        let error = Options::default().set("from", "a@b").unwrap_err();
        assert!(error.text().contains("`originator`"), "{error}");
        for (_, own) in ALIASES {
            assert!(names().any(|name| name == *own), "{own}");
        }
    }

    #[test]
    fn a_secret_never_shows_in_an_error_nor_in_debug() {
        let mut options = Options::default();
        options.set("password", "hunter2").unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn every_name_takes_back_its_default() {
        for name in names().filter(|name| !matches!(*name, "header" | "rcpt" | "maxsecs" | "connecttimeout"))
        {
            let result = Options::default().set(name, "");
            let needs_value = result.is_err();
            let boolean = matches!(
                name,
                "queue"
                    | "atleastone"
                    | "usetls"
                    | "tlsimport"
                    | "debug"
                    | "tlsrequired"
                    | "tlsverify"
                    | "authinsecure"
                    | "smtputf8"
                    | "requiretls"
                    | "lmtp"
                    | "reconnect"
                    | "tlspolicy"
                    | "tlsminversion"
            );
            assert_eq!(needs_value, boolean, "{name}: {result:?}");
        }
    }

    #[test]
    fn values_that_do_not_fit_are_named() {
        for (name, value) in [
            ("ports", "25 99999"),
            ("maxsecs", "-1"),
            ("maxsecs", "soon"),
            ("queue", "perhaps"),
            ("localaddress", "localhost"),
            ("header", "no colon"),
            ("client", "a\r\nb"),
            ("auth", "SCRAM"),
            ("auth", "PLAIN GSSAPI"),
            ("tlsfingerprint", "00:11"),
            ("rcpt", ""),
            ("rcpt", "a@b notify=always"),
            ("defaultdomain", "a b"),
            ("defaultdomain", "@a"),
            ("defaultdomain", "a, b"),
            ("tlsminversion", "0.9"),
            ("tlspolicy", "maybe"),
            ("pipelining", "most"),
            ("chunking", "yes"),
            ("connections", "0"),
            ("connectionmessages", "-1"),
            ("rate", "fast"),
            ("rate", "0"),
            ("queuesize", "0"),
            ("retries", "-1"),
            ("backoff", "0"),
            ("idletime", "never"),
            ("tlstrust", "all"),
            ("tlsmaxversion", "2"),
            ("tlsciphers", "A\r\nB"),
        ] {
            let error = Options::default().set(name, value).unwrap_err();
            assert!(error.text().starts_with(&format!("option `{name}`")), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_is_found_when_it_is_set() {
        let told =
            |name: &str, value: &str| Options::default().set(name, value).unwrap_err().text().to_owned();
        let text = told("auth", "plain scram");
        assert!(text.contains("\"SCRAM\"") && text.contains("SCRAM-SHA-256,"), "{text}");
        assert!(told("tlsfingerprint", "abc").contains("64 hex digits"));
        for proxy in ["mail.example", "ftp://u:s3cret@p.example", "socks5://", "http://u:s3cret@p.example/x"]
        {
            let text = told("proxy", proxy);
            assert!(
                text.contains("option proxy") && text.contains("socks5://[user") && !text.contains("s3cret"),
                "{text}"
            );
        }
        let mut options = Options::default();
        options.set("proxy", "socks5://u:s3cret@p.example:1080").unwrap();
        options.set("auth", "plain, scram-sha-256-plus").unwrap();
        assert_eq!(options.auth, ["PLAIN", "SCRAM-SHA-256-PLUS"]);
    }

    #[test]
    fn options_of_a_mailer_are_refused_elsewhere() {
        for (name, value) in [
            ("connections", "2"),
            ("connectionmessages", "5"),
            ("rate", "1"),
            ("queuesize", "7"),
            ("retries", "0"),
            ("backoff", "2"),
            ("idletime", "5"),
        ] {
            let mut options = Options::default();
            options.refuse_mailer_options().unwrap();
            options.set(name, value).unwrap();
            let error = options.refuse_mailer_options().unwrap_err();
            assert!(
                error.text().contains(&format!("`{name}`")) && error.text().contains("mailer"),
                "{error}"
            );
            options.set(name, "").unwrap();
            options.refuse_mailer_options().unwrap();
        }
    }

    #[test]
    fn lists_are_separated_by_white_space_or_commas() {
        let mut options = Options::default();
        options.set("servers", "a, b  c").unwrap();
        options.set("ports", "25,587 2525").unwrap();
        options.set("header", "X-A: 1").unwrap();
        options.set("header", "X-A:2").unwrap();
        assert_eq!(options.servers, ["a", "b", "c"]);
        assert_eq!(options.ports, [25, 587, 2525]);
        assert_eq!(options.header, [("X-A".into(), "1".into()), ("X-A".into(), "2".into())]);
    }
}
