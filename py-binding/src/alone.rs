//! One thread at a time.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use smtpclient::net::Process;

/// A lock that nobody waits for. Python code that took it could be left by a signal's handler between that and `with`,
/// which would then never give it back.
#[pyclass(frozen, name = "Alone", module = "smtpclient._native")]
pub(crate) struct Alone {
    held: AtomicBool,
    process: Process,
}

#[pymethods]
impl Alone {
    #[new]
    fn new() -> Self {
        Self { held: AtomicBool::new(false), process: Process::current() }
    }

    /// Whether this is a child of the process that it was made in.
    #[getter]
    fn is_forked(&self) -> bool {
        self.process.is_forked()
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<()> {
        let why = if self.process.is_forked() {
            "of_parent"
        } else if self.held.swap(true, Ordering::Acquire) {
            "in_use"
        } else {
            return Ok(());
        };
        let error = py.import("smtpclient._blocking")?.call_method0(why)?;
        Err(PyErr::from_value(error))
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, pyo3::types::PyTuple>) {
        self.held.store(false, Ordering::Release);
    }
}
