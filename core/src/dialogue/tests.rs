use super::*;
use crate::conversation::Conversation;
use crate::options::OauthToken;
use crate::server::Target;

fn dialogue(options: Options) -> Dialogue {
    let target = Target::Tcp { host: "s.example".to_owned(), port: 25 };
    let server = Server::new(target, Protocol::Smtp, false);
    Dialogue::over(server, options, None, local(), Ends::default()).unwrap()
}

fn local() -> Local {
    Local { host: || "c.example".into(), user: || "u".into(), now: jiff::Zoned::default }
}

fn said(dialogue: &mut Dialogue) -> String {
    let mut said = Vec::new();
    loop {
        let output = dialogue.poll_output().to_vec();
        if output.is_empty() {
            return String::from_utf8(said).unwrap();
        }
        dialogue.output_done(output.len());
        said.extend(output);
    }
}

const TOKEN: &[u8] = b"From: a@c\nTo: b@s\nDate: x\nMessage-ID: <1@c>\n\nHi\n";

#[test]
fn messages_asked_for_together_share_round_trips() {
    let mut options = Options::default();
    options.set("pipelining", "crossing").unwrap();
    let mut dialogue = dialogue(options);
    let message = Message::from_bytes(TOKEN);
    let tickets: Vec<Ticket> =
        (0..3).map(|_| dialogue.send_message(&message, &Options::default()).unwrap()).collect();
    assert_eq!(said(&mut dialogue), "");
    dialogue.handle_input(b"220 s\r\n");
    assert_eq!(said(&mut dialogue), "EHLO c.example\r\n");
    dialogue.handle_input(b"250-s\r\n250 PIPELINING\r\n");
    let envelope = "MAIL FROM:<a@c>\r\nRCPT TO:<b@s>\r\nDATA\r\n";
    assert_eq!(said(&mut dialogue), envelope);
    dialogue.handle_input(b"250 ok\r\n250 ok\r\n354 go\r\n");
    assert!(said(&mut dialogue).ends_with(&format!("\r\nHi\r\n.\r\n{envelope}")));
    dialogue.handle_input(b"250 one\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    said(&mut dialogue);
    dialogue.handle_input(b"250 two\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    said(&mut dialogue);
    dialogue.handle_input(b"554 three\r\n");
    assert!(matches!(dialogue.poll_answer(), Some((Dialogue::GREETING, Answer::Reply(Ok(_))))));
    for (n, ticket) in tickets.into_iter().enumerate() {
        let Some((own, Answer::Sent(report))) = dialogue.poll_answer() else { panic!("message {n}") };
        assert_eq!((own, report.sent()), (ticket, n < 2));
    }
}

#[test]
fn a_verb_waits_for_the_messages_before_it() {
    let mut dialogue = dialogue(Options::default());
    dialogue.send_message(&Message::from_bytes(TOKEN), &Options::default()).unwrap();
    dialogue.command(Command::Noop(None));
    dialogue.handle_input(b"220 s\r\n");
    said(&mut dialogue);
    dialogue.handle_input(b"250-s\r\n250 PIPELINING\r\n");
    assert!(said(&mut dialogue).ends_with("DATA\r\n"));
    dialogue.handle_input(b"250 ok\r\n250 ok\r\n354 go\r\n");
    assert!(said(&mut dialogue).ends_with("\r\n.\r\n"));
    dialogue.handle_input(b"250 done\r\n");
    assert_eq!(said(&mut dialogue), "NOOP\r\n");
}

#[test]
fn a_login_that_is_asked_for_too_late_is_an_error() {
    for (name, value) in [("username", "u"), ("password", "p"), ("oauthtoken", "t")] {
        let mut options = Options::default();
        options.set(name, value).unwrap();
        let error =
            dialogue(Options::default()).send_message(&Message::from_bytes(TOKEN), &options).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.text().contains(name), "{error}");
    }
}

#[test]
fn a_caller_may_encrypt_below_the_session() {
    let mut dialogue = dialogue(Options::default());
    dialogue.handle_input(b"220 s\r\n");
    dialogue.introduce();
    said(&mut dialogue);
    dialogue.handle_input(b"250-s\r\n250 STARTTLS\r\n");
    while dialogue.poll_answer().is_some() {}
    let ticket = dialogue.starttls_below().unwrap();
    assert_eq!(said(&mut dialogue), "STARTTLS\r\n");
    dialogue.handle_input(b"220 go\r\n");
    let answer = dialogue.poll_answer();
    assert!(matches!(answer, Some((own, Answer::Reply(Ok(_)))) if own == ticket));
    dialogue.introduce();
    assert_eq!(said(&mut dialogue), "");
    dialogue.tls_established();
    assert_eq!(said(&mut dialogue), "EHLO c.example\r\n");
    assert!(dialogue.engine().is_encrypted());
    assert!(dialogue.starttls_below().is_err());
}

#[test]
fn plain_text_behind_the_reply_to_starttls_ends_a_session_that_is_encrypted_below() {
    let mut dialogue = dialogue(Options::default());
    dialogue.handle_input(b"220 s\r\n");
    dialogue.starttls_below().unwrap();
    said(&mut dialogue);
    dialogue.handle_input(b"250 s\r\n");
    said(&mut dialogue);
    dialogue.handle_input(b"220 go\r\n250 injected\r\n");
    assert!(dialogue.is_closed());
    assert_eq!(dialogue.engine().fault().unwrap().kind(), Kind::Tls);
}

#[test]
fn credentials_that_cannot_be_used_send_nothing() {
    let mut options = Options::default();
    options.set("username", "u").unwrap();
    options.set("password", "hunter2").unwrap();
    let mut dialogue = dialogue(options);
    dialogue.send_message(&Message::from_bytes(TOKEN), &Options::default()).unwrap();
    dialogue.handle_input(b"220 s\r\n");
    said(&mut dialogue);
    dialogue.handle_input(b"250-s\r\n250 AUTH PLAIN\r\n");
    assert_eq!(said(&mut dialogue), "");
    dialogue.poll_answer();
    let Some((_, Answer::Sent(report))) = dialogue.poll_answer() else { panic!("no report") };
    let error = report.error.unwrap();
    assert_eq!((error.kind(), error.step()), (Kind::Login, Step::Auth));
    assert!(!error.to_string().contains("hunter2"));
}

/// Nobody comes back for a message whose login fails before an octet leaves: there is nothing to write and nothing to read.
#[test]
fn a_token_that_is_not_there_fails_all_that_was_asked_for_at_once() {
    let mut options = Options::default();
    options.set("username", "u").unwrap();
    options.set("authinsecure", "1").unwrap();
    options.oauthtoken = Some(OauthToken::asking(|_| Err::<String, _>("no token today")));
    let mut dialogue = dialogue(options);
    let message = Message::from_bytes(TOKEN);
    let tickets: Vec<Ticket> =
        (0..3).map(|_| dialogue.send_message(&message, &Options::default()).unwrap()).collect();
    dialogue.handle_input(b"220 s\r\n");
    assert_eq!(said(&mut dialogue), "EHLO c.example\r\n");
    dialogue.handle_input(b"250-s\r\n250 AUTH XOAUTH2\r\n");
    assert_eq!(said(&mut dialogue), "");
    assert!(matches!(dialogue.poll_answer(), Some((Dialogue::GREETING, Answer::Reply(Ok(_))))));
    for ticket in tickets {
        let Some((own, Answer::Sent(report))) = dialogue.poll_answer() else { panic!("{ticket:?}") };
        assert_eq!((own, report.error.map(|error| error.kind())), (ticket, Some(Kind::Login)));
    }
}

#[test]
fn one_login_a_connection_also_where_two_are_asked_for_at_once() {
    let mut dialogue = dialogue(Options::default());
    for _ in 0..2 {
        dialogue.login("u", "hunter2".into(), Some("CRAM-MD5")).unwrap();
    }
    for (reply, verb) in [("220 s", "EHLO"), ("250-s\r\n250 AUTH CRAM-MD5", "AUTH"), ("334 eA==", "")] {
        dialogue.handle_input(format!("{reply}\r\n").as_bytes());
        assert!(said(&mut dialogue).starts_with(verb), "{reply}");
    }
    dialogue.handle_input(b"235 ok\r\n");
    assert_eq!(said(&mut dialogue), "");
    let mut answers = std::iter::from_fn(|| dialogue.poll_answer()).skip(1);
    assert!(matches!(answers.next(), Some((_, Answer::Done(Ok(()))))));
    let Some((_, Answer::Done(Err(error)))) = answers.next() else { panic!("no second answer") };
    assert_eq!(error.kind(), Kind::Usage);
}

#[test]
fn what_a_server_swallows_after_a_final_dot_goes_once_more_without_crossing() {
    for silent in [false, true] {
        let mut options = Options::default();
        options.set("pipelining", "crossing").unwrap();
        let target = Target::Tcp { host: "s.example".to_owned(), port: 25 };
        let server = Server::new(target, Protocol::Smtp, false);
        let mut dialogue = Dialogue::new(server, options, None, local()).unwrap();
        dialogue.connected(Ends::default());
        let message = Message::from_bytes(TOKEN);
        let [first, second] = [(); 2].map(|()| dialogue.send_message(&message, &Options::default()).unwrap());
        for reply in ["220 s\r\n", "250-s\r\n250 PIPELINING\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"] {
            dialogue.handle_input(reply.as_bytes());
            said(&mut dialogue);
        }
        dialogue.handle_input(b"250 one\r\n");
        if silent {
            dialogue.handle_timeout()
        } else {
            dialogue.handle_eof()
        }
        assert!(dialogue.wants_dial());
        dialogue.connected(Ends::default());
        for (reply, expected) in [
            ("220 s\r\n", "EHLO c.example\r\n"),
            ("250-s\r\n250 PIPELINING\r\n", "MAIL FROM:<a@c>\r\n"),
            ("250 ok\r\n", "RCPT TO:<b@s>\r\n"),
            ("250 ok\r\n", "DATA\r\n"),
        ] {
            dialogue.handle_input(reply.as_bytes());
            assert_eq!(said(&mut dialogue), expected);
        }
        dialogue.handle_input(b"354 go\r\n");
        said(&mut dialogue);
        dialogue.handle_input(b"250 two\r\n");
        dialogue.poll_answer();
        for (ticket, attempts) in [(first, 1), (second, 2)] {
            let Some((own, Answer::Sent(report))) = dialogue.poll_answer() else { panic!("{silent}") };
            assert!(own == ticket && report.complete() && report.attempts.len() == attempts, "{report:?}");
            assert_eq!(report.avoided.contains(&"PIPELINING"), attempts == 2);
        }
    }
}

#[test]
fn a_batch_goes_over_as_many_connections_as_the_server_wants() {
    let options = Options { reconnect: true, ..Options::default() };
    let target = Target::Tcp { host: "s.example".to_owned(), port: 25 };
    let server = Server::new(target, Protocol::Smtp, false);
    let mut dialogue = Dialogue::new(server, options, None, local()).unwrap();
    let message = Message::from_bytes(TOKEN);
    let tickets: Vec<Ticket> =
        (0..5).map(|_| dialogue.send_message(&message, &Options::default()).unwrap()).collect();
    for messages in [2, 2, 1] {
        assert!(dialogue.wants_dial());
        dialogue.connected(Ends::default());
        for reply in ["220 s\r\n", "250-s\r\n250-PIPELINING\r\n250 LIMITS MAILMAX=2\r\n"] {
            said(&mut dialogue);
            dialogue.handle_input(reply.as_bytes());
        }
        for _ in 0..messages {
            assert!(said(&mut dialogue).ends_with("DATA\r\n"));
            dialogue.handle_input(b"250 ok\r\n250 ok\r\n354 go\r\n");
            assert!(said(&mut dialogue).ends_with("\r\nHi\r\n.\r\n"));
            dialogue.handle_input(b"250 ok\r\n");
        }
        assert_eq!(said(&mut dialogue), if messages == 2 { "QUIT\r\n" } else { "" });
    }
    let mut answers = std::iter::from_fn(|| dialogue.poll_answer()).skip(1);
    for ticket in tickets {
        let Some((own, Answer::Sent(report))) = answers.next() else { panic!("no report") };
        assert!(own == ticket && report.complete() && report.attempts.len() == 1, "{report:?}");
    }
}

proptest::proptest! {
    /// A message that is sent again, among others, changed or by other options in between, has the envelope of a new one.
    #[test]
    fn an_envelope_that_was_kept_is_the_one_that_is_due(sent in proptest::collection::vec((0usize..5, 0usize..4), 0..40)) {
        let options = Options { recipients: Some("b@s, e@s".into()), ..Options::default() };
        let mut dialogue = dialogue(options);
        let own = dialogue.shared_options();
        let others = Options { originator: Some("o@c".into()), recipients: Some("o@s".into()), ..Options::default() };
        let mut messages = [
            Message::from_bytes(TOKEN),
            Message::from_bytes(TOKEN),
            Message::from_bytes(b"From: d@c\nTo: f@s\nDate: x\nMessage-ID: <1@c>\n\nHi\n".to_vec()),
            Message::from_bytes(b"From: g@c\nTo: f@s\nMessage-ID: <1@c>\n\nno date\n".to_vec()),
            Message::text("Hi"),
        ];
        messages[4].set_header("From", "h@c", crate::message::HeaderMode::Write).unwrap();
        messages[4].set_header("Message-ID", "<1@c>", crate::message::HeaderMode::Write).unwrap();
        for (n, what) in sent {
            let options = if what == 0 { &others } else { &*own };
            if what == 1 {
                messages[n] = messages[n].clone();
                messages[n].set_header("From", "i@c", crate::message::HeaderMode::Write).unwrap();
            }
            let found = dialogue.envelope(&messages[n], options).unwrap();
            let due = Envelope::derive(&messages[n], options, &local()).unwrap();
            proptest::prop_assert_eq!(format!("{found:?}"), format!("{due:?}"));
        }
    }
}
