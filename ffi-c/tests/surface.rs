//! The header, the list of exports, the C test and the source name the same functions.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[path = "../examples/header.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod header;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| format!("{}: {error}", path.display()))
}

/// What stands behind `before`, up to what cannot be in a name.
fn names(text: &str, before: &str) -> Vec<String> {
    let name =
        |rest: &str| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().map(str::to_owned);
    text.split(before).skip(1).filter_map(name).filter(|name| name.starts_with("smtp_")).collect()
}

fn without_comments(text: &str) -> String {
    let mut out = String::new();
    for piece in text.split("/*") {
        out.push_str(piece.split_once("*/").map_or(piece, |(_, rest)| rest));
    }
    out
}

/// Words that a `(` follows: in the header, the functions.
fn called(text: &str) -> BTreeSet<String> {
    let words = text.split('(').filter_map(|before| {
        before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().map(str::to_owned)
    });
    words.filter(|word| word.starts_with("smtp_")).collect()
}

fn exports() -> Vec<String> {
    read("exports.txt").lines().map(str::to_owned).collect()
}

fn sources(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(sources(path)) } else { found.push(path) }
    }
    found
}

#[test]
fn the_header_is_of_this_source() {
    let way = "run `cargo run -p libsmtp --example header`";
    assert!(header::generate().unwrap() == read("../include/libsmtp.h"), "include/libsmtp.h is not: {way}");
}

#[test]
fn every_function_is_in_the_header_and_the_exports() {
    let exports = exports();
    let set: BTreeSet<String> = exports.iter().cloned().collect();
    assert_eq!(set.len(), exports.len(), "exports.txt names something twice");

    let mut source = BTreeSet::new();
    for path in sources(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        source.extend(names(&std::fs::read_to_string(path).unwrap(), "extern \"C\" fn "));
    }
    assert_eq!(source, set, "the source and exports.txt differ: append what is new to exports.txt");
    assert_eq!(called(&without_comments(&read("../include/libsmtp.h"))), set, "the header differs");
}

#[test]
fn the_c_tests_call_every_function() {
    let programs = ["messages", "options", "sending", "sessions", "engines", "mailers"];
    let text: String = programs.map(|name| read(&format!("../tests/c/{name}.c"))).concat();
    let called = called(&without_comments(&text));
    let missing: Vec<String> = exports().into_iter().filter(|name| !called.contains(name)).collect();
    assert!(missing.is_empty(), "tests/c/{{{}}}.c do not call {missing:?}", programs.join(","));
}
