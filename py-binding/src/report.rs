//! Reports, whose parts become Python's when they are asked for: most never are.

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use smtpclient::report::{Outcome, Report};

use crate::convert;

/// What became of a message.
#[pyclass(frozen, module = "smtpclient._native", name = "Sent")]
pub(crate) struct PySent(pub(crate) Box<Report>);

#[pymethods]
impl PySent {
    #[getter]
    fn sent(&self) -> bool {
        self.0.sent()
    }

    #[getter]
    fn complete(&self) -> bool {
        self.0.complete()
    }

    #[getter]
    fn unknown(&self) -> bool {
        self.0.unknown()
    }

    /// How many recipients the server refused.
    fn __len__(&self) -> usize {
        self.0.recipients.iter().filter(|r| r.outcome == Outcome::Rejected).count()
    }

    /// A field of a report, by its name.
    fn field<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let value = self.0.field(name).ok_or_else(|| PyAttributeError::new_err(name.to_owned()))?;
        convert::plain(py, value)
    }

    /// All fields, with those of Python's classes.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::plain(py, self.0.value())
    }
}
