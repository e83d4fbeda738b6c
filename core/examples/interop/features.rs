//! The columns: each sends a message or is refused, and compares what was delivered.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use smtpclient::command::{Envid, Notify, Ret};
use smtpclient::error::{Kind, Step};
use smtpclient::extensions::Extensions;
use smtpclient::message::Message;
use smtpclient::net::{Session, sendmessage};
use smtpclient::options::{Chunking, Options, Pipelining};
use smtpclient::report::{Outcome, Report};

use super::logins::{PASSWORD, USER};

/// What a server did.
pub(crate) enum Cell {
    Ok,
    NotOffered,
}

pub(crate) type Feature = fn(&Place<'_>) -> Result<Cell, String>;

pub(crate) const FEATURES: [(&str, Feature); 11] = [
    ("plain", plain),
    ("STARTTLS", starttls),
    ("implicit TLS", implicit),
    ("SIZE refusal", size),
    ("8BITMIME", eight_bit),
    ("SMTPUTF8", utf8),
    ("DSN", dsn),
    ("PIPELINING", pipelining),
    ("CHUNKING", chunking),
    ("1 of 3 refused", one_of_three),
    ("LMTP", lmtp),
];

/// A server: what it is called, where its state is, and its ports.
pub(crate) struct Place<'a> {
    pub(crate) name: &'a str,
    pub(crate) base: &'a str,
    pub(crate) plain: Option<u16>,
    pub(crate) starttls: Option<u16>,
    pub(crate) implicit: Option<u16>,
    pub(crate) lmtp: Option<u16>,
    /// It takes no mail without a login.
    pub(crate) login: bool,
}

/// Message and options of one test, made one by one.
struct Trial {
    id: String,
    message: Vec<u8>,
    options: Options,
}

fn plain(place: &Place<'_>) -> Result<Cell, String> {
    let trial = place.trial(place.plain, false);
    let report = trial.send();
    complete(&report)?;
    if report.attempts[0].tls.is_some() {
        return Err("there is TLS".to_owned());
    }
    trial.delivered(place, "user")
}

fn starttls(place: &Place<'_>) -> Result<Cell, String> {
    secure(place, place.starttls, false)
}

fn implicit(place: &Place<'_>) -> Result<Cell, String> {
    secure(place, place.implicit, true)
}

fn secure(place: &Place<'_>, port: Option<u16>, first: bool) -> Result<Cell, String> {
    if port.is_none() {
        return Ok(Cell::NotOffered);
    }
    let mut trial = place.trial(port, true);
    trial.options.tlsimport = first;
    if first {
        (trial.options.username, trial.options.password) = (Some(USER.to_owned()), Some(PASSWORD.into()));
    }
    let report = trial.send();
    complete(&report)?;
    if !report.attempts[0].tls.as_ref().is_some_and(|tls| tls.verified) {
        return Err(format!("not verified: {:?}", report.attempts[0].tls));
    }
    trial.delivered(place, "user")
}

/// A message above the limit that the server names is refused before it is sent; one below it declares its size.
fn size(place: &Place<'_>) -> Result<Cell, String> {
    let Some(limit) = place.extensions()?.size_limit() else { return Ok(Cell::NotOffered) };
    let mut trial = place.trial(place.plain, false);
    let report = trial.send();
    complete(&report)?;
    uses(&report, "SIZE")?;
    let filler = b"0123456789abcdefghijklmnopqrstuvwxyz\r\n";
    trial.message.extend(filler.repeat(usize::try_from(limit).unwrap_or(usize::MAX) / filler.len() + 1));
    let report = trial.send();
    match &report.error {
        Some(error) if error.kind() == Kind::TooLarge && report.octets == 0 && !report.sent() => Ok(Cell::Ok),
        other => Err(format!("{limit} octets at most: {other:?}")),
    }
}

fn eight_bit(place: &Place<'_>) -> Result<Cell, String> {
    if !place.extensions()?.eight_bit_mime() {
        return Ok(Cell::NotOffered);
    }
    let mut trial = place.trial(place.plain, false);
    trial.message.extend("žluťoučký kůň 日本\r\n".as_bytes());
    let report = trial.send();
    complete(&report)?;
    uses(&report, "8BITMIME")?;
    trial.delivered(place, "user")
}

