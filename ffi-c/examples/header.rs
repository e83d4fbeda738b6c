//! Writes `include/libsmtp.h`, the functions' documentation and all.
//!
//! `cargo run -p libsmtp --example header` writes it; `... -- --check` compares, and fails where it differs.
#![allow(clippy::print_stderr, reason = "a program")]

use std::path::PathBuf;
use std::process::ExitCode;

use cbindgen::{Builder, Config, DocumentationLength, DocumentationStyle, Language, Style};
use smtpclient::options::{OptionGroup, all};

/// In the order of the header. Submodules follow where they are declared.
const SOURCES: [&str; 19] = [
    "code",
    "callbacks",
    "commit",
    "cancel",
    "message/mod",
    "options",
    "tls",
    "send",
    "result/mod",
    "session/mod",
    "mailer",
    "mechanism",
    "signer",
    "engine",
    "engine/watched",
    "engine/octets",
    "engine/ask",
    "engine/answers",
    "address",
];

const TOP: &str = include_str!("header/top.h");
const BOTTOM: &str = "#ifdef __cplusplus\n}\n#endif\n\n#endif";

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let done = generate().and_then(|header| {
        if !check {
            return std::fs::write(path(), header).map_err(|error| error.to_string());
        }
        let there = std::fs::read_to_string(path()).map_err(|error| error.to_string())?;
        if there == header {
            Ok(())
        } else {
            Err("include/libsmtp.h is not of this source: run `cargo run -p libsmtp --example header`".into())
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../include/libsmtp.h")
}

pub(crate) fn generate() -> Result<String, String> {
    let part = |text: &str| text.parse::<u32>().unwrap_or_default();
    let number = part(env!("CARGO_PKG_VERSION_MAJOR")) << 16
        | part(env!("CARGO_PKG_VERSION_MINOR")) << 8
        | part(env!("CARGO_PKG_VERSION_PATCH"));
    let top = TOP
        .trim_end()
        .replace("@OPTIONS@", &options())
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@VERSION_NUMBER@", &format!("0x{number:06x}"));
    let config = Config {
        language: Language::C,
        // cpp_compat and include_guard write `//` comments, which are not C89.
        header: Some(top),
        after_includes: Some("\n#ifdef __cplusplus\nextern \"C\" {\n#endif".to_owned()),
        trailer: Some(BOTTOM.to_owned()),
        no_includes: true,
        sys_includes: vec!["stddef.h".to_owned(), "stdint.h".to_owned()],
        style: Style::Type,
        documentation_style: DocumentationStyle::Doxy,
        documentation_length: DocumentationLength::Full,
        usize_is_size_t: true,
        line_length: 100,
        sort_by: cbindgen::SortKey::None,
        ..Config::default()
    };
    let mut builder = Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(format!("{}/src/{source}.rs", env!("CARGO_MANIFEST_DIR")));
    }
    let mut header = Vec::new();
    builder.generate().map_err(|error| error.to_string())?.write(&mut header);
    let header = String::from_utf8(header).map_err(|error| error.to_string())?;
    Ok(tidied(&header))
}

/// The options, a line each, in groups.
fn options() -> String {
    let mut lines = Vec::new();
    for group in OptionGroup::ALL {
        lines.push(format!(" * {}:", group.title()));
        for option in all().filter(|option| option.group == group) {
            let words = option.kind.words().join(" | ");
            let takes = if words.is_empty() { option.kind.name() } else { &words };
            let default = option.default.replace('`', "");
            lines.push(format!(" *   {:<20}{takes} ({default})", option.name));
        }
    }
    lines.join("\n")
}

/// Comments of one line on one line, negative numbers in parentheses, and no Markdown.
fn tidied(header: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in header.lines() {
        let short = lines.last().is_some_and(|last| last.len() <= 100 && last.starts_with(" * "));
        let open = lines.len().checked_sub(2).and_then(|at| lines.get(at)).is_some_and(|line| line == "/**");
        if line == " */" && short && open {
            let text = lines.pop().unwrap_or_default();
            lines.pop();
            lines.push(format!("/**{} */", text.trim_start_matches(" *")));
            continue;
        }
        lines.push(match line.split_once(" -") {
            Some((name, number)) if name.starts_with("#define ") => format!("{name} (-{number})"),
            _ => line.to_owned(),
        });
    }
    let mut tidied = lines.join("\n").replace('`', "");
    tidied.push('\n');
    tidied
}
