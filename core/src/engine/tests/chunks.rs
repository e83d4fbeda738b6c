//! Messages by BDAT, one after the other.

use super::*;
use crate::extensions::{Chunking, Pipelining};

const CHUNK: &str = "Subject: x\r\n\r\n.dot\r\n";
const BDAT: &str = "BDAT 20 LAST\r\nSubject: x\r\n\r\n.dot\r\n";
const ENVELOPE: &str = "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@s>\r\n";

fn ready(pipelining: Pipelining, chunking: Chunking, keywords: &[&str]) -> Play {
    let mut play = Play::ready(Protocol::Smtp, keywords);
    play.engine.config_mut().pipelining = pipelining;
    play.engine.config_mut().chunking = chunking;
    play
}

fn large(failing: Option<io::ErrorKind>) -> Transaction {
    let text: &'static str = Box::leak("0123456789abcd\r\n".repeat(5000).into_boxed_str());
    Transaction { content: Box::new(Text(text, failing)), ..transaction(&["b@s"], false) }
}

#[test]
fn a_batch_takes_one_round_trip_each_and_rset_stands_before_every_mail() {
    let mut play = ready(Pipelining::Rfc, Chunking::On, &["PIPELINING", "CHUNKING"]);
    for _ in 0..3 {
        play.engine.send(transaction(&["b@s"], false));
    }
    assert_eq!(play.client(), ENVELOPE);
    play.server("250 ok\r\n250 ok\r\n");
    assert_eq!(play.client(), format!("{BDAT}RSET\r\n{ENVELOPE}"));
    play.server("250 done\r\n250 reset\r\n250 ok\r\n250 ok\r\n");
    assert_eq!(play.client(), format!("{BDAT}RSET\r\n{ENVELOPE}"));
    play.server("250 done\r\n250 reset\r\n250 ok\r\n250 ok\r\n");
    assert_eq!(play.client(), BDAT);
    play.server("250 done\r\n");
    for _ in 0..3 {
        let report = play.sent();
        assert!(report.sent() && report.used.contains(&"CHUNKING") && report.octets == CHUNK.len() as u64);
    }
    assert_eq!(play.client(), "", "what the server took needs no RSET");
    assert!(play.engine.is_idle());
}

#[test]
fn a_window_of_whole_messages_is_one_round_trip() {
    let mut play = ready(Pipelining::Full, Chunking::Auto, &["PIPELINING", "CHUNKING"]);
    for _ in 0..3 {
        play.engine.send(transaction(&["b@s"], false));
    }
    let one = format!("{ENVELOPE}{BDAT}");
    assert_eq!(play.client(), format!("{one}RSET\r\n{one}RSET\r\n{one}"));
    // The second one's recipient is refused, so that BDAT is.
    play.server(
        "250 ok\r\n250 ok\r\n250 done\r\n250 reset\r\n250 ok\r\n550 5.1.1 who\r\n503 5.5.1 nobody\r\n",
    );
    play.server("250 reset\r\n250 ok\r\n250 ok\r\n250 done\r\n");
    assert!(play.sent().sent());
    let refused = play.sent();
    assert_eq!(outcomes(&refused), [(Outcome::Rejected, Step::Rcpt)]);
    assert!(refused.error.is_none() && refused.avoided.is_empty());
    assert!(play.sent().sent());
    assert!(play.engine.is_idle());
}

#[test]
fn a_window_that_is_cut_knows_each_message() {
    let mut play = ready(Pipelining::Full, Chunking::Auto, &["PIPELINING", "CHUNKING"]);
    for _ in 0..4 {
        play.engine.send(transaction(&["b@s"], false));
    }
    let output = play.engine.poll_output().to_vec();
    let text = String::from_utf8(output).unwrap();
    let thirds = text.match_indices(".dot\r\n").nth(2).unwrap().0 + 6;
    // All but the last octet of the third message.
    play.engine.output_done(thirds - 1);
    play.server("250 ok\r\n250 ok\r\n250 done\r\n250 reset\r\n250 ok\r\n");
    play.engine.handle_eof();
    let reports: Vec<_> = (0..4).map(|_| play.sent()).collect();
    let found: Vec<_> = reports.iter().map(|report| report.recipients[0].outcome).collect();
    assert_eq!(found, [Outcome::Accepted, Outcome::Unknown, Outcome::NotSent, Outcome::NotSent]);
}

