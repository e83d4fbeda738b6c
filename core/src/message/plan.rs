//! A composed message that is ready to be sent: for each server its own header sections and encodings.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::Cursor;

use super::Edits;
use super::field::Field;
use super::finished::{Ready, may_be_raw, raw_fields, render, unencoded};
use super::identity::random_hex;
use super::part::{Body, Coding, Leaf, Part};
use super::stream::{Chain, Stream};
use super::survey::Census;
use super::token::{Message, Token};
use super::words;
use crate::content::{BodyKind, Form, Transfer};
use crate::error::Error;

/// A message or a part.
#[derive(Debug)]
pub(super) enum Node {
    Finished(Box<Ready>),
    Composed(Box<Composed>),
}

#[derive(Debug)]
pub(super) struct Composed {
    fields: Vec<Field>,
    /// A field that has no form in ASCII.
    unencoded: Option<String>,
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
    Text(Vec<u8>),
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
        let mut fields = edits.fields();
        fields.extend(part.fields.iter().filter(|f| !edits.removes(&f.name)).cloned());
        let mut parameters = part.parameters.clone();
        let none = Edits::default();
        let body = match &part.body {
            Body::Source(source) => Plan::Leaf(Leaf::new(part, source)?),
            Body::Inner(inner) => Plan::Inner(Self::at(inner, &none, true, true)?),
            Body::Parts(parts) => {
                if parts.is_empty() {
                    return Err(Error::usage(format!("{} has no parts; one at least is needed", part.media)));
                }
                let nodes: Result<_, _> = parts.iter().map(|p| Self::at(p, &none, false, true)).collect();
                Plan::Parts(boundary(part, &mut parameters)?, nodes?)
            }
        };
        let mut mime = if whole { "MIME-Version: 1.0\r\n".to_owned() } else { String::new() };
        let name = part.file_name.as_deref();
        mime.push_str(&words::with_parameters("Content-Type", &part.media, &parameters, name)?);
        let unencoded = unencoded(&fields)?;
        Ok(Self::Composed(Box::new(Composed { fields, unencoded, mime, body })))
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
        node.unencoded.is_some()
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
        let mut ended = true;
        self.pieces(transfer, raw_fields(transfer), &mut |piece| {
            let (length, last) = match piece {
                Piece::Text(text) => {
                    let census = Census::of(&text);
                    (Some(census.length), census.ended())
                }
                Piece::Leaf(leaf, coding) => leaf.size(coding),
                Piece::Finished(ready) => ready.embedded_size(part_of(transfer))?,
            };
            if length != Some(0) {
                ended = last;
            }
            size = size.and_then(|s| Some(s.saturating_add(length?)));
            Ok(())
        })?;
        if !ended && body != BodyKind::BinaryMime {
            size = size.map(|s| s.saturating_add(2));
        }
        Ok(Form { body, size, clean: false })
    }

    pub(super) fn open(&self, transfer: Transfer) -> Result<Stream, Error> {
        if let Self::Finished(ready) = self {
            return ready.open(transfer);
        }
        let mut chain: VecDeque<Stream> = VecDeque::new();
        self.pieces(transfer, raw_fields(transfer), &mut |piece| {
            chain.push_back(match piece {
                Piece::Text(text) => Box::new(Cursor::new(text)),
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
        may_be_raw(node.unencoded.as_deref(), transfer)?;
        let raw = !render(&node.fields, utf8)?.is_ascii();
        Ok(if raw { larger(body, BodyKind::EightBitMime) } else { body })
    }

    fn pieces<'a>(
        &'a self,
        transfer: Transfer,
        utf8: bool,
        give: &mut dyn FnMut(Piece<'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let node = match self {
            Self::Finished(ready) => return give(Piece::Finished(ready)),
            Self::Composed(node) => node,
        };
        let mut text = render(&node.fields, utf8)?;
        text.extend_from_slice(node.mime().as_bytes());
        let coding = node.body.coding(transfer)?;
        text.extend_from_slice(format!("Content-Transfer-Encoding: {}\r\n\r\n", coding.name()).as_bytes());
        match &node.body {
            Plan::Leaf(leaf) => {
                give(Piece::Text(text))?;
                give(Piece::Leaf(leaf, coding))
            }
            Plan::Inner(inner) => {
                give(Piece::Text(text))?;
                inner.pieces(transfer, false, give)
            }
            Plan::Parts(boundary, parts) => {
                for part in parts {
                    text.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                    give(Piece::Text(std::mem::take(&mut text)))?;
                    part.pieces(transfer, false, give)?;
                    text.extend_from_slice(b"\r\n");
                }
                text.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
                give(Piece::Text(text))
            }
        }
    }
}

impl Composed {
    /// A message whose header section is not ASCII is no `message/rfc822` (RFC 6532 section 3.7).
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
fn boundary(part: &Part, parameters: &mut Vec<(String, String)>) -> Result<String, Error> {
    if let Some((_, own)) = part.parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case("boundary")) {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
        if own.is_empty() || own.len() > 70 || own.ends_with(' ') || !own.bytes().all(allowed) {
            return Err(Error::usage(format!("{own:?} is no boundary (RFC 2046 5.1.1): leave it out")));
        }
        return Ok(own.clone());
    }
    let boundary = format!("=_{}", random_hex()?);
    parameters.push(("boundary".to_owned(), boundary.clone()));
    Ok(boundary)
}
