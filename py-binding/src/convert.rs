//! What the core says, as plain data, and the exceptions that Python makes of errors.

use std::time::Duration;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString};
use smtpclient::error::Error;
use smtpclient::report::Report;
use smtpclient::report::fields::Value;

use crate::report::PySent;

/// A value of the core's table of fields: records are dicts, by whose names Python makes its classes.
pub(crate) fn plain(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    Ok(match value {
        Value::None => py.None().into_bound(py),
        Value::Flag(flag) => flag.into_bound_py_any(py)?,
        Value::Number(number) => number.into_bound_py_any(py)?,
        Value::Text(text) => text.into_bound_py_any(py)?,
        Value::List(all) => {
            let all: Vec<_> = all.into_iter().map(|one| plain(py, one)).collect::<PyResult<_>>()?;
            PyList::new(py, all)?.into_any()
        }
        Value::Record(fields) => {
            let record = PyDict::new(py);
            for (name, value) in fields {
                record.set_item(PyString::intern(py, name), plain(py, value)?)?;
            }
            record.into_any()
        }
    })
}

/// The exception for an error.
pub(crate) fn raise(py: Python<'_>, error: &Error, about: Option<&Report>) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = || -> PyResult<PyErr> {
        let function = MAKE.get_or_try_init(py, || {
            PyResult::Ok(py.import("smtpclient._errors")?.getattr("from_native")?.unbind())
        })?;
        let made = function
            .call1(py, (plain(py, error.value())?, about.map(|report| PySent(Box::new(report.clone())))))?;
        Ok(PyErr::from_value(made.into_bound(py)))
    };
    make().unwrap_or_else(|error| error)
}

/// The exception for an error that follows from what Python code raised, which is its cause. What is not an
/// `Exception`, such as `KeyboardInterrupt`, is raised itself and bears the report.
pub(crate) fn raise_from(
    py: Python<'_>,
    error: &Error,
    about: Option<&Report>,
    cause: Option<PyErr>,
) -> PyErr {
    let made = raise(py, error, about);
    let Some(cause) = cause else { return made };
    if cause.is_instance_of::<PyException>(py) {
        made.set_cause(py, Some(cause));
        return made;
    }
    if let Some(report) = about {
        bear(py, &cause, report);
    }
    cause
}

/// Gives an exception of the caller's the report; one without attributes goes without it.
pub(crate) fn bear(py: Python<'_>, raised: &PyErr, report: &Report) {
    let sent = PySent(Box::new(report.clone()));
    let report = py.import("smtpclient._report").and_then(|module| module.call_method1("report_of", (sent,)));
    let _ = report.and_then(|report| raised.value(py).setattr("report", report));
}

pub(crate) fn seconds(duration: Option<Duration>) -> Option<f64> {
    duration.map(|duration| duration.as_secs_f64())
}
