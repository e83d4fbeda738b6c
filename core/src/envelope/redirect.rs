//! Options `redirectto` and `redirectexcept`: everything goes to one mailbox, except to those that are allowed.

use super::gathered::{Key, parts};
use super::{Who, ascii_domain, forward_path, one_mailbox};
use crate::address::parse_mailbox;
use crate::command::{Command, ForwardPath, Rcpt, RcptParameters, Rcpts};
use crate::error::Error;
use crate::options::Options;

/// Where recipients are redirected to, and who is not.
#[derive(Clone)]
pub(crate) struct Redirect {
    to: ForwardPath,
    mailboxes: Vec<Key>,
    /// In A-labels.
    domains: Vec<String>,
}

impl Redirect {
    /// What the options say; `None` if they do not redirect.
    ///
    /// # Errors
    /// Usage, for what is not a mailbox or domain, and for exceptions from nothing.
    pub(crate) fn of(options: &Options) -> Result<Option<Self>, Error> {
        let Some(text) = &options.redirectto else {
            if options.redirectexcept.is_empty() {
                return Ok(None);
            }
            let text = "option `redirectexcept`: nothing is redirected, and everybody would get the message: set option \
                        `redirectto` too";
            return Err(Error::usage(text));
        };
        let to = one_mailbox(&Who::Option("redirectto"), text, options.defaultdomain.as_deref())?;
        let told = |error: Error| Error::usage(format!("option `redirectto`: {}", error.text()));
        let mut redirect =
            Self { to: forward_path(&to).map_err(told)?, mailboxes: Vec::new(), domains: Vec::new() };
        for entry in &options.redirectexcept {
            redirect.except(entry)?;
        }
        Ok(Some(redirect))
    }

    fn except(&mut self, entry: &str) -> Result<(), Error> {
        let wrong = || {
            let text = "must be an address or a domain, as in bob@example.org or example.org";
            Error::usage(format!("option `redirectexcept`: {entry:?} {text}"))
        };
        let text = if entry.contains('@') { entry } else { &*format!("x@{entry}") };
        let address = parse_mailbox(text).map_err(|_| wrong())?;
        let domain = ascii_domain(&address).filter(|domain| is_host(domain)).ok_or_else(wrong)?;
        if entry.contains('@') {
            self.mailboxes.push(Key::of(&forward_path(&address).map_err(|_| wrong())?));
        } else {
            self.domains.push(domain);
        }
        Ok(())
    }

    /// Whether the mailbox itself may get mail.
    fn allows(&self, path: &ForwardPath) -> bool {
        let key = Key::of(path);
        let (_, domain) = parts(key.as_str());
        key == Key::of(&self.to)
            || self.mailboxes.contains(&key)
            || (key.as_str().contains('@') && self.domains.iter().any(|own| own.eq_ignore_ascii_case(domain)))
    }

    /// The recipients with one for all that are redirected, at the place of the first of them. `parameters` are those that
    /// the options have for every recipient: what is asked for one alone is not asked for another mailbox.
    pub(super) fn apply(&self, recipients: Rcpts, parameters: RcptParameters) -> Rcpts {
        let target = Key::of(&self.to);
        let (mut place, mut own, mut told) = (None, None, Vec::new());
        let mut others = Rcpts::with_capacity(recipients.len());
        for rcpt in recipients {
            let is_target = Key::of(&rcpt.path) == target;
            if !is_target && self.allows(&rcpt.path) {
                others.push(rcpt);
                continue;
            }
            place.get_or_insert(others.len());
            told.push(rcpt.path.shared().clone());
            if is_target {
                own = Some(rcpt);
            }
        }
        let Some(place) = place else { return others };
        let is_only_itself = own.is_some() && told.len() == 1;
        let mut rcpt = own.unwrap_or_else(|| Rcpt { path: self.to.clone(), parameters });
        if !is_only_itself {
            rcpt.parameters.stands_for = Some(told.into());
        }
        others.insert(place, rcpt);
        others
    }

    /// RCPT of a session, also as a line that the caller wrote, for the mailbox that may get mail; anything else as it is.
    pub(crate) fn command(&self, command: Command) -> Command {
        match command {
            Command::Rcpt(rcpt) => Command::Rcpt(self.one(rcpt)),
            // Whatever the server may take for this verb.
            Command::Raw(line) if names_recipient(line.expose()) => {
                let path = ForwardPath::said(&String::from_utf8_lossy(line.expose()));
                if self.allows(&path) {
                    return Command::Raw(line);
                }
                Command::Rcpt(self.one(Rcpt { path, parameters: RcptParameters::default() }))
            }
            other => other,
        }
    }

    /// One recipient by itself.
    fn one(&self, rcpt: Rcpt) -> Rcpt {
        if self.allows(&rcpt.path) {
            return rcpt;
        }
        let stands_for = Some([rcpt.path.shared().clone()].into());
        Rcpt { path: self.to.clone(), parameters: RcptParameters { stands_for, ..RcptParameters::default() } }
    }
}

/// A name as hosts have, or an address literal: a pattern would match nothing.
fn is_host(domain: &str) -> bool {
    domain.starts_with('[') || domain.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

fn names_recipient(line: &[u8]) -> bool {
    line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"RCPT"))
}
