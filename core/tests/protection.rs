//! Options of one message that protect it, and that only its session or mailer can obey: an error, never a silence.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::TcpStream;
use std::sync::Arc;

use scripted_server::sink::{Sink, SinkOptions};
use smtpclient::options::{Dialler, TlsAnswer, TlsPolicy};
use smtpclient::{Error, Kind, Mailer, Message, Options, Session};

const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

fn sink() -> Sink {
    Sink::start(SinkOptions { keep: true, ..SinkOptions::default() }).unwrap()
}

fn message() -> Message {
    Message::from_bytes("From: a@c.example\nTo: b@s.example\nSubject: x\n\nHello.\n")
}

fn options(sink: &Sink) -> Options {
    let mut options = Options::default();
    options.set("servers", &format!("127.0.0.1:{}", sink.port())).unwrap();
    options.set("client", "c.example").unwrap();
    options
}

/// Everything that protects, each in options of its own.
fn protecting(sink: &Sink) -> Vec<(&'static str, Options)> {
    let values = [
        ("tlsfingerprint", "00".repeat(32)),
        ("tlsimport", "1".to_owned()),
        ("tlspolicy", "secure".to_owned()),
        ("tlstrust", "system".to_owned()),
        ("tlscafile", "authorities.pem".to_owned()),
        ("tlscertfile", "own.pem".to_owned()),
        ("tlskeyfile", "key.pem".to_owned()),
        ("tlsminversion", "1.3".to_owned()),
        ("tlsmaxversion", "1.2".to_owned()),
        ("tlsciphers", "HIGH".to_owned()),
        ("tlsservername", "mail.example".to_owned()),
        ("proxy", "socks5://127.0.0.1:1".to_owned()),
    ];
    let mut all: Vec<_> = values
        .iter()
        .map(|(name, value)| {
            let mut options = options(sink);
            options.set(name, value).unwrap();
            (*name, options)
        })
        .collect();
    let mut asking = options(sink);
    asking.tlspolicy = TlsPolicy::Ask(Arc::new(|_, _| TlsAnswer::Secure));
    all.push(("tlspolicy", asking));
    let mut dialling = options(sink);
    dialling.dialler = Some(Dialler::new(|to| TcpStream::connect((to.host, to.port))));
    all.push(("dialler", dialling));
    all
}

fn names(error: &Error, name: &str, holder: &str) {
    assert_eq!(error.kind(), Kind::Usage, "{name}");
    let text = error.text();
    assert!(text.contains(&format!("`{name}`")), "{text}");
    assert!(text.contains(&format!("set it when the {holder} is made")), "{text}");
}

#[test]
fn what_the_session_was_opened_without_is_an_error() {
    let sink = sink();
    let mut session = Session::open("127.0.0.1", sink.port(), &options(&sink)).unwrap();
    for (name, own) in protecting(&sink) {
        names(&session.send_message(&message(), &own).unwrap_err().error, name, "session");
    }
    assert!(session.send_message(&message(), &options(&sink)).unwrap().complete());
    session.close();
    assert_eq!(sink.messages().len(), 1);
}

#[test]
fn what_the_mailer_was_made_without_is_an_error() {
    let sink = sink();
    let mailer = Mailer::new(&options(&sink)).unwrap();
    for (name, own) in protecting(&sink) {
        names(&mailer.submit(&message(), Some(&own)).unwrap_err(), name, "mailer");
    }
    mailer.submit(&message(), Some(&options(&sink))).unwrap();
    assert!(mailer.close(LIMIT).unwrap());
    assert_eq!(sink.messages().len(), 1);
}

/// As where the options of a message are its own beside those of the session.
#[test]
fn the_same_value_is_no_error() {
    let sink = sink();
    for (name, value) in
        [("tlspolicy", "secure"), ("tlsminversion", "1.3"), ("tlsservername", "mail.example")]
    {
        let mut own = options(&sink);
        own.set(name, value).unwrap();
        let mut session = Session::open("127.0.0.1", sink.port(), &own).unwrap();
        assert!(session.send_message(&message(), &own.clone()).unwrap().complete(), "{name}");
        // What a message leaves at its default is the session's.
        assert!(session.send_message(&message(), &options(&sink)).unwrap().complete(), "{name}");
        session.close();
    }
}
