//! Every target on its corpus, and on changed entries of it.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine};
use fuzz_targets::{TARGETS, outcomes};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

/// A change of an entry.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    /// What stands in another entry from there on.
    Splice(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, octet)| Change::Set(at, octet)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, all)| Change::Insert(at, all)),
        (any::<Index>(), 1..20usize).prop_map(|(at, n)| Change::Remove(at, n)),
        (any::<Index>(), 1..200usize).prop_map(|(at, n)| Change::Repeat(at, n)),
        (any::<Index>(), any::<Index>()).prop_map(|(at, other)| Change::Splice(at, other)),
    ]
}

fn apply(entry: &mut Vec<u8>, change: &Change, corpus: &[Vec<u8>]) {
    let place = |at: &Index, entry: &[u8]| at.index(entry.len() + 1);
    match change {
        Change::Set(at, octet) if !entry.is_empty() => {
            let at = at.index(entry.len());
            entry[at] = *octet;
        }
        Change::Set(..) => {}
        Change::Insert(at, octets) => {
            let at = place(at, entry);
            entry.splice(at..at, octets.iter().copied());
        }
        Change::Remove(at, n) => {
            let at = place(at, entry);
            entry.drain(at..(at + n).min(entry.len()));
        }
        Change::Repeat(at, n) => {
            let at = place(at, entry);
            let piece = entry[at..(at + 8).min(entry.len())].repeat(*n);
            entry.splice(at..at, piece);
        }
        Change::Splice(at, other) => {
            let at = place(at, entry);
            let other = &corpus[other.index(corpus.len())];
            entry.truncate(at);
            entry.extend_from_slice(&other[at.min(other.len())..]);
        }
    }
}

/// One entry a line, in Base64, as `entries` writes it.
fn read_corpus(file: &Path) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let entry = |(at, line): (usize, &str)| {
        BASE64_STANDARD.decode(line).unwrap_or_else(|e| panic!("{}:{}: {e}", file.display(), at + 1))
    };
    let corpus: Vec<Vec<u8>> = text.lines().enumerate().map(entry).collect();
    assert!(!corpus.is_empty(), "{} is empty", file.display());
    corpus
}

#[test]
fn every_target_holds() {
    let cases = std::env::var("FUZZ_CASES").map_or(300, |text| text.parse().unwrap());
    for (name, target) in TARGETS {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let corpus = read_corpus(&file);
        for (at, entry) in corpus.iter().enumerate() {
            if std::panic::catch_unwind(|| target(entry)).is_err() {
                panic!("{name}: {}:{}", file.display(), at + 1);
            }
        }
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let strategy = prop_oneof![
            4 => (any::<Index>(), prop::collection::vec(change(), 1..6)).prop_map(|(entry, changes)| {
                let mut octets = corpus[entry.index(corpus.len())].clone();
                changes.iter().for_each(|change| apply(&mut octets, change, &corpus));
                octets
            }),
            1 => prop::collection::vec(any::<u8>(), 0..2000),
        ];
        let result = runner.run(&strategy, |octets| {
            target(&octets);
            Ok(())
        });
        if let Err(failure) = result {
            panic!("{name}: {failure}");
        }
    }
    assert!(
        outcomes().iter().all(|count| *count > 2),
        "accepted, rejected, not sent, unknown: {:?}",
        outcomes()
    );
}
