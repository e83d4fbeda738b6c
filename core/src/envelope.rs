//! Who a message is from, who it goes to, and which header fields are added or taken away for it.

mod fields;
mod gathered;
mod kept;
mod redirect;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use self::fields::{Fields, Names, ORIGINAL};
use self::gathered::Gathered;
pub(crate) use self::kept::Kept;
pub(crate) use self::redirect::Redirect;
use crate::address::{Address, parse_each, parse_list, parse_mailbox, parse_mailbox_in, plain_mailbox};
use crate::command::{
    Addressed, Extra, ForwardPath, Mail, MailParameters, Parameter, RcptParameters, Rcpts, ReversePath,
};
use crate::error::Error;
use crate::message::{Edits, Known, Message, identity};
use crate::options::{Options, holds_addresses, unfolded};

/// What the machine says of itself, asked only if a message needs it.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    /// The host's own name.
    pub host: fn() -> String,
    /// The login name of the user.
    pub user: fn() -> String,
    /// The time now, with the local offset.
    pub now: fn() -> jiff::Zoned,
}

/// The envelope of a message, and what its header section needs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Envelope {
    /// Whom it is from and to, after option `redirectto` was obeyed.
    pub addressed: Arc<Addressed>,
    /// What is added in front of the message and what is stripped from it.
    pub edits: Edits,
}

/// Fields of which a message has one (RFC 5322 section 3.6): `header` replaces the token's.
const SINGLE: [&str; 10] =
    ["From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References"];

/// Those of them that hold a list: several in `header` become one.
const LISTS: [&str; 4] = ["From", "Reply-To", "To", "Cc"];

impl Deref for Envelope {
    type Target = Addressed;

    fn deref(&self) -> &Addressed {
        &self.addressed
    }
}

impl Envelope {
    /// Whether every address is ASCII; one that is not needs SMTPUTF8 (RFC 6531).
    pub fn is_ascii(&self) -> bool {
        self.mail.path.is_ascii() && self.recipients.iter().all(|recipient| recipient.path.is_ascii())
    }

    /// Derives the envelope from the options, else from the token's header section.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), which names the option or field and the text that is
    /// wrong; [`Kind::Source`](crate::error::Kind::Source) if the token cannot be read.
    pub fn derive(message: &Message, options: &Options, local: &Local) -> Result<Self, Error> {
        let fields = Fields::new(message, options)?;
        let originator = match &options.originator {
            Some(text) if text.is_empty() => None,
            Some(text) => Some(one_mailbox(&Who::Option("originator"), text, fields.domain)?),
            None => {
                let (who, text) = from(&fields, options, local)?;
                Some(author(&fields, &who, &text)?)
            }
        };
        let redirect = Redirect::of(options)?;
        let recipients = recipients(&fields, options, redirect.as_ref())?;
        let edits = edits(&fields, options, local, originator.as_ref())?;
        let path = match &originator {
            Some(address) => reverse_path(address)?,
            None => ReversePath::default(),
        };
        let parameters = MailParameters {
            smtputf8: options.smtputf8,
            ret: options.dsnret,
            envid: options.dsnenvid.clone(),
            by: options.deliverby,
            mt_priority: options.priority,
            requiretls: options.requiretls,
            hold: options.hold.clone(),
            other: extra(Extra::Mail, "mailparameters", &options.mailparameters)?,
            ..MailParameters::default()
        };
        Ok(Self { addressed: Addressed::new(Mail { path, parameters }, recipients), edits })
    }
}

/// Where a text comes from, for errors.
enum Who {
    Option(&'static str),
    Field(Known),
    /// There is no such field.
    Login(Known),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) => write!(f, "option `{name}`"),
            Self::Field(name) => write!(f, "field `{}`", name.name()),
            Self::Login(name) => write!(f, "the login name, as there is no {}", name.name()),
        }
    }
}

/// The parameters of an option, which may have been set without its parser.
fn extra(extra: Extra, option: &str, all: &[Parameter]) -> Result<Vec<Parameter>, Error> {
    let told = |error: Error| Error::usage(format!("option `{option}`: {}", error.text()));
    extra.check(all).map_err(told)?;
    Ok(all.to_vec())
}

/// The text of the From field, else what it would say. Looked for where it is needed: with option `originator` nobody asks a
/// finished message for it, and it would be a third of the cost of an envelope.
fn from<'s>(
    fields: &'s Fields<'_>,
    options: &'s Options,
    local: &Local,
) -> Result<(Who, Cow<'s, str>), Error> {
    let from = fields.names.from;
    Ok(match (fields.find(from)?, &options.originator) {
        (Some(text), _) => (Who::Field(from), text),
        (None, Some(text)) if !text.is_empty() => (Who::Login(from), unfolded(text)),
        (None, _) => (Who::Login(from), format!("{}@{}", (local.user)(), (local.host)()).into()),
    })
}

