//! Option `commit`: what has left, and what has not, when the caller is asked.

use std::sync::{Arc, Mutex};
use std::task::Poll;

use super::*;
use crate::commit::{Commit, Committed, Name, Ready};

/// What a commit was asked for, and what it is to say next.
type Talk = (Vec<Vec<Ready>>, Option<Poll<Committed>>);

#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Talk>>);

impl Asked {
    fn answers(&self, answer: Poll<Committed>) {
        self.0.lock().unwrap().1 = Some(answer);
    }

    fn commit(&self) -> Commit {
        let own = self.clone();
        Commit::polled(move |ready| {
            let mut asked = own.0.lock().unwrap();
            asked.0.push(ready.to_vec());
            asked.1.clone().unwrap_or(Poll::Ready(Ok(())))
        })
    }

    /// What was asked since the last time.
    fn take(&self) -> Vec<Vec<Ready>> {
        std::mem::take(&mut self.0.lock().unwrap().0)
    }
}

/// Introduced to a server that offers `keywords`, with a commit.
fn ready(protocol: Protocol, keywords: &[&str], pipelining: Pipelining) -> (Play, Asked) {
    let mut play = Play::ready(protocol, keywords);
    let asked = Asked::default();
    let config = play.engine.config_mut();
    (config.commit, config.server, config.pipelining) =
        (Some(asked.commit()), "s.example:25".into(), pipelining);
    (play, asked)
}

fn named(recipients: &[&str], at_least_one: bool, index: u64) -> Transaction {
    let name = Some(Arc::new(Name::new(Some(format!("<{index}@c>")), None, index)));
    Transaction { name, ..transaction(recipients, at_least_one) }
}

fn recipients(ready: &Ready) -> Vec<&str> {
    ready.recipients.iter().map(String::as_str).collect()
}

#[test]
fn the_end_mark_waits_for_the_commit() {
    let (mut play, asked) = ready(Protocol::Smtp, &["PIPELINING"], Pipelining::Rfc);
    play.engine.send(named(&["b@s", "c@s"], true, 7));
    play.client();
    play.server("250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n");
    assert_eq!(play.engine.poll_output(), b"Subject: x\r\n\r\n..dot\r\n");
    assert!(asked.take().is_empty(), "the kernel does not have the message yet");
    play.engine.output_done(5);
    assert!(!play.engine.poll_output().is_empty() && asked.take().is_empty());
    play.engine.output_done(17);
    assert_eq!(play.engine.poll_output(), b".\r\n");
    let calls = asked.take();
    let [call] = &calls[..] else { panic!("{calls:?}") };
    let [one] = &call[..] else { panic!("{call:?}") };
    assert_eq!((one.index, one.attempt, one.server.as_str()), (7, 1, "s.example:25"));
    assert_eq!((one.message_id.as_deref(), recipients(one)), (Some("<7@c>"), vec!["b@s"]));
    play.engine.output_done(3);
    assert_eq!(play.client(), "");
    play.server("250 taken\r\n");
    assert_eq!(play.sent().recipients[0].outcome, Outcome::Accepted);
    assert!(asked.take().is_empty());
}

#[test]
fn a_commit_that_fails_closes_the_connection_by_data() {
    let (mut play, asked) = ready(Protocol::Smtp, &["PIPELINING"], Pipelining::Rfc);
    asked.answers(Poll::Ready(Err("the disk is full".into())));
    play.engine.send(named(&["b@s"], false, 0));
    play.engine.send(named(&["b@s"], false, 1));
    play.client();
    play.server("250 ok\r\n250 ok\r\n354 go\r\n");
    assert_eq!(play.client(), "Subject: x\r\n\r\n..dot\r\n");
    let report = play.sent();
    let error = report.error.as_ref().unwrap();
    assert_eq!((error.kind(), error.step()), (Kind::Commit, Step::Commit));
    assert!(error.text().contains("the disk is full"), "{error}");
    assert_eq!((report.recipients[0].outcome, report.recipients[0].step), (Outcome::NotSent, Step::Commit));
    assert!(play.engine.is_closed());
    // The next message has not failed, and was not asked for.
    let error = play.sent().error.unwrap();
    assert_eq!((error.kind(), error.is_transient()), (Kind::Closed, true));
    assert_eq!(asked.take().len(), 1);
}

