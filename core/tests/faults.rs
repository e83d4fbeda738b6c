//! A connection that fails at every octet, either way, held against the server's own record.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scripted_server::proxy::{Direction, Fault, FaultKind, Proxy, ProxyOptions};
use scripted_server::sink::{Sink, SinkOptions};
use smtpclient::commit::{Commit, Ready};
use smtpclient::error::Kind;
use smtpclient::message::Message;
use smtpclient::net::{Session, sendmessage};
use smtpclient::options::{Chunking, Options, Pipelining};
use smtpclient::report::{Outcome, Report};

const LIMIT: Duration = Duration::from_secs(10);
const BODY: &str = "From: a@c.example\r\nTo: b@s.example\r\nDate: Mon, 01 Jan 2024 12:00:00 +0000\r\n";

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A loopback address of its own for each listener: thousands of closed connections keep the ports of one
/// address busy for a minute.
fn own_address() -> SocketAddr {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let byte = |n: u64| u8::try_from(n % 200 + 2).unwrap_or(2);
    SocketAddr::from(([127, byte(std::process::id().into()), byte(number / 200), byte(number)], 0))
}

/// How messages are grouped and framed.
type Ways = (Pipelining, Chunking);

const BY_DATA: Ways = (Pipelining::Crossing, Chunking::Off);
const BY_BDAT: Ways = (Pipelining::Rfc, Chunking::On);
const IN_A_WINDOW: Ways = (Pipelining::Full, Chunking::On);

/// What option `commit` was asked for: Message-IDs and attempts.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<(String, u32)>>>);

impl Asked {
    fn commit(&self) -> Commit {
        let own = self.clone();
        Commit::new(move |ready: &[Ready]| {
            let named = ready.iter().map(|one| (one.message_id.clone().unwrap(), one.attempt));
            own.0.lock().unwrap().extend(named);
            Ok::<(), String>(())
        })
    }

    /// How often it was asked for a message, each time for another attempt.
    fn times(&self, id: &str) -> Result<usize, String> {
        let mut attempts: Vec<u32> = Vec::new();
        for (_, attempt) in self.0.lock().unwrap().iter().filter(|(own, _)| own == id) {
            if attempts.contains(attempt) {
                return Err(format!("{id} was asked for twice in attempt {attempt}"));
            }
            attempts.push(*attempt);
        }
        Ok(attempts.len())
    }

    /// What a message that was never asked for must be.
    fn check(&self, id: &str, outcome: Outcome, stored: usize) -> Result<(), String> {
        let gone = stored > 0 || matches!(outcome, Outcome::Accepted | Outcome::Unknown);
        if gone && self.times(id)? == 0 {
            return Err(format!("{id} is {outcome:?}, stored {stored}, and was not asked for"));
        }
        Ok(())
    }
}

/// One sink, and what a good send to it looks like.
struct Scene {
    asked: Option<Asked>,
    sink: Sink,
    address: SocketAddr,
    lmtp: bool,
    ways: Ways,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
}

impl Scene {
    fn new(options: SinkOptions, ways: Ways) -> Self {
        Self::asking(options, ways, None)
    }

    /// With option `commit`, which notes what it is asked.
    fn asking(options: SinkOptions, ways: Ways, asked: Option<Asked>) -> Self {
        let lmtp = options.lmtp;
        let listen = own_address();
        let sink = Sink::start(SinkOptions { keep: true, listen, ..options }).unwrap();
        let address = SocketAddr::new(listen.ip(), sink.port());
        let (to_server, to_client) = (Vec::new(), Vec::new());
        let mut scene = Self { asked, sink, address, lmtp, ways, to_server, to_client };
        let (report, _, proxy) = scene.send(None);
        assert!(report.sent() && report.error.is_none(), "{report:?}");
        let relayed = proxy.wait(1, LIMIT).remove(0);
        scene.to_server = relayed.to_server;
        scene.to_client = relayed.to_client;
        scene
    }

