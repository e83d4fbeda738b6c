//! The token itself: how it is made, its content type and its header section.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use super::field::{self, HeaderMode};
use super::finished::Finished;
use super::head::declares_mime;
use super::header::Header;
use super::outgoing::{Edits, Outgoing};
use super::parameters;
use super::part::{Body, Encoding, Part};
use super::rewrite::{Rewrite, Rewriter};
use super::source::{OneShot, Reader, Source};
use super::survey::Blob;
use crate::content::{Content, Transfer};
use crate::error::Error;

/// One MIME part: a whole message, or a part of one.
///
/// A clone is cheap: the octets of bodies are shared, and so is what was found out about them. Sending
/// does not change a token, and several threads can send the same one at once; only a body from a
/// [`Reader`] serves one send at a time.
#[derive(Clone, Debug)]
pub struct Message(Token);

#[derive(Clone, Debug)]
pub(super) enum Token {
    Finished(Finished),
    Composed(Part),
}

/// Which message in memory it is; it does not keep the octets. Another one is never taken for it.
#[derive(Debug)]
pub(crate) struct Identity(Weak<Blob>);

impl Identity {
    /// Whether it is this message, unchanged.
    pub(crate) fn is_of(&self, message: &Message) -> bool {
        message.unchanged().is_some_and(|blob| std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(blob)))
    }
}

/// What a message is written for where no server is concerned: 8BITMIME, as every server of today has it.
const COMMON: Transfer = Transfer { eight_bit: true, binary: false, utf8: false };

impl Default for Message {
    fn default() -> Self {
        Self::new()
    }
}

/// Finished messages. They are sent octet by octet, except for line ends (which become CRLF), fields that are
/// removed, and fields that are put in front.
///
/// Only an empty line ends the header section (RFC 5322 section 2.1): any other line that is not a field is an error, as
/// fields below it, a `Bcc` for one, would go to everybody. In front of the first field the `From ` line of an mbox, a UTF-8
/// byte order mark and empty lines are skipped. A message whose first paragraph has no field is all body: what is put in
/// front is then kept apart from it by an empty line.
impl Message {
    /// A message in memory.
    pub fn from_bytes(message: impl Into<Vec<u8>>) -> Self {
        Self(Token::Finished(Finished::new(Source::bytes(message.into()))))
    }

    /// A message in a regular file, which is opened when it is sent. It is scanned once before each send and must not change
    /// until it is sent. A pipe or a device, which may never end, is an error: give it to
    /// [`from_read`](Self::from_read).
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        Self(Token::Finished(Finished::new(Source::file(path.into()))))
    }

    /// A message from a reader. What it holds is not known beforehand: an octet above 127 where the server
    /// does not offer 8BITMIME, or a NUL, abandons the message.
    pub fn from_reader(reader: impl Reader + 'static) -> Self {
        Self(Token::Finished(Finished::new(Source::reader(Box::new(reader)))))
    }

    /// A message from anything that can be read; it serves one send.
    pub fn from_read(read: impl io::Read + Send + 'static) -> Self {
        Self::from_reader(OneShot(read))
    }

    /// A message in memory that `rewrite` can write in another form, as a mail library can that encodes it. `octets` are
    /// the form for a server with 8BITMIME, and, where the header section has octets above 127, with SMTPUTF8. A server
    /// that does not take them gets what `rewrite` makes.
    #[doc(hidden)]
    pub fn from_rewritable(octets: impl Into<Vec<u8>>, rewrite: Arc<dyn Rewrite>) -> Self {
        Self(Token::Finished(Finished::rewritable(octets.into(), Rewriter(rewrite))))
    }

    /// What a caller gives as content where it may be either: a finished message, which says `MIME-Version` in its first
    /// paragraph, or plain text.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for text that is not UTF-8.
    pub fn from_content(content: &[u8]) -> Result<Self, Error> {
        if declares_mime(content) {
            return Ok(Self::from_bytes(content));
        }
        match std::str::from_utf8(content) {
            Ok(text) => Ok(Self::text(text)),
            Err(error) => Err(Error::usage(format!(
                "the content is not UTF-8 (octet {}), nor a message whose MIME-Version field could say what it is",
                error.valid_up_to()
            ))),
        }
    }

    /// Whether this is a message that was given finished.
    pub fn is_finished(&self) -> bool {
        matches!(self.0, Token::Finished(_))
    }
}

