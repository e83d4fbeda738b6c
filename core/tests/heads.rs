//! Header sections of real programs (tests/heads/mails.txt), with what may stand before them, and with broken lines: who is
//! asked for, which octets arrive, and that no blind address ever does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Read;

use proptest::prelude::*;
use scripted_server::sink::{Sink, SinkOptions};
use smtpclient::content::{Content, Transfer};
use smtpclient::envelope::{Envelope, Local};
use smtpclient::error::{Error, Kind};
use smtpclient::message::Message;
use smtpclient::net::sendmessage;
use smtpclient::options::Options;

const BLIND: [&str; 4] = ["bcc:", "dcc:", "resent-bcc:", "resent-dcc:"];

/// What may stand before the first field.
const FRONTS: [&str; 10] = [
    "",
    "\n",
    "\n\n\n",
    "From ann@a.example Mon Jan  1 12:00:00 2024\n",
    "From MAILER-DAEMON Mon Jan  1 12:00:00 2024\n>From ann Mon Jan  1 12:00:00 2024\n",
    ">From ann@a.example Mon Jan  1 12:00:00 2024 remote from host\n",
    "\u{feff}",
    "\u{feff}From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n",
    "\nFrom ann@a.example Mon Jan  1 12:00:00 2024\n\n",
    "From - Mon Jan 01 12:00:00 2024\n",
];

/// Lines that are not fields.
const BROKEN: [&str; 12] = [
    "X Broken: y",
    "X-Foo",
    ": x",
    "(comment) X: y",
    "My Header: x",
    "X\u{7}: y",
    "Grüße: y",
    "\u{a0}X: y",
    "Bcc carol@c.example",
    "From ann@a.example Mon Jan  1 12:00:00 2024",
    ">From ann",
    "--- a/file",
];

struct Mail {
    name: String,
    head: String,
    originator: String,
    recipients: Vec<String>,
}

fn mails() -> Vec<Mail> {
    let text = include_str!("heads/mails.txt");
    let mail = |text: &str| {
        let (name, rest) = text.split_once('\n').unwrap();
        let (head, rest) = rest.split_once(">> MAIL ").unwrap();
        let (originator, recipients) = rest.split_once("\n>> RCPT ").unwrap();
        Mail {
            name: name.to_owned(),
            head: head.replace("\\x20", " "),
            originator: originator.to_owned(),
            recipients: recipients.split_whitespace().map(str::to_owned).collect(),
        }
    };
    text.split("\n=== ").skip(1).map(mail).collect()
}

