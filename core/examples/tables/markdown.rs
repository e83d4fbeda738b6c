//! `docs/options.md`, `docs/report.md` and `docs/session.md`.

use std::fmt::Write as _;

use smtpclient::command::VERBS;
use smtpclient::error::{Kind, Step};
use smtpclient::options::{OptionGroup, OptionInfo, all};
use smtpclient::report::fields::{self, Field};

const INTRODUCTION: &str = "\
# Options

Every option has the same name in every language. In the shell they are flags, and a secret is given by where it is stored, as `env:NAME`:

| in | set an option | list them |
| --- | --- | --- |
| C | `smtp_options_set(options, \"timeout\", \"30\")` | `smtp_option_name(index)` |
| Python | `sendmessage(message, timeout=30)`, `Options(timeout=30)` | `help(smtpclient.Options)` |
| Tcl | `smtp::sendmessage $token -timeout 30` | `smtp::options` |
| the shell | `smtpclient --timeout 30` | `smtpclient --help` |
| Rust | `options.set(\"timeout\", \"30\")`, `options.timeout = ...` | `options::all()` |

An unknown option is an error that names the nearest one. A value that is not of its form is an error when it is set. What a
value names (servers, addresses, mechanisms, files) is looked at when something is sent, and before it is sent: a mistake is an error then, and so is an option
that the server cannot honour (except `queue`, which only asks if XQUE is offered). A session is given its server, and looks at neither `servers`, `ports` nor `order`. Elsewhere an option of a mailer is an error unless
it is left at its default.
Options of a session or mailer that concern messages hold for every message of it; options given with a message stand beside them, and win.
In C, options given with a message stand in place of those of the session or mailer.
An empty value takes an option back to its default. Four are different: the empty `originator` is the null reverse-path, the empty
`password` is one where there is a `username`, empty `recipients` are nobody, and `header` and `rcpt`, which accumulate, reject an empty value.

All messages of a session or mailer share its connections. What the options of one message say of TLS, a `proxy` or a dialler
is therefore an error unless the session or mailer was made with it; a message may ask for `tlsrequired` and `requiretls` by itself.

A value is a text of one of these forms. Python also accepts its own types: `bool`, numbers, `timedelta`, paths, lists, bytes.
";

const OBJECTS: &str = "
## Functions and objects

Not set by a text:

| option | meaning | C | Python | Tcl | Rust |
| --- | --- | --- | --- | --- | --- |
| `transcript` | is given every line of the dialogue, secrets masked | `smtp_options_set_transcript` | `transcript=` | | `Options::transcript` |
| `commit` | is called before the end of each message leaves ([commit.md](commit.md)) | `smtp_options_set_commit` | `commit=` | `-commit` | `Options::commit` |
| `progress` | receives the progress of each message: octets handed over, and total | `smtp_options_set_progress` | `progress=` | `-progress` | `Options::progress` |
| `tlspolicy` | is asked what to do when TLS cannot be set up | `smtp_options_set_tlspolicy` | `tlspolicy=` | `-tlspolicy` | `TlsPolicy::Ask` |
| `oauthtoken` | gives an access token whenever a connection logs in, and once more where the server refuses it | `smtp_options_set_oauthtoken` | `oauthtoken=` | `-oauthcommand` | `OauthToken::asking` |
| `mechanisms` | login mechanisms of the program's own ([tls.md](tls.md)) | `smtp_options_add_mechanism` | `mechanisms=` | `-mechanism` | `Options::mechanisms` |
| `signers` | see each message as its server gets it, and put fields in front ([message.md](message.md)) | `smtp_options_add_signer` | `signers=` | `-signer` | `Options::signers` |
| `dialler` | connects, and gives the socket | `smtp_options_set_dialler` | `dialler=` | `-dialler` | `Options::dialler` |
| `cancel` | ends the call from another thread | `smtp_options_set_cancel` | `cancel=` | `smtp::cancel` | `Options::cancel` |
| `tls` | TLS that was set up once, to be shared | `smtp_options_set_tls` | `tls=` | `-tls` | `Options::tls` |

A Tcl mailer sends in a thread of its own, where no script can be called: it takes `-dialler` and `-tls` alone of these.
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

const REPORT: &str = "\
<!-- Made by `make tables` from core/src/report/fields.rs: change that. -->

# Reports

What became of a message has the same fields, with the same names and of the same form, in every language:

