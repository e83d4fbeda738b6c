//! A composed message that is ready to be sent: for each server its own header sections and encodings.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::Cursor;

use super::Edits;
use super::finished::{Ready, may_be_raw, raw_fields};
use super::identity::random_hex;
use super::parameters::Parameters;
use super::part::{Body, Coding, Leaf, Part};
use super::rendered::Rendered;
use super::stream::{Chain, Stream};
use super::token::{Message, Token};
use super::words;
use crate::content::{BodyKind, Form, Transfer};
use crate::error::Error;

/// Room for MIME-Version and the Content-Type of a text.
const MIME: usize = 80;

/// A message or a part.
#[derive(Debug)]
pub(super) enum Node {
    Finished(Box<Ready>),
    Composed(Box<Composed>),
}

#[derive(Debug)]
pub(super) struct Composed {
    fields: Rendered,
    /// MIME-Version and Content-Type, as they are written.
    mime: String,
    body: Plan,
}

#[derive(Debug)]
enum Plan {
    Leaf(Leaf),
    Parts(String, Vec<Node>),
    Inner(Node),
}

/// One piece of the message.
enum Piece<'a> {
    /// Whole lines, in parts.
    Text(&'a [&'a str]),
    Leaf(&'a Leaf, Coding),
    Finished(&'a Ready),
}

impl Node {
    /// Looks at everything below `message`.
    pub(super) fn new(message: &Message, edits: &Edits) -> Result<Self, Error> {
        Self::at(message, edits, true, false)
    }

    /// `whole`: it is a message, not a part of a multipart. `embedded`: it is not the outermost one.
    fn at(message: &Message, edits: &Edits, whole: bool, embedded: bool) -> Result<Self, Error> {
        let part = match message.token() {
            Token::Finished(finished) => {
                return Ok(Self::Finished(Box::new(finished.prepare(edits, embedded)?)));
            }
            Token::Composed(part) => part,
        };
        let fields = Rendered::of(edits.front(&part.fields))?;
        let mut parameters = Cow::Borrowed(&part.parameters);
        let none = Edits::default();
        let body = match &part.body {
            Body::Source(source) => Plan::Leaf(Leaf::new(part, source)?),
            Body::Inner(inner) => Plan::Inner(Self::at(inner, &none, true, true)?),
            Body::Parts(parts) => {
                if parts.is_empty() {
                    return Err(Error::usage(format!("{} has no parts; one at least is needed", part.media)));
                }
                let nodes: Result<_, _> = parts.iter().map(|p| Self::at(p, &none, false, true)).collect();
                Plan::Parts(boundary(part, parameters.to_mut())?, nodes?)
            }
        };
        let mut mime = String::with_capacity(MIME);
        if whole {
            mime.push_str("MIME-Version: 1.0\r\n");
        }
        let name = part.file_name.as_deref();
        words::with_parameters("Content-Type", &part.media, &parameters, name, &mut mime)?;
        Ok(Self::Composed(Box::new(Composed { fields, mime, body })))
    }

    pub(super) fn needs_utf8(&self) -> bool {
        match self {
            Self::Finished(ready) => ready.needs_utf8(),
            Self::Composed(_) => self.has_unencoded(),
        }
    }

    /// Whether a header section that is written here has a field without a form in ASCII.
    fn has_unencoded(&self) -> bool {
        let Self::Composed(node) = self else { return false };
        node.fields.unencoded().is_some()
            || match &node.body {
                Plan::Leaf(_) => false,
                Plan::Parts(_, parts) => parts.iter().any(Self::has_unencoded),
                Plan::Inner(inner) => inner.has_unencoded(),
            }
    }

    pub(super) fn form(&self, transfer: Transfer) -> Result<Form, Error> {
        if let Self::Finished(ready) = self {
            return ready.form(transfer);
        }
        let body = self.kind(transfer, raw_fields(transfer))?;
        let mut size = Some(0_u64);
        let (mut ended, mut clean, mut exact) = (true, true, true);
        self.pieces(transfer, raw_fields(transfer), &mut |piece| {
            let (length, last, is_clean) = match piece {
                Piece::Text(parts) => {
                    let dot = |part: &&str| part.starts_with('.') || part.contains("\n.");
                    (Some(parts.iter().map(|part| part.len() as u64).sum()), true, !parts.iter().any(dot))
                }
                Piece::Leaf(leaf, coding) => {
                    let (length, last) = leaf.size(coding);
                    (length, last, leaf.is_clean(coding))
                }
                Piece::Finished(ready) => {
                    let (length, last) = ready.embedded_size(part_of(transfer))?;
                    exact &= ready.is_counted(part_of(transfer));
                    (length, last, false)
                }
            };
            clean &= is_clean;
            if length != Some(0) {
                ended = last;
            }
            size = size.and_then(|s| Some(s.saturating_add(length?)));
            Ok(())
        })?;
        if !ended && body != BodyKind::BinaryMime {
            size = size.map(|s| s.saturating_add(2));
        }
        Ok(Form { body, size, exact, clean })
    }

    pub(super) fn open(&self, transfer: Transfer) -> Result<Stream, Error> {
        if let Self::Finished(ready) = self {
            return ready.open(transfer);
        }
        let mut chain: VecDeque<Stream> = VecDeque::new();
        self.pieces(transfer, raw_fields(transfer), &mut |piece| {
            chain.push_back(match piece {
                Piece::Text(parts) => Box::new(Cursor::new(parts.concat())),
                Piece::Leaf(leaf, coding) => leaf.open(coding)?,
                Piece::Finished(ready) => ready.open_embedded(part_of(transfer))?,
            });
            Ok(())
        })?;
        Ok(Box::new(Chain(chain)))
    }

    /// What this node needs of the server. `utf8`: its fields are written raw.
    fn kind(&self, transfer: Transfer, utf8: bool) -> Result<BodyKind, Error> {
        let node = match self {
            Self::Finished(ready) => return Ok(ready.form(part_of(transfer))?.body),
            Self::Composed(node) => node,
        };
        let body = node.body.kind(transfer)?;
        may_be_raw(node.fields.unencoded(), transfer)?;
        let raw = !node.fields.text(utf8).is_ascii();
        Ok(if raw { larger(body, BodyKind::EightBitMime) } else { body })
    }

    fn pieces(
        &self,
        transfer: Transfer,
        utf8: bool,
        give: &mut dyn FnMut(Piece<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let node = match self {
            Self::Finished(ready) => return give(Piece::Finished(ready)),
            Self::Composed(node) => node,
        };
        let coding = node.body.coding(transfer)?;
        let (fields, mime) = (node.fields.text(utf8), node.mime());
        let head = [fields, &mime, "Content-Transfer-Encoding: ", coding.name(), "\r\n\r\n"];
        match &node.body {
            Plan::Leaf(leaf) => {
                give(Piece::Text(&head))?;
                give(Piece::Leaf(leaf, coding))
            }
            Plan::Inner(inner) => {
                give(Piece::Text(&head))?;
                inner.pieces(transfer, false, give)
            }
            Plan::Parts(boundary, parts) => {
                give(Piece::Text(&head))?;
                for (number, part) in parts.iter().enumerate() {
                    // The line end before a boundary belongs to it (RFC 2046 section 5.1.1).
                    let line_end = if number > 0 { "\r\n" } else { "" };
                    give(Piece::Text(&[line_end, "--", boundary, "\r\n"]))?;
                    part.pieces(transfer, false, give)?;
                }
                give(Piece::Text(&["\r\n--", boundary, "--\r\n"]))
            }
        }
    }
}

impl Composed {
    /// A message whose header section is not ASCII is not a `message/rfc822` (RFC 6532 section 3.7).
    fn mime(&self) -> Cow<'_, str> {
        match &self.body {
            Plan::Inner(inner) if inner.has_unencoded() => {
                self.mime.replacen("message/rfc822", "message/global", 1).into()
            }
            _ => self.mime.as_str().into(),
        }
    }
}

impl Plan {
    fn kind(&self, transfer: Transfer) -> Result<BodyKind, Error> {
        match self {
            Self::Leaf(leaf) => Ok(leaf.coding(transfer).kind()),
            Self::Inner(inner) => inner.kind(transfer, false),
            Self::Parts(_, parts) => parts
                .iter()
                .try_fold(BodyKind::SevenBit, |kind, part| Ok(larger(kind, part.kind(transfer, false)?))),
        }
    }

    /// Whatever contains parts is never encoded itself (RFC 2045 6.4).
    fn coding(&self, transfer: Transfer) -> Result<Coding, Error> {
        if let Self::Leaf(leaf) = self {
            return Ok(leaf.coding(transfer));
        }
        Ok(match self.kind(transfer)? {
            BodyKind::SevenBit => Coding::SevenBit,
            BodyKind::EightBitMime => Coding::EightBit,
            BodyKind::BinaryMime => Coding::Binary,
        })
    }
}

/// Header sections below the first stay ASCII where they can: raw UTF-8 there would ask for message/global (RFC 6532 3.7).
fn part_of(transfer: Transfer) -> Transfer {
    Transfer { utf8: false, ..transfer }
}

fn larger(a: BodyKind, b: BodyKind) -> BodyKind {
    match (a, b) {
        (BodyKind::BinaryMime, _) | (_, BodyKind::BinaryMime) => BodyKind::BinaryMime,
        (BodyKind::EightBitMime, _) | (_, BodyKind::EightBitMime) => BodyKind::EightBitMime,
        (BodyKind::SevenBit, BodyKind::SevenBit) => BodyKind::SevenBit,
    }
}

/// The caller's boundary, or one of 128 random bits that no part can have. `=_` cannot occur in
/// quoted-printable or base64 either (RFC 2045 6.7).
fn boundary(part: &Part, parameters: &mut Parameters) -> Result<String, Error> {
    if let Some((_, own)) = part.parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case("boundary")) {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
        if own.is_empty() || own.len() > 70 || own.ends_with(' ') || !own.bytes().all(allowed) {
            return Err(Error::usage(format!(
                "{own:?} is not a valid boundary (RFC 2046 5.1.1): leave it out"
            )));
        }
        return Ok(own.to_string());
    }
    let boundary = format!("=_{}", random_hex()?);
    parameters.push(("boundary".into(), (&boundary).into()));
    Ok(boundary)
}
