//! Connecting that takes too long, or is not wanted any more.

use std::net::TcpStream;
use std::time::Instant;

use super::*;
use crate::cancel::Cancel;

/// A port that answers nothing: the kernel drops what does not fit into the listener's backlog.
fn black_hole() -> (TcpListener, Vec<TcpStream>, u16) {
    let socket = Socket::new(Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let filler = std::iter::from_fn(|| TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok());
    let filler = filler.take(8).collect();
    (listener, filler, address.port())
}

#[test]
fn a_server_that_does_not_answer_takes_the_time_out_only() {
    let (_listener, _filler, port) = black_hole();
    let options = DialOptions { connect_timeout: Duration::from_millis(150), ..DialOptions::default() };
    let begin = Instant::now();
    let error = dial(&tcp("127.0.0.1", port), &options).unwrap_err();
    let took = begin.elapsed();
    assert_eq!((error.kind(), error.step()), (Kind::Timeout, Step::Connect));
    assert!(error.text().contains("150ms") && error.text().contains("no answer"), "{error}");
    assert!(took >= Duration::from_millis(150) && took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_deadline_ends_a_connect() {
    let (_listener, _filler, port) = black_hole();
    for host in ["127.0.0.1", "localhost"] {
        let begin = Instant::now();
        let limits = Limits::new(Some(begin + Duration::from_millis(150)), None);
        let error = dial(&tcp(host, port), &DialOptions { limits, ..DialOptions::default() }).unwrap_err();
        assert_eq!(error.kind(), Kind::Timeout);
        assert!(error.text().contains("deadline"), "{error}");
        assert!(begin.elapsed() < Duration::from_millis(400), "{:?}", begin.elapsed());
    }
}

#[test]
fn a_cancel_ends_a_connect_soon() {
    let (_listener, _filler, port) = black_hole();
    let full = UnixServer::new("cancel");
    rustix::net::listen(&full.listener, 0).unwrap();
    let _first = dial(&full.target(), &DialOptions::default()).unwrap();
    for target in [tcp("127.0.0.1", port), tcp("localhost", port), full.target()] {
        let cancel = Cancel::new();
        let limits = Limits::new(None, Some(cancel.clone()));
        let trigger = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            cancel.trigger();
            Instant::now()
        });
        let error = dial(&target, &DialOptions { limits, ..DialOptions::default() }).unwrap_err();
        assert_eq!((error.kind(), error.step()), (Kind::Cancelled, Step::Connect));
        assert!(trigger.join().unwrap().elapsed() < Duration::from_millis(300));
    }
}

#[test]
fn what_is_over_before_it_begins_does_not_begin() {
    let (listener, port) = listen("127.0.0.1:0");
    listener.set_nonblocking(true).unwrap();
    let cancel = Cancel::new();
    cancel.trigger();
    let limits = Limits::new(None, Some(cancel));
    let error = dial(&tcp("127.0.0.1", port), &DialOptions { limits, ..DialOptions::default() }).unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled);
    assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn the_longest_time_out_is_none() {
    let (_listener, port) = listen("127.0.0.1:0");
    let options = DialOptions { connect_timeout: Duration::MAX, ..DialOptions::default() };
    assert!(dial(&tcp("127.0.0.1", port), &options).is_ok());
}
#[test]
fn a_full_backlog_of_a_unix_socket_is_waited_for() {
    let server = UnixServer::new("backlog");
    // A second listen(2) changes the backlog.
    rustix::net::listen(&server.listener, 0).unwrap();
    let _first = dial(&server.target(), &DialOptions::default()).unwrap();
    let short = DialOptions { connect_timeout: Duration::from_millis(100), ..DialOptions::default() };
    let begin = Instant::now();
    let error = dial(&server.target(), &short).unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    let accepted = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(100));
            server.listener.accept().unwrap()
        });
        dial(&server.target(), &DialOptions::default())
    });
    assert!(accepted.is_ok());
}

#[test]
fn what_is_done_meanwhile_is_done_once_before_an_answer() {
    let (_listener, _filler, port) = black_hole();
    let options = DialOptions { connect_timeout: Duration::from_millis(500), ..DialOptions::default() };
    let mut count = 0;
    dial_meanwhile(&tcp("127.0.0.1", port), &options, &mut || count += 1).unwrap_err();
    assert_eq!(count, 1);
    let (_listener, port) = listen("127.0.0.1:0");
    dial_meanwhile(&tcp("localhost", port), &options, &mut || count += 1).unwrap();
    assert_eq!(count, 2);
}
