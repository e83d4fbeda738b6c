//! Functions that belong to a session, for all its messages.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use smtpclient::error::Error;

use crate::convert::raise;
use crate::options::PyOptions;

/// By the names of their options, to compare with.
pub(crate) struct Own([(&'static str, Option<Py<PyAny>>); 4]);

impl Own {
    pub(crate) fn of(py: Python<'_>, options: &PyOptions) -> Self {
        Self(options.owned(py))
    }

    /// One that a message has and nobody would call is an error.
    pub(crate) fn check(&self, py: Python<'_>, options: &PyOptions) -> PyResult<()> {
        for ((name, given), (_, own)) in Self::of(py, options).0.iter().zip(&self.0) {
            if given.as_ref().is_some_and(|given| !own.as_ref().is_some_and(|own| own.is(given))) {
                let text = format!(
                    "option `{name}` belongs to the session, for all its messages: set it when that is made"
                );
                return Err(raise(py, &Error::usage(text), None));
            }
        }
        Ok(())
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.iter().try_for_each(|(_, function)| visit.call(function))
    }

    pub(crate) fn has_commit(&self) -> bool {
        self.0.iter().any(|(name, function)| *name == "commit" && function.is_some())
    }
}
