//! Ends: closed, dropped, cancelled. Each message has its report.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use smtpclient::cancel::Cancel;
use smtpclient::error::Kind;
use smtpclient::net::mailer::{Mailer, MessageNumber};
use smtpclient::options::{CustomExchange, CustomMechanism, CustomStep, Dialler, LoginFacts, OauthToken};
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
    assert!(mailer.close(LIMIT).unwrap());
    assert_eq!(mailer.submit(&message(300), None).unwrap_err().kind(), Kind::Closed);
    assert_eq!(mailer.try_submit(&message(300), None).unwrap_err().kind(), Kind::Closed);
    assert!(fetch(&mailer, 300).values().all(Report::complete));
    assert!(mailer.close(LIMIT).unwrap(), "it can be closed twice");
    server.wait("QUIT on each", |record| record.quits == record.connections);
}

#[test]
fn one_that_is_not_used_ends_at_once() {
    let server = Server::start(Rules::default());
    let begin = Instant::now();
    drop(Mailer::new(&options(&[&server], &[])).unwrap());
    assert!(Mailer::new(&options(&[&server], &[])).unwrap().close(LIMIT).unwrap());
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
    assert!(!mailer.drain(Duration::from_millis(20)).unwrap());
    assert!(!mailer.close(Duration::from_millis(50)).unwrap());
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
        let reports: Arc<Mutex<BTreeMap<MessageNumber, Report>>> = Arc::default();
        let noted = Arc::clone(&reports);
        let mailer = Mailer::with_reports(&options(&[&server], &[]), move |number, report| {
            assert!(noted.lock().unwrap().insert(number, report).is_none());
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
        let by_number = reports.into_iter().map(|(number, report)| (number.number() as usize - 1, report));
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
        assert!(!mailer.close(Duration::ZERO).unwrap());
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), Kind::Closed);
    });
    assert_eq!(fetch(&mailer, 1).len(), 1);
}

/// Functions of the caller's run in the mailer's thread, which they cannot wait for.
#[test]
fn a_mailer_does_not_wait_for_itself_in_its_own_callbacks() {
    type Slot = Arc<Mutex<Option<Arc<Mailer>>>>;
    type Seen = Arc<Mutex<Vec<(&'static str, Kind)>>>;
    fn waits(place: &'static str, slot: &Slot, seen: &Seen) {
        let Some(mailer) = slot.lock().unwrap().clone() else { return };
        assert!(mailer.is_inside());
        for kind in [mailer.close(LIMIT), mailer.drain(LIMIT)].map(|done| done.unwrap_err().kind()) {
            seen.lock().unwrap().push((place, kind));
        }
        assert!(mailer.next_report(LIMIT).is_none());
        mailer.room(LIMIT);
    }
    struct Waiting(Slot, Seen, usize);
    impl smtpclient::message::Reader for Waiting {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.2 += 1;
            if self.2 > 1 {
                if self.2 == 3 {
                    waits("reader", &self.0, &self.1);
                }
                buffer[0] = b'\n';
                return Ok(usize::from(self.2 < 5));
            }
            let head = b"From: a@c.example\nTo: b@d.example\n\n";
            buffer[..head.len()].copy_from_slice(head);
            Ok(head.len())
        }

        fn rewind(&mut self) -> std::io::Result<bool> {
            Ok(false)
        }

        fn length(&self) -> Option<u64> {
            None
        }
    }
    let server = Server::start(Rules::default());
    let (slot, seen) = (Slot::default(), Seen::default());
    let mut options = options(&[&server], &[("queuesize", "2")]);
    let (own, noted) = (Arc::clone(&slot), Arc::clone(&seen));
    options.transcript = Some(Arc::new(move |_, _| waits("transcript", &own, &noted)));
    let (own, noted) = (Arc::clone(&slot), Arc::clone(&seen));
    let mailer = Mailer::with_reports(&options, move |_, _| waits("report", &own, &noted)).unwrap();
    let mailer = Arc::new(mailer);
    *slot.lock().unwrap() = Some(Arc::clone(&mailer));
    let reader = Waiting(Arc::clone(&slot), Arc::clone(&seen), 0);
    mailer.submit(&smtpclient::message::Message::from_reader(reader), None).unwrap();
    assert!(mailer.drain(LIMIT).unwrap());
    *slot.lock().unwrap() = None;
    assert!(mailer.close(LIMIT).unwrap(), "what was refused changed nothing");
    let seen = seen.lock().unwrap();
    for place in ["transcript", "report", "reader"] {
        assert!(seen.iter().any(|(own, _)| *own == place), "{place}");
    }
    assert!(seen.iter().all(|(_, kind)| *kind == Kind::Usage));
    assert_eq!(server.record().stored.len(), 1);
}

/// Nor do those that it calls in threads that it begins for that.
#[test]
fn a_mailer_does_not_wait_for_itself_where_it_connects_and_logs_in() {
    type Slot = Arc<Mutex<Option<Arc<Mailer>>>>;
    type Seen = Arc<Mutex<Vec<&'static str>>>;
    fn waits(place: &'static str, slot: &Slot, seen: &Seen) {
        let Some(mailer) = slot.lock().unwrap().clone() else { return };
        assert!(mailer.is_inside());
        for done in [mailer.close(Duration::MAX), mailer.drain(Duration::MAX)] {
            assert_eq!(done.unwrap_err().kind(), Kind::Usage, "{place}");
        }
        assert!(mailer.next_report(Duration::MAX).is_none());
        seen.lock().unwrap().push(place);
    }
    struct Site(Slot, Seen);
    impl CustomMechanism for Site {
        fn name(&self) -> &str {
            "X-SITE"
        }
        fn begin(&self, _: &LoginFacts<'_>) -> Box<dyn CustomExchange> {
            let (slot, seen) = (Arc::clone(&self.0), Arc::clone(&self.1));
            Box::new(move |_: Option<&[u8]>| {
                waits("mechanism", &slot, &seen);
                Poll::Ready(Ok(CustomStep::last("ticket")))
            })
        }
    }
    let logins: [(&[&str], _); 2] = [(&["AUTH X-SITE"], "mechanism"), (&["AUTH XOAUTH2"], "oauthtoken")];
    for (keywords, login) in logins {
        let server = Server::start(Rules { keywords, takes_logins: true, ..Rules::default() });
        let (slot, seen) = (Slot::default(), Seen::default());
        let mut options = options(&[&server], &[("username", "ann"), ("authinsecure", "1")]);
        let own = (Arc::clone(&slot), Arc::clone(&seen));
        options.dialler = Some(Dialler::new(move |to| {
            waits("dialler", &own.0, &own.1);
            TcpStream::connect((to.host, to.port))
        }));
        let own = (Arc::clone(&slot), Arc::clone(&seen));
        options.oauthtoken = Some(OauthToken::asking(move |_| {
            waits("oauthtoken", &own.0, &own.1);
            Ok::<_, &str>("t0ken")
        }));
        options.mechanisms.push(Arc::new(Site(Arc::clone(&slot), Arc::clone(&seen))));
        let mailer = Arc::new(Mailer::new(&options).unwrap());
        *slot.lock().unwrap() = Some(Arc::clone(&mailer));
        mailer.submit(&message(0), None).unwrap();
        assert!(mailer.drain(LIMIT).unwrap());
        *slot.lock().unwrap() = None;
        assert!(mailer.close(LIMIT).unwrap(), "what was refused changed nothing");
        assert_eq!(*seen.lock().unwrap(), ["dialler", login]);
        assert_eq!(server.record().stored.len(), 1);
    }
}
