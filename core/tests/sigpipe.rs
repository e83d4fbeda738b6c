//! No SIGPIPE, not even in a process that would die of it, as one whose `main` is not Rust.
#![cfg(all(unix, feature = "net"))]
#![allow(unsafe_code, clippy::unwrap_used)]

use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

use smtpclient::net::{DialOptions, Stream, dial};
use smtpclient::server::Target;

const TASK: &str = "SMTPCLIENT_SIGPIPE_TASK";

#[test]
fn writing_to_a_closed_connection_does_not_kill() {
    assert_eq!(in_a_child("plain").signal(), Some(libc::SIGPIPE), "the child would not die of it");
    assert!(in_a_child("library").success());
}

/// Runs [`child`] in a process of its own.
fn in_a_child(task: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored"])
        .env(TASK, task)
        .status()
        .unwrap()
}

#[test]
#[ignore = "runs in a child process of the test above"]
fn child() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    // SAFETY: sets a disposition; no handler runs.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    if task == "plain" {
        let _ = rustix::io::write(&ours, b"x");
        return;
    }
    write_until_error(Stream::adopt(ours).unwrap());

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = Target::Tcp { host: "127.0.0.1".to_owned(), port };
    let stream = dial(&target, &DialOptions::default()).unwrap();
    drop(listener.accept().unwrap());
    write_until_error(stream);
}

fn write_until_error(mut stream: Stream) {
    // The second error is EPIPE in any case: the first may have been ECONNRESET.
    for _ in 0..2 {
        while stream.try_send(b"NOOP\r\n").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
