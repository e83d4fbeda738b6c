//! What systems do differently at the border to C: descriptors and paths. On Windows a descriptor is a socket.
#![allow(
    clippy::useless_conversion,
    clippy::unnecessary_fallible_conversions,
    reason = "a descriptor is not a C int everywhere"
)]

use std::ffi::c_int;
use std::path::PathBuf;

use smtpclient::net::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// A descriptor as C has it, -1 if it does not fit. The sockets of Windows do: of a handle 32 bits count.
pub(crate) fn number(fd: BorrowedFd<'_>) -> c_int {
    c_int::try_from(fd.as_raw_fd()).unwrap_or(-1)
}

/// The descriptor of that number; `None` if none is open.
///
/// # Safety
/// The caller gives it away, if it is open.
pub(crate) unsafe fn owned(number: c_int) -> Option<OwnedFd> {
    let raw = RawFd::try_from(number).ok().filter(|_| is_open(number))?;
    // SAFETY: it is open, and the caller gives it away.
    Some(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// A descriptor of the caller's; `None` if the number is negative.
///
/// # Safety
/// It stays what it is while this is used.
pub(crate) unsafe fn borrowed<'a>(number: c_int) -> Option<BorrowedFd<'a>> {
    let raw = RawFd::try_from(number).ok().filter(|_| number >= 0)?;
    // SAFETY: not negative, and as the caller says.
    Some(unsafe { BorrowedFd::borrow_raw(raw) })
}

#[cfg(unix)]
fn is_open(number: c_int) -> bool {
    // SAFETY: F_GETFD takes any number.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}

/// If it is not a socket, its first use fails.
#[cfg(windows)]
fn is_open(number: c_int) -> bool {
    number >= 0
}

/// A path as C has it; it need not be UTF-8. `None` if the system has no such path.
#[cfg(unix)]
pub(crate) fn path(octets: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(std::ffi::OsStr::from_bytes(octets).into())
}

/// A path as C has it, in UTF-8; `None` if it is not.
#[cfg(windows)]
pub(crate) fn path(octets: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(octets).ok().map(PathBuf::from)
}
