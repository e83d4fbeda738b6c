//! The client of `tests/link`: WAY PAUSE FILE,FILE... NAME=VALUE.... Sends the messages in files by one of `send`, `session`
//! and `mailer`, with a pause of so many seconds before each but the first, and prints of each on a line: the seconds it
//! took, kind and step of the error or `-`, the first recipient's outcome, and each attempt as `server/kind/step`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::time::{Duration, Instant};

use smtpclient::message::Message;
use smtpclient::net::{Mailer, SendError, Session, sendmessage};
use smtpclient::options::Options;
use smtpclient::report::Report;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [way, pause, files, rest @ ..] = &words[..] else { panic!("WAY PAUSE FILE,FILE... NAME=VALUE...") };
    let mut options = Options::default();
    for (name, value) in rest.iter().filter_map(|pair| pair.split_once('=')) {
        options.set(name, value).unwrap();
    }
    let host = options.servers[0].clone();
    let pause = Duration::from_secs(pause.parse().unwrap());
    let (mut session, mut mailer) = (None, None);
    for (n, file) in files.split(',').enumerate() {
        if n > 0 {
            std::thread::sleep(pause);
        }
        let message = Message::from_file(file);
        let begin = Instant::now();
        let report = match &way[..] {
            "send" => known(sendmessage(&message, &options)),
            "session" => {
                let session = session.get_or_insert_with(|| Session::open(&host, 0, &options).unwrap());
                known(session.send_message(&message, &options))
            }
            _ => {
                let mailer = mailer.get_or_insert_with(|| Mailer::new(&options).unwrap());
                mailer.submit(&message, None).unwrap();
                mailer.next_report(Duration::from_secs(600)).unwrap().1
            }
        };
        println!("{:.2} {}", begin.elapsed().as_secs_f64(), line(&report));
    }
    if let Some(mailer) = mailer {
        mailer.close(Duration::ZERO).ok();
    }
}

fn known(sent: Result<Report, SendError>) -> Report {
    sent.unwrap_or_else(|failed| *failed.report)
}

fn line(report: &Report) -> String {
    let error = report.error.as_ref();
    let kind = error.map_or("-", |error| error.kind().name());
    let step = error.map_or("-", |error| error.step().name());
    let outcome = report.recipients[0].outcome.name().replace(' ', "");
    let mut line = format!("{kind} {step} {outcome}");
    for attempt in &report.attempts {
        let error = attempt.error.as_ref();
        let kind = error.map_or("-", |error| error.kind().name());
        let step = error.map_or("-", |error| error.step().name());
        line += &format!(" {}/{kind}/{step}", attempt.server);
    }
    line
}
