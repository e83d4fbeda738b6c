//! Logins with honest servers, and with such as would like to know the password.
// The servers have OpenSSL, which a build for Windows does not.
#![cfg(all(not(windows), feature = "net"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "login/attacks.rs"]
mod attacks;
#[path = "login/choice.rs"]
mod choice;
#[path = "login/mechanisms.rs"]
mod mechanisms;
