//! Nothing takes time that grows faster than what it is given: four times as much takes some four times as long, and
//! with anything quadratic sixteen times. What counts is the time of the processor, so that others on the machine do not.

#![allow(clippy::unwrap_used, clippy::panic)]

use smtpclient::command::{ClientName, ForwardPath, Mail, Rcpt, RcptParameters};
use smtpclient::content::Once;
use smtpclient::engine::{Config, Engine, Event, Transaction};
use smtpclient::envelope::{Envelope, Local};
use smtpclient::message::{HeaderMode, Message};
use smtpclient::options::Options;

/// Between four and sixteen, and a moment for what does not grow.
const MOST: u64 = 9;
const MOMENT: u64 = 2_000_000;

/// Does the work for `most`, and for a quarter of it, some times each; the shortest counts.
fn grows_as_given(most: usize, work: impl Fn(usize)) {
    let best = |count| {
        let spent = (0..3).map(|_| {
            let begin = nanoseconds();
            work(count);
            nanoseconds() - begin
        });
        spent.min().unwrap()
    };
    let (part, whole) = (best(most / 4), best(most));
    assert!(whole < MOST * part + MOMENT, "{} took {part} ns, and {most} took {whole} ns", most / 4);
}

/// What this thread had of a processor.
fn nanoseconds() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn greeted() -> Engine {
    let mut engine = Engine::new(Config::new(ClientName::parse("client.example").unwrap()));
    engine.handle_input(b"220 server\r\n");
    engine.hello();
    drain(&mut engine);
    engine.handle_input(b"250-server\r\n250 PIPELINING\r\n");
    while engine.poll_event().is_some() {}
    engine
}

fn drain(engine: &mut Engine) -> Vec<u8> {
    let mut written = Vec::new();
    loop {
        let output = engine.poll_output();
        let count = output.len();
        if count == 0 {
            return written;
        }
        written.extend_from_slice(output);
        engine.output_done(count);
    }
}

fn transaction(recipients: usize) -> Transaction {
    let rcpt = |n| Rcpt {
        path: ForwardPath::new(&format!("user{n}@example.test")).unwrap(),
        parameters: RcptParameters::default(),
    };
    let content = Box::new(Once::new(Box::new(&b"Subject: x\r\n\r\nx\r\n"[..])));
    let mut transaction = Transaction::new(Mail::default(), (0..recipients).map(rcpt).collect(), content);
    transaction.at_least_one = true;
    transaction
}

/// Answers everything that is written until nothing is.
fn serve(engine: &mut Engine) {
    loop {
        let written = drain(engine);
        let mut replies = Vec::new();
        for line in written.split_inclusive(|octet| *octet == b'\n') {
            match line {
                b"DATA\r\n" => replies.extend_from_slice(b"354 go on\r\n"),
                b".\r\n" | [b'M', b'A', b'I', b'L', ..] | [b'R', b'C', b'P', b'T', ..] => {
                    replies.extend_from_slice(b"250 2.0.0 Ok: queued as 1\r\n");
                }
                _ => {}
            }
        }
        if replies.is_empty() {
            return;
        }
        engine.handle_input(&replies);
    }
}

#[test]
fn many_recipients() {
    grows_as_given(40_000, |count| {
        let mut engine = greeted();
        engine.send(transaction(count));
        serve(&mut engine);
        let Some(Event::Sent(_, report)) = engine.poll_event() else { panic!("{engine:?}") };
        assert!(report.complete());
        assert_eq!(report.recipients.len(), count);
    });
}

#[test]
fn many_transactions() {
    grows_as_given(20_000, |count| {
        let mut engine = greeted();
        for _ in 0..count {
            engine.send(transaction(1));
        }
        serve(&mut engine);
        let sent = std::iter::from_fn(|| engine.poll_event()).filter(|event| match event {
            Event::Sent(_, report) => report.complete(),
            _ => false,
        });
        assert_eq!(sent.count(), count);
    });
}

#[test]
fn many_transactions_that_fail_at_once() {
    grows_as_given(40_000, |count| {
        let mut engine = greeted();
        for _ in 0..count {
            engine.send(transaction(1));
        }
        drain(&mut engine);
        engine.handle_eof();
        assert_eq!(std::iter::from_fn(|| engine.poll_event()).count(), count);
    });
}

