//! The Tcl manual, in doctools.

use std::fmt::Write as _;

use smtpclient::options::{OptionGroup, all};
use smtpclient::report::fields::{self, Field};

pub(crate) fn options() -> String {
    let mut list = String::new();
    // A send is not a mailer.
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

pub(crate) fn report() -> String {
    let mut list = String::new();
    section(&mut list, "The report", fields::REPORT);
    section(&mut list, "Each of recipients", fields::RECIPIENT);
    section(&mut list, "A reply", fields::REPLY);
    section(&mut list, "An error", fields::ERROR);
    section(&mut list, "Each of attempts", fields::ATTEMPT);
    section(&mut list, "Each of logins", fields::LOGIN);
    section(&mut list, "What is known of TLS", fields::TLS);
    section(&mut list, "What a server offers", fields::OFFER);
    section(&mut list, "Each of extensions", fields::EXTENSION);
    section(&mut list, "The times of the report", fields::MESSAGE_TIMES);
    section(&mut list, "The times of each of attempts", fields::CONNECTION_TIMES);
    list
}

fn section<T>(list: &mut String, title: &str, fields: &[Field<T>]) {
    let _ = write!(list, "[para]\n[emph {{{title}}}]\n[list_begin definitions]\n");
    for field in fields {
        let _ = writeln!(list, "[def [const {}]]\n{}", field.name, plain(field.help));
    }
    list.push_str("[list_end]\n");
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
