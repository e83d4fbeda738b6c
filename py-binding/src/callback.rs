//! Python functions that the core calls, and what they raise.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use smtpclient::cancel::Cancel;
use smtpclient::engine::Direction;
use smtpclient::options::{TlsAnswer, TlsPolicy, TranscriptFn};

/// How often Python is asked for signals: half of how long the core may wait without asking.
const SIGNALS: Duration = Duration::from_millis(100);

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

/// Ends the call where a callback or a signal handler of Python raised, or `own` is triggered.
pub(crate) fn cancel(raised: &Raised, own: Option<Cancel>) -> Cancel {
    let raised = raised.clone();
    let asked = Mutex::new(Instant::now());
    Cancel::asking(move || {
        if raised.is_some() || own.as_ref().is_some_and(Cancel::is_triggered) {
            return true;
        }
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.elapsed() < SIGNALS {
            return false;
        }
        *asked = Instant::now();
        drop(asked);
        match Python::try_attach(|py| py.check_signals()) {
            Some(Err(error)) => {
                raised.keep(error);
                true
            }
            Some(Ok(())) => false,
            None => true, // the interpreter is going
        }
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
pub(crate) fn transcript(listener: Py<PyAny>, raised: &Raised) -> TranscriptFn {
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
            if let Err(error) = listener.call1(py, (direction, line)) {
                raised.keep(error);
            }
        });
    })
}

/// `policy(code, diagnostic)`, which answers `secure` or `insecure`; an exception is `secure`.
pub(crate) fn policy(policy: Py<PyAny>, raised: &Raised) -> TlsPolicy {
    let raised = raised.clone();
    TlsPolicy::Ask(Arc::new(move |code, diagnostic| {
        let answer = Python::try_attach(|py| {
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
