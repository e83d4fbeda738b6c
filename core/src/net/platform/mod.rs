//! What systems do differently: sockets that do not block, pairs of them, Unix sockets, forks. Each has the same functions;
//! beside `system` nothing else in the crate asks which system it is on.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use self::unix::*;
#[cfg(windows)]
pub(super) use self::windows::*;