#[test]
fn the_last_chunk_waits_for_the_others() {
    for pipelining in [Pipelining::Rfc, Pipelining::Full] {
        let mut play = ready(pipelining, Chunking::On, &["PIPELINING", "CHUNKING"]);
        play.engine.send(large(None));
        play.engine.send(transaction(&["b@s"], false));
        let mut said = play.client();
        if pipelining == Pipelining::Rfc {
            play.server("250 ok\r\n250 ok\r\n");
            said += &play.client();
        } else {
            play.server("250 ok\r\n");
            assert_eq!(play.client(), "", "not before every recipient was answered");
            play.server("250 ok\r\n");
            assert_eq!(play.client(), "");
        }
        assert!(said.contains("BDAT 65536\r\n") && !said.contains("LAST"), "{pipelining:?}");
        play.server("250 chunk\r\n");
        let said = play.client();
        assert!(
            said.starts_with("BDAT 14464 LAST\r\n") && said.contains("RSET\r\nMAIL"),
            "{pipelining:?}: {said}"
        );
        play.server("250 done\r\n");
        assert!(play.sent().sent());
    }
}

#[test]
fn a_refused_chunk_ends_with_rset_and_the_next_message_goes_on() {
    let mut play = ready(Pipelining::Rfc, Chunking::On, &["PIPELINING", "CHUNKING"]);
    play.engine.send(large(None));
    play.engine.send(transaction(&["b@s"], false));
    play.client();
    play.server("250 ok\r\n250 ok\r\n");
    play.client();
    play.server("452 4.3.1 full\r\n");
    let report = play.sent();
    assert_eq!(outcomes(&report), [(Outcome::Rejected, Step::Body)]);
    assert!(report.error.is_some_and(|error| error.is_transient()));
    assert_eq!(play.client(), format!("RSET\r\n{ENVELOPE}"));
    play.server("250 reset\r\n250 ok\r\n250 ok\r\n");
    assert_eq!(play.client(), BDAT);
    play.server("250 done\r\n");
    assert!(play.sent().sent());
}

#[test]
fn a_source_that_fails_is_withdrawn_and_the_connection_lives_on() {
    for failing in [
        large(Some(io::ErrorKind::Other)),
        Transaction {
            content: Box::new(Text("Subject: x\r\n", Some(io::ErrorKind::Other))),
            ..transaction(&["b@s"], false)
        },
    ] {
        let mut play = ready(Pipelining::Rfc, Chunking::On, &["PIPELINING", "CHUNKING"]);
        play.engine.send(failing);
        play.engine.send(transaction(&["b@s"], false));
        play.client();
        play.server("250 ok\r\n250 ok\r\n");
        let said = play.client();
        assert!(!said.contains("LAST") && said.ends_with(&format!("RSET\r\n{ENVELOPE}")), "{said}");
        if said.contains("BDAT") {
            play.server("250 chunk\r\n");
        }
        let report = play.sent();
        assert_eq!(outcomes(&report), [(Outcome::NotSent, Step::Body)]);
        assert_eq!(report.error.map(|error| error.kind()), Some(Kind::Source));
        play.server("250 reset\r\n250 ok\r\n250 ok\r\n");
        play.client();
        play.server("250 done\r\n");
        assert!(play.sent().sent());
    }
}

#[test]
fn a_source_that_pauses_is_asked_again() {
    let mut play = ready(Pipelining::Rfc, Chunking::On, &["PIPELINING", "CHUNKING"]);
    let content = Box::new(Text("Subject: x\r\n", Some(io::ErrorKind::WouldBlock)));
    play.engine.send(Transaction { content, ..transaction(&["b@s"], false) });
    play.client();
    play.server("250 ok\r\n250 ok\r\n");
    assert_eq!(play.client(), "");
    assert!(play.engine.waits_for() == Some(Awaited::Source));
}

