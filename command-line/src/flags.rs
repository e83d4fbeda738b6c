//! The flags: those of the program itself, and one for each option of the library's table.

use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use smtpclient::Options;
use smtpclient::options::{OptionGroup, OptionInfo, OptionKind, all};

use crate::secrets;
use crate::status::{Failure, STATUSES};

/// A flag that is not an option of the library.
struct Own {
    name: &'static str,
    /// What it takes; nothing for a switch.
    value: &'static str,
    /// It may be given several times.
    many: bool,
    /// It is for messages only.
    message: bool,
    help: &'static str,
}

const MESSAGE: &str = "Message";
const PROGRAM: &str = "This command";

const OWN: &[Own] = &[
    own("from", "ADDRESS", false, "From of a composed message; the sender of finished ones."),
    own(
        "to",
        "ADDRESSES",
        true,
        "To of a composed message; the recipients of finished ones, in place of those that they name.",
    ),
    own("cc", "ADDRESSES", true, "Cc of a composed message; more recipients of finished ones."),
    own("bcc", "ADDRESSES", true, "Recipients whom nobody else sees."),
    own("subject", "TEXT", false, "The subject."),
    own(
        "body",
        "TEXT",
        false,
        "The text; @FILE reads it from a file. Without --body and --html it is read from standard input.",
    ),
    own(
        "html",
        "TEXT",
        false,
        "The text as HTML, in addition to --body; alone, a text is made from it. @FILE reads it from a file.",
    ),
    own(
        "pictures",
        "FOLDER",
        false,
        "Embed the pictures that --html names as files below the folder, or as data: URLs.",
    ),
    own("attach", "FILE", true, "A file to attach."),
    Own {
        name: "dry-run",
        value: "",
        many: false,
        message: true,
        help: "Print the envelope and the message as it would go out, without connecting.",
    },
    Own {
        name: "account",
        value: "NAME",
        many: false,
        message: false,
        help: "Which account of the configuration file to use.",
    },
    Own {
        name: "config",
        value: "FILE",
        many: false,
        message: false,
        help: "The configuration file, in place of the user's and the system's.",
    },
    Own {
        name: "tls",
        value: "HOW",
        many: false,
        message: false,
        help: "no: never; try: where the server offers it; require: always, by STARTTLS; first: from the first octet.",
    },
    Own { name: "json", value: "", many: false, message: false, help: "Print the report as JSON." },
];

const fn own(name: &'static str, value: &'static str, many: bool, help: &'static str) -> Own {
    Own { name, value, many, message: true, help }
}

/// What `--tls` takes.
const TLS: [&str; 4] = ["no", "try", "require", "first"];

/// Shorter names of options.
pub const SHORT: [(&str, &str); 4] =
    [("servers", "server"), ("ports", "port"), ("username", "user"), ("tlscafile", "cafile")];

/// The whole command line.
pub fn command() -> Command {
    let statuses = STATUSES.map(|(number, _, meaning)| format!("  {number:2}  {}", meaning.replace('`', "")));
    let version = format!("{} ({})", env!("CARGO_PKG_VERSION"), smtpclient::tls::library());
    let command = Command::new("smtpclient")
        .about("Sends mail, and says what became of it.")
        .long_about(
            "Sends a message that is composed from flags and standard input, or finished messages (RFC 5322) from files, where - is \
             standard input; several of them as a batch, over several connections. Called as sendmail, it understands what \
             programs say to sendmail.",
        )
        .version(version)
        .after_long_help(format!("Exit status:\n{}", statuses.join("\n")))
        .override_usage("smtpclient [FLAG]... [FILE]...\n       smtpclient verify [FLAG]...")
        .subcommand(
            Command::new("verify")
                .about("Connects to every server, logs in, and says what it offers; sends nothing")
                .display_order(0),
        )
        .disable_help_subcommand(true)
        .arg(Arg::new("FILE").num_args(0..).value_parser(value_parser!(std::path::PathBuf)).help("Finished messages; - is standard input"));
    OWN.iter().map(own_argument).chain(all().flat_map(arguments)).fold(command, Command::arg)
}

