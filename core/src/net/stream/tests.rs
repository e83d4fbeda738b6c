use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::thread;

use super::*;
use crate::cancel::Cancel;
use crate::error::{Kind, Step};
use crate::net::Limits;

mod waiting;

const SECOND: Duration = Duration::from_secs(1);

fn tcp_pair(address: &str) -> (Stream, TcpStream) {
    let listener = TcpListener::bind(address).unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (Stream::adopt(ours).unwrap(), listener.accept().unwrap().0)
}

fn unix_pair() -> (Stream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Stream::adopt(ours).unwrap(), theirs)
}

fn is_private(stream: &Stream) -> bool {
    rustix::io::fcntl_getfd(stream).unwrap().contains(rustix::io::FdFlags::CLOEXEC)
}

#[test]
fn connected_sockets_are_adopted() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (stream, theirs) = tcp_pair(address);
        assert_eq!(stream.peer(), theirs.local_addr().ok());
        assert_eq!(stream.local(), theirs.peer_addr().ok());
        assert!(stream.is_loopback());
        assert!(stream.socket.tcp_nodelay().unwrap());
        assert!(is_private(&stream));
    }
    let (stream, _theirs) = unix_pair();
    assert_eq!((stream.peer(), stream.local(), stream.is_loopback()), (None, None, true));
    let (ours, _theirs) = UnixStream::pair().unwrap();
    assert!(Stream::adopt(OwnedFd::from(ours)).is_ok());
}

/// A server that writes each reply of a group alone, with Nagle's algorithm on, waits for the acknowledgement of the first.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_second_read_in_a_row_acknowledges_the_first() {
    let (mut stream, mut theirs) = tcp_pair("127.0.0.1:0");
    let mut group = |stream: &mut Stream, blocking: bool| {
        stream.try_send(b"MAIL RCPT").unwrap();
        theirs.read_exact(&mut [0; 9]).unwrap();
        theirs.write_all(b"250 a").unwrap();
        let mut buffer = [0; 5];
        assert_eq!(stream.recv(&mut buffer, SECOND).unwrap(), Some(5));
        let was_quick = stream.socket.tcp_quickack().unwrap();
        // Nothing more has come: what counts is what was asked of the kernel before.
        let more =
            if blocking { stream.recv(&mut buffer, SECOND / 1000) } else { stream.try_recv(&mut buffer) };
        assert_eq!(more.unwrap(), None);
        (was_quick, stream.socket.tcp_quickack().unwrap())
    };
    // The kernel begins by acknowledging at once, and ends that where question and answer take turns.
    let first = (0..100).find(|_| !group(&mut stream, false).0);
    assert!(first.is_some(), "the kernel never put an acknowledgement off");
    for blocking in [false, true] {
        for _ in 0..20 {
            assert!(group(&mut stream, blocking).1);
        }
    }
}

#[test]
fn an_adopted_socket_is_made_blocking_and_private() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let socket = Socket::from(ours);
    socket.set_cloexec(false).unwrap();
    let mut stream = Stream::adopt(socket).unwrap();
    assert!(!stream.socket.nonblocking().unwrap());
    assert!(is_private(&stream));
    let begin = Instant::now();
    assert_eq!(stream.recv(&mut [0], Duration::from_millis(50)).unwrap(), None);
    assert!(begin.elapsed() >= Duration::from_millis(50));
}

#[test]
fn what_is_no_connected_stream_is_not_adopted() {
    let unconnected = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let path = std::env::temp_dir().join(format!("smtpclient-adopt-{}", std::process::id()));
    let unix_listener = UnixListener::bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    for (socket, why) in [
        (unconnected(), "not connected"),
        (Socket::new(Domain::UNIX, Type::STREAM, None).unwrap(), "not connected"),
        (TcpListener::bind("127.0.0.1:0").unwrap().into(), "listening"),
        (unix_listener.into(), "listening"),
        (UdpSocket::bind("127.0.0.1:0").unwrap().into(), "not a stream"),
        (UnixDatagram::pair().unwrap().0.into(), "not a stream"),
        (Socket::from(OwnedFd::from(File::open("/dev/null").unwrap())), "cannot be used"),
    ] {
        let error = Stream::adopt(socket).unwrap_err();
        assert_eq!((error.kind(), error.step()), (Kind::Usage, Step::Setup));
        assert!(error.text().contains(why) && error.text().contains("hand over"), "{error}");
    }
}

