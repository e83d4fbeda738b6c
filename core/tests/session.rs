//! Sessions over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use scripted_server::sink::{Sink, SinkOptions, Stored};
use smtpclient::cancel::Cancel;
use smtpclient::command::{ForwardPath, Mail, MailParameters, Rcpt, RcptParameters, ReversePath};
use smtpclient::error::{Kind, Step};
use smtpclient::message::Message;
use smtpclient::net::{Session, sendmessage};
use smtpclient::options::{Options, Pipelining};
use smtpclient::report::Outcome;

fn sink(options: SinkOptions) -> Sink {
    Sink::start(SinkOptions { keep: true, ..options }).unwrap()
}

fn options() -> Options {
    let mut options = Options::default();
    options.client = Some("c.example".to_owned());
    options
}

fn open(sink: &Sink) -> Session {
    Session::open("127.0.0.1", sink.port(), &options()).unwrap()
}

fn mail(from: &str) -> Mail {
    Mail { path: ReversePath::new(from).unwrap(), parameters: MailParameters::default() }
}

fn rcpt(to: &str) -> Rcpt {
    Rcpt { path: ForwardPath::new(to).unwrap(), parameters: RcptParameters::default() }
}

#[test]
fn verb_by_verb() {
    let sink = sink(SinkOptions::default());
    let mut session = open(&sink);
    assert_eq!(session.greeting().unwrap().code(), 220);
    assert_eq!(session.helo(None).unwrap().code(), 250);
    assert_eq!(session.mail(mail("a@c.example")).unwrap().code(), 250);
    assert_eq!(session.rcpt(rcpt("b@s.example")).unwrap().code(), 250);
    let report = session.data(Box::new(&b"Subject: x\n\n.dot\n"[..])).unwrap();
    assert_eq!(report.reply.unwrap().code(), 250);
    assert_eq!(session.noop().unwrap().code(), 250);
    assert_eq!(session.rset().unwrap().code(), 250);
    assert_eq!(session.quit().unwrap().code(), 221);
    assert!(!session.is_open());
    assert_eq!(session.noop().unwrap_err().kind(), Kind::Closed);
    assert_eq!(sink.messages()[0].content, b"Subject: x\r\n\r\n.dot\r\n");
}

#[test]
fn what_a_caller_asks_for_is_said_by_itself() {
    let sink = sink(SinkOptions::default());
    let mut session = open(&sink);
    assert!(session.server_options().unwrap().pipelining());
    assert!(session.auth_types().unwrap().is_empty());
    let report = session
        .send(
            "A <a@c.example>",
            "b@s.example",
            "Team: c@s.example, d@s.example;",
            "e@s.example",
            "Grüße",
            "Hellö\n".as_bytes(),
        )
        .unwrap();
    assert!(report.complete());
    assert_eq!(report.recipients.len(), 4);
    session.close();
    let stored = sink.messages().remove(0);
    let text = String::from_utf8(stored.content).unwrap();
    assert!(text.contains("From: A <a@c.example>\r\n") && text.contains("Cc: Team: c@s.example"), "{text}");
    assert!(!text.contains("e@s.example") && !text.to_ascii_lowercase().contains("\nbcc:"), "{text}");
    assert!(text.contains("\r\nSubject: =?utf-8?") && text.contains("\r\nDate: "), "{text}");
    assert!(stored.envelope.iter().any(|line| line.starts_with("RCPT TO:<e@s.example>")));
}

#[test]
fn finished_content_is_told_by_its_own_header() {
    let sink = sink(SinkOptions::default());
    let mut session = open(&sink);
    let content = b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n";
    assert!(session.send("a@c.example", "b@s.example", "", "", "x", content).unwrap().complete());
    let text = String::from_utf8(sink.messages().remove(0).content).unwrap();
    assert!(text.ends_with("MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n"), "{text}");
    let error = session.send("a@c.example", "b@s.example", "", "", "x", b"\xff").unwrap_err();
    assert_eq!(error.error.kind(), Kind::Usage);
    assert!(session.is_open());
}

