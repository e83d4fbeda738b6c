//! The command line, which is that of the program `smtpclient`.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Does what the arguments say, the first of which is the program's name, and gives the exit status.
#[pyfunction]
pub(crate) fn command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| smtpclient_command::run(arguments))
}