#[test]
fn loopback_is_what_stays_here() {
    let (mut stream, _theirs) = unix_pair();
    for (peer, expected) in [
        ("127.9.9.9:25", true),
        ("[::1]:25", true),
        ("[::ffff:127.0.0.1]:25", true),
        ("192.0.2.1:25", false),
        ("[2001:db8::1]:25", false),
        ("0.0.0.0:25", false),
    ] {
        stream.peer = Some(peer.parse().unwrap());
        assert_eq!(stream.is_loopback(), expected, "{peer}");
    }
    stream.peer = Some("127.0.0.1:1080".parse().unwrap());
    stream.set_proxied();
    assert!(!stream.is_loopback());
}

#[test]
fn bytes_go_both_ways_without_blocking() {
    let (mut stream, mut theirs) = tcp_pair("127.0.0.1:0");
    let mut buf = [0; 64];
    assert_eq!(stream.try_recv(&mut buf).unwrap(), None);
    assert_eq!(stream.recv(&mut buf, Duration::ZERO).unwrap(), None);
    assert_eq!(stream.wait(true, false, Duration::ZERO).unwrap(), Ready::default());
    assert_eq!(stream.wait(true, true, SECOND).unwrap(), Ready { read: false, write: true });
    theirs.write_all(b"220 hello\r\n").unwrap();
    assert_eq!(stream.wait(true, false, SECOND).unwrap(), Ready { read: true, write: false });
    assert_eq!(stream.recv(&mut buf[..4], SECOND).unwrap(), Some(4));
    assert_eq!(stream.try_recv(&mut buf[4..]).unwrap(), Some(7));
    assert_eq!(&buf[..11], b"220 hello\r\n");
    assert_eq!(stream.try_send(b"QUIT\r\n").unwrap(), 6);
    stream.shutdown(Shutdown::Write).unwrap();
    let mut all = String::new();
    theirs.read_to_string(&mut all).unwrap();
    assert_eq!(all, "QUIT\r\n");
    drop(theirs);
    assert_eq!(stream.recv(&mut buf, SECOND).unwrap(), Some(0));
    assert_eq!(stream.try_recv(&mut buf).unwrap(), Some(0));
    assert!(stream.wait(true, false, SECOND).unwrap().read);
}

#[test]
fn an_empty_buffer_does_not_look_like_the_end() {
    let (mut stream, _theirs) = unix_pair();
    assert_eq!(stream.try_recv(&mut []).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(stream.recv(&mut [], SECOND).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_full_kernel_takes_nothing_and_does_not_block() {
    let (mut stream, mut theirs) = tcp_pair("127.0.0.1:0");
    let begin = Instant::now();
    let mut sent = 0;
    loop {
        match stream.try_send(&[b'x'; 65536]).unwrap() {
            0 if stream.wait(false, true, Duration::from_millis(100)).unwrap() == Ready::default() => {
                break;
            }
            count => sent += count,
        }
    }
    assert!(sent > 0 && begin.elapsed() < Duration::from_secs(5));
    let reader = thread::spawn(move || {
        theirs.read_exact(&mut vec![0; sent]).unwrap();
        theirs
    });
    assert!(stream.wait(false, true, Duration::from_secs(5)).unwrap().write);
    assert!(stream.try_send(b"y").unwrap() == 1);
    reader.join().unwrap();
}

#[test]
fn writing_to_a_peer_that_is_gone_is_an_error() {
    for (mut stream, theirs) in [tcp_pair("127.0.0.1:0"), tcp_pair("[::1]:0")] {
        drop(theirs);
        let error = loop {
            match stream.try_send(b"NOOP\r\n") {
                Ok(_) => thread::sleep(Duration::from_millis(5)),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset),
            "{error}"
        );
    }
    let (mut stream, theirs) = unix_pair();
    drop(theirs);
    assert_eq!(stream.try_send(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}
