//! Many messages over many connections.

use std::time::Duration;

use pyo3::prelude::*;
use smtpclient::net::mailer;

use crate::callback::{self, Raised};
use crate::convert::{raise, raise_from};
use crate::message::{PyMessage, raised_in};
use crate::options::PyOptions;
use crate::report::PySent;

/// The mailer below `smtpclient.Mailer` and `smtpclient.aio.Mailer`. Every call may come from any thread.
#[pyclass(frozen, module = "smtpclient._native")]
pub(crate) struct Mailer {
    mailer: mailer::Mailer,
    raised: Raised,
}

#[pymethods]
impl Mailer {
    #[new]
    #[pyo3(signature = (options, listener=None))]
    fn new(py: Python<'_>, options: &Bound<'_, PyOptions>, listener: Option<Py<PyAny>>) -> PyResult<Self> {
        let raised = Raised::default();
        let listener = listener.map(|listener| callback::transcript(listener, &raised));
        let mut bound = options.get().bind(py, &raised, listener);
        // The mailer's thread gets no signals, and goes on where a function of Python's raised.
        bound.cancel = options.get().cancel.clone();
        match py.detach(|| mailer::Mailer::new(&bound)) {
            Ok(mailer) => Ok(Self { mailer, raised }),
            Err(error) => Err(raise(py, &error, None)),
        }
    }

    /// Takes a message and gives its ticket, where the queue has room.
    fn submit(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PyMessage>,
        options: Option<&Bound<'_, PyOptions>>,
    ) -> PyResult<u64> {
        let PyMessage { core, sources } = message.try_borrow()?.clone();
        let options = options.map(|options| options.get().core());
        let taken = py.detach(|| self.mailer.try_submit(&core, options));
        match taken {
            Ok(ticket) => Ok(ticket.number()),
            Err(error) => Err(raise_from(py, &error, None, raised_in(&sources))),
        }
    }

    /// Waits for room in the queue; whether there is.
    fn room(&self, py: Python<'_>, timeout: f64) -> bool {
        py.detach(|| self.mailer.room(wait(timeout)))
    }

    /// Tickets and reports; waits for the first. None: there were none in that time, or there will be none.
    fn reports(&self, py: Python<'_>, timeout: f64, most: usize) -> Vec<(u64, PySent)> {
        let reports = py.detach(|| self.mailer.reports(wait(timeout), most));
        if let Some(raised) = self.raised.take() {
            raised.write_unraisable(py, None);
        }
        reports.into_iter().map(|(ticket, report)| (ticket.number(), PySent(Box::new(report)))).collect()
    }

    /// Waits until everything is decided; whether it is.
    fn drain(&self, py: Python<'_>, timeout: f64) -> bool {
        py.detach(|| self.mailer.drain(wait(timeout)))
    }

    /// Takes no more messages, and ends by itself.
    fn seal(&self) {
        self.mailer.seal();
    }

    /// Takes no more messages, sends the rest, and ends; whether nothing had to be ended before it was decided.
    fn close(&self, py: Python<'_>, timeout: f64) -> bool {
        py.detach(|| self.mailer.close(wait(timeout)))
    }

    /// Submitted, decided, accepted, rejected, not sent, unknown, waiting, connections, opened.
    fn counts(&self) -> (u64, u64, u64, u64, u64, u64, u64, u64, u64) {
        let counts = self.mailer.counts();
        (
            counts.submitted,
            counts.decided,
            counts.accepted,
            counts.rejected,
            counts.not_sent,
            counts.unknown,
            counts.waiting,
            counts.connections,
            counts.opened,
        )
    }
}

#[pymethods]
impl PyMessage {
    /// What a reader in it raised, once.
    fn _raised(&self) -> Option<PyErr> {
        raised_in(&self.sources)
    }
}

/// Infinity is as long as it takes.
fn wait(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
