//! What a caller says verb by verb.

use super::*;

#[test]
fn verbs_and_data() {
    let mut play = Play::ready(Protocol::Lmtp, &[]);
    let mail = Mail { path: ReversePath::new("").unwrap(), parameters: MailParameters::default() };
    play.engine.command(Command::Mail(mail));
    assert_eq!(play.client(), "MAIL FROM:<>\r\n");
    play.server("250 ok\r\n");
    for (to, answer) in [("b@s", "250 ok\r\n"), ("c@s", "550 no\r\n"), ("d@s", "250 ok\r\n")] {
        let rcpt = Rcpt { path: ForwardPath::new(to).unwrap(), parameters: RcptParameters::default() };
        play.engine.command(Command::Rcpt(rcpt));
        play.client();
        play.server(answer);
    }
    while play.engine.poll_event().is_some() {}
    play.engine.data(Box::new(Once::new(Box::new(&b"x\n"[..]))));
    assert_eq!(play.client(), "DATA\r\n");
    play.server("354 go\r\n");
    assert_eq!(play.client(), "x\r\n.\r\n");
    play.server("250 one\r\n250 two\r\n");
    let report = play.sent();
    assert_eq!(report.recipients.iter().map(|r| r.address.as_str()).collect::<Vec<_>>(), ["b@s", "d@s"]);
    assert!(report.complete());
}

#[test]
fn a_raw_line_does_what_its_verb_does() {
    let mut play = Play::ready(Protocol::Smtp, &[]);
    let raw = |line: &str| Command::Raw(crate::command::RawCommand::new(line).unwrap());
    for (line, answer) in [
        ("ehlo a_b", "250-s\r\n250 SIZE\r\n"),
        ("mail FROM:<root>", "250 ok\r\n"),
        ("rcpt TO:<nobody> NOTIFY=NEVER", "550 no\r\n"),
        ("rcpt TO:<root> NOTIFY=NEVER", "250 ok\r\n"),
    ] {
        play.engine.command(raw(line));
        assert_eq!(play.client(), format!("{line}\r\n"));
        play.server(answer);
        assert!(matches!(play.engine.poll_event(), Some(Event::Reply(..))));
    }
    assert!(play.engine.extensions().size());
    play.engine.data(Box::new(Once::new(Box::new(&b"x\n"[..]))));
    play.client();
    play.server("354 go\r\n");
    assert_eq!(play.client(), "x\r\n.\r\n");
    play.server("250 ok\r\n");
    assert_eq!(play.sent().recipients.iter().map(|r| r.address.as_str()).collect::<Vec<_>>(), ["root"]);
    let auth = |line: &str| Command::Raw(crate::command::RawCommand::secret(line).unwrap());
    for (line, answer) in [("AUTH LOGIN", "334 \r\n"), ("", "334 \r\n"), ("aHVudGVyMg==", "235 ok\r\n")] {
        play.engine.command(auth(line));
        assert_eq!(play.client(), format!("{line}\r\n"));
        play.server(answer);
        assert!(matches!(play.engine.poll_event(), Some(Event::Reply(..))));
    }
    play.engine.command(raw("AUTH PLAIN aHVudGVyMg=="));
    assert!(matches!(play.engine.poll_event(), Some(Event::Failed(..))), "not in clear");
    play.engine.command(raw("quit"));
    play.client();
    play.server("221 bye\r\n");
    assert!(play.engine.is_closed());
}

#[test]
fn data_by_verb_that_is_refused_has_the_reply() {
    let mut play = Play::ready(Protocol::Smtp, &[]);
    play.engine.data(Box::new(Once::new(Box::new(&b"x\n"[..]))));
    assert_eq!(play.client(), "DATA\r\n");
    play.server("503 5.5.1 MAIL first\r\n");
    assert_eq!(play.sent().reply.map(|r| r.code()), Some(503));
    play.engine.command(Command::Noop(None));
    assert_eq!(play.client(), "NOOP\r\n", "verbs are the caller's, and nothing is put between them");
    play.server("250 ok\r\n");
    play.engine.send(transaction(&["b@s"], false));
    assert_eq!(play.client(), "RSET\r\n");
}

#[test]
fn a_message_behind_an_envelope_of_verbs_begins_with_rset() {
    let mut play = Play::ready(Protocol::Smtp, &[]);
    let mail = Mail { path: ReversePath::new("").unwrap(), parameters: MailParameters::default() };
    play.engine.command(Command::Mail(mail));
    play.client();
    play.server("250 ok\r\n");
    play.engine.poll_event();
    play.engine.send(transaction(&["b@s"], false));
    assert_eq!(play.client(), "RSET\r\n");
}
