//! The engine against servers that answer from a list.

mod chunks;
mod commit;
mod cut;
mod lent;
mod verbs;

use std::io::{self, BufRead, BufReader, Read};

use super::*;
use crate::command::{ClientName, ForwardPath, Mail, MailParameters, Rcpt, RcptParameters, ReversePath};
use crate::content::{BodyKind, Form, Once, Transfer};
use crate::error::Kind;
use crate::extensions::Pipelining;
use crate::report::{Outcome, Report};

/// An engine, and what it has said so far.
struct Play {
    engine: Engine,
    said: String,
}

impl Play {
    fn new(protocol: Protocol) -> Self {
        let mut config = Config::new(ClientName::parse("c.example").unwrap());
        config.protocol = protocol;
        config.pipelining = Pipelining::Crossing;
        Self { engine: Engine::new(config), said: String::new() }
    }

    /// Greeted and introduced; the server offers `keywords`.
    fn ready(protocol: Protocol, keywords: &[&str]) -> Self {
        let mut play = Self::new(protocol);
        play.server("220 s.example\r\n");
        play.engine.hello();
        play.client();
        let mut reply = String::from("250-s.example\r\n");
        for keyword in keywords {
            reply += &format!("250-{keyword}\r\n");
        }
        play.server(&(reply + "250 HELP\r\n"));
        while play.engine.poll_event().is_some() {}
        play.said.clear();
        play
    }

    fn server(&mut self, bytes: &str) {
        self.engine.handle_input(bytes.as_bytes());
    }

    /// All that the client says now.
    fn client(&mut self) -> String {
        let mut said = Vec::new();
        loop {
            let output = self.engine.poll_output().to_vec();
            if output.is_empty() {
                break;
            }
            said.extend_from_slice(&output);
            self.engine.output_done(output.len());
        }
        let said = String::from_utf8(said).unwrap();
        self.said += &said;
        said
    }

    fn sent(&mut self) -> Report {
        match self.engine.poll_event() {
            Some(Event::Sent(_, report)) => *report,
            Some(Event::Unbegun(_, transaction, error)) => {
                unbegun(&transaction.addressed.recipients, transaction.asked, error)
            }
            other => panic!("no outcome but {other:?}"),
        }
    }
}

/// Content of known size, which may fail or pause in the middle.
struct Text(&'static str, Option<io::ErrorKind>);

impl Content for Text {
    fn needs_utf8(&self) -> bool {
        false
    }

    fn form(&self, _: Transfer) -> Result<Form, Error> {
        Ok(Form { body: BodyKind::SevenBit, size: Some(self.0.len() as u64), exact: true, clean: false })
    }

    fn open(&mut self, _: Transfer) -> Result<Box<dyn BufRead + Send>, Error> {
        let text = self.0.as_bytes();
        match self.1 {
            None => Ok(Box::new(text)),
            Some(kind) => Ok(Box::new(BufReader::new(text.chain(Failing(kind))))),
        }
    }
}

struct Failing(io::ErrorKind);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
}

fn transaction(recipients: &[&str], at_least_one: bool) -> Transaction {
    Transaction {
        at_least_one,
        ..Transaction::new(
            Mail { path: ReversePath::new("a@c.example").unwrap(), parameters: MailParameters::default() },
            recipients
                .iter()
                .map(|r| Rcpt { path: ForwardPath::new(r).unwrap(), parameters: RcptParameters::default() })
                .collect(),
            Box::new(Text("Subject: x\r\n\r\n.dot\r\n", None)),
        )
    }
}

fn outcomes(report: &Report) -> Vec<(Outcome, Step)> {
    report.recipients.iter().map(|r| (r.outcome, r.step)).collect()
}

#[test]
fn without_pipelining_one_command_at_a_time() {
    let mut play = Play::ready(Protocol::Smtp, &[]);
    play.engine.send(transaction(&["b@s", "c@s"], false));
    for (said, answer) in [
        ("MAIL FROM:<a@c.example>\r\n", "250 ok\r\n"),
        ("RCPT TO:<b@s>\r\n", "250 ok\r\n"),
        ("RCPT TO:<c@s>\r\n", "251 forwarded\r\n"),
        ("DATA\r\n", "354 go\r\n"),
        ("Subject: x\r\n\r\n..dot\r\n.\r\n", "250 2.0.0 Ok: queued as 77\r\n"),
    ] {
        assert_eq!(play.client(), said);
        assert_eq!(play.client(), "", "nothing more before the answer");
        play.server(answer);
    }
    let report = play.sent();
    assert!(report.complete() && report.error.is_none());
    assert_eq!(report.queue_id(), Some("77"));
    assert_eq!(report.octets, 20);
}

