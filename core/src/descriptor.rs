//! A descriptor as a value. Nothing here opens or uses one.

/// The descriptor of a socket; it is closed when this is dropped.
#[cfg(unix)]
pub(crate) type Descriptor = std::os::fd::OwnedFd;

/// There are none.
#[cfg(not(unix))]
pub(crate) type Descriptor = std::convert::Infallible;