#[test]
fn what_a_server_mishandles_is_not_used_any_more() {
    let mut play = ready(Pipelining::Full, Chunking::Auto, &["PIPELINING", "CHUNKING"]);
    for _ in 0..3 {
        play.engine.send(transaction(&["b@s"], false));
    }
    play.client();
    for reset in ["250 reset\r\n", "250 reset\r\n", ""] {
        play.server("250 ok\r\n250 ok\r\n500 5.5.1 BDAT?\r\n");
        play.server(reset);
    }
    assert!(!play.engine.has_events(), "no message is given up for it");
    let mut accepted = 0;
    for _ in 0..6 {
        let said = play.client();
        assert!(!said.contains("BDAT"));
        let replies: String = said
            .lines()
            .filter_map(|line| match line {
                "DATA" => Some("354 go\r\n"),
                "." => Some("250 done\r\n"),
                "RSET" => Some("250 reset\r\n"),
                line if line.starts_with("MAIL") || line.starts_with("RCPT") => Some("250 ok\r\n"),
                _ => None,
            })
            .collect();
        play.server(&replies);
        while play.engine.has_events() {
            let report = play.sent();
            assert!(report.sent() && report.avoided.as_slice() == ["CHUNKING"], "{report:?}");
            accepted += 1;
        }
    }
    assert_eq!(accepted, 3);
    assert!(play.engine.is_idle());
}

#[test]
fn a_server_that_does_not_expect_mail_behind_a_message_gets_one_after_the_other() {
    let mut play = Play::ready(Protocol::Smtp, &["PIPELINING"]);
    for _ in 0..2 {
        play.engine.send(transaction(&["b@s"], false));
    }
    play.client();
    play.server("250 ok\r\n250 ok\r\n354 go\r\n");
    play.client();
    play.server("250 done\r\n503 5.5.1 what\r\n503 5.5.1 what\r\n503 5.5.1 what\r\n");
    assert!(play.sent().sent());
    for (said, reply) in [
        ("MAIL FROM:<a@c.example>\r\n", "250 ok\r\n"),
        ("RCPT TO:<b@s>\r\n", "250 ok\r\n"),
        ("DATA\r\n", "354 go\r\n"),
    ] {
        assert_eq!(play.client(), said);
        play.server(reply);
    }
    play.client();
    play.server("250 done\r\n");
    let report = play.sent();
    assert!(report.sent() && report.avoided.as_slice() == ["PIPELINING"]);
}

#[test]
fn binary_content_goes_as_it_is_where_binarymime_is_offered() {
    struct Raw;
    impl Content for Raw {
        fn needs_utf8(&self) -> bool {
            false
        }
        fn form(&self, transfer: Transfer) -> Result<Form, Error> {
            let body = if transfer.binary { BodyKind::BinaryMime } else { BodyKind::SevenBit };
            Ok(Form { body, size: None, exact: true, clean: false })
        }
        fn open(&mut self, transfer: Transfer) -> Result<Box<dyn BufRead + Send>, Error> {
            Ok(if transfer.binary {
                Box::new(b".\n\0\r".as_slice())
            } else {
                Box::new(b"AA==\r\n".as_slice())
            })
        }
    }
    let send = |chunking, keywords: &[&str]| {
        let mut play = ready(Pipelining::Rfc, chunking, keywords);
        play.engine.send(Transaction { content: Box::new(Raw), ..transaction(&["b@s"], false) });
        let said = play.client();
        play.server("250 ok\r\n250 ok\r\n");
        if said.ends_with("DATA\r\n") {
            play.server("354 go\r\n");
        }
        play.client();
        play.said
    };
    let said = send(Chunking::Auto, &["PIPELINING", "CHUNKING", "BINARYMIME"]);
    assert!(said.starts_with("MAIL FROM:<a@c.example> BODY=BINARYMIME\r\n"), "{said}");
    assert!(said.ends_with("BDAT 4 LAST\r\n.\n\0\r"), "{said:?}");
    assert!(send(Chunking::Off, &["PIPELINING", "CHUNKING", "BINARYMIME"]).ends_with("AA==\r\n.\r\n"));
    assert!(send(Chunking::Auto, &["PIPELINING", "BINARYMIME"]).ends_with("AA==\r\n.\r\n"));
}
