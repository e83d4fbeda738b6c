//! From the name of a server to a connected [`Stream`].

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket};

use super::agent;
use super::limits::{Limits, PhaseLimits};
use super::platform::{is_under_way, stream_socket, unix_address};
use super::proxy::Proxy;
use super::race::{interleave, race};
use super::resolve::{Host, resolve};
use super::stream::Stream;
use crate::error::{Error, Kind, Step};
use crate::options::{DialTo, Dialler, Family, Reached};
use crate::server::Target;

/// How long to sleep while the backlog of a Unix socket is full: nothing tells when it no longer is.
const BACKLOG_PAUSE: Duration = Duration::from_millis(20);

/// How to connect.
#[derive(Clone, Debug)]
pub struct DialOptions {
    /// How long connecting may take: the resolver, all addresses of the name together, and a proxy's handshake.
    ///
    /// Default 30 s: RFC 5321 names no value (its 5 minutes of 4.5.3.2.1 are for the greeting), 30 s are
    /// five SYNs of TCP's back-off, and MTAs commonly have the same.
    pub connect_timeout: Duration,
    /// The address to connect from; default: the system's choice. Addresses of the other family are
    /// skipped. Not for Unix sockets.
    pub local_address: Option<IpAddr>,
    /// Which addresses are tried. Not for Unix sockets.
    pub family: Family,
    /// When the call must be over, and how it can be ended early; default: no limit.
    ///
    /// A host name is resolved in a thread of its own, because getaddrinfo cannot be interrupted. The thread is left
    /// behind when a limit strikes, and ends when the resolver gives up.
    pub limits: Limits,
    /// The proxy to go through; default: none. Not for Unix sockets.
    pub proxy: Option<Proxy>,
    /// Connects in place of this, to the server or the proxy; default: none. Not for Unix sockets.
    pub dialler: Option<Dialler>,
    /// The addresses that are tried first; default: none is known.
    pub reached: Reached,
}

impl Default for DialOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(30),
            local_address: None,
            family: Family::Any,
            limits: Limits::default(),
            proxy: None,
            dialler: None,
            reached: Reached::default(),
        }
    }
}

/// Finds what is wrong with a target without a connection: [`dial`] does the same before anything else.
///
/// # Errors
/// [`Kind::Usage`] for an invalid host, port 0, or a path that no socket can have.
pub fn check(target: &Target) -> Result<(), Error> {
    match target {
        Target::Tcp { host, port } => endpoint(host, *port).map(drop),
        Target::Unix(path) => unix_address(path).map(drop),
        // What is not there may be when it is needed.
        Target::Agent(_) => Ok(()),
    }
}

/// Connects to `target`: to the first of its addresses that answers, IPv6 and IPv4 in turn, 250 ms apart
/// (RFC 8305), or through the proxy, which then resolves the name. Where an address was silent or refused, the one that
/// answered instead is tried first the next time.
///
/// # Errors
/// [`Kind::Usage`] before anything is sent; [`Kind::Resolve`], [`Kind::Connect`] with what each address
/// said, [`Kind::Timeout`] and [`Kind::Cancelled`] at [`Step::Connect`], with the target as the server.
pub fn dial(target: &Target, options: &DialOptions) -> Result<Stream, Error> {
    dial_meanwhile(target, options, &mut || {})
}

/// The same, and does something `meanwhile`: after the first SYN has left, before an answer is looked for.
pub(super) fn dial_meanwhile(
    target: &Target,
    options: &DialOptions,
    meanwhile: &mut dyn FnMut(),
) -> Result<Stream, Error> {
    let begin = Instant::now();
    let connected = match target {
        // Nothing travels here: who needs it does it later.
        Target::Unix(path) => connect_unix(&unix_address(path)?, options),
        Target::Agent(agent) => agent::connect(agent),
        Target::Tcp { host, port } => {
            let host = endpoint(host, *port)?;
            match &options.proxy {
                Some(proxy) => proxy.connect(&host, *port, options, meanwhile),
                None => reach(&host, *port, options, meanwhile).map(|(stream, _)| stream),
            }
        }
    };
    let mut stream = connected.map_err(|error| error.with_server(target.to_string()))?;
    let times = stream.times_mut();
    times.connect = Some(begin.elapsed().saturating_sub(times.resolve.unwrap_or_default()));
    Ok(stream)
}

