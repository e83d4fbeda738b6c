//! Limits of connections and of messages on a connection, the server's and the caller's.

use std::time::{Duration, Instant};

use smtpclient::net::mailer::Mailer;

use super::server::{Rules, Server};
use super::{LIMIT, agree, all_accepted, message, options, send};

#[test]
fn a_limit_of_connections_at_the_server_is_lived_with() {
    let server = Server::start(Rules { most_connections: Some(2), ..Rules::default() });
    let mailer = Mailer::new(&options(&[&server], &[("connections", "8")])).unwrap();
    let reports = send(&mailer, 1500);
    all_accepted(&reports);
    agree(&reports, &[&server]);
    let record = server.record();
    assert!(record.most <= 2 && record.turned_away > 0, "{record:?}");
    // Each one comes after a pause, so that they cannot be many.
    assert!(record.turned_away < 100, "{record:?}");
}

#[test]
fn a_greeting_421_is_a_pause_and_no_failure() {
    let busy = Server::start(Rules { most_connections: Some(0), ..Rules::default() });
    let mailer = Mailer::new(&options(&[&busy], &[("retries", "2")])).unwrap();
    let begin = Instant::now();
    let report = &send(&mailer, 1)[&0];
    let error = report.error.as_ref().unwrap();
    assert!(error.is_transient() && error.reply().is_some_and(|reply| reply.code() == 421), "{error}");
    assert_eq!((report.attempts.len(), busy.record().turned_away), (3, 3));
    // Half of 20 ms and half of 40 ms at least.
    assert!(begin.elapsed() >= Duration::from_millis(30), "{:?}", begin.elapsed());
}

#[test]
fn a_server_that_says_421_after_some_messages_gets_the_rest_on_another_connection() {
    for after in [1, 2, 7] {
        let server = Server::start(Rules { goodbye_after: Some(after), ..Rules::default() });
        let mailer = Mailer::new(&options(&[&server], &[("connections", "3")])).unwrap();
        let reports = send(&mailer, 300);
        all_accepted(&reports);
        agree(&reports, &[&server]);
        assert!(server.record().most <= 3);
    }
}

#[test]
fn mailmax_and_the_callers_own_limit_are_kept() {
    for (keywords, own, most) in [
        (&["LIMITS MAILMAX=5"][..], "1000", 5),
        (&["LIMITS MAILMAX=5"][..], "3", 3),
        (&[][..], "4", 4),
        (&[][..], "1", 1),
    ] {
        let server = Server::start(Rules { keywords, ..Rules::default() });
        let mailer =
            Mailer::new(&options(&[&server], &[("connectionmessages", own), ("connections", "2")])).unwrap();
        let reports = send(&mailer, 60);
        all_accepted(&reports);
        agree(&reports, &[&server]);
        assert!(mailer.close(LIMIT).unwrap());
        server.wait("every end", |record| record.open == 0);
        let record = server.record();
        assert!(record.lengths.iter().all(|length| *length <= most), "{record:?}");
        assert!(record.most <= 2 && record.quits == record.connections, "{record:?}");
    }
}

#[test]
fn connections_are_opened_for_more_than_the_open_ones_take() {
    let server = Server::start(Rules { gate: true, ..Rules::default() });
    let mailer = Mailer::new(&options(&[&server], &[("connections", "8")])).unwrap();
    mailer.submit(&message(0), None).unwrap();
    mailer.submit(&message(1), None).unwrap();
    server.wait("both", |record| record.mails.len() == 1);
    assert_eq!(server.record().most, 1, "two messages go over one");
    for number in 2..100 {
        mailer.submit(&message(number), None).unwrap();
    }
    server.wait("all that may be", |record| record.open == 8);
    assert_eq!(mailer.counts().connections, 8);
    server.open_gate();
    assert!(mailer.drain(LIMIT).unwrap());
    assert_eq!(server.record().connections, 8);
}

#[test]
fn an_idle_connection_is_closed_after_a_time() {
    let server = Server::start(Rules::default());
    let mailer = Mailer::new(&options(&[&server], &[("idletime", "0.05"), ("connections", "1")])).unwrap();
    all_accepted(&send(&mailer, 3));
    server.wait("QUIT", |record| record.quits == 1 && record.open == 0);
    all_accepted(&send(&mailer, 3));
    assert_eq!(server.record().connections, 2);
}
