//! A session without any I/O. What is asked gives a number; `poll_answer` names it.

use std::collections::HashMap;
use std::io::BufReader;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use pyo3::{PyTraverseError, PyVisit};
use smtpclient::command::{
    ClientName, Command, ForwardPath, Mail, MailParameters, Parameter, RawCommand, Rcpt, RcptParameters,
    ReversePath, Text,
};
use smtpclient::content::Once;
use smtpclient::conversation::Conversation;
use smtpclient::dialogue::{self, Answer};
use smtpclient::engine::Protocol;
use smtpclient::error::Error;
use smtpclient::message::Message;
use smtpclient::net::{self, Limits};

use crate::callback::{Callbacks, Raised};
use crate::convert::{self, dial_error, raise, raise_from};
use crate::driven::{Driven, driven, ends};
use crate::message::{PyMessage, raised_in};
use crate::options::{PyOptions, secret};
use crate::report::PySent;
use crate::server::PyServer;
use crate::source::{PyReader, Source};
use crate::stream::{Open, PyStream};

/// A session over a connection whose bytes Python moves.
#[pyclass(frozen, module = "smtpclient._native")]
pub(crate) struct Dialogue {
    driven: Driven<dialogue::Dialogue>,
    /// What messages under way are read from.
    sources: Mutex<HashMap<u64, Vec<Py<Source>>>>,
    callbacks: Callbacks,
}

driven!(Dialogue);

type Core = dialogue::Dialogue;

#[pymethods]
impl Dialogue {
    #[new]
    #[pyo3(signature = (server, options, listener=None, *, peer=None, local=None, loopback=false, can_redial=false))]
    #[expect(clippy::too_many_arguments, reason = "by name in Python")]
    fn new(
        py: Python<'_>,
        server: PyRef<'_, PyServer>,
        options: PyRef<'_, PyOptions>,
        listener: Option<Py<PyAny>>,
        peer: Option<(String, u16)>,
        local: Option<&str>,
        loopback: bool,
        can_redial: bool,
    ) -> PyResult<Self> {
        let raised = Raised::default();
        let (options, callbacks) = options.bind(py, &raised, listener);
        let library = options.refuse_mailer_options().and_then(|()| net::library(&options));
        let made = library.and_then(|library| {
            let ends = ends(peer, local, loopback);
            Core::new(server.0.clone(), options, Some(library), ends, net::local(), can_redial)
        });
        let dialogue = made.map_err(|error| raise(py, &error, None))?;
        Ok(Self { driven: Driven::new(dialogue, raised), sources: Mutex::default(), callbacks })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.callbacks.visit(&visit)?;
        // Whoever has the lock is at work with it: no garbage.
        let Ok(sources) = self.sources.try_lock() else { return Ok(()) };
        sources.values().flatten().try_for_each(|source| visit.call(source))
    }

    fn __clear__(&self) {
        self.callbacks.clear();
        let sources = std::mem::take(&mut *self.sources());
        drop(sources);
    }

