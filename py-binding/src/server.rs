//! Servers, as options name them.

use pyo3::prelude::*;
use pyo3::types::PyInt;
use smtpclient::engine::Protocol;
use smtpclient::error::{Error, Kind, Step};
use smtpclient::net;
use smtpclient::server::{Server, Target};

use crate::convert::raise;
use crate::options::PyOptions;

/// One server: where it is and what it speaks.
#[pyclass(frozen, module = "smtpclient._native", name = "Server")]
pub(crate) struct PyServer(pub(crate) Server);

#[pymethods]
impl PyServer {
    #[new]
    #[pyo3(signature = (host, port=25, *, tls=false, lmtp=false))]
    fn new(host: String, port: u16, tls: bool, lmtp: bool) -> Self {
        let protocol = if lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        Self(Server::new(Target::Tcp { host, port }, protocol, tls))
    }

    /// The host's name or address; `None` for a Unix socket.
    #[getter]
    fn host(&self) -> Option<&str> {
        match &self.0.target {
            Target::Tcp { host, .. } => Some(host),
            Target::Unix(_) | Target::Agent(_) => None,
        }
    }

    /// 0 for a Unix socket.
    #[getter]
    fn port(&self) -> u16 {
        match &self.0.target {
            Target::Tcp { port, .. } => *port,
            Target::Unix(_) | Target::Agent(_) => 0,
        }
    }

    /// The path of a Unix socket.
    #[getter]
    fn path(&self) -> Option<String> {
        match &self.0.target {
            Target::Tcp { .. } | Target::Agent(_) => None,
            Target::Unix(path) => Some(path.display().to_string()),
        }
    }

    /// Implicit TLS.
    #[getter]
    fn tls(&self) -> bool {
        self.0.tls
    }

    fn __str__(&self) -> String {
        self.0.target.to_string()
    }
}

/// The server that a host, which may also be a URL as in option `servers`, and a port name; port 0 is the default.
#[pyfunction]
pub(crate) fn one_server(
    py: Python<'_>,
    host: &str,
    port: &Bound<'_, PyInt>,
    options: PyRef<'_, PyOptions>,
) -> PyResult<PyServer> {
    let port = port.extract().map_err(|_| {
        let text = format!("the port must be between 0 and 65535, and 0 is the default one, not {port}");
        raise(py, &Error::new(Kind::Usage, Step::Setup, text), None)
    })?;
    let server = net::one_server(host, port, options.core()).map_err(|error| raise(py, &error, None))?;
    Ok(PyServer(server))
}
