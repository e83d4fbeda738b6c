//! Python functions that the core calls, and what they raise.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use pyo3::exceptions::{PyBaseException, PyBlockingIOError, PyException, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use smtpclient::cancel::Cancel;
use smtpclient::commit::{Commit, Ready};
use smtpclient::engine::Direction;
use smtpclient::error::{Error, Kind};
use smtpclient::net::{HandledSignals, Process};
use smtpclient::options::{Dialler, OauthToken, Options, TlsAnswer, TlsPolicy, TranscriptFn};
use smtpclient::progress::ProgressFn;
use smtpclient::report::Report;

use crate::convert::bear;
use crate::inside::attach;
use crate::mechanism::PyMechanism;
use crate::values::secret;
use crate::{signer, socket};

/// What Python code raised while the core was at work, which refers to all that was at work then. As with [`Held`], one
/// object of Python's shows it to the garbage collector.
#[derive(Clone, Default)]
pub(crate) struct Raised(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// The first exception that ends the call.
    first: Option<Py<PyBaseException>>,
    /// Why the commit of a message failed, by its index.
    withdrawn: HashMap<u64, Py<PyBaseException>>,
    /// What errors may follow from, with the words that it puts into them; the newest is last.
    blamed: VecDeque<(String, Py<PyBaseException>)>,
}

/// How many are remembered: a mailer may fail so many messages before it is asked what became of them.
const BLAMED: usize = 256;

impl Raised {
    pub(crate) fn keep(&self, py: Python<'_>, error: PyErr) {
        let error = error.into_value(py);
        let mut kept = self.kept();
        let late = if kept.first.is_none() { kept.first.replace(error) } else { Some(error) };
        drop(kept);
        drop(late); // which may run anything
    }

    /// Keeps why messages were withdrawn, until their reports are there.
    fn withdraw(&self, py: Python<'_>, ready: &[Ready], error: &PyErr) {
        let error = error.clone_ref(py).into_value(py); // with its traceback
        for one in ready {
            let late = self.kept().withdrawn.insert(one.index, error.clone_ref(py));
            drop(late); // which may run anything
        }
    }

    pub(crate) fn take(&self, py: Python<'_>) -> Option<PyErr> {
        let kept = self.kept().first.take();
        kept.map(|kept| PyErr::from_value(kept.into_bound(py).into_any()))
    }

    /// Why the message of that index was withdrawn, once, if that is its `error`.
    pub(crate) fn take_withdrawn(&self, py: Python<'_>, index: u64, error: Option<&Error>) -> Option<PyErr> {
        let kept = self.kept().withdrawn.remove(&index)?;
        let why = PyErr::from_value(kept.into_bound(py).into_any());
        error.is_some_and(|error| error.kind() == Kind::Commit).then_some(why)
    }

    /// Keeps an exception whose words an error will have.
    fn blame(&self, py: Python<'_>, words: &str, error: PyErr) {
        let one = (one_line(words), error.into_value(py));
        let mut kept = self.kept();
        let late = if kept.blamed.len() < BLAMED { None } else { kept.blamed.pop_front() };
        kept.blamed.push_back(one);
        drop(kept);
        drop(late); // which may run anything
    }

    /// What the error follows from. Several may follow from one: all messages that a login was for.
    pub(crate) fn blamed(&self, py: Python<'_>, error: Option<&Error>) -> Option<PyErr> {
        let text = one_line(error?.text());
        let kept = self.kept();
        let (_, why) = kept.blamed.iter().rfind(|(words, _)| text.contains(words))?;
        let why = why.clone_ref(py);
        drop(kept);
        Some(PyErr::from_value(why.into_bound(py).into_any()))
    }

    /// Whether it is an `Exception`: anything else ends the program at once.
    pub(crate) fn may_wait(&self, py: Python<'_>) -> bool {
        self.kept().first.as_ref().is_some_and(|first| first.bind(py).is_instance_of::<PyException>())
    }

    pub(crate) fn is_some(&self) -> bool {
        self.kept().first.is_some()
    }

    /// For what has no caller who could be told: printed, unless it ends the program.
    pub(crate) fn tell(&self, py: Python<'_>) -> PyResult<()> {
        match self.take(py) {
            Some(raised) if raised.is_instance_of::<PyException>(py) => {
                raised.write_unraisable(py, None);
                Ok(())
            }
            Some(raised) => Err(raised),
            None => Ok(()),
        }
    }

    /// The same after a message that was sent: an exception of the library's would say the contrary.
    pub(crate) fn tell_sent(&self, py: Python<'_>, report: &Report) -> PyResult<()> {
        self.tell(py).inspect_err(|raised| bear(py, raised, report))
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Whoever has the lock is at work with it: no garbage.
        let Ok(kept) = self.0.try_lock() else { return Ok(()) };
        visit.call(&kept.first)?;
        kept.withdrawn.values().try_for_each(|why| visit.call(why))?;
        kept.blamed.iter().try_for_each(|(_, why)| visit.call(why))
    }

