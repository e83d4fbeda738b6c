//! Whole sends without the GIL.

use pyo3::prelude::*;
use smtpclient::envelope::Envelope;
use smtpclient::net;

use crate::callback::{Functions, Raised};
use crate::convert::raise_from;
use crate::message::{PyMessage, raised_in};
use crate::options::PyOptions;
use crate::report::PySent;

/// `sendmessage`: the report, or an exception that bears it.
#[pyfunction]
pub(crate) fn sendmessage(
    py: Python<'_>,
    message: &Bound<'_, PyMessage>,
    options: &Bound<'_, PyOptions>,
    listener: Option<Py<PyAny>>,
) -> PyResult<PySent> {
    let raised = Raised::default();
    let commit = options.get().commit(py);
    let (options, _callbacks) = options.get().bind(py, &raised, Functions { listener, commit });
    let PyMessage { core, sources } = message.try_borrow()?.copy(py);
    let result = py.detach(|| net::sendmessage(&core, &options));
    match result {
        Ok(report) => {
            raised.tell_sent(py, &report)?;
            Ok(PySent(Box::new(report)))
        }
        Err(failed) => {
            let withdrawn = raised.take_withdrawn(py, 0, Some(&failed.error));
            let cause = raised.take(py).or(withdrawn).or_else(|| raised_in(py, &sources));
            let cause = cause.or_else(|| raised.blamed(py, Some(&failed.error)));
            Err(raise_from(py, &failed.error, Some(&failed.report), cause))
        }
    }
}

/// `verify`: the report, or an exception that bears it.
#[pyfunction]
pub(crate) fn verify(
    py: Python<'_>,
    options: &Bound<'_, PyOptions>,
    listener: Option<Py<PyAny>>,
) -> PyResult<PySent> {
    let raised = Raised::default();
    let (options, _callbacks) = options.get().bind(py, &raised, Functions { listener, commit: None });
    match py.detach(|| net::verify(&options)) {
        Ok(report) => {
            raised.tell(py)?;
            Ok(PySent(Box::new(report)))
        }
        Err(failed) => {
            let cause = raised.take(py).or_else(|| raised.blamed(py, Some(&failed.error)));
            Err(raise_from(py, &failed.error, Some(&failed.report), cause))
        }
    }
}

/// The reverse-path and the recipients of a message, as they would be said to a server.
#[pyfunction]
pub(crate) fn envelope(
    py: Python<'_>,
    message: &Bound<'_, PyMessage>,
    options: PyRef<'_, PyOptions>,
) -> PyResult<(String, Vec<String>)> {
    let PyMessage { core, sources } = message.try_borrow()?.copy(py);
    let envelope = Envelope::derive(&core, options.core(), &net::local())
        .map_err(|error| raise_from(py, &error, None, raised_in(py, &sources)))?;
    let recipients = envelope.recipients.iter().map(|rcpt| rcpt.path.as_str().to_owned());
    Ok((envelope.mail.path.as_str().to_owned(), recipients.collect()))
}
