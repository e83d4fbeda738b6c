//! Connecting to the first of several addresses that answers (RFC 8305 sections 4 and 5).

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use socket2::Socket;

use super::limits::PhaseLimits;
use super::poll::poll;
use crate::error::{Error, Kind, Step};

/// RFC 8305 section 5: the recommended Connection Attempt Delay.
const STAGGER: Duration = Duration::from_millis(250);

/// Orders addresses so that the families take turns; the resolver's order (RFC 6724) is kept within each
/// family, and its first address stays the first. Doubles are dropped.
pub(super) fn interleave(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut unique: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    let first_is_v6 = unique.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = unique.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let mut ordered = Vec::with_capacity(first.len().saturating_add(second.len()));
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let pair = (first.next(), second.next());
        if pair == (None, None) {
            return ordered;
        }
        ordered.extend(pair.0);
        ordered.extend(pair.1);
    }
}

/// Starts a connection to each address in turn, 250 ms apart or as soon as one has failed, and returns the
/// first that is connected; the others are closed. `start` gives a non-blocking socket under way. The address at this
/// end comes after it, where it was looked at.
pub(super) fn race(
    addresses: &[SocketAddr],
    phase: &PhaseLimits<'_>,
    mut start: impl FnMut(SocketAddr) -> io::Result<Socket>,
) -> Result<(SocketAddr, Socket, Option<SocketAddr>), Error> {
    let mut waiting = addresses.iter().copied();
    let mut flying: Vec<(SocketAddr, Socket)> = Vec::new();
    let mut failed: Vec<(SocketAddr, io::Error)> = Vec::new();
    let mut next_start = Instant::now();
    loop {
        // A connection that is there counts, however long `start` took.
        let is_over = phase.is_over()?;
        if is_over && flying.is_empty() {
            return Err(timed_out(phase, &failed, &flying, waiting));
        }
        let now = Instant::now();
        if flying.is_empty() || now >= next_start {
            if let Some(address) = waiting.next() {
                match start(address) {
                    Ok(socket) => {
                        flying.push((address, socket));
                        next_start = now.checked_add(STAGGER).unwrap_or(now);
                    }
                    Err(error) => failed.push((address, error)),
                }
                continue;
            }
            if flying.is_empty() {
                return Err(Error::new(
                    Kind::Connect,
                    Step::Connect,
                    format!("no connection: {}", list(&failed)),
                ));
            }
        }
        let wait = if waiting.len() == 0 { Duration::MAX } else { next_start.saturating_duration_since(now) };
        let ready = ready(&flying, phase.slice(wait)).map_err(|e| {
            Error::new(Kind::Connect, Step::Connect, format!("cannot wait for a connection: {e}"))
        })?;
        let mut still_flying = Vec::with_capacity(flying.len());
        for ((address, socket), ready) in flying.into_iter().zip(ready) {
            if ready.is_empty() {
                still_flying.push((address, socket));
                continue;
            }
            match settle(address, &socket, ready) {
                Ok(local) => return Ok((address, socket, local)),
                Err(error) => {
                    failed.push((address, error));
                    next_start = now;
                }
            }
        }
        flying = still_flying;
        if is_over {
            return Err(timed_out(phase, &failed, &flying, waiting));
        }
    }
}

/// Which of the connections under way have come to an end, good or bad.
fn ready(flying: &[(SocketAddr, Socket)], wait: Duration) -> io::Result<Vec<PollFlags>> {
    let mut fds: Vec<_> = flying.iter().map(|(_, socket)| PollFd::new(socket, PollFlags::OUT)).collect();
    poll(&mut fds, wait)?;
    Ok(fds.iter().map(PollFd::revents).collect())
}

/// Whether a connection that has come to an end is one, and its own address, where that matters.
fn settle(address: SocketAddr, socket: &Socket, ready: PollFlags) -> io::Result<Option<SocketAddr>> {
    if ready != PollFlags::OUT
        && let Some(error) = socket.take_error()?
        // Reset, it was a connection: what the server said on it can be read.
        && error.kind() != io::ErrorKind::ConnectionReset
    {
        return Err(error);
    }
    // A local port that nobody listens on can be given to this very socket, which then meets itself.
    if !address.ip().is_loopback() {
        return Ok(None);
    }
    let local = socket.local_addr()?.as_socket();
    if local == Some(address) {
        return Err(Errno::CONNREFUSED.into());
    }
    Ok(local)
}

fn timed_out(
    phase: &PhaseLimits<'_>,
    failed: &[(SocketAddr, io::Error)],
    flying: &[(SocketAddr, Socket)],
    waiting: impl Iterator<Item = SocketAddr>,
) -> Error {
    let mut text = format!("no connection within {:?}: {}", phase.length(), list(failed));
    let rest = flying.iter().map(|(address, _)| (*address, "no answer"));
    for (address, what) in rest.chain(waiting.map(|address| (address, "not tried"))) {
        let separator = if text.ends_with(": ") { "" } else { "; " };
        let _ = write!(text, "{separator}{address}: {what}");
    }
    Error::new(Kind::Timeout, Step::Connect, text)
}

fn list(failed: &[(SocketAddr, io::Error)]) -> String {
    let each: Vec<_> = failed.iter().map(|(address, error)| format!("{address}: {error}")).collect();
    each.join("; ")
}

#[cfg(all(test, unix))]
mod tests;
