//! A socket of Python's, which may be under Python's TLS, as what the core moves bytes over.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pyo3::exceptions::{PyBlockingIOError, PyInterruptedError, PyOSError, PyTimeoutError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use smtpclient::conversation::Ends;
use smtpclient::net::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use smtpclient::net::{self, Ready, Stream, Transport};

use crate::callback::Raised;
use crate::inside::attach;

pub(crate) struct PySocket {
    object: Py<PyAny>,
    /// A plain socket of the system, whose bytes need no Python. None on Windows, where a call
    /// blocks by the mode of the socket, which Python sets by its time-out.
    plain: Option<Stream>,
    /// It has a descriptor. What only looks like a socket blocks.
    is_real: bool,
    is_tls: bool,
    raised: Raised,
}

impl PySocket {
    pub(crate) fn new(object: &Bound<'_, PyAny>, raised: &Raised) -> PyResult<Self> {
        let py = object.py();
        let socket = py.import("socket")?.getattr("socket")?;
        let limit = object.call_method0("gettimeout").ok();
        // One that is gone already tells it when it is used.
        let plain = match cfg!(not(windows)) && object.get_type().is(&socket) {
            true => Stream::adopt(borrowed(object)?.try_clone_to_owned()?).ok(),
            false => None,
        };
        if let Some(limit) = limit.filter(|_| plain.is_some()) {
            object.call_method1("settimeout", (limit,))?; // it was made blocking
        }
        Ok(Self {
            plain,
            is_real: object.is_instance(&socket)?,
            is_tls: object.is_instance(kinds(py)?.socket.bind(py))?,
            object: object.clone().unbind(),
            raised: raised.clone(),
        })
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub(crate) fn object(&self) -> &Py<PyAny> {
        &self.object
    }

    /// The socket's own time-out; `Duration::MAX` for none.
    pub(crate) fn limit(&self) -> Option<Duration> {
        let seconds = self.attached(|socket| socket.call_method0("gettimeout")?.extract::<Option<f64>>());
        let limit = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Some(seconds.ok()?.map_or(Duration::MAX, limit))
    }

    /// Sets the time-out; with none at all no call blocks.
    pub(crate) fn set_limit(&self, limit: Duration) {
        if self.is_real && self.plain.is_none() {
            let seconds = (limit < Duration::MAX).then_some(limit.as_secs_f64());
            // A socket that is closed says so when it is used.
            let _ = self.attached(|socket| socket.call_method1("settimeout", (seconds,)).map(drop));
        }
    }

    /// Calls the socket, in the middle of which the interpreter does not end.
    fn attached<R>(&self, act: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<R>) -> io::Result<R> {
        let call = |py: Python<'_>| act(self.object.bind(py)).map_err(|error| self.failed(py, error));
        // One that only looks like a socket may wait for as long as it likes: nobody waits for it.
        let done = if self.is_real { attach(call) } else { Python::try_attach(call) };
        done.unwrap_or_else(|| Err(io::Error::other("the interpreter is shutting down")))
    }

    /// What an exception of the socket's means; one that is not an `OSError` is raised to the caller.
    fn failed(&self, py: Python<'_>, error: PyErr) -> io::Error {
        let is_of = |kind: fn(&Kinds) -> &Py<PyAny>| {
            kinds(py).is_ok_and(|kinds| error.matches(py, kind(kinds).bind(py)).unwrap_or_default())
        };
        // One with a time-out of its own has waited for it, which the conversation's clock has seen.
        if error.is_instance_of::<PyBlockingIOError>(py)
            || error.is_instance_of::<PyInterruptedError>(py)
            || error.is_instance_of::<PyTimeoutError>(py)
            || is_of(|kinds| &kinds.wants)
        {
            return io::ErrorKind::WouldBlock.into();
        }
        if is_of(|kinds| &kinds.end) {
            return io::ErrorKind::UnexpectedEof.into();
        }
        let text = error.value(py).to_string();
        if !error.is_instance_of::<PyOSError>(py) {
            self.raised.keep(py, error);
            return io::Error::other(text);
        }
        match error.value(py).getattr("errno").and_then(|code| code.extract()) {
            Ok(code) if !is_of(|kinds| &kinds.error) => io::Error::from_raw_os_error(code),
            _ => io::Error::other(text),
        }
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)
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

    /// Waits without Python, which may end meanwhile.
    fn poll(&self, write: bool, wait: Duration) -> io::Result<Ready> {
        if let Some(stream) = &self.plain {
            return stream.wait(true, write, wait);
        }
        if !self.is_real {
            return Ok(Ready { read: true, write });
        }
        let descriptor = self.attached(|socket| Ok(borrowed(socket)?.try_clone_to_owned()?))?;
        net::wait(descriptor, true, write, wait)
    }
}

impl Transport for PySocket {
    fn try_send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(stream) = &mut self.plain {
            return stream.try_send(bytes);
        }
        let send = |socket: &Bound<'_, PyAny>| {
            socket.call_method1("send", (PyBytes::new(socket.py(), bytes),))?.extract()
        };
        match self.attached(send) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }

    fn try_recv(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match &mut self.plain {
            Some(stream) => stream.try_recv(buffer),
            None if self.is_real => self.read(buffer),
            None => Ok(None),
        }
    }

    fn recv(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<Option<usize>> {
        // TLS may have something already.
        if self.is_tls
            && let Some(count) = self.read(buffer)?
        {
            return Ok(Some(count));
        }
        if !self.poll(false, wait)?.read {
            return Ok(None);
        }
        match &mut self.plain {
            Some(stream) => stream.try_recv(buffer),
            None => self.read(buffer),
        }
    }

    fn wait(&mut self, wait: Duration) -> io::Result<Ready> {
        self.poll(true, wait)
    }

    fn reads_all(&self) -> bool {
        self.plain.is_some()
    }

    fn unacknowledged(&self) -> u64 {
        match &self.plain {
            Some(stream) => Transport::unacknowledged(stream),
            None if self.is_real => {
                self.attached(|socket| Ok(net::unacknowledged(borrowed(socket)?))).unwrap_or_default()
            }
            None => 0,
        }
    }
}

/// The descriptor of a socket.
fn borrowed<'a>(socket: &'a Bound<'_, PyAny>) -> PyResult<BorrowedFd<'a>> {
    let descriptor: i64 = socket.call_method0("fileno")?.extract()?;
    // That of a closed socket is -1.
    let Some(descriptor) = RawFd::try_from(descriptor).ok().filter(|_| !descriptor.is_negative()) else {
        return Err(io::Error::from(io::ErrorKind::NotConnected).into());
    };
    // SAFETY: it is the descriptor of an open socket that is held. With the GIL Python cannot close it before it is
    // duplicated, since this thread is attached; without, whoever closes a socket in use in another thread gets what
    // Python's own calls give: an error, or the file that has the number by then.
    #[expect(unsafe_code, reason = "Python has descriptors as numbers")]
    Ok(unsafe { BorrowedFd::borrow_raw(descriptor) })
}

/// The descriptor of a socket that is handed over. Python's object is closed. `wanted` says who must give what.
pub(crate) fn take(socket: &Bound<'_, PyAny>, wanted: &str) -> PyResult<OwnedFd> {
    let py = socket.py();
    if !socket.is_instance(&py.import("socket")?.getattr("socket")?)? || socket.hasattr("cipher")? {
        let given = socket.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "{wanted} a connected socket.socket without TLS, not {given}"
        )));
    }
    let own = borrowed(socket)?.try_clone_to_owned()?;
    socket.call_method0("close")?;
    Ok(own)
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
        ..Ends::default()
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