#[test]
fn a_commit_that_fails_is_withdrawn_by_bdat() {
    let (mut play, asked) = ready(Protocol::Smtp, &["PIPELINING", "CHUNKING"], Pipelining::Rfc);
    asked.answers(Poll::Ready(Err("no".into())));
    play.engine.send(named(&["b@s", "c@s"], false, 0));
    play.client();
    play.server("250 ok\r\n250 ok\r\n250 ok\r\n");
    assert_eq!(play.client(), "RSET\r\n", "no octet of the chunk");
    let report = play.sent();
    assert_eq!(report.error.as_ref().map(Error::kind), Some(Kind::Commit));
    assert!(report.recipients.iter().all(|r| (r.outcome, r.step) == (Outcome::NotSent, Step::Commit)));
    assert_eq!(recipients(&asked.take()[0][0]), ["b@s", "c@s"]);
    play.server("250 reset\r\n");
    asked.answers(Poll::Ready(Ok(())));
    play.engine.send(named(&["b@s", "c@s"], false, 1));
    play.client();
    play.server("250 ok\r\n250 ok\r\n250 ok\r\n");
    assert_eq!(play.client(), "BDAT 20 LAST\r\nSubject: x\r\n\r\n.dot\r\n");
    play.server("250 taken\r\n");
    assert_eq!(play.sent().recipients[0].outcome, Outcome::Accepted);
}

#[test]
fn a_pending_commit_is_asked_again_and_the_server_is_not_timed() {
    let (mut play, asked) = ready(Protocol::Smtp, &[], Pipelining::Rfc);
    asked.answers(Poll::Pending);
    play.engine.send(named(&["b@s"], false, 0));
    for line in ["250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
        play.client();
        play.server(line);
    }
    assert_eq!(play.client(), "Subject: x\r\n\r\n..dot\r\n");
    assert!(play.engine.waits_for() == Some(Awaited::Commit) && play.engine.timeout().is_none());
    assert_eq!(play.client(), "");
    asked.answers(Poll::Ready(Ok(())));
    assert_eq!(play.client(), ".\r\n");
    let calls = asked.take();
    assert!(calls.len() >= 3 && calls.iter().all(|call| *call == calls[0]), "{calls:?}");
    assert!(play.engine.waits_for().is_none() && play.engine.timeout().is_some());
    play.engine.handle_eof();
    assert_eq!(play.sent().recipients[0].outcome, Outcome::Unknown);
}

#[test]
fn what_fails_while_it_is_pending_is_not_sent() {
    let fates: [fn(&mut Engine); 3] =
        [Engine::handle_eof, |e| e.handle_input(b"552 too much\r\n"), |e| e.handle_input(b"421 bye\r\n")];
    for fate in fates {
        let (mut play, asked) = ready(Protocol::Smtp, &["PIPELINING"], Pipelining::Rfc);
        asked.answers(Poll::Pending);
        play.engine.send(named(&["b@s"], false, 0));
        play.client();
        play.server("250 ok\r\n250 ok\r\n354 go\r\n");
        play.client();
        fate(&mut play.engine);
        asked.take();
        asked.answers(Poll::Ready(Ok(())));
        assert_eq!(play.client(), "");
        assert!(asked.take().is_empty(), "it is over");
        let outcome = play.sent().recipients[0].outcome;
        assert!(matches!(outcome, Outcome::NotSent | Outcome::Rejected), "{outcome:?}");
    }
}

#[test]
fn nobody_is_asked_for_what_cannot_be_sent() {
    for keywords in [&["PIPELINING"][..], &["PIPELINING", "CHUNKING"]] {
        let (mut play, asked) = ready(Protocol::Smtp, keywords, Pipelining::Rfc);
        play.engine.send(named(&["b@s", "c@s"], false, 0));
        play.client();
        play.server("250 ok\r\n250 ok\r\n550 no\r\n");
        play.client();
        assert_eq!(play.sent().recipients[0].outcome, Outcome::NotSent);
        play.server("250 reset\r\n");
        // After a 354 that came although nobody is left, a lone dot goes to nobody.
        play.engine.send(named(&["b@s"], true, 1));
        play.client();
        play.server("250 ok\r\n550 no\r\n354 go\r\n");
        play.client();
        assert!(play.sent().error.is_none());
        assert!(asked.take().is_empty());
    }
}

#[test]
fn a_message_that_goes_once_more_is_asked_for_again() {
    let (mut play, asked) = ready(Protocol::Smtp, &["PIPELINING", "CHUNKING"], Pipelining::Rfc);
    play.engine.send(named(&["b@s", "c@s"], false, 3));
    play.client();
    play.server("250 ok\r\n250 ok\r\n250 ok\r\n");
    play.client();
    play.server("500 what is BDAT\r\n");
    play.client();
    play.server("250 reset\r\n250 ok\r\n250 ok\r\n250 ok\r\n");
    play.client();
    play.server("354 go\r\n");
    play.client();
    play.server("250 taken\r\n");
    assert_eq!(play.sent().recipients[0].outcome, Outcome::Accepted);
    let attempts: Vec<_> = asked.take().concat().iter().map(|ready| (ready.index, ready.attempt)).collect();
    assert_eq!(attempts, [(3, 1), (3, 2)]);
}

