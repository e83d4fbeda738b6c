//! A connection that the core makes and moves the bytes of, or a socket of Python's, and what is said over it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use smtpclient::conversation::{Action, Driven};
use smtpclient::engine::Awaited;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::net::fd::{AsFd, AsRawFd, OwnedFd};
use smtpclient::net::{Connection, Limits, Mover, Process, Stream, Wait};
use smtpclient::options::Options;

use crate::callback::Raised;
use crate::convert::raise;
use crate::socket::{self, PySocket};

/// What an event loop does until the next turn.
#[pyclass(frozen, get_all, module = "smtpclient._native")]
pub(crate) struct Watch {
    /// Whether what it waits for is there.
    over: bool,
    /// The descriptor to watch, -1 for none.
    fd: i64,
    /// Whether to wait for room to write, too.
    write: bool,
    /// For how many seconds at most.
    seconds: Option<f64>,
    /// Whether the answer of the commit is still of use.
    commits: bool,
    /// Whether the call must end, by its deadline or its cancel.
    ended: bool,
}

/// One connection.
pub(crate) struct Line {
    pub(crate) connection: Connection,
    /// Python's, instead of the core's.
    pub(crate) socket: Option<PySocket>,
    /// A socket of Python's for the connection with that serial number.
    copy: Option<(u64, Py<PyAny>)>,
    mover: Mover,
    limits: Limits,
}

impl Line {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let connection = Connection::new(options)?;
        Ok(Self { connection, socket: None, copy: None, mover: Mover::default(), limits: Limits::default() })
    }

    /// Over a connection that is there already.
    pub(crate) fn over(stream: Stream, options: &Options) -> Result<Self, Error> {
        Ok(Self { connection: Connection::over(stream, options)?, ..Self::new(options)? })
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        if self.socket.is_some() {
            self.limits = limits.clone();
        }
        self.connection.set_limits(limits);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.socket.is_some() || self.connection.stream().is_some()
    }

    /// Moves bytes until `done`, or nothing is due, for as long as it may `wait`.
    pub(crate) fn run<D: Driven>(&mut self, driven: &mut D, wait: Wait, done: impl Fn(&mut D) -> bool) {
        if let Some(socket) = &mut self.socket {
            let over = |driven: &mut D| done(driven) || driven.action() != Action::Exchange;
            self.mover.run(socket, driven, &self.limits, wait, over);
            if !matches!(driven.action(), Action::Dial(_)) {
                return;
            }
            self.close();
        }
        self.connection.run(driven, wait, done);
        self.drop_copy(self.connection.serial());
    }

    /// Does what can be done without waiting. Whoever `feeds` is told if the content has no bytes now.
    pub(crate) fn turn<D: Driven>(&mut self, driven: &mut D, feeds: bool) {
        self.connection.turn(driven);
        if !feeds && driven.waits_for() == Some(Awaited::Source) {
            let text = "the reader has no bytes now, and nothing tells when it has";
            driven.handle_error(Error::new(Kind::Source, Step::Body, text));
            self.connection.turn(driven);
        }
        if driven.action() == Action::Done {
            self.connection.hang_up(); // closed when it is no longer watched
        }
    }

    /// What to do after a turn. It is over, too, if nothing will happen by itself.
    pub(crate) fn watch<D: Driven>(&mut self, driven: &mut D, over: bool, most: Option<Duration>) -> Watch {
        let is_idle = driven.action() == Action::Exchange
            && driven.timeout().is_none()
            && driven.waits_for().is_none()
            && driven.poll_output().is_empty();
        let over = over || is_idle || driven.action() == Action::Done;
        let timeout = if over { None } else { self.connection.timeout(driven, Instant::now()) };
        Watch {
            over,
            fd: self.connection.fd().map_or(-1, |fd| fd.as_raw_fd() as i64),
            write: self.connection.interest().write,
            seconds: timeout.into_iter().chain(most).min().map(|time| time.as_secs_f64()),
            commits: driven.action() == Action::Exchange && driven.waits_for() == Some(Awaited::Commit),
            ended: over && self.connection.dial_options().limits.check(Step::Command).is_err(),
        }
    }

    /// A socket of Python's for the connection, if there is one already: its own, or one that is closed with it.
    pub(crate) fn known_object(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        if let Some(socket) = &self.socket {
            return Some(socket.object().clone_ref(py));
        }
        let (known, copy) = self.copy.as_ref()?;
        (self.connection.stream().is_some() && *known == self.connection.serial()).then(|| copy.clone_ref(py))
    }

    /// The connection's descriptor once more, and its serial number, for a socket of Python's.
    pub(crate) fn duplicate(&self) -> io::Result<Option<(u64, OwnedFd)>> {
        let Some(stream) = self.connection.stream() else { return Ok(None) };
        Ok(Some((self.connection.serial(), stream.as_fd().try_clone_to_owned()?)))
    }

    /// Keeps a socket of Python's for the connection with that serial number; gives back what there is no use for.
    pub(crate) fn keep(&mut self, serial: u64, copy: Py<PyAny>) -> Option<Py<PyAny>> {
        let is_known = self.copy.as_ref().is_some_and(|(known, _)| *known == serial);
        if is_known || self.connection.serial() != serial {
            return Some(copy);
        }
        self.copy.replace((serial, copy)).map(|(_, before)| before)
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.socket.iter().try_for_each(|socket| socket.visit(visit))?;
        self.copy.iter().try_for_each(|(_, copy)| visit.call(copy))
    }

    /// Gives Python's objects away, which close themselves when they are dropped, and may run anything then.
    pub(crate) fn take_objects(&mut self) -> impl Sized + use<> {
        (self.socket.take(), self.copy.take())
    }

    pub(crate) fn close(&mut self) {
        self.connection.close();
        if let Some(socket) = self.socket.take() {
            socket::close(socket.object());
        }
        self.drop_copy(self.connection.serial());
    }

    /// Closes the copy of a connection that is gone.
    fn drop_copy(&mut self, serial: u64) {
        if let Some((_, copy)) = self.copy.take_if(|(known, _)| *known != serial) {
            socket::close(&copy);
        }
    }
}

