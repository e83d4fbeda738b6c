//! Signers of Python code: objects that begin to sign one message after the other.

use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use smtpclient::error::Error;
use smtpclient::net::Process;
use smtpclient::signer::{Signer, Signing, unsigned};

use crate::callback::{Held, Raised, words};
use crate::inside::attach;
use crate::values::wrong;

/// Option `signers`.
pub(crate) fn signers(value: &Bound<'_, PyAny>) -> PyResult<Vec<Held>> {
    let wanted = "a list of signers, objects with `begin`";
    let items = value.try_iter().map_err(|_| wrong("signers", wanted, value))?;
    items
        .map(|item| {
            let item = item?;
            if !item.getattr("begin").is_ok_and(|begin| begin.is_callable()) {
                return Err(wrong("signers", wanted, &item));
            }
            Ok(Held::new(item.unbind()))
        })
        .collect()
}

/// The signer for a call, in which `raised` keeps what ends it.
pub(crate) fn bind(held: Held, raised: &Raised) -> Arc<dyn Signer> {
    Arc::new(Called { held: Some(held), raised: raised.clone(), process: Process::current() })
}

struct Called {
    held: Option<Held>,
    raised: Raised,
    process: Process,
}

impl Drop for Called {
    fn drop(&mut self) {
        let held = self.held.take();
        if self.process.is_forked() {
            std::mem::forget(held); // the parent's
        } else {
            attach(|_| drop(held));
        }
    }
}

impl Signer for Called {
    fn begin(&self) -> Box<dyn Signing> {
        let mut running = Running {
            raised: self.raised.clone(),
            process: Process::current(),
            state: Err("the interpreter is gone".to_owned()),
        };
        running.state = running.ask(|py| match self.held.as_ref().and_then(|held| held.get(py)) {
            Some(signer) => signer.call_method0(py, "begin"),
            None => Err(PyTypeError::new_err("the signer is gone")),
        });
        Box::new(running)
    }
}

struct Running {
    raised: Raised,
    process: Process,
    /// What `begin` gave, or why the message cannot be signed.
    state: Result<Py<PyAny>, String>,
}

impl Running {
    fn ask<T>(&self, call: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T, String> {
        let answer = attach(|py| {
            let answer = call(py);
            // Python may not know the thread in which a child by fork(2) came back from there.
            if self.process.is_forked() {
                return Err("this is a child of the process that sends".to_owned());
            }
            answer.map_err(|error| words(py, error, &self.raised))
        });
        answer.unwrap_or_else(|| Err("the interpreter is gone".to_owned()))
    }
}

impl Signing for Running {
    fn update(&mut self, octets: &[u8]) {
        let Ok(begun) = &self.state else { return };
        if let Err(why) = self.ask(|py| begun.call_method1(py, "update", (PyBytes::new(py, octets),))) {
            self.end(Err(why));
        }
    }

    fn finish(mut self: Box<Self>, now: i64) -> Result<String, Error> {
        let fields = match &self.state {
            Ok(begun) => self.ask(|py| fields(begun.bind(py).call_method1("finish", (now,))?)),
            Err(why) => Err(why.clone()),
        };
        self.end(Err(String::new()));
        fields.map_err(|why| unsigned(&why))
    }
}

impl Running {
    /// Takes another state, and drops the object if that may be done.
    fn end(&mut self, state: Result<Py<PyAny>, String>) {
        let Ok(begun) = std::mem::replace(&mut self.state, state) else { return };
        if self.process.is_forked() {
            std::mem::forget(begun); // the parent's
        } else {
            attach(|_| drop(begun));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(Err(String::new()));
    }
}

fn fields(answer: Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = answer.cast::<PyString>() {
        return text.extract();
    }
    if let Ok(bytes) = answer.cast::<PyBytes>() {
        let text = std::str::from_utf8(bytes.as_bytes());
        return text.map(str::to_owned).map_err(|error| PyValueError::new_err(error.to_string()));
    }
    if answer.is_none() {
        return Ok(String::new());
    }
    let given = answer.get_type().name().map_or_else(|_| "that".to_owned(), |name| name.to_string());
    Err(PyTypeError::new_err(format!("`finish` of a signer must return str, bytes or None, not {given}")))
}
