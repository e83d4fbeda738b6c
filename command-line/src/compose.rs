//! Messages: composed from flags and standard input, or finished ones from files.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use smtpclient::{Message, Options};

use crate::flags::given;
use crate::progress;
use crate::status::{EX_DATAERR, Failure};

/// What is sent, and what it is called where there are several.
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) message: Message,
}

/// The finished messages of the arguments. Sender and recipients that are given as flags are those of the envelope.
pub(crate) fn finished(
    files: &[&PathBuf],
    matches: &ArgMatches,
    options: &mut Options,
) -> Result<Vec<Item>, Failure> {
    for flag in ["subject", "body", "html", "pictures", "attach"] {
        if given(matches, flag) {
            let text =
                format!("--{flag} is for a composed message, and {} is a finished one", files[0].display());
            return Err(Failure::usage(text));
        }
    }
    if let Some(from) = matches.get_one::<String>("from") {
        options.set("originator", from)?;
    }
    for flag in ["to", "cc", "bcc"] {
        lists(matches, flag).try_for_each(|list| options.add_recipient(list))?;
    }
    if files.iter().filter(|file| is_stdin(file)).count() > 1 {
        return Err(Failure::usage("standard input (-) can be read once"));
    }
    let alone = files.len() == 1 && !matches.get_flag("json");
    files
        .iter()
        .map(|file| Ok(Item { name: file.display().to_string(), message: message(file, alone)? }))
        .collect()
}

fn message(file: &Path, alone: bool) -> Result<Message, Failure> {
    if is_stdin(file) {
        return Ok(Message::from_bytes(stdin()?));
    }
    match progress::watched(file, alone)
        .map_err(|error| Failure::input(&file.display().to_string(), &error))?
    {
        Some(message) => Ok(message),
        None => Ok(Message::from_file(file)),
    }
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// The message of the flags. Sender and recipients are those of its header fields.
pub(crate) fn composed(
    matches: &ArgMatches,
    from: Option<&str>,
    options: &mut Options,
) -> Result<Item, Failure> {
    let named = ["to", "cc", "bcc"].iter().any(|flag| given(matches, flag));
    if !named && options.recipients.is_none() && options.header.is_empty() {
        // Before somebody writes a text for nobody.
        let text = "there is no recipient: give --to, or finished messages as files; smtpclient --help lists all flags";
        return Err(Failure::usage(text));
    }
    let flag = |name| matches.get_one::<String>(name).map(|text| text_of(name, text)).transpose();
    let (mut body, html) = (flag("body")?, flag("html")?);
    if body.is_none() && html.is_none() {
        body = Some(utf8("standard input", stdin()?)?);
    }
    let mut message = match (body, html) {
        (Some(body), None) => Message::text(&body),
        (None, html) => Message::from_html(&html.unwrap_or_default())?,
        (Some(body), Some(html)) => {
            let mut message = Message::text(&body);
            message.add_alternative_html(&html)?;
            message
        }
    };
    match matches.get_one::<PathBuf>("pictures") {
        Some(_) if !given(matches, "html") => {
            return Err(Failure::usage("--pictures is for the pictures of --html".to_owned()));
        }
        Some(folder) => {
            message.embed_pictures(Some(folder))?;
        }
        None => {}
    }
    for file in matches.get_many::<PathBuf>("attach").into_iter().flatten() {
        message.attach_file(file)?;
    }
    if let Some(from) = matches.get_one::<String>("from").map(String::as_str).or(from) {
        field(options, "--from", "From", from)?;
    }
    for (name, flag) in [("To", "to"), ("Cc", "cc"), ("Bcc", "bcc")] {
        let all: Vec<&str> = lists(matches, flag).collect();
        if !all.is_empty() {
            field(options, &format!("--{flag}"), name, &all.join(", "))?;
        }
    }
    if let Some(subject) = matches.get_one::<String>("subject") {
        field(options, "--subject", "Subject", subject)?;
    }
    Ok(Item { name: "the message".to_owned(), message })
}

fn lists<'a>(matches: &'a ArgMatches, flag: &str) -> impl Iterator<Item = &'a str> {
    matches.get_many::<String>(flag).into_iter().flatten().map(String::as_str)
}

/// Adds the field of a flag.
pub(crate) fn field(options: &mut Options, flag: &str, name: &str, value: &str) -> Result<(), Failure> {
    match options.set("header", &format!("{name}: {value}")) {
        Err(_) if value.contains(['\r', '\n']) => {
            Err(Failure::usage(format!("{flag} must be one line, not {value:?}")))
        }
        set => Ok(set?),
    }
}

/// The text of a flag, or that of the file which it names.
fn text_of(flag: &str, text: &str) -> Result<String, Failure> {
    let Some(path) = text.strip_prefix('@') else { return Ok(text.to_owned()) };
    let octets = std::fs::read(path).map_err(|error| Failure::input(&format!("--{flag}: {path}"), &error))?;
    utf8(path, octets)
}

fn utf8(what: &str, octets: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(octets).map_err(|error| Failure {
        status: EX_DATAERR,
        text: format!(
            "{what} must be UTF-8, and octet {} is not: attach it, or give a finished message",
            error.utf8_error().valid_up_to()
        ),
    })
}

fn stdin() -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut octets);
    read.map_err(|error| Failure::input("standard input", &error))?;
    Ok(octets)
}
