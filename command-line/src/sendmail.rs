//! What programs say to sendmail(8): `-t -i -f -F -oi -bs` and the like.

use std::ffi::OsString;
use std::io::BufRead;
use std::path::PathBuf;

use lexopt::Arg::{Long, Short, Value};
use smtpclient::envelope::Envelope;
use smtpclient::net::local;
use smtpclient::{Message, Options};

use crate::answers::Form;
use crate::compose::{Item, field};
use crate::config::{self, Account};
use crate::send::deliver;
use crate::smtp_server;
use crate::status::Failure;

/// Whether a flag has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// None.
    Nothing,
    /// One, in the same word or the next.
    Value(&'static str),
    /// One in the same word, or none.
    Perhaps(&'static str),
}

/// Every flag: its letter, what it takes, and what it does. The parser and the manual page are made from it.
pub const FLAGS: &[(char, Takes, &str)] = &[
    (
        't',
        Takes::Nothing,
        "The recipients are those of the fields To, Cc and Bcc, and those among the arguments. Bcc is taken out, as it always is.",
    ),
    ('i', Takes::Nothing, "A line with one dot does not end the message. The same as -oi."),
    ('f', Takes::Value("ADDRESS"), "The sender; <> and the empty text are the null reverse-path."),
    ('r', Takes::Value("ADDRESS"), "The same."),
    ('F', Takes::Value("NAME"), "The name of the author, where the message has no From."),
    (
        'o',
        Takes::Value("OPTION"),
        "i: as -i. Anything else (em, ee, di, ...) changes nothing: errors are reported on standard error and by the exit status.",
    ),
    (
        'b',
        Takes::Value("MODE"),
        "m: send a message, the default. s: speak SMTP on standard input and output. p: list the queue, which is always empty. i: nothing, as there are no aliases. Any other mode is an error.",
    ),
    (
        'N',
        Takes::Value("WORDS"),
        "When notifications are wanted (RFC 3461): never, or any of success, failure, delay.",
    ),
    ('R', Takes::Value("WORD"), "What a notification of failure returns: full or hdrs."),
    ('V', Takes::Value("TEXT"), "The envelope id that notifications bear."),
    ('C', Takes::Value("FILE"), "The configuration file."),
    ('v', Takes::Nothing, "Print the dialogue on standard error, secrets masked."),
    ('O', Takes::Value("OPTION=VALUE"), "Changes nothing."),
    ('B', Takes::Value("TYPE"), "Changes nothing: what the body needs is found out."),
    ('A', Takes::Perhaps("c|m"), "Changes nothing."),
    ('d', Takes::Perhaps("LEVEL"), "Changes nothing."),
    ('e', Takes::Perhaps("MODE"), "Changes nothing, as -oe."),
    ('G', Takes::Nothing, "Changes nothing."),
    ('h', Takes::Value("HOPS"), "Changes nothing."),
    ('L', Takes::Value("TAG"), "Changes nothing."),
    ('m', Takes::Nothing, "Changes nothing."),
    ('n', Takes::Nothing, "Changes nothing: there are no aliases."),
    ('p', Takes::Value("PROTOCOL"), "Changes nothing."),
    ('q', Takes::Perhaps("TIME"), "Runs the queue, which is always empty: ends with 0."),
    ('U', Takes::Nothing, "Changes nothing."),
    ('X', Takes::Value("FILE"), "Changes nothing."),
    ('x', Takes::Nothing, "Changes nothing."),
];

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    from_header: bool,
    dots: bool,
    sender: Option<String>,
    name: Option<String>,
    mode: Mode,
    options: Vec<(&'static str, String)>,
    config: Option<PathBuf>,
    recipients: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Message,
    Smtp,
    /// There is nothing to do.
    Queue,
    Aliases,
}

/// Does what the arguments say, the first of which is the program's name.
pub(crate) fn run(arguments: &[OsString]) -> Result<u8, Failure> {
    let name = arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut asked = parse(arguments.get(1..).unwrap_or_default())?;
    if name.ends_with("mailq") {
        asked.mode = Mode::Queue;
    } else if name.ends_with("newaliases") {
        asked.mode = Mode::Aliases;
    }
    let Account { mut options, from } = match asked.mode {
        Mode::Queue => {
            return crate::answers::line("The queue is empty: every message is sent at once.").map(|()| 0);
        }
        Mode::Aliases => return Ok(0),
        _ => config::account(None, asked.config.as_deref(), false)?,
    };
    for (name, value) in &asked.options {
        options.set(name, value)?;
    }
    if options.defaultdomain.is_none() {
        // Where the host's name is not a domain, an address without one is an error that says so.
        let _ = options.set("defaultdomain", &(local().host)());
    }
    if let Some(sender) = &asked.sender {
        options.set("originator", sender.trim_start_matches('<').trim_end_matches('>'))?;
    }
    if asked.mode == Mode::Smtp {
        return smtp_server::run(&options);
    }
    let octets = message(&mut std::io::stdin().lock(), asked.dots)?;
    let message = Message::from_bytes(octets);
    author(&message, &asked, from.as_deref(), &mut options)?;
    if asked.from_header {
        if !asked.recipients.is_empty() {
            add_named(&message, &mut options)?;
        }
    } else if asked.recipients.is_empty() {
        return Err(Failure::usage(
            "there is no recipient: name one, or give -t to take those of To, Cc and Bcc",
        ));
    }
    if asked.recipients.iter().any(|recipient| recipient.trim().is_empty()) {
        return Err(Failure::usage("an argument is empty: name a recipient, or leave it out"));
    }
    asked.recipients.iter().try_for_each(|recipient| options.add_recipient(recipient))?;
    deliver(vec![Item { name: "the message".to_owned(), message }], &options, Form::Quiet)
}

/// Makes recipients of the options out of those that the message names, where it names any: others will be added.
fn add_named(message: &Message, options: &mut Options) -> Result<(), Failure> {
    for field in ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"] {
        if message.header(field)?.is_empty() {
            continue;
        }
        let envelope = Envelope::derive(message, options, &local())?;
        for recipient in &envelope.recipients {
            options.add_recipient(recipient.path.as_str())?;
        }
        break;
    }
    Ok(())
}