#[test]
fn a_long_reply_octet_by_octet() {
    let line = format!("250-{}\r\n", "x".repeat(120));
    grows_as_given(480, |count| {
        let reply = line.repeat(count) + "250 end\r\n";
        for _ in 0..10 {
            let mut engine = greeted();
            engine.hello();
            drain(&mut engine);
            reply.as_bytes().chunks(1).for_each(|octet| engine.handle_input(octet));
            assert!(matches!(engine.poll_event(), Some(Event::Reply(..))));
        }
    });
}

#[test]
fn many_addresses_and_fields() {
    let local = Local { host: || "host.example".into(), user: || "user".into(), now: jiff::Zoned::default };
    grows_as_given(20_000, |count| {
        let addresses: Vec<String> = (0..count).map(|n| format!("User {n} <user{n}@example.test>")).collect();
        let fields: String = (0..count / 4).map(|n| format!("X-Field-{n}: value\r\n")).collect();
        let text = format!("From: a@b.example\r\nTo: {}\r\n{fields}\r\nbody\r\n", addresses.join(",\r\n "));
        let message = Message::from_bytes(text);
        let envelope = Envelope::derive(&message, &Options::default(), &local).unwrap();
        assert_eq!(envelope.recipients.len(), count);
        message.prepare(&envelope.edits).unwrap();
        assert_eq!(message.header_names().unwrap().len(), count / 4 + 2);
    });
}

#[test]
fn many_fields_that_are_set() {
    grows_as_given(40_000, |count| {
        for mut message in [Message::text("body"), Message::from_bytes("From: a@b.example\r\n\r\nbody\r\n")] {
            for n in 0..count {
                message.set_header(&format!("X-Field-{n}"), "old", HeaderMode::Write).unwrap();
            }
            for n in 0..count {
                message.set_header(&format!("x-field-{n}"), "new", HeaderMode::Write).unwrap();
            }
            let fields = message.header_fields().unwrap();
            assert_eq!(fields.iter().filter(|(_, value)| value == "new").count(), count);
            for n in 0..count {
                message.set_header(&format!("X-Field-{n}"), "", HeaderMode::Delete).unwrap();
            }
            assert!(message.header("X-Field-1").unwrap().is_empty());
            message.prepare(&smtpclient::message::Edits::default()).unwrap();
        }
    });
}

/// As many fields as a header section may have, of one name and of many, and all Resent-, with every accessor once.
#[test]
fn a_hostile_header_section() {
    let local = Local { host: || "host.example".into(), user: || "user".into(), now: jiff::Zoned::default };
    for name in
        [|_| "A".to_owned(), |n| format!("X{n}"), |n| format!("Resent-{n}"), |_| "Resent-To".to_owned()]
    {
        grows_as_given(60_000, |count| {
            let fields: String = (0..count).map(|n| format!("{}: a@b.example\n", name(n))).collect();
            let text = format!("Resent-To: a@b.example\nFrom: a@b.example\n{fields}\nbody\n");
            let mut message = Message::from_bytes(text);
            assert!(message.header_names().unwrap().len() >= 2);
            assert_eq!(message.header("From").unwrap().len(), 1);
            assert!(message.header_fields().unwrap().len() > count);
            message.set_header("From", "c@d.example", HeaderMode::Write).unwrap();
            let envelope = Envelope::derive(&message, &Options::default(), &local).unwrap();
            message.prepare(&envelope.edits).unwrap();
            assert!(message.size().unwrap().is_some());
        });
    }
}

/// The same with lines that are not fields, with skipped ones and with nothing but line ends.
#[test]
fn a_hostile_front() {
    for line in ["From a\n", "\n", "\r", "no field\n", " \n", "\u{feff}\n", "x\u{fc}: y\n"] {
        grows_as_given(100_000, |count| {
            let text = line.repeat(count);
            for end in ["", "A: b\n\n"] {
                let message = Message::from_bytes(format!("{text}{end}"));
                let _ = message.header_names();
                let _ = message.size();
            }
        });
    }
}