#[test]
fn lmtp_and_verbs_are_asked_for_too() {
    let (mut play, asked) = ready(Protocol::Lmtp, &["PIPELINING"], Pipelining::Rfc);
    play.engine.send(named(&["b@s", "c@s"], true, 0));
    play.client();
    play.server("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    play.client();
    play.server("250 taken\r\n452 full\r\n");
    let outcomes: Vec<_> = play.sent().recipients.iter().map(|r| r.outcome).collect();
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Rejected]);
    assert_eq!(recipients(&asked.take()[0][0]), ["b@s", "c@s"]);
    asked.answers(Poll::Ready(Err("no".into())));
    play.engine.command(Command::Mail(Mail::default()));
    play.client();
    play.server("250 ok\r\n");
    let rcpt = Rcpt { path: ForwardPath::new("d@s").unwrap(), parameters: RcptParameters::default() };
    play.engine.command(Command::Rcpt(rcpt));
    play.client();
    play.server("250 ok\r\n");
    while play.engine.poll_event().is_some() {}
    play.engine.data(Box::new(Once::new(Box::new(&b"x\r\n"[..]))));
    play.client();
    play.server("354 go\r\n");
    assert_eq!(play.client(), "x\r\n");
    assert_eq!(play.sent().error.map(|error| error.kind()), Some(Kind::Commit));
    let calls = asked.take();
    assert_eq!((recipients(&calls[0][0]), calls[0][0].message_id.as_deref()), (vec!["d@s"], None));
}

/// Five messages in a window; the third has two recipients of whom all must be accepted, so that it waits for replies.
fn in_a_window(asked_by: impl Fn(&Asked)) -> (Play, Asked) {
    let (mut play, asked) = ready(Protocol::Smtp, &["PIPELINING", "CHUNKING"], Pipelining::Full);
    asked_by(&asked);
    for index in 0..5 {
        let to: &[&str] = if index == 3 { &["b@s", "c@s"] } else { &["b@s"] };
        play.engine.send(named(to, false, index));
    }
    (play, asked)
}

fn indexes(calls: &[Vec<Ready>]) -> Vec<Vec<u64>> {
    calls.iter().map(|call| call.iter().map(|ready| ready.index).collect()).collect()
}

#[test]
fn messages_of_a_window_are_asked_for_together() {
    let (mut play, asked) = in_a_window(|_| {});
    let out = play.client();
    assert_eq!(out.matches("BDAT 20 LAST").count(), 3, "{out}");
    let calls = asked.take();
    assert_eq!(indexes(&calls), [vec![0, 1, 2]]);
    assert!(calls[0].iter().all(|ready| ready.attempt == 1 && ready.recipients.is_empty()));
    // The fourth waits for its recipients' replies, and the fifth for the fourth.
    play.server(&"250 ok\r\n250 ok\r\n250 taken\r\n250 reset\r\n".repeat(3));
    play.server("250 ok\r\n250 ok\r\n250 ok\r\n");
    let out = play.client();
    assert_eq!(out.matches("BDAT 20 LAST").count(), 2, "{out}");
    let calls = asked.take();
    assert_eq!(indexes(&calls), [vec![3, 4]]);
    assert_eq!((recipients(&calls[0][0]), recipients(&calls[0][1])), (vec!["b@s", "c@s"], vec![]));
    play.server("250 taken\r\n250 reset\r\n250 ok\r\n250 ok\r\n250 taken\r\n");
    assert!((0..5).all(|_| play.sent().recipients[0].outcome == Outcome::Accepted));
}

#[test]
fn a_window_whose_commit_fails_is_withdrawn() {
    let (mut play, asked) = in_a_window(|asked| asked.answers(Poll::Ready(Err("no".into()))));
    let out = play.client();
    assert!(!out.contains("BDAT"), "{out}");
    assert_eq!(asked.take().len(), 1, "what comes after the refused group is not asked for yet");
    play.server("250 ok\r\n250 ok\r\n");
    for _ in 0..3 {
        let report = play.sent();
        assert_eq!(report.error.as_ref().map(Error::kind), Some(Kind::Commit));
        assert_eq!(report.recipients[0].outcome, Outcome::NotSent);
    }
    asked.answers(Poll::Ready(Ok(())));
    play.client();
    play.server("250 reset\r\n250 ok\r\n250 ok\r\n250 ok\r\n");
    play.client();
    assert_eq!(indexes(&asked.take()), [vec![3, 4]]);
}

#[test]
fn a_window_waits_as_a_whole_while_its_commit_is_pending() {
    let (mut play, asked) = in_a_window(|asked| asked.answers(Poll::Pending));
    let out = play.client();
    assert!(!out.contains("BDAT") && play.engine.waits_for() == Some(Awaited::Commit), "{out}");
    let calls = asked.take();
    assert_eq!(calls.last().unwrap().len(), 3);
    play.engine.send(named(&["b@s"], false, 5));
    play.client();
    let again = asked.take();
    assert!(again.iter().all(|call| *call == calls[0]), "{again:?}");
    asked.answers(Poll::Ready(Ok(())));
    assert_eq!(play.client().matches("BDAT 20 LAST").count(), 3);
    play.engine.handle_eof();
    let outcomes: Vec<_> = (0..3).map(|_| play.sent().recipients[0].outcome).collect();
    assert_eq!(outcomes, [Outcome::Unknown; 3]);
}
