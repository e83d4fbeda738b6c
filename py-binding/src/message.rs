//! The token.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use pyo3::{PyTraverseError, PyVisit};
use smtpclient::error::Error;
use smtpclient::message::{HeaderMode, Message};

use crate::convert::raise_from;
use crate::rewrite::PyRewrite;
use crate::source::{PyReader, Source};

/// A MIME part: a whole message, or a part of one.
#[pyclass(module = "smtpclient", name = "Message")]
pub(crate) struct PyMessage {
    pub(crate) core: Message,
    /// What it is read from.
    pub(crate) sources: Vec<Py<Source>>,
}

impl From<Message> for PyMessage {
    fn from(core: Message) -> Self {
        Self { core, sources: Vec::new() }
    }
}

impl PyMessage {
    pub(crate) fn copy(&self, py: Python<'_>) -> Self {
        self.with_core(py, self.core.clone())
    }

    /// A message that may be read from the same.
    fn with_core(&self, py: Python<'_>, core: Message) -> Self {
        Self { core, sources: self.sources.iter().map(|source| source.clone_ref(py)).collect() }
    }

    fn check<T>(&self, py: Python<'_>, result: Result<T, Error>) -> PyResult<T> {
        result.map_err(|error| raise_from(py, &error, None, raised_in(py, &self.sources)))
    }

    fn header_with(&mut self, py: Python<'_>, name: &str, value: &str, mode: HeaderMode) -> PyResult<()> {
        let result = self.core.set_header(name, value, mode);
        self.check(py, result)
    }
}

/// The exception that a reader raised, if one did.
pub(crate) fn raised_in(py: Python<'_>, sources: &[Py<Source>]) -> Option<PyErr> {
    sources.iter().find_map(|source| source.get().raised.take(py))
}

#[pymethods]
impl PyMessage {
    #[new]
    #[pyo3(signature = (text="", html=None))]
    fn new(py: Python<'_>, text: &str, html: Option<&str>) -> PyResult<Self> {
        let mut message = Self::from(Message::text(text));
        if let Some(html) = html {
            message.add_html(py, html)?;
        }
        Ok(message)
    }

    /// A message, or a part, of HTML alone: `text/html`.
    #[staticmethod]
    fn html(html: &str) -> Self {
        Message::html(html).into()
    }

    /// The same content as text, which is made from the HTML, and as HTML.
    #[staticmethod]
    fn from_html(py: Python<'_>, html: &str) -> PyResult<Self> {
        let made = Message::from_html(html).map_err(|error| raise_from(py, &error, None, None))?;
        Ok(made.into())
    }

    /// A part of any type, as `application/pdf`; the body may come later. Raises `UsageError` for an invalid type.
    #[staticmethod]
    #[pyo3(signature = (content_type, body=None))]
    fn part(py: Python<'_>, content_type: &str, body: Option<PyBackedBytes>) -> PyResult<Self> {
        let part = Message::part(content_type).map_err(|error| raise_from(py, &error, None, None))?;
        let mut part = Self::from(part);
        if let Some(body) = body {
            part.set_body(py, body)?;
        }
        Ok(part)
    }

    /// A `multipart/SUBTYPE` of the parts: `mixed`, `related`, `alternative` and so on.
    #[staticmethod]
    fn multipart(py: Python<'_>, subtype: &str, parts: Vec<PyRef<'_, Self>>) -> PyResult<Self> {
        let sources =
            parts.iter().flat_map(|part| &part.sources).map(|source| source.clone_ref(py)).collect();
        let parts = parts.iter().map(|part| part.core.clone()).collect();
        let core = Message::multipart(subtype, parts).map_err(|error| raise_from(py, &error, None, None))?;
        Ok(Self { core, sources })
    }

    /// A part that holds a whole message: `message/rfc822`.
    #[staticmethod]
    fn rfc822(py: Python<'_>, inner: PyRef<'_, Self>) -> PyResult<Self> {
        let core = inner.check(py, Message::rfc822(inner.core.clone()))?;
        Ok(inner.with_core(py, core))
    }

    /// A finished message (RFC 5322). Its bytes are sent as they are, apart from line ends, and from `Date`, `Message-ID` and `From`
    /// if they are missing.
    #[staticmethod]
    fn from_bytes(message: PyBackedBytes) -> Self {
        Message::from_bytes(&*message).into()
    }

    /// What may be either: a finished message, which has `MIME-Version` in its header section, or plain text in UTF-8.
    #[staticmethod]
    fn from_content(py: Python<'_>, content: PyBackedBytes) -> PyResult<Self> {
        let message = Message::from_content(&content);
        Ok(message.map_err(|error| raise_from(py, &error, None, None))?.into())
    }

