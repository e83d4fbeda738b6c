//! Sends one message, or several over a mailer.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ArgMatches;
use smtpclient::content::Transfer;
use smtpclient::envelope::Envelope;
use smtpclient::net::{delivery, local};
use smtpclient::prepared::Prepared;
use smtpclient::report::fields::Value;
use smtpclient::{Mailer, Options, Report, SendError, sendmessage};

use crate::answers::{Form, json, tell};
use crate::compose::{self, Item};
use crate::config::{self, Account};
use crate::flags;
use crate::progress::Count;
use crate::signals;
use crate::status::{Failure, of_report, worst};

/// What the flags ask for.
pub(crate) fn run(matches: &ArgMatches) -> Result<u8, Failure> {
    let Account { mut options, from } = account(matches)?;
    flags::apply(&mut options, matches)?;
    let files: Vec<&PathBuf> = matches.get_many("FILE").into_iter().flatten().collect();
    let items = if files.is_empty() {
        vec![compose::composed(matches, from.as_deref(), &mut options)?]
    } else {
        compose::finished(&files, matches, &mut options)?
    };
    let form = if matches.get_flag("json") { Form::Json } else { Form::Words };
    if matches.get_flag("dry-run") {
        items.iter().try_for_each(|item| dry_run(item, &options, form))?;
        return Ok(0);
    }
    deliver(items, &options, form)
}

/// The account that the flags name, or the default one.
pub(crate) fn account(matches: &ArgMatches) -> Result<Account, Failure> {
    let name = matches.get_one::<String>("account").map(String::as_str);
    let file = matches.get_one::<PathBuf>("config").map(PathBuf::as_path);
    config::account(name, file, flags::given(matches, "servers"))
}

/// Sends them, tells what became of each, and gives the exit status.
pub(crate) fn deliver(items: Vec<Item>, options: &Options, form: Form) -> Result<u8, Failure> {
    let mut options = options.clone();
    options.cancel = Some(signals::giving_up());
    let options = &options;
    match items.as_slice() {
        // A mailer's options are for several, or for one that is to be tried again.
        [item] if !flags::of_mailer(options) => {
            let report = sendmessage(&item.message, options).unwrap_or_else(|failed| *failed.report);
            status_of(of_report(&report), tell(&report, form, None))
        }
        _ => batch(items, options, form),
    }
}

/// What became of the messages counts for more than that it could not be told.
fn status_of(status: u8, told: Result<(), Failure>) -> Result<u8, Failure> {
    match told {
        Err(failure) if status == 0 => Err(failure),
        _ => Ok(status),
    }
}

fn batch(items: Vec<Item>, options: &Options, form: Form) -> Result<u8, Failure> {
    let (several, mut count, mut status) = (items.len() > 1, Count::new(items.len()), 0);
    let mut told_all = Ok(());
    let mailer = Mailer::new(options)?;
    let mut names = BTreeMap::new();
    let mut told = |name: &str, report: &Report| {
        count.one_more();
        status = worst(status, of_report(report));
        let said = tell(report, form, several.then_some(name));
        if told_all.is_ok() {
            told_all = said;
        }
    };
    for Item { name, message } in items {
        match mailer.submit(&message, None) {
            Ok(ticket) => drop(names.insert(ticket, name)),
            Err(error) => told(&name, &SendError::from(error).report),
        }
        for (ticket, report) in mailer.reports(Duration::ZERO, usize::MAX) {
            told(&names.remove(&ticket).unwrap_or_default(), &report);
        }
    }
    mailer.seal();
    while let Some((ticket, report)) = mailer.next_report(Duration::MAX) {
        told(&names.remove(&ticket).unwrap_or_default(), &report);
    }
    status_of(status, told_all)
}

/// What would be said to a server that offers 8BITMIME, and the message as that would get it.
fn dry_run(item: &Item, options: &Options, form: Form) -> Result<(), Failure> {
    let mut single = options.clone();
    single.mailer = Default::default();
    let servers: Vec<String> =
        delivery(&item.message, &single)?.servers().iter().map(|server| server.target.to_string()).collect();
    let envelope = Envelope::derive(&item.message, &single, &local())?;
    let mut transfer = Transfer::default();
    (transfer.eight_bit, transfer.binary, transfer.utf8) = (true, options.binary, !envelope.is_ascii());
    let mut octets = Vec::new();
    Prepared::new(&item.message, &single, &local(), None)?.write(transfer, &mut octets)?;
    let sender = envelope.mail.path.as_str();
    let recipients: Vec<&str> = envelope.recipients.iter().map(|rcpt| rcpt.path.as_str()).collect();
    if form == Form::Json {
        let list = |all: Vec<String>| Value::List(all.into_iter().map(Value::Text).collect());
        // JSON has characters alone.
        let message = match String::from_utf8(octets) {
            Ok(text) => ("message", Value::Text(text)),
            Err(other) => ("message_base64", Value::Text(STANDARD.encode(other.as_bytes()))),
        };
        return json(&Value::Record(vec![
            ("servers", list(servers)),
            ("sender", Value::Text(sender.to_owned())),
            ("recipients", list(recipients.into_iter().map(str::to_owned).collect())),
            message,
        ]));
    }
    let mut text = format!("server {}\nMAIL FROM:<{sender}>\n", servers.join(", ")).into_bytes();
    recipients.iter().for_each(|recipient| text.extend(format!("RCPT TO:<{recipient}>\n").bytes()));
    text.push(b'\n');
    text.append(&mut octets);
    let mut out = std::io::stdout().lock();
    out.write_all(&text).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}
