//! Composed parts: what they are, and how they are encoded for a server.

use std::io::BufReader;
use std::str::FromStr;

use smol_str::SmolStr;

use super::PIECE;
use super::codec::{Base64, Codec};
use super::field::Fields;
use super::finished::count;
use super::parameters::Parameters;
use super::quoted::{Counter, Quoted};
use super::source::{Readability, Source};
use super::stream::{Checked, Coded, Promise, Stream};
use super::survey::Census;
use super::syntax::starts_with_ignore_case;
use super::token::Message;
use crate::content::{BodyKind, Transfer};
use crate::error::Error;

/// How the body of a part is sent (RFC 2045 6). All but `Base64` and `QuotedPrintable` are wishes: where the
/// content or the server does not allow them the part is encoded, as with `Auto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// Text as 7bit, or 8bit where the server takes it, or else as the shorter of quoted-printable and
    /// base64; `message/delivery-status` and its like, which cannot be encoded, as 7bit; everything else, and
    /// attachments, as base64.
    #[default]
    Auto,
    /// 7bit.
    SevenBit,
    /// 8bit, where the server offers 8BITMIME (RFC 6152).
    EightBit,
    /// quoted-printable.
    QuotedPrintable,
    /// base64.
    Base64,
    /// binary, where the server offers BINARYMIME (RFC 3030).
    Binary,
}

/// Its name in Content-Transfer-Encoding, or `auto`.
impl FromStr for Encoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let encoding = match name {
            "auto" => Self::Auto,
            "7bit" => Self::SevenBit,
            "8bit" => Self::EightBit,
            "quoted-printable" => Self::QuotedPrintable,
            "base64" => Self::Base64,
            "binary" => Self::Binary,
            _ => {
                let text = "is not an encoding: give auto, 7bit, 8bit, quoted-printable, base64 or binary";
                return Err(Error::usage(format!("{name:?} {text}")));
            }
        };
        Ok(encoding)
    }
}

/// Parts within each other. Real mail has five or six. Whatever walks a message (writing, copying, dropping) calls itself
/// once a level, so a deeper one is refused when it is put together.
pub(super) const MOST_LEVELS: usize = 100;

/// A part that is put together here.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) fields: Fields,
    /// `type/subtype`.
    pub(super) media: SmolStr,
    pub(super) parameters: Parameters,
    /// The name of an attachment where it is not ASCII, so that Content-Type has it too.
    pub(super) file_name: Option<String>,
    pub(super) encoding: Encoding,
    /// An attachment: text too arrives octet by octet, whatever ends its lines.
    pub(super) opaque: bool,
    pub(super) body: Body,
    /// How many parts are within each other below this one; never more than [`MOST_LEVELS`].
    pub(super) levels: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    Source(Source),
    Parts(Vec<Message>),
    Inner(Box<Message>),
}

impl Part {
    /// A part with a body of its own.
    pub(super) fn leaf(media: &str, source: Source) -> Self {
        Self::made(media, Body::Source(source), 0)
    }

    /// `multipart/...`.
    pub(super) fn multipart(media: &str, parts: Vec<Message>) -> Result<Self, Error> {
        let levels = above(parts.iter().map(Message::levels).max().unwrap_or(0))?;
        Ok(Self::made(media, Body::Parts(parts), levels))
    }

    /// `message/rfc822`.
    pub(super) fn rfc822(inner: Message) -> Result<Self, Error> {
        let levels = above(inner.levels())?;
        Ok(Self::made("message/rfc822", Body::Inner(Box::new(inner)), levels))
    }

    fn made(media: &str, body: Body, levels: usize) -> Self {
        Self {
            fields: Fields::default(),
            media: media.into(),
            parameters: Parameters::new(),
            file_name: None,
            encoding: Encoding::Auto,
            opaque: false,
            body,
            levels,
        }
    }

    /// Adds a part after the others of a multipart, which this must be.
    pub(super) fn push(&mut self, added: Message) -> Result<(), Error> {
        let Body::Parts(parts) = &mut self.body else {
            return Err(Error::usage(format!("{} is not made of parts: use attach()", self.media)));
        };
        self.levels = self.levels.max(above(added.levels())?);
        parts.push(added);
        Ok(())
    }

    pub(super) fn is(&self, media: &str) -> bool {
        self.media.eq_ignore_ascii_case(media)
    }

    fn is_text(&self) -> bool {
        starts_with_ignore_case(&self.media, "text/")
    }

    /// Whether it must be 7bit (RFC 2046 section 5.2): a report or a piece of a message. A message/rfc822 is not a leaf.
    fn is_report(&self) -> bool {
        starts_with_ignore_case(&self.media, "message/")
            && !starts_with_ignore_case(&self.media, "message/global")
    }
}

/// The levels of a part around one that has so many.
pub(super) fn above(levels: usize) -> Result<usize, Error> {
    if levels >= MOST_LEVELS {
        return Err(Error::usage(format!(
            "the message has more than {MOST_LEVELS} parts within each other: give it fewer levels"
        )));
    }
    Ok(levels + 1)
}

/// The Content-Transfer-Encoding of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    SevenBit,
    EightBit,
    Binary,
    Quoted,
    Base64,
}

impl Coding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::Binary => "binary",
            Self::Quoted => "quoted-printable",
            Self::Base64 => "base64",
        }
    }

    pub(super) fn kind(self) -> BodyKind {
        match self {
            Self::SevenBit | Self::Quoted | Self::Base64 => BodyKind::SevenBit,
            Self::EightBit => BodyKind::EightBitMime,
            Self::Binary => BodyKind::BinaryMime,
        }
    }
}

