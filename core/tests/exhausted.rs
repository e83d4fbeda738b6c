//! When the system has no more to give, or a file changes below the library: an error, no panic, and nothing half sent.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use scripted_server::sink::{Sink, SinkOptions};
use smtpclient::error::{Error, Kind};
use smtpclient::message::Message;
use smtpclient::net::sendmessage;
use smtpclient::options::Options;
use smtpclient::transcript::Direction;

const HEAD: &[u8] = b"From: a@c.example\r\nTo: b@s.example\r\nSubject: x\r\n\r\n";

fn options(address: SocketAddr) -> Options {
    let mut options = Options::default();
    options.servers = vec![address.ip().to_string()];
    options.ports = vec![address.port()];
    options.client = Some("c.example".to_owned());
    options.timeout = Some(Duration::from_secs(10));
    options
}

/// A file of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, lines: usize) -> Self {
        let path = std::env::temp_dir().join(format!("smtpclient-{}-{name}", std::process::id()));
        std::fs::write(&path, [HEAD, &b"0123456789abcdef\r\n".repeat(lines)].concat()).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Sends a file that is changed when the content has begun; what became of it, and how much the server has.
fn change(name: &str, change: impl Fn(&File) + Send + Sync + 'static) -> (Option<Error>, bool, u64) {
    let sink = Sink::start(SinkOptions { keep: true, ..SinkOptions::default() }).unwrap();
    let scratch = Scratch::new(name, 200_000);
    let mut options = options(SocketAddr::from(([127, 0, 0, 1], sink.port())));
    let path = scratch.0.clone();
    options.transcript = Some(Arc::new(move |direction, line| {
        if direction == Direction::Server && line.starts_with("354") {
            change(&OpenOptions::new().append(true).open(&path).unwrap());
        }
    }));
    let report = sendmessage(&Message::from_file(&scratch.0), &options).unwrap_or_else(|f| *f.report);
    (report.error.clone(), report.sent(), sink.count())
}

#[test]
fn a_file_that_shrinks_while_it_is_sent() {
    let (error, sent, stored) = change("shrinks", |file| file.set_len(100_000).unwrap());
    assert_eq!((error.unwrap().kind(), sent, stored), (Kind::Source, false, 0));
}

#[test]
fn a_file_that_grows_while_it_is_sent() {
    let (error, sent, stored) = change("grows", |mut file| file.write_all(b"more\r\n").unwrap());
    assert_eq!((error.unwrap().kind(), sent, stored), (Kind::Source, false, 0));
}

#[test]
#[cfg_attr(windows, ignore = "what it needs is Unix's")]
fn a_pipe_or_a_device_as_a_file_is_refused_before_it_is_opened() {
    let pipe = std::env::temp_dir().join(format!("smtpclient-{}-pipe", std::process::id()));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let address = SocketAddr::from(([127, 0, 0, 1], 9));
    let mut options = options(address);
    options.set("recipients", "b@s.example").unwrap();
    options.set("originator", "a@c.example").unwrap();
    for path in [pipe.as_path(), "/dev/zero".as_ref()] {
        let mut attached = Message::text("x");
        let early = attached.attach_file(path);
        let whole = sendmessage(&Message::from_file(path), &options);
        let part = sendmessage(&attached, &options);
        for error in [whole.unwrap_err().error, part.map_err(|failed| failed.error).unwrap_err()] {
            assert_eq!(error.kind(), Kind::Source, "{error}");
            let text = error.to_string();
            assert!(text.contains(path.to_str().unwrap()) && text.contains("give a reader"), "{text}");
        }
        assert!(early.is_ok());
    }
    std::fs::remove_file(pipe).unwrap();
}

#[test]
fn what_is_no_file() {
    let address = SocketAddr::from(([127, 0, 0, 1], 9));
    for path in ["/", "/nonexistent/file", "/proc/self/mem"] {
        let failed = sendmessage(&Message::from_file(path), &options(address)).unwrap_err();
        assert_eq!(failed.error.kind(), Kind::Source, "{path}: {failed}");
    }
}

#[test]
#[cfg_attr(windows, ignore = "what it needs is Unix's")]
fn a_full_disk() {
    let mut full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    Message::from_bytes(HEAD).serialize(&mut full).unwrap_err();
    Message::text("x").serialize(&mut full).unwrap_err();
}

const TASK: &str = "SMTPCLIENT_EXHAUSTED_TASK";

/// Runs [`child`] in a process of its own, after these words of a shell.
fn in_a_child(task: &str, before: &[&str]) -> bool {
    let own = std::env::current_exe().unwrap();
    let mut words = before.iter().copied().chain([own.to_str().unwrap()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["--exact", "child", "--ignored", "--nocapture"]).env(TASK, task);
    command.status().unwrap().success()
}

#[test]
#[cfg_attr(windows, ignore = "what it needs is Unix's")]
fn no_more_descriptors() {
    assert!(in_a_child("descriptors", &["sh", "-c", "ulimit -n 64 && exec \"$@\"", "sh"]));
}

/// Four ports, in a network of its own.
#[test]
#[cfg_attr(windows, ignore = "what it needs is Unix's")]
fn no_more_ports() {
    let network =
        "ip link set lo up && echo 40000 40003 >/proc/sys/net/ipv4/ip_local_port_range && exec \"$@\"";
    if !Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|status| status.success())
        || !Command::new("unshare")
            .args(["-n", "sh", "-c", network, "sh", "true"])
            .status()
            .is_ok_and(|status| status.success())
    {
        eprintln!("skipped: a network of its own is not permitted here");
        return;
    }
    assert!(in_a_child("ports", &["unshare", "-n", "sh", "-c", network, "sh"]));
}

#[test]
#[ignore = "runs in a child process of the tests above"]
fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    // Nobody accepts: a connection is made and says nothing.
    let listener =
        TcpListener::bind("127.0.0.1:20001").or_else(|_| TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let mut plain = options(address);
    plain.timeout = Some(Duration::from_millis(5));
    if task == "ports" {
        let _held: Vec<_> = std::iter::from_fn(|| TcpStream::connect(address).ok()).take(10).collect();
        let failed = sendmessage(&Message::from_bytes(HEAD), &plain).unwrap_err();
        assert_eq!(failed.error.kind(), Kind::Connect, "{failed}");
        assert!(failed.error.is_transient(), "{failed}");
        return;
    }
    let scratch = Scratch::new("descriptors", 10);
    let mut named = plain.clone();
    named.servers = vec!["localhost".to_owned()];
    let mut implicit = plain.clone();
    implicit.tlsimport = true;
    let mut authorities = plain.clone();
    authorities.tlsrequired = true;
    authorities.tlscafile = Some(scratch.0.display().to_string());
    let mut open: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let mut seen = Vec::new();
    for _ in 0..8 {
        for options in [&plain, &named, &implicit, &authorities] {
            for message in [Message::from_bytes(HEAD), Message::from_file(&scratch.0), Message::text("x")] {
                let error = sendmessage(&message, options).unwrap_err().error;
                assert!(!error.text().is_empty());
                seen.push(error.kind());
            }
        }
        open.pop();
    }
    for kind in [Kind::Connect, Kind::Source, Kind::Timeout] {
        assert!(seen.contains(&kind), "{kind:?} not among {seen:?}");
    }
}