/// Composed parts.
impl Message {
    /// An empty text.
    pub fn new() -> Self {
        Self::text("")
    }

    /// A `text/plain` part in UTF-8.
    pub fn text(text: &str) -> Self {
        Self::utf8("text/plain", text)
    }

    /// A `text/html` part in UTF-8.
    pub fn html(html: &str) -> Self {
        Self::utf8("text/html", html)
    }

    /// A part of any type, `type/subtype` and what parameters it has (`text/plain; charset=iso-8859-1`, RFC 2045 section
    /// 5.1), with an empty body. The lines of a `text` part may end in CRLF, LF or CR, and have no charset but the one that
    /// is given here or by [`set_parameter`](Self::set_parameter).
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) if `content_type` is not of that form, or is a type of
    /// which [`multipart`](Self::multipart) and [`rfc822`](Self::rfc822) make parts.
    pub fn part(content_type: &str) -> Result<Self, Error> {
        let parsed = parameters::parse(content_type);
        let (content_type, list) = parsed.unwrap_or_else(|| (content_type, Vec::new()));
        let (kind, subtype) = content_type.split_once('/').unwrap_or((content_type, ""));
        check_token("content type", content_type, kind)?;
        check_token("content type", content_type, subtype)?;
        if kind.eq_ignore_ascii_case("multipart") || content_type.eq_ignore_ascii_case("message/rfc822") {
            return Err(Error::usage(format!(
                "a part of type {content_type} is made of other parts: use multipart() or rfc822()"
            )));
        }
        let mut part = Self::composed(Part::leaf(content_type, Source::bytes(Vec::new())));
        for (name, value) in list {
            part.set_parameter(&name, &value)?;
        }
        Ok(part)
    }

    /// `multipart/subtype`: `mixed`, `alternative`, `related`, `digest`, ... At least one part is needed to
    /// send it. A finished message among the parts is a finished part.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) if `subtype` is not a token, and for more than 100 parts within each
    /// other.
    pub fn multipart(subtype: &str, parts: Vec<Self>) -> Result<Self, Error> {
        check_token("multipart subtype", subtype, subtype)?;
        Ok(Self::composed(Part::multipart(&format!("multipart/{subtype}"), parts)?))
    }

    /// A message within a message: `message/rfc822`.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for more than 100 parts within each other.
    pub fn rfc822(inner: Self) -> Result<Self, Error> {
        Ok(Self::composed(Part::rfc822(inner)?))
    }

    /// The `type/subtype` of a composed part.
    pub fn content_type(&self) -> Option<&str> {
        match &self.0 {
            Token::Composed(part) => Some(&part.media),
            Token::Finished(_) => None,
        }
    }

    /// The parts of a composed multipart, or the message in a composed `message/rfc822`.
    pub fn parts(&self) -> &[Self] {
        match &self.0 {
            Token::Composed(Part { body: Body::Parts(parts), .. }) => parts,
            Token::Composed(Part { body: Body::Inner(inner), .. }) => std::slice::from_ref(inner),
            _ => &[],
        }
    }

    /// Adds a part after the others of a multipart.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for anything but a composed multipart, and for more than 100 parts
    /// within each other.
    pub fn push_part(&mut self, added: Self) -> Result<(), Error> {
        self.composed_mut("a part")?.push(added)
    }

    /// Sets a parameter of Content-Type, such as `charset`. The value is any text without control
    /// characters; outside ASCII it is encoded (RFC 2231).
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a name that is not a token, a value that cannot be
    /// written, and a finished message.
    pub fn set_parameter(&mut self, name: &str, value: &str) -> Result<(), Error> {
        parameters::check(name, value)?;
        let part = self.composed_mut("a parameter")?;
        part.parameters.retain(|(old, _)| !old.eq_ignore_ascii_case(name));
        part.parameters.push((name.into(), value.into()));
        Ok(())
    }

    /// Sets how the body is encoded.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a finished message and for what is made of parts.
    pub fn set_encoding(&mut self, encoding: Encoding) -> Result<(), Error> {
        self.leaf_mut("an encoding")?.encoding = encoding;
        Ok(())
    }

    /// Sets the body to octets in memory.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a finished message and for what is made of parts.
    pub fn set_body_bytes(&mut self, body: impl Into<Vec<u8>>) -> Result<(), Error> {
        self.leaf_mut("a body")?.body = Body::Source(Source::bytes(body.into()));
        Ok(())
    }

    /// Sets the body to a file, which is opened when it is sent and must not change until it is.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a finished message and for what is made of parts.
    pub fn set_body_file(&mut self, path: impl Into<PathBuf>) -> Result<(), Error> {
        self.leaf_mut("a body")?.body = Body::Source(Source::file(path.into()));
        Ok(())
    }

    /// Sets the body to what a reader gives. Text is then sent as quoted-printable and anything else as
    /// base64, unless [`set_encoding`](Self::set_encoding) promises more.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a finished message and for what is made of parts.
    pub fn set_body_reader(&mut self, reader: impl Reader + 'static) -> Result<(), Error> {
        self.leaf_mut("a body")?.body = Body::Source(Source::reader(Box::new(reader)));
        Ok(())
    }
}

