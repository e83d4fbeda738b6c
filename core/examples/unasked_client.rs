//! The client of `scripted-server unasked`: PORT SENDS PAUSE. Sends so many messages over one session with a pause
//! between, and prints what became of each.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

use std::time::Duration;

use smtpclient::message::Message;
use smtpclient::net::Session;
use smtpclient::options::Options;
use smtpclient::report::Outcome;

fn main() {
    let words: Vec<u64> = std::env::args().skip(1).map(|word| word.parse().unwrap()).collect();
    let [port, sends, pause] = words[..] else { panic!("PORT SENDS PAUSE") };
    let mut options = Options::default();
    for (name, value) in [("client", "c.example"), ("timeout", "5"), ("usetls", "false")] {
        options.set(name, value).unwrap();
    }
    let session = Session::open("127.0.0.1", u16::try_from(port).unwrap(), &options);
    let mut session = session.ok();
    for n in 0..sends {
        let text = format!("From: s{n}@c.example\nTo: b@s.example\nDate: x\nMessage-ID: <{n}@c>\n\nHello.\n");
        let outcome = session.as_mut().map_or(Outcome::NotSent, |session| {
            let sent = session.send_message(&Message::from_bytes(text), &options);
            sent.unwrap_or_else(|failed| *failed.report).recipients[0].outcome
        });
        println!("{}", outcome.name().replace(' ', ""));
        std::thread::sleep(Duration::from_millis(pause));
    }
    if let Some(session) = session {
        session.close();
    }
}
