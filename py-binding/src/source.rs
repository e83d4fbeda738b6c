//! Messages that Python code gives piece by piece.

use std::io::{self, Read as _};

use pyo3::exceptions::{PyBlockingIOError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::{PyTraverseError, PyVisit};
use smtpclient::message::Reader;
use smtpclient::net::Process;

use crate::callback::{Held, Raised};
use crate::inside::attach;

/// The functions that a message is read by, and what they raised. The messages that are read so hold it.
#[pyclass(frozen, module = "smtpclient._native")]
pub(crate) struct Source {
    read: Held,
    rewind: Option<Held>,
    pub(crate) raised: Raised,
}

impl Source {
    /// The owner of one function that gives all at once.
    pub(crate) fn of(py: Python<'_>, function: &Held, raised: &Raised) -> PyResult<Py<Self>> {
        Py::new(py, Self { read: function.clone(), rewind: None, raised: raised.clone() })
    }
}

#[pymethods]
impl Source {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.rewind.iter().chain([&self.read]).try_for_each(|held| held.visit(&visit))?;
        self.raised.visit(&visit)
    }

    fn __clear__(&self) {
        self.rewind.iter().chain([&self.read]).for_each(Held::clear);
        self.raised.clear();
    }
}

/// `read(n)` gives bytes, none at the end; `rewind()` starts again. `BlockingIOError` asks to be called later.
pub(crate) struct PyReader {
    read: Held,
    rewind: Option<Held>,
    length: Option<u64>,
    raised: Raised,
    /// What was given beyond what was asked for.
    rest: Option<PyBackedBytes>,
    given: usize,
}

impl PyReader {
    pub(crate) fn new(
        py: Python<'_>,
        read: Py<PyAny>,
        rewind: Option<Py<PyAny>>,
        length: Option<u64>,
    ) -> PyResult<(Self, Py<Source>)> {
        let (read, rewind, raised) = (Held::new(read), rewind.map(Held::new), Raised::default());
        let owner = Source { read: read.clone(), rewind: rewind.clone(), raised: raised.clone() };
        Ok((Self { read, rewind, length, raised, rest: None, given: 0 }, Py::new(py, owner)?))
    }

    fn piece(&self, py: Python<'_>, most: usize) -> PyResult<PyBackedBytes> {
        let read =
            self.read.get(py).ok_or_else(|| PyRuntimeError::new_err("the source of the message is gone"))?;
        let piece = read.bind(py).call1((most,))?;
        piece.extract::<PyBackedBytes>().map_err(|_| {
            let name = piece.get_type().name().map_or_else(|_| "that".to_owned(), |name| name.to_string());
            PyTypeError::new_err(format!("a message is made of bytes, and its source gave {name}"))
        })
    }

    fn failed(&self, py: Python<'_>, error: PyErr) -> io::Error {
        if error.is_instance_of::<PyBlockingIOError>(py) {
            return io::ErrorKind::WouldBlock.into();
        }
        let text = error.to_string();
        self.raised.keep(py, error);
        io::Error::other(text)
    }
}

impl Reader for PyReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_none() {
            let gone = || io::Error::other("the interpreter is shutting down");
            let process = Process::current();
            let piece = attach(|py| self.piece(py, buf.len()).map_err(|error| self.failed(py, error)));
            self.rest = Some(piece.ok_or_else(gone)??);
            // Python may not know the thread in which a child by fork(2) came back from there.
            process.check("message").map_err(io::Error::other)?;
            self.given = 0;
        }
        let Some(rest) = &self.rest else { return Ok(0) };
        let count = rest.get(self.given..).unwrap_or_default().read(buf)?;
        self.given += count;
        if self.given >= rest.len() {
            self.rest = None;
        }
        Ok(count)
    }

    fn rewind(&mut self) -> io::Result<bool> {
        self.rest = None;
        let Some(rewind) = &self.rewind else { return Ok(false) };
        let again = attach(|py| {
            let Some(rewind) = rewind.get(py) else { return Ok(false) };
            let again = rewind.bind(py).call0().and_then(|answer| answer.is_truthy());
            again.map_err(|error| self.failed(py, error))
        });
        again.unwrap_or(Ok(false))
    }

    fn length(&self) -> Option<u64> {
        self.length
    }
}

impl io::Read for PyReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Reader::read(self, buf)
    }
}
