//! Who a message is from, who it goes to, and which header fields are added or taken away for it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use crate::address::{Address, parse_list, parse_mailbox};
use crate::command::{ForwardPath, Mail, MailParameters, Rcpt, RcptParameters, ReversePath};
use crate::error::Error;
use crate::message::{Edits, Header, Message, identity};
use crate::options::Options;

/// What the machine says of itself.
#[derive(Clone, Debug)]
pub struct Local {
    /// The host's own name.
    pub host: String,
    /// The login name of the user.
    pub user: String,
    /// The time now, with the local offset.
    pub now: jiff::Zoned,
}

/// The envelope of a message, and what its header section needs.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// MAIL FROM.
    pub mail: Mail,
    /// RCPT TO, every address once.
    pub recipients: Vec<Rcpt>,
    /// What is added in front of the message and what is stripped from it.
    pub edits: Edits,
}

/// Header fields that never leave the machine.
const BLIND: [&str; 4] = ["Bcc", "Dcc", "Resent-Bcc", "Resent-Dcc"];

/// Fields of which a message has one (RFC 5322 section 3.6): `header` replaces the token's.
const SINGLE: [&str; 10] =
    ["From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References"];

/// Those of them that hold a list: several in `header` become one.
const LISTS: [&str; 4] = ["From", "Reply-To", "To", "Cc"];

/// Fields that belong to the token's own form.
const FORBIDDEN: [&str; 4] = ["Content-Type", "Content-Transfer-Encoding", "Content-MD5", "MIME-Version"];

impl Envelope {
    /// Whether every address is ASCII; one that is not needs SMTPUTF8 (RFC 6531).
    pub fn is_ascii(&self) -> bool {
        self.mail.path.is_ascii() && self.recipients.iter().all(|recipient| recipient.path.is_ascii())
    }

    /// Derives the envelope from the options, else from the token's header section.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), which names the option or field and the text that is
    /// wrong; [`Kind::Source`](crate::error::Kind::Source) where the token cannot be read.
    pub fn derive(message: &Message, options: &Options, local: &Local) -> Result<Self, Error> {
        let fields = Fields::new(message, options)?;
        let from = fields.names.from;
        let (who, from_text) = match (fields.find(from)?, &options.originator) {
            (Some(text), _) => (Who::Field(from), text),
            (None, Some(text)) if !text.is_empty() => (Who::Login(from), text.clone()),
            (None, _) => (Who::Login(from), format!("{}@{}", local.user, local.host)),
        };
        let originator = match &options.originator {
            Some(text) if text.is_empty() => None,
            Some(text) => Some(one_mailbox(&Who::Option("originator"), text)?),
            None => Some(one_mailbox(&who, &from_text)?),
        };
        let recipients = recipients(&fields, options)?;
        let edits = edits(&fields, options, local, &from_text, originator.as_ref())?;
        let path = match &originator {
            Some(address) => ReversePath::new(&wire_form(address, "the originator")?)
                .map_err(|error| Error::usage(format!("the originator: {}", error.text())))?,
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
            ..MailParameters::default()
        };
        Ok(Self { mail: Mail { path, parameters }, recipients, edits })
    }
}

/// Where a text comes from, for errors.
enum Who {
    Option(&'static str),
    Field(&'static str),
    /// There is no field of this name.
    Login(&'static str),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) => write!(f, "option `{name}`"),
            Self::Field(name) => write!(f, "field `{name}`"),
            Self::Login(name) => write!(f, "the login name, as there is no {name}"),
        }
    }
}

/// The fields that a delivery looks at, by their names.
struct Names {
    from: &'static str,
    sender: &'static str,
    date: &'static str,
    message_id: &'static str,
    /// To, Cc, Dcc, Bcc.
    recipients: [&'static str; 4],
}

const ORIGINAL: Names = Names {
    from: "From",
    sender: "Sender",
    date: "Date",
    message_id: "Message-ID",
    recipients: ["To", "Cc", "Dcc", "Bcc"],
};

const RESENT: Names = Names {
    from: "Resent-From",
    sender: "Resent-Sender",
    date: "Resent-Date",
    message_id: "Resent-Message-ID",
    recipients: ["Resent-To", "Resent-Cc", "Resent-Dcc", "Resent-Bcc"],
};

/// The token's header section with the fields of option `header` in front.
struct Fields<'a> {
    message: &'a Message,
    /// The token's own fields, once they are asked for: a file or reader is read for them.
    own: OnceCell<Header<'a>>,
    header: &'a [(String, String)],
    names: &'static Names,
}

impl<'a> Fields<'a> {
    fn new(message: &'a Message, options: &'a Options) -> Result<Self, Error> {
        for (name, value) in &options.header {
            check_field(name, value)?;
        }
        let resent = options.header.iter().any(|(name, _)| starts_with_ignore_case(name, "resent-"));
        let names = if resent { &RESENT } else { &ORIGINAL };
        Ok(Self { message, own: OnceCell::new(), header: &options.header, names })
    }

