//! Messages that go out from where they lie: nothing tells them from those that are read.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::content::Memory;
use crate::extensions::Chunking;
use crate::times::MessageTimes;

/// Lines that end in CRLF and begin with no dot.
struct Lines(Arc<Vec<u8>>, bool);

impl Content for Lines {
    fn needs_utf8(&self) -> bool {
        false
    }

    fn form(&self, _: Transfer) -> Result<Form, Error> {
        Ok(Form { body: BodyKind::SevenBit, size: Some(self.0.len() as u64), exact: true, clean: true })
    }

    fn open(&mut self, _: Transfer) -> Result<Box<dyn BufRead + Send>, Error> {
        Ok(Box::new(io::Cursor::new(self.0.to_vec())))
    }

    fn memory(&self, _: Transfer) -> Option<Memory> {
        let octets: Arc<Vec<u8>> = Arc::clone(&self.0);
        self.1.then(|| Memory::new(octets))
    }
}

/// How the server puts an end to it.
#[derive(Clone, Copy, Debug)]
enum End {
    Taken,
    Refused,
    Closed,
}

/// What is said from the content on, until the server ends it after so many octets, and what became of the message and of one
/// after it. The kernel takes `piece` octets at a time.
fn told(
    octets: &Arc<Vec<u8>>,
    chunking: Chunking,
    lent: bool,
    piece: usize,
    end: End,
    after: usize,
) -> (Vec<u8>, Option<Report>, Option<Vec<Outcome>>) {
    let mut play = Play::ready(Protocol::Smtp, &["PIPELINING", "SIZE", "CHUNKING"]);
    play.engine.config_mut().chunking = chunking;
    let content = || Box::new(Lines(Arc::clone(octets), lent));
    play.engine.send(Transaction { content: content(), ..transaction(&["b@s"], false) });
    play.engine.send(Transaction { content: content(), ..transaction(&["c@s"], false) });
    play.client();
    play.server("250 ok\r\n250 ok\r\n");
    if chunking == Chunking::Off {
        play.server("354 go\r\n");
    }
    let mut said = Vec::new();
    while said.len() < after {
        let output = play.engine.poll_output();
        let taken = output.len().min(piece).min(after - said.len());
        if taken == 0 {
            break;
        }
        said.extend_from_slice(&output[..taken]);
        play.engine.output_done(taken);
    }
    match end {
        End::Taken if chunking == Chunking::On => {
            // Each chunk that was begun, and those that are written then.
            for _ in 0..said.windows(5).filter(|words| words == b"BDAT ").count() {
                play.server("250 taken\r\n");
            }
            said.extend_from_slice(play.client().as_bytes());
            play.server("250 taken\r\n");
        }
        End::Taken => play.server("250 taken\r\n"),
        End::Refused => play.server("552 too much\r\n"),
        End::Closed => play.engine.handle_eof(),
    }
    said.extend_from_slice(play.client().as_bytes());
    play.engine.handle_eof();
    let mut reports = vec![play.sent(), play.sent()];
    for report in &mut reports {
        report.times = MessageTimes::default();
        // Of a message that was cut off those count that were gathered, and what is lent is not gathered ahead.
        report.octets = if report.sent() { report.octets } else { 0 };
    }
    // Whether the envelope of the second was gathered with the end of the first is chance.
    let second = reports.pop().map(|report| report.recipients.iter().map(|r| r.outcome).collect());
    (said, reports.pop(), second)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn as_if_it_were_read(chunked in any::<bool>(), lines in 900usize..5000, ended in any::<bool>(), piece in prop_oneof![1000usize..9000, 60_000usize..400_000],
        end in prop_oneof![Just(End::Taken), Just(End::Refused), Just(End::Closed)], after in prop_oneof![0usize..400_000, Just(usize::MAX)]) {
        let mut octets = b"Subject: x\r\n\r\n".to_vec();
        (0..lines).for_each(|line| octets.extend(format!("line {line} {}\r\n", "x".repeat(line % 77 + 20)).as_bytes()));
        if !ended {
            octets.truncate(octets.len() - 2);
        }
        let octets = Arc::new(octets);
        let chunking = if chunked { Chunking::On } else { Chunking::Off };
        prop_assert!(told(&octets, chunking, true, piece, end, after) == told(&octets, chunking, false, piece, end, after));
    }
}

#[test]
fn a_message_of_one_write_is_copied_and_a_larger_one_is_not() {
    for (size, lent) in [(writer::WATER - 1, false), (writer::WATER, true)] {
        let octets = Arc::new([b"x".repeat(size - 2), b"\r\n".to_vec()].concat());
        let mut play = Play::ready(Protocol::Smtp, &[]);
        play.engine.send(Transaction {
            content: Box::new(Lines(Arc::clone(&octets), true)),
            ..transaction(&["b@s"], false)
        });
        for reply in ["250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
            play.client();
            play.server(reply);
        }
        assert_eq!(play.engine.poll_output().as_ptr() == octets.as_ptr(), lent);
        assert_eq!(play.client().len(), size + 3);
        play.server("250 ok\r\n");
        let report = play.sent();
        assert!(report.complete() && report.octets == size as u64, "{report:?}");
    }
}

#[test]
fn whole_chunks_are_not_copied() {
    let octets = Arc::new([b"x".repeat(2 * writer::WATER + 8), b"\r\n".to_vec()].concat());
    let mut play = Play::ready(Protocol::Smtp, &["PIPELINING", "CHUNKING"]);
    play.engine.config_mut().chunking = Chunking::On;
    play.engine.send(Transaction {
        content: Box::new(Lines(Arc::clone(&octets), true)),
        ..transaction(&["b@s"], false)
    });
    play.client();
    play.server("250 ok\r\n250 ok\r\n");
    for chunk in 0..2 {
        assert_eq!(play.engine.poll_output(), b"BDAT 65536\r\n");
        play.engine.output_done(12);
        // However little of it is taken at once.
        for at in [0, 10] {
            let lent = play.engine.poll_output();
            assert_eq!(lent.as_ptr(), octets[chunk * writer::WATER + at..].as_ptr());
            assert_eq!(lent.len(), writer::WATER - at);
            play.engine.output_done(if at == 0 { 10 } else { writer::WATER - 10 });
        }
    }
    play.server("250 ok\r\n250 ok\r\n");
    assert_eq!(play.client(), "BDAT 10 LAST\r\nxxxxxxxx\r\n");
    play.server("250 ok\r\n");
    let report = play.sent();
    assert!(report.complete() && report.octets == octets.len() as u64, "{report:?}");
}
