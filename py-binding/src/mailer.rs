//! Many messages over many connections.

use std::collections::HashMap;
use std::time::Duration;

use pyo3::prelude::*;
use smtpclient::net::mailer;
use smtpclient::report::Report;

use crate::callback::{Callbacks, Functions, Raised};
use crate::convert::{raise, raise_from};
use crate::message::{PyMessage, raised_in};
use crate::options::PyOptions;
use crate::report::PySent;

/// The mailer below `smtpclient.Mailer` and `smtpclient.aio.Mailer`. Every call may come from any thread.
///
/// It does not own the functions that it calls: a thread waits for its reports, so that nothing it owned could ever be garbage.
#[pyclass(frozen, module = "smtpclient._native")]
pub(crate) struct Mailer {
    mailer: mailer::Mailer,
    raised: Raised,
}

#[pymethods]
impl Mailer {
    /// The mailer, and the owner of its functions.
    #[staticmethod]
    #[pyo3(signature = (options, listener=None, commit=None))]
    fn begin(
        py: Python<'_>,
        options: &Bound<'_, PyOptions>,
        listener: Option<Py<PyAny>>,
        commit: Option<Py<PyAny>>,
    ) -> PyResult<(Self, Callbacks)> {
        let raised = Raised::default();
        let (mut bound, callbacks) = options.get().bind(py, &raised, Functions { listener, commit });
        // The mailer's thread gets no signals, and goes on where a function of Python's raised.
        bound.cancel = options.get().cancel.clone();
        match py.detach(|| mailer::Mailer::new(&bound)) {
            Ok(mailer) => Ok((Self { mailer, raised }, callbacks)),
            Err(error) => Err(raise(py, &error, None)),
        }
    }

    /// Takes a message and gives its ticket, if the queue has room.
    fn submit(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PyMessage>,
        options: Option<&Bound<'_, PyOptions>>,
    ) -> PyResult<u64> {
        let PyMessage { core, sources } = message.try_borrow()?.copy(py);
        let options = options.map(|options| options.get().for_message(py, &self.raised));
        let taken = py.detach(|| self.mailer.try_submit(&core, options.as_deref()));
        match taken {
            Ok(ticket) => Ok(ticket.number()),
            Err(error) => Err(raise_from(py, &error, None, raised_in(py, &sources))),
        }
    }

    /// Asks once more what was pending: the function of option `commit`.
    fn wake(&self) {
        self.mailer.wake();
    }

    /// Waits for room in the queue; whether there is.
    fn room(&self, py: Python<'_>, timeout: f64) -> bool {
        py.detach(|| self.mailer.room(wait(timeout)))
    }

    /// Tickets, reports, and what a function raised that the error of one follows from; waits for the first. None: there were none in that
    /// time, or there will be none.
    fn reports(&self, py: Python<'_>, timeout: f64, most: usize) -> Vec<(u64, (PySent, Option<PyErr>))> {
        let reports = py.detach(|| self.mailer.reports(wait(timeout), most));
        if let Some(raised) = self.raised.take(py) {
            raised.write_unraisable(py, None);
        }
        let with_cause = |(ticket, report): (mailer::MessageNumber, Report)| {
            let withdrawn = self.raised.take_withdrawn(py, ticket.number(), report.error.as_ref());
            let cause = withdrawn.or_else(|| self.raised.blamed(py, report.error.as_ref()));
            (ticket.number(), (PySent(Box::new(report)), cause))
        };
        reports.into_iter().map(with_cause).collect()
    }

    /// Waits until everything is decided; whether it is.
    fn drain(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        py.detach(|| self.mailer.drain(wait(timeout))).map_err(|error| raise(py, &error, None))
    }

    /// Takes no more messages, and ends by itself.
    fn seal(&self) {
        self.mailer.seal();
    }

    /// Takes no more messages, sends the rest, and ends; whether nothing had to be ended before it was decided.
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        py.detach(|| self.mailer.close(wait(timeout))).map_err(|error| raise(py, &error, None))
    }

    /// Whether the caller is a function that the mailer calls, in its own thread.
    #[getter]
    fn is_inside(&self) -> bool {
        self.mailer.is_inside()
    }

    /// Whether the caller is a child of the process that made it.
    #[getter]
    fn is_forked(&self) -> bool {
        self.mailer.is_forked()
    }

    /// Submitted, decided, accepted, rejected, not sent, unknown, waiting, connections, opened.
    fn counts(&self) -> HashMap<&'static str, u64> {
        self.mailer.counts().fields().into()
    }

    /// Each server with its own.
    fn server_counts(&self) -> Vec<(String, HashMap<&'static str, u64>)> {
        let counts = self.mailer.server_counts().into_iter();
        counts.map(|counts| (counts.server.clone(), counts.fields().into())).collect()
    }
}

#[pymethods]
impl PyMessage {
    /// What a reader in it raised, once.
    fn _raised(&self, py: Python<'_>) -> Option<PyErr> {
        raised_in(py, &self.sources)
    }
}

/// Infinity is as long as it takes.
fn wait(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