#[test]
fn many_messages_on_one_session_and_one_message_many_times() {
    let mut rejecting = SinkOptions::default();
    rejecting.reject("bad*=550 5.1.1 no such user").unwrap();
    let sink = sink(rejecting);
    let mut session = open(&sink);
    let token =
        Message::from_bytes("From: a@c.example\nTo: b@s.example, bad@s.example\nMessage-ID: <1@c>\n\nHi\n");
    for at_least_one in [true, false, true, false, true] {
        let mut options = options();
        options.atleastone = at_least_one;
        let result = session.send_message(&token, &options);
        assert_eq!(result.is_ok(), at_least_one);
        let report = result.unwrap_or_else(|failed| {
            assert_eq!(failed.error.kind(), Kind::Recipients);
            *failed.report
        });
        assert_eq!(report.sent(), at_least_one);
        assert_eq!(report.refused().count(), 1);
        assert_eq!(report.error, None);
    }
    session.close();
    assert_eq!(sink.count(), 3);
}

#[test]
fn a_batch_is_reported_message_by_message() {
    let mut rejecting = SinkOptions::default();
    rejecting.reject("bad*=550 5.1.1 no such user").unwrap();
    for pipelining in [true, false] {
        let sink = sink(SinkOptions { pipelining, ..rejecting.clone() });
        let mut session = open(&sink);
        let messages = (0..100).map(|n| {
            let to = if n % 10 == 3 { "bad@s.example" } else { "b@s.example" };
            let to = if n == 50 { "no address" } else { to };
            Message::from_bytes(format!("From: a@c.example\nTo: {to}\nMessage-ID: <{n}@c>\n\nnumber {n}\n"))
        });
        let results: Vec<_> = session.send_many(messages).collect();
        session.close();
        assert_eq!(results.len(), 100);
        for (n, result) in results.iter().enumerate() {
            match result {
                Ok(report) => assert!(report.complete() && n % 10 != 3 && n != 50, "{n}"),
                Err(failed) if n == 50 => assert_eq!(failed.error.kind(), Kind::Usage, "{failed}"),
                Err(failed) => {
                    assert!(n % 10 == 3 && failed.error.kind() == Kind::Recipients, "{n}: {failed}")
                }
            }
        }
        let stored = sink.messages();
        assert_eq!(stored.len(), 89);
        assert!(stored.windows(2).all(|two| two[0].number < two[1].number));
        assert!(String::from_utf8_lossy(&stored[88].content).ends_with("number 99\r\n"));
    }
}

#[test]
fn an_adopted_socket() {
    let sink = sink(SinkOptions::default());
    let stream = TcpStream::connect(("127.0.0.1", sink.port())).unwrap();
    let mut session = Session::adopt(stream, "s.example", &options()).unwrap();
    assert!(session.send("a@c.example", "b@s.example", "", "", "x", b"Hi").unwrap().complete());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = Session::adopt(listener, "s.example", &options()).err().unwrap();
    assert_eq!(error.kind(), Kind::Usage);
}

/// A server that greets, then says nothing any more.
fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        io::Write::write_all(&mut stream, b"220 s\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    address
}

#[test]
fn a_cancel_from_another_thread_ends_a_call() {
    let address = silent();
    let cancel = Cancel::new();
    let mut options = options();
    options.cancel = Some(cancel.clone());
    let mut session = Session::open("127.0.0.1", address.port(), &options).unwrap();
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        cancel.trigger();
    });
    let start = Instant::now();
    let error = session.ehlo(None).unwrap_err();
    other.join().unwrap();
    assert_eq!((error.kind(), error.step()), (Kind::Cancelled, Step::Hello));
    assert!(start.elapsed() < Duration::from_secs(5), "the time-out of EHLO is five minutes");
    assert!(!session.is_open());
}

#[test]
fn a_cancel_while_the_server_is_silent_is_told_by_the_report() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let cancel = Cancel::new();
    let mut options = options();
    options.servers = vec![listener.local_addr().unwrap().to_string(), "127.0.0.1:1".to_owned()];
    options.originator = Some("a@c.example".to_owned());
    options.recipients = Some("b@s.example".into());
    options.cancel = Some(cancel.clone());
    let other = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"220 s.example ready\r\n").unwrap();
        assert_ne!(peer.read(&mut [0; 100]).unwrap(), 0, "EHLO");
        cancel.trigger();
        peer
    });
    let failed = sendmessage(&Message::text("x"), &options).unwrap_err();
    other.join().unwrap();
    assert_eq!((failed.error.kind(), failed.error.step()), (Kind::Cancelled, Step::Hello));
    assert_eq!(failed.report.attempts.len(), 1);
}