/// The author of a message that has none.
fn author(
    message: &Message,
    asked: &Asked,
    from: Option<&str>,
    options: &mut Options,
) -> Result<(), Failure> {
    if !message.header("From")?.is_empty() {
        return Ok(());
    }
    let sender = asked.sender.as_deref().filter(|sender| !sender.trim_matches(['<', '>']).is_empty());
    let address =
        || sender.map_or_else(|| (local().user)(), |sender| sender.trim_matches(['<', '>']).to_owned());
    match (&asked.name, from) {
        (Some(name), _) => {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            field(options, "-F", "From", &format!("\"{quoted}\" <{}>", address()))
        }
        (None, Some(from)) if sender.is_none() => field(options, "`from` of the account", "From", from),
        _ => field(options, "-f", "From", &address()),
    }
}

/// Standard input, to its end or to a line with one dot.
fn message(input: &mut dyn BufRead, dots: bool) -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    let failed = |error: &std::io::Error| Failure::input("standard input", error);
    if dots {
        input.read_to_end(&mut octets).map_err(|error| failed(&error))?;
        return Ok(octets);
    }
    loop {
        let before = octets.len();
        let n = input.read_until(b'\n', &mut octets).map_err(|error| failed(&error))?;
        if matches!(octets.get(before..), Some(b".\n" | b".\r\n" | b".")) {
            octets.truncate(before);
            return Ok(octets);
        }
        if n == 0 {
            return Ok(octets);
        }
    }
}

