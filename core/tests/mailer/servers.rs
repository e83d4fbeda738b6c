//! Several servers, and those that have no room for now.

use std::time::Duration;

use smtpclient::error::{Kind, Step};
use smtpclient::message::Message;
use smtpclient::net::mailer::Mailer;
use smtpclient::report::{Outcome, Report};

use super::server::{Rules, Server};
use super::{agree, all_accepted, fetch, message, options, send};

#[test]
fn the_next_server_is_used_where_the_first_cannot_be_had() {
    let (nobody, server) = (Server::nobody(), Server::start(Rules::default()));
    let mailer = Mailer::new(&options(&[&nobody, &server], &[("backoff", "5")])).unwrap();
    let reports = send(&mailer, 50);
    all_accepted(&reports);
    agree(&reports, &[&server]);
    assert_eq!(server.record().stored.len(), 50);
}

#[test]
fn the_first_server_is_used_while_it_can_be_had() {
    let (first, second) = (Server::start(Rules::default()), Server::start(Rules::default()));
    let mailer = Mailer::new(&options(&[&first, &second], &[])).unwrap();
    all_accepted(&send(&mailer, 200));
    assert_eq!((first.record().stored.len(), second.record().connections), (200, 0));
}

#[test]
fn servers_that_take_turns_share_the_connections() {
    for order in ["turn", "random"] {
        let (first, second) = (Server::start(Rules::default()), Server::start(Rules::default()));
        // One message on each connection, and one connection after the other.
        let more = [("order", order), ("connections", "1"), ("connectionmessages", "1")];
        let mailer = Mailer::new(&options(&[&first, &second], &more)).unwrap();
        let mut reports = std::collections::BTreeMap::new();
        for number in 0..40 {
            mailer.submit(&super::message(number), None).unwrap();
            reports.insert(number, mailer.next_report(super::LIMIT).unwrap().1);
        }
        all_accepted(&reports);
        agree(&reports, &[&first, &second]);
        let stored = [&first, &second].map(|server| server.record().stored.len());
        // Of 40 draws one side has 4 or fewer in 1 of 5 000 000. One whose turn it is and that still takes its leave of the
        // connection before is passed over, so that even turns are not always 20.
        assert!(stored.iter().all(|count| *count >= 5), "{order}: {stored:?}");
    }
}

#[test]
fn with_servers_in_turn_one_that_is_down_costs_nothing_but_a_try() {
    let (nobody, server) = (Server::nobody(), Server::start(Rules::default()));
    let refusing = Rules { refusals: usize::MAX, refusal: "452 4.3.1 no room", ..Rules::default() };
    let full = Server::start(refusing);
    let mailer = Mailer::new(&options(&[&nobody, &full, &server], &[("order", "turn")])).unwrap();
    let reports = send(&mailer, 100);
    all_accepted(&reports);
    agree(&reports, &[&server]);
}

#[test]
fn a_message_that_is_turned_away_for_now_goes_to_the_next_server() {
    let refusing = || Rules { refusals: usize::MAX, refusal: "452 4.3.1 no room", ..Rules::default() };
    let (first, second) = (Server::start(refusing()), Server::start(Rules::default()));
    let mailer = Mailer::new(&options(&[&first, &second], &[])).unwrap();
    let reports = send(&mailer, 100);
    all_accepted(&reports);
    agree(&reports, &[&first, &second]);
    assert_eq!(second.record().stored.len(), 100);
    assert!(reports.values().any(|report| report.attempts.len() == 2));

    // And where every server does, so many times and no more.
    let third = Server::start(refusing());
    let mailer = Mailer::new(&options(&[&first, &third], &[("retries", "1")])).unwrap();
    let before = first.record().mails.len();
    let report = &send(&mailer, 1)[&0];
    assert_eq!(report.recipients[0].outcome, Outcome::Rejected);
    assert!(report.error.as_ref().is_some_and(|error| error.step() == Step::Mail && error.is_transient()));
    assert_eq!((first.record().mails.len() - before, third.record().mails.len()), (2, 2));
    assert_eq!(report.attempts.len(), 4);
}