    /// The next answer: number, reply, report, failure, and the exception that a reader of the caller's raised.
    fn poll_answer<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some((ticket, answer)) = self.driven.with(Core::poll_answer)? else { return Ok(None) };
        let number = ticket.number();
        let sources = self.sources().remove(&number).unwrap_or_default();
        Ok(Some(match answer {
            Answer::Sent(report) => {
                let (none, report) = (py.None(), PySent(report));
                (number, &none, report, &none, raised_in(&sources)).into_pyobject(py)?.into_any()
            }
            Answer::Reply(Ok(reply)) => {
                let none = py.None();
                (number, convert::reply(&reply), &none, &none, &none).into_pyobject(py)?.into_any()
            }
            Answer::Reply(Err(error)) | Answer::Done(Err(error)) => {
                let none = py.None();
                (number, &none, &none, convert::failure(&error), &none).into_pyobject(py)?.into_any()
            }
            Answer::Done(Ok(())) => {
                let none = py.None();
                (number, &none, &none, &none, &none).into_pyobject(py)?.into_any()
            }
        }))
    }

    /// How many times `poll_answer` has something.
    fn answers(&self) -> PyResult<usize> {
        self.driven.with(|dialogue| dialogue.answers())
    }

    /// Moves bytes without the GIL until there is an answer, `wants_redial`, `is_closed`, or nothing is due; and goes on
    /// until there are `most`, as long as the server answers at once. `most` 0: until `is_closed`. `left` are the seconds
    /// that the whole call may take.
    #[pyo3(signature = (stream, most=1, left=None))]
    fn run(
        &self,
        py: Python<'_>,
        stream: &Bound<'_, PyStream>,
        most: usize,
        left: Option<f64>,
    ) -> PyResult<()> {
        let left = left.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
        let deadline = left.and_then(|left| Instant::now().checked_add(left));
        let stream = stream.get();
        py.detach(|| {
            let mut open = stream.lock()?;
            let Some(Open { stream, buffer }) = open.as_mut() else { return Ok(()) };
            self.driven.with(|dialogue| {
                let limits = Limits { deadline, cancel: dialogue.options().cancel.clone() };
                let over = |d: &mut Core| d.wants_redial() || d.is_closed();
                net::run(stream, dialogue, &limits, buffer, |d| (most > 0 && d.has_answers()) || over(d));
                if most > 1 && dialogue.has_answers() {
                    net::linger(stream, dialogue, buffer, |d| d.answers() >= most || over(d));
                }
            })
        })
    }

    /// Whether `poll_answer` has something.
    fn has_answers(&self) -> PyResult<bool> {
        self.driven.with(|dialogue| dialogue.has_answers())
    }

    fn introduce(&self) -> PyResult<u64> {
        self.driven.with(|dialogue| dialogue.introduce().number())
    }

    /// `None`: the name of option `client`.
    #[pyo3(signature = (name=None))]
    fn ehlo(&self, py: Python<'_>, name: Option<&str>) -> PyResult<u64> {
        self.command(py, |dialogue| Ok(Command::Ehlo(client(dialogue, name)?)))
    }

    #[pyo3(signature = (name=None))]
    fn helo(&self, py: Python<'_>, name: Option<&str>) -> PyResult<u64> {
        self.command(py, |dialogue| Ok(Command::Helo(client(dialogue, name)?)))
    }

    #[pyo3(signature = (name=None))]
    fn lhlo(&self, py: Python<'_>, name: Option<&str>) -> PyResult<u64> {
        self.command(py, |dialogue| Ok(Command::Lhlo(client(dialogue, name)?)))
    }

    /// Parameters are `KEYWORD` or `KEYWORD=value`, as they are sent.
    #[pyo3(signature = (path, parameters=Vec::new()))]
    fn mail(&self, py: Python<'_>, path: &str, parameters: Vec<String>) -> PyResult<u64> {
        self.command(py, |_| {
            let parameters = MailParameters { other: others(&parameters)?, ..MailParameters::default() };
            Ok(Command::Mail(Mail { path: ReversePath::new(path)?, parameters }))
        })
    }

    #[pyo3(signature = (path, parameters=Vec::new()))]
    fn rcpt(&self, py: Python<'_>, path: &str, parameters: Vec<String>) -> PyResult<u64> {
        self.command(py, |_| {
            let parameters = RcptParameters { other: others(&parameters)?, ..RcptParameters::default() };
            Ok(Command::Rcpt(Rcpt { path: ForwardPath::new(path)?, parameters }))
        })
    }

    fn rset(&self, py: Python<'_>) -> PyResult<u64> {
        self.command(py, |_| Ok(Command::Rset))
    }

    #[pyo3(signature = (text=None))]
    fn noop(&self, py: Python<'_>, text: Option<&str>) -> PyResult<u64> {
        self.command(py, |_| Ok(Command::Noop(text.map(Text::new).transpose()?)))
    }

    fn vrfy(&self, py: Python<'_>, name: &str) -> PyResult<u64> {
        self.command(py, |_| Ok(Command::Vrfy(Text::new(name)?)))
    }

    fn expn(&self, py: Python<'_>, list: &str) -> PyResult<u64> {
        self.command(py, |_| Ok(Command::Expn(Text::new(list)?)))
    }

    #[pyo3(signature = (topic=None))]
    fn help(&self, py: Python<'_>, topic: Option<&str>) -> PyResult<u64> {
        self.command(py, |_| Ok(Command::Help(topic.map(Text::new).transpose()?)))
    }

    fn quit(&self, py: Python<'_>) -> PyResult<u64> {
        self.command(py, |_| Ok(Command::Quit))
    }

    /// A whole command line without its CRLF.
    fn raw(&self, py: Python<'_>, line: &str) -> PyResult<u64> {
        self.command(py, |_| Ok(Command::Raw(RawCommand::new(line)?)))
    }

    /// A line of a login that the caller drives: AUTH, or a response. It is in no transcript.
    fn raw_secret(&self, py: Python<'_>, line: &str) -> PyResult<u64> {
        self.command(py, |_| Ok(Command::Raw(RawCommand::secret(line)?)))
    }

    /// STARTTLS and the handshake behind it.
    fn starttls(&self, py: Python<'_>) -> PyResult<u64> {
        let ticket = self.driven.with(Core::starttls)?;
        ticket.map(|ticket| ticket.number()).map_err(|error| raise(py, &error, None))
    }

    /// STARTTLS alone: after its 220 the caller wraps the socket and calls `tls_established`.
    fn starttls_below(&self, py: Python<'_>) -> PyResult<u64> {
        let ticket = self.driven.with(Core::starttls_below)?;
        ticket.map(|ticket| ticket.number()).map_err(|error| raise(py, &error, None))
    }

    /// Tells that TLS is up below: behind `starttls_below`, or from the first byte.
    fn tls_established(&self) -> PyResult<()> {
        self.driven.with(Core::tls_established)
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
        let ticket = self.driven.with(|dialogue| dialogue.login(user, password, mechanism))?;
        ticket.map(|ticket| ticket.number()).map_err(|error| raise(py, &error, None))
    }

    /// DATA and content, for the recipients that `rcpt` got accepted.
    fn data(&self, content: PyBackedBytes) -> PyResult<u64> {
        let content = Box::new(Once::new(Box::new(std::io::Cursor::new(content))));
        self.driven.with(|dialogue| dialogue.data(content).number())
    }

    /// As `data`, with content piece by piece: `read(n)` gives bytes, none at the end.
    fn data_from(&self, py: Python<'_>, read: Py<PyAny>) -> PyResult<u64> {
        let (reader, source) = PyReader::new(py, read, None, None)?;
        let content = Box::new(Once::new(Box::new(BufReader::with_capacity(64 * 1024, reader))));
        let number = self.driven.with(|dialogue| dialogue.data(content).number())?;
        self.sources().insert(number, vec![source]);
        Ok(number)
    }

    /// A message, as a token or as bytes, with the envelope that the options or its header section give.
    fn send_message(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PyAny>,
        options: &Bound<'_, PyOptions>,
    ) -> PyResult<u64> {
        let options = options.get();
        let PyMessage { core, sources } = match message.cast::<PyBytes>() {
            Ok(bytes) => Message::from_bytes(bytes.as_bytes()).into(),
            Err(_) => message.cast::<PyMessage>()?.try_borrow()?.copy(py),
        };
        let own = options.core();
        let ask = |dialogue: &mut Core| {
            own.refuse_mailer_options().and_then(|()| dialogue.send_message(&core, own))
        };
        let ticket = self.driven.with(ask)?;
        let number = ticket.map_err(|error| raise_from(py, &error, None, raised_in(&sources)))?.number();
        if !sources.is_empty() {
            self.sources().insert(number, sources);
        }
        Ok(number)
    }

    /// QUIT behind everything asked so far, whose reply is not waited for.
    fn part(&self) -> PyResult<()> {
        self.driven.with(Core::part)
    }

    /// Whether to close the connection and to connect again.
    fn wants_redial(&self) -> PyResult<bool> {
        self.driven.with(|dialogue| dialogue.wants_redial())
    }

    fn reconnected(&self, peer: Option<(String, u16)>, local: Option<&str>, loopback: bool) -> PyResult<()> {
        self.driven.with(|dialogue| dialogue.reconnected(ends(peer, local, loopback)))
    }

    #[pyo3(signature = (text, kind, transient=None))]
    fn redial_failed(&self, text: &str, kind: &str, transient: Option<bool>) -> PyResult<()> {
        self.driven.with(|dialogue| dialogue.redial_failed(dial_error(kind, text, transient)))
    }

    /// Keywords and parameters that the server offered last.
    fn extensions(&self) -> PyResult<Vec<(String, String)>> {
        self.driven.with(|dialogue| {
            let keywords = dialogue.extensions().keywords();
            keywords.map(|(keyword, parameters)| (keyword.to_owned(), parameters.to_owned())).collect()
        })
    }

    /// The mechanisms that the server offered last.
    fn auth_types(&self) -> PyResult<Vec<String>> {
        self.driven.with(|dialogue| dialogue.extensions().auth().to_vec())
    }

    /// Code, enhanced status code and text of the greeting.
    fn greeting(&self) -> PyResult<Option<(u16, Option<String>, String)>> {
        self.driven.with(|dialogue| {
            dialogue.engine().greeting().map(|reply| {
                let (code, enhanced, text, _) = convert::reply(reply);
                (code, enhanced, text.to_owned())
            })
        })
    }

    /// The exception for the fault that ended the connection.
    fn fault(&self, py: Python<'_>) -> PyResult<Option<PyErr>> {
        let fault = self.driven.with(|dialogue| dialogue.engine().fault().cloned())?;
        Ok(fault.map(|fault| raise(py, &fault, None)))
    }

    #[getter]
    fn is_closed(&self) -> PyResult<bool> {
        self.driven.with(Core::is_closed)
    }

    #[getter]
    fn is_encrypted(&self) -> PyResult<bool> {
        self.driven.with(|dialogue| dialogue.engine().is_encrypted())
    }

    #[getter]
    fn is_introduced(&self) -> PyResult<bool> {
        self.driven.with(|dialogue| dialogue.engine().is_introduced())
    }

    #[getter]
    fn is_lmtp(&self) -> PyResult<bool> {
        self.driven.with(|dialogue| dialogue.engine().config().protocol == Protocol::Lmtp)
    }
}

impl Dialogue {
    fn command(
        &self,
        py: Python<'_>,
        command: impl FnOnce(&Core) -> Result<Command, Error>,
    ) -> PyResult<u64> {
        let ticket = self.driven.with(|dialogue| Ok(dialogue.command(command(dialogue)?).number()))?;
        ticket.map_err(|error| raise(py, &error, None))
    }

    fn sources(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Vec<Py<Source>>>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn client(dialogue: &Core, name: Option<&str>) -> Result<ClientName, Error> {
    match name {
        Some(name) => ClientName::parse(name),
        None => Ok(dialogue.engine().config().client.clone()),
    }
}

fn others(parameters: &[String]) -> Result<Vec<Parameter>, Error> {
    parameters.iter().map(|text| Parameter::parse(text)).collect()
}
