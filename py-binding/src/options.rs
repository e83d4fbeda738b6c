//! Options with Python's types.

use std::borrow::Cow;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use pyo3::{PyTraverseError, PyVisit};
use smtpclient::cancel::Cancel;
use smtpclient::error::Error;
use smtpclient::net;
use smtpclient::options::{self, OptionGroup, OptionKind, Options, Recipients, shown_server};
use smtpclient::sasl::check_custom;
use smtpclient::tls::TlsConfig;

use crate::callback::{self, Callbacks, Functions, Held, Raised};
use crate::convert::raise;
use crate::mechanism::PyMechanism;
use crate::values::{callable, fields, secret, strings, text, wrong};
use crate::{recipients, signer};

/// What is not an option by a text.
const OBJECTS: [&str; 8] =
    ["transcript", "commit", "progress", "dialler", "mechanisms", "signers", "cancel", "tls"];

/// How to send. Unchangeable; threads may share one.
#[pyclass(frozen, module = "smtpclient", name = "Options")]
pub(crate) struct PyOptions {
    core: Options,
    policy: Option<Held>,
    token: Option<Held>,
    dialler: Option<Held>,
    progress: Option<Held>,
    mechanisms: Vec<PyMechanism>,
    signers: Vec<Held>,
    transcript: Option<Held>,
    commit: Option<Held>,
    pub(crate) cancel: Option<Cancel>,
    debug: bool,
}

/// Ends calls from another thread.
#[pyclass(frozen, module = "smtpclient", name = "Cancel")]
#[derive(Default)]
pub(crate) struct PyCancel(Cancel);

#[pymethods]
impl PyCancel {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Ends every call that has this as its option `cancel`, from any thread; they raise `Cancelled`, or `OutcomeUnknown`.
    fn trigger(&self) {
        self.0.trigger();
    }

    /// Makes it fit for another call.
    fn reset(&self) {
        self.0.reset();
    }

    /// Whether `trigger` was called since the last `reset`.
    #[getter]
    fn triggered(&self) -> bool {
        self.0.is_triggered()
    }
}

/// TLS set up once.
#[pyclass(frozen, module = "smtpclient", name = "TLS")]
pub(crate) struct PyTls(TlsConfig);

#[pymethods]
impl PyTls {
    #[new]
    #[pyo3(signature = (**values))]
    fn new(values: Option<&Bound<'_, PyDict>>, py: Python<'_>) -> PyResult<Self> {
        let mut options = PyOptions::fresh();
        for (name, value) in values.into_iter().flatten() {
            let name: &str = name.extract()?;
            if !options::find(name).is_ok_and(|option| option.group == OptionGroup::TlsSetup) {
                let all = options::all().filter(|option| option.group == OptionGroup::TlsSetup);
                let all: Vec<_> = all.map(|option| option.name).collect();
                let text = format!("`{name}` does not say what TLS is like: use {}", all.join(", "));
                return Err(PyTypeError::new_err(text));
            }
            if !value.is_none() {
                options.set(name, &value)?;
            }
        }
        let core = options.core;
        py.detach(|| net::tls(&core)).map(Self).map_err(|error| raise(py, &error, None))
    }

    /// Whether a file was written or replaced since it was read.
    #[getter]
    fn changed(&self) -> bool {
        self.0.changed()
    }

    fn __repr__(&self) -> &'static str {
        "<TLS>"
    }
}

/// The names of all options.
#[pyfunction]
pub(crate) fn option_names() -> Vec<&'static str> {
    options::all().map(|option| option.name).chain(OBJECTS).collect()
}

/// What is known of an option.
#[pyclass(frozen, get_all, module = "smtpclient._native", name = "OptionInfo")]
pub(crate) struct PyOptionInfo {
    name: &'static str,
    kind: &'static str,
    words: Vec<&'static str>,
    group: &'static str,
    default: &'static str,
    help: &'static str,
}

/// All options that are set by a text, in groups.
#[pyfunction]
pub(crate) fn option_table() -> Vec<PyOptionInfo> {
    let of = |group| options::all().filter(move |option| option.group == group);
    let all = OptionGroup::ALL.into_iter().flat_map(of);
    all.map(|option| PyOptionInfo {
        name: option.name,
        kind: option.kind.name(),
        words: option.kind.words().to_vec(),
        group: option.group.title(),
        default: option.default,
        help: option.help(),
    })
    .collect()
}

#[pymethods]
impl PyOptions {
    #[new]
    #[pyo3(signature = (base=None, /, **values))]
    fn new(base: Option<&Self>, values: Option<&Bound<'_, PyDict>>, py: Python<'_>) -> PyResult<Self> {
        let mut options = match base {
            Some(base) => base.copy(py),
            None => Self::fresh(),
        };
        for (name, value) in values.into_iter().flatten() {
            if !value.is_none() {
                options.set(name.extract()?, &value)?;
            }
        }
        Ok(options)
    }