#[test]
fn with_pipelining_one_group_but_for_data_where_all_are_required() {
    let mut play = Play::ready(Protocol::Smtp, &["PIPELINING", "SIZE 1000"]);
    play.engine.send(transaction(&["b@s", "c@s"], true));
    assert_eq!(
        play.client(),
        "MAIL FROM:<a@c.example> SIZE=20\r\nRCPT TO:<b@s>\r\nRCPT TO:<c@s>\r\nDATA\r\n"
    );
    play.server("250 ok\r\n550 5.1.1 who\r\n250 ok\r\n354 go\r\n");
    assert!(play.client().ends_with("\r\n.\r\n"));
    play.server("250 ok\r\n");
    let report = play.sent();
    assert_eq!(outcomes(&report), [(Outcome::Rejected, Step::Rcpt), (Outcome::Accepted, Step::Final)]);
    assert_eq!(report.used.as_slice(), ["SIZE", "PIPELINING"]);

    play.engine.send(transaction(&["b@s", "c@s"], false));
    assert!(play.client().ends_with("RCPT TO:<b@s>\r\nRCPT TO:<c@s>\r\n"));
    play.server("250 ok\r\n550 5.1.1 who\r\n");
    assert_eq!(play.client(), "");
    play.server("250 ok\r\n");
    let report = play.sent();
    assert_eq!(outcomes(&report), [(Outcome::Rejected, Step::Rcpt), (Outcome::NotSent, Step::Rcpt)]);
    assert!(report.error.is_none());
    assert_eq!(play.client(), "RSET\r\n");
    play.server("250 ok\r\n");
    assert!(play.engine.is_idle());
}

#[test]
fn a_354_that_nobody_stands_behind_gets_a_lone_dot() {
    let mut play = Play::ready(Protocol::Smtp, &["PIPELINING"]);
    play.engine.send(transaction(&["b@s", "c@s"], true));
    play.client();
    play.server("250 ok\r\n550 who\r\n550 who\r\n354 go\r\n");
    let report = play.sent();
    assert_eq!(outcomes(&report), [(Outcome::Rejected, Step::Rcpt); 2]);
    assert_eq!(play.client(), ".\r\n");
    play.server("554 no recipients\r\n");
    play.engine.send(transaction(&["b@s"], true));
    assert!(play.client().starts_with("MAIL"));
}

#[test]
fn a_354_although_the_sender_was_refused_gets_nothing() {
    let mut play = Play::ready(Protocol::Smtp, &["PIPELINING"]);
    play.engine.send(transaction(&["b@s"], true));
    play.client();
    play.server("550 5.7.1 not you\r\n250 ok\r\n354 go\r\n");
    let report = play.sent();
    assert_eq!(outcomes(&report), [(Outcome::Rejected, Step::Mail)]);
    assert!(play.engine.is_closed());
    assert_eq!(play.client(), "");
}

#[test]
fn lmtp_reads_one_final_reply_for_each_accepted_recipient() {
    let mut play = Play::ready(Protocol::Lmtp, &["PIPELINING"]);
    play.engine.send(transaction(&["b@s", "c@s", "d@s"], true));
    play.client();
    play.server("250 ok\r\n250 ok\r\n550 who\r\n250 ok\r\n354 go\r\n");
    play.client();
    play.server("250 2.0.0 <b@s> AbC Saved\r\n");
    assert!(play.engine.poll_event().is_none());
    play.server("452 4.2.2 full\r\n");
    let report = play.sent();
    assert_eq!(
        outcomes(&report),
        [(Outcome::Accepted, Step::Final), (Outcome::Rejected, Step::Rcpt), (Outcome::Rejected, Step::Final)]
    );
    assert!(report.error.is_none() && report.sent() && !report.complete());
}

