//! Arrows between the modules of the crate point one way: each may use what its line of [`ALLOWED`] lists.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module and the modules that it may use, which all stand above it.
const ALLOWED: &[(&str, &str)] = &[
    // Words that all others share.
    ("caught", ""),
    ("cancel", "caught"),
    ("commit", "caught"),
    ("descriptor", ""),
    ("reply", ""),
    ("secret", ""),
    ("system", ""),
    ("times", ""),
    ("progress", ""),
    ("transcript", ""),
    ("wire", ""),
    ("error", "reply"),
    ("extensions", "reply"),
    ("mask", "error reply secret"),
    // Each does one thing and knows of no server.
    ("address", "error"),
    ("content", "caught error"),
    ("sasl", "caught error reply secret"),
    ("command", "content error secret"),
    ("signer", "error"),
    ("dkim", "error signer"),
    ("message", "address caught content error signer"),
    ("tls", "error sasl secret system"),
    // What the caller says and learns.
    (
        "options",
        "cancel caught command commit descriptor dkim error extensions progress sasl secret signer tls transcript",
    ),
    ("report", "error reply times tls"),
    ("envelope", "address command error message options"),
    // The protocol, and what is said with it.
    (
        "engine",
        "caught command commit content error extensions mask progress reply report sasl secret times transcript wire",
    ),
    ("server", "engine error options secret"),
    ("conversation", "engine error server times"),
    ("link", "conversation engine error times tls"),
    (
        "opening",
        "caught command conversation engine error link options reply report sasl secret server times tls",
    ),
    ("prepared", "command commit content engine envelope error message options report times"),
    (
        "dialogue",
        "caught command commit content conversation engine envelope error extensions link message opening options prepared reply \
         report secret server times tls",
    ),
    (
        "delivery",
        "conversation dialogue envelope error message opening options prepared reply report server tls",
    ),
    // Sockets and clocks: nothing may use it.
    (
        "net",
        "cancel caught command commit content conversation delivery dialogue engine envelope error extensions mask message opening options \
         prepared reply report secret server times tls",
    ),
];

/// What a module without I/O has no business with. `tls` is bytes in, bytes out over a library.
const WORLDLY: &[&str] = &[
    "std::net::Tcp",
    "std::net::Udp",
    "std::os::",
    "std::process",
    "std::thread",
    "std::env",
    "socket2::",
    "rustix::",
    "libc::",
    "Instant::now",
    "SystemTime",
    "Zoned::now",
    "println!",
    "eprintln!",
    "stderr(",
    "stdout(",
];

#[test]
fn arrows_point_one_way() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (module, file) in sources() {
        let allowed = ALLOWED.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = allowed else {
            wrong.push(format!("{}: module `{module}` has no line in ALLOWED", file.display()));
            continue;
        };
        seen.insert(module.clone());
        for used in uses(&code(&file)) {
            if used != module && !allowed.split_whitespace().any(|name| name == used) {
                wrong.push(format!("{}: {module} -> {used} is not allowed", file.display()));
            }
        }
    }
    for (module, _) in ALLOWED {
        if !seen.contains(*module) {
            wrong.push(format!("ALLOWED names `{module}`, which does not exist"));
        }
    }
    assert!(wrong.is_empty(), "core/tests/layering.rs:\n{}", wrong.join("\n"));
}

#[test]
fn a_line_names_only_lines_above_it() {
    let mut above = Vec::new();
    for (module, allowed) in ALLOWED {
        for name in allowed.split_whitespace() {
            assert!(
                above.contains(&name),
                "core/tests/layering.rs: {module} -> {name} points down, or nowhere"
            );
        }
        above.push(*module);
    }
}

#[test]
fn only_net_and_system_touch_the_world() {
    let mut wrong = Vec::new();
    for (module, file) in sources() {
        // What `times` measures is told, and decides nothing.
        if matches!(module.as_str(), "net" | "system" | "descriptor" | "times") {
            continue;
        }
        let code = code(&file);
        for word in WORLDLY.iter().filter(|word| code.contains(**word)) {
            wrong.push(format!("{}: {module} must not use `{word}`", file.display()));
        }
    }
    assert!(wrong.is_empty(), "core/tests/layering.rs:\n{}", wrong.join("\n"));
}

#[test]
fn a_use_is_found_wherever_it_stands() {
    let code =
        "use crate::net::dial;\nlet x = crate::error::Error::usage(\"\");\nuse crate::{reply, wire::Wire};\n";
    assert_eq!(uses(code), BTreeSet::from(["error", "net", "reply", "wire"].map(String::from)));
}

/// The source files of the crate but its tests, each with its module's name.
fn sources() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    gather(&root, &mut files);
    assert!(files.len() > 50, "only {} files found: is it the right folder?", files.len());
    files
        .into_iter()
        .filter_map(|file| {
            let inside = file.strip_prefix(&root).ok()?.with_extension("");
            let module = inside.components().next()?.as_os_str().to_str()?.to_owned();
            (module != "lib").then_some((module, file))
        })
        .collect()
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if stem == "tests" || stem.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            gather(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// The file without its comments and without the tests at its end.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    body.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The modules that follow `crate::`.
fn uses(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for tail in code.split("crate::").skip(1) {
        let list = match tail.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => tail,
        };
        let many = list.len() != tail.len();
        for item in list.split(',').take(if many { usize::MAX } else { 1 }) {
            let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
            let name = item.trim().split(word).next().unwrap_or_default();
            if !name.is_empty() {
                found.insert(name.to_owned());
            }
        }
    }
    found
}
