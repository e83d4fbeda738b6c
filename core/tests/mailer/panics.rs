//! Functions that panic: each message has its report, and the mailer goes on.

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use smtpclient::error::{Error, Kind};
use smtpclient::message::Message;
use smtpclient::net::mailer::Mailer;
use smtpclient::options::{CustomExchange, CustomMechanism, Dialler, LoginFacts, Options};
use smtpclient::report::Outcome;
use smtpclient::signer::{Signer, Signing};
use smtpclient::{Cancel, Commit, Ready};

use super::server::{Rules, Server};
use super::{LIMIT, fetch, message, options};

const MANY: usize = 6;

/// Panics the first time.
#[derive(Clone, Default)]
struct Once(Arc<AtomicBool>);

impl Once {
    fn call(&self) {
        assert!(self.0.swap(true, Ordering::SeqCst), "on purpose");
    }

    /// Whether it did.
    fn was_called(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What became of messages with these options: outcome, and kind of the error where there is one, in their order.
fn outcomes(server: &Server, options: &Options, messages: Vec<Message>) -> Vec<(Outcome, Option<Kind>)> {
    let mailer = Mailer::new(options).unwrap();
    for message in &messages {
        mailer.submit(message, None).unwrap();
    }
    let reports = fetch(&mailer, messages.len());
    assert!(mailer.close(LIMIT).unwrap());
    let told: Vec<_> = reports
        .values()
        .map(|report| (report.recipients[0].outcome, report.error.as_ref().map(Error::kind)))
        .collect();
    let accepted = told.iter().filter(|(outcome, _)| *outcome == Outcome::Accepted).count();
    assert_eq!(server.record().stored.len(), accepted);
    told
}

fn messages() -> Vec<Message> {
    (0..MANY).map(message).collect()
}

/// The same where `set` puts a function into the options that panics once.
fn with(set: impl FnOnce(&mut Options, Once)) -> Vec<(Outcome, Option<Kind>)> {
    let server = Server::start(Rules::default());
    let (mut options, once) = (options(&[&server], &[]), Once::default());
    set(&mut options, once.clone());
    let told = outcomes(&server, &options, messages());
    assert!(once.was_called());
    told
}

/// One of them was not sent for a reason of this kind, and all others were.
fn one_failed(told: &[(Outcome, Option<Kind>)], kind: Kind) {
    let failed = told.iter().filter(|one| **one == (Outcome::NotSent, Some(kind))).count();
    let sent = told.iter().filter(|one| **one == (Outcome::Accepted, None)).count();
    assert_eq!((failed, sent), (1, told.len() - 1), "{told:?}");
}

#[test]
fn a_reader_that_panics_is_an_error_of_its_message() {
    struct Bad(usize);
    impl Read for Bad {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => (&b"From: a@client.example\nTo: b@mail.example\n\n"[..]).read(buffer),
                2..4 => {
                    buffer.fill(b'\n');
                    Ok(buffer.len())
                }
                _ => panic!("on purpose"),
            }
        }
    }
    for keywords in [&[][..], &["CHUNKING"]] {
        let server = Server::start(Rules { keywords, ..Rules::default() });
        let mut messages = messages();
        messages[2] = Message::from_read(Bad(0));
        let options = options(&[&server], &[("connections", "1")]);
        one_failed(&outcomes(&server, &options, messages), Kind::Source);
    }
}

#[test]
fn a_signer_that_panics_is_an_error_of_the_message() {
    #[derive(Clone)]
    struct Bad(&'static str, Once);
    impl Bad {
        fn call(&self, place: &str) {
            if self.0 == place {
                self.1.call();
            }
        }
    }
    impl Signer for Bad {
        fn begin(&self) -> Box<dyn Signing> {
            self.call("begin");
            Box::new(self.clone())
        }
    }
    impl Signing for Bad {
        fn update(&mut self, _: &[u8]) {
            self.call("update");
        }
        fn finish(self: Box<Self>, _: i64) -> Result<String, Error> {
            self.call("finish");
            Ok(String::new())
        }
    }
    for place in ["begin", "update", "finish"] {
        let told = with(|options, once| options.signers.push(Arc::new(Bad(place, once))));
        one_failed(&told, Kind::Source);
    }
}

#[test]
fn a_commit_that_panics_withdraws_what_it_was_asked_for() {
    let told = with(|options, once| {
        options.mailer.connections = 1;
        options.commit = Some(Commit::new(move |_: &[Ready]| {
            once.call();
            Ok::<_, String>(())
        }));
    });
    one_failed(&told, Kind::Commit);
}

#[test]
fn what_is_only_told_changes_nothing_by_a_panic() {
    for line in ["RCPT", ".", "250"] {
        let told = with(|options, once| {
            options.transcript = Some(Arc::new(move |_, said| {
                if said.starts_with(line) {
                    once.call();
                }
            }));
        });
        assert_eq!(told, [(Outcome::Accepted, None); MANY], "{line}");
    }
    let told = with(|options, once| options.progress = Some(Arc::new(move |_| once.call())));
    assert_eq!(told, [(Outcome::Accepted, None); MANY]);
}

#[test]
fn a_dialler_that_panics_is_called_again() {
    let told = with(|options, once| {
        options.dialler = Some(Dialler::new(move |to| {
            once.call();
            TcpStream::connect((to.host, to.port))
        }));
    });
    assert_eq!(told, [(Outcome::Accepted, None); MANY]);
}

#[test]
fn a_mechanism_that_panics_is_a_login_that_failed() {
    struct Bad;
    impl CustomMechanism for Bad {
        fn name(&self) -> &str {
            "X-BAD"
        }
        fn begin(&self, _: &LoginFacts<'_>) -> Box<dyn CustomExchange> {
            panic!("on purpose")
        }
    }
    let server = Server::start(Rules { keywords: &["AUTH X-BAD"], ..Rules::default() });
    let mut options = options(&[&server], &[("username", "ann"), ("authinsecure", "1"), ("retries", "0")]);
    options.mechanisms.push(Arc::new(Bad));
    let told = outcomes(&server, &options, messages());
    assert_eq!(told, [(Outcome::NotSent, Some(Kind::Login)); MANY]);
}

#[test]
fn a_cancel_that_panics_ends_the_mailer_with_a_report_for_each_message() {
    let server = Server::start(Rules { gate: true, ..Rules::default() });
    let (mut options, ends) = (options(&[&server], &[]), Arc::new(AtomicBool::new(false)));
    let asked = Arc::clone(&ends);
    options.cancel = Some(Cancel::asking(move || {
        assert!(!asked.load(Ordering::SeqCst), "on purpose");
        false
    }));
    let mailer = Mailer::new(&options).unwrap();
    for message in messages() {
        mailer.submit(&message, None).unwrap();
    }
    ends.store(true, Ordering::SeqCst);
    let reports = fetch(&mailer, MANY);
    assert!(reports.values().all(|report| report.error.as_ref().unwrap().kind() == Kind::Cancelled));
    assert!(server.record().stored.is_empty());
}
