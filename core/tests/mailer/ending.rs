//! Ends: closed, dropped, cancelled. Each message has its report.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use smtpclient::cancel::Cancel;
use smtpclient::error::Kind;
use smtpclient::net::mailer::{Mailer, Ticket};
use smtpclient::report::{Outcome, Report};

use super::server::{Rules, Server};
use super::{LIMIT, agree, fetch, message, options};

#[test]
fn a_mailer_that_is_closed_sends_what_it_has_and_takes_no_more() {
    let server = Server::start(Rules::default());
    let mailer = Mailer::new(&options(&[&server], &[])).unwrap();
    for number in 0..300 {
        mailer.submit(&message(number), None).unwrap();
    }
    assert!(mailer.close(LIMIT));
    assert_eq!(mailer.submit(&message(300), None).unwrap_err().kind(), Kind::Closed);
    assert_eq!(mailer.try_submit(&message(300), None).unwrap_err().kind(), Kind::Closed);
    assert!(fetch(&mailer, 300).values().all(Report::complete));
    assert!(mailer.close(LIMIT), "it can be closed twice");
    server.wait("QUIT on each", |record| record.quits == record.connections);
}

#[test]
fn one_that_is_not_used_ends_at_once() {
    let server = Server::start(Rules::default());
    let begin = Instant::now();
    drop(Mailer::new(&options(&[&server], &[])).unwrap());
    assert!(Mailer::new(&options(&[&server], &[])).unwrap().close(LIMIT));
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(server.record().connections, 0);
}

#[test]
fn what_is_not_decided_in_time_is_ended() {
    let server = Server::start(Rules { gate: true, ..Rules::default() });
    let mailer = Mailer::new(&options(&[&server], &[])).unwrap();
    for number in 0..50 {
        mailer.submit(&message(number), None).unwrap();
    }
    server.wait("MAIL", |record| !record.mails.is_empty());
    let begin = Instant::now();
    assert!(!mailer.drain(Duration::from_millis(20)));
    assert!(!mailer.close(Duration::from_millis(50)));
    assert!(begin.elapsed() < Duration::from_secs(5));
    let reports = fetch(&mailer, 50);
    for report in reports.values() {
        assert_eq!(report.recipients[0].outcome, Outcome::NotSent);
        assert_eq!(report.error.as_ref().unwrap().kind(), Kind::Cancelled);
    }
    assert_eq!(server.record().stored.len(), 0);
}

#[test]
fn dropping_it_while_it_sends_reports_everything() {
    for pause in [0, 1, 5, 20] {
        let server = Server::start(Rules::default());
        let reports: Arc<Mutex<BTreeMap<Ticket, Report>>> = Arc::default();
        let noted = Arc::clone(&reports);
        let mailer = Mailer::with_reports(&options(&[&server], &[]), move |ticket, report| {
            assert!(noted.lock().unwrap().insert(ticket, report).is_none());
        });
        let mailer = mailer.unwrap();
        for number in 0..500 {
            mailer.submit(&message(number), None).unwrap();
        }
        std::thread::sleep(Duration::from_millis(pause));
        drop(mailer);
        let reports = std::mem::take(&mut *reports.lock().unwrap());
        assert_eq!(reports.len(), 500);
        // What the server took and could not say any more is unknown.
        let by_number = reports.into_iter().map(|(ticket, report)| (ticket.number() as usize - 1, report));
        server.wait("the ends", |record| record.open == 0);
        agree(&by_number.collect(), &[&server]);
    }
}

#[test]
fn the_callers_cancel_ends_it() {
    let server = Server::start(Rules { gate: true, ..Rules::default() });
    let cancel = Cancel::new();
    let mut cancelled = options(&[&server], &[]);
    cancelled.cancel = Some(cancel.clone());
    let mailer = Mailer::new(&cancelled).unwrap();
    for number in 0..20 {
        mailer.submit(&message(number), None).unwrap();
    }
    cancel.trigger();
    assert!(fetch(&mailer, 20).values().all(|r| r.error.as_ref().unwrap().kind() == Kind::Cancelled));
    assert_eq!(mailer.submit(&message(20), None).unwrap_err().kind(), Kind::Closed);
    assert!(mailer.next_report(LIMIT).is_none());
}

#[test]
fn one_that_waits_for_room_is_told_of_the_end() {
    let server = Server::start(Rules { gate: true, ..Rules::default() });
    let mailer = Mailer::new(&options(&[&server], &[("queuesize", "1")])).unwrap();
    mailer.submit(&message(0), None).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| mailer.submit(&message(1), None));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!mailer.close(Duration::ZERO));
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), Kind::Closed);
    });
    assert_eq!(fetch(&mailer, 1).len(), 1);
}
