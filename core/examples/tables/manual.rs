//! The Tcl manual, in doctools.

use std::fmt::Write as _;

use smtpclient::options::{OptionGroup, all};

pub(crate) fn options() -> String {
    let mut list = String::new();
    // A send is no mailer.
    for group in OptionGroup::ALL.into_iter().filter(|group| *group != OptionGroup::Mailer) {
        let _ = write!(list, "[para]\n[emph {{{}}}]\n[list_begin definitions]\n", group.title());
        for option in all().filter(|option| option.group == group) {
            let words = option.kind.words().join("|");
            let takes = if words.is_empty() { option.kind.name() } else { &words };
            let _ = writeln!(list, "[def \"[option -{}] [arg {takes}]\"]", option.name);
            let _ = writeln!(list, "{} Default: {}.", plain(option.help()), plain(option.default));
        }
        list.push_str("[list_end]\n");
    }
    list
}

/// Markdown's code as a constant, and no bracket that Tcl would take for a command.
fn plain(markdown: &str) -> String {
    let mut out = String::new();
    for (at, piece) in markdown.split('`').enumerate() {
        let piece = piece.replace('[', "[lb]");
        match at % 2 {
            0 => out.push_str(&piece),
            _ => {
                let _ = write!(out, "[const {{{piece}}}]");
            }
        }
    }
    out
}
