//! A connected socket, as the blocking driver needs it.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::RecvFlags;
use socket2::{Domain, Socket, TcpKeepalive, Type};

use super::platform;
use super::poll::wait;
use crate::error::Error;
use crate::times::ConnectionTimes;

/// The longest that one recv(2) blocks; [`Stream::recv`] goes on where the caller wants to wait longer.
const LONGEST_BLOCK: Duration = Duration::from_secs(32);

/// Why the other end, which is in this process, has ended the connection.
pub(super) type Farewell = Arc<OnceLock<String>>;

/// A connected TCP or Unix stream socket. Dropping it closes the connection.
///
/// It never raises SIGPIPE, is not inherited by child processes, and has TCP_NODELAY set.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    /// `None` for a Unix socket.
    peer: Option<SocketAddr>,
    /// Where it was looked at already.
    local: Option<SocketAddr>,
    proxied: bool,
    /// The SO_RCVTIMEO that the kernel has; zero where that is not known.
    block: Duration,
    /// Something was read since something was written or acknowledged.
    has_heard: bool,
    /// The kernel asks the peer now and then whether it is there.
    is_kept_alive: bool,
    /// How long connecting took, where this side did it.
    times: ConnectionTimes,
    farewell: Option<Farewell>,
}

/// What a socket can do without blocking. Neither: the time is over, or a signal came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Reading gives bytes, the end or an error.
    pub read: bool,
    /// Writing takes bytes or gives an error.
    pub write: bool,
}

