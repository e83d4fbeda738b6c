//! A function that gives access tokens.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use smtpclient::error::Kind;
use smtpclient::net::mailer::Mailer;
use smtpclient::options::OauthToken;
use smtpclient::report::Outcome;

use super::server::{Rules, Server};
use super::{LIMIT, fetch, message, options};

const KEYWORDS: &[&str] = &["AUTH XOAUTH2"];

/// Messages that are more than one connection is given at once.
const MANY: usize = 100;

#[test]
fn one_that_takes_long_holds_up_nobody_else() {
    let server =
        Server::start(Rules { keywords: KEYWORDS, takes_logins: true, gate: true, ..Rules::default() });
    let mut options = options(&[&server], &[("username", "ann"), ("connections", "2")]);
    let (asks, asked) = channel();
    let (goes, on) = channel::<()>();
    let on = Mutex::new(on);
    let is_first = AtomicBool::new(true);
    options.oauthtoken = Some(OauthToken::asking(move |_| {
        let _ = asks.send(());
        if !is_first.swap(false, Ordering::SeqCst) {
            let _ = on.lock().unwrap().recv_timeout(LIMIT);
        }
        Ok::<_, &str>("t0ken")
    }));
    let mailer = Mailer::new(&options).unwrap();
    for number in 0..MANY {
        mailer.submit(&message(number), None).unwrap();
    }
    for _ in 0..2 {
        asked.recv_timeout(LIMIT).unwrap();
    }
    server.open_gate();
    assert!(fetch(&mailer, MANY).values().all(|report| report.complete()));
    goes.send(()).unwrap();
    assert!(mailer.close(LIMIT).unwrap());
}

#[test]
fn one_that_fails_or_panics_is_why_nothing_was_sent() {
    let server = Server::start(Rules { keywords: KEYWORDS, ..Rules::default() });
    for (panics, words) in [(false, "the endpoint is down"), (true, "died")] {
        let mut options = options(&[&server], &[("username", "ann"), ("retries", "0")]);
        options.oauthtoken = Some(OauthToken::asking(move |_| {
            assert!(!panics, "as it should");
            Err::<&str, _>("the endpoint is down")
        }));
        let mailer = Mailer::new(&options).unwrap();
        mailer.submit(&message(0), None).unwrap();
        let (_, report) = mailer.next_report(LIMIT).unwrap();
        let error = report.error.as_ref().unwrap();
        assert_eq!(report.recipients[0].outcome, Outcome::NotSent);
        let told = report.attempts.iter().filter_map(|attempt| attempt.error.as_ref());
        let mut told = told.chain([error]).filter(|error| error.kind() == Kind::Login);
        assert!(told.any(|error| error.text().contains(words)), "{report:?}");
    }
}
