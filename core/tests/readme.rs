//! What the README repeats is what is there.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

fn top(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
}

#[test]
fn its_example_is_the_one_that_is_run() {
    let readme = top("README.md");
    let shown = readme.split("```c\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(shown, top("examples-c/simple.c"), "copy examples-c/simple.c into README.md");
}

#[test]
fn its_table_has_every_option_in_order() {
    let readme = top("README.md");
    let table = readme.split("| option | meaning | default |").nth(1).unwrap();
    let listed: Vec<&str> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('`').nth(1).unwrap_or(line))
        .collect();
    let names: Vec<&str> = smtpclient::options::names().collect();
    assert_eq!(listed, names, "the table of options in README.md");
}
