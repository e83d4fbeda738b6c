//! The comparison in `docs/features.md`, as far as this repository can know: its form, and the column of libsmtp.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use smtpclient::options;
use smtpclient::sasl::MechanismName;

const CLIENTS: usize = 13;

/// The rows of the tables that compare: what is asked, and a cell for each client. The first one has their names.
fn rows() -> Vec<Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/features.md");
    let text = fs::read_to_string(page).unwrap();
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut rows = Vec::new();
    let mut comparing = false;
    for line in text.lines() {
        comparing = line.starts_with("| | libsmtp |") || comparing && line.starts_with('|');
        if comparing && !line.starts_with("| ---") {
            rows.push(cells(line));
        }
    }
    rows
}

/// What a cell has in backticks.
fn quoted(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}

#[test]
fn every_client_has_a_cell_in_every_row() {
    let rows = rows();
    // Those explained above the tables, and those that explain themselves or are explained below.
    let words = "yes no own hand pkg stdlib build part – ? refused always log sign command stub pipe LMTP Python \
                 asyncio tokio Node.js tasks goroutines";
    let words: Vec<_> = words.split(' ').collect();
    assert!(rows.len() > 60, "{} rows", rows.len());
    for row in &rows {
        assert_eq!(row.len(), CLIENTS + 1, "{row:?}");
        if row[0].is_empty() {
            assert_eq!(row, &rows[0], "the clients are the same in every table, in the same order");
            continue;
        }
        for cell in &row[2..] {
            assert!(words.contains(&cell.as_str()), "{}: {cell:?} is not explained", row[0]);
        }
    }
}

#[test]
fn options_named_there_are_options() {
    let objects = ["mechanisms", "dialler", "progress", "signers"];
    let named: BTreeSet<_> = rows().iter().filter_map(|row| quoted(&row[1]).map(str::to_owned)).collect();
    assert!(named.len() > 20, "{named:?}");
    let names: BTreeSet<_> = options::all().map(|option| option.name).chain(objects).collect();
    for name in &named {
        assert!(names.contains(name.as_str()), "docs/features.md: there is no option {name}");
    }
}

#[test]
fn its_mechanisms_are_ours() {
    let rows = rows();
    for mechanism in MechanismName::ALL {
        let row = rows.iter().find(|row| row[0] == mechanism.as_str());
        assert_eq!(row.map(|row| row[1].as_str()), Some("yes"), "docs/features.md: {}", mechanism.as_str());
    }
    for name in ["GSSAPI", "NTLM"] {
        let row = rows.iter().find(|row| row[0] == name).unwrap();
        assert!(row[1].starts_with("[own](recipes.md#"), "{row:?}");
    }
}
