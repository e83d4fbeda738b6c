//! Many messages at a time: a batch over a session and a mailer, with the defaults and with `pipelining` off, all that was
//! delivered compared. The times are printed as ratios: a busy machine makes them what it will.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use smtpclient::message::Message;
use smtpclient::net::{Mailer, Session};
use smtpclient::options::{Options, Pipelining};
use smtpclient::report::Report;

use super::features::Place;
use super::logins::{PASSWORD, USER};

const BATCH: usize = 200;
const MAILER: usize = 500;
const CROSSING: usize = 5;
const LIMIT: Duration = Duration::from_secs(600);

/// What `pipelining` off takes, times this and a second more, is surely too long.
const GROSS: u32 = 5;

/// What a server does with commands after a final dot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crossing {
    /// It takes them for what they are.
    Takes,
    /// It drops them, and the messages go once more without.
    Drops,
    /// It files them as text, and nothing that it says tells of it.
    Files,
}

/// Where they go.
struct Many<'a, 'b> {
    place: &'a Place<'b>,
    port: u16,
    /// With TLS and a login.
    login: bool,
}

type Send = fn(&Options, &[Vec<u8>]) -> Result<Vec<Report>, String>;

/// How long a batch and a mailer took, in parts of what they take with `pipelining` off, and what became of a crossing group.
pub(crate) fn row(place: &Place<'_>, port: u16, login: bool, crossing: Crossing) -> Result<String, String> {
    let many = Many { place, port, login };
    let batch = ratio(&many, "batch", batch, BATCH)?;
    let mailer = ratio(&many, "mailer", mailer, MAILER)?;
    let crossed = cross(&many, crossing)?;
    Ok(format!("{BATCH} in a batch {batch:.2}, {MAILER} by a mailer {mailer:.2}, crossing: {crossed}"))
}

impl Many<'_, '_> {
    fn options(&self, pipelining: Pipelining) -> Options {
        let mut options = self.place.options(Some(self.port), self.login);
        options.pipelining = pipelining;
        if self.login {
            (options.username, options.password) = (Some(USER.to_owned()), Some(PASSWORD.into()));
        }
        options
    }

    /// Sends messages that are also written to a folder.
    fn sent(
        &self,
        name: &str,
        options: &Options,
        send: Send,
        count: usize,
    ) -> Result<(Vec<Report>, PathBuf, Duration), String> {
        let folder = Path::new(self.place.base).join(format!("sent-{name}"));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let messages: Vec<_> = (0..count).map(|number| message(name, number)).collect();
        for (number, message) in messages.iter().enumerate() {
            std::fs::write(folder.join(number.to_string()), message).map_err(|error| error.to_string())?;
        }
        let begin = Instant::now();
        let reports = send(options, &messages)?;
        let took = begin.elapsed();
        if reports.len() == count {
            Ok((reports, folder, took))
        } else {
            Err(format!("{} reports", reports.len()))
        }
    }

    fn compare(&self, folder: &Path) -> Result<(), String> {
        let compared = Command::new("tests/servers/compare_all.py")
            .args([self.place.name, self.place.base, "user"])
            .arg(folder)
            .output()
            .map_err(|error| format!("tests/servers/compare_all.py: {error}"))?;
        if compared.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&[compared.stdout, compared.stderr].concat()).into_owned())
    }
}

/// Of two rounds the quicker run each.
fn ratio(many: &Many<'_, '_>, name: &str, send: Send, count: usize) -> Result<f64, String> {
    let (mut usual, mut off) = (Duration::MAX, Duration::MAX);
    for round in 0..2 {
        for (pipelining, least) in [(Options::default().pipelining, &mut usual), (Pipelining::Off, &mut off)]
        {
            let folder = format!("{name}-{pipelining:?}-{round}");
            let (reports, folder, took) = many.sent(&folder, &many.options(pipelining), send, count)?;
            if let Some(report) =
                reports.iter().find(|report| !report.complete() || !report.avoided.is_empty())
            {
                return Err(format!("{name}, {pipelining:?}: {report:?}"));
            }
            many.compare(&folder)?;
            *least = took.min(*least);
        }
    }
    if usual > GROSS * off + Duration::from_secs(1) {
        return Err(format!("{count} by a {name} took {usual:?}, and {off:?} with pipelining off"));
    }
    Ok(usual.as_secs_f64() / off.as_secs_f64())
}

/// The option that lets commands follow a final dot: what it can do to a message where a server cannot take them.
fn cross(many: &Many<'_, '_>, crossing: Crossing) -> Result<&'static str, String> {
    let mut options = many.options(Pipelining::Crossing);
    options.timeout = Some(Duration::from_secs(3));
    let (reports, folder, _) = many.sent("crossing", &options, batch, CROSSING)?;
    if let Some(report) = reports.iter().find(|report| !report.complete()) {
        return Err(format!("crossing: {report:?}"));
    }
    let avoided = reports.iter().any(|report| report.avoided.contains(&"PIPELINING"));
    let compared = many.compare(&folder);
    match (crossing, avoided, &compared) {
        (Crossing::Takes, false, Ok(())) => Ok("taken"),
        (Crossing::Drops, true, Ok(())) => Ok("dropped, once more without"),
        (Crossing::Files, false, Err(text)) if text.contains("MAIL FROM") => Ok("filed as text"),
        _ => Err(format!("crossing: avoided {avoided}, {compared:?}")),
    }
}

fn batch(options: &Options, messages: &[Vec<u8>]) -> Result<Vec<Report>, String> {
    let port = options.ports.first().copied().unwrap_or(0);
    let mut session = Session::open("localhost", port, options).map_err(|error| error.to_string())?;
    let tokens = messages.iter().map(|message| Message::from_bytes(message.clone()));
    let reports = session.send_many(tokens).map(|report| report.unwrap_or_else(|failed| *failed.report));
    let reports = reports.collect();
    session.close();
    Ok(reports)
}

fn mailer(options: &Options, messages: &[Vec<u8>]) -> Result<Vec<Report>, String> {
    let mailer = Mailer::new(options).map_err(|error| error.to_string())?;
    for message in messages {
        mailer.submit(&Message::from_bytes(message.clone()), None).map_err(|error| error.to_string())?;
    }
    let reports =
        messages.iter().map_while(|_| mailer.next_report(LIMIT)).map(|(_, report)| report).collect();
    mailer.close(LIMIT).map_err(|error| error.to_string())?;
    Ok(reports)
}

/// Of many lengths, so that the pieces that a server reads end anywhere, and with dots where they are doubled.
fn message(name: &str, number: usize) -> Vec<u8> {
    let id = format!("<{}.{name}.{number}@client.example.test>", std::process::id());
    let mut text = format!(
        "From: A <user@example.test>\r\nTo: user@example.test\r\nSubject: {number}\r\n\
         Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: {id}\r\n\r\n"
    );
    for line in 0..number * 7 % 97 {
        let dots = ".".repeat(line % 3);
        text.push_str(&format!("{dots}{}\r\n", "x".repeat((number * 31 + line * 17) % 90)));
    }
    text.push_str(".\r\nlast line\r\n");
    text.into_bytes()
}
