//! simple SERVER RECIPIENT: a subject, a body, a recipient, a server.
#![allow(unreachable_pub, clippy::print_stdout, reason = "a program, and core/tests/readme.rs calls it")]

use smtpclient::message::{HeaderMode, Message};
use smtpclient::net::sendmessage;
use smtpclient::options::Options;
use smtpclient::report::{Report, SendError};

/// One message to one recipient.
pub fn send(server: &str, recipient: &str) -> Result<Report, SendError> {
    let mut message = Message::text("This is the message.\n");
    message.set_header("Subject", "This is the subject.", HeaderMode::Write)?;
    let mut options = Options::default();
    options.set("servers", server)?;
    options.set("recipients", recipient)?;
    sendmessage(&message, &options)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [server, recipient] = words.as_slice() else { return Err("simple SERVER RECIPIENT".into()) };
    for one in send(server, recipient)?.recipients {
        println!("{}: {}", one.address, one.outcome.name());
    }
    Ok(())
}