    /// A finished message that `rewrite(eight_bit, utf8)` makes anew for a server that lacks 8BITMIME or SMTPUTF8.
    #[staticmethod]
    fn from_rewritable(py: Python<'_>, message: PyBackedBytes, rewrite: Py<PyAny>) -> PyResult<Self> {
        let (rewrite, source) = PyRewrite::new(py, rewrite)?;
        Ok(Self { core: Message::from_rewritable(&*message, Arc::new(rewrite)), sources: vec![source] })
    }

    /// A finished message in a file, read while it is sent, however large it is.
    #[staticmethod]
    fn from_file(path: PathBuf) -> Self {
        Message::from_file(path).into()
    }

    /// A finished message from `read(most)`, which returns at most so many bytes, and none at the end. `rewind()` goes back to the
    /// beginning for another server and returns whether it could; `length` is the number of bytes, if it is known.
    #[staticmethod]
    #[pyo3(signature = (read, rewind=None, length=None))]
    fn from_reader(
        py: Python<'_>,
        read: Py<PyAny>,
        rewind: Option<Py<PyAny>>,
        length: Option<u64>,
    ) -> PyResult<Self> {
        let (reader, source) = PyReader::new(py, read, rewind, length)?;
        Ok(Self { core: Message::from_reader(reader), sources: vec![source] })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.sources.iter().try_for_each(|source| visit.call(source))
    }

    fn __clear__(&mut self) {
        self.sources.clear();
    }

    /// The same content as HTML, for readers that show it: the text becomes one half of a `multipart/alternative`.
    fn add_html(&mut self, py: Python<'_>, html: &str) -> PyResult<()> {
        let result = self.core.add_alternative_html(html);
        self.check(py, result)
    }

    /// Adds an invitation, its change or its answer (RFC 6047): an iCalendar object with a METHOD, as `icalendar` or another library
    /// writes it. It goes as the last alternative of the text, and as the attachment `invite.ics`. Raises `UsageError` if it
    /// is not one, or if there is neither text nor HTML.
    fn add_calendar(&mut self, py: Python<'_>, icalendar: &Bound<'_, PyAny>) -> PyResult<()> {
        let text = match icalendar.cast::<PyBytes>() {
            Ok(octets) => String::from_utf8(octets.as_bytes().to_vec())
                .map_err(|error| PyValueError::new_err(format!("icalendar must be UTF-8: {error}")))?,
            Err(_) => icalendar.extract().map_err(|_| {
                let given =
                    icalendar.get_type().name().map_or_else(|_| "that".to_owned(), |name| name.to_string());
                PyTypeError::new_err(format!("icalendar must be str or bytes, not {given}"))
            })?,
        };
        let result = self.core.add_calendar(&text);
        self.check(py, result)
    }

    /// Says how a recipient leaves the list with one click (RFC 8058), by a URL that names list and recipient by itself, and by
    /// mail: `leave@example.org?subject=4711`. Sign the message (option `dkim`), or receivers ignore it.
    #[pyo3(signature = (https, mailto=None))]
    fn set_unsubscribe(&mut self, py: Python<'_>, https: &str, mailto: Option<&str>) -> PyResult<()> {
        let result = self.core.set_unsubscribe(https, mailto);
        self.check(py, result)
    }

    /// Attaches a part, or a whole message.
    fn attach(&mut self, py: Python<'_>, part: Py<Self>) -> PyResult<()> {
        let (core, sources) = {
            let PyMessage { core, sources } = part.try_borrow(py)?.copy(py);
            (core, sources)
        };
        let result = self.core.attach(core);
        self.sources.extend(sources);
        self.check(py, result)
    }

    /// Attaches a file under its own name; the type is that of the name's ending. It is read while the message is sent.
    fn attach_file(&mut self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let result = self.core.attach_file(path);
        self.check(py, result)
    }

    /// Attaches bytes under a name; without `content_type` (`text/csv; charset=iso-8859-1`) the type is that of the name's ending.
    #[pyo3(signature = (name, data, content_type=None))]
    fn attach_bytes(
        &mut self,
        py: Python<'_>,
        name: &str,
        data: PyBackedBytes,
        content_type: Option<&str>,
    ) -> PyResult<()> {
        let result = self.core.attach_bytes(name, content_type, &*data);
        self.check(py, result)
    }

    /// Makes the pictures that the HTML shows parts of the message, and says how many: those of `data:` URLs, and with a `folder`
    /// those that it names as files below it. The HTML names them as `cid:` then.
    #[pyo3(signature = (folder=None))]
    fn embed_pictures(&mut self, py: Python<'_>, folder: Option<PathBuf>) -> PyResult<usize> {
        let result = self.core.embed_pictures(folder.as_deref());
        self.check(py, result)
    }

