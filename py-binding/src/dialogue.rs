//! A session. What is asked gives a number, by which its answer is found.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use pyo3::{PyTraverseError, PyVisit};
use smtpclient::command::{Command, RawCommand, VERBS};
use smtpclient::content::Once;
use smtpclient::conversation::Conversation;
use smtpclient::dialogue;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::message::Message;
use smtpclient::net::{self, Connection, Limits, Stream, Wait};
use smtpclient::report::Report;

use crate::callback::{self, Callbacks, Functions, Raised};
use crate::convert::{self, plain, raise, raise_from};
use crate::line::{Line, Shared, Watch, ended};
use crate::message::{PyMessage, raised_in};
use crate::options::PyOptions;
use crate::own::Own;
use crate::report::PySent;
use crate::server::PyServer;
use crate::socket::{self, PySocket};
use crate::source::Source;
use crate::talk::{Awaited, Core, Inner};
use crate::values::secret;

/// The verbs that every session has: names, what they take, and what they do.
#[pyfunction]
pub(crate) fn verbs() -> Vec<(&'static str, &'static str, &'static str)> {
    VERBS.iter().map(|verb| (verb.name, verb.takes, verb.help)).collect()
}

/// What came of something that was asked; without any of these it was done, and nothing is to be said of it.
#[pyclass(frozen, get_all, module = "smtpclient._native")]
#[derive(Default)]
pub(crate) struct Answer {
    /// Of a command.
    reply: Option<Py<PyAny>>,
    /// Of a message.
    report: Option<Py<PySent>>,
    /// Why there is neither.
    failure: Option<Py<PyAny>>,
    /// What a function of the caller's raised, from which an error follows.
    raised: Option<Py<PyBaseException>>,
}

#[pymethods]
impl Answer {
    /// What was raised leads to frames that have the answer.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.reply)?;
        visit.call(&self.failure)?;
        visit.call(&self.raised)
    }
}

/// Where a message is read from, and what option `commit` knows it by.
#[derive(Default)]
struct UnderWay {
    sources: Vec<Py<Source>>,
    index: u64,
}

/// A session over a connection that the core makes, or over a socket of Python's.
#[pyclass(frozen, module = "smtpclient._native")]
pub(crate) struct Dialogue {
    inner: Shared<Inner>,
    /// What is to be known of messages under way, by their numbers.
    under_way: Mutex<HashMap<u64, UnderWay>>,
    callbacks: Callbacks,
    name: String,
    is_loopback: bool,
    /// It is `smtplib`'s: a socket's own time-out counts, and its exceptions are the caller's.
    is_plain: bool,
    is_looped: bool,
    own: Own,
}

#[pymethods]
impl Dialogue {
    /// It connects by itself, or goes over `sock`: with the time-out that the socket itself has if it `is_plain`.
    /// `is_looped`: an event loop gives it turns, and `sock` is the core's from here on. `commit` stands for the options' own.
    #[new]
    #[pyo3(signature = (server, options, listener=None, sock=None, *, is_plain=false, is_looped=false, commit=None))]
    #[expect(clippy::too_many_arguments, reason = "Python names them")]
    fn new(
        py: Python<'_>,
        server: PyRef<'_, PyServer>,
        options: PyRef<'_, PyOptions>,
        listener: Option<Py<PyAny>>,
        sock: Option<&Bound<'_, PyAny>>,
        is_plain: bool,
        is_looped: bool,
        commit: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let raised = Raised::default();
        let own = Own::of(py, &options);
        let functions = Functions { listener, commit: commit.or_else(|| options.commit(py)) };
        let (mut known, callbacks) = options.bind(py, &raised, functions);
        if is_looped {
            known.cancel = Some(callback::cancel_in_loop(&raised, options.cancel.clone()));
        }
        let (server, name) = (server.0.clone(), server.0.target.to_string());
        let ends = sock.map(socket::ends);
        let made = Line::new(&known).and_then(|line| {
            let dialogue = match ends {
                Some(ends) => net::dialogue_over(server, &known, ends)?,
                None => net::dialogue(server, &known)?,
            };
            Ok(Inner { dialogue, line, answers: HashMap::new(), awaited: Awaited::default() })
        });
        let mut inner = made.map_err(|error| raise(py, &error, None))?;
        let sock = match sock {
            Some(sock) if is_looped => {
                let stream = Stream::adopt(socket::take(sock, "an event loop wants")?);
                let line = stream.and_then(|stream| Line::over(stream, &known));
                inner.line = line.map_err(|error| raise(py, &error, None))?;
                None
            }
            sock => sock,
        };
        let dialogue = Self {
            inner: Shared::new(inner, raised),
            under_way: Mutex::default(),
            callbacks,
            name,
            is_loopback: ends.is_some_and(|ends| ends.loopback),
            is_plain,
            is_looped,
            own,
        };
        if let Some(sock) = sock {
            dialogue.attach(sock)?;
        }
        Ok(dialogue)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.callbacks.visit(&visit)?;
        self.own.visit(&visit)?;
        if let Some(inner) = self.inner.peek() {
            inner.line.visit(&visit)?;
        }
        // Whoever has the lock is at work with it: no garbage.
        let Ok(under_way) = self.under_way.try_lock() else { return Ok(()) };
        under_way.values().flat_map(|one| &one.sources).try_for_each(|source| visit.call(source))
    }

