//! Option `commit` over a real connection: the end of the message is not what the server replied to while the function ran.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use smtpclient::report::Outcome;
use smtpclient::{Commit, Message, Options, Ready, sendmessage};

/// A server that says `early` once the commit is asked for; gives what it got of the message, and the outcome told.
fn send(early: &'static str) -> (String, Outcome) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, is_asked) = mpsc::channel();
    let (said, is_said) = mpsc::channel();
    let is_said = Mutex::new(is_said);
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap());
        socket.write_all(b"220 mail\r\n").unwrap();
        for reply in ["250 mail\r\n", "250 ok\r\n", "250 ok\r\n", "354 go on\r\n"] {
            lines.read_line(&mut String::new()).unwrap();
            socket.write_all(reply.as_bytes()).unwrap();
        }
        is_asked.recv_timeout(Duration::from_secs(20)).unwrap();
        socket.write_all(early.as_bytes()).unwrap();
        // It is there before the function returns, since loopback delivers at once.
        said.send(()).unwrap();
        let mut rest = Vec::new();
        let _ = lines.read_to_end(&mut rest);
        String::from_utf8(rest).unwrap()
    });
    let mut options = Options::default();
    options.set("servers", &format!("127.0.0.1:{port}")).unwrap();
    options.set("client", "c.example").unwrap();
    options.commit = Some(Commit::new(move |_: &[Ready]| {
        asked.send(()).unwrap();
        is_said.lock().unwrap().recv_timeout(Duration::from_secs(20))
    }));
    let message = Message::from_bytes("From: a@c.example\r\nTo: b@s.example\r\n\r\nHello.\r\n");
    let report = match sendmessage(&message, &options) {
        Ok(report) => report,
        Err(failed) => *failed.report,
    };
    let outcome = report.recipients[0].outcome;
    (server.join().unwrap(), outcome)
}

#[test]
fn what_is_said_while_the_function_runs_is_no_reply_to_the_message() {
    for early in ["250 2.0.0 queued\r\n", "421 4.3.2 going down\r\n", "550 5.7.1 no\r\n", "hello\r\n"] {
        let (got, outcome) = send(early);
        assert!(got.contains("Hello.") && !got.contains("\r\n.\r\n"), "{early:?}: {got:?}");
        assert!(matches!(outcome, Outcome::NotSent | Outcome::Rejected), "{early:?}: {outcome:?}");
    }
}