    /// Sends one message through a proxy with `fault`; its number is in the message.
    fn send(&self, fault: Option<Fault>) -> (Report, String, Proxy) {
        let listen = own_address();
        let proxy = Proxy::start(ProxyOptions { fault, listen, ..ProxyOptions::new(self.address) }).unwrap();
        let id = format!("<{:06}@c.example>", NUMBER.fetch_add(1, Ordering::Relaxed));
        let message = format!("{BODY}Message-ID: {id}\r\n\r\n.dot\r\nand more\r\n");
        let mut options = Options::default();
        options.servers = vec![listen.ip().to_string()];
        options.ports = vec![proxy.port()];
        options.client = Some("c.example".to_owned());
        options.recipients = Some("b@s.example, bad@s.example, d@s.example".into());
        options.atleastone = true;
        options.usetls = false;
        options.lmtp = self.lmtp;
        (options.pipelining, options.chunking) = self.ways;
        options.timeout = Some(Duration::from_secs(5));
        options.maxsecs = Duration::from_secs(5);
        options.commit = self.asked.as_ref().map(Asked::commit);
        let report = match sendmessage(&Message::from_bytes(message), &options) {
            Ok(report) => report,
            Err(failed) => *failed.report,
        };
        (report, id, proxy)
    }

    /// What the server has of a message: nothing, or once, never twice.
    fn stored(&self, id: &str) -> usize {
        let messages = self.sink.messages();
        messages.iter().filter(|m| m.content.windows(id.len()).any(|w| w == id.as_bytes())).count()
    }

    fn check(&self, fault: Fault) -> Result<Outcome, String> {
        let (report, id, proxy) = self.send(Some(fault));
        let relayed = proxy.wait(1, LIMIT);
        let stored = self.stored(&id);
        let outcome = report.recipients[2].outcome;
        if let Some(asked) = &self.asked {
            asked.check(&id, outcome, stored).map_err(|text| format!("{fault:?}: {text}"))?;
            let ends: &[u8] = if self.ways.1 == Chunking::On { b" LAST" } else { b"\r\n.\r\n" };
            let left = relayed.iter().any(|one| one.to_server.windows(ends.len()).any(|w| w == ends));
            if left && asked.times(&id)? == 0 {
                return Err(format!("{fault:?}: the end left, and {id} was not asked for"));
            }
        }
        let first = report.recipients[0].outcome;
        // Where the message begins for the server, and the final reply for the client.
        let window = self.ways.0 == Pipelining::Full;
        // No 354 stands between the last recipient and a BDAT.
        let begins: &[u8] = match self.ways {
            IN_A_WINDOW => b"MAIL FROM",
            BY_BDAT => b"RCPT TO:<d@",
            _ => b"From: a@c",
        };
        let content = find(&self.to_server, begins) as u64;
        let ending = match self.ways.1 {
            Chunking::On => find(&self.to_server, b"and more\r\n") as u64 + 10,
            _ => rfind(&self.to_server, b"\r\n.\r\n") as u64 + 5,
        };
        let before_final =
            if window { find(&self.to_client, b"250 2.1.0") } else { final_reply(&self.to_client) } as u64;
        let kinds = report.error.as_ref().map(|error| error.kind());
        let good = match outcome {
            Outcome::Accepted => stored == 1,
            // A server that hears half a command may still say so.
            Outcome::Rejected => {
                stored == 0 && fault.kind == FaultKind::HalfClose && fault.direction == Direction::ToServer
            }
            Outcome::NotSent => stored == 0,
            Outcome::Unknown => {
                kinds == Some(Kind::Unknown)
                    && match fault.direction {
                        Direction::ToServer => fault.at >= content,
                        Direction::ToClient => fault.at >= before_final || fault.at == 0,
                    }
            }
        };
        // LMTP answers for each recipient; SMTP for all at once, once the message was sent.
        let fate = |outcome| matches!(outcome, Outcome::Accepted | Outcome::Unknown).then_some(outcome);
        let alike =
            self.lmtp || [first, outcome].contains(&Outcome::Rejected) || fate(first) == fate(outcome);
        let whole = fault.direction == Direction::ToServer && fault.at < ending;
        if !good || !alike || (whole && stored > 0) || (!window && bad_is_wrong(&report)) {
            return Err(format!("{fault:?}: stored {stored}, {report:#?}"));
        }
        Ok(outcome)
    }
}

fn bad_is_wrong(report: &Report) -> bool {
    !matches!(report.recipients[1].outcome, Outcome::Rejected | Outcome::NotSent)
}

fn find(text: &[u8], word: &[u8]) -> usize {
    text.windows(word.len()).position(|w| w == word).unwrap()
}

