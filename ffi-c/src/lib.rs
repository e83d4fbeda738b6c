//! libsmtp: the crate `smtpclient` for C. `include/libsmtp.h` is made from this crate and is its manual.
//!
//! Every function is a guard (no panic leaves, no handle is used twice at once), a check of the pointers,
//! one call into `smtpclient`, and the code for what came of it.
//!
//! # Safety
//! C keeps what the header asks for: a handle is NULL or one that this library gave and that was not freed,
//! a string is NULL or ends in NUL, data is NULL or as long as said, and callbacks are functions of the
//! type that the header gives and return. Everything else is checked.
#![allow(unsafe_code, reason = "the one crate that speaks with C")]
#![allow(non_camel_case_types, reason = "the names of C")]
#![allow(clippy::missing_safety_doc, reason = "it is the same for all, and stands above")]
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod address;
mod callbacks;
mod cancel;
mod code;
mod commit;
mod engine;
mod guard;
mod kept;
mod mailer;
mod mechanism;
mod message;
mod options;
mod platform;
mod result;
mod send;
mod session;
mod signer;
mod strings;
mod tls;

pub use address::*;
pub use callbacks::{
    SMTP_CLIENT, SMTP_INSECURE, SMTP_NOTE, SMTP_READ_AGAIN, SMTP_SECURE, SMTP_SERVER, SMTP_TOKEN_FIRST,
    SMTP_TOKEN_REFUSED, smtp_dial_fn, smtp_next_fn, smtp_oauthtoken_fn, smtp_progress_fn, smtp_read_fn,
    smtp_release_fn, smtp_rewind_fn, smtp_sent_fn, smtp_tlspolicy_fn, smtp_transcript_fn, smtp_write_fn,
};
pub use cancel::*;
pub use code::*;
pub use commit::*;
pub use engine::*;
pub use mailer::*;
pub use mechanism::*;
pub use message::*;
pub use options::*;
pub use result::*;
pub use send::*;
pub use session::*;
pub use signer::*;
pub use tls::*;