#[test]
fn a_deadline_ends_a_call_whatever_the_server_does() {
    let mut options = options();
    options.deadline = Some(Duration::from_millis(200));
    options.servers = vec!["127.0.0.1".to_owned(), "127.0.0.1".to_owned()];
    options.ports = vec![silent().port(), silent().port()];
    let message = Message::from_bytes("From: a@c.example\nTo: b@s.example\n\nHi\n");
    let failed = sendmessage(&message, &options).unwrap_err();
    assert_eq!(failed.error.kind(), Kind::Timeout);
    assert!(failed.error.text().contains("deadline"), "{failed}");
    assert_eq!(failed.report.attempts.len(), 1, "no further server is tried");
    assert_eq!(failed.report.recipients[0].outcome, Outcome::NotSent);
}

/// Produces so many octets and counts what was asked for.
struct Endless(u64);

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = buf.len().min(usize::try_from(self.0).unwrap());
        buf[..n].fill(b'x');
        for line in buf[..n].chunks_mut(64) {
            *line.last_mut().unwrap() = b'\n';
        }
        self.0 -= n as u64;
        Ok(n)
    }
}

#[test]
fn a_reader_is_streamed_and_serves_once() {
    let sink = Sink::start(SinkOptions::default()).unwrap();
    let header = &b"From: a@c.example\nTo: b@s.example\n\n"[..];
    let token = Message::from_read(header.chain(Endless(32 << 20)));
    let mut options = options();
    options.servers = vec!["127.0.0.1".to_owned()];
    options.ports = vec![sink.port()];
    let report = sendmessage(&token, &options).unwrap();
    assert!(report.complete());
    assert!(report.octets > 32 << 20);
    let failed = sendmessage(&token, &options).unwrap_err();
    assert_eq!(failed.error.kind(), Kind::Source);
    assert_eq!(sink.count(), 1);
}

/// Fails in the middle.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the disk is gone"));
        }
        let n = buf.len().min(self.0);
        buf[..n].fill(b'\n');
        self.0 -= n;
        Ok(n)
    }
}

#[test]
fn a_reader_that_fails_midway_completes_nothing() {
    for length in [0, 10, 1 << 20] {
        let sink = sink(SinkOptions::default());
        let header = &b"From: a@c.example\nTo: b@s.example\n\n"[..];
        let mut session = open(&sink);
        let token = Message::from_read(header.chain(Broken(length)));
        let failed = session.send_message(&token, &options()).unwrap_err();
        assert_eq!(failed.error.kind(), Kind::Source, "{failed}");
        assert!(failed.error.text().contains("the disk is gone"), "{failed}");
        assert_eq!(
            failed.report.recipients.first().map_or(Outcome::NotSent, |r| r.outcome),
            Outcome::NotSent
        );
        drop(session);
        assert_eq!(sink.count(), 0);
    }
}

/// 200 groups, each of them held back by 40 ms where acknowledgements are put off.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only on Linux are replies acknowledged at once")]
fn a_server_that_waits_for_acknowledgements_is_no_slower_with_groups() {
    const MESSAGES: usize = 200;
    let timed = |pipelining| {
        let sink = sink(SinkOptions { nagle: true, ..SinkOptions::default() });
        let mut options = options();
        options.pipelining = pipelining;
        let mut session = Session::open("127.0.0.1", sink.port(), &options).unwrap();
        let message = |number| {
            let text = format!("From: a@c.example\r\nTo: b@s.example\r\nSubject: {number}\r\n\r\nText.\r\n");
            Message::from_bytes(text)
        };
        let begin = Instant::now();
        for report in session.send_many((0..MESSAGES).map(message)) {
            assert!(report.unwrap().complete());
        }
        let took = begin.elapsed();
        session.quit().unwrap();
        let subject = |(number, stored): (usize, &Stored)| {
            let content = String::from_utf8_lossy(&stored.content);
            assert!(content.contains(&format!("Subject: {number}\r\n")), "{number}: {content}");
        };
        let stored = sink.messages();
        assert_eq!(stored.len(), MESSAGES);
        stored.iter().enumerate().for_each(subject);
        took
    };
    let (groups, single) = (timed(Pipelining::Rfc), timed(Pipelining::Off));
    println!("{:.2} of the time without", groups.as_secs_f64() / single.as_secs_f64());
    // A busy machine makes both slow; 8 s more would be the acknowledgements.
    assert!(groups < 5 * single + Duration::from_secs(3), "{groups:?}, {single:?} without");
}
