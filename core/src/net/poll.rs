//! poll(2) with the two things that every caller here wants.

use std::io;
use std::time::Duration;

use rustix::event::{PollFd, Timespec};
use rustix::io::Errno;

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
