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
const SINGLE: [&str; 9] =
    ["From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To"];

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
        let from_text = match (fields.find(fields.names.from)?, &options.originator) {
            (Some(text), _) => text,
            (None, Some(text)) if !text.trim().is_empty() => text.clone(),
            (None, _) => format!("{}@{}", local.user, local.host),
        };
        let originator = match &options.originator {
            Some(text) if text.trim().is_empty() => None,
            Some(text) => Some(one_mailbox("option `originator`", text)?),
            None => Some(one_mailbox(fields.names.from, &from_text)?),
        };
        let recipients = recipients(&fields, options)?;
        let edits = edits(&fields, options, local, &from_text, originator.as_ref())?;
        let path = match &originator {
            Some(address) => ReversePath::new(&wire_form(address, "the originator")?)?,
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
        values.retain(|value| !value.trim().is_empty());
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
        addresses = list(format_args!("option `recipients`"), text)?;
    } else {
        let names = &fields.names.recipients;
        let by_option = names.iter().any(|name| fields.given(name).next().is_some());
        for name in names {
            let values = match by_option {
                true => fields.given(name).map(str::to_owned).collect(),
                false => fields.own()?.values(name),
            };
            for value in values {
                addresses.extend(list(format_args!("field `{name}`"), &value)?);
            }
        }
    }
    let parameters = RcptParameters { notify: options.dsnnotify, ..RcptParameters::default() };
    let mut recipients: Vec<Rcpt> = Vec::with_capacity(addresses.len());
    let mut seen = std::collections::HashSet::new();
    for address in &addresses {
        let path = wire_form(address, "a recipient")?;
        // The domain is case-insensitive, the local part is the server's to compare.
        let key = || match path.rsplit_once('@') {
            Some((local, domain)) => format!("{local}@{}", domain.to_ascii_lowercase()),
            None => path.to_ascii_lowercase(),
        };
        if addresses.len() == 1 || seen.insert(key()) {
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
        add.push((name.clone(), value.clone()));
    }
    let Names { from, sender, date, message_id, recipients: [to, ..] } = *fields.names;
    if !fields.has(from)? {
        add.push((from.to_owned(), from_text.to_owned()));
    }
    // Without the option the originator is the one author.
    if let Some(originator) = originator.filter(|_| options.originator.is_some())
        && !fields.has(sender)?
    {
        let authors = list(format_args!("field `{from}`"), from_text)?;
        if !matches!(authors.as_slice(), [one] if one.addr_spec() == originator.addr_spec()) {
            add.push((sender.to_owned(), originator.addr_spec().to_owned()));
        }
    }
    if !fields.has(date)? {
        add.push((date.to_owned(), identity::date(&local.now)));
    }
    if !fields.has(message_id)? {
        let domain = match originator {
            Some(address) => address.domain().to_owned(),
            None => parse_list(from_text)
                .ok()
                .and_then(|list| Some(list.first()?.domain().to_owned()))
                .unwrap_or_default(),
        };
        let domain = if domain.is_empty() { &local.host } else { &domain };
        add.push((message_id.to_owned(), identity::message_id(domain)?));
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

fn one_mailbox(what: &str, text: &str) -> Result<Address, Error> {
    parse_mailbox(text).map_err(|error| {
        let several = parse_list(text).is_ok_and(|list| list.len() > 1);
        let way_out = if several { ": it must be one mailbox; name it with option `originator`" } else { "" };
        Error::usage(format!("{what}: {text:?}: {error}{way_out}"))
    })
}

fn list(what: fmt::Arguments<'_>, text: &str) -> Result<Vec<Address>, Error> {
    parse_list(text).map_err(|error| Error::usage(format!("{what}: {text:?}: {error}")))
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

fn contains(names: &[String], name: &str) -> bool {
    names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

fn starts_with_ignore_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
