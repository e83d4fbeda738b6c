//! Sends many messages to one server: what the benchmarks measure.
//!
//!     many HOST:PORT MODE MESSAGES OCTETS
//!
//! MODE: `same` sends one token again and again on one session; `batch` does so with `send_many`; `fresh` makes a
//! token for each message; `header` sends one token whose header section gives the envelope; `stream` makes the octets while they are
//! sent; `single` does so through `sendmessage`, with a connection for each message.

use std::io;

use smtpclient::message::{Message, Reader};
use smtpclient::net::{Session, sendmessage};
use smtpclient::options::Options;

const HEAD: &str = "From: Benchmark <from@example.test>\r\nTo: to@example.test\r\nSubject: a message\r\n\
    Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\r\n";
const LINE: &[u8] = b"All work and no play makes Jack a dull boy, and nothing else either, ok.\r\n";

type Fault = Box<dyn std::error::Error>;

fn main() -> Result<(), Fault> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [server, mode, messages, octets] = words.as_slice() else {
        return Err("many HOST:PORT same|batch|fresh|header|stream|single MESSAGES OCTETS".into());
    };
    let (messages, octets): (u64, usize) = (messages.parse()?, octets.parse()?);
    let mut options = Options::default();
    options.servers = vec![server.clone()];
    options.client = Some("client.example.test".to_owned());
    options.usetls = false;
    if mode != "header" {
        options.originator = Some("from@example.test".to_owned());
        options.recipients = Some("to@example.test".into());
    }
    let streamed = || Message::from_reader(Endless { head: HEAD.as_bytes(), left: octets });
    if mode == "single" {
        for _ in 0..messages {
            let _ = sendmessage(&streamed(), &options)?; // one recipient: nobody is left out
        }
        return Ok(());
    }
    let mut whole = HEAD.as_bytes().to_vec();
    if mode != "stream" {
        whole.extend(LINE.iter().cycle().take(octets.saturating_sub(HEAD.len() + 2)));
        whole.extend_from_slice(b"\r\n");
    }
    let token = Message::from_bytes(whole.clone());
    let mut session = Session::open(server, 0, &options)?;
    if mode == "batch" {
        for report in session.send_many(std::iter::repeat_n(token, usize::try_from(messages)?)) {
            let _ = report?;
        }
        session.close();
        return Ok(());
    }
    for _ in 0..messages {
        let _ = match mode.as_str() {
            "fresh" => session.send_message(&Message::from_bytes(copy(&whole)), &options)?,
            "stream" => session.send_message(&streamed(), &options)?,
            _ => session.send_message(&token, &options)?,
        };
    }
    session.close();
    Ok(())
}

/// In pieces: callgrind counts the one instruction that copies much as one for each octet.
fn copy(whole: &[u8]) -> Vec<u8> {
    let mut copy = Vec::with_capacity(whole.len());
    whole.chunks(1024).for_each(|piece| copy.extend_from_slice(piece));
    copy
}

/// A header section, and lines without an end.
struct Endless {
    head: &'static [u8],
    left: usize,
}

impl Reader for Endless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        if self.head.is_empty() {
            for piece in buf.chunks_mut(LINE.len()) {
                let length = piece.len().min(self.left);
                piece[..length].copy_from_slice(&LINE[..length]);
                self.left -= length;
                count += length;
            }
        } else {
            count = io::Read::read(&mut self.head, buf)?;
        }
        Ok(count)
    }
}
