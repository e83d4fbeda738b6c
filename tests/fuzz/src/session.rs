//! A session that is asked for anything in any order, against the same servers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use arbitrary::Unstructured;
use smtpclient::command::{Command, ForwardPath, Mail, Rcpt, RcptParameters, ReversePath};
use smtpclient::content::Once;
use smtpclient::conversation::{Conversation, Driven, Ends};
use smtpclient::dialogue::{Answer, Dialogue, Ticket};
use smtpclient::error::{Error, Kind, Step};
use smtpclient::message::Message;
use smtpclient::net::local;
use smtpclient::report::Outcome;
use smtpclient::server::servers;

use super::server::{LAST, Library, PASSWORD, Server, assert_no_secret, odd, options};

/// Each thing asked is answered once, and nothing secret is seen.
pub(crate) fn session(data: &[u8]) {
    let _ = run(&mut Unstructured::new(data));
}

fn run(bytes: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut options = options(bytes)?;
    options.recipients = Some("b@s.example, c@s.example".into());
    options.servers = vec!["s.example".to_owned()];
    let loopback = bytes.ratio(1, 8)?;
    let lines = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&lines);
    options.transcript = Some(Arc::new(move |_, line| noted.lock().unwrap().push_str(line)));
    let server = servers(&options).unwrap().remove(0);
    let (lmtp, first) = (options.lmtp, server.tls);
    let ends = Ends { loopback, ..Ends::default() };
    let library = Some(Library::shared());
    let mut dialogue = if bytes.arbitrary()? {
        let mut dialogue = Dialogue::new(server, options.clone(), library, local()).unwrap();
        dialogue.connected(ends);
        dialogue
    } else {
        Dialogue::over(server, options.clone(), library, local(), ends).unwrap()
    };
    let mut seen = Vec::new();
    let (peer, mut waiting) = Server::greet(lmtp, first, bytes)?;
    seen.push(peer);
    let mut open = BTreeSet::from([Dialogue::GREETING]);
    let message = Message::from_bytes(format!("From: a@c.example\r\n\r\n{LAST}\r\n"));
    for _ in 0..bytes.int_in_range(1..=60)? {
        if bytes.ratio(1, 3)? {
            open.extend(ask(&mut dialogue, &message, bytes)?);
        }
        if dialogue.wants_dial() {
            if odd(bytes)? {
                dialogue.connect_failed(Error::new(Kind::Connect, Step::Connect, "refused"));
            } else {
                dialogue.connected(ends);
                let (peer, said) = Server::greet(lmtp, first, bytes)?;
                seen.push(peer);
                waiting = said;
            }
        }
        let output = dialogue.poll_output();
        let taken = if bytes.ratio(1, 4)? { bytes.int_in_range(0..=output.len())? } else { output.len() };
        let octets = output[..taken].to_vec();
        dialogue.output_done(taken);
        waiting.extend(seen.last_mut().unwrap().hears(&octets, bytes)?);
        let most = if bytes.ratio(3, 4)? { waiting.len() } else { bytes.int_in_range(0..=waiting.len())? };
        let piece: Vec<u8> = waiting.drain(..most).collect();
        if !piece.is_empty() {
            dialogue.handle_input(&piece);
        }
        match bytes.int_in_range(0..=99)? {
            99 => dialogue.handle_eof(),
            98 => dialogue.handle_timeout(),
            _ => {}
        }
        answers(&mut dialogue, &mut open);
    }
    dialogue.abort(Error::new(Kind::Cancelled, Step::Command, "over"));
    dialogue.handle_eof();
    if dialogue.wants_dial() {
        dialogue.connect_failed(Error::new(Kind::Connect, Step::Connect, "refused"));
    }
    answers(&mut dialogue, &mut open);
    assert!(open.is_empty(), "never answered: {open:?}");
    assert_no_secret(lines.lock().unwrap().as_bytes());
    if !loopback {
        seen.iter().for_each(|server| assert_no_secret(&server.plain));
    }
    Ok(())
}

fn ask(
    dialogue: &mut Dialogue,
    message: &Message,
    bytes: &mut Unstructured<'_>,
) -> arbitrary::Result<Option<Ticket>> {
    let options = dialogue.options().clone();
    Ok(match bytes.int_in_range(0..=9)? {
        0..=2 => dialogue.send_message(message, &options).ok(),
        3 => Some(dialogue.introduce()),
        4 => Some(dialogue.command(Command::Noop(None))),
        5 => {
            let path = ReversePath::new("a@c.example").unwrap();
            Some(dialogue.command(Command::Mail(Mail { path, ..Mail::default() })))
        }
        6 => {
            let path = ForwardPath::new("b@s.example").unwrap();
            Some(dialogue.command(Command::Rcpt(Rcpt { path, parameters: RcptParameters::default() })))
        }
        7 => Some(dialogue.data(Box::new(Once::new(Box::new(&b"Subject: x\r\n\r\nx\r\n"[..]))))),
        8 => dialogue.starttls().ok(),
        _ => dialogue.login("user", PASSWORD.into(), None).ok(),
    })
}

fn answers(dialogue: &mut Dialogue, open: &mut BTreeSet<Ticket>) {
    while let Some((ticket, answer)) = dialogue.poll_answer() {
        assert!(open.remove(&ticket), "answered twice: {ticket:?} {answer:?}");
        if let Answer::Sent(report) = answer {
            let unknown = report.error.as_ref().is_some_and(|error| error.kind() == Kind::Unknown);
            assert_eq!(unknown, report.unknown(), "{report:?}");
            for recipient in &report.recipients {
                let good = recipient.reply.as_ref().is_some_and(|reply| reply.is_success());
                assert!(recipient.outcome != Outcome::Accepted || good, "{report:?}");
            }
        }
    }
}
