use std::os::unix::net::UnixStream;

use super::*;

/// Has a farewell for a server that takes nothing any more.
struct Farewell {
    over: bool,
}

impl Conversation for Farewell {
    fn handle_input(&mut self, _: &[u8]) {}
    fn handle_eof(&mut self) {}
    fn handle_timeout(&mut self) {
        self.over = true;
    }
    fn handle_error(&mut self, _: Error) {}
    fn abort(&mut self, _: Error) {}
    fn poll_output(&mut self) -> &[u8] {
        if self.over { &[] } else { b"bye" }
    }
    fn output_done(&mut self, _: usize) {}
    fn timeout(&self) -> Option<Duration> {
        None
    }
    fn progress(&self) -> u64 {
        0
    }
    fn waits_for(&self) -> Option<Awaited> {
        None
    }
}

/// Says `x` ten times and counts the answers.
#[derive(Default)]
struct Echo {
    said: usize,
    heard: usize,
}

impl Conversation for Echo {
    fn handle_input(&mut self, input: &[u8]) {
        self.heard += input.len();
    }
    fn handle_eof(&mut self) {}
    fn handle_timeout(&mut self) {}
    fn handle_error(&mut self, _: Error) {}
    fn abort(&mut self, _: Error) {}
    fn poll_output(&mut self) -> &[u8] {
        if self.said == self.heard { b"x" } else { &[] }
    }
    fn output_done(&mut self, n: usize) {
        self.said += n;
    }
    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_secs(60))
    }
    fn progress(&self) -> u64 {
        0
    }
    fn waits_for(&self) -> Option<Awaited> {
        None
    }
}

#[test]
fn lingering_ends_with_a_server_that_does_not_answer_at_once() {
    let (own, other) = UnixStream::pair().unwrap();
    let mut stream = Stream::adopt(std::os::fd::OwnedFd::from(own)).unwrap();
    let mut echo = Echo::default();
    let begin = Instant::now();
    let mut mover = Mover::default();
    let mut linger = |stream: &mut Stream, echo: &mut Echo| {
        let wait = Wait::Until(Instant::now() + Duration::from_millis(5));
        mover.run(stream, echo, &Limits::default(), wait, |echo| echo.heard == 10);
    };
    linger(&mut stream, &mut echo);
    assert_eq!((echo.said, echo.heard), (1, 0));
    assert!(begin.elapsed() < Duration::from_secs(5), "it waited for the server's own time-out");
    let answering = std::thread::spawn(move || {
        let (mut other, mut byte) = (other, [0]);
        for _ in 0..10 {
            std::io::Read::read_exact(&mut other, &mut byte).unwrap();
            std::io::Write::write_all(&mut other, &byte).unwrap();
        }
    });
    // More than 5 ms may pass on a busy machine: called again it goes on.
    for _ in 0..1000 {
        linger(&mut stream, &mut echo);
    }
    assert_eq!((echo.said, echo.heard), (10, 10));
    answering.join().unwrap();
}

#[test]
fn a_farewell_that_is_not_taken_is_given_up() {
    let (own, _other) = UnixStream::pair().unwrap();
    let mut stream = Stream::adopt(std::os::fd::OwnedFd::from(own)).unwrap();
    while stream.try_send(&[b'x'; 4096]).unwrap() > 0 {}
    while stream.try_send(b"x").unwrap() > 0 {}
    let limits =
        Limits { deadline: Instant::now().checked_add(Duration::from_secs(20)), ..Limits::default() };
    let mut farewell = Farewell { over: false };
    Mover::default().run(&mut stream, &mut farewell, &limits, Wait::Block, |farewell| farewell.over);
    assert!(limits.check(Step::Command).is_ok(), "it went on until the deadline");
}

/// A peer that has so much to read, piece by piece, and is asked so often.
#[derive(Default)]
struct Pieces {
    pieces: std::collections::VecDeque<usize>,
    reads: usize,
}

impl Transport for Pieces {
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn try_recv(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        self.reads += 1;
        let piece = self.pieces.pop_front();
        if let Some(buffer) = piece.and_then(|count| buffer.get_mut(..count)) {
            buffer.fill(b'y');
        }
        Ok(piece)
    }
    fn recv(&mut self, _: &mut [u8], _: Duration) -> io::Result<Option<usize>> {
        panic!("it does not wait")
    }
    fn wait(&mut self, _: Duration) -> io::Result<Ready> {
        panic!("it does not wait")
    }
    fn reads_all(&self) -> bool {
        true
    }
}

#[test]
fn a_turn_does_not_look_for_more_where_nothing_is_due() {
    let turn = |asked: usize, pieces: &[usize]| {
        let mut transport = Pieces { pieces: pieces.iter().copied().collect(), reads: 0 };
        let mut counted = Counted { left: asked };
        Mover::default().run(&mut transport, &mut counted, &Limits::default(), Wait::Never, |_| false);
        (counted.left, transport.reads)
    };
    assert_eq!(turn(1, &[1]), (0, 1));
    assert_eq!(turn(3, &[1, 2]), (0, 2));
    // A server on the same machine may have answered meanwhile.
    assert_eq!(turn(3, &[1]), (2, 2));
    // There may have been more than there was room for.
    assert_eq!(turn(FIRST_READ, &[FIRST_READ]), (0, 2));
}

/// Waits for so many octets.
struct Counted {
    left: usize,
}

impl Conversation for Counted {
    fn handle_input(&mut self, input: &[u8]) {
        self.left -= input.len();
    }
    fn handle_eof(&mut self) {}
    fn handle_timeout(&mut self) {}
    fn handle_error(&mut self, _: Error) {}
    fn abort(&mut self, _: Error) {}
    fn poll_output(&mut self) -> &[u8] {
        &[]
    }
    fn output_done(&mut self, _: usize) {}
    fn timeout(&self) -> Option<Duration> {
        (self.left > 0).then_some(Duration::from_secs(60))
    }
    fn progress(&self) -> u64 {
        0
    }
    fn waits_for(&self) -> Option<Awaited> {
        None
    }
}