/// The header section.
impl Message {
    /// The values of every field of that name, in order, whatever their case: unfolded, and not decoded. A
    /// composed part also has `Content-Type`, and `MIME-Version`.
    ///
    /// # Errors
    /// [`Kind::Source`](crate::error::Kind::Source) if the file or reader of a finished message cannot be
    /// read; [`Kind::Usage`](crate::error::Kind::Usage) if its header section has a line that is not a field.
    pub fn header(&self, name: &str) -> Result<Vec<String>, Error> {
        Ok(Header::of(self)?.values(name))
    }

    /// The names of the fields, each once, in order.
    ///
    /// # Errors
    /// As [`header`](Self::header).
    pub fn header_names(&self) -> Result<Vec<String>, Error> {
        Ok(Header::of(self)?.names())
    }

    /// The name and value of every field, in order, as [`header`](Self::header) has them, but without the fields of a
    /// composed part that follow from its content.
    ///
    /// # Errors
    /// As [`header`](Self::header).
    pub fn header_fields(&self) -> Result<Vec<(String, String)>, Error> {
        Ok(Header::of(self)?.fields())
    }

    /// Changes the header section of this part. The value is unfolded text without control characters; words
    /// outside ASCII are encoded when it is written (RFC 2047), display names only in an address field, and a
    /// word that is encoded already stays so. White space around the value is dropped. In a finished message the field is
    /// put in front, and with [`HeaderMode::Write`] and [`HeaderMode::Delete`] its own ones go.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for an invalid name or value, and for the fields that
    /// follow from the content: Content-Type, Content-Transfer-Encoding, Content-MD5, MIME-Version.
    pub fn set_header(&mut self, name: &str, value: &str, mode: HeaderMode) -> Result<(), Error> {
        field::check(name, if mode == HeaderMode::Delete { "" } else { value })?;
        match &mut self.0 {
            Token::Finished(finished) => finished.set(name, value, mode),
            Token::Composed(part) => part.fields.set(name, value, mode),
        }
        Ok(())
    }
}

/// The content as a whole.
impl Message {
    /// Puts other content in place of this one. The fields that were set here stay, in place of those of the same name in
    /// `content`; but those of a finished message belong to it, and go with it.
    pub fn replace_content(&mut self, mut content: Self) {
        if let Token::Composed(part) = &mut self.0 {
            let fields = std::mem::take(&mut part.fields);
            match &mut content.0 {
                Token::Composed(part) => part.fields.adopt(fields),
                Token::Finished(finished) => finished.adopt(fields),
            }
        }
        *self = content;
    }
}