fn own_argument(own: &'static Own) -> Arg {
    let arg = Arg::new(own.name).long(own.name).help(own.help);
    let arg = arg.help_heading(if own.message { MESSAGE } else { PROGRAM }).global(!own.message);
    match own.value {
        "" => arg.action(ArgAction::SetTrue),
        _ if own.name == "tls" => arg.value_name(own.value).value_parser(PossibleValuesParser::new(TLS)),
        "FILE" | "FOLDER" => {
            arg.value_name(own.value).value_parser(value_parser!(std::path::PathBuf)).action(action(own.many))
        }
        value => arg.value_name(value).action(action(own.many)),
    }
}

fn action(many: bool) -> ArgAction {
    if many { ArgAction::Append } else { ArgAction::Set }
}

/// The flags of one option: `--name VALUE`; of a truth value `--name` and `--no-name`. Certificates in memory have a file's flag.
fn arguments(option: &'static OptionInfo) -> Vec<Arg> {
    if option.kind == OptionKind::Certificates {
        return Vec::new();
    }
    let mut help = format!("{} Default: {}.", option.help(), option.default).replace('`', "");
    if option.kind == OptionKind::Secret {
        help.push_str(" Takes env:NAME, file:PATH, fd:NUMBER or pass:TEXT.");
    }
    let arg =
        Arg::new(option.name).long(option.name).help(help).help_heading(option.group.title()).global(true);
    let arg = SHORT
        .iter()
        .filter(|(name, _)| *name == option.name)
        .fold(arg, |arg, (_, short)| arg.visible_alias(*short));
    match option.kind {
        OptionKind::Flag => {
            let no = format!("no-{}", option.name);
            let not =
                Arg::new(no.clone()).long(no.clone()).action(ArgAction::SetTrue).hide(true).global(true);
            let arg =
                arg.num_args(0..=1).require_equals(true).default_missing_value("yes").value_name("yes|no");
            vec![arg.overrides_with(no), not.overrides_with(option.name)]
        }
        OptionKind::Word(words) => {
            vec![arg.value_parser(PossibleValuesParser::new(words)).value_name("WORD")]
        }
        kind => {
            let value = if kind == OptionKind::Secret {
                "PLACE".to_owned()
            } else {
                kind.name().to_ascii_uppercase()
            };
            vec![
                arg.value_name(value)
                    .action(action(kind.adds() || separator(kind).is_some()))
                    .allow_hyphen_values(true),
            ]
        }
    }
}

/// What stands between the values of a list.
fn separator(kind: OptionKind) -> Option<&'static str> {
    match kind {
        OptionKind::Servers | OptionKind::Ports | OptionKind::Words => Some(" "),
        OptionKind::Addresses => Some(", "),
        _ => None,
    }
}

/// Sets the options that were given as flags.
pub(crate) fn apply(options: &mut Options, matches: &ArgMatches) -> Result<(), Failure> {
    if let Some(how) = matches.get_one::<String>("tls") {
        set_tls(options, how);
    }
    for option in all() {
        if given(matches, &format!("no-{}", option.name)) {
            options.set(option.name, "no")?;
        }
        if !given(matches, option.name) {
            continue;
        }
        let values: Vec<&String> = matches.get_many(option.name).into_iter().flatten().collect();
        match separator(option.kind) {
            _ if option.kind == OptionKind::Secret => {
                for value in values {
                    if option.name == "proxy" && value.contains("://") && !secrets::hides(option, value) {
                        options.set(option.name, value)?;
                    } else {
                        options.set_octets(option.name, secrets::read(option.name, value)?.expose())?;
                    }
                }
            }
            _ if values.iter().any(|value| secrets::hides(option, value)) => {
                return Err(Failure::usage(format!(
                    "option `{}`: every user of this machine can read the password in that URL while the program runs: use --username and \
                     --password env:NAME",
                    option.name
                )));
            }
            Some(separator) => {
                let list: Vec<&str> = values.into_iter().map(String::as_str).collect();
                options.set(option.name, &list.join(separator))?;
            }
            None => values.into_iter().try_for_each(|value| options.set(option.name, value))?,
        }
    }
    Ok(())
}