#[test]
fn what_each_server_did_is_counted() {
    let refusing = Rules { refusals: usize::MAX, refusal: "452 4.3.1 no room", ..Rules::default() };
    let (first, second) = (Server::start(refusing), Server::start(Rules::default()));
    let mailer = Mailer::new(&options(&[&first, &second], &[])).unwrap();
    all_accepted(&send(&mailer, 10));
    let counts = mailer.server_counts();
    let names: Vec<&str> = counts.iter().map(|one| one.server.as_str()).collect();
    assert_eq!(names, [&first, &second].map(|server| format!("127.0.0.1:{}", server.port())));
    let [full, good] = counts.as_slice() else { panic!("{counts:?}") };
    assert!(full.retried >= 1 && full.opened >= 1, "{counts:?}");
    assert_eq!((full.accepted, full.rejected, full.unknown, full.under_way), (0, 0, 0, 0));
    assert_eq!((good.accepted, good.rejected, good.unknown, good.retried, good.under_way), (10, 0, 0, 0, 0));

    // What is refused for good is one more, and a closed mailer has no connections.
    let refusing = Rules { refusals: usize::MAX, refusal: "550 5.7.1 no", ..Rules::default() };
    let third = Server::start(refusing);
    let mailer = Mailer::new(&options(&[&third], &[])).unwrap();
    assert!(!send(&mailer, 3).values().any(Report::sent));
    mailer.close(super::LIMIT).unwrap();
    let counts = mailer.server_counts().remove(0);
    assert_eq!((counts.rejected, counts.retried, counts.connections), (3, 0, 0), "{counts:?}");
}

#[test]
fn one_server_without_room_and_one_that_cannot_be_had() {
    let refusing = Rules { refusals: usize::MAX, refusal: "452 4.3.1 no room", ..Rules::default() };
    for swapped in [false, true] {
        let (full, nobody) = (Server::start(refusing.clone()), Server::nobody());
        let both = if swapped { [&nobody, &full] } else { [&full, &nobody] };
        let mailer = Mailer::new(&options(&both, &[("retries", "2")])).unwrap();
        let reports = send(&mailer, 6);
        agree(&reports, &[&full]);
        assert!(reports.values().all(|report| !report.sent() && report.attempts.len() <= 8), "{reports:?}");
        assert!(full.record().mails.len() <= 6 * 4);
    }
}

#[test]
fn a_server_without_room_is_asked_again_after_a_pause() {
    for refusal in ["450 4.2.1 busy", "451 4.3.0 later", "452 4.3.1 no room"] {
        let server = Server::start(Rules { refusals: 3, refusal, ..Rules::default() });
        let mailer = Mailer::new(&options(&[&server], &[("backoff", "0.2")])).unwrap();
        let reports = send(&mailer, 20);
        all_accepted(&reports);
        agree(&reports, &[&server]);
        let mails = server.record().mails;
        let pause = mails.windows(2).map(|two| two[1] - two[0]).max().unwrap();
        // At least 100 ms by the mailer's clock; under load the server may record the first MAIL late.
        assert!(pause >= Duration::from_millis(50), "{pause:?}");
    }
}

#[test]
fn a_sender_that_is_refused_for_good_is_not_tried_again() {
    let refusing = Rules { refusals: usize::MAX, refusal: "550 5.7.1 no", ..Rules::default() };
    let (first, second) = (Server::start(refusing), Server::start(Rules::default()));
    let mailer = Mailer::new(&options(&[&first, &second], &[])).unwrap();
    let reports = send(&mailer, 5);
    assert!(reports.values().all(|report| report.recipients[0].outcome == Outcome::Rejected));
    assert_eq!((first.record().mails.len(), second.record().connections), (5, 0));
}

#[test]
fn where_nobody_can_be_had_the_tries_are_counted() {
    let (one, two) = (Server::nobody(), Server::nobody());
    let mailer = Mailer::new(&options(&[&one, &two], &[("retries", "2")])).unwrap();
    let reports = send(&mailer, 200);
    for report in reports.values() {
        let error = report.error.as_ref().unwrap();
        assert_eq!(error.kind(), Kind::Connect);
        for server in [&one, &two] {
            assert!(error.text().contains(&format!("127.0.0.1:{}", server.port())), "{error}");
        }
        assert_eq!(report.recipients[0].outcome, Outcome::NotSent);
        assert!(report.attempts.len() <= 6, "{report:?}");
    }
    assert_eq!(mailer.counts().not_sent, 200);
}

