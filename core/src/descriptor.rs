//! A descriptor as a value. Nothing here opens or uses one.

/// The descriptor of a socket; it is closed when this is dropped.
#[cfg(unix)]
pub(crate) type Descriptor = std::os::fd::OwnedFd;

#[cfg(windows)]
pub(crate) type Descriptor = std::os::windows::io::OwnedSocket;

/// There are none.
#[cfg(not(any(unix, windows)))]
pub(crate) type Descriptor = std::convert::Infallible;
