//! `verify`: what each server offers, and whether it can be used.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::TcpListener;

use scripted_server::sink::{Sink, SinkOptions};
use smtpclient::error::{Kind, Step};
use smtpclient::net::verify;
use smtpclient::options::Options;
use smtpclient::report::Status;

fn sink(options: SinkOptions) -> Sink {
    Sink::start(SinkOptions { keep: true, ..options }).unwrap()
}

fn to(ports: &[u16]) -> Options {
    let mut options = Options::default();
    options.client = Some("c.example".to_owned());
    options.servers = ports.iter().map(|_| "127.0.0.1".to_owned()).collect();
    options.ports = ports.to_vec();
    options
}

#[test]
fn what_a_server_offers_is_told() {
    let sink = sink(SinkOptions { size: Some(1000), chunking: true, ..SinkOptions::default() });
    let report = verify(&to(&[sink.port()])).unwrap();
    assert_eq!((report.status(), report.recipients.len(), report.sent()), (Status::Ok, 0, false));
    let [attempt] = report.attempts.as_slice() else { panic!("{report:?}") };
    assert_eq!(attempt.peer.unwrap().port(), sink.port());
    assert_eq!(attempt.error, None);
    let offered = attempt.offered.as_ref().unwrap();
    assert_eq!(offered.greeting.as_ref().unwrap().code(), 220);
    assert!(offered.extensions.contains(&("SIZE".into(), "1000".into())), "{offered:?}");
    assert!(offered.extensions.contains(&("CHUNKING".into(), String::new())), "{offered:?}");
    assert!(sink.messages().is_empty());
}

#[test]
fn a_login_is_tried() {
    let users = vec![("ann".to_owned(), "secret".to_owned())];
    let sink = sink(SinkOptions { users, ..SinkOptions::default() });
    let mut options = to(&[sink.port()]);
    options.set("authinsecure", "yes").unwrap();
    options.set("username", "ann").unwrap();
    options.set("password", "secret").unwrap();
    let report = verify(&options).unwrap();
    assert_eq!(report.attempts[0].logins[0].error, None);
    assert_eq!(report.attempts[0].offered.as_ref().unwrap().mechanisms, ["PLAIN", "LOGIN", "XOAUTH2"]);

    options.set("password", "wrong").unwrap();
    let failed = verify(&options).unwrap_err();
    assert_eq!((failed.error.kind(), failed.error.step()), (Kind::Login, Step::Auth));
    let attempt = &failed.report.attempts[0];
    assert!(attempt.logins[0].error.is_some() && attempt.error.is_some());
    assert_eq!(
        attempt.offered.as_ref().unwrap().mechanisms,
        ["PLAIN", "LOGIN", "XOAUTH2"],
        "what was offered is told all the same"
    );
}

#[test]
fn every_server_is_looked_at() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (first, last) = (sink(SinkOptions::default()), sink(SinkOptions::default()));
    let report = verify(&to(&[first.port(), last.port()])).unwrap();
    assert_eq!(report.attempts.iter().filter(|attempt| attempt.offered.is_some()).count(), 2);

    let failed = verify(&to(&[first.port(), free, last.port()])).unwrap_err();
    assert_eq!(failed.error.kind(), Kind::Connect);
    assert!(failed.error.to_string().contains(&format!("127.0.0.1:{free}")), "{}", failed.error);
    let offered: Vec<_> = failed.report.attempts.iter().map(|attempt| attempt.offered.is_some()).collect();
    assert_eq!(offered, [true, false, true]);

    let failed = verify(&to(&[free, free])).unwrap_err();
    assert!(failed.error.text().starts_with("servers cannot be used: "), "{}", failed.error);
    assert!(failed.error.is_transient());
}

#[test]
fn what_is_required_is_verified() {
    let sink = sink(SinkOptions::default());
    let mut options = to(&[sink.port()]);
    options.set("tlsrequired", "yes").unwrap();
    assert_eq!(verify(&options).unwrap_err().error.kind(), Kind::Tls);
    options.set("connections", "2").unwrap();
    assert_eq!(verify(&options).unwrap_err().error.kind(), Kind::Usage);
}
