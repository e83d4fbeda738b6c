//! What the core says, as tuples, and the exceptions that Python makes of errors.

use std::time::Duration;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use smtpclient::error::Error;
use smtpclient::options::TlsAnswer;
use smtpclient::reply::Reply;
use smtpclient::report::{Attempt, Login, Recipient, Report};
use smtpclient::tls::TlsFacts;

use crate::report::PySent;

/// Code, enhanced status code, text, and the text as it was sent where these do not tell.
pub(crate) type ReplyTuple<'a> = (u16, Option<String>, &'a str, Option<String>);
/// Kind, step, text, server, reply, transient, the whole in one line.
pub(crate) type FailureTuple<'a> =
    (&'static str, &'static str, &'a str, Option<&'a str>, Option<ReplyTuple<'a>>, bool, String);
pub(crate) type RecipientTuple<'a> = (&'a str, &'static str, &'static str, Option<ReplyTuple<'a>>);
pub(crate) type LoginTuple<'a> = (&'static str, Option<FailureTuple<'a>>);
pub(crate) type TlsTuple<'a> = (
    Option<&'a str>,
    Option<&'a str>,
    bool,
    Option<(&'static str, String)>,
    bool,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
    bool,
);
pub(crate) type AttemptTuple<'a> = (
    &'a str,
    Option<(String, u16)>,
    Option<TlsTuple<'a>>,
    Option<&'static str>,
    Vec<LoginTuple<'a>>,
    Option<FailureTuple<'a>>,
);
pub(crate) fn reply(reply: &Reply) -> ReplyTuple<'_> {
    let raw = reply.enhanced().and_then(|_| reply.text().contains('\n').then(|| reply.raw().into_owned()));
    (reply.code(), reply.enhanced().map(|code| code.to_string()), reply.text(), raw)
}

pub(crate) fn failure(error: &Error) -> FailureTuple<'_> {
    (
        error.kind().name(),
        error.step().name(),
        error.text(),
        error.server(),
        error.reply().map(reply),
        error.is_transient(),
        error.to_string(),
    )
}

pub(crate) fn recipient(recipient: &Recipient) -> RecipientTuple<'_> {
    let reply = recipient.reply.as_ref().map(reply);
    (recipient.address.as_str(), recipient.outcome.name(), recipient.step.name(), reply)
}

pub(crate) fn attempt(attempt: &Attempt) -> AttemptTuple<'_> {
    (
        &attempt.server,
        attempt.peer.map(|peer| (peer.ip().to_string(), peer.port())),
        attempt.tls.as_ref().map(tls),
        attempt.policy.map(|answer| match answer {
            TlsAnswer::Secure => "secure",
            TlsAnswer::Insecure => "insecure",
        }),
        attempt.logins.iter().map(login).collect(),
        attempt.error.as_ref().map(failure),
    )
}

fn login(login: &Login) -> LoginTuple<'_> {
    (login.mechanism, login.error.as_ref().map(failure))
}

fn tls(facts: &TlsFacts) -> TlsTuple<'_> {
    (
        facts.certificate_sha256.as_deref(),
        facts.public_key_sha256.as_deref(),
        facts.verified,
        facts.why_not.as_ref().map(|fault| (fault.name(), fault.to_string())),
        facts.pinned,
        facts.version.as_deref(),
        facts.cipher.as_deref(),
        facts.subject.as_deref(),
        facts.issuer.as_deref(),
        facts.resumed,
    )
}

/// The exception for an error.
pub(crate) fn raise(py: Python<'_>, error: &Error, about: Option<&Report>) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = || -> PyResult<PyErr> {
        let function = MAKE.get_or_try_init(py, || {
            PyResult::Ok(py.import("smtpclient._errors")?.getattr("from_native")?.unbind())
        })?;
        let made =
            function.call1(py, (failure(error), about.map(|report| PySent(Box::new(report.clone())))))?;
        Ok(PyErr::from_value(made.into_bound(py)))
    };
    make().unwrap_or_else(|error| error)
}

/// The exception for an error that follows from what Python code raised, which is its cause. What is no
/// `Exception`, such as `KeyboardInterrupt`, is raised itself and bears the report.
pub(crate) fn raise_from(
    py: Python<'_>,
    error: &Error,
    about: Option<&Report>,
    cause: Option<PyErr>,
) -> PyErr {
    let made = raise(py, error, about);
    let Some(cause) = cause else { return made };
    if cause.is_instance_of::<PyException>(py) {
        made.set_cause(py, Some(cause));
        return made;
    }
    if let Ok(report) = made.value(py).getattr("report") {
        // An exception without attributes goes without it.
        let _ = cause.value(py).setattr("report", report);
    }
    cause
}

pub(crate) fn seconds(duration: Option<Duration>) -> Option<f64> {
    duration.map(|duration| duration.as_secs_f64())
}
