//! Options by name.

use std::borrow::Cow;

use super::info::{OptionGroup, OptionInfo, OptionKind, Setter};
use super::table::{MAILER, OWN};
use super::{Options, RecipientEntry};
use crate::error::Error;

/// Every option, in the order of the table.
pub fn all() -> impl Iterator<Item = &'static OptionInfo> {
    OWN.iter().chain(MAILER)
}

/// The option with this name, in any case.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage), which names the nearest option.
pub fn find(name: &str) -> Result<&'static OptionInfo, Error> {
    all().find(|option| option.name.eq_ignore_ascii_case(name)).ok_or_else(|| unknown(name))
}

impl Options {
    /// Sets an option by its name. [`OptionInfo::kind`] says what the value is: lists are separated by white space or commas,
    /// truth values are `1 true yes on` or `0 false no off`, times are seconds (`30`, `0.5`), `header` takes
    /// `Name: value` and adds to those before. An empty value takes an option back to its default;
    /// the empty `originator` is the null reverse-path, the empty `password` a password. Address lists, and fields of `header` that hold one, may be folded
    /// (RFC 5322 section 2.2.3). `rcpt` adds a recipient to those before, as [`RecipientEntry::parse`] has it.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for an unknown option, with the nearest that is
    /// one, and for a value that does not fit.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let option = find(name)?;
        let Setter::Text(set) = option.setter else {
            return self.set_octets(name, value.as_bytes());
        };
        let value = foldable(option.kind, value);
        check_one_line(option.name, &value, option.kind == OptionKind::Servers)?;
        set(self, &value).map_err(|error| Error::usage(format!("option `{}`: {}", option.name, error.text())))
    }

    /// As [`set`](Self::set), for a value that may be octets: a secret, or `tlsca`.
    ///
    /// # Errors
    /// As for [`set`](Self::set), and for octets that are not UTF-8 where the option takes text. No text repeats a secret.
    pub fn set_octets(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        let option = find(name)?;
        match option.setter {
            // Only a proxy can be wrong, and its error names the option, also where the field was set.
            Setter::Octets(set) => set(self, value),
            Setter::Text(_) => match std::str::from_utf8(value) {
                Ok(text) => self.set(name, text),
                Err(_) => Err(Error::usage(format!("option `{}` must be UTF-8", option.name))),
            },
        }
    }

    /// The names of the options of this group that are set.
    pub fn set_in(&self, group: OptionGroup) -> impl Iterator<Item = &'static str> {
        all().filter(move |option| option.group == group && option.is_set(self)).map(|option| option.name)
    }

    /// For everything that is not a mailer, where these options would mean nothing.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), which names the options that are set.
    pub fn refuse_mailer_options(&self) -> Result<(), Error> {
        // All others are looked through for nothing at every send: 600 instructions.
        let set = MAILER.iter().filter(|option| option.is_set(self));
        let set: Vec<_> = set.map(|option| format!("`{}`", option.name)).collect();
        if set.is_empty() {
            return Ok(());
        }
        Err(Error::usage(format!(
            "option {}: only a mailer takes it, which sends many messages over many connections: give it to one, or take it out",
            set.join(", ")
        )))
    }

    /// Adds an address, or a list of them, after the `recipients` given before; nothing if it is empty.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a line end or NUL. The send reports what is not an address list.
    pub fn add_recipient(&mut self, recipient: &str) -> Result<(), Error> {
        let recipient = foldable(OptionKind::Addresses, recipient);
        check_one_line("recipients", &recipient, false)?;
        if !recipient.is_empty() {
            self.recipients.get_or_insert_default().add(&recipient);
        }
        Ok(())
    }

    /// Adds one recipient after those already there, with what the server is asked for it (RFC 3461): see
    /// [`RecipientEntry::new`].
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a line end or NUL, and for what RFC 3461 does not allow. The send
    /// reports what is not a mailbox.
    pub fn add_recipient_dsn(&mut self, recipient: &str, notify: &str, orcpt: &str) -> Result<(), Error> {
        let recipient = foldable(OptionKind::Addresses, recipient);
        check_one_line("recipients", &recipient, false)?;
        let entry = RecipientEntry::new(&recipient, notify, orcpt)
            .map_err(|error| Error::usage(format!("option `recipients`: {}", error.text())))?;
        self.recipients.get_or_insert_default().push(entry);
        Ok(())
    }
}

