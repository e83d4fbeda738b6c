//! What is known of an option: the columns of the table.

use std::time::Duration;

use super::{Chunking, Family, MailerOptions, Options, Order, Pipelining, TlsPolicy, Trust};
use crate::error::Error;
use crate::tls::TlsVersion;

/// One option: its name, what it takes, and what it does. The faces of other languages, the documents and the command line
/// are made from these.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct OptionInfo {
    /// The name, the same in every language.
    pub name: &'static str,
    /// What its value is.
    pub kind: OptionKind,
    /// What it is about.
    pub group: OptionGroup,
    /// What holds where it is not set, in Markdown: a value, or in words.
    pub default: &'static str,
    /// The version that had it first.
    pub since: &'static str,
    pub(super) help: &'static str,
    pub(super) setter: Setter,
    pub(super) is_set: fn(&Options) -> bool,
}

impl OptionInfo {
    /// Whether these options have it, with another value than its default.
    pub fn is_set(&self, options: &Options) -> bool {
        (self.is_set)(options)
    }

    /// What it does, in Markdown, in one paragraph.
    pub fn help(&self) -> &'static str {
        self.help.trim_start()
    }
}

/// A struct of options, which is all of [`Options`] or in it.
pub(super) trait Part {
    fn of(options: &Options) -> &Self;
    fn of_mut(options: &mut Options) -> &mut Self;
}

impl Part for Options {
    fn of(options: &Options) -> &Self {
        options
    }

    fn of_mut(options: &mut Options) -> &mut Self {
        options
    }
}

impl Part for MailerOptions {
    fn of(options: &Options) -> &Self {
        &options.mailer
    }

    fn of_mut(options: &mut Options) -> &mut Self {
        &mut options.mailer
    }
}

/// A field of options.
pub(super) trait Setting {
    /// Whether it is not its default. Secrets cannot be compared, so that being there is enough.
    fn is_set(&self, default: &Self) -> bool;
}

impl<T> Setting for Option<T> {
    fn is_set(&self, _: &Self) -> bool {
        self.is_some()
    }
}

impl<T> Setting for Vec<T> {
    fn is_set(&self, _: &Self) -> bool {
        !self.is_empty()
    }
}

impl Setting for TlsPolicy {
    fn is_set(&self, _: &Self) -> bool {
        !matches!(self, Self::Default)
    }
}

macro_rules! compared {
    ($($type:ty)*) => {$(
        impl Setting for $type {
            fn is_set(&self, default: &Self) -> bool {
                self != default
            }
        }
    )*};
}
compared!(bool u32 usize Duration Family Order Pipelining Chunking Trust TlsVersion);

/// How the value gets into the options.
#[derive(Clone, Copy, Debug)]
pub(super) enum Setter {
    Text(fn(&mut Options, &str) -> Result<(), Error>),
    /// Secrets and certificates, which may have line ends and need not be UTF-8.
    Octets(fn(&mut Options, &[u8]) -> Result<(), Error>),
}

/// What the value of an option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionKind {
    /// `1 true yes on` or `0 false no off`, in any case.
    Flag,
    /// One line of text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Words separated by commas or white space.
    Words,
    /// A whole number.
    Integer,
    /// A number, which may have a fraction.
    Number,
    /// A number of seconds, which may have a fraction.
    Seconds,
    /// The name of a file.
    File,
    /// Text or octets that no error and no log shows.
    Secret,
    /// Certificates in PEM, or one in DER.
    Certificates,
    /// Tags and values, `tag=value`, with `;` between them. No error and no log shows a key in it.
    Signature,
    /// An IP address.
    Ip,
    /// Servers separated by commas or white space.
    Servers,
    /// Port numbers separated by commas or white space.
    Ports,
    /// One RFC 5322 mailbox.
    Mailbox,
    /// An RFC 5322 address list.
    Addresses,
    /// One mailbox and what the server is asked for it. Each adds to those before.
    Recipient,
    /// A header field, `Name: value`. Each adds to those before.
    Header,
}

