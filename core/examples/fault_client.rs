//! The client of `scripted-server faults`: sends a message for each line of options, and prints what became of it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use smtpclient::message::Message;
use smtpclient::net::sendmessage;
use smtpclient::options::Options;

fn main() {
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (mut options, mut message) = (Options::default(), Message::new());
        for (name, value) in line.split('\t').filter_map(|pair| pair.split_once('=')) {
            match name {
                "message" => message = Message::from_file(value),
                _ => options.set(name, value).unwrap(),
            }
        }
        let report = sendmessage(&message, &options).unwrap_or_else(|failed| *failed.report);
        let kind = report.error.as_ref().map_or("-", |error| error.kind().name());
        let outcomes = report.recipients.iter().map(|recipient| recipient.outcome.name());
        let queue_id = report.queue_id().unwrap_or("-");
        println!("{kind} {queue_id} {}", outcomes.collect::<Vec<_>>().join(" "));
    }
}