fn parse(arguments: &[OsString]) -> Result<Asked, Failure> {
    let mut asked = Asked::default();
    let mut parser = lexopt::Parser::from_args(arguments.iter().cloned());
    let wrong = |error: lexopt::Error| Failure::usage(format!("sendmail: {error}"));
    while let Some(argument) = parser.next().map_err(wrong)? {
        let letter = match argument {
            Short(letter) => letter,
            Value(recipient) => {
                asked.recipients.push(text(recipient)?);
                continue;
            }
            Long(name) => return Err(Failure::usage(format!("sendmail knows no --{name}"))),
        };
        let Some((_, takes, _)) = FLAGS.iter().find(|(known, ..)| *known == letter) else {
            return Err(Failure::usage(format!(
                "sendmail knows no -{letter}; smtpclient-sendmail(1) lists what it knows"
            )));
        };
        let value = match takes {
            Takes::Nothing => String::new(),
            Takes::Value(_) => text(parser.value().map_err(wrong)?)?,
            Takes::Perhaps(_) => parser.optional_value().map(text).transpose()?.unwrap_or_default(),
        };
        take(&mut asked, letter, value)?;
    }
    Ok(asked)
}

fn take(asked: &mut Asked, letter: char, value: String) -> Result<(), Failure> {
    match letter {
        't' => asked.from_header = true,
        'i' => asked.dots = true,
        'o' if value == "i" => asked.dots = true,
        'f' | 'r' => asked.sender = Some(value),
        'F' => asked.name = Some(value),
        'N' => asked.options.push(("dsnnotify", value)),
        'R' => asked.options.push(("dsnret", value)),
        'V' => asked.options.push(("dsnenvid", value)),
        'C' => asked.config = Some(value.into()),
        'v' => asked.options.push(("debug", "yes".to_owned())),
        'q' => asked.mode = Mode::Aliases,
        'b' => {
            asked.mode = match value.as_str() {
                "m" => Mode::Message,
                "s" => Mode::Smtp,
                "p" => Mode::Queue,
                "i" => Mode::Aliases,
                other => {
                    return Err(Failure::usage(format!(
                        "sendmail: -b{other} is not one of -bm, -bs, -bp, -bi"
                    )));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn text(value: OsString) -> Result<String, Failure> {
    value.into_string().map_err(|value| Failure::usage(format!("{} must be UTF-8", value.display())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(words: &[&str]) -> Result<Asked, Failure> {
        parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_programs_say() {
        // git, cron, PHP, mutt.
        let git = parsed(&["-f", "a@c.example", "-i", "b@d.example"]).unwrap();
        assert!(git.dots && !git.from_header && git.recipients == ["b@d.example"]);
        assert_eq!(git.sender.as_deref(), Some("a@c.example"));
        let cron = parsed(&["-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root"]).unwrap();
        assert_eq!((cron.name.as_deref(), cron.recipients), (Some("CronDaemon"), vec!["root".to_owned()]));
        let php = parsed(&["-t", "-i"]).unwrap();
        assert_eq!(php, parsed(&["-ti"]).unwrap());
        let mutt = parsed(&["-oem", "-oi", "-f", "a@c.example", "--", "-b@d.example"]).unwrap();
        assert!(mutt.dots && mutt.recipients == ["-b@d.example"]);
        let dsn = parsed(&["-N", "success,delay", "-R", "hdrs", "-Vx", "a@b.example"]).unwrap();
        assert_eq!(dsn.options.len(), 3);
        assert_eq!(parsed(&["-bs"]).unwrap().mode, Mode::Smtp);
        assert_eq!(parsed(&["-q30m"]).unwrap().mode, Mode::Aliases);
    }

    #[test]
    fn what_it_does_not_know_is_an_error() {
        for words in [&["-Z"][..], &["-bd"], &["--to"], &["-f"]] {
            assert_eq!(parsed(words).unwrap_err().status, crate::status::EX_USAGE, "{words:?}");
        }
    }

    #[test]
    fn a_dot_ends_the_message_unless_told_otherwise() {
        let read =
            |text: &str, dots| String::from_utf8(message(&mut text.as_bytes(), dots).unwrap()).unwrap();
        assert_eq!(read("a\n.\nb\n", false), "a\n");
        assert_eq!(read("a\n.\nb\n", true), "a\n.\nb\n");
        assert_eq!(read("a\n..\n.b", false), "a\n..\n.b");
        assert_eq!(read("a\r\n.\r\nb", false), "a\r\n");
    }
}
