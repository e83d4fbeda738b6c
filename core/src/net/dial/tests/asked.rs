//! Connecting by a function of the caller's.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use super::*;
use crate::cancel::Cancel;
use crate::options::{DialTo, Dialler};

type Give = fn() -> io::Result<OwnedFd>;

fn by(dialler: Dialler) -> DialOptions {
    DialOptions { dialler: Some(dialler), ..DialOptions::default() }
}

fn to(host: &str, port: u16) -> Target {
    Target::Tcp { host: host.to_owned(), port }
}

#[test]
fn it_is_told_where_to_and_how_long_and_its_socket_is_used() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let told = Arc::new(Mutex::new(None));
    let tells = Arc::clone(&told);
    let options = by(Dialler::new(move |to: &DialTo<'_>| {
        *tells.lock().unwrap() = Some((to.host.to_owned(), to.port, to.timeout));
        TcpStream::connect(address)
    }));
    let mut meanwhile = 0;
    // A name that nobody resolves.
    let stream = dial_meanwhile(&to("mail.invalid", 2525), &options, &mut || meanwhile += 1).unwrap();
    let (host, port, timeout) = told.lock().unwrap().take().unwrap();
    assert_eq!((host.as_str(), port, meanwhile), ("mail.invalid", 2525, 1));
    assert!(timeout <= Duration::from_secs(30) && timeout > Duration::from_secs(20));
    assert_eq!(stream.peer(), Some(address));
    assert!(!stream.is_loopback(), "it may be a tunnel to anywhere");

    // Beside a proxy it connects to the proxy.
    let options = DialOptions { proxy: Some(Proxy::parse("http://proxy.invalid:8080").unwrap()), ..options };
    drop(listener.accept().unwrap());
    let answers = std::thread::spawn(move || drop(listener.accept()));
    let error = dial(&to("mail.invalid", 25), &options).unwrap_err();
    answers.join().unwrap();
    let told = told.lock().unwrap().take().unwrap();
    assert_eq!((told.0.as_str(), told.1), ("proxy.invalid", 8080));
    assert_eq!(error.kind(), Kind::Connect);
}

#[test]
fn what_is_no_connection_is_told_and_closed() {
    let pair = || UnixStream::pair().unwrap();
    let stream =
        dial(&to("mail.example", 25), &by(Dialler::new(move |_| Ok::<_, String>(pair().0)))).unwrap();
    assert!(!stream.is_loopback() && stream.peer().is_none());
    let listening = || TcpListener::bind("127.0.0.1:0").map(OwnedFd::from);
    let datagrams = || UdpSocket::bind("127.0.0.1:0").map(OwnedFd::from);
    let file = || std::fs::File::open("/dev/null").map(OwnedFd::from);
    let fails = || Err(io::Error::other("no route\r\nfrom here"));
    let gives: [(&str, Give); 4] = [
        ("is a listening one", listening),
        ("is not a stream socket", datagrams),
        ("cannot be used", file),
        ("no route from here", fails),
    ];
    for (words, give) in gives {
        let error = dial(&to("mail.example", 25), &by(Dialler::new(move |_| give()))).unwrap_err();
        assert_eq!((error.kind(), error.step(), error.is_transient()), (Kind::Connect, Step::Connect, true));
        assert!(error.text().contains(words) && error.text().contains("`dialler`"), "{error}");
        assert_eq!(error.server(), Some("mail.example:25"));
    }
}

#[test]
fn a_call_that_it_ends_has_no_use_for_its_socket() {
    let (near, far) = UnixStream::pair().unwrap();
    let near = Mutex::new(Some(near));
    let cancel = Cancel::new();
    let triggers = cancel.clone();
    let dialler = Dialler::new(move |_| {
        triggers.trigger();
        near.lock().unwrap().take().ok_or("it was called again")
    });
    let limits = Limits::new(None, Some(cancel));
    let error = dial(&to("mail.example", 25), &DialOptions { limits, ..by(dialler) }).unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled);
    assert_eq!(io::Read::read(&mut &far, &mut [0]).unwrap(), 0, "the socket is closed");
}
