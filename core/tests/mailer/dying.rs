//! Servers that end connections: what was reported is what they have.

use std::time::Duration;

use scripted_server::proxy::{Direction, Fault, FaultKind, Proxy, ProxyOptions};
use scripted_server::sink::{Sink, SinkOptions};
use smtpclient::net::mailer::Mailer;
use smtpclient::report::Outcome;

use super::server::{Place, Rules, Server};
use super::{address, agree, all_accepted, options, send};

#[test]
fn a_server_that_dies_at_any_place_and_the_sums() {
    for place in
        [Place::Mail, Place::Rcpt, Place::Data, Place::Body, Place::EndLost, Place::EndKept, Place::After]
    {
        for every in [2, 5, 23] {
            let server = Server::start(Rules { dies: Some((place, every)), ..Rules::default() });
            let mailer =
                Mailer::new(&options(&[&server], &[("connections", "3"), ("backoff", "0.001")])).unwrap();
            let reports = send(&mailer, 200);
            agree(&reports, &[&server]);
            let counts = mailer.counts();
            assert_eq!((counts.submitted, counts.decided), (200, 200));
            let sum = counts.accepted + counts.rejected + counts.not_sent + counts.unknown;
            assert_eq!(sum, 200, "{counts:?}");
            let unknown = reports.values().filter(|r| r.recipients[0].outcome == Outcome::Unknown).count();
            match place {
                // The kernel has the whole of it and nothing came: nobody knows.
                Place::Body | Place::EndLost | Place::EndKept => assert!(unknown > 0, "{place:?}"),
                _ => assert_eq!(unknown, 0, "{place:?} {every}"),
            }
            // Every other MAIL is too bad a server for some, but not for most.
            let most = if every == 2 { 100 } else { 150 };
            let done = counts.accepted + counts.unknown;
            assert!(done >= most, "{place:?} {every}: {counts:?}");
            assert!(server.record().most <= 3);
        }
    }
}

#[test]
fn a_message_that_kills_each_connection_is_given_up_and_the_others_arrive() {
    // The first MAIL on each connection is answered, nothing after it ever is.
    let server = Server::start(Rules { dies: Some((Place::Data, 1)), ..Rules::default() });
    let mailer = Mailer::new(&options(&[&server], &[("retries", "2")])).unwrap();
    let reports = send(&mailer, 20);
    agree(&reports, &[&server]);
    assert!(reports.values().all(|report| report.recipients[0].outcome == Outcome::NotSent));
    // Each failure in a row counts for all that wait.
    assert!(server.record().connections < 20, "{:?}", server.record().connections);
}

#[test]
fn a_connection_that_ended_while_idle_costs_nothing() {
    let patience = Some(Duration::from_millis(500));
    let server = Server::start(Rules { patience, ..Rules::default() });
    let mailer = Mailer::new(&options(&[&server], &[("backoff", "10"), ("connections", "1")])).unwrap();
    for round in 1..=3 {
        let reports = send(&mailer, 5);
        all_accepted(&reports);
        assert!(reports.values().all(|report| report.attempts.len() == 1));
        server.wait("the end", |record| record.open == 0 && record.connections == round);
    }
}

/// One connection after the other is cut while whole messages are on their way without having been asked for.
#[test]
fn connections_that_are_cut_within_a_window() {
    for (chunking, pipelining) in [(true, "full"), (true, "rfc"), (false, "full"), (false, "off")] {
        for (direction, at) in [
            (Direction::ToServer, 700),
            (Direction::ToServer, 4001),
            (Direction::ToServer, 20_000),
            (Direction::ToClient, 400),
            (Direction::ToClient, 1500),
        ] {
            let sink = Sink::start(SinkOptions { keep: true, chunking, ..SinkOptions::default() }).unwrap();
            let fault = Some(Fault { kind: FaultKind::Cut, direction, at });
            let to = ([127, 0, 0, 1], sink.port()).into();
            let proxy = Proxy::start(ProxyOptions { fault, ..ProxyOptions::new(to) }).unwrap();
            let mut options = options(&[], &[("pipelining", pipelining), ("connections", "2")]);
            options.servers = vec!["127.0.0.1".to_owned()];
            options.ports = vec![proxy.port()];
            options.usetls = false;
            let mailer = Mailer::new(&options).unwrap();
            let reports = send(&mailer, 150);
            let what = format!("{chunking} {pipelining} {direction:?} {at}");
            std::thread::sleep(Duration::from_millis(20)); // the last one may be on its way to the record
            let stored: Vec<String> =
                sink.messages().iter().map(|message| message.envelope[1].to_ascii_lowercase()).collect();
            let mut accepted = 0;
            for (number, report) in &reports {
                let line = format!("rcpt to:<{}>", address(*number));
                let times = stored.iter().filter(|stored| **stored == line).count();
                let good = match report.recipients[0].outcome {
                    Outcome::Accepted => times == 1,
                    Outcome::Unknown => times <= 1,
                    Outcome::Rejected | Outcome::NotSent => times == 0,
                };
                accepted += usize::from(report.complete());
                assert!(good, "{what}: number {number}, {times} times: {report:?}");
            }
            // In a window all of it may be under way when the connection is cut.
            assert!(accepted > 0 || pipelining == "full", "{what}: nothing arrived");
        }
    }
}
