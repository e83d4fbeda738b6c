//! A socket of Python's, which may be under Python's TLS, as what the core moves bytes over.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pyo3::exceptions::{PyBlockingIOError, PyInterruptedError, PyOSError, PyTimeoutError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use smtpclient::conversation::Ends;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::net::{Ready, Transport};

use crate::callback::Raised;

pub(crate) struct PySocket {
    object: Py<PyAny>,
    /// Something with a descriptor, and not only what looks like a socket.
    is_real: bool,
    is_tls: bool,
    /// Calls block for as long as the socket's own time-out says; otherwise none blocks.
    is_blocking: bool,
    /// The socket's own time-out is over.
    silent: Arc<AtomicBool>,
    raised: Raised,
}

impl PySocket {
    pub(crate) fn new(object: &Bound<'_, PyAny>, is_blocking: bool, raised: &Raised) -> PyResult<Self> {
        let py = object.py();
        let socket = py.import("socket")?.getattr("socket")?;
        Ok(Self {
            is_real: object.is_instance(&socket)?,
            is_tls: object.is_instance(&kinds(py)?.socket.bind(py).clone())?,
            object: object.clone().unbind(),
            is_blocking,
            silent: Arc::default(),
            raised: raised.clone(),
        })
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub(crate) fn object(&self) -> &Py<PyAny> {
        &self.object
    }

    pub(crate) fn silent(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.silent)
    }

    /// The error where the socket's own time-out is over.
    pub(crate) fn silence(&self) -> Error {
        let limit = self.attached(|socket| socket.call_method0("gettimeout")?.extract::<f64>());
        let limit = limit.unwrap_or_default();
        Error::new(Kind::Timeout, Step::Command, format!("the server was silent for {limit} s"))
    }

    fn attached<R>(&self, act: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<R>) -> io::Result<R> {
        Python::try_attach(|py| act(self.object.bind(py)).map_err(|error| self.failed(py, error)))
            .unwrap_or_else(|| Err(io::Error::other("the interpreter is shutting down")))
    }

    /// What an exception of the socket's means; one that is no `OSError` is raised to the caller.
    fn failed(&self, py: Python<'_>, error: PyErr) -> io::Error {
        let is_of = |kind: fn(&Kinds) -> &Py<PyAny>| {
            kinds(py).is_ok_and(|kinds| error.matches(py, kind(kinds).bind(py)).unwrap_or_default())
        };
        if error.is_instance_of::<PyBlockingIOError>(py)
            || error.is_instance_of::<PyInterruptedError>(py)
            || is_of(|kinds| &kinds.wants)
        {
            return io::ErrorKind::WouldBlock.into();
        }
        if is_of(|kinds| &kinds.end) {
            return io::ErrorKind::UnexpectedEof.into();
        }
        if self.is_blocking && error.is_instance_of::<PyTimeoutError>(py) {
            self.silent.store(true, Ordering::Relaxed);
            return io::ErrorKind::WouldBlock.into();
        }
        let text = error.value(py).to_string();
        if !error.is_instance_of::<PyOSError>(py) {
            self.raised.keep(error);
            return io::Error::other(text);
        }
        match error.value(py).getattr("errno").and_then(|code| code.extract()) {
            Ok(code) if !is_of(|kinds| &kinds.error) => io::Error::from_raw_os_error(code),
            _ => io::Error::other(text),
        }
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let got = self.attached(|socket| {
            let got = socket.call_method1("recv", (buffer.len(),))?;
            let got = got.cast::<PyBytes>()?.as_bytes();
            let count = got.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..count), got.get(..count)) {
                to.copy_from_slice(from);
            }
            Ok(count)
        });
        match got {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Some(0)),
            Err(error) => Err(error),
        }
    }

    /// poll(2), as Python has it: with its signals.
    fn poll(&self, write: bool, wait: Duration) -> io::Result<Ready> {
        const IN: u16 = 1;
        const OUT: u16 = 4;
        // Rounded up, so that a wait for a fraction of a millisecond does not spin.
        let wait = u32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u32::MAX / 2).min(3_600_000);
        let found = self.attached(|socket| {
            let poll = socket.py().import("select")?.call_method0("poll")?;
            poll.call_method1("register", (socket, if write { IN | OUT } else { IN }))?;
            poll.call_method1("poll", (wait,))?.extract::<Vec<(i32, u16)>>()
        })?;
        let seen = found.first().map_or(0, |(_, seen)| *seen);
        Ok(Ready { read: seen & !OUT != 0, write: seen & !IN != 0 })
    }
}

