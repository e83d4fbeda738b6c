//! How long a read blocks.

use super::*;

#[test]
fn a_read_waits_as_long_as_it_was_told() {
    let (mut stream, _theirs) = unix_pair();
    // Also the waits that SO_RCVTIMEO cannot say in one go, and those that it would take for ever.
    for wait in [1, 30_000, 200_000, 1_100_000_u64].map(Duration::from_micros) {
        let begin = Instant::now();
        assert_eq!(stream.recv(&mut [0], wait).unwrap(), None);
        let took = begin.elapsed();
        assert!(took >= wait && took < wait + Duration::from_millis(150), "{wait:?}: {took:?}");
    }
}

#[test]
fn a_read_waits_also_where_a_copy_of_the_descriptor_was_made_non_blocking() {
    // Nanoseconds that this thread was running, on Linux.
    let busy = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).map(Duration::from_nanos)
    };
    let (mut stream, mut theirs) = unix_pair();
    rustix::io::ioctl_fionbio(&stream, true).unwrap();
    let (begin, ran) = (Instant::now(), busy());
    assert_eq!(stream.recv(&mut [0], Duration::from_millis(300)).unwrap(), None);
    assert!(begin.elapsed() >= Duration::from_millis(300));
    if let (Some(before), Some(after)) = (ran, busy()) {
        assert!(after - before < Duration::from_millis(100), "it span for {:?}", after - before);
    }
    theirs.write_all(b"x").unwrap();
    assert_eq!(stream.recv(&mut [0], SECOND).unwrap(), Some(1));
}

#[test]
fn the_kernels_time_out_is_seldom_set() {
    let (mut stream, mut theirs) = unix_pair();
    theirs.write_all(&[b'x'; 100]).unwrap();
    let mut set = Vec::new();
    for wait in (0..100).map(|i| Duration::from_millis(300_000 - 1000 * i)) {
        let before = stream.block;
        assert_eq!(stream.recv(&mut [0], wait).unwrap(), Some(1));
        if stream.block != before {
            set.push(stream.block);
        }
    }
    assert_eq!(set, [LONGEST_BLOCK]);
    // What the kernel is believed to have is not said again.
    stream.socket.set_read_timeout(Some(SECOND * 7)).unwrap();
    theirs.write_all(b"x").unwrap();
    assert_eq!(stream.recv(&mut [0], SECOND * 120).unwrap(), Some(1));
    assert_eq!(stream.socket.read_timeout().unwrap(), Some(SECOND * 7));
}

#[test]
fn a_block_is_never_zero_nor_longer_than_the_wait() {
    for (wait, block) in [
        (Duration::ZERO, Duration::from_millis(1)),
        (Duration::from_nanos(1), Duration::from_millis(1)),
        (Duration::from_nanos(1_000_001), Duration::from_millis(2)),
        (Duration::from_millis(200), Duration::from_millis(200)),
        (Duration::from_nanos(999_999_999), SECOND),
        (SECOND, SECOND),
        (Duration::from_millis(3999), SECOND * 2),
        (SECOND * 600, LONGEST_BLOCK),
        (Duration::MAX, LONGEST_BLOCK),
    ] {
        assert_eq!(block_for(wait), block, "{wait:?}");
    }
}

#[test]
fn a_cancel_ends_a_read_soon() {
    let (mut stream, _theirs) = tcp_pair("127.0.0.1:0");
    let cancel = Cancel::new();
    let limits = Limits::new(None, Some(cancel.clone()));
    let trigger = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        cancel.trigger();
        Instant::now()
    });
    let error = loop {
        if let Err(error) = limits.check(Step::Greeting) {
            break error;
        }
        assert_eq!(stream.recv(&mut [0], limits.slice(SECOND * 300)).unwrap(), None);
    };
    assert_eq!(error.kind(), Kind::Cancelled);
    assert!(trigger.join().unwrap().elapsed() < Duration::from_millis(300));
}
