//! Whole messages in few calls: an HTML alternative, attachments, pictures within the HTML.

use std::path::Path;

use super::calendar::is_calendar;
use super::field::Fields;
use super::identity::random_hex;
use super::part::{Body, Part, above};
use super::source::Source;
use super::token::{Message, Token};
use crate::error::Error;

impl Message {
    /// Adds the same content as HTML, in UTF-8. A text becomes `multipart/alternative`; if there are
    /// attachments already it is the text before them that does.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) without a text to be an alternative to, and for more than 100
    /// parts within each other.
    pub fn add_alternative_html(&mut self, html: &str) -> Result<(), Error> {
        self.alternative(html, 0).map(drop)
    }

    /// `depth`: how many parts this one is within. Gives the levels below it afterwards.
    fn alternative(&mut self, html: &str, depth: usize) -> Result<usize, Error> {
        let part = self.composed_mut("an HTML alternative")?;
        let is_text = part.is("text/plain");
        // Any other multipart, as a signed one, must stay as it is.
        let is_open = part.is("multipart/mixed") || part.is("multipart/related");
        match &mut part.body {
            Body::Parts(_) if part.media.eq_ignore_ascii_case("multipart/alternative") => {
                part.push(Self::html(html))?;
                // A calendar stays the last alternative, which is the one that is preferred (RFC 2046 section 5.1.4).
                if let Body::Parts(parts) = &mut part.body {
                    parts.sort_by_key(is_calendar);
                }
            }
            Body::Parts(parts) if is_open => {
                let first = parts.first_mut().ok_or_else(|| no_text(&part.media, "HTML"))?;
                part.levels = part.levels.max(above(first.alternative(html, depth + 1)?)?);
            }
            Body::Source(_) if is_text => {
                above(depth)?;
                wrap(part, "multipart/alternative", Self::html(html))?;
            }
            _ => return Err(no_text(&part.media, "HTML")),
        }
        Ok(part.levels)
    }

    /// Adds a part after the others: what is not `multipart/mixed` yet becomes the first part of one.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a finished message, and for more than 100 parts within each other.
    pub fn attach(&mut self, attachment: Self) -> Result<(), Error> {
        let part = self.composed_mut("an attachment")?;
        if part.is("multipart/mixed") {
            part.push(attachment)
        } else {
            wrap(part, "multipart/mixed", attachment)
        }
    }

    /// Attaches a file, octet by octet, with its name and with the type that its extension stands for. It is
    /// opened when it is sent.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a path without a name, a name with control characters,
    /// and a finished message.
    pub fn attach_file(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let attachment = file(&name_of(path)?, None, "attachment", Source::file(path.to_owned()))?;
        self.attach(attachment)
    }

    /// Attaches octets under a name. Without a `content_type` it is the one that the extension of the name
    /// stands for, or `application/octet-stream`. It may have parameters: `text/csv; charset=iso-8859-1`.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for a name with control characters, a content type that is
    /// none, and a finished message.
    pub fn attach_bytes(
        &mut self,
        name: &str,
        content_type: Option<&str>,
        bytes: impl Into<Vec<u8>>,
    ) -> Result<(), Error> {
        let attachment = file(name, content_type, "attachment", Source::bytes(bytes.into()))?;
        self.attach(attachment)
    }

    /// Adds a file that the HTML shows, and gives its Content-ID, which the HTML names as `cid:ID`. Without
    /// `cid` a new one is made; give your own (`logo@example.org`) where the HTML was written before.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) if there is no HTML, for an invalid `cid`, and as
    /// [`attach_file`](Self::attach_file).
    pub fn inline_file(&mut self, path: impl AsRef<Path>, cid: Option<&str>) -> Result<String, Error> {
        let path = path.as_ref();
        self.inline(file(&name_of(path)?, None, "inline", Source::file(path.to_owned()))?, cid)
    }

    /// As [`inline_file`](Self::inline_file), with octets under a name.
    ///
    /// # Errors
    /// As [`inline_file`](Self::inline_file) and [`attach_bytes`](Self::attach_bytes).
    pub fn inline_bytes(
        &mut self,
        name: &str,
        content_type: Option<&str>,
        bytes: impl Into<Vec<u8>>,
        cid: Option<&str>,
    ) -> Result<String, Error> {
        self.inline(file(name, content_type, "inline", Source::bytes(bytes.into()))?, cid)
    }

