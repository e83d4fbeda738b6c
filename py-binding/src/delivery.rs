//! `sendmessage` without any I/O.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::{PyTraverseError, PyVisit};
use smtpclient::conversation::Conversation;
use smtpclient::delivery::{self, Action};
use smtpclient::net;

use crate::callback::{Callbacks, Raised};
use crate::convert::{dial_error, raise_from};
use crate::driven::{Driven, driven, ends};
use crate::message::{PyMessage, raised_in};
use crate::options::PyOptions;
use crate::report::PySent;
use crate::server::PyServer;
use crate::source::Source;

/// One message on its way to the first server that takes it.
#[pyclass(frozen, module = "smtpclient._native")]
pub(crate) struct Delivery {
    driven: Driven<delivery::Delivery>,
    sources: Vec<Py<Source>>,
    callbacks: Callbacks,
}

driven!(Delivery);

#[pymethods]
impl Delivery {
    #[new]
    #[pyo3(signature = (message, options, listener=None))]
    fn new(
        py: Python<'_>,
        message: &Bound<'_, PyMessage>,
        options: &Bound<'_, PyOptions>,
        listener: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let raised = Raised::default();
        let (options, callbacks) = options.get().bind(py, &raised, listener);
        let PyMessage { core, sources } = message.try_borrow()?.copy(py);
        let made = py.detach(|| {
            delivery::Delivery::new(&core, &options, &net::local(), Some(net::library(&options)?))
        });
        match made {
            Ok(delivery) => Ok(Self { driven: Driven::new(delivery, raised), sources, callbacks }),
            Err(error) => Err(raise_from(py, &error, None, raised_in(&sources))),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.sources.iter().try_for_each(|source| visit.call(source))?;
        self.callbacks.visit(&visit)
    }

    fn __clear__(&self) {
        self.callbacks.clear();
    }

    /// The server to connect to now, when that is what comes next.
    fn wants(&self) -> PyResult<Option<PyServer>> {
        self.driven.with(|delivery| match delivery.action() {
            Action::Dial(server) => Some(PyServer(server.clone())),
            _ => None,
        })
    }

    /// Whether bytes are to be moved now.
    fn exchanges(&self) -> PyResult<bool> {
        self.driven.with(|delivery| delivery.action() == Action::Exchange)
    }

    /// Tells that the server of `wants()` is connected.
    fn connected(&self, peer: Option<(String, u16)>, local: Option<&str>, loopback: bool) -> PyResult<()> {
        self.driven.with(|delivery| delivery.connected(ends(peer, local, loopback)))
    }

    /// Tells that the server of `wants()` cannot be connected to.
    #[pyo3(signature = (text, kind, transient=None))]
    fn connect_failed(&self, text: &str, kind: &str, transient: Option<bool>) -> PyResult<()> {
        self.driven.with(|delivery| delivery.connect_failed(dial_error(kind, text, transient)))
    }

    /// The report of a delivery that is over; an exception where nobody got the message, or that is not known.
    fn report(&self, py: Python<'_>) -> PyResult<PySent> {
        let report = self.driven.with(|delivery| delivery.report().clone())?;
        if let Some(error) = report.failure() {
            let cause = self.driven.raised.take().or_else(|| raised_in(&self.sources));
            return Err(raise_from(py, &error, Some(&report), cause));
        }
        Ok(PySent(Box::new(report)))
    }
}
