//! Functions that panic while a blocking call runs: an error of the message, and a session that can be used on.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use scripted_server::sink::{Sink, SinkOptions};
use smtpclient::command::{ForwardPath, Mail, MailParameters, Rcpt, RcptParameters, ReversePath};
use smtpclient::report::Outcome;
use smtpclient::{Commit, Kind, Message, Options, Ready, Session, sendmessage};

fn sink() -> Sink {
    Sink::start(SinkOptions { keep: true, ..SinkOptions::default() }).unwrap()
}

fn message(subject: &str) -> Message {
    Message::from_bytes(format!("From: a@c.example\nTo: b@s.example\nSubject: {subject}\n\nHello.\n"))
}

/// With a commit that panics the first time.
fn options(chunking: &str) -> Options {
    let mut options = Options::default();
    options.set("client", "c.example").unwrap();
    options.set("chunking", chunking).unwrap();
    options.set("reconnect", "1").unwrap();
    let called = AtomicBool::new(false);
    options.commit = Some(Commit::new(move |_: &[Ready]| {
        assert!(called.swap(true, Ordering::SeqCst), "on purpose");
        Ok::<_, String>(())
    }));
    options
}

fn subjects(sink: &Sink) -> Vec<String> {
    let subject = |content: &[u8]| {
        let content = String::from_utf8(content.to_vec()).unwrap();
        content.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned()
    };
    sink.messages().iter().map(|stored| subject(&stored.content)).collect()
}

#[test]
fn a_commit_that_panicked_withdraws_its_message() {
    for chunking in ["off", "on"] {
        let (sink, options) = (sink(), options(chunking));
        let mut session = Session::open("127.0.0.1", sink.port(), &options).unwrap();
        let failed = session.send_message(&message("withheld"), &options).unwrap_err();
        assert_eq!(
            (failed.error.kind(), failed.report.recipients[0].outcome),
            (Kind::Commit, Outcome::NotSent)
        );
        // Whatever is done next on the session does not send it.
        assert_eq!(session.noop().is_ok(), session.is_open());
        assert!(session.send_message(&message("next"), &options).unwrap().complete());
        session.close();
        assert_eq!(subjects(&sink), ["next"], "{chunking}");
    }
}

#[test]
fn each_message_of_a_batch_is_told_of() {
    for chunking in ["off", "on"] {
        let (sink, options) = (sink(), options(chunking));
        let mut session = Session::open("127.0.0.1", sink.port(), &options).unwrap();
        let told: Vec<_> = session.send_many(["0", "1", "2", "3"].map(message)).collect();
        assert_eq!(told.len(), 4);
        assert_eq!(told[0].as_ref().unwrap_err().error.kind(), Kind::Commit);
        let sent = told.iter().filter(|one| one.is_ok()).count();
        session.close();
        assert_eq!(subjects(&sink).len(), sent, "{chunking}");
        assert!(!subjects(&sink).contains(&"0".to_owned()), "{chunking}");
    }
}

#[test]
fn one_call_ends_in_an_error() {
    let (sink, mut options) = (sink(), options("auto"));
    options.set("servers", &format!("127.0.0.1:{}", sink.port())).unwrap();
    let failed = sendmessage(&message("withheld"), &options).unwrap_err();
    assert_eq!((failed.error.kind(), failed.report.recipients[0].outcome), (Kind::Commit, Outcome::NotSent));
    options.transcript = Some(Arc::new(|_, _| panic!("on purpose")));
    assert!(sendmessage(&message("told to nobody"), &options).unwrap().complete());
    assert_eq!(subjects(&sink), ["told to nobody"]);
}

#[test]
fn a_reader_by_verbs_that_panics_completes_nothing() {
    struct Bad(&'static [u8]);
    impl BufRead for Bad {
        fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
            assert!(!self.0.is_empty(), "on purpose");
            Ok(self.0)
        }
        fn consume(&mut self, count: usize) {
            self.0 = &self.0[count..];
        }
    }
    impl Read for Bad {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(buffer)
        }
    }
    let sink = sink();
    let mut session = Session::open("127.0.0.1", sink.port(), &Options::default()).unwrap();
    session.ehlo(None).unwrap();
    let path = ReversePath::new("a@c.example").unwrap();
    session.mail(Mail { path, parameters: MailParameters::default() }).unwrap();
    let path = ForwardPath::new("b@s.example").unwrap();
    session.rcpt(Rcpt { path, parameters: RcptParameters::default() }).unwrap();
    let failed = session.data(Box::new(Bad(b"Subject: half\n\nHello.\n"))).unwrap_err();
    assert_eq!(failed.error.kind(), Kind::Source);
    session.close();
    assert!(sink.messages().is_empty());
}