    fn __clear__(&self) {
        self.callbacks.clear();
        let objects = self.inner.peek().map(|mut inner| inner.line.take_objects());
        let under_way = std::mem::take(&mut *self.under_way());
        drop((objects, under_way)); // which may run anything
    }

    // Moving bytes.

    /// Waits for an answer, without the GIL. Up to `most` answers are waited for, for 5 ms, as long as the server answers at once.
    #[pyo3(signature = (number, most=1))]
    fn wait(&self, py: Python<'_>, number: u64, most: usize) -> PyResult<Answer> {
        if let Some(answer) = self.poll_answer(py, number)? {
            return Ok(answer);
        }
        self.inner.detached(py, |inner| {
            if self.is_plain {
                return inner.by_the_socket(|inner| inner.wait(number, most));
            }
            inner.wait(number, most);
            if inner.is_over() {
                inner.finish();
            }
        })?;
        let answer = self.poll_answer(py, number)?;
        answer.ok_or_else(|| self.gone(py).unwrap_or_else(|error| error))
    }

    /// Says what is to be said, as far as that is taken now.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.inner.detached(py, |inner| {
            inner.by_the_socket(|inner| inner.line.run(&mut inner.dialogue, Wait::Never, |_| false));
        })
    }

    /// QUIT after everything asked so far, whose reply is not waited for; then the connection is closed.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        self.inner.detached(py, |inner| {
            inner.line.set_limits(Limits::begin(inner.dialogue.options()));
            inner.dialogue.part();
            inner.finish();
        })?;
        self.inner.raised.tell(py)
    }

    /// Sets what turns are made for: the answer of that number, and up to `most` if they come at once. `None`: QUIT
    /// after everything asked so far, and the end.
    #[pyo3(signature = (number, most=1))]
    fn begin(&self, number: Option<u64>, most: usize) -> PyResult<()> {
        self.inner.with(|inner| {
            inner.line.set_limits(Limits::begin(inner.dialogue.options()));
            inner.awaited = Awaited { number, most, until: None };
            if number.is_none() {
                inner.dialogue.part();
            }
        })
    }

    /// Does what can be done without waiting. See [`Watch`].
    fn turn(&self, py: Python<'_>) -> PyResult<Watch> {
        self.inner.detached(py, Inner::turn)
    }

    /// Never: content comes at once.
    fn waits_for_source(&self) -> bool {
        false
    }

    /// The answer, if it is there. What a function of the caller's raised comes before it.
    fn poll_answer(&self, py: Python<'_>, number: u64) -> PyResult<Option<Answer>> {
        let mut answer = None;
        if self.inner.raised.is_some() {
            let report = self.inner.with(|inner| inner.report(number))?;
            if !self.is_looped {
                self.inner.with(|inner| inner.line.close())?; // a loop watches it
            }
            match report {
                // An exception of the library's would say the contrary. It is for what comes next, or told at the end.
                Some(report)
                    if !self.is_plain && report.failure().is_none() && self.inner.raised.may_wait(py) =>
                {
                    answer = Some(dialogue::Answer::Sent(report));
                }
                report => return Err(self.ended(py, report.as_deref())),
            }
        }
        if answer.is_none() {
            answer = self.inner.look(|inner| {
                let answer = inner.answers.remove(&number);
                if answer.is_some() {
                    // An idle connection has all the time of the world, but what a function of the caller's raises still ends it.
                    let cancel = inner.dialogue.options().cancel.clone();
                    inner.line.set_limits(Limits::new(None, cancel));
                    inner.awaited = Awaited::default();
                }
                answer
            })?;
        }
        let Some(answer) = answer else { return Ok(None) };
        let UnderWay { sources, index } = self.under_way().remove(&number).unwrap_or_default();
        Ok(Some(match answer {
            dialogue::Answer::Sent(report) => {
                let withdrawn = self.inner.raised.take_withdrawn(py, index, report.error.as_ref());
                let raised = withdrawn.or_else(|| raised_in(py, &sources));
                let raised = raised.or_else(|| self.inner.raised.blamed(py, report.error.as_ref()));
                Answer {
                    report: Some(Py::new(py, PySent(report))?),
                    raised: raised.map(|raised| raised.into_value(py)),
                    ..Answer::default()
                }
            }
            dialogue::Answer::Reply(Ok(reply)) => {
                Answer { reply: Some(plain(py, reply.value())?.unbind()), ..Answer::default() }
            }
            dialogue::Answer::Reply(Err(error)) | dialogue::Answer::Done(Err(error)) => {
                let raised = self.inner.raised.blamed(py, Some(&error));
                Answer {
                    failure: Some(plain(py, error.value())?.unbind()),
                    raised: raised.map(|raised| raised.into_value(py)),
                    ..Answer::default()
                }
            }
            dialogue::Answer::Done(Ok(())) => Answer::default(),
        }))
    }

    /// The exception if no answer will come.
    fn gone(&self, py: Python<'_>) -> PyResult<PyErr> {
        let fault = self.inner.look(|inner| inner.dialogue.engine().fault().cloned())?;
        let fault = fault.unwrap_or_else(|| Error::new(Kind::Closed, Step::Command, "the session is closed"));
        let cause = self.inner.raised.blamed(py, Some(&fault));
        Ok(raise_from(py, &fault.with_server(self.name.clone()), None, cause))
    }

    /// Ends everything, and closes the connection.
    fn abort(&self, text: &str) -> PyResult<()> {
        self.inner.with(|inner| {
            inner.dialogue.abort(Error::new(Kind::Cancelled, Step::Command, text));
            inner.line.close();
        })
    }

    /// Closes the connection. In a child by fork(2) it may be in the hands of a thread that is not there: it is left open then.
    fn close(&self) -> PyResult<()> {
        let closed = self.inner.with(|inner| inner.line.close());
        if self.inner.is_forked() { Ok(()) } else { closed }
    }

    /// Tells what a function of the caller's raised, for which nobody asks any more.
    fn tell_raised(&self, py: Python<'_>) -> PyResult<()> {
        self.inner.raised.tell(py)
    }

    // Sockets.

    /// The socket, not blocking; `None` if there is no connection.
    #[getter]
    fn sock(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.inner.object(py)
    }

    /// Gives the connection away as a socket, and the seconds that the server may take for what comes next.
    fn detach(&self, py: Python<'_>) -> PyResult<(Py<PyAny>, Option<f64>)> {
        self.inner.with(|inner| {
            let timeout = convert::seconds(inner.dialogue.timeout());
            if let Some(socket) = inner.line.socket.take() {
                return Ok((socket.object().clone_ref(py), timeout));
            }
            let next = Connection::new(inner.dialogue.options()).map_err(|error| raise(py, &error, None))?;
            let stream = std::mem::replace(&mut inner.line.connection, next).into_stream();
            let Some(stream) = stream else { return Err(self.gone(py)?) };
            Ok((socket::open(py, stream.into())?.unbind(), timeout))
        })?
    }

    /// Goes on over a socket of Python's; under TLS if that is.
    fn attach(&self, sock: &Bound<'_, PyAny>) -> PyResult<()> {
        let socket = PySocket::new(sock, &self.inner.raised)?;
        if !self.is_plain {
            sock.call_method1("setblocking", (false,))?;
        }
        self.inner.with(|inner| {
            if socket.is_tls() && !inner.dialogue.engine().is_encrypted() {
                inner.dialogue.tls_established();
            }
            inner.line.socket = Some(socket);
        })
    }

    /// Tells that the connection failed.
    fn fail(&self, text: &str) -> PyResult<()> {
        self.inner.with(|inner| inner.dialogue.handle_error(Error::new(Kind::Closed, Step::Command, text)))
    }

    // What may be asked.

    fn introduce(&self) -> PyResult<u64> {
        self.inner.with(|Inner { dialogue, .. }| dialogue.introduce().number())
    }

    /// A verb that is one command, by its name, with what it takes.
    #[pyo3(signature = (verb, *arguments))]
    fn ask(&self, py: Python<'_>, verb: &str, arguments: Vec<String>) -> PyResult<u64> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ticket = self.inner.with(|inner| inner.dialogue.verb(verb, &arguments))?;
        ticket.map(|ticket| ticket.number()).map_err(|error| raise(py, &error, None))
    }

    /// A whole command line without its CRLF.
    fn raw(&self, py: Python<'_>, line: &str) -> PyResult<u64> {
        self.command(py, |_| Ok(Command::Raw(RawCommand::new(line)?)))
    }

    /// A line of a login that the caller drives: AUTH, or a response. It is in no transcript.
    fn raw_secret(&self, py: Python<'_>, line: &str) -> PyResult<u64> {
        self.command(py, |_| Ok(Command::Raw(RawCommand::secret(line)?)))
    }

    /// STARTTLS and the handshake after it.
    fn starttls(&self, py: Python<'_>) -> PyResult<u64> {
        let ticket = self.inner.with(|inner| inner.dialogue.starttls())?;
        ticket.map(|ticket| ticket.number()).map_err(|error| raise(py, &error, None))
    }

    /// STARTTLS alone: after its 220 the caller detaches the socket, wraps it, and attaches that.
    fn starttls_below(&self, py: Python<'_>) -> PyResult<u64> {
        let ticket = self.inner.with(|inner| inner.dialogue.starttls_below())?;
        ticket.map(|ticket| ticket.number()).map_err(|error| raise(py, &error, None))
    }

    #[pyo3(signature = (user, password, mechanism=None))]
    fn login(
        &self,
        py: Python<'_>,
        user: &str,
        password: &Bound<'_, PyAny>,
        mechanism: Option<&str>,
    ) -> PyResult<u64> {
        let password = secret("password", password)?;
        let ticket = self.inner.with(|Inner { dialogue, .. }| dialogue.login(user, password, mechanism))?;
        ticket.map(|ticket| ticket.number()).map_err(|error| raise(py, &error, None))
    }

    /// DATA and content, for the recipients that `rcpt` got accepted.
    fn data(&self, content: PyBackedBytes) -> PyResult<u64> {
        let content = Box::new(Once::new(Box::new(std::io::Cursor::new(content))));
        self.inner.with(|Inner { dialogue, .. }| dialogue.data(content).number())
    }

    /// A message, as a token or as bytes, with the envelope that the options or its header section give. `index` is what
    /// option `commit` knows it by.
    #[pyo3(signature = (message, options, index=0))]
    fn send_message(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PyAny>,
        options: &Bound<'_, PyOptions>,
        index: u64,
    ) -> PyResult<u64> {
        let options = options.get();
        self.own.check(py, options)?;
        let PyMessage { core, sources } = match message.cast::<PyBytes>() {
            Ok(bytes) => Message::from_bytes(bytes.as_bytes()).into(),
            Err(_) => message.cast::<PyMessage>()?.try_borrow()?.copy(py),
        };
        let own = options.for_message(py, &self.inner.raised);
        let ask = |Inner { dialogue, .. }: &mut Inner| {
            own.refuse_mailer_options().and_then(|()| dialogue.send_one_of(&core, &own, index))
        };
        let ticket = self.inner.with(ask)?;
        let number = ticket.map_err(|error| raise_from(py, &error, None, raised_in(py, &sources)))?.number();
        if !sources.is_empty() || self.own.has_commit() {
            self.under_way().insert(number, UnderWay { sources, index });
        }
        Ok(number)
    }

    /// Keywords and parameters that the server offered last.
    fn extensions(&self) -> PyResult<Vec<(String, String)>> {
        self.inner.look(|Inner { dialogue, .. }| {
            let keywords = dialogue.extensions().keywords();
            keywords.map(|(keyword, parameters)| (keyword.to_owned(), parameters.to_owned())).collect()
        })
    }

    /// The mechanisms that the server offered last.
    fn auth_types(&self) -> PyResult<Vec<String>> {
        self.inner.look(|Inner { dialogue, .. }| dialogue.extensions().auth().to_vec())
    }

    /// Whether the connection can still be used.
    #[getter]
    fn is_open(&self) -> PyResult<bool> {
        self.inner.look(|inner| inner.line.is_open() && !inner.dialogue.engine().is_closed())
    }

    /// Whether the socket that it was made over leads to this machine.
    #[getter]
    fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    #[getter]
    fn is_encrypted(&self) -> PyResult<bool> {
        self.inner.look(|Inner { dialogue, .. }| dialogue.engine().is_encrypted())
    }

    #[getter]
    fn is_introduced(&self) -> PyResult<bool> {
        self.inner.look(|Inner { dialogue, .. }| dialogue.engine().is_introduced())
    }
}

impl Dialogue {
    fn command(
        &self,
        py: Python<'_>,
        command: impl FnOnce(&Core) -> Result<Command, Error>,
    ) -> PyResult<u64> {
        let ticket =
            self.inner.with(|Inner { dialogue, .. }| Ok(dialogue.command(command(dialogue)?).number()))?;
        ticket.map_err(|error| raise(py, &error, None))
    }

    /// The exception if a function of the caller's has ended the call, and the message with that report with it.
    fn ended(&self, py: Python<'_>, report: Option<&Report>) -> PyErr {
        let error = report.and_then(|report| report.error.clone());
        let error = error.unwrap_or_else(|| ended().with_server(self.name.clone()));
        match self.inner.raised.take(py) {
            Some(raised) if self.is_plain => raised,
            raised => raise_from(py, &error, report, raised),
        }
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<u64, UnderWay>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