fn rfind(text: &[u8], word: &[u8]) -> usize {
    text.windows(word.len()).rposition(|w| w == word).unwrap()
}

/// Where the first final reply begins.
fn final_reply(to_client: &[u8]) -> usize {
    rfind(&to_client[..find(to_client, b"queued")], b"\r\n") + 2
}

/// Three messages in one batch: each has its own outcome.
fn check_batch(scene: &Scene, fault: Option<Fault>) -> Result<(Vec<Outcome>, Proxy), String> {
    let listen = own_address();
    let proxy = Proxy::start(ProxyOptions { fault, listen, ..ProxyOptions::new(scene.address) }).unwrap();
    let mut options = Options::default();
    options.client = Some("c.example".to_owned());
    (options.pipelining, options.chunking) = scene.ways;
    options.timeout = Some(Duration::from_secs(5));
    options.maxsecs = Duration::from_secs(5);
    let ids: Vec<String> =
        (0..3).map(|_| format!("<{:06}@c.example>", NUMBER.fetch_add(1, Ordering::Relaxed))).collect();
    let messages =
        ids.iter().map(|id| Message::from_bytes(format!("{BODY}Message-ID: {id}\r\n\r\n.dot\r\n")));
    options.commit = scene.asked.as_ref().map(Asked::commit);
    let mut outcomes = Vec::new();
    let mut reports = Vec::new();
    if let Ok(mut session) = Session::open(&listen.ip().to_string(), proxy.port(), &options) {
        for result in session.send_many(messages) {
            let report = match result {
                Ok(report) => report,
                Err(failed) => *failed.report,
            };
            outcomes.push(report.recipients[0].outcome);
            reports.push(report);
        }
        session.close();
    } else {
        outcomes = vec![Outcome::NotSent; 3];
    }
    proxy.wait(1, LIMIT);
    for (id, outcome) in ids.iter().zip(&outcomes) {
        let stored = scene.stored(id);
        if let Some(asked) = &scene.asked {
            asked.check(id, *outcome, stored).map_err(|text| format!("{fault:?}: {text}"))?;
        }
        let good = match outcome {
            Outcome::Accepted => stored == 1,
            Outcome::NotSent => stored == 0,
            Outcome::Unknown => stored <= 1,
            // A server that hears half a command may still say so.
            Outcome::Rejected => stored == 0 && fault.is_some_and(|fault| fault.kind == FaultKind::HalfClose),
        };
        if !good {
            return Err(format!("{fault:?}: {id} {outcome:?}, stored {stored}: {reports:#?}"));
        }
    }
    // What is after an unknown message was never begun, or not ended, unless all are in one window.
    let unknown = outcomes.iter().filter(|outcome| **outcome == Outcome::Unknown).count();
    if unknown > 1 && scene.ways.0 != Pipelining::Full {
        return Err(format!("{fault:?}: {unknown} of a batch are unknown: {reports:#?}"));
    }
    Ok((outcomes, proxy))
}

#[test]
fn a_batch() {
    batch_at_every_octet(BY_DATA, [Outcome::Accepted, Outcome::Unknown, Outcome::NotSent]);
}

#[test]
fn a_batch_by_bdat() {
    batch_at_every_octet(BY_BDAT, [Outcome::Accepted, Outcome::Unknown, Outcome::NotSent]);
}

#[test]
fn a_batch_in_a_window() {
    batch_at_every_octet(IN_A_WINDOW, [Outcome::Accepted, Outcome::Unknown, Outcome::Unknown]);
}

fn batch_at_every_octet(ways: Ways, seldom: [Outcome; 3]) {
    batch_asking(ways, seldom, || None);
}

fn batch_asking(ways: Ways, seldom: [Outcome; 3], asked: fn() -> Option<Asked>) {
    let scene = Scene::asking(offering(ways), ways, asked());
    let (outcomes, proxy) = check_batch(&scene, None).unwrap();
    assert_eq!(outcomes, [Outcome::Accepted; 3]);
    let relayed = proxy.wait(1, LIMIT).remove(0);
    let (to_server, to_client) = (relayed.to_server.len() as u64, relayed.to_client.len() as u64);
    let mut cases = Vec::new();
    for kind in [FaultKind::Cut, FaultKind::Reset, FaultKind::HalfClose] {
        cases.extend((0..to_server).map(|at| Fault { kind, direction: Direction::ToServer, at }));
        cases.extend((0..to_client).map(|at| Fault { kind, direction: Direction::ToClient, at }));
    }
    let mut seen = Vec::new();
    // A sink of its own for each part: its record is searched for every message.
    for part in cases.chunks(500) {
        let scene = Scene::asking(offering(ways), ways, asked());
        seen.extend(everywhere(part.to_vec(), |fault| {
            check_batch(&scene, Some(fault)).map(|(seen, _)| seen)
        }));
    }
    assert!(seen.contains(&seldom.to_vec()), "nothing ended as {seldom:?}");
}