fn not_7bit(media: &str) -> Error {
    Error::usage(format!(
        "a part of type {media} must be 7bit (RFC 2046 section 5.2), and cannot be encoded: give it in lines of up to 998 \
         octets below 128, none of them NUL"
    ))
}

/// The body of a part, looked at as far as needed.
#[derive(Debug)]
pub(super) struct Leaf {
    source: Source,
    /// Line ends become CRLF (RFC 2046 4.1.1).
    text: bool,
    encoding: Encoding,
    /// A file must still be so long when it is sent.
    promised: Option<u64>,
    length: Option<u64>,
    census: Option<Census>,
    quoted: Option<u64>,
}

impl Leaf {
    pub(super) fn new(part: &Part, source: &Source) -> Result<Self, Error> {
        let report = part.is_report();
        let text = part.is_text() && !part.opaque || report;
        let encoding = match part.encoding {
            Encoding::QuotedPrintable | Encoding::Base64 if report => return Err(not_7bit(&part.media)),
            _ if report => Encoding::SevenBit,
            Encoding::Auto if part.opaque => Encoding::Base64,
            encoding => encoding,
        };
        let mut leaf = Self {
            source: source.clone(),
            text,
            encoding,
            promised: None,
            length: None,
            census: None,
            quoted: None,
        };
        let counts =
            text || matches!(encoding, Encoding::SevenBit | Encoding::EightBit | Encoding::QuotedPrintable);
        match source.place()? {
            Readability::Memory(blob) => {
                leaf.length = Some(blob.bytes().len() as u64);
                leaf.census = counts.then(|| *blob.census());
                if encoding == Encoding::QuotedPrintable || text && !leaf.stands(false) {
                    leaf.quoted = Some(blob.quoted(text));
                }
            }
            Readability::Regular(path, file, length) => {
                leaf.length = Some(length);
                leaf.promised = Some(length);
                if counts {
                    let mut census = Census::default();
                    let mut counter = Counter::new(text);
                    let mut input = BufReader::with_capacity(PIECE, file);
                    count(path, &mut input, |piece| {
                        census.update(piece);
                        counter.update(piece);
                    })?;
                    leaf.census = Some(census);
                    leaf.quoted = Some(counter.finish());
                }
            }
            Readability::Stream(slot) => {
                leaf.length = slot.length;
                leaf.promised = slot.length;
            }
        }
        if report && leaf.census.is_some() && !leaf.stands(false) {
            return Err(not_7bit(&part.media));
        }
        Ok(leaf)
    }

    pub(super) fn coding(&self, transfer: Transfer) -> Coding {
        match self.encoding {
            Encoding::Base64 => Coding::Base64,
            Encoding::QuotedPrintable => Coding::Quoted,
            Encoding::Binary if transfer.binary => Coding::Binary,
            Encoding::SevenBit if self.census.is_none() || self.stands(false) => Coding::SevenBit,
            Encoding::EightBit if transfer.eight_bit && self.census.is_none() => Coding::EightBit,
            Encoding::Auto if !self.text => Coding::Base64,
            _ if self.stands(false) => Coding::SevenBit,
            _ if transfer.eight_bit && self.stands(true) => Coding::EightBit,
            _ if self.text && self.quoted <= self.base64() => Coding::Quoted,
            _ => Coding::Base64,
        }
    }

    /// The encoded octets, and whether they end a line.
    pub(super) fn size(&self, coding: Coding) -> (Option<u64>, bool) {
        let ended = self.text && self.census.is_none_or(|c| c.ended());
        match coding {
            Coding::Quoted => (self.quoted, ended),
            Coding::Base64 => (self.base64(), self.length == Some(0)),
            _ if self.text => (self.census.map(|c| c.canonical()), ended),
            _ => (self.length, self.census.is_some_and(|c| c.ended()) || self.length == Some(0)),
        }
    }

    /// As [`Form::clean`](crate::content::Form::clean) has it: base64 always is, and a file may change.
    pub(super) fn is_clean(&self, coding: Coding) -> bool {
        let known = || matches!(self.source, Source::Bytes(_)) && self.census.is_some_and(|c| c.clean());
        match coding {
            Coding::Base64 => true,
            Coding::Quoted => false,
            Coding::SevenBit | Coding::EightBit | Coding::Binary => known(),
        }
    }

    pub(super) fn open(&self, coding: Coding) -> Result<Stream, Error> {
        let lines = self.text && self.census.is_none_or(|c| c.bare() > 0);
        let codec = match coding {
            Coding::Quoted => Codec::Quoted(Quoted::new(self.text)),
            Coding::Base64 => Codec::base64(lines),
            _ if lines => Codec::Lines { after_cr: false },
            _ => Codec::Identity,
        };
        let mut input = self.source.open(true)?;
        if !matches!(self.source, Source::Bytes(_)) {
            let identity = matches!(coding, Coding::SevenBit | Coding::EightBit);
            let promise = Promise {
                name: "the body of a part",
                length: self.promised,
                seven_bit: coding == Coding::SevenBit,
                no_nul: identity,
                lines: identity,
            };
            input = Box::new(Checked::new(input, promise));
        }
        Ok(if matches!(codec, Codec::Identity) { input } else { Box::new(Coded::new(input, codec)) })
    }

    /// Whether the octets can be sent as they are.
    fn stands(&self, eight_bit: bool) -> bool {
        self.census.is_some_and(|c| {
            c.nul.is_none() && !c.long && (eight_bit || !c.eight_bit) && (self.text || c.bare() == 0)
        })
    }

    fn base64(&self) -> Option<u64> {
        if !self.text {
            return self.length.map(Base64::size);
        }
        self.census.map(|c| Base64::size(c.canonical()))
    }
}
