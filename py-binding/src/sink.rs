//! The project's test server, for trying things out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use scripted_server::sink::{self, Certificate, SinkOptions};

/// A server that takes every message. It stops taking connections when it is closed.
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
    #[pyo3(signature = (listen="127.0.0.1:0", *, unix=None, dump=None, keep=true, rejects=Vec::new(), faults=Vec::new(), size=None,
        lmtp=false, chunking=false, pipelining=true, eight_bit_mime=true, smtputf8=None, verbose=false,
        tls=None, users=BTreeMap::new()))]
    #[expect(clippy::too_many_arguments, reason = "by name in Python")]
    #[expect(clippy::fn_params_excessive_bools, reason = "by name in Python")]
    fn new(
        listen: &str,
        unix: Option<PathBuf>,
        dump: Option<PathBuf>,
        keep: bool,
        rejects: Vec<String>,
        faults: Vec<String>,
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
        for rule in rejects {
            options.reject(&rule).map_err(PyValueError::new_err)?;
        }
        for rule in faults {
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
