//! Connections that break: in the handshake, at the end, or because TLS was not what was wanted.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use openssl::ssl::SslVersion;
use smtpclient::cancel::Cancel;
use smtpclient::error::{Kind, Step};
use smtpclient::net::Session;
use smtpclient::options::TlsAnswer::{Insecure, Secure};
use smtpclient::report::Outcome;

use crate::common::pki::GOOD;
use crate::common::server::{End, Script, Server};
use crate::common::{Client, acceptor, acceptor_of, error};

/// Longer than a server's whole flight.
const MOST: usize = 4000;

#[test]
fn a_handshake_cut_at_any_octet_has_a_definite_end() {
    for version in [SslVersion::TLS1_3, SslVersion::TLS1_2] {
        for answer in [Insecure, Secure] {
            let next = Mutex::new(0);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        // One set-up of the library for all.
                        let options = Client::new(&[]).answering(answer);
                        loop {
                            let cut = {
                                let mut next = next.lock().unwrap();
                                *next += 1;
                                *next - 1
                            };
                            if cut > MOST || cut_at(&options, version, answer == Insecure, cut) {
                                *next.lock().unwrap() = MOST + 1;
                                break;
                            }
                        }
                    });
                }
            });
        }
    }
}

#[test]
fn what_answers_with_nonsense_has_no_certificate_of_a_server_before() {
    let server = Server::start([Script::starttls(acceptor(&GOOD))]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let nonsense = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 1000];
        for reply in ["220 s\r\n", "250-s\r\n250 STARTTLS\r\n", "220 go\r\n"] {
            stream.write_all(reply.as_bytes()).unwrap();
            let _ = stream.read(&mut buffer).unwrap();
        }
        stream.write_all(b"\x16\x03\x03\x00\x05nonsense that is not TLS").unwrap();
        let _ = stream.read(&mut buffer);
    });
    let client = Client::new(&[]);
    let mut options = client.options.clone();
    options.tlsrequired = true;
    (options.servers, options.ports) = (vec!["127.0.0.1".to_owned()], vec![server.port()]);
    let message = crate::common::message();
    let first = smtpclient::net::sendmessage(&message, &options).unwrap();
    assert!(first.attempts[0].tls.as_ref().unwrap().certificate_sha256.is_some());
    options.ports = vec![port];
    let failed = smtpclient::net::sendmessage(&message, &options).unwrap_err();
    // The session of the first connection was offered, and nobody has proved anything.
    let facts = failed.report.attempts[0].tls.clone().unwrap();
    assert!(!facts.verified && !facts.resumed && facts.certificate_sha256.is_none(), "{facts:?}");
    assert_eq!((&facts.subject, &facts.cipher), (&None, &None), "{facts:?}");
    nonsense.join().unwrap();
    assert_eq!(server.finish().len(), 1);
}

/// Whether the handshake was done before it was cut.
fn cut_at(client: &Client, version: SslVersion, insecure: bool, cut: usize) -> bool {
    let script = Script::starttls(acceptor_of(&GOOD, version)).with(|s| s.cut = Some(cut));
    let server = Server::start([script, Script::plain()]);
    let mut options = client.options.clone();
    (options.servers, options.ports) = (vec!["127.0.0.1".to_owned()], vec![server.port()]);
    let start = Instant::now();
    let result = smtpclient::net::sendmessage(&crate::common::message(), &options);
    assert!(start.elapsed() < Duration::from_secs(8), "{cut}");
    let report = result.unwrap_or_else(|failed| *failed.report);
    let heard = server.finish();
    if heard[0].shaken {
        assert!(report.complete(), "{cut}: {report:?}");
        return true;
    }
    let first = report.attempts[0].error.clone().unwrap();
    // In TLS 1.3 the client is done before the server, whose tickets may be cut.
    if first.step() == Step::Hello {
        assert_eq!(first.kind(), Kind::Closed, "{cut}: {first}");
        assert_eq!(report.recipients[0].outcome, Outcome::NotSent);
        return false;
    }
    assert_eq!((first.kind(), first.step()), (Kind::Tls, Step::Tls), "{cut}: {first}");
    assert!(first.is_transient() && first.text().contains("closed the connection"), "{cut}: {first}");
    assert_eq!(report.complete(), insecure, "{cut}: {report:?}");
    assert_eq!(heard.len(), if insecure { 2 } else { 1 }, "{cut}");
    false
}

#[test]
fn a_silent_handshake_ends_with_the_time_out_and_a_trickling_one_too() {
    for (first, trickle) in [(false, false), (true, false), (false, true), (true, true)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            if !first {
                let mut buffer = [0; 512];
                for reply in ["220 s\r\n", "250-s\r\n250 STARTTLS\r\n", "220 go\r\n"] {
                    stream.write_all(reply.as_bytes()).unwrap();
                    assert!(stream.read(&mut buffer).unwrap() > 0);
                }
            }
            // A record of the handshake that never ends.
            let mut octets = b"\x16\x03\x03\x20\x00".iter().copied().chain(std::iter::repeat(0));
            while trickle && stream.write_all(&[octets.next().unwrap()]).is_ok() {
                std::thread::sleep(Duration::from_millis(30));
            }
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let client = Client::new(&[]).with(|o| {
            (o.servers, o.ports) = (vec!["127.0.0.1".to_owned()], vec![port]);
            o.timeout = Some(Duration::from_millis(400));
            (o.tlsimport, o.tlsrequired) = (first, true);
        });
        let start = Instant::now();
        let report = client.send();
        assert!(start.elapsed() < Duration::from_secs(4), "{first} {trickle}: {:?}", start.elapsed());
        let error = error(&report);
        // Zeros are not a handshake: the library may find that first.
        assert!(matches!(error.kind(), Kind::Timeout) || trickle && error.kind() == Kind::Tls, "{error}");
        assert_eq!(error.step(), Step::Tls, "{first} {trickle}: {error}");
        server.join().unwrap();
    }
}

