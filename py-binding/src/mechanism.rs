//! Login mechanisms of Python code: objects with a name, which begin exchanges.

use std::sync::Arc;
use std::task::Poll;

use pyo3::exceptions::{PyBlockingIOError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict};
use smtpclient::net::Process;
use smtpclient::options::{CustomExchange, CustomMechanism, CustomStep, LoginFacts};
use smtpclient::secret::Secret;

use crate::callback::{Held, Raised, words};
use crate::inside::attach;
use crate::values::wrong;

/// One of option `mechanisms`. What it says of itself is asked once.
#[derive(Clone)]
pub(crate) struct PyMechanism {
    pub(crate) held: Held,
    name: String,
    reveals_secret: bool,
}

impl PyMechanism {
    /// All of the option.
    pub(crate) fn all(value: &Bound<'_, PyAny>) -> PyResult<Vec<Self>> {
        let wanted = "a list of mechanisms, objects with `name` and `begin`";
        let items = value.try_iter().map_err(|_| wrong("mechanisms", wanted, value))?;
        items
            .map(|item| {
                let item = item?;
                let name = item.getattr("name").and_then(|name| name.extract::<String>());
                let begins = item.getattr("begin").is_ok_and(|begin| begin.is_callable());
                let Ok(name) = name else { return Err(wrong("mechanisms", wanted, &item)) };
                if !begins {
                    return Err(wrong("mechanisms", wanted, &item));
                }
                let reveals_secret = match item.getattr_opt("reveals_secret")? {
                    Some(reveals) => reveals.is_truthy()?,
                    None => true,
                };
                Ok(Self { held: Held::new(item.unbind()), name, reveals_secret })
            })
            .collect()
    }

    /// The same for another owner.
    pub(crate) fn again(&self, py: Python<'_>) -> Option<Self> {
        Some(Self { held: self.held.again(py)?, ..self.clone() })
    }

    /// The mechanism for a call, in which `raised` keeps what ends it.
    pub(crate) fn bind(&self, raised: &Raised) -> Arc<dyn CustomMechanism> {
        Arc::new(Called { mechanism: self.clone(), raised: raised.clone() })
    }
}

struct Called {
    mechanism: PyMechanism,
    raised: Raised,
}

impl CustomMechanism for Called {
    fn name(&self) -> &str {
        &self.mechanism.name
    }

    fn reveals_secret(&self) -> bool {
        self.mechanism.reveals_secret
    }

    fn begin(&self, login: &LoginFacts<'_>) -> Box<dyn CustomExchange> {
        let channel = login.channel;
        let bindings = channel.bindings.iter().map(|binding| (binding.kind.name(), binding.data.clone()));
        let facts = Facts {
            host: channel.host.clone(),
            port: channel.port,
            protocol: if channel.lmtp { "lmtp" } else { "smtp" },
            username: login.username.to_owned(),
            authorization_id: login.authorization_id.map(str::to_owned),
            encrypted: channel.encrypted,
            verified: channel.verified,
            tls_version: channel.tls_version.clone(),
            bindings: bindings.collect(),
        };
        Box::new(Exchange {
            held: self.mechanism.held.clone(),
            raised: self.raised.clone(),
            process: Process::current(),
            facts,
            begun: None,
        })
    }
}

struct Facts {
    host: String,
    port: u16,
    protocol: &'static str,
    username: String,
    authorization_id: Option<String>,
    encrypted: bool,
    verified: bool,
    tls_version: Option<String>,
    bindings: Vec<(&'static str, Vec<u8>)>,
}

impl Facts {
    fn object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static LOGIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let class = LOGIN.get_or_try_init(py, || {
            PyResult::Ok(py.import("smtpclient._mechanisms")?.getattr("LoginFacts")?.unbind())
        })?;
        let bindings = PyDict::new(py);
        for (name, data) in &self.bindings {
            bindings.set_item(name, PyBytes::new(py, data))?;
        }
        let values = (
            &self.host,
            self.port,
            self.protocol,
            &self.username,
            self.authorization_id.as_deref(),
            self.encrypted,
            self.verified,
            self.tls_version.as_deref(),
            bindings,
        );
        class.bind(py).call1(values)
    }
}

struct Exchange {
    held: Held,
    raised: Raised,
    process: Process,
    facts: Facts,
    /// What `begin` gave.
    begun: Option<Py<PyAny>>,
}

impl Exchange {
    fn ask(&mut self, py: Python<'_>, challenge: Option<&[u8]>) -> PyResult<CustomStep> {
        let exchange = match &self.begun {
            Some(exchange) => exchange.bind(py).clone(),
            None => {
                let Some(mechanism) = self.held.get(py) else {
                    return Err(PyTypeError::new_err("the mechanism is gone"));
                };
                let exchange = mechanism.bind(py).call_method1("begin", (self.facts.object(py)?,))?;
                refuse_awaitable("begin", &exchange)?;
                self.begun = Some(exchange.clone().unbind());
                exchange
            }
        };
        let answer = exchange.call_method1("step", (challenge.map(|octets| PyBytes::new(py, octets)),))?;
        let mut step = CustomStep::server_first();
        step.response = response(&answer)?;
        step.is_done = exchange.getattr("complete")?.is_truthy()?;
        Ok(step)
    }
}

impl CustomExchange for Exchange {
    fn step(&mut self, challenge: Option<&[u8]>) -> Poll<Result<CustomStep, String>> {
        let answer = attach(|py| {
            let asked = self.ask(py, challenge);
            // Python may not know the thread in which a child by fork(2) came back from there.
            if self.process.is_forked() {
                return Poll::Ready(Err("this is a child of the process that sends".to_owned()));
            }
            match asked {
                Err(error) if error.is_instance_of::<PyBlockingIOError>(py) => Poll::Pending,
                asked => Poll::Ready(asked.map_err(|error| words(py, error, &self.raised))),
            }
        });
        answer.unwrap_or_else(|| Poll::Ready(Err("the interpreter is gone".to_owned())))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Some(begun) = self.begun.take() else { return };
        if self.process.is_forked() {
            std::mem::forget(begun); // the parent's
        } else {
            attach(|_| drop(begun));
        }
    }
}

fn response(answer: &Bound<'_, PyAny>) -> PyResult<Option<Secret>> {
    if answer.is_none() {
        return Ok(None);
    }
    if let Ok(bytes) = answer.cast::<PyBytes>() {
        return Ok(Some(Secret::new(bytes.as_bytes())));
    }
    if let Ok(bytes) = answer.cast::<PyByteArray>() {
        return Ok(Some(Secret::new(bytes.to_vec())));
    }
    refuse_awaitable("step", answer)?;
    let given = answer.get_type().name().map_or_else(|_| "that".to_owned(), |name| name.to_string());
    Err(PyTypeError::new_err(format!("`step` of a mechanism must return bytes or None, not {given}")))
}

fn refuse_awaitable(what: &str, answer: &Bound<'_, PyAny>) -> PyResult<()> {
    if !answer.hasattr("__await__")? {
        return Ok(());
    }
    if let Ok(close) = answer.getattr("close") {
        close.call0()?;
    }
    Err(PyTypeError::new_err(format!(
        "`{what}` of the mechanism returned an awaitable: only smtpclient.aio awaits it"
    )))
}
