//! The texts of a report as C wants them.

use std::ffi::CString;

use smtpclient::error::Error;
use smtpclient::options::TlsAnswer;
use smtpclient::reply::Reply;
use smtpclient::report::{Attempt, Outcome, Recipient, Report};

use crate::strings::c_string;

#[derive(Default)]
pub(super) struct Texts {
    pub(super) recipients: Vec<RecipientTexts>,
    /// Where the refused ones are among `recipients`.
    refused: Vec<usize>,
    pub(super) attempts: Vec<AttemptTexts>,
    pub(super) reply: ReplyTexts,
    pub(super) queue_id: CString,
    pub(super) used: Vec<CString>,
    pub(super) avoided: Vec<CString>,
    pub(super) error: ErrorTexts,
}

pub(super) struct RecipientTexts {
    pub(super) address: CString,
    pub(super) step: CString,
    pub(super) reply: ReplyTexts,
}

#[derive(Default)]
pub(super) struct ReplyTexts {
    pub(super) enhanced: CString,
    pub(super) text: CString,
}

#[derive(Default)]
pub(super) struct ErrorTexts {
    pub(super) line: CString,
    pub(super) kind: CString,
    pub(super) step: CString,
    pub(super) server: CString,
    pub(super) reply: ReplyTexts,
}

pub(super) struct AttemptTexts {
    pub(super) server: CString,
    pub(super) peer: CString,
    pub(super) error: ErrorTexts,
    pub(super) why_not: CString,
    pub(super) certificate: CString,
    pub(super) version: CString,
    pub(super) cipher: CString,
    pub(super) policy: CString,
    pub(super) logins: Vec<LoginTexts>,
}

pub(super) struct LoginTexts {
    pub(super) mechanism: CString,
    pub(super) error: CString,
}

impl Texts {
    pub(super) fn new(report: &Report, failure: Option<&Error>) -> Self {
        let refused = report.recipients.iter().enumerate();
        Self {
            recipients: report.recipients.iter().map(recipient).collect(),
            refused: refused.filter(|(_, r)| r.outcome == Outcome::Rejected).map(|(at, _)| at).collect(),
            attempts: report.attempts.iter().map(|own| attempt(own)).collect(),
            reply: reply(report.reply.as_ref()),
            queue_id: some(report.queue_id()),
            used: report.used.iter().map(|keyword| c_string(keyword)).collect(),
            avoided: report.avoided.iter().map(|keyword| c_string(keyword)).collect(),
            error: error(failure),
        }
    }

    pub(super) fn refused(&self, index: usize) -> Option<&RecipientTexts> {
        self.recipients.get(*self.refused.get(index)?)
    }
}

fn recipient(recipient: &Recipient) -> RecipientTexts {
    RecipientTexts {
        address: c_string(&recipient.address),
        step: c_string(recipient.step.name()),
        reply: reply(recipient.reply.as_ref()),
    }
}

fn attempt(attempt: &Attempt) -> AttemptTexts {
    let facts = attempt.tls.as_ref();
    let logins = attempt.logins.iter().map(|login| LoginTexts {
        mechanism: c_string(login.mechanism),
        error: login.error.as_ref().map_or_else(CString::default, |error| c_string(&error.to_string())),
    });
    AttemptTexts {
        server: c_string(&attempt.server),
        peer: attempt.peer.map_or_else(CString::default, |peer| c_string(&peer.to_string())),
        error: error(attempt.error.as_ref()),
        why_not: some(facts.and_then(|facts| facts.why_not.as_ref()).map(|fault| fault.name())),
        certificate: some(facts.and_then(|facts| facts.certificate_sha256.as_deref())),
        version: some(facts.and_then(|facts| facts.version.as_deref())),
        cipher: some(facts.and_then(|facts| facts.cipher.as_deref())),
        policy: some(attempt.policy.map(policy)),
        logins: logins.collect(),
    }
}

pub(super) fn policy(answer: TlsAnswer) -> &'static str {
    match answer {
        TlsAnswer::Secure => "secure",
        TlsAnswer::Insecure => "insecure",
    }
}

fn error(error: Option<&Error>) -> ErrorTexts {
    let Some(error) = error else { return ErrorTexts::default() };
    ErrorTexts {
        line: c_string(&error.to_string()),
        kind: c_string(error.kind().name()),
        step: c_string(error.step().name()),
        server: some(error.server()),
        reply: reply(error.reply()),
    }
}

fn reply(reply: Option<&Reply>) -> ReplyTexts {
    let Some(reply) = reply else { return ReplyTexts::default() };
    let enhanced = reply.enhanced().map(|enhanced| enhanced.to_string());
    ReplyTexts { enhanced: some(enhanced.as_deref()), text: c_string(reply.text()) }
}

fn some(text: Option<&str>) -> CString {
    c_string(text.unwrap_or_default())
}
