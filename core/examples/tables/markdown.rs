//! `docs/options.md`.

use std::fmt::Write as _;

use smtpclient::options::{OptionGroup, OptionInfo, all};

const INTRODUCTION: &str = "\
# Options

Every option has the same name in every language:

| in | set an option | list them |
| --- | --- | --- |
| C | `smtp_options_set(options, \"timeout\", \"30\")` | `smtp_option_name(index)` |
| Python | `sendmessage(message, timeout=30)`, `Options(timeout=30)` | `help(smtpclient.Options)` |
| Tcl | `smtp::sendmessage $token -timeout 30` | the manual page |
| the shell | `python -m smtpclient --timeout 30` | `python -m smtpclient --help` |
| Rust | `options.set(\"timeout\", \"30\")`, `options.timeout = ...` | `options::all()` |

A name that is no option is an error that names the nearest one. So is a value that does not fit, an option that the server cannot
honour (but for `queue`, which only asks where XQUE is offered), and an option of a mailer that is given to a send or a session.
An empty value takes an option back to its default.

A value is a text of one of these forms. Python also takes what stands for them there: `bool`, numbers, `timedelta`, paths, lists, bytes.
";

const OBJECTS: &str = "
## Functions and objects

Not set by a text:

| option | meaning | C | Python | Tcl | Rust |
| --- | --- | --- | --- | --- | --- |
| `transcript` | is given every line of the dialogue, secrets masked | `smtp_options_set_transcript` | `transcript=` | | `Options::transcript` |
| `tlspolicy` | is asked what to do when TLS cannot be set up | `smtp_options_set_tlspolicy` | `tlspolicy=` | `-tlspolicy` | `TlsPolicy::Ask` |
| `cancel` | ends the call from another thread | `smtp_options_set_cancel` | `cancel=` | `smtp::cancel` | `Options::cancel` |
| `tls` | TLS that was set up once, to be shared | `smtp_options_set_tls` | `tls=` | `-tls` | `Options::tls` |
";

pub(crate) fn options() -> String {
    let mut page =
        String::from("<!-- Made by `make tables` from core/src/options/table.rs: change that. -->\n\n");
    page.push_str(INTRODUCTION);
    page.push_str("\n| form | the text |\n| --- | --- |\n");
    let mut seen = Vec::new();
    for option in all().filter(|option| option.kind.words().is_empty()) {
        if !seen.contains(&option.kind) {
            seen.push(option.kind);
            let _ = writeln!(page, "| {} | {} |", option.kind.name(), option.kind.form());
        }
    }
    for group in OptionGroup::ALL {
        let _ = write!(page, "\n## {}\n", group.title());
        let about = group.about();
        if !about.is_empty() {
            let _ = write!(page, "\n{about}\n");
        }
        page.push_str("\n| option | takes | meaning | default |\n| --- | --- | --- | --- |\n");
        for option in all().filter(|option| option.group == group) {
            let OptionInfo { name, default, .. } = option;
            let _ = writeln!(page, "| `{name}` | {} | {} | {default} |", takes(option), help(option));
        }
    }
    page.push_str(OBJECTS);
    page
}

fn takes(option: &OptionInfo) -> String {
    let words: Vec<_> = option.kind.words().iter().map(|word| format!("`{word}`")).collect();
    if words.is_empty() { option.kind.name().to_owned() } else { words.join(", ") }
}

/// What it does; the first version says nothing of itself.
fn help(option: &OptionInfo) -> String {
    match option.since {
        "0.1.0" => option.help().to_owned(),
        since => format!("{} Since {since}.", option.help()),
    }
}