impl Stream {
    /// Takes over a connected TCP or Unix stream socket of the caller: `OwnedFd`, `TcpStream`, `UnixStream`.
    ///
    /// It is made blocking, on Windows non-blocking (also for copies of the descriptor, since they share that), close-on-exec,
    /// and TCP_NODELAY is set. On error it is closed.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for anything else than a connected stream socket.
    pub fn adopt(socket: impl Into<Socket>) -> Result<Self, Error> {
        let socket = socket.into();
        let unusable = |what: &str| {
            Error::usage(format!("the socket {what}: hand over a connected TCP or Unix stream socket"))
        };
        let failed = |error: io::Error| unusable(&format!("cannot be used ({error})"));
        if socket.r#type().map_err(failed)? != Type::STREAM {
            return Err(unusable("is not a stream socket"));
        }
        if platform::is_listener(&socket).map_err(failed)? {
            return Err(unusable("is a listening one"));
        }
        let peer = match socket.peer_addr() {
            Ok(address) => address,
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                return Err(unusable("is not connected"));
            }
            Err(error) => return Err(failed(error)),
        };
        if peer.as_socket().is_none() && peer.domain() != Domain::UNIX {
            return Err(unusable("is of another family"));
        }
        platform::tame(&socket).map_err(failed)?;
        Self::connected(socket, peer.as_socket(), None).map_err(failed)
    }

    /// A socket that is known to be connected, to `peer` where it is TCP, from `local` where that is known.
    pub(super) fn connected(
        socket: Socket,
        peer: Option<SocketAddr>,
        local: Option<SocketAddr>,
    ) -> io::Result<Self> {
        if peer.is_some() {
            socket.set_tcp_nodelay(true)?;
        }
        platform::set_mode(&socket)?;
        let (block, times) = (Duration::ZERO, ConnectionTimes::default());
        let (has_heard, is_kept_alive) = (false, false);
        Ok(Self {
            socket,
            peer,
            local,
            proxied: false,
            block,
            has_heard,
            is_kept_alive,
            times,
            farewell: None,
        })
    }

    /// How long connecting took, as far as it is known.
    pub(super) fn times(&self) -> ConnectionTimes {
        self.times
    }

    /// To note how long connecting took.
    pub(super) fn times_mut(&mut self) -> &mut ConnectionTimes {
        &mut self.times
    }

    /// Where the end of the connection is explained.
    pub(super) fn set_farewell(&mut self, farewell: Farewell) {
        self.farewell = Some(farewell);
    }

    /// Notes that the peer is a proxy, through which the server is reached.
    pub(super) fn set_proxied(&mut self) {
        self.proxied = true;
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The address at the other end, which is the proxy's if there is one; `None` for a Unix socket.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The address at this end; `None` for a Unix socket.
    pub fn local(&self) -> Option<SocketAddr> {
        self.local.or_else(|| self.socket.local_addr().ok()?.as_socket())
    }

    /// Whether what is sent stays on this machine: a Unix socket or a loopback address, and no proxy.
    pub fn is_loopback(&self) -> bool {
        !self.proxied && self.peer.is_none_or(|peer| IpAddr::to_canonical(&peer.ip()).is_loopback())
    }

    /// Writes what the kernel takes now, without blocking: `Ok(0)` means that it is full.
    ///
    /// # Errors
    /// What send(2) says: `BrokenPipe` or `ConnectionReset` where the peer is gone, and no signal.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match retry_on_intr(|| platform::send_now(&self.socket, bytes)) {
            Ok(count) => {
                self.has_heard = false;
                Ok(count)
            }
            Err(Errno::WOULDBLOCK) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what is there, without blocking: `Ok(None)` means nothing now, `Ok(Some(0))` the end.
    ///
    /// # Errors
    /// What recv(2) says, and `InvalidInput` for an empty `buf`, whose answer would look like the end.
    pub fn try_recv(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        not_empty(buf)?;
        self.acknowledge();
        match retry_on_intr(|| platform::recv_now(&self.socket, buf)) {
            Ok(count) => {
                self.has_heard = count > 0;
                self.explained(Some(count))
            }
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Blocks until bytes are there, at most `wait`: `Ok(None)` means that the time is over or a signal
    /// came, `Ok(Some(0))` the end. One system call in the usual case.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn recv(&mut self, buf: &mut [u8], wait: Duration) -> io::Result<Option<usize>> {
        if wait.is_zero() {
            return self.try_recv(buf);
        }
        self.acknowledge();
        let got = self.block(buf, wait);
        self.has_heard = matches!(got, Ok(Some(count)) if count > 0);
        self.explained(got?)
    }

    /// The end is an error if it is known why it came.
    fn explained(&self, got: Option<usize>) -> io::Result<Option<usize>> {
        match self.farewell.as_ref().and_then(|farewell| farewell.get()) {
            Some(why) if got == Some(0) => Err(io::Error::other(why.clone())),
            _ => Ok(got),
        }
    }

    /// Nothing is due: the acknowledgement of what was read last travels with what is written next.
    pub(super) fn rest(&mut self) {
        self.has_heard = false;
    }

    /// The connection stays open while nothing is under way, or the peer takes long: a firewall that forgets the connection, and a
    /// peer that is gone, are learnt. Not before: that is four of the 21 system calls of a connection for one message.
    pub(super) fn keep_alive(&mut self) {
        if !std::mem::replace(&mut self.is_kept_alive, true) && self.peer.is_some() {
            // On a connection that is lost already it fails, and the next read says so.
            let _ = self.socket.set_tcp_keepalive(&keepalive());
        }
    }

    /// Two reads in a row: the peer answers a group piece by piece. One that writes each reply alone, with Nagle's algorithm
    /// on, holds the next back until this one is acknowledged, which the kernel would put off by 40 ms.
    fn acknowledge(&mut self) {
        if std::mem::take(&mut self.has_heard) && self.peer.is_some() {
            platform::acknowledge(&self.socket);
        }
    }

    /// Octets that were written and that the peer has not acknowledged, those not sent included; 0 if the system does
    /// not tell.
    pub(super) fn unacknowledged(&self) -> u64 {
        if self.peer.is_some() { unacknowledged(&self.socket) } else { 0 }
    }

    /// Blocks until bytes can be read or written, whichever is asked for, at most `timeout`.
    ///
    /// # Errors
    /// What poll(2) says. An error of the connection is not an error here: it makes the socket ready.
    pub fn wait(&self, read: bool, write: bool, timeout: Duration) -> io::Result<Ready> {
        wait(&self.socket, read, write, timeout)
    }

    /// Ends one or both directions; what was written before still arrives.
    ///
    /// # Errors
    /// What shutdown(2) says: `NotConnected` where the peer has reset the connection.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    fn block(&mut self, buf: &mut [u8], wait: Duration) -> io::Result<Option<usize>> {
        not_empty(buf)?;
        let begin = Instant::now();
        let mut left = wait;
        while !left.is_zero() {
            self.limit_block(left)?;
            match rustix::net::recv(&self.socket, &mut *buf, RecvFlags::empty()) {
                Ok((count, _)) => return Ok(Some(count)),
                Err(Errno::WOULDBLOCK) => {
                    self.keep_alive();
                    left = wait.saturating_sub(begin.elapsed());
                    // Somebody with a copy of the descriptor may have made it non-blocking: that must not spin.
                    if !left.is_zero() && !self.wait(true, false, left)?.read {
                        return Ok(None);
                    }
                }
                Err(Errno::INTR) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Sees to it that recv(2) blocks for a good part of `left` and no longer.
    ///
    /// A time-out that shrinks with every call must not cost a system call each time, so that from a second
    /// on only powers of two are set, and what the kernel has is left alone while it fits.
    fn limit_block(&mut self, left: Duration) -> io::Result<()> {
        let block = block_for(left);
        if block == self.block || !platform::RECV_WAITS {
            return Ok(());
        }
        self.socket.set_read_timeout(Some(block))?;
        self.block = block;
        Ok(())
    }
}

/// Gives the socket away, connected and blocking.
impl From<Stream> for OwnedFd {
    fn from(stream: Stream) -> Self {
        stream.socket.into()
    }
}

/// Octets that were written to a TCP socket and that the peer has not acknowledged, those not sent included; 0 if the
/// system does not tell.
pub fn unacknowledged(socket: impl AsFd) -> u64 {
    platform::unacknowledged(socket)
}

/// Below the few minutes after which firewalls forget, and with an end: a peer that is gone is learnt in 90 s, while nothing
/// is under way.
///
/// There is no TCP_USER_TIMEOUT beside it, on purpose. Where octets are unacknowledged the clock of the conversation rules, which
/// knows the options and asks the kernel (SIOCOUTQ). A user timeout could only end a connection earlier than that clock. It would have
/// to be as long as `timeout`, and the kernel then takes it instead of the number of probes (tcp(7)): an idle connection that
/// is dead would be learnt after 300 s, not 90 s. It would also end one whose server reads slowly: a window that stays closed
/// counts for it, acknowledged or not.
fn keepalive() -> TcpKeepalive {
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(10));
    // OpenBSD has no number of probes for one socket, and Windows only since 2017: the system's own, 10, does there.
    #[cfg(not(any(target_os = "openbsd", windows)))]
    let keepalive = keepalive.with_retries(3);
    keepalive
}

/// The SO_RCVTIMEO for a wait of `left`: whole milliseconds and never zero, which would mean for ever.
fn block_for(left: Duration) -> Duration {
    let seconds = left.min(LONGEST_BLOCK).as_secs();
    match seconds.checked_ilog2() {
        Some(power) => Duration::from_secs(1 << power),
        None => Duration::from_millis(u64::from(left.subsec_nanos().div_ceil(1_000_000)).max(1)),
    }
}

fn not_empty(buf: &[u8]) -> io::Result<()> {
    if buf.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a read needs a buffer that is not empty"));
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests;
