use std::net::TcpListener;
use std::os::unix::net::UnixStream;

use socket2::{Domain, Protocol, Type};

use super::super::limits::Limits;
use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A real connection attempt.
fn tcp(address: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

/// A socket that never becomes writable, and what keeps it so: the black hole of these tests.
fn black_hole() -> (Socket, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    while io::Write::write(&mut &ours, &[0; 65536]).is_ok() {}
    (ours.into(), theirs)
}

fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn hour() -> PhaseLimits<'static> {
    static NONE: Limits = Limits::new(None, None);
    PhaseLimits::begin(&NONE, Duration::from_secs(3600))
}

#[test]
fn families_take_turns_and_the_first_stays_first() {
    let list = |text: &str| -> Vec<_> { text.split_whitespace().map(address).collect() };
    for (given, ordered) in [
        ("", ""),
        ("[::1]:1", "[::1]:1"),
        ("[::1]:1 [::2]:1 1.1.1.1:1 2.2.2.2:1", "[::1]:1 1.1.1.1:1 [::2]:1 2.2.2.2:1"),
        ("1.1.1.1:1 2.2.2.2:1 3.3.3.3:1 [::1]:1", "1.1.1.1:1 [::1]:1 2.2.2.2:1 3.3.3.3:1"),
        ("1.1.1.1:1 1.1.1.1:1 [::1]:1 1.1.1.1:1", "1.1.1.1:1 [::1]:1"),
    ] {
        assert_eq!(interleave(list(given)), list(ordered), "{given}");
    }
}

#[test]
fn a_refusal_starts_the_next_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = listener.local_addr().unwrap();
    let begin = Instant::now();
    let (winner, _socket, _) = race(&[closed_port(), closed_port(), good], &hour(), tcp).unwrap();
    assert_eq!(winner, good);
    assert!(begin.elapsed() < STAGGER, "{:?}", begin.elapsed());
}

#[test]
fn only_one_family_listens() {
    for listening in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(listening).unwrap();
        let good = listener.local_addr().unwrap();
        let both = [format!("[::1]:{}", good.port()), format!("127.0.0.1:{}", good.port())];
        let (winner, _socket, _) = race(&both.map(|a| address(&a)), &hour(), tcp).unwrap();
        assert_eq!(winner, good);
    }
}

#[test]
fn a_black_hole_holds_up_for_one_stagger_only() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = listener.local_addr().unwrap();
    let hole = address("[2001:db8::1]:25");
    let mut holes = Vec::new();
    let mut started = Vec::new();
    let begin = Instant::now();
    let (winner, _socket, _) = race(&[hole, hole, good], &hour(), |address| {
        started.push(begin.elapsed());
        if address == good {
            return tcp(address);
        }
        let (ours, theirs) = black_hole();
        holes.push(theirs);
        Ok(ours)
    })
    .unwrap();
    assert_eq!(winner, good);
    assert_eq!(started.len(), 3);
    assert!(started[0] < Duration::from_millis(100), "{started:?}");
    assert!(started[1] >= STAGGER && started[2] >= STAGGER * 2, "{started:?}");
    assert!(begin.elapsed() < STAGGER * 3, "{:?}", begin.elapsed());
    // The losers are closed.
    for mut hole in holes {
        hole.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        io::copy(&mut hole, &mut io::sink()).unwrap();
    }
}

#[test]
fn a_refusal_beside_a_black_hole_starts_the_next_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = listener.local_addr().unwrap();
    let (hole, refused) = (address("[2001:db8::1]:25"), address("192.0.2.1:25"));
    let (hole_socket, _end) = black_hole();
    let mut hole_socket = Some(hole_socket);
    let mut started = Vec::new();
    let (winner, _socket, _) = race(&[hole, refused, good], &hour(), |address| {
        started.push(Instant::now());
        if address == hole {
            return Ok(hole_socket.take().unwrap());
        }
        tcp(if address == good { good } else { closed_port() })
    })
    .unwrap();
    assert_eq!(winner, good);
    assert!(started[2] - started[1] < STAGGER, "{started:?}");
}

#[test]
fn the_slow_first_may_still_win() {
    let addresses = [address("[2001:db8::1]:25"), address("192.0.2.1:25")];
    let (slow, slow_end) = black_hole();
    let (hole, _hole_end) = black_hole();
    let mut sockets = [slow, hole].into_iter();
    let drain = std::thread::spawn(move || {
        std::thread::sleep(STAGGER + Duration::from_millis(100));
        let mut buf = vec![0; 1 << 20];
        slow_end.set_nonblocking(true).unwrap();
        while io::Read::read(&mut &slow_end, &mut buf).is_ok() {}
        slow_end
    });
    let (winner, _socket, _) = race(&addresses, &hour(), |_| Ok(sockets.next().unwrap())).unwrap();
    assert_eq!(winner, addresses[0]);
    drain.join().unwrap();
}

#[test]
fn every_address_tells_what_it_said() {
    let (one, two) = (closed_port(), address("127.0.0.2:9"));
    let error = race(&[one, two], &hour(), |address| {
        if address == two { Err(io::Error::other("no socket")) } else { tcp(address) }
    })
    .unwrap_err();
    assert_eq!((error.kind(), error.step()), (Kind::Connect, Step::Connect));
    assert_eq!(
        error.text(),
        format!("no connection: {one}: Connection refused (os error 111); {two}: no socket")
    );
}

#[test]
fn a_time_out_tells_where_it_stood() {
    let refused = closed_port();
    let (hole, untried) = (address("[2001:db8::1]:25"), address("192.0.2.1:25"));
    let limits = Limits::default();
    let phase = PhaseLimits::begin(&limits, Duration::from_millis(100));
    let mut ends = Vec::new();
    let begin = Instant::now();
    let error = race(&[refused, hole, untried], &phase, |address| {
        if address == refused {
            return Err(io::Error::from_raw_os_error(libc::ECONNREFUSED));
        }
        let (ours, theirs) = black_hole();
        ends.push(theirs);
        Ok(ours)
    })
    .unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!(
        error.text(),
        format!(
            "no connection within 100ms: {refused}: Connection refused (os error 111); {hole}: no answer; {untried}: not tried"
        )
    );
}

#[test]
fn a_socket_that_met_itself_is_no_connection() {
    let address = closed_port();
    let error = race(&[address], &hour(), |address| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&address.into())?;
        socket.connect(&address.into())?;
        Ok(socket)
    })
    .unwrap_err();
    assert!(error.text().contains("refused"), "{error}");
}

#[test]
fn a_connection_that_is_there_counts_however_long_it_took_to_begin_it() {
    let limits = Limits::default();
    let phase = PhaseLimits::begin(&limits, Duration::from_millis(20));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = listener.local_addr().unwrap();
    let slow = |address| {
        let socket = tcp(address)?;
        std::thread::sleep(phase.left().saturating_add(Duration::from_millis(1)));
        Ok(socket)
    };
    let (winner, ..) = race(&[good], &phase, slow).unwrap();
    assert_eq!(winner, good);
}
