//! `smtpclient._native`: the core for Python. The public face is the package around it, which gives
//! these values their classes; here they are numbers, strings and tuples.

mod callback;
mod convert;
mod delivery;
mod dialogue;
mod line;
mod mailer;
mod message;
mod options;
mod report;
mod rewrite;
mod send;
mod server;
mod sink;
mod socket;
mod source;

#[pyo3::pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::delivery::Delivery;
    #[pymodule_export]
    use crate::dialogue::Dialogue;
    #[pymodule_export]
    use crate::mailer::Mailer;
    #[pymodule_export]
    use crate::message::PyMessage;
    #[pymodule_export]
    use crate::options::{PyCancel, PyOptions, option_names};
    #[pymodule_export]
    use crate::report::PySent;
    #[pymodule_export]
    use crate::rewrite::{py_ascii_field, py_is_text};
    #[pymodule_export]
    use crate::send::{envelope, sendmessage};
    #[pymodule_export]
    use crate::server::{PyServer, one_server, servers};
    #[pymodule_export]
    use crate::sink::Sink;
}
