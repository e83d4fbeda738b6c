//! Messages that Python code gives piece by piece.

use std::io::{self, Read as _};

use pyo3::exceptions::{PyBlockingIOError, PyTypeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use smtpclient::message::Reader;

use crate::callback::Raised;

/// `read(n)` gives bytes, none at the end; `rewind()` starts again. `BlockingIOError` asks to be called later.
pub(crate) struct PyReader {
    read: Py<PyAny>,
    rewind: Option<Py<PyAny>>,
    length: Option<u64>,
    raised: Raised,
    /// What was given beyond what was asked for.
    rest: Option<PyBackedBytes>,
    given: usize,
}

impl PyReader {
    pub(crate) fn new(read: Py<PyAny>, rewind: Option<Py<PyAny>>, length: Option<u64>) -> (Self, Raised) {
        let raised = Raised::default();
        (Self { read, rewind, length, raised: raised.clone(), rest: None, given: 0 }, raised)
    }

    fn piece(&self, py: Python<'_>, most: usize) -> PyResult<PyBackedBytes> {
        let piece = self.read.bind(py).call1((most,))?;
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
        self.raised.keep(error);
        io::Error::other(text)
    }
}

impl Reader for PyReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_none() {
            let gone = || io::Error::other("the interpreter is shutting down");
            let piece =
                Python::try_attach(|py| self.piece(py, buf.len()).map_err(|error| self.failed(py, error)));
            self.rest = Some(piece.ok_or_else(gone)??);
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
        let again = Python::try_attach(|py| {
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
