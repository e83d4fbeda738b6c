//! `smtpclient._native`: the core for Python. The public face is the package around it, which gives
//! these values their classes; here they are numbers, strings, and classes with named fields.

mod alone;
mod callback;
mod command;
mod convert;
mod delivery;
mod dialogue;
mod inside;
mod line;
mod mailer;
mod mechanism;
mod message;
mod options;
mod own;
mod recipients;
mod report;
mod rewrite;
mod send;
mod server;
mod signer;
mod sink;
mod socket;
mod source;
mod talk;
mod values;

#[pyo3::pymodule(gil_used = false)]
#[expect(non_upper_case_globals, reason = "a name of Python's")]
mod _native {
    use pyo3::exceptions::PyImportError;
    use pyo3::prelude::*;
    use pyo3::sync::PyOnceLock;

    /// Classes and exceptions are kept once for the process, and belong to the interpreter that was first.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        static FIRST: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
        let py = module.py();
        let own = py.import("sys")?;
        if FIRST.get_or_init(py, || own.clone().unbind()).is(&own) {
            crate::inside::begin();
            let leave = wrap_pyfunction!(crate::inside::leave, module)?;
            return py.import("atexit")?.call_method1("register", (leave,)).map(drop);
        }
        Err(PyImportError::new_err(
            "smtpclient serves one interpreter of a process, and another one has imported it: use it there, or in a process \
             of its own",
        ))
    }

    #[pymodule_export]
    const __version__: &str = env!("CARGO_PKG_VERSION");
    #[pymodule_export]
    const IN_USE: &str = crate::line::IN_USE;
    #[pymodule_export]
    use crate::alone::Alone;
    #[pymodule_export]
    use crate::callback::Callbacks;
    #[pymodule_export]
    use crate::command::command;
    #[pymodule_export]
    use crate::delivery::{Delivery, PyLimits};
    #[pymodule_export]
    use crate::dialogue::{Answer, Dialogue, verbs};
    #[pymodule_export]
    use crate::line::Watch;
    #[pymodule_export]
    use crate::mailer::Mailer;
    #[pymodule_export]
    use crate::message::PyMessage;
    #[pymodule_export]
    use crate::options::{PyCancel, PyOptionInfo, PyOptions, PyTls, option_names, option_table};
    #[pymodule_export]
    use crate::report::PySent;
    #[pymodule_export]
    use crate::rewrite::{py_ascii_field, py_is_text};
    #[pymodule_export]
    use crate::send::{envelope, sendmessage, verify};
    #[pymodule_export]
    use crate::server::{PyServer, one_server};
    #[pymodule_export]
    use crate::sink::Sink;
}
