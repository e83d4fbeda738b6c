//! A report as data with names: the one table of fields. JSON, Tcl's dicts, `smtp_result_field` of C and the fields of
//! Python's classes are made from it, or compared with it by tests.

use std::borrow::Borrow;
use std::time::Duration;

use super::{Attempt, Login, Offer, Recipient, Report};
use crate::error::Error;
use crate::reply::Reply;
use crate::times::{ConnectionTimes, MessageTimes};
use crate::tls::{TlsAnswer, TlsFacts};

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing: it does not apply, or is not known.
    None,
    /// Yes or no.
    Flag(bool),
    /// A code, or a count.
    Number(u64),
    /// A text; empty is not the same as nothing.
    Text(String),
    /// Values of one form.
    List(Vec<Self>),
    /// Named values, in the order of the table.
    Record(Vec<(&'static str, Self)>),
}

/// A field of a record.
#[non_exhaustive]
pub struct Field<T: ?Sized> {
    /// The name, the same in every language.
    pub name: &'static str,
    /// What it is, in Markdown.
    pub help: &'static str,
    get: fn(&T) -> Value,
}

const fn field<T: ?Sized>(name: &'static str, help: &'static str, get: fn(&T) -> Value) -> Field<T> {
    Field { name, help, get }
}

/// What became of a message.
pub const REPORT: &[Field<Report>] = &[
    field("status", "`ok`, `partial` (some of the recipients), or the kind of the error in one word", |r| {
        text(r.status().name())
    }),
    field("sent", "whether the server took the message for at least one recipient", |r| {
        Value::Flag(r.sent())
    }),
    field("complete", "whether it took the message for every recipient", |r| Value::Flag(r.complete())),
    field("unknown", "whether that is unknown for at least one recipient", |r| Value::Flag(r.unknown())),
    field(
        "recipients",
        "every recipient once, in the order of the envelope; those that are redirected together",
        |r| list(RECIPIENT, &r.recipients),
    ),
    field(
        "attempts",
        "a record for each connection that was tried, in order; the last is the one that counts",
        |r| list(ATTEMPT, &r.attempts),
    ),
    field("reply", "the reply to the end of the message; with LMTP the last of them", |r| {
        record(REPLY, r.reply.as_ref())
    }),
    field("queue_id", "the server's own name for the message, if its reply has a known form", |r| {
        optional(r.queue_id())
    }),
    field("used", "keywords of the extensions that were used", |r| words(&r.used)),
    field(
        "avoided",
        "keywords of extensions that are not used any more on the connection, since the server mishandled them",
        |r| words(&r.avoided),
    ),
    field("octets", "octets of the message that were given to the connection, as on the wire", |r| {
        Value::Number(r.octets)
    }),
    field("times", "how long the message took, part by part", |r| record(MESSAGE_TIMES, Some(&r.times))),
    field(
        "error",
        "why nobody received the message, or why that is unknown; nothing if a recipient was accepted and no step failed",
        |r| record(ERROR, r.failure().as_ref()),
    ),
];

/// One recipient.
pub const RECIPIENT: &[Field<Recipient>] = &[
    field("address", "as in RCPT TO; of a recipient that was redirected, its own", |r| text(&r.address)),
    field("redirected_to", "what stood in RCPT TO in its place (option `redirectto`)", |r| {
        optional(r.redirected_to.as_deref())
    }),
    field("outcome", "`accepted`, `rejected`, `not_sent` or `unknown`", |r| text(r.outcome.name())),
    field("step", "the step that decided: `rcpt`, `final`, or the one that failed", |r| text(r.step.name())),
    field("reply", "the reply that decided", |r| record(REPLY, r.reply.as_ref())),
];

/// A server's reply.
pub const REPLY: &[Field<Reply>] = &[
    field("code", "three digits: 4yz is temporary, 5yz permanent", |r| Value::Number(r.code().into())),
    field("enhanced", "the enhanced status code (RFC 3463), as `5.1.1`", |r| {
        optional(r.enhanced().map(|code| code.to_string()).as_deref())
    }),
    field("text", "the text without the codes; lines are separated by LF", |r| text(r.text())),
    field("raw", "the text as it was sent: with the enhanced status code, on each line that had it", |r| {
        text(&r.raw())
    }),
];

/// Why a step failed.
pub const ERROR: &[Field<Error>] = &[
    field("kind", "the sort of error, in one word", |e| text(e.kind().name())),
    field("step", "the step that failed, in one word", |e| text(e.step().name())),
    field("text", "what went wrong, without server, step and reply", |e| text(e.text())),
    field("server", "the server at which it happened, `host:port`", |e| optional(e.server())),
    field("reply", "the reply that failed the step, if it was one", |e| record(REPLY, e.reply())),
    field("transient", "whether trying again later can help", |e| Value::Flag(e.is_transient())),
    field("message", "all of it in one line", |e| text(&e.to_string())),
];

/// One connection that was tried.
pub const ATTEMPT: &[Field<Attempt>] = &[
    field("server", "as the caller named it, with its port", |a| text(&a.server)),
    field("peer", "the address and port that were connected to; nothing for a Unix socket", |a| {
        optional(a.peer.map(|peer| peer.to_string()).as_deref())
    }),
    field("tls", "what is known of TLS, if it was begun", |a| record(TLS, a.tls.as_ref())),
    field("policy", "what the TLS policy answered, if it was asked: `secure` or `insecure`", |a| {
        optional(a.policy.map(TlsAnswer::name))
    }),
    field("logins", "the mechanisms that were tried, in order", |a| list(LOGIN, &a.logins)),
    field("error", "why it was left, or failed", |a| record(ERROR, a.error.as_ref())),
    field("offered", "what the server offers, if that was asked: by `verify`", |a| {
        record(OFFER, a.offered.as_deref())
    }),
    field("times", "how long the connection took to make, part by part", |a| {
        record(CONNECTION_TIMES, Some(&a.times))
    }),
];

/// How long a message took: microseconds, and nothing for a part that did not take place.
pub const MESSAGE_TIMES: &[Field<MessageTimes>] = &[
    field("envelope", "from MAIL until the content could be written; microseconds, as all of these", |t| {
        microseconds(t.envelope)
    }),
    field("body", "until the end of the content was written", |t| microseconds(t.body)),
    field("reply", "until the final reply came", |t| microseconds(t.reply)),
    field(
        "total",
        "from when the message was asked for until its outcome was known, with waiting, connecting, and what was tried \
         before",
        |t| microseconds(t.total),
    ),
];

/// How long a connection took to make: microseconds, and nothing for a part that did not take place.
pub const CONNECTION_TIMES: &[Field<ConnectionTimes>] = &[
    field(
        "resolve",
        "finding the addresses of the server, or of its proxy; microseconds, as all of these",
        |t| microseconds(t.resolve),
    ),
    field("connect", "connecting to one of them, with the handshake of a proxy", |t| microseconds(t.connect)),
    field("tls", "the TLS handshake", |t| microseconds(t.tls)),
    field(
        "greeting",
        "from the connection to the server's greeting, without a handshake that came before it",
        |t| microseconds(t.greeting),
    ),
    field("login", "from the first AUTH to the reply that ended the last login that was tried", |t| {
        microseconds(t.login)
    }),
];

/// What a server offers.
pub const OFFER: &[Field<Offer>] = &[
    field("greeting", "the server's greeting", |o| record(REPLY, o.greeting.as_ref())),
    field("extensions", "the extensions that it offers, in its order; under TLS if TLS is used", |o| {
        list(EXTENSION, &o.extensions)
    }),
    field("mechanisms", "the SASL mechanisms that it offers", |o| {
        Value::List(o.mechanisms.iter().map(|word| text(word)).collect())
    }),
];

/// An extension that a server offers.
pub const EXTENSION: &[Field<(String, String)>] = &[
    field("keyword", "as the server sent it", |e| text(&e.0)),
    field("parameters", "as the server sent them; may be empty", |e| text(&e.1)),
];

/// A login that was tried.
pub const LOGIN: &[Field<Login>] = &[
    field("mechanism", "the SASL mechanism", |l| text(&l.mechanism)),
    field("error", "why it did not log in; nothing if it did", |l| record(ERROR, l.error.as_ref())),
];

/// What is known of a TLS connection.
pub const TLS: &[Field<TlsFacts>] = &[
    field("certificate_sha256", "SHA-256 of the server's certificate, in hex", |t| {
        optional(t.certificate_sha256.as_deref())
    }),
    field("public_key_sha256", "SHA-256 of its public key, in hex", |t| {
        optional(t.public_key_sha256.as_deref())
    }),
    field("verified", "whether the certificate and the host name verified", |t| Value::Flag(t.verified)),
    field(
        "why_not",
        "why not, in one word: `expired`, `wrongname`, `unknownissuer`, `selfsigned`, ...",
        |t| optional(t.why_not.as_ref().map(|fault| fault.name())),
    ),
    field("why_not_text", "the same in words", |t| {
        optional(t.why_not.as_ref().map(ToString::to_string).as_deref())
    }),
    field("pinned", "whether one of `tlsfingerprint` matches", |t| Value::Flag(t.pinned)),
    field("version", "`TLSv1.3`, if the TLS library tells", |t| optional(t.version.as_deref())),
    field("cipher", "the cipher suite, if the TLS library tells", |t| optional(t.cipher.as_deref())),
    field("subject", "whom the certificate is for", |t| optional(t.subject.as_deref())),
    field("issuer", "who issued it", |t| optional(t.issuer.as_deref())),
    field("expires", "when it expires, in UTC (RFC 3339): `2026-12-01T08:00:00Z`", |t| {
        optional(t.expires.as_deref())
    }),
    field(
        "resumed",
        "whether an earlier connection's session was resumed; the certificate was looked at then",
        |t| Value::Flag(t.resumed),
    ),
    field("library", "the TLS library: `openssl`, `rustls` or `native-tls`", |t| {
        optional(Some(t.library).filter(|name| !name.is_empty()))
    }),
];

impl Report {
    /// All that is known, with the names of [`REPORT`].
    pub fn value(&self) -> Value {
        record(REPORT, Some(self))
    }

    /// One field of [`REPORT`]; `None` for an unknown name.
    pub fn field(&self, name: &str) -> Option<Value> {
        REPORT.iter().find(|field| field.name == name).map(|field| (field.get)(self))
    }
}

impl Reply {
    /// The fields of [`REPLY`].
    pub fn value(&self) -> Value {
        record(REPLY, Some(self))
    }
}

impl Error {
    /// The fields of [`ERROR`].
    pub fn value(&self) -> Value {
        record(ERROR, Some(self))
    }
}

fn record<T>(fields: &[Field<T>], of: Option<&T>) -> Value {
    of.map_or(Value::None, |of| {
        Value::Record(fields.iter().map(|field| (field.name, (field.get)(of))).collect())
    })
}

fn list<T>(fields: &[Field<T>], all: &[impl Borrow<T>]) -> Value {
    Value::List(all.iter().map(|one| record(fields, Some(one.borrow()))).collect())
}

fn words(all: &[&'static str]) -> Value {
    Value::List(all.iter().map(|word| text(word)).collect())
}

fn microseconds(time: Option<Duration>) -> Value {
    time.map_or(Value::None, |time| Value::Number(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn optional(found: Option<&str>) -> Value {
    found.map_or(Value::None, text)
}
