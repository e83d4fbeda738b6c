//! Windows: its sockets either block or do not, for all calls. These never do, and who wants to wait asks WSAPoll first.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::windows::io::{AsSocket, BorrowedSocket};
use std::path::Path;
use std::process::{Child, ExitStatus};

use rustix::fd::AsFd;
use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, SockAddr, Socket, Type};

use super::super::stream::Stream;
use crate::error::Error;

/// Whether recv waits for the time that SO_RCVTIMEO gives it.
pub(in crate::net) const RECV_WAITS: bool = false;

/// So many strangers that connect to a port of this machine are turned away before a pair is given up.
const MOST_STRANGERS: usize = 16;

impl AsSocket for Stream {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.socket().as_socket()
    }
}

/// A stream socket for a connection that does not block while it is being made.
pub(in crate::net) fn stream_socket(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Whether connect has begun what WSAPoll tells the end of.
pub(in crate::net) fn is_under_way(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// How a connected socket is kept.
pub(in crate::net) fn set_mode(socket: &Socket) -> io::Result<()> {
    socket.set_nonblocking(true)
}

/// What a socket of the caller's lacks, which those that are made here have.
pub(in crate::net) fn tame(_: &Socket) -> io::Result<()> {
    Ok(())
}

/// Whether the socket listens: not told. It has no peer, which is told.
pub(in crate::net) fn is_listener(_: &Socket) -> io::Result<bool> {
    Ok(false)
}

/// send that does not block.
pub(in crate::net) fn send_now(socket: impl AsFd, bytes: &[u8]) -> rustix::io::Result<usize> {
    rustix::net::send(socket, bytes, SendFlags::empty())
}

/// recv that does not block.
pub(in crate::net) fn recv_now(socket: impl AsFd, buffer: &mut [u8]) -> rustix::io::Result<usize> {
    rustix::net::recv(socket, buffer, RecvFlags::empty()).map(|(count, _)| count)
}

/// Acknowledges what was read at once: the system cannot be told to (docs/architecture.md says why that stays).
pub(in crate::net) fn acknowledge(_: &Socket) {}

/// Octets that the peer has not acknowledged: the system does not tell.
pub(in crate::net) fn unacknowledged(_: impl AsFd) -> u64 {
    0
}

/// send() until all is sent.
pub(in crate::net) fn send_all(mut socket: &Socket, bytes: &[u8]) -> io::Result<()> {
    socket.write_all(bytes)
}

/// For a new file, which has the rights that its folder gives.
pub(in crate::net) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    options
}

/// Whether the process ignores a signal, which it cannot here.
pub(in crate::net) fn is_ignored(_: i32) -> bool {
    false
}

/// Windows tells how every child ended.
pub(in crate::net) fn reaps_children() -> bool {
    false
}

/// A program cannot be asked to end.
pub(in crate::net) fn terminate(_: &Child) {}

/// Whether a program can be run, which shows when it is run.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
pub(in crate::net) fn runnable(_: &Path) -> Result<(), String> {
    Ok(())
}

/// The signal that has ended a program; there are none.
pub(in crate::net) fn ended_by(_: ExitStatus) -> Option<String> {
    None
}

/// Two sockets that are connected to each other, over the loopback interface.
pub(in crate::net) fn pair() -> io::Result<(Socket, Socket)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let own = near.local_addr()?;
    for _ in 0..MOST_STRANGERS {
        let (far, from) = listener.accept()?;
        // Anybody on this machine could have been quicker.
        if from == own {
            for end in [&near, &far] {
                end.set_nodelay(true)?;
            }
            return Ok((near.into(), far.into()));
        }
    }
    Err(io::Error::other("strangers connect to a port that is for this process"))
}

/// There are no Unix sockets.
pub(in crate::net) fn unix_address(path: &Path) -> Result<SockAddr, Error> {
    Err(Error::usage(format!(
        "socket path {path:?}: on Windows there are no Unix sockets for it: give a host and a port"
    )))
}

/// There is no fork.
pub(in crate::net) fn watch_forks(_: extern "C" fn()) -> bool {
    false
}

/// What this machine calls itself.
pub(in crate::net) fn host_name() -> String {
    whoami::hostname().unwrap_or_else(|_| "localhost".to_owned())
}