#[test]
fn what_cannot_get_better_is_not_tried_again() {
    let server = Server::start(Rules { greeting: Some("554 5.7.1 go away"), ..Rules::default() });
    let mailer = Mailer::new(&options(&[&server], &[])).unwrap();
    let report = &send(&mailer, 1)[&0];
    assert!(report.error.as_ref().is_some_and(|error| error.step() == Step::Greeting), "{report:?}");
    assert_eq!((report.attempts.len(), server.record().connections), (1, 1));
}

#[test]
fn a_wrong_password_is_tried_once() {
    let keywords = &["AUTH PLAIN LOGIN"];
    let server = Server::start(Rules { keywords, gate: true, ..Rules::default() });
    let login = [("username", "ann"), ("password", "hunter2"), ("connections", "8"), ("retries", "5")];
    let mailer = Mailer::new(&options(&[&server], &login)).unwrap();
    // A message submitted after the answer may rightly try again.
    for number in 0..40 {
        mailer.submit(&message(number), None).unwrap();
    }
    server.open_gate();
    let reports = fetch(&mailer, 40);
    for report in reports.values() {
        let error = report.error.as_ref().unwrap();
        assert_eq!((error.kind(), error.is_transient()), (Kind::Login, false), "{error}");
        assert!(error.to_string().contains("wrong password"), "{error}");
        assert_eq!(report.recipients[0].outcome, Outcome::NotSent);
    }
    assert_eq!((server.record().logins, server.record().connections), (1, 1));
}

#[test]
fn the_words_of_a_goodbye_are_the_reason_where_a_reader_cannot_begin_again() {
    let server = Server::start(Rules { goodbye_at_end: true, ..Rules::default() });
    let mailer = Mailer::new(&options(&[&server], &[("retries", "3")])).unwrap();
    let text = "From: a@client.example\nTo: b@mail.example\nDate: x\nMessage-ID: <1@c>\n\nHello.\n";
    mailer.submit(&Message::from_read(std::io::Cursor::new(text)), None).unwrap();
    let reports = super::fetch(&mailer, 1);
    let error = reports.values().next().unwrap().error.as_ref().unwrap();
    assert_eq!(
        (error.kind(), error.reply().map(|reply| reply.code())),
        (Kind::Refused, Some(421)),
        "{error}"
    );
}

#[test]
fn a_connection_that_has_had_its_share_is_left_for_another() {
    for (verb, line) in [
        ("MAIL", "452 4.4.5 Maximum number of messages per session exceeded"),
        ("DATA", "452 4.4.5 Maximum number of messages per session exceeded"),
        ("RCPT", "450 4.7.1 too many messages in this session"),
        ("MAIL", "432 4.3.2 STOREDRV; mailbox concurrency"),
    ] {
        let server = Server::start(Rules { share: Some((3, verb, line)), ..Rules::default() });
        let mailer = Mailer::new(&options(&[&server], &[("connections", "1"), ("backoff", "0.2")])).unwrap();
        let reports = send(&mailer, 12);
        all_accepted(&reports);
        agree(&reports, &[&server]);
        assert!(server.record().connections >= 4, "{line}");
    }
}

#[test]
fn greylisting_is_waited_out_on_other_connections() {
    let greylists = Some(Duration::from_millis(300));
    for connections in ["1", "4"] {
        let server = Server::start(Rules { greylists, ..Rules::default() });
        let more = [("connections", connections), ("backoff", "0.05")];
        let mailer = Mailer::new(&options(&[&server], &more)).unwrap();
        let reports = send(&mailer, 20);
        all_accepted(&reports);
        agree(&reports, &[&server]);
        assert!(reports.values().all(|report| report.attempts.len() >= 2));
    }
    // And no longer than the caller wants.
    let server = Server::start(Rules { greylists: Some(Duration::from_secs(3600)), ..Rules::default() });
    let mailer = Mailer::new(&options(&[&server], &[("backoff", "0.05"), ("retrytime", "0.5")])).unwrap();
    let report = &send(&mailer, 1)[&0];
    assert_eq!(report.recipients[0].outcome, Outcome::Rejected);
    assert_eq!(report.attempts.len(), 2);
}
