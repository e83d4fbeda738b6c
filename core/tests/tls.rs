//! TLS against servers that are good, wrong, or an attacker's.
// The servers have OpenSSL, which a build for Windows does not.
#![cfg(all(not(windows), feature = "net"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[path = "tls/broken.rs"]
mod broken;
#[path = "tls/certainty.rs"]
mod certainty;
#[path = "tls/certificates.rs"]
mod certificates;
#[cfg(target_os = "linux")]
#[path = "tls/meanwhile.rs"]
mod meanwhile;
#[path = "tls/policy.rs"]
mod policy;
#[cfg(target_os = "linux")]
#[path = "tls/privileged.rs"]
mod privileged;
#[path = "tls/session.rs"]
mod session;
#[path = "tls/shared.rs"]
mod shared;