/// A server that says 220 to STARTTLS and then nothing.
fn silent_handshake() -> (u16, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 512];
        for reply in ["220 s\r\n", "250-s\r\n250 STARTTLS\r\n", "220 go\r\n"] {
            stream.write_all(reply.as_bytes()).unwrap();
            assert!(stream.read(&mut buffer).unwrap() > 0);
        }
        let _ = stream.read_to_end(&mut Vec::new());
    });
    (port, server)
}

#[test]
fn a_deadline_or_a_cancel_in_the_handshake_is_no_question_of_policy() {
    for cancelled in [false, true] {
        let (port, server) = silent_handshake();
        let cancel = Cancel::new();
        let client = Client::new(&[]).answering(Insecure).with(|o| {
            (o.servers, o.ports) = (vec!["127.0.0.1".to_owned(); 2], vec![port; 2]);
            match cancelled {
                true => o.cancel = Some(cancel.clone()),
                false => o.deadline = Some(Duration::from_millis(1000)),
            }
        });
        let other = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1000));
            cancel.trigger();
        });
        let failed = smtpclient::net::sendmessage(&crate::common::message(), &client.options).unwrap_err();
        other.join().unwrap();
        let (kind, word) =
            if cancelled { (Kind::Cancelled, "cancelled") } else { (Kind::Timeout, "deadline") };
        assert_eq!((failed.error.kind(), failed.error.step()), (kind, Step::Tls), "{failed}");
        assert!(failed.error.text().contains(word), "{failed}");
        assert!(client.asked().is_empty());
        assert_eq!(failed.report.attempts.len(), 1);
        assert_eq!(failed.report.attempts[0].policy, None);
        assert_eq!(failed.report.recipients[0].outcome, Outcome::NotSent);
        server.join().unwrap();

        let (port, server) = silent_handshake();
        let client =
            Client::new(&[]).answering(Insecure).with(|o| o.deadline = Some(Duration::from_millis(1000)));
        let mut session = Session::open("127.0.0.1", port, &client.options).unwrap();
        let failed = session.send_message(&crate::common::message(), &client.options).unwrap_err();
        assert_eq!(failed.error.kind(), Kind::Timeout, "{failed}");
        assert!(client.asked().is_empty());
        drop(session);
        server.join().unwrap();
    }
}

#[test]
fn a_close_without_close_notify_matters_only_before_the_final_reply() {
    for first in [false, true] {
        let script = |end| {
            let tls = acceptor(&GOOD);
            let script = if first { Script::implicit(tls) } else { Script::starttls(tls) };
            script.with(|s| s.end = end)
        };
        let server = Server::one(script(End::CloseAfterFinal));
        let report = Client::new(&[&server]).with(|o| o.tlsimport = first).send();
        assert!(report.complete() && report.error.is_none(), "{report:?}");

        let server = Server::one(script(End::CloseBeforeFinal));
        let report = Client::new(&[&server]).with(|o| o.tlsimport = first).send();
        assert_eq!(error(&report).kind(), Kind::Unknown, "{report:?}");
        assert_eq!(report.recipients[0].outcome, Outcome::Unknown);
        assert!(error(&report).text().contains("close_notify"), "{report:?}");
    }
    // Before the message it is no more than a lost connection.
    for verb in ["EHLO", "MAIL", "RCPT", "DATA"] {
        let server = Server::one(Script::implicit(acceptor(&GOOD)).with(|s| s.dies_at = verb));
        let report = Client::new(&[&server]).with(|o| o.tlsimport = true).send();
        assert_eq!(error(&report).kind(), Kind::Closed, "{verb}: {report:?}");
        assert_eq!(report.recipients[0].outcome, Outcome::NotSent);
    }
}

#[test]
fn a_plain_greeting_on_a_port_for_tls_is_told() {
    let server = Server::one(Script::plain());
    let report = Client::new(&[&server]).with(|o| o.tlsimport = true).send();
    let error = error(&report);
    assert_eq!((error.kind(), error.step()), (Kind::Tls, Step::Tls));
    assert!(error.text().contains("plain text") && error.text().contains("STARTTLS"), "{error}");
    assert!(error.text().contains("220 mail.example ESMTP"), "{error}");
}

#[test]
fn tls_on_a_plain_port_is_told() {
    // A server that gives up waiting for a ClientHello says so by an alert.
    let server = Server::one(Script::plain().with(|s| s.greeting = b"\x15\x03\x01\0\x02\x02\x46"));
    let report = Client::new(&[&server]).send();
    let text = error(&report).text().to_owned();
    assert!(text.contains("implicit TLS") && text.contains("smtps://"), "{text}");
    assert_eq!(error(&report).step(), Step::Greeting);
    // One that waits on: nothing comes at all.
    let server = Server::one(Script::implicit(acceptor(&GOOD)));
    let client = Client::new(&[&server]).with(|o| o.timeout = Some(Duration::from_millis(300)));
    let report = client.send();
    assert_eq!((error(&report).kind(), error(&report).step()), (Kind::Timeout, Step::Greeting));
    let text = error(&report).text().to_owned();
    assert!(text.contains("implicit TLS") && text.contains("tlsimport"), "{text}");
}