impl OptionKind {
    /// One lower-case word, the same in every language.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Text => "text",
            Self::Word(_) => "word",
            Self::Words => "words",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Seconds => "seconds",
            Self::File => "file",
            Self::Secret => "secret",
            Self::Certificates => "certificates",
            Self::Signature => "signature",
            Self::Ip => "ip",
            Self::Servers => "servers",
            Self::Ports => "ports",
            Self::Mailbox => "mailbox",
            Self::Addresses => "addresses",
            Self::Recipient => "recipient",
            Self::Header => "header",
        }
    }

    /// The form of the text, in Markdown.
    pub fn form(self) -> &'static str {
        match self {
            Self::Flag => "`1 true yes on` or `0 false no off`",
            Self::Text => "one line",
            Self::Word(_) => "one of the words listed",
            Self::Words => "words separated by spaces or commas",
            Self::Integer => "a whole number",
            Self::Number => "a number, as `0.5`",
            Self::Seconds => "seconds, as `30` or `0.5`",
            Self::File => "the name of a file",
            Self::Secret => "one that no error, log or transcript shows",
            Self::Certificates => "certificates in PEM, or one in DER",
            Self::Signature => "`tag=value`, with `;` between them; see [message.md](message.md)",
            Self::Ip => "an IP address",
            Self::Servers => "servers separated by spaces or commas",
            Self::Ports => "port numbers separated by spaces or commas",
            Self::Mailbox => "one mailbox (RFC 5322), which may be folded",
            Self::Addresses => "an address list (RFC 5322), separated by commas, which may be folded",
            Self::Recipient => "one mailbox, then `notify=` and `orcpt=`; each adds to those before",
            Self::Header => "`Name: value`; each adds to those before",
        }
    }

    /// The words to choose from; none if the value is not one of a list.
    pub fn words(self) -> &'static [&'static str] {
        if let Self::Word(words) = self { words } else { &[] }
    }

    /// Whether the value adds to those of before.
    pub fn adds(self) -> bool {
        matches!(self, Self::Recipient | Self::Header)
    }

    /// Whether the value holds addresses, and may therefore be folded (RFC 5322 section 2.2.3).
    pub(super) fn is_foldable(self) -> bool {
        matches!(self, Self::Mailbox | Self::Addresses | Self::Recipient)
    }
}

/// What an option is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionGroup {
    /// Where the message goes, and how.
    Transfer,
    /// Sender, recipients and what is asked for them.
    Envelope,
    /// When TLS is used.
    Tls,
    /// What TLS is like: may be set up once, and shared as [`Options::tls`].
    TlsSetup,
    /// User, password, mechanisms.
    Login,
    /// How long things may take.
    Time,
    /// What only a mailer takes.
    Mailer,
}

impl OptionGroup {
    /// Every group, in the order of the documentation.
    pub const ALL: [Self; 7] =
        [Self::Transfer, Self::Envelope, Self::Tls, Self::TlsSetup, Self::Login, Self::Time, Self::Mailer];

    /// A sentence on all of its options, in Markdown; empty if there is nothing to say.
    pub fn about(self) -> &'static str {
        match self {
            Self::TlsSetup => {
                "May be set up once and shared: `smtp_tls_new` in C, `smtpclient.TLS` in Python, `smtp::tls` in Tcl, \
                 `TlsConfig` in Rust; with such an object none of these may be set."
            }
            Self::Mailer => "Only a mailer takes them; elsewhere they are an error.",
            _ => "",
        }
    }

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Transfer => "Servers and transfer",
            Self::Envelope => "Envelope and header",
            Self::Tls => "When TLS is used",
            Self::TlsSetup => "What TLS is like",
            Self::Login => "Login",
            Self::Time => "Time limits",
            Self::Mailer => "Mailer",
        }
    }
}