#[test]
fn lmtp_that_ends_between_two_final_replies_leaves_the_rest_unknown() {
    let mut play = Play::ready(Protocol::Lmtp, &["PIPELINING"]);
    play.engine.send(transaction(&["b@s", "c@s"], true));
    play.client();
    play.server("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    play.client();
    play.server("250 ok\r\n");
    play.engine.handle_eof();
    let report = play.sent();
    assert_eq!(outcomes(&report), [(Outcome::Accepted, Step::Final), (Outcome::Unknown, Step::Final)]);
    assert_eq!(report.error.as_ref().map(Error::kind), Some(Kind::Unknown));
    assert!(!report.error.unwrap().is_transient());
}

#[test]
fn nothing_is_written_after_a_final_dot_before_its_reply() {
    let envelope = "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@s>\r\nDATA\r\n";
    // Who offers CHUNKING tells octets from commands.
    for (keywords, crosses) in [(&["PIPELINING"][..], false), (&["PIPELINING", "CHUNKING"], true)] {
        let mut play = Play::ready(Protocol::Smtp, keywords);
        play.engine.config_mut().pipelining = Pipelining::Rfc;
        for _ in 0..2 {
            play.engine.send(transaction(&["b@s"], false));
        }
        assert_eq!(play.client(), envelope);
        play.server("250 ok\r\n250 ok\r\n354 go\r\n");
        let said = play.client();
        assert_eq!(said.ends_with(envelope), crosses, "{said}");
        assert!(crosses || said.ends_with("\r\n.\r\n"), "{said}");
        play.server("250 done\r\n");
        assert_eq!(play.client(), if crosses { "" } else { envelope });
    }
}

#[test]
fn messages_of_a_batch_take_one_round_trip_each() {
    let mut play = Play::ready(Protocol::Smtp, &["PIPELINING"]);
    let ids: Vec<Id> = (0..3).map(|_| play.engine.send(transaction(&["b@s"], false))).collect();
    assert_eq!(play.client(), "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@s>\r\nDATA\r\n");
    for n in 0..3 {
        play.server(if n == 0 {
            "250 ok\r\n250 ok\r\n354 go\r\n"
        } else {
            "250 done\r\n250 ok\r\n250 ok\r\n354 go\r\n"
        });
        let said = play.client();
        assert_eq!(
            said.ends_with("\r\n.\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@s>\r\nDATA\r\n"),
            n < 2,
            "{said}"
        );
    }
    play.server("250 done\r\n");
    for id in ids {
        assert!(
            matches!(play.engine.poll_event(), Some(Event::Sent(other, report)) if other == id && report.sent())
        );
    }
    assert!(play.engine.is_idle());
}

#[test]
fn an_early_refusal_stops_the_upload() {
    for (reply, kind) in [
        ("552 5.3.4 too big\r\n", Kind::Refused),
        ("421 4.3.2 bye\r\n", Kind::Refused),
        ("250 what\r\n", Kind::Protocol),
    ] {
        let mut play = Play::ready(Protocol::Smtp, &["PIPELINING"]);
        play.engine.send(transaction(&["b@s"], false));
        play.client();
        play.server("250 ok\r\n250 ok\r\n354 go\r\n");
        let output = play.engine.poll_output().len();
        play.engine.output_done(output - 1); // all but the last octet of the end mark
        play.server(reply);
        let report = play.sent();
        let error = report.error.clone().unwrap();
        assert_eq!((error.kind(), error.step()), (kind, Step::Body), "{error}");
        assert!(!report.unknown() && !report.sent());
        assert_eq!(play.client(), "", "the end mark must not leave any more");
        assert!(play.engine.is_closed());
    }
}

#[test]
fn a_source_that_fails_never_completes_the_message() {
    let mut play = Play::ready(Protocol::Smtp, &["PIPELINING"]);
    let mut failing = transaction(&["b@s"], false);
    failing.content = Box::new(Text("Subject: x\r\n", Some(io::ErrorKind::Other)));
    play.engine.send(failing);
    play.client();
    play.server("250 ok\r\n250 ok\r\n354 go\r\n");
    assert!(!play.client().contains("\r\n.\r\n"));
    let report = play.sent();
    assert_eq!(report.error.as_ref().map(Error::kind), Some(Kind::Source));
    assert_eq!(report.recipients[0].outcome, Outcome::NotSent);
    assert!(play.engine.is_closed());
}

#[test]
fn a_source_that_pauses_is_asked_again() {
    let mut play = Play::ready(Protocol::Smtp, &["PIPELINING"]);
    let mut pausing = transaction(&["b@s"], false);
    pausing.content = Box::new(Text("Subject: x\r\n", Some(io::ErrorKind::WouldBlock)));
    play.engine.send(pausing);
    play.client();
    play.server("250 ok\r\n250 ok\r\n354 go\r\n");
    assert!(!play.engine.poll_output().is_empty());
    assert!(
        play.engine.waits_for() == Some(Awaited::Source) && play.engine.timeout().is_some(),
        "the server is to take this"
    );
    assert_eq!(play.client(), "Subject: x\r\n");
    assert!(play.engine.waits_for() == Some(Awaited::Source));
    assert_eq!(play.engine.timeout(), None);
}

#[test]
fn what_is_too_large_or_unsupported_is_refused_before_mail() {
    let mut play = Play::ready(Protocol::Smtp, &["SIZE 19"]);
    play.engine.send(transaction(&["b@s"], false));
    assert_eq!(play.client(), "");
    assert_eq!(play.sent().error.unwrap().kind(), Kind::TooLarge);
    let mut utf8 = transaction(&["bö@s"], false);
    utf8.content = Box::new(Text("\r\n", None));
    play.engine.send(utf8);
    assert_eq!(play.client(), "");
    let error = play.sent().error.unwrap();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.text().contains("SMTPUTF8"), "{error}");
    assert!(!play.engine.is_closed());
}

