//! Python functions that the core calls, and what they raise.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use smtpclient::cancel::Cancel;
use smtpclient::engine::Direction;
use smtpclient::net::with_signals;
use smtpclient::options::{Options, TlsAnswer, TlsPolicy, TranscriptFn};

/// What Python code raised while the core was at work: the first exception.
#[derive(Clone, Default)]
pub(crate) struct Raised(Arc<Mutex<Option<PyErr>>>);

impl Raised {
    pub(crate) fn keep(&self, error: PyErr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(crate) fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn is_some(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// A Python function that the core calls. The core cannot be asked what it refers to, so exactly one object of Python's
/// shows the function to the garbage collector, and clears it: cycles through it are found then.
#[derive(Clone)]
pub(crate) struct Held(Arc<Mutex<Option<Py<PyAny>>>>);

impl Held {
    pub(crate) fn new(function: Py<PyAny>) -> Self {
        Self(Arc::new(Mutex::new(Some(function))))
    }

    /// The function; `None` where it was part of garbage.
    pub(crate) fn get(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let function = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        function.as_ref().map(|function| function.clone_ref(py))
    }

    /// The same function with another owner.
    pub(crate) fn again(&self, py: Python<'_>) -> Option<Self> {
        self.get(py).map(Self::new)
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Whoever has the lock is about to call it: no garbage.
        let Ok(function) = self.0.try_lock() else { return Ok(()) };
        visit.call(function.as_ref())
    }

    pub(crate) fn clear(&self) {
        let function = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(function); // which may run anything
    }
}

/// The functions of one conversation, for the object that owns it.
#[pyclass(frozen, module = "smtpclient._native")]
#[derive(Default)]
pub(crate) struct Callbacks(Vec<Held>);

#[pymethods]
impl Callbacks {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.visit(&visit)
    }

    fn __clear__(&self) {
        self.clear();
    }
}

impl Callbacks {
    /// Puts the functions into the options of a call.
    pub(crate) fn bind(
        py: Python<'_>,
        options: &mut Options,
        asked: Option<&Held>,
        listener: Option<Py<PyAny>>,
        raised: &Raised,
    ) -> Self {
        let mut held = Vec::new();
        if let Some(own) = asked.and_then(|asked| asked.again(py)) {
            options.tlspolicy = policy(own.clone(), raised);
            held.push(own);
        }
        options.transcript = listener.map(|listener| {
            let own = Held::new(listener);
            held.push(own.clone());
            transcript(own, raised)
        });
        Self(held)
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.iter().try_for_each(|held| held.visit(visit))
    }

    pub(crate) fn clear(&self) {
        self.0.iter().for_each(Held::clear);
    }
}

/// Ends the call where a callback or a signal handler of Python raised, or `own` is triggered.
pub(crate) fn cancel(raised: &Raised, own: Option<Cancel>) -> Cancel {
    let kept = raised.clone();
    with_signals(cancel_in_loop(raised, own), move || match Python::try_attach(|py| py.check_signals()) {
        Some(Err(error)) => {
            kept.keep(error);
            true
        }
        Some(Ok(())) => false,
        None => true, // the interpreter is going
    })
}

/// The same in an event loop, which takes care of signals itself.
pub(crate) fn cancel_in_loop(raised: &Raised, own: Option<Cancel>) -> Cancel {
    let raised = raised.clone();
    match own {
        None => Cancel::within(move || raised.is_some()),
        Some(own) => Cancel::asking(move || raised.is_some() || own.is_triggered()),
    }
}

/// `listener(direction, line)`.
fn transcript(listener: Held, raised: &Raised) -> TranscriptFn {
    let raised = raised.clone();
    Arc::new(move |direction, line| {
        if raised.is_some() {
            return;
        }
        let direction = match direction {
            Direction::Client => "client",
            Direction::Server => "server",
            Direction::Note => "note",
        };
        Python::try_attach(|py| {
            let called =
                listener.get(py).map_or(Ok(py.None()), |listener| listener.call1(py, (direction, line)));
            if let Err(error) = called {
                raised.keep(error);
            }
        });
    })
}

/// `policy(code, diagnostic)`, which answers `secure` or `insecure`; an exception is `secure`.
fn policy(policy: Held, raised: &Raised) -> TlsPolicy {
    let raised = raised.clone();
    TlsPolicy::Ask(Arc::new(move |code, diagnostic| {
        let answer = Python::try_attach(|py| {
            let Some(policy) = policy.get(py) else { return Ok(TlsAnswer::Secure) };
            let answer = policy.call1(py, (code, diagnostic)).and_then(|answer| tls_answer(answer.bind(py)));
            answer.map_err(|error| raised.keep(error))
        });
        answer.and_then(Result::ok).unwrap_or(TlsAnswer::Secure)
    }))
}

fn tls_answer(answer: &Bound<'_, PyAny>) -> PyResult<TlsAnswer> {
    match answer.extract::<String>().as_deref() {
        Ok("secure") => Ok(TlsAnswer::Secure),
        Ok("insecure") => Ok(TlsAnswer::Insecure),
        _ => Err(PyTypeError::new_err(format!(
            "option `tlspolicy`: the function must return 'secure' or 'insecure', not {}",
            answer.repr()?
        ))),
    }
}
