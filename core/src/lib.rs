//! An SMTP client that knows what became of every message.
#![deny(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

pub mod address;
pub mod cancel;
pub mod command;
pub mod content;
pub mod conversation;
pub mod delivery;
pub mod dialogue;
pub mod engine;
pub mod envelope;
pub mod error;
pub mod extensions;
pub mod link;
pub mod mask;
pub mod message;
pub mod opening;
pub mod options;
pub mod prepared;
pub mod reply;
pub mod report;
pub mod sasl;
pub mod secret;
pub mod server;
#[cfg(feature = "net")]
mod system;
pub mod tls;
pub mod transcript;
pub mod wire;

#[cfg(feature = "net")]
pub mod net;
