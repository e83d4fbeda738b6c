//! The system's authorities are read while the server is waited for: after the connection was begun, before the greeting.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use smtpclient::net::{self, Connection};
use smtpclient::options::Options;

use crate::common::pki::{Folder, GOOD, TRUSTED};
use crate::common::server::{Script, Server};
use crate::common::{acceptor, message};

const PORT: &str = "SMTPCLIENT_TEST_PORT";
const WATCHED: &str = "SMTPCLIENT_TEST_WATCHED";
const SCHEME: &str = "SMTPCLIENT_TEST_SCHEME";

/// What the programs do that the tests below start: this one, again.
#[test]
fn program() {
    let Ok(port) = std::env::var(PORT) else { return };
    let mut options = Options::default();
    options.servers = vec![format!("{}://127.0.0.1:{port}", std::env::var(SCHEME).unwrap())];
    options.tlsrequired = true;
    let limit = Duration::from_secs(10);
    (options.timeout, options.deadline) = (Some(limit), Some(limit));
    let message = message();
    if std::env::var_os(WATCHED).is_none() {
        let _ = net::sendmessage(&message, &options).unwrap();
        return;
    }
    let mut connection = Connection::new(&options).unwrap();
    let mut delivery = net::delivery(&message, &options).unwrap();
    loop {
        connection.turn(&mut delivery);
        if delivery.is_done() {
            break;
        }
        let timeout = connection.timeout(&mut delivery, Instant::now()).unwrap_or(limit);
        if let Some(descriptor) = connection.fd() {
            let interest = connection.interest();
            net::wait(descriptor, interest.read, interest.write, timeout).unwrap();
        }
    }
    let _ = delivery.into_report().into_result().unwrap();
}

#[test]
fn a_blocking_call_reads_them_before_the_greeting() {
    reads_them_meanwhile("smtp", false);
    reads_them_meanwhile("smtps", false);
}

#[test]
fn a_watched_call_reads_them_before_the_greeting() {
    reads_them_meanwhile("smtp", true);
    reads_them_meanwhile("smtps", true);
}

/// The file of the authorities gives nothing before the connection is there, and the server says nothing before it was read.
fn reads_them_meanwhile(scheme: &str, watched: bool) {
    let folder = Folder::new();
    let authorities = folder.path().join("all.pem");
    assert!(Command::new("mkfifo").arg(&authorities).status().unwrap().success());
    let script = if scheme == "smtps" { Script::implicit } else { Script::starttls };
    let server = Server::one(script(acceptor(&GOOD)));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "meanwhile::program"]);
    program.env(PORT, listener.local_addr().unwrap().port().to_string());
    program.env(SCHEME, scheme).env("SSL_CERT_FILE", &authorities).env("SSL_CERT_DIR", folder.path());
    if watched {
        program.env(WATCHED, "1");
    }
    let mut program = program.spawn().unwrap();
    let near = accepted(&listener, &mut program);
    feed(&authorities);
    thread::spawn(move || {
        // A pipe looks as if it had changed, and is read again.
        loop {
            feed(&authorities);
        }
    });
    relay(near, server.port());
    assert!(program.wait().unwrap().success(), "{scheme}, watched: {watched}");
    assert_eq!(server.finish().remove(0).messages, 1);
}

fn accepted(listener: &TcpListener, program: &mut Child) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(15) {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                return stream;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(5)),
            Err(error) => panic!("{error}"),
        }
    }
    program.kill().unwrap();
    panic!("no connection: the authorities are read before it");
}

/// Gives the authorities to whoever reads the pipe next, and leaves it time to come to their end: what is written before
/// that is read with them, and does no harm.
fn feed(pipe: &Path) {
    fs::write(pipe, TRUSTED.cert_pem()).unwrap();
    thread::sleep(Duration::from_millis(20));
}

fn relay(near: TcpStream, port: u16) {
    let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        })
    };
    copy(near.try_clone().unwrap(), far.try_clone().unwrap());
    copy(far, near);
}
