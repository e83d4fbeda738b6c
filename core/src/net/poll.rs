//! poll(2) with the two things that every caller here wants.

use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::AsFd;
use rustix::io::Errno;

use super::stream::Ready;

/// A longer wait is cut to this, so that it fits every kernel's timespec.
const LONGEST: u64 = 3600;

/// Waits until one of `fds` is ready, `timeout` is over or a signal came: the caller looks at its clock and
/// at the events, which are empty in the last two cases.
pub(super) fn poll(fds: &mut [PollFd<'_>], timeout: Duration) -> io::Result<()> {
    let timeout = timeout.min(Duration::from_secs(LONGEST));
    let timespec = Timespec::try_from(timeout).unwrap_or_default();
    match rustix::event::poll(fds, Some(&timespec)) {
        Ok(_) => Ok(()),
        Err(Errno::INTR) => {
            for fd in fds {
                fd.clear_revents();
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Waits until the other end is closed, at most `timeout`; whether it is. What there is to read stays where it is.
pub(super) fn hung_up(fd: impl AsFd, timeout: Duration) -> bool {
    let mut fds = [PollFd::new(&fd, PollFlags::empty())];
    if poll(&mut fds, timeout).is_err() {
        std::thread::sleep(timeout);
        return false;
    }
    let [fd] = fds;
    fd.revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
}

/// Blocks until a descriptor can be read or written, whichever is asked for, at most `timeout`. Neither: the time is over,
/// or a signal came.
///
/// # Errors
/// What poll(2) says. An error of a connection is not an error here: it makes the descriptor ready.
pub fn wait(fd: impl AsFd, read: bool, write: bool, timeout: Duration) -> io::Result<Ready> {
    let mut events = PollFlags::empty();
    events.set(PollFlags::IN, read);
    events.set(PollFlags::OUT, write);
    let mut fds = [PollFd::new(&fd, events)];
    poll(&mut fds, timeout)?;
    let [fd] = fds;
    let (seen, ended) = (fd.revents(), PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
    Ok(Ready {
        read: read && seen.intersects(PollFlags::IN | ended),
        write: write && seen.intersects(PollFlags::OUT | ended),
    })
}
