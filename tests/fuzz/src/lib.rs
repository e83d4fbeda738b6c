//! What is fuzzed. A target takes octets, does something with them, and panics where a rule does not hold.
//!
//! `cargo test -p fuzz-targets` runs each on its corpus and on a number of changed entries of it (FUZZ_CASES, 300), with
//! any compiler. `make fuzz` runs them for as long as one likes, led by coverage.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod addresses;
mod delivery;
mod message;
mod sasl;
mod server;
mod session;
mod settings;
mod wire;

/// Takes octets; a panic is a defect.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its file in `corpus`.
pub const TARGETS: [(&str, Target); 10] = [
    ("reply", wire::reply),
    ("ehlo", wire::ehlo),
    ("encoder", wire::encoder),
    ("addresses", addresses::addresses),
    ("settings", settings::settings),
    ("message", message::finished),
    ("mime", message::composed),
    ("sasl", sasl::challenges),
    ("delivery", delivery::delivery),
    ("session", session::session),
];

/// How often the target `delivery` saw a recipient accepted, rejected, not sent and unknown.
pub fn outcomes() -> [u64; 4] {
    delivery::SEEN.each_ref().map(|count| count.load(std::sync::atomic::Ordering::Relaxed))
}
