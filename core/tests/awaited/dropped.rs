//! Futures that are dropped at each place where they wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use smtpclient::tokio::{Session, sendmessage};
use smtpclient::{Commit, Kind, Message, Options};

use super::server::{Rules, Server};
use super::{address, for_waits, message, message_of, options, runtime, unless};

/// More than the kernel takes at once.
const MUCH: usize = 6 << 20;

const GROUPS: &[&str] = &["PIPELINING"];

/// Notes when the end of a message may be written.
fn noting(options: &mut Options) -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&asked);
    options.commit = Some(Commit::polled(move |_| {
        noted.store(true, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }));
    asked
}

#[test]
fn a_send_that_waits_for_a_reply() {
    for keywords in [&[], GROUPS] {
        // Greeting, EHLO, MAIL, RCPT, DATA and the end mark.
        for replies in 0..6 {
            let server = Server::start(Rules { keywords, silent_after: Some(replies), ..Rules::default() });
            let mut options = options(&server);
            let asked = noting(&mut options);
            runtime().block_on(async {
                let message = message(1);
                let silent = server.waited("silence", |record| record.silent > 0);
                assert!(unless(sendmessage(&message, &options), silent).await.is_none(), "{replies}");
            });
            server.wait("the end of the connection", |record| record.ended == 1);
            let stored = server.record().stored;
            // The last reply that is missing is that to the end mark.
            let is_whole = replies == 5;
            assert_eq!(stored.len(), usize::from(is_whole), "after {replies} replies: {stored:?}");
            assert_eq!(asked.load(Ordering::SeqCst), is_whole, "after {replies} replies");
        }
    }
}

#[test]
fn a_send_that_waits_for_the_server_to_read() {
    let server = Server::start(Rules { stalls: true, ..Rules::default() });
    let mut options = options(&server);
    let asked = noting(&mut options);
    runtime().block_on(async {
        let message = message_of(1, MUCH);
        let silent = server.waited("content", |record| record.silent > 0);
        assert!(unless(sendmessage(&message, &options), silent).await.is_none());
    });
    server.open();
    server.wait("the end of the connection", |record| record.ended == 1);
    assert!(server.record().stored.is_empty() && !asked.load(Ordering::SeqCst));
}

/// Sends until nothing is dropped any more; how often it was.
fn dropped_everywhere(
    server: &Server,
    mut send: impl AsyncFnMut(usize, usize, &Options) -> Option<bool>,
) -> usize {
    let mut certain = Vec::new();
    let mut dropped = 0;
    runtime().block_on(async {
        loop {
            assert!(dropped < 5000, "it waits without end");
            let mut options = options(server);
            let asked = noting(&mut options);
            let done = send(dropped, dropped, &options).await;
            if !asked.load(Ordering::SeqCst) {
                certain.push(address(dropped));
            }
            if let Some(is_sent) = done {
                assert!(is_sent, "the last was not sent");
                break;
            }
            dropped += 1;
        }
    });
    server.wait("the ends of all connections", |record| record.ended == record.begun);
    let stored = server.record().stored;
    for number in 0..=dropped {
        let count = stored.iter().filter(|one| **one == address(number)).count();
        assert!(count <= 1, "message {number} arrived {count} times");
        assert!(count == 0 || !certain.contains(&address(number)), "message {number} was certainly not sent");
    }
    assert!(stored.contains(&address(dropped)) && !certain.contains(&address(dropped)));
    dropped
}

#[test]
fn a_send_at_each_wait() {
    for keywords in [&[], GROUPS, &["CHUNKING", "PIPELINING"]] {
        let pause = Duration::from_millis(1);
        let server = Server::start(Rules { keywords, pause, ..Rules::default() });
        let dropped = dropped_everywhere(&server, async |number, waits, options| {
            let message = message_of(number, 100_000);
            let sent = for_waits(sendmessage(&message, options), waits).await;
            sent.map(|sent| sent.unwrap().complete())
        });
        assert!(dropped >= 3, "it waited only {dropped} times");
    }
}

