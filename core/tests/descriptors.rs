//! A dial that fails leaves no descriptor behind. Alone in its process, so that the count means something.
#![cfg(all(unix, feature = "net"))]
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use smtpclient::cancel::Cancel;
use smtpclient::net::{DialOptions, Limits, Proxy, Stream, dial};
use smtpclient::options::Dialler;
use smtpclient::server::Target;

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn tcp(host: &str, port: u16) -> Target {
    Target::Tcp { host: host.to_owned(), port }
}

#[test]
fn failed_dials_leave_no_descriptor() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // Answers nothing: its backlog is full.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(hole.as_fd(), 0).unwrap();
    let address = hole.local_addr().unwrap();
    let _filler: Vec<_> =
        (0..4).map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50))).collect();
    // A proxy that refuses SOCKS and HTTP alike.
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy_port = proxy.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in proxy.incoming().flatten() {
            let _ = (&client).write_all(b"no\r\n\r\n");
        }
    });
    let through = |scheme: &str| DialOptions {
        proxy: Some(Proxy::parse(&format!("{scheme}://127.0.0.1:{proxy_port}")).unwrap()),
        ..DialOptions::default()
    };
    let short = || DialOptions { connect_timeout: Duration::from_millis(5), ..DialOptions::default() };
    let before_deadline = || {
        let limits = Limits::new(Some(Instant::now() + Duration::from_millis(20)), Some(Cancel::new()));
        DialOptions { limits, ..DialOptions::default() }
    };
    let elsewhere = || DialOptions { local_address: Some([192, 0, 2, 1].into()), ..DialOptions::default() };

    // A socket that is of no use.
    let by_function = || {
        let dialler = Dialler::new(|_| UdpSocket::bind("127.0.0.1:0"));
        DialOptions { dialler: Some(dialler), ..DialOptions::default() }
    };

    let round = || {
        for (target, options) in [
            (tcp("127.0.0.1", closed), DialOptions::default()),
            (tcp("localhost", closed), DialOptions::default()),
            (tcp("localhost", closed), before_deadline()),
            (tcp("127.0.0.1", closed), elsewhere()),
            (tcp("127.0.0.1", address.port()), short()),
            (tcp("localhost", address.port()), before_deadline()),
            (tcp("mail.example", 25), through("socks5")),
            (tcp("mail.example", 25), through("http")),
            (tcp("mail.example", 25), by_function()),
            (Target::Unix("/nonexistent/socket".into()), DialOptions::default()),
        ] {
            dial(&target, &options).unwrap_err();
        }
        Stream::adopt(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap_err();
    };
    // What is opened once and stays, such as the resolver's, is not counted.
    round();
    let before = open_descriptors();
    for _ in 0..25 {
        round();
    }
    // The proxy's end may still be about to close.
    let end = Instant::now() + Duration::from_secs(5);
    while open_descriptors() > before && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
    assert!(open_descriptors() <= before, "{before} before, {} after 250 failures", open_descriptors());
}
