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

/// What follows `before`, up to what cannot be in a name.
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

/// Words that a `(` follows, each as often as it is there: in the header, the functions.
fn every_call(text: &str) -> Vec<String> {
    let words = text.split('(').filter_map(|before| {
        before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().map(str::to_owned)
    });
    words.filter(|word| word.starts_with("smtp_")).collect()
}

fn called(text: &str) -> BTreeSet<String> {
    every_call(text).into_iter().collect()
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
    let header = every_call(&without_comments(&read("../include/libsmtp.h")));
    assert_eq!(header.iter().cloned().collect::<BTreeSet<_>>(), set, "the header differs");
    assert_eq!(header.len(), set.len(), "the header declares a function twice");
}

#[test]
fn the_c_tests_call_every_function() {
    let files = sources(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/c"));
    let text = |path: &PathBuf| {
        path.extension().is_some_and(|e| e == "c").then(|| std::fs::read_to_string(path).unwrap())
    };
    let called: BTreeSet<String> =
        files.iter().filter_map(text).flat_map(|text| called(&without_comments(&text))).collect();
    let missing: Vec<String> = exports().into_iter().filter(|name| !called.contains(name)).collect();
    assert!(missing.is_empty(), "no program of tests/c calls {missing:?}");
}

/// `smtp_result_attempt_tls_version` is `attempts.N.tls.version`: every name of an accessor is a path of the table of fields.
#[test]
fn accessors_of_a_result_are_named_like_the_fields() {
    use smtpclient::report::fields::{ATTEMPT, ERROR, Field, LOGIN, RECIPIENT, REPLY, REPORT, TLS};
    fn names<T>(fields: &[Field<T>]) -> Vec<&'static str> {
        fields.iter().map(|field| field.name).collect()
    }
    let record = |name: &str| match name {
        "result" => names(REPORT),
        "recipient" | "refused" => names(RECIPIENT),
        "attempt" => names(ATTEMPT),
        "login" => names(LOGIN),
        "reply" => names(REPLY),
        "error" => names(ERROR),
        "tls" => names(TLS),
        _ => Vec::new(),
    };
    // What is asked of each of a list has the name of one.
    let lists = [("recipient", "recipients"), ("attempt", "attempts"), ("login", "logins")];
    let is_path = |path: &str| {
        let (mut rest, mut within) = (path, "result");
        loop {
            let fields = record(within);
            // An error alone is its message; a count is that of a list.
            let is_leaf = fields.contains(&rest) && (rest == "error" || record(rest).is_empty());
            if is_leaf
                || rest == "count"
                || rest.strip_suffix("_count").is_some_and(|list| fields.contains(&list))
            {
                return true;
            }
            let part = rest.split('_').next().unwrap();
            let list = lists.iter().find(|(one, _)| *one == part).map_or(part, |(_, all)| all);
            if part != "refused" && !fields.contains(&list) {
                return false;
            }
            (within, rest) = (part, rest.strip_prefix(part).unwrap().trim_start_matches('_'));
        }
    };
    let others = ["new", "free", "value", "json"];
    for name in exports() {
        if let Some(path) = name.strip_prefix("smtp_result_").filter(|path| !others.contains(path)) {
            assert!(is_path(path), "{name} is not the path of a field of a report (docs/report.md)");
        }
    }
    assert!(is_path("attempt_tls_why_not") && is_path("error") && is_path("used_count"));
    assert!(!is_path("attempt_tls") && !is_path("error_code") && !is_path("queueid"));
}

/// Every verb has a function of a session.
#[test]
fn every_verb_is_a_function() {
    let exports = exports();
    for verb in smtpclient::command::VERBS {
        let name = format!("smtp_session_{}", verb.name);
        assert!(exports.contains(&name), "{name} is missing: core/src/command/verb.rs has the verb");
    }
}

/// The header lists every step.
#[test]
fn every_step_is_in_the_header() {
    let header = read("../include/libsmtp.h");
    let (before, _) = header.split_once("const char *smtp_result_error_step(").unwrap();
    let comment = before.rsplit("/**").next().unwrap();
    for step in smtpclient::error::Step::ALL {
        assert!(comment.contains(&format!("\"{}\"", step.name())), "{} is missing: {comment}", step.name());
    }
}

/// Every kind of error has a code in the header, named after it.
#[test]
fn every_kind_is_a_code() {
    let header = read("../include/libsmtp.h");
    for kind in smtpclient::error::Kind::ALL {
        let define = format!("#define SMTP_ERR_{} ", kind.name().to_uppercase());
        assert!(header.contains(&define), "{define} is missing: core/src/error.rs has the kind");
    }
}

/// The numbers of a mailer's counts are their places in the table.
#[test]
fn every_count_is_a_number() {
    let header = read("../include/libsmtp.h");
    for (at, (name, _)) in smtpclient::net::mailer::Counts::default().fields().iter().enumerate() {
        let define = format!("#define SMTP_COUNT_{} {}\n", name.to_uppercase(), at + 1);
        assert!(header.contains(&define), "{define} is missing: core/src/net/mailer/shared.rs has the count");
    }
    for (at, (name, _)) in smtpclient::net::mailer::ServerCounts::default().fields().iter().enumerate() {
        let define = format!("#define SMTP_SERVER_COUNT_{} {}\n", name.to_uppercase(), at + 1);
        assert!(
            header.contains(&define),
            "{define} is missing: core/src/net/mailer/counting.rs has the count"
        );
    }
}
