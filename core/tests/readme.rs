//! What the README and the documents repeat is what is there.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use scripted_server::sink::{Sink, SinkOptions};
use smtpclient::report::Outcome;

#[path = "../examples/simple.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod simple;

fn top(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
}

/// The first example of a language in a README.
fn shown(readme: &str, language: &str) -> String {
    top(readme).split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap().to_owned()
}

#[test]
fn its_example_in_c_is_the_one_that_is_run() {
    assert_eq!(
        shown("README.md", "c"),
        top("examples-c/simple.c"),
        "copy examples-c/simple.c into README.md"
    );
}

#[test]
fn its_example_in_rust_sends_a_message() {
    let example = top("core/examples/simple.rs");
    let (above, _) = example.split_once("\nfn main").unwrap();
    for readme in ["README.md", "core/README.md"] {
        assert_eq!(
            shown(readme, "rust"),
            above[above.find("use ").unwrap()..],
            "copy core/examples/simple.rs into {readme}"
        );
    }
    let sink = Sink::start(SinkOptions::default()).unwrap();
    let report = simple::send(&format!("127.0.0.1:{}", sink.port()), "someone@example.org").unwrap();
    let outcomes: Vec<_> = report.recipients.iter().map(|one| (one.address.as_str(), one.outcome)).collect();
    assert_eq!(outcomes, [("someone@example.org", Outcome::Accepted)]);
    assert_eq!(sink.count(), 1);
}

#[test]
fn the_readme_is_short() {
    assert!(top("README.md").lines().count() < 150, "details belong into docs");
}

/// Every function and type of C that a document names is in the header: a name ends where a letter, digit or `_` does not follow.
#[test]
fn names_of_c_are_in_the_header() {
    // Names of Python and CMake that look like one.
    let header = top("include/libsmtp.h") + " smtp_sinks smtp_sink_tls smtp_static";
    let mut names = 0;
    for page in pages() {
        let text = top(&page);
        for name in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            if name.starts_with("smtp_") && !name.ends_with('_') {
                assert!(header.contains(name), "{page}: {name} is not in the header");
                names += 1;
            }
        }
    }
    assert!(names > 50, "{names} names");
}

/// The README, and what is in `docs`.
fn pages() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages = files.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}"));
    pages.chain(["README.md".to_owned()]).collect()
}

/// Every link of the README and the documents to a file leads to one, and to a heading that is there.
#[test]
fn links_lead_somewhere() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = pages();
    pages.extend(["CONTRIBUTING.md".to_owned(), "SECURITY.md".to_owned(), "core/README.md".to_owned()]);
    let mut links = 0;
    for page in &pages {
        let text = top(page);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = folder.join(page).parent().unwrap().join(file);
            let target = if file.is_empty() { folder.join(page) } else { target };
            assert!(target.exists(), "{page}: {link} leads nowhere");
            // As the sites that show Markdown make it: punctuation is left out.
            let stays = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            let anchor = |line: &str| -> String {
                let heading = line.trim_start_matches('#').trim().to_lowercase();
                heading.chars().filter(stays).map(|c| if c == ' ' { '-' } else { c }).collect()
            };
            let headings = || fs::read_to_string(&target).unwrap();
            let is_there =
                |text: String| text.lines().any(|line| line.starts_with('#') && anchor(line) == heading);
            assert!(heading.is_empty() || is_there(headings()), "{page}: {link} has no such heading");
            links += 1;
        }
    }
    assert!(links > 40, "{links} links");
}
