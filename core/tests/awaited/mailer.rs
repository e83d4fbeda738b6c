//! The mailer whose reports are awaited.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use smtpclient::Kind;
use smtpclient::tokio::Mailer;
use tokio::task::JoinSet;

use super::server::{Rules, Server};
use super::{LIMIT, address, for_waits, message, options, runtime};

#[test]
fn a_thousand_messages_from_tasks_that_wait_for_room() {
    let server = Server::start(Rules { keywords: &["PIPELINING"], ..Rules::default() });
    let mut options = options(&server);
    options.set("queuesize", "20").unwrap();
    options.set("connections", "4").unwrap();
    let mailer = Arc::new(Mailer::new(&options).unwrap());
    runtime().block_on(async {
        let mut tasks = JoinSet::new();
        for number in 0..1000 {
            let mailer = Arc::clone(&mailer);
            tasks.spawn(async move {
                let submission = mailer.submit(&message(number), None).await.unwrap();
                let report = submission.await.unwrap();
                assert_eq!(report.recipients[0].address, address(number), "the report of another message");
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert!(mailer.drain(LIMIT).await.unwrap() && mailer.close(LIMIT).await.unwrap());
        let error = mailer.submit(&message(1), None).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Closed);
    });
    let mut stored = server.record().stored;
    stored.sort();
    let mut sent: Vec<_> = (0..1000).map(address).collect();
    sent.sort();
    assert_eq!(stored, sent);
    let counts = mailer.counts();
    assert_eq!((counts.submitted, counts.accepted), (1000, 1000));
}

#[test]
fn a_full_queue_is_awaited_and_holds_up_nobody() {
    let server = Server::start(Rules { gate: true, ..Rules::default() });
    let mut options = options(&server);
    options.set("queuesize", "2").unwrap();
    let mailer = Mailer::new(&options).unwrap();
    runtime().block_on(async {
        let first = mailer.submit(&message(0), None).await.unwrap();
        let second = mailer.submit(&message(1), None).await.unwrap();
        assert_eq!(mailer.try_submit(&message(2), None).unwrap_err().kind(), Kind::Full);
        // A submission that is dropped while it waits has taken nothing, and the next in line has its turn.
        let wrong = message(99);
        let mut waiting = Box::pin(mailer.submit(&wrong, None));
        assert!(for_waits(waiting.as_mut(), 0).await.is_none());
        let right = message(2);
        let mut behind = Box::pin(mailer.submit(&right, None));
        assert!(for_waits(behind.as_mut(), 0).await.is_none());
        drop(waiting);
        assert!(!mailer.drain(Duration::from_millis(1)).await.unwrap());
        server.open();
        let third = behind.await.unwrap();
        assert_eq!([&first, &second, &third].map(|one| one.number().number()), [1, 2, 3]);
        for submission in [third, first, second] {
            assert!(submission.await.unwrap().complete());
        }
        assert!(mailer.close(LIMIT).await.unwrap());
    });
    let mut stored = server.record().stored;
    stored.sort();
    assert_eq!(stored, [address(0), address(1), address(2)]);
}

#[test]
fn a_mailer_that_is_dropped_reports_and_waits_for_nothing() {
    let server = Server::start(Rules { silent_after: Some(3), ..Rules::default() });
    let (enter, mut entered) = tokio::sync::mpsc::unbounded_channel();
    let (leave, left) = std::sync::mpsc::channel::<()>();
    let left = std::sync::Mutex::new(left);
    let mut options = options(&server);
    // Holds up the mailer's thread until the mailer is dropped.
    options.transcript = Some(Arc::new(move |_, line| {
        if line.starts_with("MAIL") {
            let _ = enter.send(());
            let _ = left.lock().unwrap().recv_timeout(LIMIT);
        }
    }));
    let mailer = Mailer::new(&options).unwrap();
    runtime().block_on(async {
        let submission = mailer.submit(&message(0), None).await.unwrap();
        entered.recv().await.unwrap();
        drop(mailer); // had it waited for its thread, that would have waited for what follows
        drop(leave);
        let failed = submission.await.unwrap_err();
        assert_eq!(failed.error.kind(), Kind::Cancelled, "{failed}");
    });
    assert!(server.record().stored.is_empty());
}

#[test]
fn a_function_that_panics_ends_no_thread_that_others_wait_for() {
    let server = Server::start(Rules::default());
    let mut options = options(&server);
    options.transcript =
        Some(Arc::new(|_, line| assert!(!line.starts_with("MAIL"), "the function's own fault")));
    let mailer = Mailer::new(&options).unwrap();
    runtime().block_on(async {
        for number in 0..2 {
            let submission = mailer.submit(&message(number), None).await.unwrap();
            assert!(tokio::time::timeout(LIMIT, submission).await.unwrap().unwrap().complete());
        }
        assert!(mailer.close(LIMIT).await.unwrap());
    });
}

#[test]
fn what_is_not_decided_in_time_is_ended() {
    let server = Server::start(Rules { gate: true, ..Rules::default() });
    let mailer = Mailer::new(&options(&server)).unwrap();
    runtime().block_on(async {
        let submission = mailer.submit(&message(0), None).await.unwrap();
        server.waited("the message", |record| record.stored.len() == 1).await;
        assert!(!mailer.close(Duration::ZERO).await.unwrap());
        assert_eq!(submission.await.unwrap_err().error.kind(), Kind::Unknown);
    });
    server.open();
}

#[test]
fn a_submission_may_be_dropped() {
    let server = Server::start(Rules::default());
    let mailer = Mailer::new(&options(&server)).unwrap();
    runtime().block_on(async {
        drop(mailer.submit(&message(0), None).await.unwrap());
        let mut second = Box::pin(mailer.submit(&message(1), None).await.unwrap());
        std::future::poll_fn(|cx| {
            let _ = second.as_mut().poll(cx);
            Poll::Ready(())
        })
        .await;
        drop(second);
        assert!(mailer.close(LIMIT).await.unwrap());
    });
    assert_eq!(server.record().stored.len(), 2);
}