#[test]
fn limits_are_kept() {
    let mut play = Play::ready(Protocol::Smtp, &["LIMITS MAILMAX=1 RCPTMAX=1 RCPTDOMAINMAX=1"]);
    play.engine.send(transaction(&["b@s", "c@s"], false));
    assert_eq!(play.client(), "");
    assert_eq!(play.sent().error.unwrap().kind(), Kind::Unsupported);
    play.engine.send(transaction(&["b@s"], false));
    play.client();
    play.server("450 4.0.0 later\r\n");
    let _ = play.sent();
    play.engine.send(transaction(&["b@s"], false));
    assert_eq!(play.client(), "");
    let error = play.sent().error.unwrap();
    assert!(error.text().contains("MAILMAX") && error.is_transient(), "{error}");
}

#[test]
fn ehlo_falls_back_to_helo_only_when_refused_for_good() {
    let mut play = Play::new(Protocol::Smtp);
    play.server("220 hi\r\n");
    let hello = play.engine.hello();
    play.client();
    play.server("502 5.5.1 no\r\n");
    assert_eq!(play.client(), "HELO c.example\r\n");
    play.server("250 hi\r\n");
    play.engine.poll_event();
    assert!(matches!(play.engine.poll_event(), Some(Event::Reply(id, _)) if id == hello));

    let mut play = Play::new(Protocol::Smtp);
    play.server("220 hi\r\n");
    play.engine.hello();
    play.client();
    play.server("451 later\r\n");
    assert_eq!(play.client(), "");
    play.engine.poll_event();
    assert!(matches!(play.engine.poll_event(), Some(Event::Failed(_, error)) if error.is_transient()));
}

#[test]
fn plain_text_behind_the_220_to_starttls_is_an_attack() {
    let mut play = Play::ready(Protocol::Smtp, &["STARTTLS"]);
    play.engine.command(Command::StartTls);
    play.client();
    play.server("220 go\r\n250 injected\r\n");
    assert!(matches!(play.engine.poll_event(), Some(Event::StartTls(..))));
    let fault = play.engine.fault().unwrap();
    assert_eq!((fault.kind(), fault.step()), (Kind::Tls, Step::StartTls));
}

#[test]
fn parting_waits_for_nobody() {
    let mut play = Play::ready(Protocol::Smtp, &[]);
    play.engine.part();
    assert_eq!(play.client(), "QUIT\r\n");
    assert!(play.engine.is_closed());
}

#[test]
fn secrets_are_masked_in_the_transcript() {
    use std::sync::{Arc, Mutex};
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut play = Play::ready(Protocol::Smtp, &[]);
    let log = Arc::clone(&seen);
    play.engine
        .listen(Box::new(move |direction, line| log.lock().unwrap().push(format!("{direction:?} {line}"))));
    play.engine.command(Command::Raw(crate::command::RawCommand::secret("XPASS hunter2").unwrap()));
    assert_eq!(play.client(), "XPASS hunter2\r\n");
    play.server("250-a\r\n250 b\r\n");
    assert_eq!(*seen.lock().unwrap(), ["Client XPASS ***", "Server 250-a", "Server 250 b"]);
}
