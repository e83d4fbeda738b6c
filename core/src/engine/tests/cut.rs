//! Connections that end: at any octet either way, the outcome is definite.

use super::*;

const SERVER: &str = "220 s\r\n250-s\r\n250 PIPELINING\r\n250 ok\r\n550 5.1.1 no\r\n250 ok\r\n354 go\r\n250 2.0.0 Ok: queued as 9\r\n";

#[test]
fn a_batch_that_is_cut_knows_each_message() {
    let mut play = Play::ready(Protocol::Smtp, &["PIPELINING"]);
    for _ in 0..3 {
        play.engine.send(transaction(&["b@s"], false));
    }
    play.client();
    play.server("250 ok\r\n250 ok\r\n354 go\r\n");
    play.client();
    play.engine.handle_eof();
    let reports: Vec<_> = (0..3).map(|_| play.sent()).collect();
    assert_eq!(outcomes(&reports[0]), [(Outcome::Unknown, Step::Final)]);
    assert_eq!(reports[1].recipients[0].outcome, Outcome::NotSent);
    assert_eq!(reports[2].recipients[0].outcome, Outcome::NotSent);
}

/// Plays a whole dialogue with the server's bytes in pieces of `piece`, cut after `server_cut` bytes from the
/// server and `client_cut` bytes to it. Returns the report and whether the server had the whole message.
fn play_cut(piece: usize, server_cut: usize, client_cut: usize) -> (Report, bool, bool) {
    let mut play = Play::new(Protocol::Smtp);
    play.engine.hello();
    play.engine.send(transaction(&["b@s", "c@s"], true));
    let replies: Vec<&str> = SERVER.split_inclusive('\n').collect();
    // What the server says once it has heard so many lines.
    let script = [(0, 0..1), (1, 1..3), (5, 3..7)];
    let mut heard = Vec::new();
    let mut said = 0;
    let (mut step, mut final_said) = (0, false);
    'play: for _ in 0..1000 {
        let output = play.engine.poll_output().to_vec();
        let room = client_cut - heard.len();
        let taken = output.len().min(room);
        heard.extend_from_slice(&output[..taken]);
        play.engine.output_done(taken);
        if taken < output.len() {
            play.engine.handle_error(Error::new(Kind::Closed, Step::Command, "reset"));
            break;
        }
        let text = String::from_utf8(heard.clone()).unwrap();
        let lines = text.matches('\n').count();
        let answer: String = match script.get(step) {
            Some((due, range)) if lines >= *due => replies[range.clone()].concat(),
            None if text.ends_with("\r\n.\r\n") && !final_said => {
                final_said = true;
                replies[7..].concat()
            }
            _ => break,
        };
        step += 1;
        for chunk in answer.as_bytes().chunks(piece) {
            let chunk = &chunk[..chunk.len().min(server_cut - said)];
            play.engine.handle_input(chunk);
            said += chunk.len();
            if said == server_cut {
                play.engine.handle_eof();
                break 'play;
            }
        }
    }
    let whole = String::from_utf8(heard).unwrap().ends_with("\r\n..dot\r\n.\r\n");
    let report = loop {
        match play.engine.poll_event().expect("a definite report") {
            Event::Sent(_, report) => break *report,
            Event::Unbegun(_, transaction, error) => {
                break unbegun(&transaction.addressed.recipients, transaction.asked, error);
            }
            _ => continue,
        }
    };
    assert!(play.engine.poll_event().is_none_or(|event| matches!(event, Event::Failed(..))));
    (report, whole, said >= SERVER.len())
}

fn check(report: &Report, whole: bool, answered: bool) {
    let second = &report.recipients[1];
    match second.outcome {
        Outcome::Accepted => assert!(whole && answered),
        Outcome::Unknown => assert!(whole && !answered),
        Outcome::NotSent => assert!(!whole),
        Outcome::Rejected => panic!("nobody refused the second recipient"),
    }
    assert!(matches!(report.recipients[0].outcome, Outcome::Rejected | Outcome::NotSent));
    assert_eq!(report.error.is_none(), second.outcome == Outcome::Accepted);
}

#[test]
fn cut_after_every_byte_either_way_the_outcome_is_definite() {
    for piece in [1, 3, usize::MAX] {
        let mut unknown = 0;
        for cut in 0..=SERVER.len() {
            if cut == 0 {
                continue; // nothing was ever said: the harness has no turn to cut in
            }
            let (report, whole, answered) = play_cut(piece, cut, usize::MAX);
            check(&report, whole, answered);
            unknown += usize::from(report.unknown());
        }
        assert_eq!(unknown, "250 2.0.0 Ok: queued as 9\r\n".len() - 1, "only within the final reply");
        for cut in 0..400 {
            let (report, whole, answered) = play_cut(piece, usize::MAX, cut);
            check(&report, whole, answered);
            if report.error.is_none() {
                return;
            }
        }
    }
}
