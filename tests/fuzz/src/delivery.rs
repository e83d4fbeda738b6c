//! A whole delivery, TLS and login and all, against servers that answer plausibly and then do not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arbitrary::Unstructured;
use smtpclient::conversation::{Action, Conversation, Driven, Ends};
use smtpclient::delivery::Delivery;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::message::Message;
use smtpclient::net::local;
use smtpclient::options::Options;
use smtpclient::report::Outcome;

use super::server::{LAST, Library, Server, assert_no_secret, find, odd, options};

/// How often a recipient was accepted, rejected, not sent and unknown: a target that never gets far tests nothing.
pub(crate) static SEEN: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// More than any delivery takes: each step takes an octet at least, or ends something.
const STEPS: usize = 50_000;

/// It ends; what it reports is what the servers know; and it says nothing that it must not.
pub(crate) fn delivery(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(mut options) = options(&mut bytes) else { return };
    let _ = run(&mut bytes, &mut options);
}

fn run(bytes: &mut Unstructured<'_>, options: &mut Options) -> arbitrary::Result<()> {
    let servers = bytes.int_in_range(1..=3)?;
    options.servers = (0..servers).map(|n| format!("s{n}.example")).collect();
    let recipients = bytes.int_in_range(1..=4)?;
    let list: Vec<_> = (0..recipients).map(|n| format!("r{n}@s.example")).collect();
    options.recipients = Some(list.join(", ").into());
    let loopback = bytes.ratio(1, 8)?;
    let lines = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&lines);
    options.transcript = Some(Arc::new(move |_, line| noted.lock().unwrap().push_str(line)));
    let filler = "x\r\n".repeat(bytes.int_in_range(0..=100)?);
    let message = Message::from_bytes(format!("From: a@c.example\r\n\r\n.dot\r\n{filler}{LAST}\r\n"));
    let mut delivery = Delivery::new(&message, options.clone(), &local(), Some(Library::shared())).unwrap();
    let mut seen: Vec<Server> = Vec::new();
    let mut waiting = Vec::new();
    for step in 0..STEPS {
        match delivery.action() {
            Action::Done => break,
            Action::Dial(server) => {
                let (lmtp, first) = (options.lmtp, server.tls);
                if odd(bytes)? {
                    delivery.connect_failed(Error::new(Kind::Connect, Step::Connect, "refused"));
                    continue;
                }
                delivery.connected(Ends { loopback, ..Ends::default() });
                let (server, said) = Server::greet(lmtp, first, bytes)?;
                seen.push(server);
                waiting = said;
            }
            Action::Exchange => exchange(&mut delivery, seen.last_mut().unwrap(), &mut waiting, bytes)?,
        }
        assert!(step + 1 < STEPS, "it does not end");
    }
    check(&delivery, &seen, options, loopback);
    assert_no_secret(lines.lock().unwrap().as_bytes());
    Ok(())
}

fn exchange(
    delivery: &mut Delivery,
    server: &mut Server,
    waiting: &mut Vec<u8>,
    bytes: &mut Unstructured<'_>,
) -> arbitrary::Result<()> {
    let output = delivery.poll_output();
    let length = output.len();
    // All of it, some of it, or all but the last octets: the end mark is cut.
    let taken = match bytes.int_in_range(0..=7)? {
        6 => bytes.int_in_range(0..=length)?,
        7 => length.saturating_sub(bytes.int_in_range(1..=5)?),
        _ => length,
    };
    let octets = output[..taken].to_vec();
    delivery.output_done(taken);
    waiting.extend(server.hears(&octets, bytes)?);
    let event = bytes.int_in_range(0..=63)?;
    if delivery.action() != Action::Exchange {
        return Ok(());
    }
    if event == 63 || (waiting.is_empty() && length == 0) {
        if bytes.arbitrary()? {
            delivery.handle_timeout();
        } else {
            delivery.handle_eof();
        }
        return Ok(());
    }
    if event == 62 {
        delivery.abort(Error::new(Kind::Cancelled, Step::Command, "cancelled"));
        return Ok(());
    }
    let most = if event < 40 { waiting.len() } else { bytes.int_in_range(0..=waiting.len())? };
    let piece: Vec<u8> = waiting.drain(..most).collect();
    if !piece.is_empty() {
        delivery.handle_input(&piece);
    }
    Ok(())
}

fn check(delivery: &Delivery, seen: &[Server], options: &Options, loopback: bool) {
    let report = delivery.report();
    let whole = seen.iter().filter(|server| server.has_whole()).count();
    assert!(whole <= 1, "offered to {whole} servers");
    let ended = report.recipients.iter().any(|recipient| recipient.step == Step::Final);
    for recipient in &report.recipients {
        SEEN[recipient.outcome as usize].fetch_add(1, Ordering::Relaxed);
        match recipient.outcome {
            Outcome::Accepted => {
                assert_eq!(whole, 1, "{report:?}");
                assert!(recipient.reply.as_ref().is_some_and(|reply| reply.is_success()), "{report:?}");
            }
            Outcome::Unknown => assert_eq!(whole, 1, "{report:?}"),
            // Those for whom the server had no room were to go in a further transaction, after one that came to its end.
            Outcome::NotSent => assert!(whole == 0 || (options.atleastone && ended), "{report:?}"),
            Outcome::Rejected => {
                assert!(recipient.reply.as_ref().is_some_and(|reply| reply.is_failure()), "{report:?}");
            }
        }
    }
    let unknown = report.error.as_ref().is_some_and(|error| error.kind() == Kind::Unknown);
    assert_eq!(unknown, report.unknown(), "{report:?}");
    assert!(report.error.is_some() || report.sent() || report.refused().next().is_some(), "{report:?}");
    for server in seen {
        let mail = find(&server.heard, b"MAIL FROM:");
        if !loopback {
            assert_no_secret(&server.plain);
        }
        if options.username.is_some() {
            assert!(server.welcomed || !mail, "without a login: {report:?}");
        }
        if options.tlsrequired || options.tlsimport {
            assert!(!find(&server.plain, b"MAIL FROM:"), "without TLS: {report:?}");
        }
    }
}