    fn inline(&mut self, mut picture: Self, cid: Option<&str>) -> Result<String, Error> {
        let cid = match cid {
            Some(cid) => {
                let cid = check_cid(cid)?;
                if has_cid(self.composed_mut("an inline part")?, &cid) {
                    return Err(Error::usage(format!(
                        "{cid:?} is the Content-ID of another part: HTML could show only one of them; give each one of its own"
                    )));
                }
                cid
            }
            None => format!("{}@inline", random_hex()?),
        };
        let part = picture.composed_mut("a Content-ID")?;
        part.fields.set("Content-ID", &format!("<{cid}>"), super::HeaderMode::Write);
        let mut picture = Some(picture);
        show(self.composed_mut("an inline part")?, &mut picture, 0)?;
        match picture {
            None => Ok(cid),
            Some(_) => {
                Err(Error::usage("there is no HTML that could show an inline part: add the HTML first"))
            }
        }
    }
}

/// Makes `part` the first part of a multipart. The fields that describe the content stay with the content
/// (RFC 2045 9); the others, of the message, stay where they are.
pub(super) fn wrap(part: &mut Part, media: &str, second: Message) -> Result<(), Error> {
    let levels = above(part.levels.max(second.levels()))?;
    let mut outer = Part::multipart(media, Vec::new())?;
    outer.levels = levels;
    let mut inner = std::mem::replace(part, outer);
    let (own, whole): (Vec<_>, Vec<_>) = std::mem::take(&mut inner.fields)
        .into_iter()
        .partition(|field| field.name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("Content-")));
    inner.fields = Fields::from_iter(own);
    part.fields = Fields::from_iter(whole);
    part.body = Body::Parts(vec![Message::composed(inner), second]);
    Ok(())
}

/// Puts the picture beside the first HTML, and takes it only if there is one. `depth`: how many parts `part` is within.
fn show(part: &mut Part, picture: &mut Option<Message>, depth: usize) -> Result<(), Error> {
    let (is_html_text, is_related) = (part.is("text/html"), part.is("multipart/related"));
    match &mut part.body {
        Body::Source(_) if is_html_text => {
            above(depth)?;
            if let Some(picture) = picture.take() {
                wrap(part, "multipart/related", picture)?;
                // RFC 2387 3.1: the type of the part that is shown.
                part.parameters.push(("type".into(), "text/html".into()));
            }
            Ok(())
        }
        Body::Parts(parts) if is_related && parts.first().is_some_and(is_html) => {
            picture.take().map_or(Ok(()), |picture| part.push(picture))
        }
        Body::Parts(parts) => {
            for message in parts {
                let Ok(below) = message.composed_mut("") else { continue };
                if below.opaque {
                    continue;
                }
                show(below, picture, depth + 1)?;
                part.levels = part.levels.max(above(below.levels)?);
                if picture.is_none() {
                    break;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn is_html(message: &Message) -> bool {
    matches!(message.token(), Token::Composed(part) if part.is("text/html"))
}

fn file(name: &str, content_type: Option<&str>, disposition: &str, source: Source) -> Result<Message, Error> {
    super::parameters::check("filename", name)?;
    let guess = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    // A message/rfc822 cannot be encoded (RFC 2046 5.2.1), and a file may be anything.
    let guess = if guess.starts_with("message/") { "application/octet-stream" } else { guess };
    let mut message = Message::part(content_type.unwrap_or(guess))?;
    let part = message.composed_mut("a file")?;
    part.opaque = true;
    part.file_name = Some(name.to_owned()).filter(|name| !name.is_ascii());
    part.body = Body::Source(source);
    let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
    message.set_header(
        "Content-Disposition",
        &format!("{disposition}; filename=\"{quoted}\""),
        super::HeaderMode::Write,
    )?;
    Ok(message)
}

fn name_of(path: &Path) -> Result<String, Error> {
    let name = path.file_name().ok_or_else(|| Error::usage(format!("the path {path:?} has no file name")))?;
    Ok(name.to_string_lossy().into_owned())
}

fn has_cid(part: &mut Part, cid: &str) -> bool {
    let own = part.fields.iter().find(|field| field.name.eq_ignore_ascii_case("Content-ID"));
    own.is_some_and(|field| field.value.trim_matches(['<', '>']) == cid)
        || match &mut part.body {
            Body::Parts(parts) => {
                parts.iter_mut().any(|message| message.composed_mut("").is_ok_and(|part| has_cid(part, cid)))
            }
            _ => false,
        }
}

fn check_cid(cid: &str) -> Result<String, Error> {
    let cid = cid.strip_prefix('<').and_then(|c| c.strip_suffix('>')).unwrap_or(cid);
    let parts = cid.split_once('@');
    let good = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"<>()@,;:\\\"[]".contains(&b))
    };
    if cid.len() > 250 || !parts.is_some_and(|(left, right)| good(left) && good(right)) {
        return Err(Error::usage(format!(
            "{cid:?} is not a Content-ID: give one as logo@example.org (RFC 2392)"
        )));
    }
    Ok(cid.to_owned())
}

pub(super) fn no_text(media: &str, thing: &str) -> Error {
    Error::usage(format!(
        "{media} has no text that {thing} could be an alternative to: start with Message::text()"
    ))
}