/// Connects to a host without a proxy, and says what is left of the time-out.
pub(super) fn reach<'a>(
    host: &Host,
    port: u16,
    options: &'a DialOptions,
    meanwhile: &mut dyn FnMut(),
) -> Result<(Stream, PhaseLimits<'a>), Error> {
    let phase = PhaseLimits::begin(&options.limits, options.connect_timeout);
    if let Some(dialler) = &options.dialler {
        meanwhile();
        return ask(dialler, host, port, &phase).map(|stream| (stream, phase));
    }
    let begin = Instant::now();
    let mut addresses = interleave(resolve(host, port, &phase)?);
    let resolved = begin.elapsed();
    addresses.retain(|address| options.family.has(address.ip()));
    if addresses.is_empty() {
        let text = format!("{host} has no {} (option `family`)", options.family.noun());
        return Err(Error::new(Kind::Connect, Step::Connect, text).with_transient(false));
    }
    if let Some(local) = options.local_address {
        addresses.retain(|address| address.is_ipv6() == local.is_ipv6());
        if addresses.is_empty() {
            let text = format!("{host} has no address of the family of the local address {local}");
            return Err(Error::new(Kind::Connect, Step::Connect, text).with_transient(false));
        }
    }
    let name = host.to_string();
    options.reached.order(&name, &mut addresses, Instant::now());
    let mut meanwhile = Some(meanwhile);
    let (address, socket, local) = race(&addresses, &phase, |address| {
        let socket = start(address, options.local_address)?;
        if let Some(act) = meanwhile.take() {
            act();
        }
        Ok(socket)
    })?;
    if addresses.first() != Some(&address) {
        options.reached.remember(&name, address, Instant::now());
    }
    let mut stream = Stream::connected(socket, Some(address), local)
        .map_err(|error| failed(&format!("{address}: {error}")))?;
    stream.times_mut().resolve = Some(resolved);
    Ok((stream, phase))
}

/// The connection that the caller's function makes.
fn ask(dialler: &Dialler, host: &Host, port: u16, phase: &PhaseLimits<'_>) -> Result<Stream, Error> {
    phase.is_over()?;
    let deadline = phase.limits().deadline.map(|end| end.saturating_duration_since(Instant::now()));
    let timeout = deadline.into_iter().fold(phase.left(), Duration::min);
    let given = dialler.dial(&DialTo::new(&host.to_string(), port, timeout));
    // Nobody needs the socket any more of a call that was ended meanwhile.
    phase.limits().check(Step::Connect)?;
    let socket = given.map_err(|why| {
        let lines: Vec<&str> = why.split(char::is_control).filter(|line| !line.is_empty()).collect();
        failed(&format!("option `dialler`: {}", lines.join(" ")))
    })?;
    let adopted =
        Stream::adopt(socket).map_err(|error| failed(&format!("option `dialler`: {}", error.text())));
    let mut stream = adopted?;
    stream.set_proxied();
    Ok(stream)
}

/// A non-blocking socket whose connection is under way.
fn start(address: SocketAddr, local: Option<IpAddr>) -> io::Result<Socket> {
    let socket = stream_socket(Domain::for_address(address))?;
    if let Some(local) = local {
        let from = match (local, address) {
            // A link-local address means nothing without its zone, and that is the destination's.
            (IpAddr::V6(ip), SocketAddr::V6(to)) => SocketAddrV6::new(ip, 0, 0, to.scope_id()).into(),
            _ => SocketAddr::new(local, 0),
        };
        socket
            .bind(&from.into())
            .map_err(|error| io::Error::new(error.kind(), format!("cannot connect from {local}: {error}")))?;
    }
    match socket.connect(&address.into()) {
        Err(error) if !is_under_way(&error) => Err(error),
        _ => Ok(socket),
    }
}

fn connect_unix(address: &SockAddr, options: &DialOptions) -> Result<Stream, Error> {
    let phase = PhaseLimits::begin(&options.limits, options.connect_timeout);
    loop {
        if phase.is_over()? {
            let text = format!("no connection within {:?}: the server's backlog is full", phase.length());
            return Err(Error::new(Kind::Timeout, Step::Connect, text));
        }
        let attempt = stream_socket(Domain::UNIX).and_then(|socket| socket.connect(address).map(|()| socket));
        match attempt {
            Ok(socket) => return Stream::connected(socket, None, None).map_err(|error| failed(&error)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(phase.slice(BACKLOG_PAUSE))
            }
            Err(error) => return Err(failed(&format!("no connection: {error}"))),
        }
    }
}

fn failed(text: &dyn fmt::Display) -> Error {
    Error::new(Kind::Connect, Step::Connect, text.to_string())
}

/// The host of a target, where it and the port are possible.
pub(super) fn endpoint(host: &str, port: u16) -> Result<Host, Error> {
    if port == 0 {
        return Err(Error::usage(format!("port 0 of host {host:?} cannot be connected to: give 1 to 65535")));
    }
    Host::parse(host)
}

#[cfg(all(test, unix))]
mod tests;
