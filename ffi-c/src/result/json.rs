//! A report as JSON.

use std::ffi::{CStr, CString, c_int};

use serde_json::{Value, json};
use smtpclient::error::Error;
use smtpclient::reply::Reply;
use smtpclient::report::{Attempt, Report};

use super::texts::policy;
use crate::code::smtp_code_name;
use crate::strings::c_string;

pub(super) fn line(status: c_int, report: &Report, failure: Option<&Error>) -> CString {
    // SAFETY: a name of ours, which lives for ever.
    let name = unsafe { CStr::from_ptr(smtp_code_name(status)) };
    let recipients = report.recipients.iter().map(|recipient| {
        json!({
            "address": recipient.address.as_str(),
            "outcome": recipient.outcome.name(),
            "step": recipient.step.name(),
            "reply": recipient.reply.as_ref().map(reply),
        })
    });
    let value = json!({
        "status": name.to_string_lossy(),
        "sent": report.sent(),
        "recipients": recipients.collect::<Vec<_>>(),
        "attempts": report.attempts.iter().map(|own| attempt(own)).collect::<Vec<_>>(),
        "reply": report.reply.as_ref().map(reply),
        "queue_id": report.queue_id(),
        "used": report.used.as_slice(),
        "avoided": report.avoided.as_slice(),
        "octets": report.octets,
        "error": failure.map(error),
    });
    c_string(&value.to_string())
}

fn reply(reply: &Reply) -> Value {
    json!({
        "code": reply.code(),
        "enhanced": reply.enhanced().map(|enhanced| enhanced.to_string()),
        "text": reply.text(),
    })
}

fn error(error: &Error) -> Value {
    json!({
        "kind": error.kind().name(),
        "step": error.step().name(),
        "server": error.server(),
        "text": error.text(),
        "reply": error.reply().map(reply),
        "transient": error.is_transient(),
    })
}

fn attempt(attempt: &Attempt) -> Value {
    let tls = attempt.tls.as_ref().map(|facts| {
        json!({
            "verified": facts.verified,
            "why_not": facts.why_not.as_ref().map(|fault| fault.name()),
            "pinned": facts.pinned,
            "resumed": facts.resumed,
            "certificate_sha256": facts.certificate_sha256,
            "public_key_sha256": facts.public_key_sha256,
            "version": facts.version,
            "cipher": facts.cipher,
            "subject": facts.subject,
            "issuer": facts.issuer,
        })
    });
    let login = |login: &smtpclient::report::Login| json!({ "mechanism": login.mechanism, "error": login.error.as_ref().map(error) });
    json!({
        "server": attempt.server.as_str(),
        "peer": attempt.peer.map(|peer| peer.to_string()),
        "tls": tls,
        "policy": attempt.policy.map(policy),
        "logins": attempt.logins.iter().map(login).collect::<Vec<_>>(),
        "error": attempt.error.as_ref().map(error),
    })
}
