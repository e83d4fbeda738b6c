//! `sendmessage` for event loops.

use pyo3::prelude::*;
use smtpclient::conversation::Conversation;
use smtpclient::delivery;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::net;

use crate::callback::{self, Raised};
use crate::convert::raise_from;
use crate::line::{Abort, Line, Shared, Watch};
use crate::message::{PyMessage, raised_in};
use crate::options::PyOptions;
use crate::report::PySent;

/// One message on its way to the first server that takes it.
#[pyclass(frozen, module = "smtpclient._native")]
pub(crate) struct Delivery {
    inner: Shared<Inner>,
    sources: Vec<Raised>,
    /// The message has no bytes now and then, and Python knows when it has.
    feeds: bool,
}

struct Inner {
    delivery: delivery::Delivery,
    line: Line,
}

impl Abort for Inner {
    fn abort(&mut self, cause: Error) {
        self.delivery.abort(cause);
    }
}

#[pymethods]
impl Delivery {
    #[new]
    #[pyo3(signature = (message, options, listener=None, feeds=false))]
    fn new(
        py: Python<'_>,
        message: &Bound<'_, PyMessage>,
        options: &Bound<'_, PyOptions>,
        listener: Option<Py<PyAny>>,
        feeds: bool,
    ) -> PyResult<Self> {
        let raised = Raised::default();
        let listener = listener.map(|listener| callback::transcript(listener, &raised));
        let mut known = options.get().bind(py, &raised, listener);
        known.cancel = Some(callback::cancel_in_loop(&raised, options.get().cancel.clone()));
        let PyMessage { core, sources } = message.try_borrow()?.clone();
        let made = py.detach(|| {
            let line = Line::new(&known)?;
            Ok(Inner { delivery: net::delivery(&core, &known)?, line })
        });
        match made {
            Ok(inner) => Ok(Self { inner: Shared::new(inner, raised), sources, feeds }),
            Err(error) => Err(raise_from(py, &error, None, raised_in(&sources))),
        }
    }

    /// Does what can be done without waiting. See [`Watch`].
    fn turn(&self, py: Python<'_>) -> PyResult<Watch> {
        py.detach(|| {
            self.inner.with(|Inner { delivery, line }| {
                line.turn(delivery, self.feeds);
                line.watch(delivery, false, None)
            })
        })
    }

    /// The descriptor to watch, -1 for none.
    fn fileno(&self) -> PyResult<i32> {
        self.inner.with(|inner| inner.line.fileno())
    }

    /// Whether the message had no bytes when it was last asked.
    fn waits_for_source(&self) -> PyResult<bool> {
        self.inner.with(|inner| inner.delivery.waits_for_source())
    }

    /// Ends everything, and closes the connection.
    fn abort(&self, text: &str) -> PyResult<()> {
        self.inner.with(|Inner { delivery, line }| {
            delivery.abort(Error::new(Kind::Cancelled, Step::Command, text));
            line.close();
        })
    }

    /// Closes the connection.
    fn close(&self) -> PyResult<()> {
        self.inner.with(|inner| inner.line.close())
    }

    /// The report, as far as it is known; an exception where a step failed.
    fn report(&self, py: Python<'_>) -> PyResult<PySent> {
        let report = self.inner.with(|inner| inner.delivery.report().clone())?;
        if let Some(error) = &report.error {
            let cause = self.inner.raised.take().or_else(|| raised_in(&self.sources));
            return Err(raise_from(py, error, Some(&report), cause));
        }
        Ok(PySent(Box::new(report)))
    }
}