fn recipients(fields: &Fields<'_>, options: &Options, redirect: Option<&Redirect>) -> Result<Rcpts, Error> {
    let other = extra(Extra::Rcpt, "rcptparameters", &options.rcptparameters)?;
    let parameters = RcptParameters { notify: options.dsnnotify, other, ..RcptParameters::default() };
    let mut gathered = Gathered::new(parameters);
    if let Some(recipients) = &options.recipients {
        for entry in recipients.entries() {
            gathered.add_entry(entry, fields.domain)?;
        }
    } else {
        let names = &fields.names.recipients;
        let given = fields.given.has_any(names);
        for field in names {
            fields.each(*field, given, |text| {
                gathered.expect(&text);
                each(&Who::Field(*field), &text, fields.domain, |address| gathered.add(&address))
            })?;
        }
    }
    if let Some(error) = gathered.error {
        return Err(error);
    }
    if gathered.recipients.is_empty() {
        let [to, cc, _, bcc] = fields.names.recipients.map(Known::name);
        let text = format!(
            "there is no recipient: give option `recipients`, or one of the fields {to}, {cc}, {bcc}"
        );
        return Err(Error::usage(text));
    }
    Ok(match redirect {
        Some(redirect) => redirect.apply(gathered.recipients, gathered.parameters),
        None => gathered.recipients,
    })
}

fn edits(
    fields: &Fields<'_>,
    options: &Options,
    local: &Local,
    originator: Option<&Address>,
) -> Result<Edits, Error> {
    let mut remove: Vec<String> = Vec::new();
    let mut add: Vec<(String, String)> = Vec::new();
    for (name, value) in &options.header {
        if Known::is_blind(name) {
            continue;
        }
        if SINGLE.iter().any(|single| single.eq_ignore_ascii_case(name)) && !contains(&remove, name) {
            remove.push(name.clone());
        }
        let value = if holds_addresses(name) { unfolded(value) } else { value.into() };
        let is_list = LISTS.iter().any(|list| list.eq_ignore_ascii_case(name));
        match add.iter_mut().find(|(own, _)| is_list && own.eq_ignore_ascii_case(name)) {
            Some((_, own)) => {
                own.push_str(", ");
                own.push_str(&value);
            }
            None => add.push((name.clone(), value.into_owned())),
        }
    }
    let from_text = || from(fields, options, local).map(|(_, text)| text);
    let Names { from, sender, .. } = *fields.names;
    if options.originator.is_some() && fields.has(from)? && fields.composes(from) {
        let from_text = from_text()?;
        each(&Who::Field(from), &from_text, fields.domain, |_| {})?;
        if needs_sender(&from_text, fields.domain) && !fields.has(sender)? {
            let (from, sender) = (from.name(), sender.name());
            return Err(Error::usage(format!(
                "field `{from}`: {from_text:?}: several authors need a field `{sender}`, which is one mailbox (RFC 5322 \
                 section 3.6.2): add it"
            )));
        }
    }
    let Names { from, date, message_id, recipients: [to, ..], .. } = *fields.added;
    if !fields.has(from)? {
        add.push((from.name().to_owned(), from_text()?.into_owned()));
    }
    if !fields.has(date)? {
        add.push((date.name().to_owned(), identity::date(&(local.now)())));
    }
    if !fields.has(message_id)? {
        let domain = match originator {
            Some(address) => ascii_domain(address),
            None => parse_list(&from_text()?).ok().and_then(|list| ascii_domain(list.first()?)),
        };
        let id = identity::message_id(&domain.unwrap_or_else(local.host))?;
        add.push((message_id.name().to_owned(), id));
    }
    // A message that is resent is a whole message all the same (RFC 5322 section 3.6).
    if from != ORIGINAL.from {
        if !fields.has(ORIGINAL.from)? {
            add.push((ORIGINAL.from.name().to_owned(), from_text()?.into_owned()));
        }
        if !fields.has(ORIGINAL.date)? {
            add.push((ORIGINAL.date.name().to_owned(), identity::date(&(local.now)())));
        }
    }
    let mut addressed = false;
    for field in [Known::To, Known::Cc, Known::ResentTo, Known::ResentCc] {
        addressed = addressed || fields.has(field)?;
    }
    if !addressed {
        add.push((to.name().to_owned(), "undisclosed-recipients:;".to_owned()));
    }
    Ok(Edits { blind: true, remove, add, binary: options.binary })
}

