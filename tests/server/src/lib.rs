//! The one test server of every language: it plays the servers of a dialogue file
//! (`tests/dialogues/README.md`), takes mail in bulk, and stands between a client and a real server as a
//! faulty network.
//!
//! ```
//! use std::io::{BufRead, BufReader, Write};
//! use std::time::Duration;
//!
//! let text = "# The shortest dialogue.\nserver\nS: 220 hi\nC: QUIT\nreport\nstatus = error\n";
//! let dialogue = scripted_server::dialogue::parse(text).unwrap();
//! let running = scripted_server::player::Running::start(&dialogue, Duration::from_secs(5)).unwrap();
//!
//! let mut client = std::net::TcpStream::connect(("127.0.0.1", running.ports()[0])).unwrap();
//! let mut greeting = String::new();
//! BufReader::new(&client).read_line(&mut greeting).unwrap();
//! client.write_all(b"QUIT\r\n").unwrap();
//! drop(client);
//!
//! running.finish().unwrap(); // an Err says what was expected, and what came
//! scripted_server::report::check(&dialogue.report, "status = error\nerror = closed quit transient - -\n").unwrap_err();
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod dialogue;
#[cfg(feature = "program")]
pub mod faults;
pub mod link;
mod listener;
mod mechanism;
pub mod player;
pub mod proxy;
pub mod report;
pub mod runner;
pub mod sink;
pub mod text;
pub mod unasked;
mod wire;
