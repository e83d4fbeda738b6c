//! What an envelope needs of a server, beside SMTP.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Extra, Mail, Parameter, Rcpt};

/// An extension that an envelope needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Its keyword in the reply to EHLO.
    pub keyword: &'static str,
    /// What asks for it, as part of a sentence.
    pub wanted_by: &'static str,
}

/// Recipients of a message. One is the usual number, for which there is no allocation.
pub type Rcpts = SmallVec<[Rcpt; 1]>;

/// Whom a message is from and to. It is shared by everything that sends the message and does not change: a transaction that takes a
/// copy, and what it needs derived once more, would cost 700 of the 11 700 instructions of a message in a batch.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addressed {
    /// MAIL FROM.
    pub mail: Mail,
    /// RCPT TO, every address once.
    pub recipients: Rcpts,
    /// What [`needs`] says of both.
    pub needs: SmallVec<[Need; 2]>,
}

impl Addressed {
    /// To be shared.
    pub fn new(mail: Mail, recipients: Rcpts) -> Arc<Self> {
        Arc::new(Self { needs: needs(&mail, &recipients), mail, recipients })
    }
}

/// The extensions without which no server can take an envelope as it is. AUTH of a parameter `AUTH=` is not among them,
/// because a server may offer it in more than one way.
pub fn needs(mail: &Mail, recipients: &[Rcpt]) -> SmallVec<[Need; 2]> {
    let parameters = &mail.parameters;
    let notified = |rcpt: &Rcpt| rcpt.parameters.notify.is_some() || rcpt.parameters.orcpt.is_some();
    let dsn = match (&parameters.ret, &parameters.envid) {
        (Some(_), _) => Some("option `dsnret`"),
        (None, Some(_)) => Some("option `dsnenvid`"),
        (None, None) if recipients.iter().any(notified) => {
            Some("option `dsnnotify`, or a recipient's `notify` or `orcpt`")
        }
        (None, None) => None,
    };
    let non_ascii = !mail.path.is_ascii() || recipients.iter().any(|rcpt| !rcpt.path.is_ascii());
    let utf8 = parameters.smtputf8 || non_ascii;
    let mut needs = SmallVec::new();
    let mut need = |keyword, wanted_by: Option<_>| {
        if let Some(wanted_by) = wanted_by {
            needs.push(Need { keyword, wanted_by });
        }
    };
    need("DSN", dsn);
    need("DELIVERBY", parameters.by.as_ref().map(|_| "option `deliverby`"));
    need("MT-PRIORITY", parameters.mt_priority.as_ref().map(|_| "option `priority`"));
    need("REQUIRETLS", parameters.requiretls.then_some("option `requiretls`"));
    need("FUTURERELEASE", parameters.hold.as_ref().map(|_| "option `hold`"));
    need("SMTPUTF8", utf8.then_some("an address that is not ASCII, or option `smtputf8`"));
    let extra = |extra: Extra, option: &'static str| {
        move |parameter: &Parameter| Some(Need { keyword: extra.extension(parameter)?, wanted_by: option })
    };
    let rcpt = recipients.iter().flat_map(|rcpt| &rcpt.parameters.other);
    let mail = parameters.other.iter().filter_map(extra(Extra::Mail, "option `mailparameters`"));
    for need in mail.chain(rcpt.filter_map(extra(Extra::Rcpt, "option `rcptparameters`"))) {
        if !needs.contains(&need) {
            needs.push(need);
        }
    }
    needs
}
