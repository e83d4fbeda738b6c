//! Who a message is from, who it goes to, and which header fields are added or taken away for it.

use crate::address::{Address, parse_list, parse_mailbox};
use crate::command::{ForwardPath, Mail, MailParameters, Rcpt, RcptParameters, ReversePath};
use crate::error::Error;
use crate::message::{Edits, Message, identity};
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

/// Fields that belong to the token's own form.
const FORBIDDEN: [&str; 4] = ["Content-Type", "Content-Transfer-Encoding", "Content-MD5", "MIME-Version"];

impl Envelope {
    /// Derives the envelope from the options, else from the token's header section.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), which names the option or field and the text that is
    /// wrong; [`Kind::Source`](crate::error::Kind::Source) where the token cannot be read.
    pub fn derive(message: &Message, options: &Options, local: &Local) -> Result<Self, Error> {
        let fields = Fields::new(message, options)?;
        let login = format!("{}@{}", local.user, local.host);
        let from = fields.name("From");
        let (who, from_text) = match fields.find("From")? {
            Some(text) => (format!("field `{from}`"), text),
            None => {
                let given = options.originator.clone().filter(|text| !text.trim().is_empty());
                (format!("the login name, as there is no {from}"), given.unwrap_or(login))
            }
        };
        let originator = match &options.originator {
            Some(text) if text.trim().is_empty() => None,
            Some(text) => Some(one_mailbox("option `originator`", text)?),
            None => Some(one_mailbox(&who, &from_text)?),
        };
        let recipients = recipients(&fields, options)?;
        let edits = edits(&fields, options, local, &from_text, originator.as_ref())?;
        let reverse =
            originator.as_ref().map_or(Ok(String::new()), |address| wire_form(address, "the originator"))?;
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
        Ok(Self { mail: Mail { path: ReversePath::new(&reverse)?, parameters }, recipients, edits })
    }
}

/// The token's header section with the fields of option `header` in front.
struct Fields<'a> {
    message: &'a Message,
    header: &'a [(String, String)],
    prefix: &'static str,
}

impl<'a> Fields<'a> {
    fn new(message: &'a Message, options: &'a Options) -> Result<Self, Error> {
        for (name, value) in &options.header {
            check_field(name, value)?;
        }
        let resent = options.header.iter().any(|(name, _)| starts_with_ignore_case(name, "resent-"));
        Ok(Self { message, header: &options.header, prefix: if resent { "Resent-" } else { "" } })
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The values of a field in option `header`.
    fn given(&self, name: &str) -> Vec<String> {
        self.header
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// The field by its right name, from `header`, else from the token; several are one list.
    fn find(&self, name: &str) -> Result<Option<String>, Error> {
        let name = self.name(name);
        let mut values = self.given(&name);
        if values.is_empty() {
            values = self.message.header(&name)?;
        }
        Ok((!values.is_empty()).then(|| values.join(", ")))
    }

    fn has(&self, name: &str) -> Result<bool, Error> {
        Ok(!self.given(name).is_empty() || !self.message.header(name)?.is_empty())
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
    const FIELDS: [&str; 4] = ["To", "Cc", "Dcc", "Bcc"];
    let mut addresses = Vec::new();
    if let Some(text) = &options.recipients {
        addresses = list("option `recipients`", text)?;
    } else {
        let by_option = FIELDS.iter().any(|name| !fields.given(&fields.name(name)).is_empty());
        for name in FIELDS {
            let name = fields.name(name);
            let values = if by_option { fields.given(&name) } else { fields.message.header(&name)? };
            for value in values {
                addresses.extend(list(&format!("field `{name}`"), &value)?);
            }
        }
    }
    let parameters = RcptParameters { notify: options.dsnnotify, ..RcptParameters::default() };
    let mut recipients: Vec<Rcpt> = Vec::with_capacity(addresses.len());
    let mut seen = std::collections::HashSet::with_capacity(addresses.len());
    for address in &addresses {
        let path = wire_form(address, "a recipient")?;
        if seen.insert(key(&path)) {
            recipients.push(Rcpt { path: ForwardPath::new(&path)?, parameters: parameters.clone() });
        }
    }
    if recipients.is_empty() {
        let text = format!(
            "there is no recipient: give option `recipients`, or one of the fields {0}To, {0}Cc, {0}Bcc",
            fields.prefix
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
        add.push((name.clone(), value.clone()));
    }
    let from = fields.name("From");
    if !fields.has(&from)? {
        add.push((from.clone(), from_text.to_owned()));
    }
    let sender = fields.name("Sender");
    if let Some(originator) = originator
        && !fields.has(&sender)?
    {
        let authors = match list(&format!("field `{from}`"), from_text) {
            // What a finished message says of itself is not touched, and not judged.
            Err(_) if fields.message.is_finished() && fields.given(&from).is_empty() => Vec::new(),
            authors => authors?,
        };
        let own = wire_form(originator, "the originator")?;
        let is_own = |author| wire_form(author, "the author").is_ok_and(|author| key(&author) == key(&own));
        if !matches!(authors.as_slice(), [one] if is_own(one)) {
            add.push((sender, own));
        }
    }
    let date = fields.name("Date");
    if !fields.has(&date)? {
        add.push((date, identity::date(&local.now)));
    }
    let id = fields.name("Message-ID");
    if !fields.has(&id)? {
        let authors = parse_list(from_text).unwrap_or_default();
        let domain = originator.or(authors.first()).and_then(ascii_domain);
        add.push((id, identity::message_id(domain.as_ref().unwrap_or(&local.host))?));
    }
    let mut addressed = false;
    for name in ["To", "Cc", "Resent-To", "Resent-Cc"] {
        addressed = addressed || fields.has(name)?;
    }
    if !addressed {
        add.push((fields.name("To"), "undisclosed-recipients:;".to_owned()));
    }
    Ok(Edits { remove, add })
}

fn one_mailbox(what: &str, text: &str) -> Result<Address, Error> {
    let address = parse_mailbox(text).map_err(|error| {
        let several = parse_list(text).is_ok_and(|list| list.len() > 1);
        let way_out = match (several, what.contains("option")) {
            (true, _) => ": it must be one mailbox; name it with option `originator`",
            (false, true) => "",
            (false, false) => "; name another with option `originator`",
        };
        Error::usage(format!("{what}: {text:?}: {error}{way_out}"))
    })?;
    check_readable(what, &address)?;
    Ok(address)
}

fn list(what: &str, text: &str) -> Result<Vec<Address>, Error> {
    let addresses = parse_list(text).map_err(|error| Error::usage(format!("{what}: {text:?}: {error}")))?;
    addresses.iter().try_for_each(|address| check_readable(what, address))?;
    Ok(addresses)
}

/// Octets that are no UTF-8 were read as U+FFFD: in an address it would be somebody else's.
fn check_readable(what: &str, address: &Address) -> Result<(), Error> {
    if address.addr_spec().contains(char::REPLACEMENT_CHARACTER) {
        let spec = address.addr_spec();
        return Err(Error::usage(format!("{what}: {spec:?} was not given in UTF-8, so it cannot be known")));
    }
    Ok(())
}

/// The address for the command line: the domain as A-labels where the local part is ASCII, so that only
/// a local part beyond ASCII needs SMTPUTF8.
fn wire_form(address: &Address, what: &str) -> Result<String, Error> {
    if address.is_ascii() || !address.local().is_ascii() {
        return Ok(address.addr_spec().to_owned());
    }
    address.to_ascii().map_err(|error| Error::usage(format!("{what}: {:?}: {error}", address.addr_spec())))
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
