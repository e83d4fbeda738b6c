use std::net::{TcpListener, TcpStream};

use super::*;

const LIMIT: Duration = Duration::from_secs(5);
const ANSWER: &[u8] = b"the answer";
const QUESTION: &[u8] = b"a question\n";

/// A server that greets, reads a line, answers and closes; gives what it read of one connection.
fn server() -> (SocketAddr, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let (mut read, mut byte) = (Vec::new(), [0]);
        while socket.read(&mut byte).is_ok_and(|n| n == 1) {
            read.push(byte[0]);
            if byte[0] == b'\n' {
                let _ = socket.write_all(ANSWER);
                break;
            }
        }
        read
    });
    (addr, thread)
}

/// What the server read, what the client read, how the client's connection ended, and the proxy's record.
fn through(change: impl FnOnce(&mut ProxyOptions)) -> (Vec<u8>, Vec<u8>, io::Result<usize>, Relayed) {
    let (addr, thread) = server();
    let mut options = ProxyOptions::new(addr);
    change(&mut options);
    let proxy = Proxy::start(options).unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    let written = client.write_all(QUESTION);
    let mut heard = Vec::new();
    let read = client.read_to_end(&mut heard);
    let end = written.and(read); // a reset is told once
    drop(client);
    let relayed = proxy.wait(1, LIMIT);
    (thread.join().unwrap(), heard, end, relayed[0].clone())
}

fn fault(kind: FaultKind, direction: Direction, at: usize) -> impl FnOnce(&mut ProxyOptions) {
    move |options| options.fault = Some(Fault { kind, direction, at: at as u64 })
}

#[test]
fn without_a_fault_nothing_is_lost() {
    for trickle in [false, true] {
        let (asked, heard, end, relayed) = through(|o| o.trickle = trickle);
        assert_eq!((&asked[..], &heard[..]), (QUESTION, ANSWER));
        assert_eq!((&relayed.to_server[..], &relayed.to_client[..]), (QUESTION, ANSWER));
        end.unwrap();
    }
}

#[test]
fn exactly_so_many_octets_are_delivered() {
    for kind in [FaultKind::Cut, FaultKind::Reset] {
        for at in 0..=QUESTION.len() {
            let (asked, heard, end, relayed) = through(fault(kind, Direction::ToServer, at));
            assert!(heard.is_empty(), "{kind:?} at {at}: the answer was faster");
            assert_eq!(asked, &QUESTION[..at], "{kind:?} at {at} to the server");
            assert_eq!(relayed.to_server, asked);
            assert_eq!(end.is_ok(), kind == FaultKind::Cut, "{kind:?} at {at}");
        }
        for at in 0..=ANSWER.len() {
            let (_, heard, end, relayed) = through(fault(kind, Direction::ToClient, at));
            assert_eq!(heard, &ANSWER[..at], "{kind:?} at {at} to the client");
            assert_eq!(relayed.to_client, heard);
            assert_eq!(end.is_ok(), kind == FaultKind::Cut, "{kind:?} at {at}");
        }
    }
}

#[test]
fn half_closed_means_the_other_direction_goes_on() {
    let (asked, heard, end, _) = through(fault(FaultKind::HalfClose, Direction::ToClient, 0));
    assert_eq!((&asked[..], &heard[..]), (QUESTION, &b""[..]));
    end.unwrap();
    // The server answers before it meets the end.
    let (asked, heard, ..) = through(fault(FaultKind::HalfClose, Direction::ToServer, QUESTION.len()));
    assert_eq!((&asked[..], &heard[..]), (QUESTION, ANSWER));
}

#[test]
fn a_stall_ends_and_everything_comes() {
    let begin = Instant::now();
    let (asked, heard, ..) = through(|o| {
        fault(FaultKind::Stall, Direction::ToServer, 3)(o);
        o.pause = Some(Duration::from_millis(50));
    });
    assert!(begin.elapsed() >= Duration::from_millis(50));
    assert_eq!((&asked[..], &heard[..]), (QUESTION, ANSWER));
}

#[test]
fn a_stall_without_an_end_delivers_nothing_more() {
    let (addr, thread) = server();
    let mut options = ProxyOptions::new(addr);
    fault(FaultKind::Stall, Direction::ToServer, 3)(&mut options);
    let proxy = Proxy::start(options).unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    client.write_all(QUESTION).unwrap();
    assert!(waits(&client.read(&mut [0]).unwrap_err()));
    drop(client);
    assert_eq!(thread.join().unwrap(), &QUESTION[..3]);
}
