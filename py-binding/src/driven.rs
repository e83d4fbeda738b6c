//! A conversation whose bytes are moved by Python.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, TryLockError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use smtpclient::conversation::Conversation;
use smtpclient::delivery::Ends;
use smtpclient::error::{Error, Kind, Step};

use crate::callback::Raised;

/// A conversation, and what the Python functions in it raised.
pub(crate) struct Driven<C> {
    inner: Mutex<C>,
    pub(crate) raised: Raised,
}

impl<C: Conversation> Driven<C> {
    pub(crate) fn new(conversation: C, raised: Raised) -> Self {
        Self { inner: Mutex::new(conversation), raised }
    }

    /// Does something with the conversation, which ends where a function of Python's raised.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut C) -> R) -> PyResult<R> {
        let mut inner = self.lock()?;
        let result = act(&mut inner);
        if self.raised.is_some() {
            inner.abort(Error::new(Kind::Cancelled, Step::Command, "a function of the caller's raised"));
        }
        Ok(result)
    }

    /// Two threads at once, or a function that calls what is calling it.
    fn lock(&self) -> PyResult<MutexGuard<'_, C>> {
        match self.inner.try_lock() {
            Ok(inner) => Ok(inner),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(PyRuntimeError::new_err("the connection is in use: one call at a time"))
            }
        }
    }
}

/// The ends of a connection as Python knows them: texts that are no addresses are none.
pub(crate) fn ends(peer: Option<(String, u16)>, local: Option<&str>, loopback: bool) -> Ends {
    let address = |text: &str| text.parse::<IpAddr>().ok();
    Ends {
        peer: peer.and_then(|(host, port)| Some(SocketAddr::new(address(&host)?, port))),
        local: local.and_then(address),
        loopback,
    }
}

/// The methods of a conversation.
macro_rules! driven {
    ($type:ty) => {
        #[pymethods]
        impl $type {
            /// Takes bytes that the server sent.
            fn handle_input(&self, data: &[u8]) -> PyResult<()> {
                self.driven.with(|c| c.handle_input(data))
            }

            /// `handle_input` and `poll_output` in one.
            fn exchange<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
                self.handle_input(data)?;
                self.poll_output(py)
            }

            /// Takes note that the server sends no more.
            fn handle_eof(&self) -> PyResult<()> {
                self.driven.with(|c| c.handle_eof())
            }

            /// Takes note that the time of `timeout()` has passed without `progress()`.
            fn handle_timeout(&self) -> PyResult<()> {
                self.driven.with(|c| c.handle_timeout())
            }

            /// Takes note of a fault of the network, or of the source of the message.
            #[pyo3(signature = (text, kind="closed"))]
            fn handle_error(&self, text: &str, kind: &str) -> PyResult<()> {
                self.driven.with(|c| c.handle_error($crate::convert::driver_error(kind, text)))
            }

            /// Ends everything.
            #[pyo3(signature = (text, kind="cancelled"))]
            fn abort(&self, text: &str, kind: &str) -> PyResult<()> {
                self.driven.with(|c| Conversation::abort(c, $crate::convert::driver_error(kind, text)))
            }

            /// Bytes for the server; none when there is nothing to write now.
            fn poll_output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
                self.driven.with(|c| PyBytes::new(py, c.poll_output()))
            }

            /// Takes note that so many bytes were handed to the kernel.
            fn output_done(&self, count: usize) -> PyResult<()> {
                self.driven.with(|c| c.output_done(count))
            }

            /// Seconds that the server may take until there is progress; `None`: nothing is due.
            fn timeout(&self) -> PyResult<Option<f64>> {
                self.driven.with(|c| crate::convert::seconds(c.timeout()))
            }

            /// Changes whenever the clock of `timeout()` starts anew.
            fn progress(&self) -> PyResult<u64> {
                self.driven.with(|c| c.progress())
            }

            /// Whether the source of the message had no bytes when it was last asked.
            fn waits_for_source(&self) -> PyResult<bool> {
                self.driven.with(|c| c.waits_for_source())
            }

            /// What a function raised: the exception, once.
            fn take_raised(&self) -> Option<PyErr> {
                self.driven.raised.take()
            }
        }
    };
}
pub(crate) use driven;
