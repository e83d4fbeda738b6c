//! Servers that never stop talking and never get anywhere: each wait ends in its time, although there is always something
//! to read.
// The servers have OpenSSL, which a build for Windows does not.
#![cfg(all(not(windows), feature = "net"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use common::pki::{GOOD, Issued};
use openssl::ssl::{Ssl, SslAcceptor, SslMethod, SslStream, SslVersion};
use smtpclient::error::{Error, Kind};
use smtpclient::message::Message;
use smtpclient::net::mailer::Mailer;
use smtpclient::net::{Session, sendmessage};
use smtpclient::options::Options;

/// How long the server may be silent, or as good as silent.
const PATIENCE: Duration = Duration::from_millis(500);

/// A server whose connections `serve` until it fails.
struct Flood {
    port: u16,
    thread: JoinHandle<()>,
}

impl Flood {
    fn start(connections: usize, serve: impl Fn(TcpStream) -> std::io::Result<()> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().take(connections) {
                let stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                let _ = serve(stream);
            }
        });
        Self { port, thread }
    }

    fn options(&self) -> Options {
        let mut options = Options::default();
        options.servers = vec!["127.0.0.1".to_owned()];
        options.ports = vec![self.port];
        options.client = Some("client.example".to_owned());
        options.timeout = Some(PATIENCE);
        options
    }
}

fn message() -> Message {
    Message::from_bytes("From: a@client.example\nTo: b@mail.example\n\nHello.\n")
}

/// A greeting, and after EHLO a reply whose lines go on, an octet at a time.
fn drips(mut stream: impl Read + Write) -> std::io::Result<()> {
    stream.write_all(b"220 mail.example ESMTP\r\n")?;
    let mut heard = [0; 512];
    if stream.read(&mut heard)? == 0 {
        return Ok(());
    }
    for octet in b"250-X-EXTENSION\r\n".iter().cycle() {
        stream.write_all(&[*octet])?;
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn secure(stream: TcpStream, tickets: usize) -> std::io::Result<SslStream<TcpStream>> {
    let Issued { cert, key } = &*GOOD;
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    acceptor.set_private_key(key)?;
    acceptor.set_certificate(cert)?;
    acceptor.set_min_proto_version(Some(SslVersion::TLS1_3))?;
    acceptor.set_max_proto_version(Some(SslVersion::TLS1_3))?;
    acceptor.set_num_tickets(tickets)?;
    let mut stream = SslStream::new(Ssl::new(acceptor.build().context())?, stream)?;
    // Session tickets go out within this.
    stream.accept().map_err(std::io::Error::other)?;
    Ok(stream)
}

/// The server was too slow, and not: the whole call took too long.
fn slow(error: &Error) {
    assert_eq!(error.kind(), Kind::Timeout, "{error}");
    assert!(!error.text().contains("deadline"), "{error}");
}

/// By a message, a session and a mailer.
fn all_end(flood: Flood, options: &Options) {
    slow(&sendmessage(&message(), options).unwrap_err().error);
    let opened = Session::open("127.0.0.1", flood.port, options);
    slow(&opened.and_then(|mut session| session.noop().and_then(|_| session.ehlo(None))).unwrap_err());
    let mut once = options.clone();
    once.set("retries", "0").unwrap();
    let mailer = Mailer::new(&once).unwrap();
    mailer.submit(&message(), None).unwrap();
    let (_, report) = mailer.next_report(Duration::from_secs(60)).unwrap();
    slow(report.error.as_ref().unwrap());
    drop(mailer);
    flood.thread.join().unwrap();
}

#[test]
fn a_reply_that_drips_for_ever_ends_in_time() {
    let flood = Flood::start(3, drips);
    let options = flood.options();
    all_end(flood, &options);
}

#[test]
fn a_reply_that_drips_under_tls_ends_in_time() {
    let flood = Flood::start(3, |stream| drips(secure(stream, 2)?));
    let mut options = flood.options();
    (options.tlsimport, options.tlsverify) = (true, false);
    all_end(flood, &options);
}

/// Session tickets (RFC 8446 section 4.6.1) instead of a greeting: there is always something to read, and none of it is
/// SMTP. After some ten seconds of them comes the greeting, for a client that waits so long.
#[test]
fn session_tickets_without_end_end_in_time() {
    let flood = Flood::start(3, |stream| drips(secure(stream, 100_000)?));
    let mut options = flood.options();
    (options.tlsimport, options.tlsverify) = (true, false);
    all_end(flood, &options);
}

/// The deadline of a whole call, while the server's own time has not passed.
#[test]
fn a_deadline_ends_a_flood() {
    let flood = Flood::start(2, |stream| drips(secure(stream, 100_000)?));
    let mut options = flood.options();
    (options.tlsimport, options.tlsverify) = (true, false);
    options.timeout = Some(Duration::from_secs(3600));
    options.deadline = Some(PATIENCE);
    let error = sendmessage(&message(), &options).unwrap_err().error;
    assert!(error.kind() == Kind::Timeout && error.text().contains("deadline"), "{error}");
    let error = Session::open("127.0.0.1", flood.port, &options).map(drop).unwrap_err();
    assert!(error.kind() == Kind::Timeout && error.text().contains("deadline"), "{error}");
    flood.thread.join().unwrap();
}
