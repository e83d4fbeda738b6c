//! A fast SMTP server that takes everything and keeps nothing, and a relay that delays: for benchmarks.
//!
//!     sink [--port N] [--no-extensions] [--no-pipelining] [--chunking] [--tls CERT KEY | --starttls CERT KEY | --nagle] [--count]
//!     sink relay --to HOST:PORT --delay MILLISECONDS [--port N]
//!
//! With `--nagle` it writes each reply of a group alone, and leaves Nagle's algorithm on, as Haraka, qpsmtpd, amavisd, nginx and
//! Net::Server::Mail do: the second reply leaves when the client has acknowledged the first.
//!
//! Prints `port N` once it listens on 127.0.0.1; port 0, the default, is a free one. It ends with SIGTERM or SIGINT;
//! with `--count` it then prints what it counted. The same is available at any time, and set back to 0, by the command
//! `XCOUNT`, with QUIT in the same packet, on a connection of its own, which is not counted.

mod connection;
mod count;
mod relay;
mod server;
mod session;
mod tls;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

use session::Offers;

const USAGE: &str = "sink [--port N] [--no-extensions] [--no-pipelining] [--chunking] [--tls CERT KEY | --starttls CERT KEY | --nagle] [--count]
sink relay --to HOST:PORT --delay MILLISECONDS [--port N]";

type Fault = Box<dyn std::error::Error>;

fn main() -> Result<(), Fault> {
    let mut words = lexopt::Parser::from_env();
    let (mut port, mut count, mut is_relay, mut nagle) = (0, false, false, false);
    let (mut to, mut delay) = (None, Duration::ZERO);
    let mut offers = Offers::default();
    let mut certificate = None;
    while let Some(word) = words.next()? {
        match word {
            Long("port") => port = words.value()?.parse()?,
            Long("no-extensions") => offers.extensions = false,
            Long("no-pipelining") => offers.pipelining = false,
            Long("chunking") => offers.chunking = true,
            Long("count") => count = true,
            Long("nagle") => nagle = true,
            Long(how @ ("tls" | "starttls")) => {
                offers.starttls = how == "starttls";
                certificate = Some((PathBuf::from(words.value()?), PathBuf::from(words.value()?)));
            }
            Long("to") => to = Some(words.value()?.parse()?),
            Long("delay") => delay = Duration::from_millis(words.value()?.parse()?),
            Value(word) if word == "relay" => is_relay = true,
            Long("help") => {
                println!("{USAGE}");
                return Ok(());
            }
            other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
        }
    }
    if nagle && certificate.is_some() {
        return Err(format!("--nagle is without TLS\n{USAGE}").into());
    }
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let mut out = std::io::stdout();
    writeln!(out, "port {}", listener.local_addr()?.port())?;
    out.flush()?;
    if is_relay {
        return Ok(relay::run(&listener, to.ok_or("--to HOST:PORT is missing")?, delay)?);
    }
    let tls = certificate.map(|(certificate, key)| tls::config(&certificate, &key)).transpose()?;
    let counted = server::run(listener, offers, nagle, tls)?;
    if count {
        writeln!(out, "{counted}")?;
    }
    Ok(())
}
