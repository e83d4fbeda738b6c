//! Option `recipients` as a list, whose entries may say what the server is asked for one recipient.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMapping, PyString};
use smtpclient::options::Options;

use crate::convert::raise;
use crate::values::{strings, text, wrong};

const NAME: &str = "recipients";
const WANTED: &str = "a str or a list of str, Rcpt and dicts with `address`, `notify` and `orcpt`";
const FIELDS: [&str; 3] = ["address", "notify", "orcpt"];

/// Adds the entries of an iterable.
pub(crate) fn add(options: &mut Options, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if value.cast::<PyMapping>().is_ok() {
        return Err(PyTypeError::new_err(format!(
            "option `{NAME}` takes {WANTED}: put the dict into a list"
        )));
    }
    if value.is_instance_of::<PyBytes>() {
        return Err(wrong(NAME, WANTED, value));
    }
    for entry in value.try_iter().map_err(|_| wrong(NAME, WANTED, value))? {
        let entry = entry?;
        let added = if entry.is_instance_of::<PyString>() {
            options.add_recipient(&text(NAME, &entry)?)
        } else {
            let [address, notify, orcpt] = fields(&entry)?;
            let Some(address) = address else { return Err(wrong(NAME, WANTED, &entry)) };
            let notify = notify.map_or_else(|| Ok(String::new()), |notify| words(&notify))?;
            let orcpt = orcpt.map_or_else(|| Ok(String::new()), |orcpt| text(NAME, &orcpt))?;
            options.add_recipient_dsn(&text(NAME, &address)?, &notify, &orcpt)
        };
        added.map_err(|error| raise(value.py(), &error, None))?;
    }
    Ok(())
}

type Field<'py> = Option<Bound<'py, PyAny>>;

/// Those of an `Rcpt`, or of a mapping; `None` is as good as none.
fn fields<'py>(entry: &Bound<'py, PyAny>) -> PyResult<[Field<'py>; 3]> {
    let Ok(mapping) = entry.cast::<PyMapping>() else {
        let field = |name: &str| entry.getattr(name).map_err(|_| wrong(NAME, WANTED, entry));
        return Ok([field("address")?, field("notify")?, field("orcpt")?].map(given));
    };
    for key in mapping.keys()?.iter() {
        let known = key.extract::<String>().is_ok_and(|key| FIELDS.contains(&key.as_str()));
        if !known {
            let text = format!(
                "option `{NAME}`: {} is not a key of an entry: use {}",
                key.repr()?,
                FIELDS.join(", ")
            );
            return Err(PyTypeError::new_err(text));
        }
    }
    let field = |name: &str| match mapping.contains(name)? {
        true => mapping.get_item(name).map(given),
        false => Ok(None),
    };
    Ok([field("address")?, field("notify")?, field("orcpt")?])
}

fn given(value: Bound<'_, PyAny>) -> Field<'_> {
    (!value.is_none()).then_some(value)
}

/// Words of `notify`: one text, or a list of them.
fn words(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_instance_of::<PyString>() {
        text(NAME, value)
    } else {
        Ok(strings("notify", value)?.join(","))
    }
}
