//! The fields that a delivery looks at: those of option `header`, and the message's own.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::error::Error;
use crate::message::{Header, Known, KnownSet, Message};
use crate::options::{Options, holds_addresses, unfolded};

/// Fields that belong to the token's own form.
const FORBIDDEN: [&str; 4] = ["Content-Type", "Content-Transfer-Encoding", "Content-MD5", "MIME-Version"];

/// The fields that a delivery looks at.
pub(super) struct Names {
    pub(super) from: Known,
    pub(super) sender: Known,
    pub(super) date: Known,
    pub(super) message_id: Known,
    /// To, Cc, Dcc, Bcc.
    pub(super) recipients: [Known; 4],
}

pub(super) const ORIGINAL: Names = Names {
    from: Known::From,
    sender: Known::Sender,
    date: Known::Date,
    message_id: Known::MessageId,
    recipients: [Known::To, Known::Cc, Known::Dcc, Known::Bcc],
};

const RESENT: Names = Names {
    from: Known::ResentFrom,
    sender: Known::ResentSender,
    date: Known::ResentDate,
    message_id: Known::ResentMessageId,
    recipients: [Known::ResentTo, Known::ResentCc, Known::ResentDcc, Known::ResentBcc],
};

/// The token's header section with the fields of option `header` in front.
pub(super) struct Fields<'a> {
    message: &'a Message,
    /// The token's own fields, once they are asked for: a file or reader is read for them.
    own: OnceCell<(Header<'a>, KnownSet)>,
    header: &'a [(String, String)],
    pub(super) given: KnownSet,
    pub(super) names: &'static Names,
    /// The fields that are added where they are missing: the Resent- ones to a block that `header` begins, as what a finished
    /// message says of itself stays as it is.
    pub(super) added: &'static Names,
    /// Option `defaultdomain`.
    pub(super) domain: Option<&'a str>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a Message, options: &'a Options) -> Result<Self, Error> {
        let mut given = KnownSet::default();
        for (name, value) in &options.header {
            check_field(name, value)?;
            given.insert(name.as_bytes());
        }
        let mut fields = Self {
            message,
            own: OnceCell::new(),
            header: &options.header,
            given,
            names: &ORIGINAL,
            added: &ORIGINAL,
            domain: options.defaultdomain.as_deref(),
        };
        let resent = options.header.iter().any(|(name, _)| starts_with_ignore_case(name, "resent-"));
        // Where nothing else is asked of the message, a reader need not have its header section yet.
        let all_given = options.originator.is_some()
            && options.recipients.is_some()
            && [Known::From, Known::Date, Known::MessageId].iter().all(|field| given.has(*field))
            && given.has_any(&[Known::To, Known::Cc]);
        if resent {
            fields.added = &RESENT;
        }
        if resent || !all_given && fields.own()?.1.has_any(&Known::RESENT) {
            fields.names = &RESENT;
        }
        Ok(fields)
    }

    fn own(&self) -> Result<&(Header<'a>, KnownSet), Error> {
        if let Some(own) = self.own.get() {
            return Ok(own);
        }
        let own = Header::of(self.message)?;
        let known = own.known();
        Ok(self.own.get_or_init(|| (own, known)))
    }

    /// Gives the values of a field in option `header`, or in the token, until one is an error.
    pub(super) fn each<'s>(
        &'s self,
        field: Known,
        given: bool,
        mut take: impl FnMut(Cow<'s, str>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if !given {
            return self.own()?.0.each(field, take);
        }
        let mut own = self.header.iter().filter(|(name, _)| name.eq_ignore_ascii_case(field.name()));
        own.try_for_each(|(_, value)| take(value.into()))
    }

    /// Whether the field, if there is one, is written here: a finished message is neither changed nor judged.
    pub(super) fn composes(&self, field: Known) -> bool {
        self.given.has(field) || !self.message.is_finished()
    }

    /// The field from `header`, else from the token; several are one list.
    pub(super) fn find(&self, field: Known) -> Result<Option<Cow<'_, str>>, Error> {
        let mut found: Option<Cow<'_, str>> = None;
        self.each(field, self.given.has(field), |text| {
            match &mut found {
                None => found = Some(text),
                Some(found) => {
                    let found = found.to_mut();
                    found.push_str(", ");
                    found.push_str(&text);
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    pub(super) fn has(&self, field: Known) -> Result<bool, Error> {
        Ok(self.given.has(field) || self.own()?.1.has(field))
    }
}

fn check_field(name: &str, value: &str) -> Result<(), Error> {
    if FORBIDDEN.iter().any(|forbidden| forbidden.eq_ignore_ascii_case(name)) {
        let text = format!("option `header`: `{name}` belongs to the token: set it there");
        return Err(Error::usage(text));
    }
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
        let text = format!(
            "option `header`: {name:?} is not a header name: it must be printable ASCII without space and colon"
        );
        return Err(Error::usage(text));
    }
    let value = if holds_addresses(name) { unfolded(value) } else { value.into() };
    if let Some(control) = value.chars().find(|c| c.is_control() && *c != '\t') {
        let text =
            format!("option `header`: the value of `{name}` has the control character {control:?} in it");
        return Err(Error::usage(text));
    }
    Ok(())
}

fn starts_with_ignore_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