    /// A file that the HTML shows, and its content id: `<img src="cid:...">`.
    #[pyo3(signature = (path, cid=None))]
    fn inline_file(&mut self, py: Python<'_>, path: PathBuf, cid: Option<&str>) -> PyResult<String> {
        let result = self.core.inline_file(path, cid);
        self.check(py, result)
    }

    /// Bytes that the HTML shows, and their content id.
    #[pyo3(signature = (name, data, content_type=None, cid=None))]
    fn inline_bytes(
        &mut self,
        py: Python<'_>,
        name: &str,
        data: PyBackedBytes,
        content_type: Option<&str>,
        cid: Option<&str>,
    ) -> PyResult<String> {
        let result = self.core.inline_bytes(name, content_type, &*data, cid);
        self.check(py, result)
    }

    /// The values of a field, in order; an empty list if there is none.
    fn header(&self, py: Python<'_>, name: &str) -> PyResult<Vec<String>> {
        self.check(py, self.core.header(name))
    }

    /// The names of the fields, in order.
    fn header_names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.check(py, self.core.header_names())
    }

    /// Sets a field in place of all others of that name. Raises `UsageError` for a line end in the value, or an invalid name.
    fn set_header(&mut self, py: Python<'_>, name: &str, value: &str) -> PyResult<()> {
        self.header_with(py, name, value, HeaderMode::Write)
    }

    /// Adds a field after those of the same name.
    fn add_header(&mut self, py: Python<'_>, name: &str, value: &str) -> PyResult<()> {
        self.header_with(py, name, value, HeaderMode::Append)
    }

    /// Deletes every field of that name.
    fn delete_header(&mut self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.header_with(py, name, "", HeaderMode::Delete)
    }

    /// Sets a parameter of `Content-Type`, as `charset`.
    fn set_parameter(&mut self, py: Python<'_>, name: &str, value: &str) -> PyResult<()> {
        let result = self.core.set_parameter(name, value);
        self.check(py, result)
    }

    /// How the body is encoded: `auto`, or one of `7bit`, `8bit`, `quoted-printable`, `base64` and `binary`.
    fn set_encoding(&mut self, py: Python<'_>, encoding: &str) -> PyResult<()> {
        let result = encoding.parse().and_then(|encoding| self.core.set_encoding(encoding));
        self.check(py, result)
    }

    /// The bytes of the body of a part.
    fn set_body(&mut self, py: Python<'_>, body: PyBackedBytes) -> PyResult<()> {
        let result = self.core.set_body_bytes(&*body);
        self.check(py, result)
    }

    /// The type, as `text/plain`; None for a finished message.
    #[getter]
    fn content_type(&self) -> Option<&str> {
        self.core.content_type()
    }

    /// The parts of a multipart, as copies.
    #[getter]
    fn parts(&self, py: Python<'_>) -> Vec<Self> {
        self.core.parts().iter().map(|core| self.with_core(py, core.clone())).collect()
    }

    /// Whether it was given as finished: as bytes, a file or a reader.
    #[getter]
    fn is_finished(&self) -> bool {
        self.core.is_finished()
    }

    /// The number of bytes as they are sent, if it is known without reading the message.
    fn size(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        let core = self.core.clone();
        self.check(py, py.detach(move || core.size()))
    }

    /// All of it as bytes, with CRLF at the line ends.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let core = self.core.clone();
        let bytes = self.check(py, py.detach(move || core.to_bytes()))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.to_bytes(py)
    }

    fn __copy__(&self, py: Python<'_>) -> Self {
        self.copy(py)
    }

    fn __setitem__(&mut self, py: Python<'_>, name: &str, value: &str) -> PyResult<()> {
        self.set_header(py, name, value)
    }

    fn __getitem__(&self, py: Python<'_>, name: &str) -> PyResult<Option<String>> {
        Ok(self.header(py, name)?.into_iter().next())
    }

    fn __delitem__(&mut self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.delete_header(py, name)
    }

    fn __contains__(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        Ok(!self.header(py, name)?.is_empty())
    }

    /// Without it Python would iterate by index.
    fn __iter__(&self) -> PyResult<()> {
        Err(pyo3::exceptions::PyTypeError::new_err("a Message is not iterable: see parts and header_names()"))
    }

    fn __repr__(&self) -> String {
        match self.core.content_type() {
            Some(kind) => format!("<Message {kind}>"),
            None => "<Message finished>".to_owned(),
        }
    }
}
