//! An SMTP client that knows what became of every message.
//!
//! For each recipient a [`Report`] gives one of four outcomes: [`Accepted`](Outcome::Accepted),
//! [`Rejected`](Outcome::Rejected), [`NotSent`](Outcome::NotSent), or [`Unknown`](Outcome::Unknown) if the connection
//! ended between the end of the message and the server's reply. Only the last cannot be sent again without the risk
//! of a duplicate.
//!
//! # Sending a message
//! [`sendmessage`](net::sendmessage()) tries the servers in order and returns when the outcome is known. A [`Message`] is
//! composed of parts, or exists already as bytes, a file or a reader; [`Options`] say where and how to send it.
//!
#![cfg_attr(feature = "net", doc = "```no_run")]
#![cfg_attr(not(feature = "net"), doc = "```text")]
//! use smtpclient::{HeaderMode, Message, Options, sendmessage};
//!
//! let mut message = Message::text("The server room is on fire.\n");
//! message.set_header("From", "alarm@example.org", HeaderMode::Write)?;
//! message.set_header("To", "ann@example.org, bob@example.org", HeaderMode::Write)?;
//! message.set_header("Subject", "Fire", HeaderMode::Write)?;
//! message.attach_bytes("log.txt", None, "12:04 smoke\n")?;
//!
//! let mut options = Options::default();
//! options.set("servers", "submission://mail.example.org")?;
//! options.set("username", "alarm")?;
//! options.set("password", "secret")?;
//!
//! let report = sendmessage(&message, &options)?;
//! for recipient in &report.recipients {
//!     println!("{}: {}", recipient.address, recipient.outcome.name());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An [`Error`] has a [`Kind`] to decide by, the [`Step`] that failed, the server, and its reply. The [`SendError`] of a
//! message that nobody got has the report as well.
//!
//! # A session
//! A [`Session`] is one open connection, driven message by message or verb by verb. EHLO, STARTTLS and the login
//! happen before the first message, as the options say.
//!
#![cfg_attr(feature = "net", doc = "```no_run")]
#![cfg_attr(not(feature = "net"), doc = "```text")]
//! use smtpclient::{Message, Options, Session};
//!
//! let options = Options::default();
//! let mut session = Session::open("mail.example.org", 587, &options)?;
//! println!("{}", session.vrfy("postmaster")?);
//! let message = Message::from_file("message.eml");
//! let report = session.send_message(&message, &options)?;
//! println!("{} octets", report.octets);
//! session.quit()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A batch, and a mailer
//! [`Session::send_many`] and [`Session::batch`] keep several messages on their way at once if the server offers
//! PIPELINING. Each message has a result of its own, in order:
//!
#![cfg_attr(feature = "net", doc = "```no_run")]
#![cfg_attr(not(feature = "net"), doc = "```text")]
//! use smtpclient::{Message, Options, Session};
//!
//! let mut session = Session::open("mail.example.org", 25, &Options::default())?;
//! let messages = (1..=1000).map(|n| {
//!     Message::from_bytes(format!("From: a@example.org\nTo: user{n}@example.net\nSubject: Hello\n\nHello.\n"))
//! });
//! for (n, sent) in session.send_many(messages).enumerate() {
//!     match sent {
//!         Ok(report) if report.complete() => {}
//!         Ok(report) => println!("{n}: {} were refused", report.refused().count()),
//!         Err(failed) => println!("{n}: {}", failed.error),
//!     }
//! }
//! # Ok::<(), smtpclient::Error>(())
//! ```
//!
//! A [`Mailer`] sends over many connections from a thread of its own: a bounded queue that tries again and reports once
//! for each message. See [`net::mailer`].
//!
//! # Async Rust
#![cfg_attr(feature = "tokio", doc = "Module [`tokio`] has all of these awaited, over the same engine:")]
#![cfg_attr(not(feature = "tokio"), doc = "Feature `tokio` has all of these awaited, over the same engine:")]
//!
#![cfg_attr(feature = "tokio", doc = "```no_run")]
#![cfg_attr(not(feature = "tokio"), doc = "```text")]
//! use smtpclient::{Message, Options, SendError};
//!
//! async fn send(message: &Message, options: &Options) -> Result<(), SendError> {
//!     let report = smtpclient::tokio::sendmessage(message, options).await?;
//!     println!("{} of {} refused", report.refused().count(), report.recipients.len());
//!     Ok(())
//! }
//! ```
//!
//! # The engine: bytes in, bytes out
//! All of these are drivers around state machines that have no socket, clock or thread. [`Delivery`] is `sendmessage`,
//! [`Dialogue`] is a session, and [`engine::Engine`] is the protocol alone. A program that has its own event loop does
//! what [`Action`] says, moves the bytes and reads the report:
//!
//! ```
//! use smtpclient::envelope::Local;
//! use smtpclient::{Action, Conversation, Delivery, Driven, Ends, Message, Options};
//!
//! let message = Message::from_bytes("From: ann@example.org\nTo: bob@example.net\n\nHello.\n");
//! let options = Options::default();
//! let local = Local {
//!     host: || "client.example.org".to_owned(),
//!     user: || "ann".to_owned(),
//!     now: jiff::Zoned::now,
//! };
//! let mut delivery = Delivery::new(&message, options, &local, None)?;
//!
//! assert!(matches!(delivery.action(), Action::Dial(_)));
//! delivery.connected(Ends::default());
//! let server = ["220 mail", "250 mail", "250 sender", "250 recipient", "354 go on", "250 queued"];
//! for line in server {
//!     assert_eq!(delivery.action(), Action::Exchange);
//!     delivery.handle_input(format!("{line}\r\n").as_bytes());
//!     let written = delivery.poll_output().len(); // here they would be written to a socket
//!     delivery.output_done(written);
//! }
//! assert!(delivery.is_done() && delivery.report().complete());
//! # Ok::<(), smtpclient::Error>(())
//! ```
//!
//! A real driver also calls [`handle_eof`](Conversation::handle_eof), and
//! [`handle_timeout`](Conversation::handle_timeout) when [`conversation::Clock`] says that time is up.
//! [`net::Connection`] does all of this for a program that only watches a descriptor.
//!
//! # Features
//! - `net` (default): sockets, name resolution, proxies, and TLS by one of the libraries that follow. Without it the crate is
//!   pure: module [`net`] and all that blocks is missing, and TLS is whatever implements [`tls::Secure`].
//! - `tls-native` (default): TLS by `native-tls`, the platform's own library.
//! - `tls-openssl`: TLS by the `openssl` crate, with what `native-tls` does not offer: the protocol version and cipher in
//!   the report, choice of ciphers, key logs, encrypted keys, channel bindings, resumption.
//! - `tls-rustls`: TLS by `rustls`, with neither OpenSSL nor its headers, and with most of that: no TLS 1.0 and 1.1, no
//!   encrypted keys, no PKCS#12, no tls-unique.
//! - `dkim` (default): option `dkim` signs messages, by `ring`. Without it the option is an error.
//! - `html`: text that is made from HTML, and the pictures that it names, by `html2text` and `html5gum`.
//! - `tokio`: `sendmessage`, sessions and mailers that are awaited, on tokio; for Unix.
//! - `serde`: [`report::fields::Value`], and so a whole report, as JSON or any other format of serde.
//!
//! Where several are built in, the first of `tls-openssl`, `tls-rustls` and `tls-native` is used; [`tls::library`] tells
//! which. For rustls alone: `default-features = false, features = ["tls-rustls"]`.
//!
//! # Other languages
//! Options, report fields, verbs and kinds of errors have the same names in every language, and are listed by
//! `docs/options.md`, `docs/report.md` and `docs/session.md` of the repository.
//!
//! | language | what | where it is documented |
//! | --- | --- | --- |
//! | C | library `libsmtp` | comments in `include/libsmtp.h`, programs in `examples-c` |
//! | Python | package `smtpclient` | docstrings: `help(smtpclient)` |
//! | Tcl | package `smtp` | manual page `smtp(n)`, made from `tcl-binding/smtp.man` |
//!
//! `docs/architecture.md` describes the layers inside, and what each is called in each language.
//!
//! # What may change
//! Public items that these pages do not show exist for the bindings and tests of the repository, and may change
//! with any version. Structs and enums to which fields or variants may be added are `#[non_exhaustive]`. Those that are
//! not are complete on purpose: of [`Outcome`] and [`Status`] none can be overlooked, and whoever drives a
//! [`Conversation`] has to learn of a new [`Action`] from the compiler.
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
mod caught;
pub mod command;
pub mod commit;
pub mod content;
pub mod conversation;
pub mod delivery;
mod descriptor;
pub mod dialogue;
pub mod dkim;
pub mod engine;
pub mod envelope;
pub mod error;
pub mod extensions;
#[doc(hidden)]
pub mod link;
#[doc(hidden)]
pub mod mask;
pub mod message;
#[doc(hidden)]
pub mod opening;
pub mod options;
#[doc(hidden)]
pub mod prepared;
pub mod progress;
pub mod reply;
pub mod report;
pub mod sasl;
pub mod secret;
pub mod server;
pub mod signer;
#[cfg(feature = "net")]
mod system;
pub mod times;
pub mod tls;
#[doc(hidden)]
pub mod transcript;
#[doc(hidden)]
pub mod wire;

#[cfg(feature = "net")]
pub mod net;

pub use cancel::Cancel;
pub use commit::{Commit, Ready};
pub use conversation::{Action, Conversation, Driven, Ends};
pub use delivery::Delivery;
pub use dialogue::Dialogue;
pub use error::{Error, Kind, Step};
pub use message::{Encoding, HeaderMode, Message};
#[cfg(feature = "tokio")]
#[doc(inline)]
pub use net::tokio;
#[cfg(feature = "net")]
pub use net::{Batch, Mailer, SendMany, Session, sendmessage, verify};
pub use options::{Options, Recipients};
pub use progress::{Progress, ProgressFn};
pub use reply::Reply;
pub use report::{Attempt, Offer, Outcome, Recipient, Report, SendError, Status};
pub use secret::Secret;

/// The examples of the crate's README, which are compiled with those of the documentation.
#[cfg(all(doctest, feature = "net"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
