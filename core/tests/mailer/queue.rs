//! The queue: order of things, back-pressure, reports.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use smtpclient::error::Kind;
use smtpclient::net::mailer::Mailer;

use super::server::{Rules, Server};
use super::{LIMIT, address, agree, all_accepted, fetch, message, options, send};

#[test]
fn every_message_arrives_once_and_every_connection_ends_with_quit() {
    let server = Server::start(Rules::default());
    let mailer = Mailer::new(&options(&[&server], &[("connections", "4")])).unwrap();
    let reports = send(&mailer, 2000);
    all_accepted(&reports);
    agree(&reports, &[&server]);
    assert_eq!(reports[&7].queue_id(), Some("4711"));
    assert_eq!(reports[&7].attempts.len(), 1);
    assert!(mailer.close(LIMIT).unwrap());
    let record = server.record();
    assert_eq!(record.stored.len(), 2000);
    assert!(record.most <= 4, "{record:?}");
    server.wait("QUIT on each", |record| record.quits == record.connections);
    let counts = mailer.counts();
    assert_eq!((counts.submitted, counts.decided, counts.accepted), (2000, 2000, 2000));
    assert_eq!((counts.waiting, counts.opened), (0, record.connections as u64));
}

#[test]
fn a_connection_for_one_message_at_a_time_is_used_again() {
    let server = Server::start(Rules::default());
    let mailer = Mailer::new(&options(&[&server], &[("connections", "8")])).unwrap();
    for number in 0..50 {
        mailer.submit(&message(number), None).unwrap();
        assert!(fetch(&mailer, 1).values().all(|report| report.complete()));
    }
    assert_eq!(server.record().connections, 1);
}

#[test]
fn a_full_queue_says_so_or_waits() {
    let server = Server::start(Rules { gate: true, ..Rules::default() });
    let mailer = Mailer::new(&options(&[&server], &[("queuesize", "10")])).unwrap();
    for number in 0..10 {
        mailer.try_submit(&message(number), None).unwrap();
    }
    let error = mailer.try_submit(&message(10), None).unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), (Kind::Full, true));
    assert!(error.text().contains("10 messages") && error.text().contains("`queuesize`"), "{error}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| mailer.submit(&message(10), None));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!waiting.is_finished(), "it did not wait");
        assert_eq!(mailer.counts().submitted, 10);
        assert!(!mailer.room(Duration::from_millis(20)));
        server.open_gate();
        waiting.join().unwrap().unwrap();
    });
    assert!(mailer.drain(LIMIT).unwrap() && mailer.room(Duration::ZERO));
    assert_eq!(server.record().stored.len(), 11);
    assert_eq!(fetch(&mailer, 11).len(), 11);
}

#[test]
fn what_is_wrong_with_a_message_is_told_when_it_is_given() {
    let server = Server::start(Rules::default());
    let good = options(&[&server], &[]);
    let mailer = Mailer::new(&good).unwrap();
    let error = mailer.submit(&smtpclient::message::Message::text("no recipient"), None).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    let mut late = good.clone();
    late.username = Some("user".to_owned());
    let error = mailer.submit(&message(1), Some(&late)).unwrap_err();
    assert!(error.kind() == Kind::Usage && error.text().contains("`username`"), "{error}");
    assert_eq!((mailer.counts().submitted, server.record().connections), (0, 0));

    let mut own = good.clone();
    own.set("recipients", &address(77)).unwrap();
    mailer.submit(&message(1), Some(&own)).unwrap();
    let report = mailer.next_report(LIMIT).unwrap().1;
    assert_eq!(report.recipients[0].address, address(77));

    let mut bad = good;
    bad.mailer.connections = 0;
    assert!(Mailer::new(&bad).unwrap_err().text().contains("`connections`"));
}

#[test]
fn reports_are_given_to_a_function_which_may_submit() {
    let server = Server::start(Rules::default());
    let mailer: Arc<Mutex<Option<Arc<Mailer>>>> = Arc::default();
    let (own, seen) = (Arc::clone(&mailer), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&seen);
    let made = Mailer::with_reports(&options(&[&server], &[("queuesize", "1")]), move |_, report| {
        assert!(report.complete());
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let mailer = own.lock().unwrap().clone().unwrap();
        if number < 5 {
            // The one that is reported now still counts, so this would wait for itself.
            assert_eq!(mailer.submit(&message(number), None).unwrap_err().kind(), Kind::Full);
        }
        panic!("this is passed over");
    });
    *mailer.lock().unwrap() = Some(Arc::new(made.unwrap()));
    let mailer = mailer.lock().unwrap().clone().unwrap();
    for number in 0..5 {
        mailer.submit(&message(number), None).unwrap();
    }
    assert!(mailer.drain(LIMIT).unwrap());
    assert_eq!(seen.load(Ordering::SeqCst), 5, "drained before they were given");
    assert!(mailer.close(LIMIT).unwrap());
}

#[test]
fn a_rate_is_kept() {
    let server = Server::start(Rules::default());
    let mailer = Mailer::new(&options(&[&server], &[("rate", "40")])).unwrap();
    let begin = Instant::now();
    all_accepted(&send(&mailer, 21));
    // Twenty intervals, less what may be caught up with.
    assert!(begin.elapsed() >= Duration::from_millis(440), "{:?}", begin.elapsed());
}

#[test]
fn a_message_waits_until_its_deadline_and_no_longer() {
    let server = Server::start(Rules { gate: true, ..Rules::default() });
    let mailer = Mailer::new(&options(&[&server], &[("connections", "1")])).unwrap();
    for number in 0..40 {
        mailer.submit(&message(number), None).unwrap();
    }
    let mut hasty = mailer.options().clone();
    hasty.deadline = Some(Duration::from_millis(50));
    let ticket = mailer.submit(&message(40), Some(&hasty)).unwrap();
    let (reported, report) = mailer.next_report(LIMIT).unwrap();
    assert_eq!(reported, ticket);
    assert_eq!(report.error.unwrap().kind(), Kind::Timeout);
    server.open_gate();
    assert_eq!(fetch(&mailer, 40).len(), 40);
}
