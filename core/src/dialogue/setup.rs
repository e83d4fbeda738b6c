//! The engine of a session, as the options want it.

use std::net::IpAddr;

use crate::caught::caught;
use crate::command::ClientName;
use crate::commit::Commit;
use crate::engine::{Config, Engine, Listener, Timeouts};
use crate::options::Options;
use crate::server::Server;

/// An engine for connections to `server`, which introduces itself as `client`.
pub(super) fn engine(options: &Options, server: &Server, client: ClientName) -> Engine {
    let mut timeouts = Timeouts { end: options.maxsecs, ..Timeouts::default() };
    if let Some(timeout) = options.timeout {
        timeouts.greeting = timeout;
        timeouts.command = timeout;
        timeouts.data = timeout;
        timeouts.block = timeout;
        timeouts.parting = timeouts.parting.min(timeout);
    }
    let mut engine = Engine::new(Config {
        protocol: server.protocol,
        client,
        timeouts,
        pipelining: options.pipelining,
        chunking: options.chunking,
        ignore: options.ignore.clone(),
        commit: options.commit.clone().map(Commit::heard_out),
        progress: options.progress.clone(),
        server: server.target.to_string().into(),
    });
    if let Some(transcript) = options.transcript.clone() {
        let listener: Listener = Box::new(move |direction, line| {
            caught(|| transcript(direction, line));
        });
        engine.listen(listener);
    }
    engine
}

/// The name for EHLO (RFC 5321 section 4.1.1.1). `None`: the machine has no name that can be one, and the
/// connection's own address stands for it.
pub(super) fn client_name(options: &Options, server: &Server, host: fn() -> String) -> Option<ClientName> {
    match &options.client {
        Some(name) => ClientName::parse(name).ok(),
        None if server.is_localhost() => ClientName::parse("localhost").ok(),
        None => ClientName::parse(&host()).ok(),
    }
}

/// The address literal that stands for a name.
pub(super) fn literal(local: Option<IpAddr>) -> ClientName {
    ClientName::literal(local.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)))
}
