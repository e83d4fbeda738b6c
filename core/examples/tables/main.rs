//! Writes what is made from the tables of the crate: documents, the types of Python's options, lists in manuals.
//!
//! `make tables` writes it; `cargo run -p smtpclient --example tables -- --check` compares, and fails where it differs.
#![allow(clippy::print_stderr, reason = "a program")]

mod manual;
mod markdown;
mod python;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let mut stale = Vec::new();
    for (file, make) in FILES {
        let path = top(file);
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        let wanted = match make(&there) {
            Ok(wanted) => wanted,
            Err(error) => {
                eprintln!("{file}: {error}");
                return ExitCode::FAILURE;
            }
        };
        if there == wanted {
            continue;
        }
        if check {
            stale.push(*file);
        } else if let Err(error) = std::fs::write(&path, wanted) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    if stale.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("not made from the tables as they are now: {}; run `make tables`", stale.join(", "));
    ExitCode::FAILURE
}

/// Each file, and what makes it, given what is there.
type Make = fn(&str) -> Result<String, String>;

const FILES: &[(&str, Make)] = &[
    ("docs/options.md", |_| Ok(markdown::options())),
    ("docs/report.md", |_| Ok(markdown::report())),
    ("docs/session.md", |_| Ok(markdown::session())),
    ("py-binding/python/smtpclient/_option_types.py", |_| Ok(python::options())),
    ("tcl-binding/smtp.man", |there| {
        between(&between(there, "options", &manual::options())?, "report", &manual::report())
    }),
];

fn top(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

/// The text with another list between the comments `{made by make tables: NAME}` and `{end of NAME}`.
fn between(text: &str, name: &str, list: &str) -> Result<String, String> {
    let begin = format!("[comment {{made by make tables: {name}}}]\n");
    let end = format!("[comment {{end of {name}}}]\n");
    let parts = text.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    let (before, after) =
        parts.ok_or_else(|| format!("the comments around the list `{name}` are missing"))?;
    Ok(format!("{before}{begin}{list}{end}{after}"))
}