/// Sending and writing.
impl Message {
    /// Looks through the message for a delivery. Whatever can be found wrong without a server is found here.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for what cannot be sent: a NUL or a broken header section in
    /// a finished message, a multipart without parts, an invalid field. [`Kind::Source`](crate::error::Kind::Source) if a file or
    /// reader cannot be read, or is in use.
    pub fn prepare(&self, edits: &Edits) -> Result<Outgoing, Error> {
        Outgoing::new(self, edits)
    }

    /// Writes the message, `Bcc` and all, as it would go to a server with 8BITMIME (and SMTPUTF8, where it
    /// cannot do without), with CRLF at the end of every line. Gives its octets.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare); a failure to write is [`Kind::Source`](crate::error::Kind::Source) too.
    pub fn serialize(&self, out: &mut dyn io::Write) -> Result<u64, Error> {
        let mut message = self.prepare(&Edits::default())?;
        message.write(Transfer { utf8: message.needs_utf8(), ..COMMON }, out)
    }

    /// The message in memory, as [`serialize`](Self::serialize) writes it.
    ///
    /// # Errors
    /// As [`serialize`](Self::serialize).
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        self.serialize(&mut out)?;
        Ok(out)
    }

    /// The octets that [`serialize`](Self::serialize) would write; `None` if a reader does not say its
    /// length, or is to be encoded as quoted-printable.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn size(&self) -> Result<Option<u64>, Error> {
        let message = self.prepare(&Edits::default())?;
        Ok(message.form(Transfer { utf8: message.needs_utf8(), ..COMMON })?.size)
    }
}

impl Message {
    /// Which message it is, where it is one in memory that was given finished and not changed.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.unchanged().map(|blob| Identity(Arc::downgrade(blob)))
    }

    fn unchanged(&self) -> Option<&Arc<Blob>> {
        match &self.0 {
            Token::Finished(finished) => finished.unchanged(),
            Token::Composed(_) => None,
        }
    }

    pub(super) fn token(&self) -> &Token {
        &self.0
    }

    /// How many parts are within each other below this one.
    pub(super) fn levels(&self) -> usize {
        match &self.0 {
            Token::Composed(part) => part.levels,
            Token::Finished(_) => 0,
        }
    }

    pub(super) fn composed(part: Part) -> Self {
        Self(Token::Composed(part))
    }

    /// The composed part; `thing` is what the caller wants to add.
    pub(super) fn composed_mut(&mut self, thing: &str) -> Result<&mut Part, Error> {
        match &mut self.0 {
            Token::Composed(part) => Ok(part),
            Token::Finished(_) => Err(Error::usage(format!(
                "{thing} cannot be added to a finished message; make it a part of a new one with rfc822()"
            ))),
        }
    }

    fn leaf_mut(&mut self, thing: &str) -> Result<&mut Part, Error> {
        let part = self.composed_mut(thing)?;
        if !matches!(part.body, Body::Source(_)) {
            return Err(Error::usage(format!("{} is made of parts and cannot have {thing}", part.media)));
        }
        Ok(part)
    }

    pub(super) fn utf8(media: &str, text: &str) -> Self {
        let mut part = Part::leaf(media, Source::bytes(text.as_bytes().to_vec()));
        part.parameters.push(("charset".into(), "utf-8".into()));
        Self::composed(part)
    }
}

fn check_token(what: &str, whole: &str, part: &str) -> Result<(), Error> {
    let token = |b: u8| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b);
    if part.is_empty() || part.len() > 127 || !part.bytes().all(token) {
        return Err(Error::usage(format!(
            "{whole:?} is not a {what}: give type/subtype, as in text/plain (RFC 2045 5.1)"
        )));
    }
    Ok(())
}
