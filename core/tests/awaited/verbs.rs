//! A session verb by verb, and under TLS.

use std::net::TcpStream;

use scripted_server::sink::{Sink, SinkOptions};
use smtpclient::command::{ForwardPath, Mail, MailParameters, Rcpt, RcptParameters, ReversePath};
use smtpclient::tokio::{Session, sendmessage};
use smtpclient::{Kind, Options};

use crate::common::pki::GOOD;
use crate::common::server::{Script, Server};
use crate::common::{Client, PASSWORD, USER, acceptor, message, sasl};
use crate::runtime;

fn sink() -> Sink {
    Sink::start(SinkOptions { keep: true, ..SinkOptions::default() }).unwrap()
}

fn options() -> Options {
    let mut options = Options::default();
    options.client = Some("c.example".to_owned());
    options
}

#[test]
fn verb_by_verb() {
    let sink = sink();
    runtime().block_on(async {
        let mut session = Session::open("127.0.0.1", sink.port(), &options()).await.unwrap();
        assert_eq!(session.greeting().unwrap().code(), 220);
        assert_eq!(session.ehlo(None).await.unwrap().code(), 250);
        let path = ReversePath::new("a@c.example").unwrap();
        let mail = Mail { path, parameters: MailParameters::default() };
        assert_eq!(session.mail(mail).await.unwrap().code(), 250);
        let path = ForwardPath::new("b@s.example").unwrap();
        let rcpt = Rcpt { path, parameters: RcptParameters::default() };
        assert_eq!(session.rcpt(rcpt).await.unwrap().code(), 250);
        let report = session.data(Box::new(&b"Subject: x\n\n.dot\n"[..])).await.unwrap();
        assert_eq!(report.reply.unwrap().code(), 250);
        assert_eq!(session.verb("noop", &[]).await.unwrap().code(), 250);
        assert!(session.server_options().await.unwrap().pipelining());
        let sent = session.send("a@c.example", "b@s.example", "", "", "Hello", b"Hello\n").await.unwrap();
        assert!(sent.complete());
        assert_eq!(session.quit().await.unwrap().code(), 221);
        assert!(!session.is_open());
        assert_eq!(session.noop().await.unwrap_err().kind(), Kind::Closed);
    });
    assert_eq!(sink.messages()[0].content, b"Subject: x\r\n\r\n.dot\r\n");
    assert_eq!(sink.messages().len(), 2);
}

#[test]
fn a_socket_of_the_callers() {
    let sink = sink();
    let socket = TcpStream::connect(("127.0.0.1", sink.port())).unwrap();
    runtime().block_on(async {
        let mut session = Session::adopt(socket, "s.example", &options()).await.unwrap();
        assert_eq!(session.noop().await.unwrap().code(), 250);
        session.close().await;
    });
}

#[test]
fn tls_and_a_login() {
    let script = || {
        Script::starttls(acceptor(&GOOD)).with(|s| {
            (s.secure, s.login) = (vec!["AUTH PLAIN LOGIN CRAM-MD5"], Some(sasl::login(PASSWORD)));
        })
    };
    let server = Server::one(script());
    let client = Client::new(&[]);
    runtime().block_on(async {
        let mut session = Session::open("127.0.0.1", server.port(), &client.options).await.unwrap();
        assert_eq!(session.starttls().await.unwrap().code(), 220);
        assert!(session.tls().unwrap().verified);
        assert_eq!(session.auth_types().await.unwrap(), ["PLAIN", "LOGIN", "CRAM-MD5"]);
        session.authenticate(USER, PASSWORD, Some("LOGIN")).await.unwrap();
        assert!(session.send_message(&message(), &client.options).await.unwrap().complete());
        session.close().await;
    });
    assert_eq!(server.finish()[0].messages, 1);

    let server = Server::one(script());
    let client = Client::new(&[&server]).with_password(&["PLAIN"]);
    let report = runtime().block_on(async { sendmessage(&message(), &client.options).await.unwrap() });
    assert!(report.complete() && report.attempts[0].tls.as_ref().unwrap().verified);
    client.shows_no_secret(&report);
    assert_eq!(server.finish()[0].messages, 1);
}
