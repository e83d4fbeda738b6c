//! Calls that a function of the caller's ends while the call is at work: nothing more is said to the server, whatever the
//! function answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use smtpclient::cancel::Cancel;
use smtpclient::conversation::{Action, Driven};
use smtpclient::engine::Direction;
use smtpclient::error::Kind;
use smtpclient::message::{Message, Reader};
use smtpclient::net::{Connection, Limits, Mailer, delivery, sendmessage};
use smtpclient::options::{Dialler, Options, TlsAnswer, TlsPolicy};
use smtpclient::report::{Outcome, Report};

/// Takes one connection, refuses STARTTLS, takes all else, and gives the lines that it heard.
fn server() -> (u16, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut out, _) = listener.accept().unwrap();
        out.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let input = BufReader::new(out.try_clone().unwrap());
        let (mut heard, mut content) = (Vec::new(), false);
        out.write_all(b"220 s.example\r\n").unwrap();
        for line in input.lines() {
            let Ok(line) = line else { break };
            let reply: &[u8] = match line.get(..4).unwrap_or_default() {
                _ if content && line != "." => b"",
                "EHLO" => b"250-s.example\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
                "STAR" => b"454 4.7.0 not now\r\n",
                "AUTH" => b"235 2.7.0 welcome\r\n",
                "DATA" => b"354 go on\r\n",
                "QUIT" => b"221 2.0.0 bye\r\n",
                _ => b"250 2.0.0 ok\r\n",
            };
            content = line == "DATA" || (content && line != ".");
            heard.push(line);
            if out.write_all(reply).is_err() {
                break;
            }
        }
        heard
    });
    (port, thread)
}

/// Gives a message whose second read, that of its body, may do something.
struct Body(Arc<dyn Fn(&str) + Send + Sync>, usize);

impl Reader for Body {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let pieces: [&[u8]; 3] = [b"From: a@c.example\nTo: b@d.example\n\n", b"the body\n", b""];
        if self.1 == 1 {
            (self.0)("body");
        }
        let piece = pieces[self.1.min(2)];
        self.1 += 1;
        buffer[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

type Way = fn(&Message, &Options) -> Report;

fn blocking(message: &Message, options: &Options) -> Report {
    match sendmessage(message, options) {
        Ok(report) => report,
        Err(failed) => *failed.report,
    }
}

fn watched(message: &Message, options: &Options) -> Report {
    let mut delivery = delivery(message, options).unwrap();
    let mut connection = Connection::new(options).unwrap();
    while delivery.action() != Action::Done {
        connection.turn(&mut delivery);
        std::thread::sleep(Duration::from_millis(1));
    }
    delivery.report().clone()
}

fn queued(message: &Message, options: &Options) -> Report {
    let mailer = Mailer::new(options).unwrap();
    mailer.submit(message, None).unwrap();
    let mut reports = mailer.reports(Duration::from_secs(20), 1);
    mailer.close(Duration::ZERO).unwrap();
    reports.pop().unwrap().1
}

/// What the server heard where the call is ended at this place, and what the call came to.
fn ended_at(place: &'static str, way: Way) -> (Vec<String>, Report) {
    let (port, thread) = server();
    let cancel = Cancel::new();
    let reached = Arc::new(AtomicUsize::new(0));
    let end: Arc<dyn Fn(&str) + Send + Sync> = {
        let (cancel, reached) = (cancel.clone(), Arc::clone(&reached));
        Arc::new(move |here| {
            if here == place && reached.fetch_add(1, Ordering::SeqCst) == 0 {
                cancel.trigger();
            }
        })
    };
    let mut options = Options::default();
    options.servers = vec![format!("127.0.0.1:{port}")];
    options.client = Some("c.example".to_owned());
    options.username = Some("ann".to_owned());
    options.set("password", "secret").unwrap();
    options.authinsecure = true;
    options.cancel = Some(cancel);
    let ask = Arc::clone(&end);
    options.tlspolicy = TlsPolicy::Ask(Arc::new(move |_, _| {
        ask("policy");
        TlsAnswer::Insecure
    }));
    let hear = Arc::clone(&end);
    options.transcript = Some(Arc::new(move |direction, line| {
        let word = line.get(..4).unwrap_or(line);
        hear(&format!("{} {word}", if direction == Direction::Client { "C" } else { "S" }));
    }));
    let report = way(&Message::from_reader(Body(end, 0)), &options);
    assert_eq!(reached.load(Ordering::SeqCst) > 0, !place.is_empty(), "{place}");
    (thread.join().unwrap(), report)
}

#[test]
fn nothing_is_said_after_a_callback_has_ended_the_call() {
    for (name, way) in [("blocking", blocking as Way), ("watched", watched), ("queued", queued)] {
        let (whole, report) = ended_at("", way);
        assert!(report.complete(), "{report:?}");
        assert!(whole.iter().any(|line| line.starts_with("AUTH PLAIN ")), "{whole:?}");
        for (place, last) in [
            ("S 220 ", ""),
            ("C EHLO", ""),
            ("S 250-", "EHLO"),
            ("C STAR", "EHLO"),
            ("S 454 ", "STARTTLS"),
            ("policy", "STARTTLS"),
            ("C AUTH", "STARTTLS"),
            ("S 235 ", "AUTH"),
            ("C MAIL", "AUTH"),
            ("C RCPT", "MAIL"),
            ("C DATA", "RCPT"),
            ("S 354 ", "DATA"),
            ("body", "DATA"),
        ] {
            let (heard, report) = ended_at(place, way);
            assert!(heard.last().map_or("", String::as_str).starts_with(last), "{name}, {place}: {heard:?}");
            assert_eq!(heard.is_empty(), last.is_empty(), "{name}, {place}: {heard:?}");
            assert_eq!(
                report.error.as_ref().map(|error| error.kind()),
                Some(Kind::Cancelled),
                "{name}, {place}: {report:?}"
            );
        }
    }
}

/// Whoever watches a connection is not held up by a function that does not keep to its time, does not ask more often than
/// the time is over, and tries no other server.
#[test]
fn a_dialler_that_does_not_return_is_left_behind_at_the_deadline() {
    let (release, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let mut options = Options::default();
    options.servers = vec!["one.invalid".to_owned(), "two.invalid".to_owned()];
    options.client = Some("c.example".to_owned());
    options.dialler = Some(Dialler::new(move |_| -> Result<std::net::TcpStream, &str> {
        let _ = waits.lock().unwrap().recv();
        Err("too late")
    }));
    options.deadline = Some(Duration::from_millis(50));
    let message = Message::from_bytes("From: a@c.example\nTo: b@d.example\n\nHello.\n");
    let mut delivery = delivery(&message, &options).unwrap();
    let mut connection = Connection::new(&options).unwrap();
    connection.set_limits(Limits::begin(&options));
    let mut turns = 0;
    while delivery.action() != Action::Done {
        connection.turn(&mut delivery);
        if let Some(left) = connection.timeout(&mut delivery, Instant::now()) {
            std::thread::sleep(left);
        }
        turns += 1;
        assert!(turns < 10, "it spins, or waits for the function");
    }
    let report = delivery.report();
    let error = report.error.as_ref().unwrap();
    assert_eq!((error.kind(), error.text()), (Kind::Timeout, "the deadline of the whole call has passed"));
    assert_eq!((report.attempts.len(), report.recipients[0].outcome), (1, Outcome::NotSent), "{report:?}");
    drop(release);
}
