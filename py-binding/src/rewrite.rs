//! Messages that Python's `email` writes anew for a server that does not take the first form.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use smtpclient::content::Transfer;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::message::{Rewrite, ascii_field, is_text};

use crate::callback::{Held, Raised};
use crate::convert::raise_from;
use crate::inside::attach;
use crate::source::Source;

/// `rewrite(eight_bit, utf8)` gives the octets; a `str` says why there are none for such a server.
pub(crate) struct PyRewrite {
    rewrite: Held,
    raised: Raised,
}

impl PyRewrite {
    pub(crate) fn new(py: Python<'_>, rewrite: Py<PyAny>) -> PyResult<(Self, Py<Source>)> {
        let made = Self { rewrite: Held::new(rewrite), raised: Raised::default() };
        let source = Source::of(py, &made.rewrite, &made.raised)?;
        Ok((made, source))
    }

    fn call(&self, py: Python<'_>, transfer: Transfer) -> PyResult<Result<Vec<u8>, String>> {
        let rewrite = self.rewrite.get(py);
        let rewrite = rewrite.ok_or_else(|| PyRuntimeError::new_err("the source of the message is gone"))?;
        let made = rewrite.bind(py).call1((transfer.eight_bit, transfer.utf8))?;
        if let Ok(text) = made.extract::<String>() {
            return Ok(Err(text));
        }
        Ok(Ok(made.extract::<PyBackedBytes>()?.to_vec()))
    }
}

impl Rewrite for PyRewrite {
    fn rewrite(&self, transfer: Transfer) -> Result<Vec<u8>, Error> {
        let made = attach(|py| {
            self.call(py, transfer).map_err(|error| {
                let text = error.to_string();
                self.raised.keep(py, error);
                Error::new(Kind::Source, Step::Setup, format!("the message cannot be written anew: {text}"))
            })
        });
        match made {
            Some(Ok(Ok(octets))) => Ok(octets),
            Some(Ok(Err(text))) => Err(Error::new(Kind::Unsupported, Step::Setup, text)),
            Some(Err(error)) => Err(error),
            None => Err(Error::new(Kind::Source, Step::Setup, "the interpreter is shutting down")),
        }
    }
}

/// A header field in octets below 128, folded, with its last CRLF.
#[pyfunction]
#[pyo3(name = "ascii_field")]
pub(crate) fn py_ascii_field(py: Python<'_>, name: &str, value: &str) -> PyResult<String> {
    ascii_field(name, value).map_err(|error| raise_from(py, &error, None, None))
}

/// Whether any text in the field of that name can be encoded.
#[pyfunction]
#[pyo3(name = "is_text")]
pub(crate) fn py_is_text(name: &str) -> bool {
    is_text(name)
}
