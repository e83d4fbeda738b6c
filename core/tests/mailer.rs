//! The mailer against servers that are honest, short of something, or dying.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

#[path = "mailer/dying.rs"]
mod dying;
#[path = "mailer/ending.rs"]
mod ending;
#[path = "mailer/limits.rs"]
mod limits;
#[path = "mailer/panics.rs"]
mod panics;
#[path = "mailer/queue.rs"]
mod queue;
#[path = "mailer/server.rs"]
mod server;
#[path = "mailer/servers.rs"]
mod servers;
#[path = "mailer/tokens.rs"]
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smtpclient::message::Message;
use smtpclient::net::mailer::{Mailer, MessageNumber};
use smtpclient::options::Options;
use smtpclient::report::{Outcome, Report};

use self::server::Server;

/// Longer than anything takes; a test that waits so long has failed.
const LIMIT: Duration = Duration::from_secs(30);

/// Options for these servers, by name.
fn options(servers: &[&Server], more: &[(&str, &str)]) -> Options {
    let mut options = Options::default();
    options.servers = servers.iter().map(|_| "127.0.0.1".to_owned()).collect();
    options.ports = servers.iter().map(|server| server.port()).collect();
    options.client = Some("client.example".to_owned());
    options.timeout = Some(Duration::from_secs(10));
    for (name, value) in [("backoff", "0.02")].iter().chain(more) {
        options.set(name, value).unwrap();
    }
    options
}

/// A message whose recipient is its number.
fn message(number: usize) -> Message {
    Message::from_bytes(format!(
        "From: a@client.example\nTo: {}\nDate: Mon, 01 Jan 2024 12:00:00 +0000\nMessage-ID: <{number}@client.example>\n\
         Subject: x\n\nHello, number {number}.\n.and a dot\n",
        address(number)
    ))
}

fn address(number: usize) -> String {
    format!("user{number}@mail.example")
}

/// Sends `count` messages and takes their reports, by number.
fn send(mailer: &Mailer, count: usize) -> BTreeMap<usize, Report> {
    let numbers: Vec<MessageNumber> =
        (0..count).map(|number| mailer.submit(&message(number), None).unwrap()).collect();
    let reports = fetch(mailer, count);
    numbers.iter().enumerate().map(|(index, number)| (index, reports[number].clone())).collect()
}

/// So many reports, each message once.
fn fetch(mailer: &Mailer, count: usize) -> BTreeMap<MessageNumber, Report> {
    let mut reports = BTreeMap::new();
    while reports.len() < count {
        let (number, report) = mailer.next_report(LIMIT).expect("a report");
        assert!(reports.insert(number, report).is_none(), "{number:?} was reported twice");
    }
    assert!(mailer.next_report(Duration::from_millis(20)).is_none(), "more reports than messages");
    reports
}

/// What was reported is what the server has: nothing twice, and nothing that was not asked for.
fn agree(reports: &BTreeMap<usize, Report>, servers: &[&Server]) {
    let stored: Vec<String> = servers.iter().flat_map(|server| server.record().stored).collect();
    let once: BTreeSet<&String> = stored.iter().collect();
    assert_eq!(once.len(), stored.len(), "something arrived twice: {stored:?}");
    for (number, report) in reports {
        let [recipient] = report.recipients.as_slice() else { panic!("{report:?}") };
        let there = once.contains(&address(*number));
        let good = match recipient.outcome {
            Outcome::Accepted => there,
            Outcome::Rejected | Outcome::NotSent => !there,
            Outcome::Unknown => true,
        };
        assert!(good, "number {number}: there: {there}, {report:?}");
    }
    assert!(once.len() <= reports.len());
}

fn all_accepted(reports: &BTreeMap<usize, Report>) {
    for (number, report) in reports {
        assert!(report.complete(), "number {number}: {report:?}");
    }
}
