//! The command line: flags to options, files to messages, reports to words and exit statuses. What it does with them is
//! the library's. The program `smtpclient` is this, and so is the command of the Python package.

mod answers;
mod compose;
mod config;
pub mod flags;
mod offers;
mod progress;
mod secrets;
mod send;
pub mod sendmail;
mod signals;
mod smtp_server;
pub mod status;

use std::ffi::OsString;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use smtpclient::options::{find, nearest};

use self::status::{EX_USAGE, Failure};

/// Does what the arguments say, the first of which is the program's name, and gives the exit status.
pub fn run(arguments: Vec<OsString>) -> u8 {
    let name =
        arguments.first().and_then(|name| Path::new(name).file_name()).map(|name| name.to_string_lossy());
    let done = match name.as_deref() {
        Some("sendmail" | "mailq" | "newaliases") => sendmail::run(&arguments),
        _ => command(arguments),
    };
    done.unwrap_or_else(|failure| {
        answers::warn(&failure.text);
        failure.status
    })
}

/// Of a flag that does not exist: an option may have that name in another program, which clap does not know, and its tip for what
/// might be a value helps nobody.
fn name_the_nearest(told: &mut clap::Error) {
    if told.kind() != ErrorKind::UnknownArgument {
        return;
    }
    told.remove(ContextKind::Suggested);
    let Some(ContextValue::String(flag)) = told.get(ContextKind::InvalidArg) else { return };
    let Some(name) = flag.strip_prefix("--") else { return };
    // An option without a flag of its own has the same name in the other languages.
    let knows = told.get(ContextKind::SuggestedArg).is_some() && find(name).is_err();
    if let (false, Some(near)) = (knows, nearest(name)) {
        told.insert(ContextKind::SuggestedArg, ContextValue::String(format!("--{near}")));
    }
}

fn command(arguments: Vec<OsString>) -> Result<u8, Failure> {
    let matches = match flags::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(mut told) => {
            name_the_nearest(&mut told);
            let help = !told.use_stderr();
            // A reader that went away has seen enough.
            let _ = told.print();
            return Ok(if help { 0 } else { EX_USAGE });
        }
    };
    match matches.subcommand() {
        Some(("verify", matches)) => offers::run(matches),
        _ => send::run(&matches),
    }
}
