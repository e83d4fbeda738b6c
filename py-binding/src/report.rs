//! Reports, whose parts become Python's when they are asked for: most never are.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use smtpclient::report::{Outcome, Report};

use crate::convert::{self, AttemptTuple, RecipientTuple, ReplyTuple};

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

    #[getter]
    fn recipients(&self) -> Vec<RecipientTuple<'_>> {
        self.0.recipients.iter().map(convert::recipient).collect()
    }

    #[getter]
    fn attempts(&self) -> Vec<AttemptTuple<'_>> {
        self.0.attempts.iter().map(|own| convert::attempt(own)).collect()
    }

    #[getter]
    fn reply(&self) -> Option<ReplyTuple<'_>> {
        self.0.reply.as_ref().map(convert::reply)
    }

    #[getter]
    fn queue_id(&self) -> Option<&str> {
        self.0.queue_id()
    }

    #[getter]
    fn used(&self) -> &[&'static str] {
        &self.0.used
    }

    #[getter]
    fn avoided(&self) -> &[&'static str] {
        &self.0.avoided
    }

    #[getter]
    fn octets(&self) -> u64 {
        self.0.octets
    }

    #[getter]
    fn error(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let failure = self.0.failure();
        failure.map(|error| convert::failure(&error).into_py_any(py)).transpose()
    }
}
