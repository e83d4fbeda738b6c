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
