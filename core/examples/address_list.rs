//! Reads address lists from standard input, separated by NUL, and prints a JSON line for each:
//! `[[addr-spec, display name or null, group or null], ...]`, or `{"at": octet, "reason": text}`.
//! `tests/differential/addresses.py` compares them with other parsers.
#![allow(clippy::print_stdout)]

use std::io::{self, Read};

use smtpclient::address::{Address, parse_list};

fn main() -> io::Result<()> {
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    for text in input.split('\0') {
        match parse_list(text) {
            Ok(list) => println!("[{}]", list.iter().map(row).collect::<Vec<_>>().join(", ")),
            Err(error) => println!("{{\"at\": {}, \"reason\": {}}}", error.position(), json(error.reason())),
        }
    }
    Ok(())
}

fn row(address: &Address) -> String {
    let optional = |text: Option<&str>| text.map_or("null".to_owned(), json);
    format!(
        "[{}, {}, {}]",
        json(address.addr_spec()),
        optional(address.display_name()),
        optional(address.group())
    )
}

/// Only a tab, the quote and the backslash need an escape: an address holds no other control characters.
fn json(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t"))
}
