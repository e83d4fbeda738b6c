//! Linux, the BSDs, macOS.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus};

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::{Pid, Signal};
use socket2::{Domain, SockAddr, Socket, Type};

use super::super::stream::Stream;
use crate::error::Error;

/// Whether recv(2) waits for the time that SO_RCVTIMEO gives it.
pub(in crate::net) const RECV_WAITS: bool = true;

/// No call here may end the process by SIGPIPE. Apple has an option of the socket for that, which is set where one is made.
#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::DONTWAIT;

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

/// A stream socket for a connection that does not block while it is being made.
pub(in crate::net) fn stream_socket(domain: Domain) -> io::Result<Socket> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return Socket::new(domain, Type::STREAM.nonblocking(), None);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// Whether connect(2) has begun what poll(2) tells the end of.
pub(in crate::net) fn is_under_way(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::INPROGRESS)
}

/// How a connected socket is kept: it blocks where it is not asked not to.
pub(in crate::net) fn set_mode(socket: &Socket) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(socket, false)?)
}

/// What a socket of the caller's lacks, which those that are made here have.
pub(in crate::net) fn tame(socket: &Socket) -> io::Result<()> {
    #[cfg(target_vendor = "apple")]
    socket.set_nosigpipe(true)?;
    socket.set_cloexec(true)
}

/// Whether the socket listens; false if the system does not tell.
pub(in crate::net) fn is_listener(socket: &Socket) -> io::Result<bool> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    return socket.is_listener();
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    {
        let _ = socket;
        Ok(false)
    }
}

/// send(2) that does not block.
pub(in crate::net) fn send_now(socket: impl AsFd, bytes: &[u8]) -> rustix::io::Result<usize> {
    rustix::net::send(socket, bytes, SEND)
}

/// send(2) until all is sent.
pub(in crate::net) fn send_all(socket: &Socket, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::net::send(socket, bytes, SEND.difference(SendFlags::DONTWAIT)) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// recv(2) that does not block.
pub(in crate::net) fn recv_now(socket: impl AsFd, buffer: &mut [u8]) -> rustix::io::Result<usize> {
    rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT).map(|(count, _)| count)
}

/// Acknowledges what was read at once, where the system can be told to.
pub(in crate::net) fn acknowledge(socket: &Socket) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_quickack(true); // elsewhere the group is slow: docs/architecture.md says why that stays
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = socket;
}

/// SIOCOUTQ, tcp(7): octets that were written to a TCP socket and that the peer has not acknowledged; 0 if the system
/// does not tell.
pub(in crate::net) fn unacknowledged(socket: impl AsFd) -> u64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        const SIOCOUTQ: rustix::ioctl::Opcode = libc::TIOCOUTQ as _;
        // SAFETY: tcp(7): the request writes one int, and changes nothing.
        #[expect(unsafe_code, reason = "no crate in the tree has a safe call for it")]
        let count =
            unsafe { rustix::ioctl::ioctl(socket, rustix::ioctl::Getter::<SIOCOUTQ, libc::c_int>::new()) };
        count.ok().and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = socket;
        0
    }
}

/// Asks a program to end.
pub(in crate::net) fn terminate(child: &Child) {
    // It was not waited for: the number is still its own.
    let _ = rustix::process::kill_process(Pid::from_child(child), Signal::TERM);
}

/// As much of a script's first line as the system looks at.
const FIRST_LINE: u64 = 256;

/// Whether a program can be run, and the interpreter that a script names; or why not. What else the system refuses shows when it is run.
pub(in crate::net) fn runnable(program: &Path) -> Result<(), String> {
    let executable = |path: &Path| {
        match rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS) {
            // It is not known: running it tells.
            Ok(()) | Err(Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => Err(io::Error::from(error)),
        }
    };
    executable(program).map_err(|why| format!("{} cannot be run: {why}", program.display()))?;
    let mut line = Vec::new();
    // A program may be run that may not be read.
    let read = File::open(program).and_then(|file| file.take(FIRST_LINE).read_to_end(&mut line));
    let Some(rest) = line.strip_prefix(b"#!").filter(|_| read.is_ok()) else { return Ok(()) };
    let rest = rest.split(|octet| *octet == b'\n').next().unwrap_or_default().trim_ascii();
    let name = rest.split(|octet| matches!(octet, b' ' | b'\t')).next().unwrap_or_default();
    let interpreter = Path::new(std::ffi::OsStr::from_bytes(name));
    executable(interpreter).map_err(|why| {
        format!("{} cannot be run by {:?}, which it names: {why}", program.display(), interpreter)
    })
}

/// The signal that has ended a program.
pub(in crate::net) fn ended_by(status: ExitStatus) -> Option<String> {
    const NAMES: [(libc::c_int, &str); 14] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGXFSZ, "SIGXFSZ"),
        (libc::SIGSYS, "SIGSYS"),
    ];
    let number = status.signal()?;
    let name = NAMES.iter().find(|(known, _)| *known == number);
    Some(name.map_or_else(|| format!("signal {number}"), |(_, name)| format!("signal {number} ({name})")))
}

/// Two sockets that are connected to each other.
pub(in crate::net) fn pair() -> io::Result<(Socket, Socket)> {
    let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    #[cfg(target_vendor = "apple")]
    for end in [&near, &far] {
        end.set_nosigpipe(true)?;
    }
    Ok((near, far))
}

/// The address of a Unix socket.
pub(in crate::net) fn unix_address(path: &Path) -> Result<SockAddr, Error> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(Error::usage(format!(
            "socket path {path:?} is empty or contains NUL: give the path of a Unix socket"
        )));
    }
    SockAddr::unix(path).map_err(|error| {
        Error::usage(format!("socket path {path:?} cannot be used: {error}; give a shorter one"))
    })
}

/// Has `forked` called in each child by fork(2) from now on; whether that is so.
#[expect(unsafe_code, reason = "the system tells of a fork in no other way")]
pub(in crate::net) fn watch_forks(forked: extern "C" fn()) -> bool {
    // SAFETY: the function is there as long as the library, and does what is allowed in a child.
    unsafe { libc::pthread_atfork(None, None, Some(forked)) == 0 }
}

/// What this machine calls itself.
pub(in crate::net) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// For a new file that nobody else may read: mail, and blind recipients.
pub(in crate::net) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
}

/// What the process does at a signal.
fn action(signal: libc::c_int) -> Option<libc::sigaction> {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: nothing is set, and what is written is as large as it is.
    #[expect(unsafe_code, reason = "no crate in the tree has a safe call for it")]
    unsafe {
        (libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0).then(|| action.assume_init())
    }
}

/// Whether the process ignores a signal, by its number.
pub(in crate::net) fn is_ignored(signal: i32) -> bool {
    action(signal).is_some_and(|action| action.sa_sigaction == libc::SIG_IGN)
}

/// Whether the process has the system throw away how its children ended.
pub(in crate::net) fn reaps_children() -> bool {
    is_ignored(libc::SIGCHLD)
        || action(libc::SIGCHLD).is_some_and(|action| action.sa_flags & libc::SA_NOCLDWAIT != 0)
}
