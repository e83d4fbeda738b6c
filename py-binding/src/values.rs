//! Values of options, as Python has them.

use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyFloat, PyInt, PyString, PyTuple};
use smtpclient::options::{self, OptionKind};
use smtpclient::secret::Secret;

/// A secret as text or bytes, which no error shows.
pub(crate) fn secret(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Secret> {
    if let Ok(text) = value.cast::<PyString>() {
        let bytes = text.encode_utf8().map_err(|_| {
            PyValueError::new_err(format!("{name} contains a lone surrogate, which is not a character"))
        })?;
        return Ok(Secret::new(bytes.as_bytes()));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Secret::new(bytes.as_bytes()));
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Ok(Secret::new(bytes.to_vec()));
    }
    Err(wrong(name, "a str or bytes", value))
}

pub(crate) fn callable(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    if value.is_callable() { Ok(value.clone().unbind()) } else { Err(wrong(name, "a function", value)) }
}

/// A list, or any other iterable, of strings.
pub(crate) fn strings(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if value.is_instance_of::<PyBytes>() {
        return Err(wrong(name, "a str or a list of them", value));
    }
    let items = value.try_iter().map_err(|_| wrong(name, "a str or a list of them", value))?;
    items
        .map(|item| {
            let item = item?;
            let is_wrong = |error: &PyErr| error.is_instance_of::<PyTypeError>(item.py());
            text(name, &item)
                .map_err(|error| if is_wrong(&error) { wrong_item(name, "a str", &item) } else { error })
        })
        .collect()
}

const PAIR: &str = "a pair (name, value) of str";

/// Pairs, or a mapping.
pub(crate) fn fields(value: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let wanted = "a list of pairs (name, value)";
    let items = match value.getattr("items") {
        Ok(items) => items.call0()?,
        Err(_) => value.clone(),
    };
    let items = items.try_iter().map_err(|_| wrong("header", wanted, value))?;
    items
        .map(|item| {
            let item = item?;
            if item.is_instance_of::<PyString>() {
                return Err(wrong_item("header", PAIR, &item));
            }
            item.extract::<(String, String)>().map_err(|error| {
                // A lone surrogate has its own words.
                let said = error.is_instance_of::<PyUnicodeEncodeError>(item.py());
                if said { error } else { wrong_item("header", PAIR, &item) }
            })
        })
        .collect()
}

/// The text that the core's table of options takes for a value.
pub(crate) fn text(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = value.cast::<PyString>() {
        return text.extract();
    }
    if value.is_instance_of::<PyBool>() {
        return Ok(if value.is_truthy()? { "true" } else { "false" }.to_owned());
    }
    if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
        return Ok(value.str()?.to_string());
    }
    if let Ok(seconds) = value.call_method0("total_seconds") {
        return Ok(seconds.str()?.to_string());
    }
    if value.hasattr("__fspath__")? {
        return value.call_method0("__fspath__")?.extract();
    }
    let kind = options::find(name).map(|option| option.kind);
    if kind == Ok(OptionKind::Ip) && value.hasattr("packed")? {
        return Ok(value.str()?.to_string());
    }
    let list = matches!(kind, Ok(OptionKind::Words | OptionKind::Ports));
    if list && !value.is_instance_of::<PyBytes>() && value.try_iter().is_ok() {
        return Ok(strings(name, value)?.join(","));
    }
    let wanted = match kind {
        _ if list => "a str or a list",
        Ok(OptionKind::Flag) => "a bool",
        Ok(OptionKind::Integer | OptionKind::Number | OptionKind::Seconds) => "a number",
        _ => "a str",
    };
    Err(wrong(name, wanted, value))
}

pub(crate) fn wrong(name: &str, wanted: &str, value: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("option `{name}` takes {wanted}, not {}", type_of(value)))
}

fn wrong_item(name: &str, wanted: &str, item: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("option `{name}`: an item must be {wanted}, not {}", type_of(item)))
}

/// Its name; of a tuple also those of what is in it.
fn type_of(value: &Bound<'_, PyAny>) -> String {
    match value.cast::<PyTuple>() {
        Ok(items) => format!("({})", items.iter().map(|item| type_of(&item)).collect::<Vec<_>>().join(", ")),
        Err(_) => value.get_type().name().map_or_else(|_| "that".to_owned(), |name| name.to_string()),
    }
}