impl Transport for PySocket {
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.attached(|socket| socket.call_method1("send", (PyBytes::new(socket.py(), bytes),))?.extract()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }

    fn try_recv(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if !self.is_blocking {
            return self.read(buffer);
        }
        if !self.is_real {
            return Ok(None);
        }
        let is_pending =
            self.is_tls && self.attached(|socket| socket.call_method0("pending")?.is_truthy())?;
        if !is_pending && !self.poll(false, Duration::ZERO)?.read {
            return Ok(None);
        }
        let limit = self.attached(|socket| {
            let limit = socket.call_method0("gettimeout")?.unbind();
            socket.call_method1("settimeout", (0,)).map(|_| limit)
        })?;
        let got = self.read(buffer);
        self.attached(|socket| socket.call_method1("settimeout", (limit,)).map(drop))?;
        got
    }

    fn recv(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<Option<usize>> {
        if self.is_blocking || self.is_tls {
            let got = self.read(buffer)?;
            if got.is_some() || self.silent.load(Ordering::Relaxed) {
                return Ok(got);
            }
        }
        if self.poll(false, wait)?.read { self.read(buffer) } else { Ok(None) }
    }

    fn wait(&mut self, wait: Duration) -> io::Result<Ready> {
        self.poll(true, wait)
    }
}

/// A socket of Python's over a descriptor.
pub(crate) fn open(py: Python<'_>, descriptor: OwnedFd) -> PyResult<Bound<'_, PyAny>> {
    let named = PyDict::new(py);
    named.set_item("fileno", descriptor.as_raw_fd())?;
    let socket = py.import("socket")?.getattr("socket")?.call((), Some(&named))?;
    // It is the object's to close from here on.
    let _ = descriptor.into_raw_fd();
    Ok(socket)
}

/// Closes a socket of Python's.
pub(crate) fn close(socket: &Py<PyAny>) {
    Python::try_attach(|py| {
        if let Err(error) = socket.call_method0(py, "close") {
            error.write_unraisable(py, Some(socket.bind(py)));
        }
    });
}

/// Who is at the ends of a socket of Python's.
pub(crate) fn ends(socket: &Bound<'_, PyAny>) -> Ends {
    let Ok(peer) = socket.call_method0("getpeername") else { return Ends::default() };
    if !peer.is_instance_of::<PyTuple>() {
        return Ends { loopback: true, ..Ends::default() }; // a Unix socket's is a path
    }
    let address = |name: &Bound<'_, PyAny>| -> Option<SocketAddr> {
        let host: String = name.get_item(0).ok()?.extract().ok()?;
        let port = name.get_item(1).ok()?.extract().ok()?;
        let ip: IpAddr = host.split('%').next()?.parse().ok()?;
        Some(SocketAddr::new(ip, port))
    };
    let peer = address(&peer);
    Ends {
        peer,
        local: socket.call_method0("getsockname").ok().and_then(|name| address(&name)).map(|own| own.ip()),
        loopback: peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback()),
    }
}

/// Classes of Python's `ssl`.
struct Kinds {
    socket: Py<PyAny>,
    error: Py<PyAny>,
    end: Py<PyAny>,
    /// Both errors of a call that would block.
    wants: Py<PyAny>,
}

fn kinds(py: Python<'_>) -> PyResult<&Kinds> {
    static KINDS: PyOnceLock<Kinds> = PyOnceLock::new();
    KINDS.get_or_try_init(py, || {
        let ssl = py.import("ssl")?;
        let wants = (ssl.getattr("SSLWantReadError")?, ssl.getattr("SSLWantWriteError")?);
        Ok(Kinds {
            socket: ssl.getattr("SSLSocket")?.unbind(),
            error: ssl.getattr("SSLError")?.unbind(),
            end: ssl.getattr("SSLEOFError")?.unbind(),
            wants: wants.into_pyobject(py)?.into_any().unbind(),
        })
    })
}