fn every_octet(options: SinkOptions, ways: Ways) {
    at_every_octet_of(&Scene::new(options, ways));
}

fn at_every_octet_of(scene: &Scene) {
    let mut cases = Vec::new();
    for kind in [FaultKind::Cut, FaultKind::Reset, FaultKind::HalfClose] {
        cases.extend((0..scene.to_server.len()).map(|at| (kind, Direction::ToServer, at as u64)));
        cases.extend((0..scene.to_client.len()).map(|at| (kind, Direction::ToClient, at as u64)));
    }
    let cases = cases.into_iter().map(|(kind, direction, at)| Fault { kind, direction, at }).collect();
    let outcomes = everywhere(cases, |fault| scene.check(fault));
    // A test in which nothing ever went wrong, or everything did, has tested nothing.
    for outcome in [Outcome::Accepted, Outcome::NotSent, Outcome::Unknown] {
        assert!(outcomes.contains(&outcome), "no case ended as {outcome:?}");
    }
}

/// Runs a check for every fault, several at once.
fn everywhere<T: Send>(cases: Vec<Fault>, check: impl Fn(Fault) -> Result<T, String> + Sync) -> Vec<T> {
    let cases = Mutex::new(cases);
    let good = Mutex::new(Vec::new());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let Some(fault) = cases.lock().unwrap().pop() else { break };
                    match check(fault) {
                        Ok(outcome) => good.lock().unwrap().push(outcome),
                        Err(text) => failures.lock().unwrap().push(text),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} failed\n{}",
        failures.len(),
        failures[..failures.len().min(3)].join("\n")
    );
    good.into_inner().unwrap()
}

fn rejecting() -> SinkOptions {
    let mut options = SinkOptions::default();
    options.reject("bad*=550 5.1.1 no such user").unwrap();
    options
}

fn offering(ways: Ways) -> SinkOptions {
    SinkOptions { chunking: ways.1 == Chunking::On, ..rejecting() }
}

fn committed() -> Option<Asked> {
    Some(Asked::default())
}

#[test]
fn smtp_with_a_commit() {
    at_every_octet_of(&Scene::asking(rejecting(), BY_DATA, committed()));
}

#[test]
fn smtp_by_bdat_with_a_commit() {
    at_every_octet_of(&Scene::asking(offering(BY_BDAT), BY_BDAT, committed()));
}

#[test]
fn smtp_by_bdat_in_a_window_with_a_commit() {
    at_every_octet_of(&Scene::asking(offering(IN_A_WINDOW), IN_A_WINDOW, committed()));
}

#[test]
fn a_batch_with_a_commit() {
    batch_asking(BY_DATA, [Outcome::Accepted, Outcome::Unknown, Outcome::NotSent], committed);
}

#[test]
fn a_batch_in_a_window_with_a_commit() {
    batch_asking(IN_A_WINDOW, [Outcome::Accepted, Outcome::Unknown, Outcome::Unknown], committed);
}

#[test]
fn smtp_by_bdat() {
    every_octet(offering(BY_BDAT), BY_BDAT);
}

#[test]
fn smtp_by_bdat_in_a_window() {
    every_octet(offering(IN_A_WINDOW), IN_A_WINDOW);
}

#[test]
fn lmtp_by_bdat() {
    every_octet(SinkOptions { lmtp: true, ..offering(BY_BDAT) }, BY_BDAT);
}

#[test]
fn smtp_with_pipelining() {
    every_octet(rejecting(), BY_DATA);
}

#[test]
fn smtp_without_pipelining() {
    every_octet(SinkOptions { pipelining: false, ..rejecting() }, BY_DATA);
}

#[test]
fn lmtp() {
    every_octet(SinkOptions { lmtp: true, ..rejecting() }, BY_DATA);
}
