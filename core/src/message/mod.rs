//! The token: a MIME part, a whole message or a part of one.
//!
//! A token is either *finished* (bytes, a file or a reader that is a message already, and is never encoded
//! again) or *composed* here of parts, which are encoded for each server as it needs them.
//!
//! ```
//! use smtpclient::message::{HeaderMode, Message};
//!
//! let mut message = Message::text("Gr\u{fc}\u{df}e\n");
//! message.set_header("Subject", "Na\u{ef}ve", HeaderMode::Write)?;
//! message.add_alternative_html("<p>Gr\u{fc}\u{df}e</p>")?;
//! message.attach_bytes("notes.pdf", None, "%PDF-1.4")?;
//! let text = String::from_utf8(message.to_bytes()?).unwrap();
//! assert!(text.starts_with("Subject: =?utf-8?b?TmHDr3Zl?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n"));
//! # Ok::<(), smtpclient::error::Error>(())
//! ```

mod build;
mod calendar;
mod codec;
mod field;
mod finished;
mod head;
mod header;
#[cfg(feature = "html")]
mod html;
pub mod identity;
mod known;
mod names;
mod outgoing;
mod parameters;
mod part;
mod plan;
mod quoted;
mod rendered;
mod rewrite;
mod signed;
mod source;
mod stream;
mod survey;
mod syntax;
#[cfg(test)]
mod tests;
mod token;
mod unsubscribe;
mod words;

pub use field::HeaderMode;
pub(crate) use header::Header;
pub use identity::{date, message_id};
pub(crate) use known::{Known, KnownSet};
pub use outgoing::{Edits, Outgoing};
pub use part::Encoding;
#[doc(hidden)]
pub use rewrite::Rewrite;
pub use source::Reader;
pub(crate) use token::Identity;
pub use token::Message;
#[doc(hidden)]
pub use words::{ascii_field, is_text};

/// What is read and encoded at once: whole lines of base64, and less than 64 KiB of them.
const PIECE: usize = 57 * 840;