fn utf8(place: &Place<'_>) -> Result<Cell, String> {
    let mut trial = place.trial(place.plain, false);
    let mut message = "X-Name: Zoë 日本\r\n".as_bytes().to_vec();
    message.append(&mut trial.message);
    trial.message = message;
    trial.options.recipients = Some("zoë@example.test".into());
    let report = trial.send();
    if !place.extensions()?.smtputf8() {
        return unsupported(&report);
    }
    complete(&report)?;
    uses(&report, "SMTPUTF8")?;
    trial.delivered(place, "other")
}

fn dsn(place: &Place<'_>) -> Result<Cell, String> {
    let mut trial = place.trial(place.plain, false);
    trial.options.dsnnotify = Some(Notify::new(false, true, true));
    trial.options.dsnret = Some(Ret::Headers);
    trial.options.dsnenvid = Envid::new("an id + more").ok();
    let report = trial.send();
    if !place.extensions()?.dsn() {
        return unsupported(&report);
    }
    complete(&report)?;
    uses(&report, "DSN")?;
    trial.delivered(place, "user")
}

fn pipelining(place: &Place<'_>) -> Result<Cell, String> {
    if !place.extensions()?.pipelining() {
        return Ok(Cell::NotOffered);
    }
    let mut trial = place.trial(place.plain, false);
    trial.options.recipients = Some("a@example.test, b@example.test, c@example.test".into());
    let report = trial.send();
    complete(&report)?;
    uses(&report, "PIPELINING")?;
    trial.delivered(place, "a")?;
    trial.delivered(place, "b")?;
    trial.delivered(place, "c")
}

fn chunking(place: &Place<'_>) -> Result<Cell, String> {
    if !place.extensions()?.chunking() {
        return Ok(Cell::NotOffered);
    }
    for pipelining in [Pipelining::Rfc, Pipelining::Full] {
        let mut trial = place.trial(place.plain, false);
        (trial.options.chunking, trial.options.pipelining) = (Chunking::On, pipelining);
        let report = trial.send();
        complete(&report)?;
        uses(&report, "CHUNKING")?;
        trial.delivered(place, "user")?;
    }
    Ok(Cell::Ok)
}

/// All or none by default; the others where the options say so.
fn one_of_three(place: &Place<'_>) -> Result<Cell, String> {
    let mut trial = place.trial(place.plain, false);
    trial.options.recipients = Some("a@example.test, bad1@example.test, b@example.test".into());
    trial.options.atleastone = false;
    let report = trial.send();
    if report.sent() || report.refused().count() != 1 || report.octets != 0 {
        return Err(format!("all or none: {report:?}"));
    }
    trial.options.atleastone = true;
    let report = trial.send();
    expect(&report, &[Outcome::Accepted, Outcome::Rejected, Outcome::Accepted])?;
    let refused = &report.recipients[1];
    if refused.step != Step::Rcpt || refused.reply.as_ref().is_none_or(|reply| reply.code() / 100 != 5) {
        return Err(format!("{refused:?}"));
    }
    trial.delivered(place, "a")?;
    trial.delivered(place, "b")
}

/// Where the server knows only after the content that one has no room, it says so then.
fn lmtp(place: &Place<'_>) -> Result<Cell, String> {
    if place.lmtp.is_none() {
        return Ok(Cell::NotOffered);
    }
    let mut trial = place.trial(place.lmtp, false);
    trial.options.lmtp = true;
    (trial.options.username, trial.options.password) = (None, None);
    trial.options.atleastone = true;
    trial.options.recipients =
        Some("a@example.test, bad1@example.test, full@example.test, b@example.test".into());
    let report = trial.send();
    expect(&report, &[Outcome::Accepted, Outcome::Rejected, Outcome::Rejected, Outcome::Accepted])?;
    let late = if place.login { Step::Final } else { Step::Rcpt };
    if report.recipients[1].step != Step::Rcpt || report.recipients[2].step != late {
        return Err(format!("{report:?}"));
    }
    trial.delivered(place, "a")?;
    trial.delivered(place, "b")
}

