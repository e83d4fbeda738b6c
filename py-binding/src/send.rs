//! Whole sends without the GIL.

use std::os::fd::{IntoRawFd, OwnedFd};

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use smtpclient::envelope::Envelope;
use smtpclient::net;

use crate::callback::{self, Raised};
use crate::convert::{self, raise_from};
use crate::message::{PyMessage, raised_in};
use crate::options::PyOptions;
use crate::server::PyServer;

/// `sendmessage`: the report, or an exception that bears it.
#[pyfunction]
pub(crate) fn sendmessage<'py>(
    py: Python<'py>,
    message: &Bound<'py, PyMessage>,
    options: &Bound<'py, PyOptions>,
    listener: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let raised = Raised::default();
    let listener = listener.map(|listener| callback::transcript(listener, &raised));
    let options = options.get().bind(py, &raised, listener);
    let PyMessage { core, sources } = message.try_borrow()?.clone();
    let result = py.detach(|| net::sendmessage(&core, &options));
    match result {
        Ok(report) => {
            let cause = raised.take();
            if let Some(cause) = cause {
                // The message is sent, and an exception would say the contrary.
                if !cause.is_instance_of::<PyException>(py) {
                    return Err(cause);
                }
                cause.write_unraisable(py, None);
            }
            Ok(convert::report(&report).into_pyobject(py)?.into_any())
        }
        Err(failed) => {
            let cause = raised.take().or_else(|| raised_in(&sources));
            Err(raise_from(py, &failed.error, Some(&failed.report), cause))
        }
    }
}

/// A connected socket's descriptor, peer, local address, and whether the peer is this machine.
type Dialled = (i32, Option<(String, u16)>, Option<String>, bool);

/// Connects to a server as the options say.
#[pyfunction]
pub(crate) fn dial(
    py: Python<'_>,
    server: PyRef<'_, PyServer>,
    options: PyRef<'_, PyOptions>,
) -> PyResult<Dialled> {
    let raised = Raised::default();
    let options = options.bind(py, &raised, None);
    let server = server.0.clone();
    match py.detach(|| net::connect(&server, &options)) {
        Ok(stream) => {
            let peer = stream.peer().map(|peer| (peer.ip().to_string(), peer.port()));
            let local = stream.local().map(|local| local.ip().to_string());
            let loopback = stream.is_loopback();
            Ok((OwnedFd::from(stream).into_raw_fd(), peer, local, loopback))
        }
        Err(error) => Err(raise_from(py, &error, None, raised.take())),
    }
}

/// The reverse-path and the recipients of a message, as they would be said to a server.
#[pyfunction]
pub(crate) fn envelope(
    py: Python<'_>,
    message: &Bound<'_, PyMessage>,
    options: PyRef<'_, PyOptions>,
) -> PyResult<(String, Vec<String>)> {
    let PyMessage { core, sources } = message.try_borrow()?.clone();
    let envelope = Envelope::derive(&core, options.core(), &net::local())
        .map_err(|error| raise_from(py, &error, None, raised_in(&sources)))?;
    let recipients = envelope.recipients.iter().map(|rcpt| rcpt.path.as_str().to_owned());
    Ok((envelope.mail.path.as_str().to_owned(), recipients.collect()))
}