/// The originator if no option names it: the author, or, if there are several, the sender (RFC 5322 section 3.6.2).
fn author(fields: &Fields<'_>, who: &Who, text: &str) -> Result<Address, Error> {
    if let Some(address) = plain_mailbox(text) {
        return Ok(address);
    }
    if needs_sender(text, fields.domain)
        && let Some(sender) = fields.find(fields.names.sender)?
    {
        return one_mailbox(&Who::Field(fields.names.sender), &sender, fields.domain);
    }
    one_mailbox(who, text, fields.domain)
}

/// Whether the text of a From field has any but one mailbox, so that a Sender field must say who sends the message.
fn needs_sender(text: &str, domain: Option<&str>) -> bool {
    plain_mailbox(text).is_none()
        && !text.trim().is_empty()
        && parse_mailbox_in(text, domain).is_err()
        && parse_list(text).is_ok()
}

fn one_mailbox(who: &Who, text: &str, domain: Option<&str>) -> Result<Address, Error> {
    if let Some(address) = plain_mailbox(text) {
        return Ok(address);
    }
    let address = parse_mailbox_in(text, domain).map_err(|error| {
        let several = needs_sender(text, domain);
        let way_out = match who {
            Who::Field(Known::From) if several => {
                ": one of several authors must be the sender (RFC 5322 section 3.6.2): add a field `Sender`, or name the \
                 originator with option `originator`"
            }
            Who::Field(Known::ResentFrom) if several => {
                ": one of several authors must be the sender (RFC 5322 section 3.6.2): add a field `Resent-Sender`, or name \
                 the originator with option `originator`"
            }
            Who::Option("recipients") if several => ": `notify` and `orcpt` are for one mailbox",
            Who::Option(_) if several => ": it must be one mailbox",
            Who::Option(_) => "",
            _ => "; name another with option `originator`",
        };
        Error::usage(format!("{who}: {text:?}: {error}{way_out}"))
    })?;
    check_readable(who, &address)?;
    Ok(address)
}

/// Gives each address of a list; what was given before an error counts for nothing.
fn each(who: &Who, text: &str, domain: Option<&str>, mut take: impl FnMut(Address)) -> Result<(), Error> {
    if let Some(address) = plain_mailbox(text) {
        take(address);
        return Ok(());
    }
    let mut readable = Ok(());
    let found = parse_each(text, domain, |address| {
        if readable.is_ok() {
            readable = check_readable(who, &address);
        }
        take(address);
    });
    found.map_err(|error| Error::usage(format!("{who}: {text:?}: {error}")))?;
    readable
}

/// Octets that are not UTF-8 were read as U+FFFD: in an address it would be somebody else's.
fn check_readable(who: &Who, address: &Address) -> Result<(), Error> {
    let spec = address.addr_spec();
    if !address.is_ascii() && spec.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Error::usage(format!("{who}: {spec:?} was not given in UTF-8, so it cannot be known")));
    }
    Ok(())
}

/// The address for the command line: the domain as A-labels where the local part is ASCII, so that only
/// a local part beyond ASCII needs SMTPUTF8.
fn wire_form<'a>(address: &'a Address, what: &str) -> Result<Cow<'a, str>, Error> {
    if address.is_ascii() || !address.local().is_ascii() {
        return Ok(address.addr_spec().into());
    }
    let ascii = address.to_ascii().map(Cow::Owned);
    ascii.map_err(|error| Error::usage(format!("{what}: {:?}: {error}", address.addr_spec())))
}

/// The domain, if there is one, in A-labels.
fn ascii_domain(address: &Address) -> Option<String> {
    let domain = address.domain();
    if domain.is_ascii() {
        return Some(domain.to_owned()).filter(|domain| !domain.is_empty());
    }
    let ascii = parse_mailbox(&format!("x@{domain}")).ok()?.to_ascii().ok()?;
    ascii.strip_prefix("x@").map(str::to_owned)
}

fn reverse_path(address: &Address) -> Result<ReversePath, Error> {
    if let Some(plain) = address.plain_addr_spec() {
        return Ok(ReversePath::plain(plain));
    }
    ReversePath::new(&wire_form(address, "the originator")?)
        .map_err(|error| Error::usage(format!("the originator: {}", error.text())))
}

fn forward_path(address: &Address) -> Result<ForwardPath, Error> {
    if let Some(plain) = address.plain_addr_spec() {
        return Ok(ForwardPath::plain(plain));
    }
    ForwardPath::new(&wire_form(address, "a recipient")?)
}

fn contains(names: &[String], name: &str) -> bool {
    names.iter().any(|own| own.eq_ignore_ascii_case(name))
}