impl Place<'_> {
    /// One message to one recipient, without or with TLS, with a login where that is asked for.
    fn trial(&self, port: Option<u16>, tls: bool) -> Trial {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let id = format!("<{}.{number}@client.example.test>", std::process::id());
        let message = format!(
            "From: A <user@example.test>\r\nTo: user@example.test\r\nSubject: {number}\r\nX-Folded: one\r\n\ttwo\r\n\
             Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: {id}\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
             .\r\n..\r\n.leading dot\r\nFrom at the start\r\n>From quoted\r\ntrailing blank \r\n\r\n\ttab\r\n{}\r\n",
            "x".repeat(998)
        );
        Trial { id, message: message.into_bytes(), options: self.options(port, tls) }
    }

    /// What a message to one recipient needs.
    pub(crate) fn options(&self, port: Option<u16>, tls: bool) -> Options {
        let mut options = Options::default();
        options.servers = vec!["localhost".to_owned()];
        options.ports = port.into_iter().collect();
        options.recipients = Some("user@example.test".into());
        (options.usetls, options.tlsrequired) = (tls, tls);
        options.tlscafile = Some(format!("{}/tls/ca.pem", self.base));
        if self.login {
            (options.username, options.password) = (Some(USER.to_owned()), Some(PASSWORD.into()));
        }
        options
    }

    /// What is offered in plain text, after the login where one is needed.
    fn extensions(&self) -> Result<Extensions, String> {
        let mut options = self.trial(self.plain, false).options;
        (options.username, options.password) = (None, None);
        let port = self.plain.unwrap_or(0);
        let text = |error: smtpclient::error::Error| error.to_string();
        let mut session = Session::open("localhost", port, &options).map_err(text)?;
        session.server_options().map_err(text)?;
        if self.login {
            session.authenticate(USER, PASSWORD, None).map_err(text)?;
            session.ehlo(None).map_err(text)?;
        }
        session.server_options().cloned().map_err(text)
    }
}

impl Trial {
    fn send(&self) -> Report {
        let message = Message::from_bytes(self.message.clone());
        sendmessage(&message, &self.options).unwrap_or_else(|failed| *failed.report)
    }

    /// Compares what was delivered to a user of the server.
    fn delivered(&self, place: &Place<'_>, user: &str) -> Result<Cell, String> {
        let found = Command::new("tests/servers/delivered")
            .args([place.name, place.base, user, &self.id])
            .output()
            .map_err(|error| format!("tests/servers/delivered: {error}"))?;
        if !found.status.success() {
            return Err(String::from_utf8_lossy(&found.stderr).into_owned());
        }
        let (sent, stored) = (format!("{}/sent", place.base), format!("{}/stored", place.base));
        std::fs::write(&sent, &self.message).map_err(|error| error.to_string())?;
        std::fs::write(&stored, &found.stdout).map_err(|error| error.to_string())?;
        let compared = Command::new("tests/servers/compare.py")
            .args([place.name, &sent, &stored])
            .output()
            .map_err(|error| format!("tests/servers/compare.py: {error}"))?;
        if compared.status.success() {
            return Ok(Cell::Ok);
        }
        Err(format!("for {user}: {}", String::from_utf8_lossy(&compared.stdout)))
    }
}

fn complete(report: &Report) -> Result<(), String> {
    if report.complete() && report.error.is_none() { Ok(()) } else { Err(format!("{report:?}")) }
}

fn expect(report: &Report, outcomes: &[Outcome]) -> Result<(), String> {
    let found: Vec<_> = report.recipients.iter().map(|recipient| recipient.outcome).collect();
    if found == outcomes { Ok(()) } else { Err(format!("not {outcomes:?}: {report:?}")) }
}

fn uses(report: &Report, keyword: &str) -> Result<(), String> {
    if report.used.contains(&keyword) { Ok(()) } else { Err(format!("{keyword} was not used: {report:?}")) }
}

/// What a server cannot do is an error, and nothing was sent.
fn unsupported(report: &Report) -> Result<Cell, String> {
    match &report.error {
        Some(error) if error.kind() == Kind::Unsupported && !report.sent() => Ok(Cell::NotOffered),
        other => Err(format!("not offered, and: {other:?}")),
    }
}