#[test]
fn a_session_at_each_wait() {
    let pause = Duration::from_millis(1);
    let server = Server::start(Rules { pause, ..Rules::default() });
    let dropped = dropped_everywhere(&server, async |number, waits, options| {
        let mut session = Session::open("127.0.0.1", server.port(), options).await.unwrap();
        let sent = for_waits(session.send_message(&message(number), options), waits).await;
        if sent.is_none() {
            assert!(!session.is_open());
            // It says so, and says nothing to the server.
            let error = session.noop().await.unwrap_err();
            assert_eq!(error.kind(), Kind::Cancelled, "{error}");
            assert!(error.to_string().contains("open another session"), "{error}");
            let failed = session.send_message(&message(number), options).await.unwrap_err();
            assert_eq!(failed.error.kind(), Kind::Cancelled, "{failed}");
        }
        sent.map(|sent| sent.unwrap().complete())
    });
    assert!(dropped >= 3, "it waited only {dropped} times");
}

#[test]
fn the_next_report_of_a_batch_may_be_dropped_and_asked_for_again() {
    // A server may answer all of it at once, and then there is nothing to drop: seldom, and not ten times.
    let dropped = (0..10).map(|_| a_batch_with_dropped_waits()).find(|dropped| *dropped > 0);
    assert!(dropped.is_some());
}

/// How many waits for the next report were dropped.
fn a_batch_with_dropped_waits() -> usize {
    let server = Server::start(Rules { keywords: GROUPS, ..Rules::default() });
    let dropped = runtime().block_on(async {
        let mut session = Session::open("127.0.0.1", server.port(), &options(&server)).await.unwrap();
        let mut reports = session.send_many((0..200).map(message));
        let (mut numbers, mut dropped) = (0, 0);
        loop {
            match for_waits(reports.next(), 0).await {
                None => {
                    dropped += 1;
                    tokio::task::yield_now().await;
                }
                Some(None) => break,
                Some(Some((number, report))) => {
                    assert!(report.complete(), "{report:?}");
                    assert_eq!(number, numbers);
                    numbers += 1;
                }
            }
        }
        assert_eq!(numbers, 200);
        drop(reports);
        assert_eq!(session.quit().await.unwrap().code(), 221);
        dropped
    });
    assert_eq!(server.record().stored, (0..200).map(address).collect::<Vec<_>>());
    dropped
}

#[test]
fn a_batch_that_is_left_ends_the_session() {
    // The first message is answered, and no other.
    let server = Server::start(Rules { keywords: GROUPS, silent_after: Some(6), ..Rules::default() });
    runtime().block_on(async {
        let mut session = Session::open("127.0.0.1", server.port(), &options(&server)).await.unwrap();
        let mut reports = session.send_many((0..200).map(message));
        assert!(reports.next().await.unwrap().1.complete());
        drop(reports);
        assert_eq!(session.noop().await.unwrap_err().kind(), Kind::Cancelled);
    });
    server.wait("the end of the connection", |record| record.ended == 1);
    let stored = server.record().stored;
    assert!(stored.len() < 200, "all of them arrived");
    assert_eq!(stored, (0..stored.len()).map(address).collect::<Vec<_>>(), "in order, and none twice");
}

#[test]
fn a_batch_with_all_its_reports_leaves_the_session_open() {
    let server = Server::start(Rules { keywords: GROUPS, ..Rules::default() });
    runtime().block_on(async {
        let mut session = Session::open("127.0.0.1", server.port(), &options(&server)).await.unwrap();
        let wrong = Message::text("no recipient");
        let mut reports = session.send_many([message(0), wrong, message(1)]);
        let (_, first) = reports.next().await.unwrap();
        let (number, second) = reports.next().await.unwrap();
        let (_, third) = reports.next().await.unwrap();
        assert!(first.complete() && third.complete());
        assert_eq!((number, second.failure().unwrap().kind()), (1, Kind::Usage));
        drop(reports);
        assert_eq!(session.noop().await.unwrap().code(), 250);
        session.close().await;
    });
    server.wait("the end of the connection", |record| record.ended == 1);
    assert_eq!(server.record().stored, [address(0), address(1)]);
}
