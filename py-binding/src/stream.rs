//! Connections whose bytes the core moves itself, without the GIL.

use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, TryLockError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use smtpclient::net;

use crate::callback::Raised;
use crate::convert::raise_from;
use crate::options::PyOptions;
use crate::server::PyServer;

/// One read. Replies are short.
const READ: usize = 8 * 1024;

/// A connected socket; dropping it closes the connection.
#[pyclass(frozen, module = "smtpclient._native", name = "Stream")]
pub(crate) struct PyStream(Mutex<Option<Open>>);

/// The socket, and what it is read into.
pub(crate) struct Open {
    pub(crate) stream: net::Stream,
    pub(crate) buffer: Vec<u8>,
}

/// Who is at the ends of a connection: peer, local address, and whether the peer is this machine.
type Ends = (Option<(String, u16)>, Option<String>, bool);

#[pymethods]
impl PyStream {
    /// A descriptor of its own for the same connection, which is the caller's to close.
    fn duplicate(&self) -> PyResult<i32> {
        let open = self.lock()?;
        let Some(Open { stream, .. }) = &*open else { return Err(closed()) };
        Ok(stream.as_fd().try_clone_to_owned()?.into_raw_fd())
    }

    /// The descriptor itself, which is the caller's to close from now on.
    fn detach(&self) -> PyResult<i32> {
        let open = self.lock()?.take().ok_or_else(closed)?;
        Ok(OwnedFd::from(open.stream).into_raw_fd())
    }

    /// Closes the connection, unless another thread is using it.
    fn close(&self) {
        if let Ok(mut open) = self.lock() {
            open.take();
        }
    }
}

impl PyStream {
    /// Two threads at once.
    pub(crate) fn lock(&self) -> PyResult<MutexGuard<'_, Option<Open>>> {
        match self.0.try_lock() {
            Ok(open) => Ok(open),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(PyRuntimeError::new_err("the connection is in use: one call at a time"))
            }
        }
    }
}

/// Connects to a server as the options say.
#[pyfunction]
pub(crate) fn connect(
    py: Python<'_>,
    server: PyRef<'_, PyServer>,
    options: PyRef<'_, PyOptions>,
) -> PyResult<(PyStream, Ends)> {
    let (stream, ends) = connected(py, &server, &options)?;
    Ok((PyStream(Mutex::new(Some(Open { stream, buffer: vec![0; READ] }))), ends))
}

/// The same as a descriptor, which is the caller's to close.
#[pyfunction]
pub(crate) fn dial(
    py: Python<'_>,
    server: PyRef<'_, PyServer>,
    options: PyRef<'_, PyOptions>,
) -> PyResult<(i32, Ends)> {
    let (stream, ends) = connected(py, &server, &options)?;
    Ok((OwnedFd::from(stream).into_raw_fd(), ends))
}

fn connected(py: Python<'_>, server: &PyServer, options: &PyOptions) -> PyResult<(net::Stream, Ends)> {
    let raised = Raised::default();
    let (options, _callbacks) = options.bind(py, &raised, None);
    let server = server.0.clone();
    match py.detach(|| net::connect(&server, &options)) {
        Ok(stream) => {
            let peer = stream.peer().map(|peer| (peer.ip().to_string(), peer.port()));
            let local = stream.local().map(|local| local.ip().to_string());
            let loopback = stream.is_loopback();
            Ok((stream, (peer, local, loopback)))
        }
        Err(error) => Err(raise_from(py, &error, None, raised.take())),
    }
}

fn closed() -> PyErr {
    PyRuntimeError::new_err("the connection is closed")
}