    pub(crate) fn clear(&self) {
        let kept = std::mem::take(&mut *self.kept());
        drop(kept);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The function; `None` if it was part of garbage.
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

/// The functions of one conversation, and what they raised, for the object that owns it.
#[pyclass(frozen, module = "smtpclient._native")]
pub(crate) struct Callbacks {
    held: Vec<Held>,
    raised: Raised,
}

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
        token: Option<&Held>,
        dialler: Option<&Held>,
        functions: Functions,
        raised: &Raised,
    ) -> Self {
        let mut held = Vec::new();
        let Functions { listener, commit } = functions;
        if let Some(own) = token.and_then(|token| token.again(py)) {
            options.oauthtoken = Some(oauth_token(own.clone(), raised));
            held.push(own);
        }
        if let Some(own) = asked.and_then(|asked| asked.again(py)) {
            options.tlspolicy = policy(own.clone(), raised);
            held.push(own);
        }
        if let Some(own) = dialler.and_then(|dialler| dialler.again(py)) {
            options.dialler = Some(connects(own.clone(), raised));
            held.push(own);
        }
        options.transcript = listener.map(|listener| {
            let own = Held::new(listener);
            held.push(own.clone());
            transcript(own, raised)
        });
        options.commit = commit.map(|function| {
            let own = Held::new(function);
            held.push(own.clone());
            self::commit(own, raised)
        });
        Self { held, raised: raised.clone() }
    }

    /// Puts login mechanisms of the caller's own, and who is told how far messages have got, into the options, too.
    pub(crate) fn add(
        &mut self,
        py: Python<'_>,
        options: &mut Options,
        mechanisms: &[PyMechanism],
        progress: Option<&Held>,
    ) {
        if let Some(own) = progress.and_then(|progress| progress.again(py)) {
            options.progress = Some(self::progress(own.clone(), &self.raised));
            self.held.push(own);
        }
        for own in mechanisms.iter().filter_map(|mechanism| mechanism.again(py)) {
            options.mechanisms.push(own.bind(&self.raised));
            self.held.push(own.held);
        }
    }

    /// Puts signers of the caller's own into the options, too.
    pub(crate) fn add_signers(&mut self, py: Python<'_>, options: &mut Options, signers: &[Held]) {
        for own in signers.iter().filter_map(|signer| signer.again(py)) {
            options.signers.push(signer::bind(own.clone(), &self.raised));
            self.held.push(own);
        }
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.held.iter().try_for_each(|held| held.visit(visit))?;
        self.raised.visit(visit)
    }

    pub(crate) fn clear(&self) {
        self.held.iter().for_each(Held::clear);
        self.raised.clear();
    }
}

/// Functions that Python code has put together for one conversation.
pub(crate) struct Functions {
    pub(crate) listener: Option<Py<PyAny>>,
    pub(crate) commit: Option<Py<PyAny>>,
}

/// Ends the call if a callback or a signal handler of Python raised, or `own` is triggered.
pub(crate) fn cancel(raised: &Raised, own: Option<Cancel>) -> Cancel {
    let kept = raised.clone();
    cancel_in_loop(raised, own).and_signals(HandledSignals::new(move || {
        // Without an interpreter that could be asked it is going.
        attach(|py| py.check_signals().map_err(|error| kept.keep(py, error)).is_err()).unwrap_or(true)
    }))
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
    let (raised, process) = (raised.clone(), Process::current());
    Arc::new(move |direction, line| {
        // Python may not know the thread in which a child by fork(2) came back from here.
        if raised.is_some() || process.is_forked() {
            return;
        }
        let direction = match direction {
            Direction::Client => "client",
            Direction::Server => "server",
            Direction::Note => "note",
        };
        attach(|py| {
            let called =
                listener.get(py).map_or(Ok(py.None()), |listener| listener.call1(py, (direction, line)));
            if let Err(error) = called {
                raised.keep(py, error);
            }
        });
    })
}

/// `function(progress)`, with a `smtpclient.Progress`.
fn progress(function: Held, raised: &Raised) -> ProgressFn {
    static PROGRESS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let (raised, process) = (raised.clone(), Process::current());
    Arc::new(move |told| {
        // Python may not know the thread in which a child by fork(2) came back from here.
        if raised.is_some() || process.is_forked() {
            return;
        }
        attach(|py| {
            let called = || {
                let Some(function) = function.get(py) else { return Ok(()) };
                let kind = PROGRESS.get_or_try_init(py, || {
                    PyResult::Ok(py.import("smtpclient._values")?.getattr("Progress")?.unbind())
                })?;
                let values = (told.message_id, told.tag, told.index, told.server, told.octets, told.total);
                function.call1(py, (kind.call1(py, values)?,)).map(drop)
            };
            if let Err(error) = called() {
                raised.keep(py, error);
            }
        });
    })
}