    /// The option of that name.
    #[getter]
    fn transcript(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.transcript.as_ref().and_then(|transcript| transcript.get(py))
    }

    /// The function that is told how far messages have got.
    #[getter]
    pub(crate) fn progress(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.progress.as_ref().and_then(|progress| progress.get(py))
    }

    /// The function that gives access tokens.
    #[getter]
    fn token_function(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.token.as_ref().and_then(|token| token.get(py))
    }

    /// The caller's own login mechanisms.
    #[getter]
    fn mechanisms(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.mechanisms.iter().filter_map(|mechanism| mechanism.held.get(py)).collect()
    }

    /// The function that is asked before a message leaves.
    #[getter]
    pub(crate) fn commit(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.commit.as_ref().and_then(|commit| commit.get(py))
    }

    /// The functions that belong to a session or mailer, for all its messages, by the names of their options.
    #[pyo3(name = "_owned")]
    pub(crate) fn owned(&self, py: Python<'_>) -> [(&'static str, Option<Py<PyAny>>); 4] {
        let own = |held: &Option<Held>| held.as_ref().and_then(|held| held.get(py));
        [
            ("commit", own(&self.commit)),
            ("progress", own(&self.progress)),
            ("tlspolicy", own(&self.policy)),
            ("dialler", own(&self.dialler)),
        ]
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.held().try_for_each(|held| held.visit(&visit))
    }

    fn __clear__(&self) {
        self.held().for_each(Held::clear);
    }

    /// The option of that name.
    #[getter]
    fn debug(&self) -> bool {
        self.debug
    }

    /// The option of that name.
    #[getter]
    fn tlsimport(&self) -> bool {
        self.core.tlsimport
    }

    /// The option of that name.
    #[getter]
    fn lmtp(&self) -> bool {
        self.core.lmtp
    }

    /// A copy whose envelope comes from these header fields.
    fn for_fields(&self, py: Python<'_>, fields: Vec<(String, String)>) -> Self {
        let mut copy = self.copy(py);
        (copy.core.originator, copy.core.recipients) = (None, None);
        copy.core.header.extend(fields);
        copy
    }

    fn __repr__(&self) -> String {
        let list =
            |items: &[String]| items.iter().map(|item| shown_server(item)).collect::<Vec<_>>().join(" ");
        let secret = if self.core.password.is_some() || self.core.oauthtoken.is_some() || self.token.is_some()
        {
            " ***"
        } else {
            ""
        };
        let user = self.core.username.as_deref().map_or_else(String::new, |user| format!(" as {user}"));
        let servers =
            if self.core.servers.is_empty() { "localhost".to_owned() } else { list(&self.core.servers) };
        format!("<Options {servers}{user}{secret}>")
    }
}

impl PyOptions {
    /// For a call: with the functions that it calls, and their owner.
    pub(crate) fn bind(&self, py: Python<'_>, raised: &Raised, functions: Functions) -> (Options, Callbacks) {
        let mut options = self.core.clone();
        let mut callbacks = Callbacks::bind(
            py,
            &mut options,
            self.policy.as_ref(),
            self.token.as_ref(),
            self.dialler.as_ref(),
            functions,
            raised,
        );
        callbacks.add(py, &mut options, &self.mechanisms, self.progress.as_ref());
        callbacks.add_signers(py, &mut options, &self.signers);
        options.cancel = Some(callback::cancel(raised, self.cancel.clone()));
        (options, callbacks)
    }

    fn held(&self) -> impl Iterator<Item = &Held> {
        let mechanisms = self.mechanisms.iter().map(|mechanism| &mechanism.held);
        let functions =
            [&self.policy, &self.token, &self.dialler, &self.progress, &self.transcript, &self.commit];
        functions.into_iter().flatten().chain(mechanisms).chain(&self.signers)
    }