/// The value unfolded where it holds an address list.
fn foldable(kind: OptionKind, value: &str) -> Cow<'_, str> {
    let in_field =
        |value: &str| value.split_once(':').is_some_and(|(name, _)| holds_addresses(name.trim_end()));
    let foldable = kind.is_foldable() || kind == OptionKind::Header && in_field(value);
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
    if !text.contains('\n') {
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

/// `may_hide`: there may be a password in the value, which is then not shown.
fn check_one_line(option: &str, value: &str, may_hide: bool) -> Result<(), Error> {
    if memchr::memchr3(b'\r', b'\n', 0, value.as_bytes()).is_some() {
        let shown = if may_hide { "the value".to_owned() } else { format!("{value:?}") };
        let text = format!("option `{option}`: {shown} has a line end or NUL in it: remove it");
        return Err(Error::usage(text));
    }
    Ok(())
}

/// Words of other programs for options of this one.
const ALIASES: &[(&str, &str)] = &[
    ("from", "originator"),
    ("sender", "originator"),
    ("to", "recipients"),
    ("from_addr", "originator"),
    ("to_addrs", "recipients"),
    ("bcc", "recipients"),
    ("subject", "header"),
    ("host", "servers"),
    ("hostname", "servers"),
    ("user", "username"),
    ("retry", "retries"),
    ("pool", "connections"),
    ("starttls", "usetls"),
    ("start_tls", "tlsrequired"),
    ("ssl", "tlsimport"),
    ("tls", "usetls"),
];

/// Of which each face has one at least where it is installed.
const LISTS: &str =
    "docs/options.md, the header libsmtp.h, help(smtpclient.Options), smtp::options and smtpclient --help";

/// Names that are less alike are not misprints of each other.
const FAR: f64 = 0.75;

/// The option that is meant by a name which none has: that of another program for it, or a misprint.
pub fn nearest(name: &str) -> Option<&'static str> {
    let alias = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, own)| *own);
    let likeness = |own: &str| strsim::jaro_winkler(own, &name.to_ascii_lowercase());
    let names = all().map(|option| option.name).filter(|own| *own != name);
    let nearest = alias.or_else(|| names.max_by(|a, b| likeness(a).total_cmp(&likeness(b))));
    nearest.filter(|own| alias.is_some() || likeness(own) > FAR)
}

fn unknown(name: &str) -> Error {
    let nearest = nearest(name);
    let name = name.escape_debug();
    Error::usage(match nearest {
        Some(nearest) => format!("there is no option `{name}`: did you mean `{nearest}`?"),
        None => format!("there is no option `{name}`: {LISTS} list them"),
    })
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
    fn a_line_end_shows_the_value_unless_a_password_may_be_in_it() {
        let told =
            |name: &str, value: &str| Options::default().set(name, value).unwrap_err().text().to_owned();
        assert!(told("client", "me\n").contains("\"me\\n\" has a line end"));
        for end in ["\n", "\r", "\0"] {
            let text = told("servers", &format!("smtp://tim:hunter2@mail.example{end}"));
            assert!(text.contains("has a line end or NUL") && !text.contains("hunter2"), "{text}");
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
            assert!(find(own).is_ok(), "{own}");
        }
    }

    #[test]
    fn a_secret_never_shows_in_an_error_nor_in_debug() {
        let mut options = Options::default();
        options.set("password", "hunter2").unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    /// What stands for it in an error, or is its own word, is what `Options` holds.
    #[test]
    fn an_empty_value_takes_an_option_back_to_its_default() {
        let told = |options: &Options| {
            let Options { mailer, tlsminversion, tlstrust, usetls, tlsverify, maxsecs, .. } = options;
            format!("{mailer:?} {tlsminversion:?} {tlstrust:?} {usetls} {tlsverify} {maxsecs:?}")
        };
        for option in all().filter(|option| option.kind != OptionKind::Recipient) {
            let set = Options::default().set(option.name, "");
            assert_eq!(set.is_err(), option.kind == OptionKind::Header, "{}: {set:?}", option.name);
        }
        let mut options = Options::default();
        for (name, value) in [
            ("tlsminversion", "1.3"),
            ("tlstrust", "given"),
            ("usetls", "no"),
            ("tlsverify", "0"),
            ("maxsecs", "5"),
            ("retries", "9"),
        ] {
            options.set(name, value).unwrap();
            assert_ne!(told(&options), told(&Options::default()), "{name}");
            options.set(name, "").unwrap();
            assert_eq!(told(&options), told(&Options::default()), "{name}");
        }
    }

    #[test]
    fn the_table_is_sound() {
        let mut seen = std::collections::BTreeSet::new();
        for option in all() {
            let OptionInfo { name, kind, default, since, .. } = option;
            assert!(seen.insert(name), "`{name}` stands twice");
            assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{name}");
            assert!(
                option.help().ends_with('.') && !option.help().contains("  "),
                "{name}: {}",
                option.help()
            );
            assert!(
                since.split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3,
                "{name}: {since}"
            );
            for word in kind.words() {
                Options::default().set(name, word).unwrap();
            }
            let is_word = |word: &str| format!("`{word}`") == *default;
            let words = kind.words().iter().any(|word| is_word(word));
            assert!(
                kind.words().is_empty() || !default.starts_with('`') || words || default.contains("; "),
                "{name}"
            );
            match kind {
                OptionKind::Flag => assert!(["yes", "no"].contains(default), "{name}: {default}"),
                OptionKind::Secret | OptionKind::Signature => {
                    let error = Options::default().set(name, "http://s3cret\r\n").err();
                    assert!(!error.is_some_and(|error| error.text().contains("s3cret")), "{name}");
                }
                _ => {}
            }
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
            ("ignore", "AUTH=LOGIN"),
            ("family", "inet"),
            ("order", "reverse"),
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
            ("mailparameters", "SIZE=1"),
            ("rcptparameters", "X=a=b"),
        ] {
            let error = Options::default().set(name, value).unwrap_err();
            assert!(error.text().starts_with(&format!("option `{name}`")), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_is_found_when_it_is_set() {
        let told =
            |name: &str, value: &str| Options::default().set(name, value).unwrap_err().text().to_owned();
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
    fn options_of_a_mailer_have_a_table_of_their_own() {
        for option in all() {
            let own = MAILER.iter().any(|other| other.name == option.name);
            assert_eq!(option.group == OptionGroup::Mailer, own, "{}", option.name);
        }
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
