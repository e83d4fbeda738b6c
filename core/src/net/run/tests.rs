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
    fn waits_for_source(&self) -> bool {
        false
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
    fn waits_for_source(&self) -> bool {
        false
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
