//! `sendmessage` for event loops.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use smtpclient::conversation::Conversation;
use smtpclient::delivery;
use smtpclient::engine::Awaited;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::net::{self, Limits};
use smtpclient::options::Options;

use crate::callback::{self, Callbacks, Functions, Raised};
use crate::convert::{raise, raise_from};
use crate::line::{Abort, Line, Shared, Watch};
use crate::message::{PyMessage, raised_in};
use crate::options::PyOptions;
use crate::report::PySent;
use crate::source::Source;

/// When a call must be over, and how it can be ended: it begins before there is a connection.
#[pyclass(frozen, module = "smtpclient._native", name = "Limits")]
pub(crate) struct PyLimits(Limits);

#[pymethods]
impl PyLimits {
    #[new]
    fn new(options: &Bound<'_, PyOptions>) -> Self {
        let mut limits = Limits::begin(options.get().core());
        limits.cancel = options.get().cancel.clone();
        Self(limits)
    }

    /// For how many seconds to wait at most before this is asked again; an exception if the call must end.
    fn slice(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        self.0.check(Step::Setup).map_err(|error| raise(py, &error, None))?;
        let slice = self.0.slice(Duration::MAX);
        Ok((slice < Duration::MAX).then_some(slice.as_secs_f64()))
    }
}

/// One message on its way to the first server that takes it.
#[pyclass(frozen, module = "smtpclient._native")]
pub(crate) struct Delivery {
    inner: Shared<Inner>,
    sources: Vec<Py<Source>>,
    callbacks: Callbacks,
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
    #[pyo3(signature = (message, options, listener, limits, feeds, commit=None))]
    fn new(
        py: Python<'_>,
        message: &Bound<'_, PyMessage>,
        options: &Bound<'_, PyOptions>,
        listener: Option<Py<PyAny>>,
        limits: PyRef<'_, PyLimits>,
        feeds: bool,
        commit: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let PyMessage { core, sources } = message.try_borrow()?.copy(py);
        let functions = Functions { listener, commit };
        Self::begin(py, options, functions, &limits, sources, feeds, |known| net::delivery(&core, known))
    }

    /// `verify`, in place of a message.
    #[staticmethod]
    fn verify(
        py: Python<'_>,
        options: &Bound<'_, PyOptions>,
        listener: Option<Py<PyAny>>,
        limits: PyRef<'_, PyLimits>,
    ) -> PyResult<Self> {
        let functions = Functions { listener, commit: None };
        Self::begin(py, options, functions, &limits, Vec::new(), false, net::verification)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.sources.iter().try_for_each(|source| visit.call(source))?;
        self.callbacks.visit(&visit)
    }

    fn __clear__(&self) {
        self.callbacks.clear();
    }

    /// Does what can be done without waiting. See [`Watch`].
    fn turn(&self, py: Python<'_>) -> PyResult<Watch> {
        self.inner.detached(py, |Inner { delivery, line }| {
            line.turn(delivery, self.feeds);
            line.watch(delivery, false, None)
        })
    }

    /// Whether the message had no bytes when it was last asked.
    fn waits_for_source(&self) -> PyResult<bool> {
        self.inner.look(|inner| inner.delivery.waits_for() == Some(Awaited::Source))
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

    /// The report of a delivery that is over; an exception if nobody got the message, or that is not known.
    fn report(&self, py: Python<'_>) -> PyResult<PySent> {
        let report = self.inner.look(|inner| inner.delivery.report().clone())?;
        if let Some(error) = report.failure() {
            let raised = &self.inner.raised;
            let withdrawn = raised.take_withdrawn(py, 0, Some(&error));
            let cause = raised.take(py).or(withdrawn).or_else(|| raised_in(py, &self.sources));
            let cause = cause.or_else(|| raised.blamed(py, Some(&error)));
            return Err(raise_from(py, &error, Some(&report), cause));
        }
        self.inner.raised.tell_sent(py, &report)?;
        Ok(PySent(Box::new(report)))
    }
}

impl Delivery {
    fn begin(
        py: Python<'_>,
        options: &Bound<'_, PyOptions>,
        functions: Functions,
        limits: &PyLimits,
        sources: Vec<Py<Source>>,
        feeds: bool,
        make: impl FnOnce(&Options) -> Result<delivery::Delivery, Error> + Send,
    ) -> PyResult<Self> {
        let raised = Raised::default();
        let (mut known, callbacks) = options.get().bind(py, &raised, functions);
        known.cancel = Some(callback::cancel_in_loop(&raised, options.get().cancel.clone()));
        let deadline = limits.0.deadline;
        let made = py.detach(|| {
            let mut line = Line::new(&known)?;
            line.set_limits(Limits::new(deadline, known.cancel.clone()));
            Ok(Inner { delivery: make(&known)?, line })
        });
        match made {
            Ok(inner) => Ok(Self { inner: Shared::new(inner, raised), sources, callbacks, feeds }),
            Err(error) => Err(raise_from(py, &error, None, raised_in(py, &sources))),
        }
    }
}