/// The options that `--tls` stands for.
pub(crate) fn set_tls(options: &mut Options, how: &str) {
    options.usetls = how != "no";
    options.tlsrequired = how == "require";
    options.tlsimport = how == "first";
}

/// Whether `how` is one of those of `--tls`.
pub(crate) fn is_tls(how: &str) -> bool {
    TLS.contains(&how)
}

/// Whether the flag stands on the command line.
pub(crate) fn given(matches: &ArgMatches, name: &str) -> bool {
    matches!(matches.try_contains_id(name), Ok(true))
        && matches.value_source(name) == Some(ValueSource::CommandLine)
}

/// The options of a mailer among those that are set: they mean nothing for one message.
pub(crate) fn of_mailer(options: &Options) -> bool {
    options.set_in(OptionGroup::Mailer).next().is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_option_is_a_flag() {
        let command = command();
        command.clone().debug_assert();
        for option in all().filter(|option| option.kind != OptionKind::Certificates) {
            let arg = command.get_arguments().find(|arg| arg.get_id() == option.name);
            assert_eq!(arg.unwrap().get_help_heading(), Some(option.group.title()), "{}", option.name);
        }
    }

    #[test]
    fn flags_become_options() {
        let words = "smtpclient --server a --server b --port 25 --no-usetls --atleastone --tlsverify=no --timeout 5 \
                     --password pass:secret --rcpt bob@example.org --header X-A:1 --header X-B:2";
        let matches = command().try_get_matches_from(words.split_whitespace()).unwrap();
        let mut options = Options::default();
        apply(&mut options, &matches).unwrap();
        assert_eq!((options.servers, options.ports), (vec!["a".to_owned(), "b".to_owned()], vec![25]));
        assert!(!options.usetls && options.atleastone && !options.tlsverify);
        assert_eq!(options.timeout.unwrap().as_secs(), 5);
        assert_eq!(options.password.unwrap().expose(), b"secret");
        assert_eq!(options.header.len(), 2);
        let matches = command().try_get_matches_from(["smtpclient", "--password", "secret"]).unwrap();
        let told = apply(&mut Options::default(), &matches).unwrap_err();
        assert!(told.text.contains("env:NAME") && !told.text.contains("secret"), "{}", told.text);
        for (proxy, fits) in [("socks5://p.example:1080", true), ("socks5://u:s@p.example:1080", false)] {
            let matches = command().try_get_matches_from(["smtpclient", "--proxy", proxy]).unwrap();
            assert_eq!(apply(&mut Options::default(), &matches).is_ok(), fits, "{proxy}");
        }
        for (server, fits) in [("smtp://tim@m.example:25", true), ("smtps://tim:s3cret@m.example", false)] {
            let matches = command().try_get_matches_from(["smtpclient", "--server", server]).unwrap();
            let applied = apply(&mut Options::default(), &matches);
            assert_eq!(applied.is_ok(), fits, "{server}");
            assert!(applied.err().is_none_or(|told| !told.text.contains("s3cret")));
        }
    }

    #[test]
    fn a_wrong_name_is_told_the_right_one() {
        let told = command().try_get_matches_from(["smtpclient", "--tiemout", "5"]).unwrap_err().to_string();
        assert!(told.contains("--timeout"), "{told}");
        let verify = command().try_get_matches_from(["smtpclient", "verify", "--server", "a"]).unwrap();
        assert!(given(verify.subcommand().unwrap().1, "servers"));
        command().try_get_matches_from(["smtpclient", "verify", "--subject", "a"]).unwrap_err();
    }
}
