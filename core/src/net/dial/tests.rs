use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::*;

mod asked;
mod limited;

fn tcp(host: &str, port: u16) -> Target {
    Target::Tcp { host: host.to_owned(), port }
}

fn listen(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind(address).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn closed_port() -> u16 {
    listen("127.0.0.1:0").1
}

/// A socket whose directory goes with it.
struct UnixServer {
    listener: UnixListener,
    path: PathBuf,
}

impl UnixServer {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("smtpclient-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self { listener: UnixListener::bind(&path).unwrap(), path }
    }

    fn target(&self) -> Target {
        Target::Unix(self.path.clone())
    }
}

impl Drop for UnixServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn every_form_of_a_host_leads_there() {
    let (v4, port4) = listen("127.0.0.1:0");
    let (v6, port6) = listen("[::1]:0");
    for (host, port, listener) in [
        ("127.0.0.1", port4, &v4),
        ("[127.0.0.1]", port4, &v4),
        ("localhost", port4, &v4),
        ("LOCALHOST.", port4, &v4),
        ("::1", port6, &v6),
        ("[::1]", port6, &v6),
    ] {
        let stream = dial(&tcp(host, port), &DialOptions::default()).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(stream.local(), Some(peer), "{host}");
        assert_eq!(stream.peer(), listener.local_addr().ok());
        assert!(stream.is_loopback());
    }
}

#[test]
fn mistakes_are_found_before_anything_is_sent() {
    let long = PathBuf::from(format!("/{}", "x".repeat(200)));
    for target in [
        tcp("127.0.0.1", 0),
        tcp("", 25),
        tcp("a\0b", 25),
        tcp("a b", 25),
        tcp("smtp://a", 25),
        Target::Unix(PathBuf::new()),
        Target::Unix("/tmp/a\0b".into()),
        Target::Unix(long),
    ] {
        let error = dial(&target, &DialOptions::default()).unwrap_err();
        assert_eq!((error.kind(), error.step()), (Kind::Usage, Step::Setup), "{error}");
        assert_eq!(check(&target).unwrap_err(), error);
    }
    assert!(check(&tcp("mail.example", 25)).is_ok());
}

#[test]
fn an_error_names_server_address_and_cause() {
    let port = closed_port();
    let error = dial(&tcp("127.0.0.1", port), &DialOptions::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(error.is_transient());
    assert_eq!(
        error.to_string(),
        format!(
            "127.0.0.1:{port}: connect: no connection: 127.0.0.1:{port}: Connection refused (os error 111)"
        )
    );
    let error = dial(&tcp("::1", port), &DialOptions::default()).unwrap_err();
    assert_eq!(error.server(), Some(format!("[::1]:{port}").as_str()));
}

#[test]
fn the_local_address_is_used() {
    let (listener, port) = listen("127.0.0.1:0");
    let local = |ip: &str| DialOptions { local_address: Some(ip.parse().unwrap()), ..DialOptions::default() };
    let stream = dial(&tcp("127.0.0.1", port), &local("127.0.0.7")).unwrap();
    let (_, peer) = listener.accept().unwrap();
    assert_eq!(peer.ip(), Ipv4Addr::new(127, 0, 0, 7));
    assert_eq!(stream.local(), Some(peer));

    let (listener, port6) = listen("[::1]:0");
    let _stream = dial(&tcp("::1", port6), &local("::1")).unwrap();
    assert_eq!(listener.accept().unwrap().1.ip(), Ipv6Addr::LOCALHOST);

    // No address of this family.
    let error = dial(&tcp("127.0.0.1", port), &local("::1")).unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), (Kind::Connect, false));
    assert!(error.text().contains("local address ::1"), "{error}");

    // Not an address of this machine.
    let error = dial(&tcp("127.0.0.1", port), &local("192.0.2.77")).unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert!(error.text().contains("cannot connect from 192.0.2.77"), "{error}");
}

#[test]
fn addresses_of_one_family_are_tried() {
    let (listener, port) = listen("127.0.0.1:0");
    let (listener6, port6) = listen("[::1]:0");
    let of = |family| DialOptions { family, ..DialOptions::default() };
    for (host, family, is_v6) in
        [("127.0.0.1", Family::Ipv4, false), ("::1", Family::Ipv6, true), ("::1", Family::Any, true)]
    {
        let (listener, port) = if is_v6 { (&listener6, port6) } else { (&listener, port) };
        let _stream = dial(&tcp(host, port), &of(family)).unwrap();
        assert_eq!(listener.accept().unwrap().1.is_ipv6(), is_v6);
    }
    for (host, port, family, words) in [
        ("127.0.0.1", port, Family::Ipv6, "127.0.0.1 has no IPv6 address (option `family`)"),
        ("::1", port6, Family::Ipv4, "[::1] has no IPv4 address (option `family`)"),
    ] {
        let error = dial(&tcp(host, port), &of(family)).unwrap_err();
        assert_eq!((error.kind(), error.is_transient()), (Kind::Connect, false));
        assert!(error.text().contains(words), "{error}");
    }
    // Other addresses of the same name are not looked at.
    let error = dial(&tcp("localhost", port), &of(Family::Ipv6)).unwrap_err();
    assert!(!error.text().contains("127.0.0.1"), "{error}");
}

#[test]
fn a_unix_socket_is_connected() {
    let server = UnixServer::new("dial");
    let mut stream = dial(&server.target(), &DialOptions::default()).unwrap();
    let (mut theirs, _) = server.listener.accept().unwrap();
    assert!(stream.is_loopback() && stream.peer().is_none());
    io::Write::write_all(&mut theirs, b"220 x\r\n").unwrap();
    let mut buf = [0; 16];
    assert_eq!(stream.recv(&mut buf, Duration::from_secs(5)).unwrap(), Some(7));
    assert_eq!(stream.try_send(b"QUIT\r\n").unwrap(), 6);

    std::fs::remove_file(&server.path).unwrap();
    let error = dial(&server.target(), &DialOptions::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    assert_eq!(error.server(), Some(format!("unix:{}", server.path.display()).as_str()));
    assert!(error.text().contains("No such file"), "{error}");
}