/// What Python's objects hold: for one call at a time, and ended if a function of the caller's raised.
pub(crate) struct Shared<T> {
    inner: Mutex<T>,
    /// Whether a call is at work with it, which may take long and call anybody.
    at_work: AtomicBool,
    process: Process,
    pub(crate) raised: Raised,
}

/// What can be ended at once.
pub(crate) trait Abort {
    fn abort(&mut self, cause: Error);
}

impl<T: Abort> Shared<T> {
    pub(crate) fn new(inner: T, raised: Raised) -> Self {
        Self {
            inner: Mutex::new(inner),
            at_work: AtomicBool::new(false),
            process: Process::current(),
            raised,
        }
    }

    /// Works with it. An error if two threads would, or a function calls what is calling it.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> PyResult<R> {
        let _work = self.work()?;
        let mut inner = self.wait(|| false)?;
        let result = act(&mut inner);
        if self.raised.is_some() {
            inner.abort(ended());
        }
        Ok(result)
    }

    /// The same without the GIL, for what may take long. The lock is taken and given back with the GIL, so that it does not change
    /// while the garbage collector looks, twice: what it saw the first time alone it would take for garbage.
    pub(crate) fn detached<R: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut T) -> R + Send,
    ) -> PyResult<R>
    where
        T: Send,
    {
        self.with(|inner| py.detach(|| act(inner)))
    }

    /// Looks at it, or changes what takes a moment: `act` calls no code of Python's. It is in nobody's way: who begins
    /// to work with it meanwhile waits that moment. An error while somebody works with it.
    pub(crate) fn look<R>(&self, act: impl FnOnce(&mut T) -> R) -> PyResult<R> {
        let mut inner = self.wait(|| self.at_work.load(Ordering::Acquire))?;
        Ok(act(&mut inner))
    }

    /// The same for the garbage collector: what somebody works with is still in use.
    pub(crate) fn peek(&self) -> Option<MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Ok(inner) => Some(inner),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Whether this is a child by fork(2), where whoever was at work may be missing.
    pub(crate) fn is_forked(&self) -> bool {
        self.process.is_forked()
    }

    fn work(&self) -> PyResult<Work<'_>> {
        if self.at_work.swap(true, Ordering::Acquire) { Err(in_use()) } else { Ok(Work(&self.at_work)) }
    }

    /// Until those who only look have looked, or there is somebody whose end is not waited for: in a child by fork(2), too,
    /// if nobody comes back who was looking then.
    fn wait(&self, is_long: impl Fn() -> bool) -> PyResult<MutexGuard<'_, T>> {
        loop {
            if let Some(inner) = self.peek() {
                return Ok(inner);
            }
            if is_long() || self.process.is_forked() {
                return Err(in_use());
            }
            std::thread::yield_now();
        }
    }
}

/// While somebody works with it.
struct Work<'a>(&'a AtomicBool);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

pub(crate) const IN_USE: &str = "the session is in use, by another thread or by a function that it calls: give each thread one of its own";

fn in_use() -> PyErr {
    Python::attach(|py| raise(py, &Error::usage(IN_USE), None))
}

/// Why a call ends whose caller's own function raised.
pub(crate) fn ended() -> Error {
    Error::new(Kind::Cancelled, Step::Command, "a function of the caller's raised")
}
