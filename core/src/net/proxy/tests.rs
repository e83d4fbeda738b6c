use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::*;
use crate::error::{Kind, Step};
use crate::net::dial;
use crate::net::resolve::tests::impossible_name;
use crate::server::Target;

mod failing;

/// A SOCKS5 reply: connected.
pub(super) const SOCKS_OK: &[u8] = &[5, 0, 0, 1, 127, 0, 0, 1, 0, 25];

/// A proxy of one connection: reads exactly what is expected and answers, step by step, then closes. What it
/// read but did not expect fails the test.
fn proxy(script: Vec<(Vec<u8>, Vec<u8>)>) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for (expected, answer) in script {
            let mut seen = vec![0; expected.len()];
            client.read_exact(&mut seen).unwrap();
            assert_eq!(String::from_utf8_lossy(&seen), String::from_utf8_lossy(&expected));
            client.write_all(&answer).unwrap();
        }
    });
    (port, thread)
}

fn steps(script: &[(&[u8], &[u8])]) -> Vec<(Vec<u8>, Vec<u8>)> {
    script.iter().map(|(expected, answer)| (expected.to_vec(), answer.to_vec())).collect()
}

fn through(proxy: &str, host: &str) -> Result<Stream, Error> {
    let proxy = Some(Proxy::parse(proxy).unwrap());
    let options = DialOptions { proxy, connect_timeout: Duration::from_secs(5), ..DialOptions::default() };
    dial(&Target::Tcp { host: host.to_owned(), port: 25 }, &options)
}

/// Dials through a proxy with this script and expects `220 hi` after its last answer, or an error.
pub(super) fn play(scheme: &str, host: &str, script: &[(&[u8], &[u8])]) -> Result<(), Error> {
    let mut script = steps(script);
    script.last_mut().unwrap().1.extend(b"220 hi\r\n");
    let (port, thread) = proxy(script);
    let result = through(&format!("{scheme}127.0.0.1:{port}"), host).map(|mut stream| {
        assert!(!stream.is_loopback());
        assert_eq!(stream.peer().unwrap().port(), port);
        let mut greeting = [0; 64];
        assert_eq!(stream.recv(&mut greeting, Duration::from_secs(5)).unwrap(), Some(8));
        assert_eq!(&greeting[..8], b"220 hi\r\n");
    });
    thread.join().unwrap();
    result
}

pub(super) fn socks_request(kind: &[u8]) -> Vec<u8> {
    [&[5, 1, 0], kind, &[0, 25]].concat()
}

#[test]
fn option_texts_are_understood() {
    for (text, shown) in [
        ("socks5://proxy.example:1081", "socks5://proxy.example:1081"),
        ("socks5h://proxy.example", "socks5://proxy.example:1080"),
        ("socks5://h:80", "socks5://h:80"),
        ("SOCKS5://[::1]:9/", "socks5://[::1]:9"),
        ("http://127.0.0.1:3128", "http://127.0.0.1:3128"),
        ("http://proxy.example:80/", "http://proxy.example:80"),
        ("http://proxy.example", "http://proxy.example:80"),
        ("socks5://bücher.example", "socks5://xn--bcher-kva.example:1080"),
        ("http://bücher.example", "http://xn--bcher-kva.example:80"),
        ("http://u:s3cret@h:1", "http://h:1"),
    ] {
        let proxy = Proxy::parse(text).unwrap();
        assert_eq!(proxy.to_string(), shown, "{text}");
        assert!(!format!("{proxy:?}").contains("s3cret"));
    }
    let login = Proxy::parse("socks5://us%40er:p%3Aa%2fs%25%zz@h").unwrap().login.unwrap();
    assert_eq!((login.user.as_slice(), login.password.expose()), (&b"us@er"[..], &b"p:a/s%%zz"[..]));
    let login = Proxy::parse("http://user@h").unwrap().login.unwrap();
    assert!(login.password.is_empty());
}

#[test]
fn wrong_option_texts_do_not_show_the_password() {
    let long = format!("socks5://u:s3cret{}@h", "x".repeat(255));
    for text in [
        "",
        "h",
        "h:1080",
        "127.0.0.1:1080",
        "socks5://",
        "socks5:h",
        "socks4://u:s3cret@h",
        "https://u:s3cret@h",
        "socks5://u:s3cret",
        "socks5://u:s3cret@h:99999",
        "socks5://u:s3cret@h:0",
        "http://u:s3cret@h:0",
        "socks5://u:s3cret@h/x",
        "http://u:s3cret@h/?q",
        "http://u:s3cret@h/#f",
        "socks5://:s3cret@h",
        "http://u%3av:s3cret@h",
        "http://u:s3cret%0d@h",
        "socks5://u:s3cret@h\n",
        "socks5://u:s3cret@ h",
        "socks5://u:s3cret@%ff",
        "socks5://u:s3cret@a%20b",
        "socks5://u:s3cret@",
        "http://u:s3cret@",
        &long,
    ] {
        let error = Proxy::parse(text).expect_err(text);
        assert_eq!((error.kind(), error.step()), (Kind::Usage, Step::Setup), "{text}");
        assert!(!error.text().contains("s3cret"), "{error}");
    }
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = through(&format!("socks5://127.0.0.1:{port}"), "mail.example").unwrap_err();
    assert_eq!((error.kind(), error.server()), (Kind::Connect, Some("mail.example:25")));
    assert!(
        error.text().starts_with(&format!("proxy socks5://127.0.0.1:{port}: no connection: ")),
        "{error}"
    );
    let name = impossible_name();
    let error = through(&format!("http://{name}:1"), "mail.example").unwrap_err();
    assert_eq!(error.kind(), Kind::Resolve);
    let begin = format!("proxy http://{name}:1: no address found");
    assert!(error.text().starts_with(&begin), "{error}");
}

#[test]
fn the_local_address_is_for_the_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!("socks5://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let local = IpAddr::from(Ipv4Addr::new(127, 0, 0, 9));
    let answer = thread::spawn(move || {
        let (mut client, from): (TcpStream, _) = listener.accept().unwrap();
        client.write_all(&[5, 0]).unwrap();
        client.write_all(SOCKS_OK).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
        from
    });
    let proxy = Some(Proxy::parse(&text).unwrap());
    let options = DialOptions { proxy, local_address: Some(local), ..DialOptions::default() };
    // The host's family does not matter.
    let stream = dial(&Target::Tcp { host: "::1".to_owned(), port: 25 }, &options).unwrap();
    drop(stream);
    assert_eq!(answer.join().unwrap().ip(), local);
}
