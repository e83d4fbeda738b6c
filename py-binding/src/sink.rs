//! The project's test server, for trying things out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use scripted_server::sink::{self, Certificate, SinkOptions};

/// A server for tests, which takes every message and keeps it.
///
/// listen: the address and port on which it listens; port 0 is a free one, which `port` tells.
/// unix: the path of a Unix socket to listen on instead.
/// dump: a folder that each message is also written to, as `N.eml`, and its MAIL and RCPT lines as `N.envelope`.
/// keep: whether `messages` has what it took.
/// rejects: recipients that it refuses, each a rule `PATTERN=CODE TEXT`, where `*` in the pattern is anything and the code 400 to 599.
/// faults: what goes wrong, each a rule `STEP=FAULT`, or `STEP#N=FAULT` for the Nth time, counted from 1 over all connections. The steps are
///   `greeting`, `hello`, `starttls`, `auth`, `mail`, `rcpt`, `data`, `final`, `rset` and `quit`; the faults a reply of 400 to 599
///   (`451 4.3.0 Later`), `close`, `reset`, `silence` and `delay SECONDS`. At `final` the message was taken, unless the fault is a reply.
/// size: the most octets that a message may have (SIZE, RFC 1870); `None`: any number.
/// lmtp: whether it speaks LMTP (RFC 2033).
/// chunking: whether it offers CHUNKING and BINARYMIME (RFC 3030).
/// pipelining: whether it offers PIPELINING (RFC 2920).
/// eight_bit_mime: whether it offers 8BITMIME (RFC 6152).
/// smtputf8: whether it offers SMTPUTF8 (RFC 6531), which needs 8BITMIME; `None`: if it offers that.
/// verbose: whether it prints the dialogue.
/// tls: `"starttls"` or `"implicit"`, with a certificate for localhost that it makes; `certificate` is what option `tlsca` of a client takes.
/// users: passwords by name: nobody else may send. PLAIN, LOGIN and XOAUTH2 (the password is the access token) are offered, under TLS alone
///   if there is TLS.
///
/// Raises `ValueError` for a rule, address or word that is not of these forms, and `OSError` if it cannot listen. It stops taking connections
/// when it is closed.
#[pyclass(frozen, module = "smtpclient.testing")]
pub(crate) struct Sink(Mutex<State>);

/// After the end of a server what it took can still be looked at.
enum State {
    Running(sink::Sink),
    Closed(Kept),
}

struct Kept {
    port: u16,
    count: u64,
    messages: Vec<sink::Stored>,
    certificate: Option<String>,
}

impl From<&sink::Sink> for Kept {
    fn from(sink: &sink::Sink) -> Self {
        Self {
            port: sink.port(),
            count: sink.count(),
            messages: sink.messages(),
            certificate: sink.authority().map(str::to_owned),
        }
    }
}

type Stored<'py> = (Vec<String>, Bound<'py, PyBytes>);

#[pymethods]
impl Sink {
    #[new]
    #[pyo3(signature = (listen="127.0.0.1:0", *, unix=None, dump=None, keep=true, rejects=None, faults=None, size=None,
        lmtp=false, chunking=false, pipelining=true, eight_bit_mime=true, smtputf8=None, verbose=false,
        tls=None, users=BTreeMap::new()))]
    #[expect(clippy::too_many_arguments, reason = "by name in Python")]
    #[expect(clippy::fn_params_excessive_bools, reason = "by name in Python")]
    fn new(
        listen: &str,
        unix: Option<PathBuf>,
        dump: Option<PathBuf>,
        keep: bool,
        rejects: Option<&Bound<'_, PyAny>>,
        faults: Option<&Bound<'_, PyAny>>,
        size: Option<u64>,
        lmtp: bool,
        chunking: bool,
        pipelining: bool,
        eight_bit_mime: bool,
        smtputf8: Option<bool>,
        verbose: bool,
        tls: Option<&str>,
        users: BTreeMap<String, String>,
    ) -> PyResult<Self> {
        if !matches!(tls, None | Some("starttls" | "implicit")) {
            return Err(PyValueError::new_err(format!(
                "tls wants \"starttls\", \"implicit\" or None, not {:?}",
                tls.unwrap_or_default()
            )));
        }
        let listen: SocketAddr = listen
            .parse()
            .map_err(|_| PyValueError::new_err(format!("listen wants ADDRESS:PORT, not {listen:?}")))?;
        let mut options = SinkOptions {
            listen,
            unix,
            dump,
            keep,
            size,
            lmtp,
            chunking,
            pipelining,
            eight_bit_mime,
            smtputf8,
            verbose,
            tls: tls.map(|_| Certificate::Made),
            tls_first: tls == Some("implicit"),
            users: users.into_iter().collect(),
            ..SinkOptions::default()
        };
        for rule in rules("rejects", rejects)? {
            options.reject(&rule).map_err(PyValueError::new_err)?;
        }
        for rule in rules("faults", faults)? {
            options.faults.push(rule.parse().map_err(PyValueError::new_err)?);
        }
        Ok(Self(Mutex::new(State::Running(sink::Sink::start(options)?))))
    }

    /// The port; 0 for a Unix socket.
    #[getter]
    fn port(&self) -> u16 {
        self.look(|sink| sink.port(), |kept| kept.port)
    }

    /// What option `tlsca` of a client takes, so that it trusts this server as `localhost` and `127.0.0.1`; `None` without TLS.
    #[getter]
    fn certificate(&self) -> Option<String> {
        self.look(|sink| sink.authority().map(str::to_owned), |kept| kept.certificate.clone())
    }

    /// How many messages were taken.
    #[getter]
    fn count(&self) -> u64 {
        self.look(|sink| sink.count(), |kept| kept.count)
    }

    /// The messages that were taken and kept: the MAIL and RCPT lines, and the content.
    fn messages<'py>(&self, py: Python<'py>) -> Vec<Stored<'py>> {
        let messages = self.look(|sink| sink.messages(), |kept| kept.messages.clone());
        messages.into_iter().map(|m| (m.envelope, PyBytes::new(py, &m.content))).collect()
    }

    /// Ends the server. What it took can still be looked at.
    fn close(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Running(sink) = &*state {
            let kept = Kept::from(sink);
            *state = State::Closed(kept);
        }
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __exit__(&self, _type: Py<PyAny>, _value: Py<PyAny>, _traceback: Py<PyAny>) {
        self.close();
    }
}

impl Sink {
    fn look<R>(&self, running: impl FnOnce(&sink::Sink) -> R, closed: impl FnOnce(&Kept) -> R) -> R {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Running(sink) => running(sink),
            State::Closed(kept) => closed(kept),
        }
    }
}

/// The rules of an argument, each a text.
fn rules(name: &str, value: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<String>> {
    let Some(value) = value else { return Ok(Vec::new()) };
    value.extract().map_err(|_| {
        let given = value.get_type().name().map_or_else(|_| "that".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("{name} wants a list of rules, each a str, not {given}"))
    })
}