    fn own(&self) -> Result<&Header<'a>, Error> {
        if let Some(own) = self.own.get() {
            return Ok(own);
        }
        let own = Header::of(self.message)?;
        Ok(self.own.get_or_init(|| own))
    }

    /// The values of a field in option `header`.
    fn given(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.header
            .iter()
            .filter(move |(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The field from `header`, else from the token; several are one list.
    fn find(&self, name: &str) -> Result<Option<String>, Error> {
        let mut values: Vec<String> = self.given(name).map(str::to_owned).collect();
        if values.is_empty() {
            values = self.own()?.values(name);
        }
        Ok(if values.len() > 1 { Some(values.join(", ")) } else { values.pop() })
    }

    fn has(&self, name: &str) -> Result<bool, Error> {
        Ok(self.given(name).next().is_some() || self.own()?.has(name))
    }
}

fn check_field(name: &str, value: &str) -> Result<(), Error> {
    if FORBIDDEN.iter().any(|forbidden| forbidden.eq_ignore_ascii_case(name)) {
        let text = format!("option `header`: `{name}` belongs to the token: set it there");
        return Err(Error::usage(text));
    }
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
        let text =
            format!("option `header`: {name:?} is no header name: printable ASCII without space and colon");
        return Err(Error::usage(text));
    }
    if let Some(control) = value.chars().find(|c| c.is_control() && *c != '\t') {
        let text =
            format!("option `header`: the value of `{name}` has the control character {control:?} in it");
        return Err(Error::usage(text));
    }
    Ok(())
}

fn recipients(fields: &Fields<'_>, options: &Options) -> Result<Vec<Rcpt>, Error> {
    let mut addresses = Vec::new();
    if let Some(text) = &options.recipients {
        addresses = list(&Who::Option("recipients"), text)?;
    } else {
        let names = &fields.names.recipients;
        let by_option = names.iter().any(|name| fields.given(name).next().is_some());
        for name in names {
            let values = match by_option {
                true => fields.given(name).map(str::to_owned).collect(),
                false => fields.own()?.values(name),
            };
            for value in values {
                addresses.extend(list(&Who::Field(name), &value)?);
            }
        }
    }
    let parameters = RcptParameters { notify: options.dsnnotify, ..RcptParameters::default() };
    let mut recipients: Vec<Rcpt> = Vec::with_capacity(addresses.len());
    let mut seen = std::collections::HashSet::new();
    for address in &addresses {
        let path = wire_form(address, "a recipient")?;
        if addresses.len() == 1 || seen.insert(key(&path)) {
            recipients.push(Rcpt { path: ForwardPath::new(&path)?, parameters: parameters.clone() });
        }
    }
    if recipients.is_empty() {
        let [to, cc, _, bcc] = fields.names.recipients;
        let text = format!(
            "there is no recipient: give option `recipients`, or one of the fields {to}, {cc}, {bcc}"
        );
        return Err(Error::usage(text));
    }
    Ok(recipients)
}

fn edits(
    fields: &Fields<'_>,
    options: &Options,
    local: &Local,
    from_text: &str,
    originator: Option<&Address>,
) -> Result<Edits, Error> {
    let is_blind = |name: &str| BLIND.iter().any(|blind| blind.eq_ignore_ascii_case(name));
    let mut remove: Vec<String> = BLIND.iter().map(|name| (*name).to_owned()).collect();
    let mut add: Vec<(String, String)> = Vec::new();
    for (name, value) in &options.header {
        if is_blind(name) {
            continue;
        }
        if SINGLE.iter().any(|single| single.eq_ignore_ascii_case(name)) && !contains(&remove, name) {
            remove.push(name.clone());
        }
        let is_list = LISTS.iter().any(|list| list.eq_ignore_ascii_case(name));
        match add.iter_mut().find(|(own, _)| is_list && own.eq_ignore_ascii_case(name)) {
            Some((_, own)) => {
                own.push_str(", ");
                own.push_str(value);
            }
            None => add.push((name.clone(), value.clone())),
        }
    }
    let Names { from, sender, date, message_id, recipients: [to, ..] } = *fields.names;
    if !fields.has(from)? {
        add.push((from.to_owned(), from_text.to_owned()));
    }
    // Without the option the originator is the one author.
    if let Some(originator) = originator.filter(|_| options.originator.is_some())
        && !fields.has(sender)?
    {
        let authors = match list(&Who::Field(from), from_text) {
            // What a finished message says of itself is not touched, and not judged.
            Err(_) if fields.message.is_finished() && fields.given(from).next().is_none() => Vec::new(),
            authors => authors?,
        };
        let own = wire_form(originator, "the originator")?;
        let is_own = |author| {
            wire_form(author, "the author").is_ok_and(|author| author == own || key(&author) == key(&own))
        };
        if !matches!(authors.as_slice(), [one] if is_own(one)) {
            add.push((sender.to_owned(), own.into_owned()));
        }
    }
    if !fields.has(date)? {
        add.push((date.to_owned(), identity::date(&local.now)));
    }
    if !fields.has(message_id)? {
        let authors = parse_list(from_text).unwrap_or_default();
        let domain = originator.or(authors.first()).and_then(ascii_domain);
        add.push((message_id.to_owned(), identity::message_id(domain.as_ref().unwrap_or(&local.host))?));
    }
    // A message that is resent is a whole message all the same (RFC 5322 section 3.6).
    if from != ORIGINAL.from {
        if !fields.has(ORIGINAL.from)? {
            add.push((ORIGINAL.from.to_owned(), from_text.to_owned()));
        }
        if !fields.has(ORIGINAL.date)? {
            add.push((ORIGINAL.date.to_owned(), identity::date(&local.now)));
        }
    }
    let mut addressed = false;
    for name in ["To", "Cc", "Resent-To", "Resent-Cc"] {
        addressed = addressed || fields.has(name)?;
    }
    if !addressed {
        add.push((to.to_owned(), "undisclosed-recipients:;".to_owned()));
    }
    Ok(Edits { remove, add })
}

fn one_mailbox(who: &Who, text: &str) -> Result<Address, Error> {
    let address = parse_mailbox(text).map_err(|error| {
        let several = parse_list(text).is_ok_and(|list| list.len() > 1);
        let way_out = match (several, who) {
            (true, _) => ": it must be one mailbox; name it with option `originator`",
            (false, Who::Option(_)) => "",
            (false, _) => "; name another with option `originator`",
        };
        Error::usage(format!("{who}: {text:?}: {error}{way_out}"))
    })?;
    check_readable(who, &address)?;
    Ok(address)
}

fn list(who: &Who, text: &str) -> Result<Vec<Address>, Error> {
    let addresses = parse_list(text).map_err(|error| Error::usage(format!("{who}: {text:?}: {error}")))?;
    addresses.iter().try_for_each(|address| check_readable(who, address))?;
    Ok(addresses)
}

/// Octets that are no UTF-8 were read as U+FFFD: in an address it would be somebody else's.
fn check_readable(who: &Who, address: &Address) -> Result<(), Error> {
    let spec = address.addr_spec();
    if !spec.is_ascii() && spec.contains(char::REPLACEMENT_CHARACTER) {
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

/// The domain, where there is one, in A-labels.
fn ascii_domain(address: &Address) -> Option<String> {
    let domain = address.domain();
    if domain.is_ascii() {
        return Some(domain.to_owned()).filter(|domain| !domain.is_empty());
    }
    let ascii = parse_mailbox(&format!("x@{domain}")).ok()?.to_ascii().ok()?;
    ascii.strip_prefix("x@").map(str::to_owned)
}

/// The same for the same mailbox: the domain is case-insensitive, the local part is the server's to compare.
fn key(path: &str) -> String {
    match path.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_ascii_lowercase()),
        None => path.to_ascii_lowercase(),
    }
}

fn contains(names: &[String], name: &str) -> bool {
    names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

fn starts_with_ignore_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