| in | all of it | one field |
| --- | --- | --- |
| C | `smtp_result_value(result)`, a tree; `smtp_result_json(result)` | `smtp_value_find(value, \"attempts.0.tls.version\")`; for most a function, `smtp_result_attempt_tls_version(result, 0)` |
| Python | `report.to_dict()` | `report.attempts[0].tls.version` |
| Tcl | `smtp::lastreport`, a dict | `dict get [lindex [dict get $report attempts] 0] tls version` |
| the shell | `smtpclient --json` | |
| Rust | `report.value()` | `report.attempts` and so on |

The order of fields and keywords means nothing. What does not apply or is not known is `null` in JSON, `None` in Python, `SMTP_VALUE_NONE` in C, and empty in Tcl.

A function of C has the name of its path: `smtp_result_error_reply_code` is `error.reply.code`, `smtp_result_recipient_step(result, n)` is
`recipients.n.step`. A function whose path ends at an error, such as `smtp_result_error`, returns its `message`.

## When the outcome is unknown
`unknown` means that the end of the message may have reached the server, and that no reply came. The library never sends such a message again by itself.
Your program or a person decides:

- If a second copy does less harm than none (an alarm), send it again.
- If a second copy does harm (an invoice, a newsletter), do not. Ask the administrator of the server to look for its `Message-ID`, or wait for a bounce.
- Either way keep the message, with its `Message-ID` and the recipients that are `unknown`, until that is settled: [recipes.md](recipes.md#try-again-later)
  has a program that sorts recipients by outcome, and [jobs.md](jobs.md) has a ledger for queues.

It is rare on a healthy line. Option `commit` ([commit.md](commit.md)) tells you just before the message can become `unknown`, so that
you can write it down first.
";

pub(crate) fn report() -> String {
    let mut page = String::from(REPORT);
    section(&mut page, "The report", fields::REPORT);
    section(&mut page, "A record of `recipients`", fields::RECIPIENT);
    section(&mut page, "A reply", fields::REPLY);
    section(&mut page, "An error", fields::ERROR);
    section(&mut page, "A record of `attempts`", fields::ATTEMPT);
    section(&mut page, "A record of `logins`", fields::LOGIN);
    section(&mut page, "A record `tls`", fields::TLS);
    section(&mut page, "A record `offered`", fields::OFFER);
    section(&mut page, "A record of `extensions`", fields::EXTENSION);
    section(&mut page, "The record `times` of the report", fields::MESSAGE_TIMES);
    section(&mut page, "A record `times` of `attempts`", fields::CONNECTION_TIMES);
    page
}

fn section<T>(page: &mut String, title: &str, fields: &[Field<T>]) {
    let _ = write!(page, "\n## {title}\n\n| field | what |\n| --- | --- |\n");
    for field in fields {
        let _ = writeln!(page, "| `{}` | {} |", field.name, field.help);
    }
}

const SESSION: &str = "\
<!-- Made by `make tables` from core/src/command/verb.rs and core/src/error.rs: change those. -->

# Sessions and errors

A session is one connection. Its verbs have the same names in every language: `vrfy` is `smtp_session_vrfy` in C, and
`smtp_engine_ask` with a list of its words for an event loop (DATA, STARTTLS and AUTH have functions of their own there); `Session.vrfy` in Python, also in `smtpclient.aio`; `$session vrfy` in Tcl;
`Session::vrfy` in Rust. Beside the verbs there are functions for whole messages, which send EHLO, STARTTLS and AUTH by themselves.

## Verbs

| verb | takes | what |
| --- | --- | --- |
";

pub(crate) fn session() -> String {
    let mut page = String::from(SESSION);
    for verb in VERBS {
        let _ = writeln!(page, "| `{}` | {} | {} |", verb.name, verb.takes, verb.help);
    }
    page.push_str(
        "\n## Kinds of errors\n\nThe kind of an error is one word. In C it is also the code `SMTP_ERR_...`, in Python an exception \
         ([python.md](python.md)), in Tcl the second word of `errorCode`.\n\n| kind | code in C | what |\n| --- | --- | --- |\n",
    );
    for kind in Kind::ALL {
        let name = kind.name();
        let _ = writeln!(page, "| `{name}` | `SMTP_ERR_{}` | {} |", name.to_uppercase(), kind.text());
    }
    page.push_str(
        "\nIn C and Tcl there is `busy`, too (`SMTP_ERR_BUSY`): what is called is in use, by another thread or by the call whose function or script \
         this is. Call again when that has returned.\n",
    );
    page.push_str("\n## Steps\n\nThe step at which it happened:\n\n| step | what |\n| --- | --- |\n");
    for step in Step::ALL {
        let _ = writeln!(page, "| `{}` | {} |", step.name(), step.text());
    }
    page
}