fn local() -> Local {
    let now = || jiff::civil::date(2026, 7, 4).at(5, 6, 7, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
    Local { host: || "local.example".to_owned(), user: || "login".to_owned(), now }
}

/// The lines that stay: all but those before the first field, and the blind ones with what is folded after them.
fn stays(head: &str) -> String {
    let mut blind = false;
    let mut out = String::new();
    let skip = |line: &&str| line.is_empty() || line.starts_with("From ") || line.starts_with(">From ");
    let is_field = |line: &str| line.split(':').next().is_some_and(|name| name.trim_end() == "From");
    let lines =
        head.trim_start_matches('\u{feff}').split('\n').skip_while(|line| skip(line) && !is_field(line));
    for line in lines.filter(|line| !line.is_empty()) {
        if !line.starts_with([' ', '\t']) {
            let start = line.to_ascii_lowercase().replacen([' ', '\t'], "", 1);
            blind = BLIND.iter().any(|name| start.starts_with(name));
        }
        if !blind {
            out.push_str(line);
            out.push_str("\r\n");
        }
    }
    out
}

/// The envelope, and the message as it leaves.
fn leaves(message: &[u8]) -> Result<(Envelope, Vec<u8>), Error> {
    let token = Message::from_bytes(message);
    let envelope = Envelope::derive(&token, &Options::default(), &local())?;
    let mut out = token.prepare(&envelope.edits)?;
    let mut transfer = Transfer::default();
    (transfer.eight_bit, transfer.utf8) = (true, out.needs_utf8());
    out.form(transfer)?;
    let mut octets = Vec::new();
    out.open(transfer)?.read_to_end(&mut octets).unwrap();
    Ok((envelope, octets))
}

#[test]
fn three_hundred_header_sections() {
    let mails = mails();
    assert!(mails.len() * FRONTS.len() >= 300, "{} mails", mails.len());
    for (n, mail) in mails.iter().enumerate() {
        for (front, end) in FRONTS.iter().zip(["\n", "\r\n", "\r"].iter().cycle().skip(n)) {
            let case = format!("{}, {front:?}, {end:?}", mail.name);
            let head = format!("{front}{}", mail.head);
            let message = format!("{head}\nBcc: this is text\n").replace('\n', end);
            let sink = Sink::start(SinkOptions { keep: true, ..SinkOptions::default() }).unwrap();
            let mut options = Options::default();
            options.servers = vec!["127.0.0.1".to_owned()];
            options.ports = vec![sink.port()];
            options.client = Some("c.example".to_owned());
            // The login name is this machine's.
            let envelope =
                Envelope::derive(&Message::from_bytes(message.clone()), &options, &local()).unwrap();
            assert_eq!(envelope.mail.path.as_str(), mail.originator, "{case}");
            options.originator = Some(mail.originator.clone());
            let _ = sendmessage(&Message::from_bytes(message), &options)
                .unwrap_or_else(|error| panic!("{case}: {error}"));
            let stored = sink.messages().pop().unwrap();
            let rcpt =
                stored.envelope.iter().skip(1).map(|line| line.replace("RCPT TO:<", "").replace('>', ""));
            assert_eq!(rcpt.collect::<Vec<_>>(), mail.recipients, "{case}");
            assert!(stored.envelope[0].starts_with(&format!("MAIL FROM:<{}>", mail.originator)), "{case}");
            let wanted = format!("{}\r\nBcc: this is text\r\n", stays(&head));
            let got = String::from_utf8(stored.content).unwrap();
            // What is added stands in front.
            let added =
                got.strip_suffix(&wanted).unwrap_or_else(|| panic!("{case}: {got:?}, not {wanted:?}"));
            for line in added.split_terminator("\r\n") {
                let (name, _) = line.split_once(": ").unwrap();
                assert!(["Date", "Message-ID", "From", "To"].contains(&name), "{case}: {line}");
                let own = format!("\n{}:", name.to_ascii_lowercase());
                assert!(!format!("\n{wanted}").to_ascii_lowercase().contains(&own), "{case}: {line}");
            }
        }
    }
}

#[test]
fn a_broken_line_anywhere_is_named() {
    for mail in mails() {
        let lines: Vec<&str> = mail.head.split_terminator('\n').collect();
        for (n, broken) in BROKEN.iter().enumerate() {
            let at = n % lines.len() + 1;
            // A line that is skipped would not be broken there.
            let at = if lines[0].starts_with("From ") { at.max(2) } else { at };
            let mut lines = lines.clone();
            lines.insert(at, broken);
            let message = lines.join("\n") + "\n\nHello\n";
            let error = leaves(message.as_bytes()).unwrap_err();
            let case = format!("{}: {error}", mail.name);
            assert_eq!(error.kind(), Kind::Usage, "{case}");
            assert!(error.text().contains(&format!("line {} ", at + 1)), "{case}");
            assert!(error.text().contains(&format!("{broken:?}")), "{case}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn no_blind_address_is_ever_on_the_wire(
        mail in 0usize..40, front in 0usize..10, end in 0usize..3,
        insertions in proptest::collection::vec((0usize..40, prop_oneof![
            proptest::sample::select(&BROKEN[..]).prop_map(str::to_owned),
            "[ -~]{1,20}",
            "\\PC{1,20}",
            "(Resent-)?[BD]cc ?: secret[0-9]@s\\.example",
            "[A-Za-z-]{1,12}: ?[a-z]{0,9}",
        ]), 0..5)
    ) {
        let mails = mails();
        let mail = &mails[mail % mails.len()];
        let head = format!("{}{}Bcc: secret@s.example, secret2@s.example\n", FRONTS[front], mail.head);
        let mut lines: Vec<String> = head.split_terminator('\n').map(str::to_owned).collect();
        for (at, line) in insertions {
            lines.insert(at % (lines.len() + 1), line);
        }
        let end = ["\n", "\r\n", "\r"][end];
        // What is after an empty line among the fields is text.
        let skipped = |line: &&String| {
            let line = line.trim_start_matches('\u{feff}');
            line.is_empty() || line.starts_with("From ") || line.starts_with(">From ")
        };
        let start = lines.iter().take_while(skipped).count();
        prop_assume!(lines[start..].iter().all(|line| !line.is_empty()));
        let message = lines.join(end) + end + end + "text" + end;
        if let Ok((envelope, octets)) = leaves(message.as_bytes()) {
            let wire = String::from_utf8_lossy(&octets).into_owned();
            prop_assert!(!wire.contains("secret"), "{message:?}\n{wire:?}");
            for line in wire.split(end) {
                prop_assert!(!BLIND.iter().any(|name| line.to_ascii_lowercase().starts_with(name)), "{message:?}");
            }
            prop_assert!(!envelope.recipients.is_empty());
        }
    }
}