    /// For one message of a session or mailer, which has all other functions: with its signers.
    pub(crate) fn for_message(&self, py: Python<'_>, raised: &Raised) -> Cow<'_, Options> {
        if self.signers.is_empty() {
            return Cow::Borrowed(&self.core);
        }
        let mut options = self.core.clone();
        let own = self.signers.iter().filter_map(|signer| signer.again(py));
        options.signers.extend(own.map(|own| signer::bind(own, raised)));
        Cow::Owned(options)
    }

    /// For envelopes and servers, which call nothing.
    pub(crate) fn core(&self) -> &Options {
        &self.core
    }

    fn fresh() -> Self {
        Self {
            core: Options::default(),
            policy: None,
            token: None,
            dialler: None,
            progress: None,
            mechanisms: Vec::new(),
            signers: Vec::new(),
            transcript: None,
            commit: None,
            cancel: None,
            debug: false,
        }
    }

    fn copy(&self, py: Python<'_>) -> Self {
        Self {
            core: self.core.clone(),
            policy: self.policy.as_ref().and_then(|policy| policy.again(py)),
            token: self.token.as_ref().and_then(|token| token.again(py)),
            dialler: self.dialler.as_ref().and_then(|dialler| dialler.again(py)),
            progress: self.progress.as_ref().and_then(|progress| progress.again(py)),
            mechanisms: self.mechanisms.iter().filter_map(|mechanism| mechanism.again(py)).collect(),
            signers: self.signers.iter().filter_map(|signer| signer.again(py)).collect(),
            transcript: self.transcript.as_ref().and_then(|transcript| transcript.again(py)),
            commit: self.commit.as_ref().and_then(|commit| commit.again(py)),
            cancel: self.cancel.clone(),
            debug: self.debug,
        }
    }

    fn set(&mut self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = value.py();
        match name {
            "transcript" => {
                self.transcript = Some(Held::new(callable(name, value)?));
                return Ok(());
            }
            "commit" => {
                self.commit = Some(Held::new(callable(name, value)?));
                return Ok(());
            }
            "progress" => {
                self.progress = Some(Held::new(callable(name, value)?));
                return Ok(());
            }
            "dialler" => {
                self.dialler = Some(Held::new(callable(name, value)?));
                return Ok(());
            }
            "mechanisms" => {
                let mechanisms = PyMechanism::all(value)?;
                let bound: Vec<_> = mechanisms.iter().map(|one| one.bind(&Raised::default())).collect();
                let checked = check_custom(&bound).map_err(|error| about(name, &error));
                checked.map_err(|error| raise(py, &error, None))?;
                self.mechanisms = mechanisms;
                return Ok(());
            }
            "signers" => {
                self.signers = signer::signers(value)?;
                return Ok(());
            }
            "tlspolicy" if value.is_callable() => {
                self.policy = Some(Held::new(value.clone().unbind()));
                return Ok(());
            }
            "tlspolicy" => self.policy = None,
            "oauthtoken" if value.is_callable() => {
                (self.token, self.core.oauthtoken) = (Some(Held::new(value.clone().unbind())), None);
                return Ok(());
            }
            "oauthtoken" => self.token = None,
            "cancel" => {
                let cancel = value.cast::<PyCancel>().map_err(|_| wrong(name, "a Cancel", value))?;
                self.cancel = Some(cancel.get().0.clone());
                return Ok(());
            }
            "tls" => {
                let tls = value.cast::<PyTls>().map_err(|_| wrong(name, "a TLS", value))?;
                self.core.tls = Some(Arc::new(tls.get().0.clone()));
                return Ok(());
            }
            _ => {}
        }
        let option =
            options::find(name).ok().filter(|option| option.name == name).ok_or_else(|| unknown(name))?;
        let is_text = value.is_instance_of::<PyString>();
        let set = match option.kind {
            OptionKind::Secret => self.core.set_octets(name, secret(name, value)?.expose()),
            OptionKind::Certificates if !is_text => {
                let bytes = value.cast::<PyBytes>().map_err(|_| wrong(name, "a str or bytes", value))?;
                self.core.set_octets(name, bytes.as_bytes())
            }
            // As they are: their ports stand in the same order.
            OptionKind::Servers if !is_text => {
                self.core.servers = strings(name, value)?;
                Ok(())
            }
            OptionKind::Header if !is_text => {
                self.core.header = fields(value)?;
                Ok(())
            }
            OptionKind::Addresses if !is_text => {
                self.core.recipients = Some(Recipients::default());
                return recipients::add(&mut self.core, value);
            }
            _ => {
                let text = text(name, value)?;
                if option.kind == OptionKind::Header {
                    self.core.header.clear();
                }
                self.core.set(name, &text)
            }
        };
        set.map_err(|error| raise(py, &error, None))?;
        if name == "debug" {
            // Python prints it, to its own sys.stderr.
            self.debug = std::mem::take(&mut self.core.debug);
        }
        Ok(())
    }
}

/// The error of an option's value, as the core words it.
fn about(name: &str, error: &Error) -> Error {
    Error::usage(format!("option `{name}`: {}", error.text()))
}

/// Names are those of Python's keywords, in one case only.
fn unknown(name: &str) -> PyErr {
    let text = match options::find(name) {
        Ok(option) => format!("there is no option `{name}`: did you mean `{}`?", option.name),
        Err(error) => error.text().to_owned(),
    };
    PyTypeError::new_err(text)
}