/// `function(ready)`, asked by `smtpclient._commit`, which tells whether the answer is pending. An `Exception` is why the
/// messages are withdrawn; anything else ends the call, too.
fn commit(function: Held, raised: &Raised) -> Commit {
    let (raised, process) = (raised.clone(), Process::current());
    Commit::polled(move |ready| {
        let answer = attach(|py| {
            let asked = ask(py, &function, ready).map_err(|error| (error.to_string(), error));
            // Python may not know the thread in which a child by fork(2) came back from there.
            if process.is_forked() {
                return Poll::Ready(Err("this is a child of the process that sends".to_owned()));
            }
            match asked {
                Ok(true) => Poll::Pending,
                Ok(false) => Poll::Ready(Ok(())),
                Err((words, error)) => {
                    raised.withdraw(py, ready, &error);
                    if !error.is_instance_of::<PyException>(py) {
                        raised.keep(py, error);
                    }
                    Poll::Ready(Err(words))
                }
            }
        });
        answer.unwrap_or_else(|| Poll::Ready(Err("the interpreter is shutting down".to_owned())))
    })
}

fn ask(py: Python<'_>, function: &Held, ready: &[Ready]) -> PyResult<bool> {
    static ASK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let Some(function) = function.get(py) else {
        return Err(PyRuntimeError::new_err("the function of option `commit` is gone"));
    };
    let ask =
        ASK.get_or_try_init(py, || PyResult::Ok(py.import("smtpclient._commit")?.getattr("ask")?.unbind()))?;
    let rows = ready.iter().map(|one| {
        let recipients = PyTuple::new(py, &one.recipients)?;
        (one.message_id.as_deref(), one.tag.as_deref(), one.index, &one.server, recipients, one.attempt)
            .into_pyobject(py)
    });
    let rows = PyList::new(py, rows.collect::<PyResult<Vec<_>>>()?)?;
    ask.call1(py, (function, rows))?.is_truthy(py)
}

/// `policy(code, diagnostic)`, which answers `secure` or `insecure`; an exception is `secure`.
fn policy(policy: Held, raised: &Raised) -> TlsPolicy {
    let raised = raised.clone();
    TlsPolicy::Ask(Arc::new(move |code, diagnostic| {
        let answer = attach(|py| {
            let Some(policy) = policy.get(py) else { return Ok(TlsAnswer::Secure) };
            let answer = policy.call1(py, (code, diagnostic)).and_then(|answer| tls_answer(answer.bind(py)));
            answer.map_err(|error| raised.keep(py, error))
        });
        answer.and_then(Result::ok).unwrap_or(TlsAnswer::Secure)
    }))
}

/// `token(reason)`, which gives a token as text or bytes. What it raises is why there is none; `BlockingIOError`: none yet.
/// Anything but an `Exception` ends the call.
fn oauth_token(token: Held, raised: &Raised) -> OauthToken {
    let raised = raised.clone();
    OauthToken::Ask(Arc::new(move |reason| {
        let answer = attach(|py| {
            let Some(token) = token.get(py) else { return Err("the function is gone".to_owned()) };
            let called = token.call1(py, (reason.name(),));
            called.and_then(|token| secret("oauthtoken", token.bind(py)).map(Some)).or_else(|error| {
                if error.is_instance_of::<PyBlockingIOError>(py) {
                    return Ok(None);
                }
                Err(words(py, error, &raised))
            })
        });
        answer.unwrap_or_else(|| Err("the interpreter is gone".to_owned()))
    }))
}

/// `dialler(host, port, timeout)`, which gives a connected socket. What it raises is why there is none.
fn connects(dialler: Held, raised: &Raised) -> Dialler {
    let raised = raised.clone();
    Dialler::new(move |to| {
        let given = attach(|py| {
            let Some(dialler) = dialler.get(py) else { return Err("the function is gone".to_owned()) };
            let called = dialler.call1(py, (to.host, to.port, to.timeout.as_secs_f64()));
            let taken = called.and_then(|socket| {
                socket::take(socket.bind(py), "option `dialler`: the function must return")
            });
            taken.map_err(|error| words(py, error, &raised))
        });
        given.unwrap_or_else(|| Err("the interpreter is gone".to_owned()))
    })
}

/// What a function raised, for the report; anything but an `Exception` ends the call.
pub(crate) fn words(py: Python<'_>, error: PyErr, raised: &Raised) -> String {
    let (kind, why) = (error.get_type(py), error.value(py).to_string());
    let kind = kind.name().map_or_else(|_| "error".to_owned(), |name| name.to_string());
    let words = if why.is_empty() { kind } else { format!("{kind}: {why}") };
    if error.is_instance_of::<PyException>(py) {
        raised.blame(py, &words, error);
    } else {
        raised.keep(py, error);
    }
    words
}

/// As errors have it, which are one line.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
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
