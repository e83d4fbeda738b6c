//! Options `redirectto` and `redirectexcept` of a session or mailer: nothing that is said over it gets past them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use scripted_server::sink::{Sink, SinkOptions};
use smtpclient::command::{
    Command, ForwardPath, Mail, MailParameters, RawCommand, Rcpt, RcptParameters, ReversePath,
};
use smtpclient::error::Kind;
use smtpclient::message::Message;
use smtpclient::net::Session;
use smtpclient::net::mailer::Mailer;
use smtpclient::options::Options;
use smtpclient::report::Report;

fn options(sink: &Sink) -> Options {
    let mut options = Options::default();
    options.servers = vec![format!("127.0.0.1:{}", sink.port())];
    options.client = Some("c.example".to_owned());
    options.redirectto = Some("qa@staging.example".to_owned());
    options.redirectexcept = vec!["test.example".to_owned()];
    options
}

fn message() -> Message {
    Message::from_content(b"MIME-Version: 1.0\r\nFrom: a@c.example\r\nTo: bob@mail.example\r\n\r\nHi\r\n")
        .unwrap()
}

/// The options of a message alone.
fn own(more: &[(&str, &str)]) -> Options {
    let mut options = Options::default();
    for (name, value) in more {
        options.set(name, value).unwrap();
    }
    options
}

fn told(report: &Report) -> Vec<(&str, Option<&str>)> {
    report.recipients.iter().map(|r| (r.address.as_str(), r.redirected_to.as_deref())).collect()
}

fn asked(sink: &Sink) -> Vec<Vec<String>> {
    let rcpt = |line: &String| line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case("RCPT"));
    sink.messages().into_iter().map(|m| m.envelope.into_iter().filter(rcpt).collect()).collect()
}

const REDIRECTED: (&str, Option<&str>) = ("bob@mail.example", Some("qa@staging.example"));

#[test]
fn verbs_and_lines_of_the_caller_are_redirected() {
    let sink = Sink::start(SinkOptions { keep: true, ..SinkOptions::default() }).unwrap();
    let mut session = Session::open("127.0.0.1", sink.port(), &options(&sink)).unwrap();
    let rcpt = |to: &str| Rcpt { path: ForwardPath::new(to).unwrap(), parameters: RcptParameters::default() };
    session.ehlo(None).unwrap();
    let path = ReversePath::new("a@c.example").unwrap();
    session.mail(Mail { path, parameters: MailParameters::default() }).unwrap();
    assert_eq!(session.rcpt(rcpt("bob@mail.example")).unwrap().code(), 250);
    assert_eq!(session.rcpt(rcpt("carol@TEST.example")).unwrap().code(), 250);
    for line in
        ["rcpt to:<dave@mail.example>", "Rcpt  TO: <erin@mail.example>", "RCPT TO:<frank@test.example>"]
    {
        let line = Command::Raw(RawCommand::new(line).unwrap());
        assert_eq!(session.command(line).unwrap().code(), 250);
    }
    let report = session.data(Box::new(&b"Subject: x\n\nHi\n"[..])).unwrap();
    session.close();
    let to = Some("qa@staging.example");
    let redirected = [REDIRECTED, ("dave@mail.example", to), ("erin@mail.example", to)];
    for one in redirected.iter().chain(&[("carol@TEST.example", None), ("frank@test.example", None)]) {
        assert!(told(&report).contains(one), "{report:?}");
    }
    let asked = asked(&sink).remove(0);
    assert!(
        asked.iter().all(|line| line.contains("qa@staging.example")
            || line.contains("test.example")
            || line.contains("TEST.example")),
        "{asked:?}"
    );
    assert_eq!(asked.len(), 5, "{asked:?}");
}

#[test]
fn a_message_with_options_of_its_own_is_redirected_too() {
    let sink = Sink::start(SinkOptions { keep: true, ..SinkOptions::default() }).unwrap();
    let mut session = Session::open("127.0.0.1", sink.port(), &options(&sink)).unwrap();
    let mailer = Mailer::new(&options(&sink)).unwrap();
    assert_eq!(told(&session.send_message(&message(), &own(&[])).unwrap()), [REDIRECTED]);
    mailer.submit(&message(), Some(&own(&[("priority", "")]))).unwrap();
    let (_, report) = mailer.next_report(Duration::from_secs(30)).unwrap();
    assert_eq!(told(&report), [REDIRECTED]);
    for other in [("redirectto", "bob@mail.example"), ("redirectexcept", "mail.example")] {
        let error = session.send_message(&message(), &own(&[other])).unwrap_err().error;
        assert!(error.kind() == Kind::Usage && error.text().contains("the session hold"), "{error}");
        let error = mailer.submit(&message(), Some(&own(&[other]))).unwrap_err();
        assert!(error.kind() == Kind::Usage && error.text().contains("the mailer hold"), "{error}");
    }
    session.close();
    drop(mailer);
    assert_eq!(asked(&sink), [["RCPT TO:<qa@staging.example>"], ["RCPT TO:<qa@staging.example>"]]);
}

#[test]
fn a_guard_that_cannot_hold_is_told_before_a_connection() {
    let sink = Sink::start(SinkOptions { keep: true, ..SinkOptions::default() }).unwrap();
    for (name, value) in [
        ("redirectto", ""),
        ("redirectto", "a@b, c@d"),
        ("redirectexcept", "a..example"),
        ("redirectexcept", "@b"),
    ] {
        let mut options = options(&sink);
        options.set(name, value).unwrap();
        let error = Session::open("127.0.0.1", sink.port(), &options).err().unwrap();
        assert!(error.kind() == Kind::Usage && error.text().contains("`redirect"), "{error}");
    }
    assert_eq!(sink.messages().len(), 0);
}
