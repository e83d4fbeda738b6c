//! What is told: of messages that were sent, or would be.

use std::io::Write;

use smtpclient::report::fields::Value;
use smtpclient::{Error, Outcome, Report};

use crate::status::Failure;

/// In words, or as JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Failures and refusals on standard error, replies on standard output.
    Words,
    /// As one object; of several messages as one line each.
    Json,
    /// Failures and refusals alone.
    Quiet,
}

/// Tells what became of a message; `name` where there are several.
pub(crate) fn tell(report: &Report, form: Form, name: Option<&str>) -> Result<(), Failure> {
    if form == Form::Json {
        return match name {
            None => json(&report.value()),
            Some(name) => json_line(&Value::Record(vec![
                ("file", Value::Text(name.to_owned())),
                ("report", report.value()),
            ])),
        };
    }
    let before = name.map(|name| format!("{name}: ")).unwrap_or_default();
    let error = report.failure();
    if let Some(error) = &error {
        warn(&format!("{before}{}", sentence(error)));
    }
    for refused in report.recipients.iter().filter(|r| r.outcome == Outcome::Rejected) {
        let reply = refused.reply.as_ref().map(ToString::to_string).unwrap_or_default();
        warn(&format!("{before}refused: {}: {reply}", refused.address));
    }
    match &report.reply {
        Some(reply) if form == Form::Words && error.is_none() => line(&format!("{before}{reply}")),
        _ => Ok(()),
    }
}

/// Says it on standard error. Where that cannot be written there is nobody to tell, and the exit status counts.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(std::io::stderr(), "smtpclient: {text}");
}

fn sentence(error: &Error) -> String {
    let later = if error.is_transient() { " (trying again later can help)" } else { "" };
    format!("{error}{later}")
}

/// A value as JSON over several lines.
pub(crate) fn json(value: &Value) -> Result<(), Failure> {
    line(&serde_json::to_string_pretty(value).map_err(|error| Failure::output(&error.into()))?)
}

fn json_line(value: &Value) -> Result<(), Failure> {
    line(&serde_json::to_string(value).map_err(|error| Failure::output(&error.into()))?)
}

pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}
