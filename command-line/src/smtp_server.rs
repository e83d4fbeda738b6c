//! `sendmail -bs`: SMTP on standard input and output, for programs that speak it with a child. Each message is sent on before
//! its end is answered, so that the answer is what became of it; no more is promised of recipients before that.

use std::io::{self, BufRead, Read, Write};

use smtpclient::report::Status;
use smtpclient::{Kind, Message, Options, Outcome, Recipients, Report, sendmessage};

use crate::status::{EX_IOERR, Failure};

/// Of a command line, as RFC 5321 section 4.5.3.1.4 has it and extensions add to it.
const LONGEST: u64 = 4096;

#[derive(Default)]
struct Envelope {
    sender: Option<String>,
    recipients: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<u8, Failure> {
    let failed = |error: io::Error| Failure { status: EX_IOERR, text: format!("-bs: {error}") };
    serve(options, &mut io::stdin().lock(), &mut io::stdout().lock()).map_err(failed)?;
    Ok(0)
}

fn serve(options: &Options, input: &mut impl BufRead, output: &mut impl Write) -> io::Result<()> {
    let mut say =
        |line: &str| output.write_all(format!("{line}\r\n").as_bytes()).and_then(|()| output.flush());
    let mut envelope = Envelope::default();
    say("220 localhost ESMTP smtpclient")?;
    loop {
        let mut line = Vec::new();
        if input.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let Ok(line) = str::from_utf8(&line) else {
            say("500 5.5.2 A command must be UTF-8")?;
            continue;
        };
        if !line.ends_with('\n') && line.len() as u64 == LONGEST {
            say("500 5.5.2 The line is too long")?;
            return Ok(());
        }
        // Programs that end their lines in a bare LF do so everywhere; in others it ends no line.
        let is_bare = !line.ends_with("\r\n");
        let line = line.trim_end_matches(['\r', '\n']);
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                envelope = Envelope::default();
                say("250-localhost")?;
                say("250-8BITMIME")?;
                say("250-SMTPUTF8")?;
                say("250 ENHANCEDSTATUSCODES")?;
            }
            "HELO" => {
                envelope = Envelope::default();
                say("250 localhost")?;
            }
            "MAIL" if envelope.sender.is_some() => say("503 5.5.1 There is a sender already")?,
            "MAIL" => match path("FROM:", rest) {
                Some(sender) => {
                    envelope.sender = Some(sender);
                    say("250 2.1.0 Ok")?;
                }
                None => say("501 5.5.4 MAIL FROM:<address>, BODY= and SIZE= alone")?,
            },
            "RCPT" if envelope.sender.is_none() => say("503 5.5.1 MAIL comes first")?,
            "RCPT" => match path("TO:", rest).filter(|recipient| !recipient.is_empty()) {
                Some(recipient) => {
                    envelope.recipients.push(recipient);
                    say("250 2.1.5 Ok")?;
                }
                None => say("501 5.5.4 RCPT TO:<address>")?,
            },
            "DATA" if envelope.recipients.is_empty() => say("503 5.5.1 RCPT comes first")?,
            "DATA" => {
                say("354 End with a line of one dot")?;
                let message = content(input, is_bare)?;
                say(&send(options, &std::mem::take(&mut envelope), message))?;
            }
            "RSET" => {
                envelope = Envelope::default();
                say("250 2.0.0 Ok")?;
            }
            "NOOP" => say("250 2.0.0 Ok")?,
            "VRFY" => say("252 2.5.2 Send, and see")?,
            "QUIT" => return say("221 2.0.0 Bye"),
            _ => say("502 5.5.1 EHLO, MAIL, RCPT, DATA, RSET, NOOP, VRFY, QUIT")?,
        }
    }
}

/// The address after `FROM:` or `TO:`; none where it has no such form, or a parameter that means something.
fn path(word: &str, rest: &str) -> Option<String> {
    let start = rest.get(..word.len())?;
    let rest = rest.get(word.len()..)?.trim_start();
    let (address, parameters) = rest.strip_prefix('<')?.rsplit_once('>')?;
    let plain = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default().to_ascii_uppercase();
        matches!(name.as_str(), "BODY" | "SIZE" | "SMTPUTF8")
    };
    // Where nothing is quoted, these make a list, or no address at all.
    let is_one = address.contains('"') || !address.contains([',', ';', '<', '>', '(', ' ', '\t']);
    (is_one && start.eq_ignore_ascii_case(word) && parameters.split_whitespace().all(plain))
        .then(|| address.to_owned())
}

/// The lines up to that of one dot, without the dots that were doubled (RFC 5321 section 4.5.2).
fn content(input: &mut impl BufRead, is_bare: bool) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let mut is_start = true;
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.as_slice() {
            b".\r\n" if is_start => return Ok(octets),
            b".\n" if is_bare => return Ok(octets),
            [b'.', rest @ ..] if is_start => octets.extend_from_slice(rest),
            line => octets.extend_from_slice(line),
        }
        is_start = is_bare || line.ends_with(b"\r\n");
    }
}

fn send(options: &Options, envelope: &Envelope, message: Vec<u8>) -> String {
    let mut options = options.clone();
    options.originator = envelope.sender.clone();
    options.recipients = Some(Recipients::default());
    if let Err(error) = envelope.recipients.iter().try_for_each(|recipient| options.add_recipient(recipient))
    {
        return format!("553 5.1.3 {error}");
    }
    // There is one answer for all of them.
    options.atleastone = false;
    options.mailer = Default::default();
    answer(&sendmessage(&Message::from_bytes(message), &options).unwrap_or_else(|failed| *failed.report))
}

/// One line: 4yz only where the message is certainly not sent.
fn answer(report: &Report) -> String {
    let error = report.failure();
    let text = error.as_ref().map(ToString::to_string).unwrap_or_default().replace(['\r', '\n'], " ");
    match report.status() {
        Status::Ok => format!(
            "250 2.0.0 {}",
            report.reply.as_ref().map_or("Ok", |reply| reply.lines().next().unwrap_or("Ok"))
        ),
        Status::Partial => {
            let refused = report.recipients.iter().filter(|one| one.outcome != Outcome::Accepted);
            let refused: Vec<_> = refused.map(|one| one.address.as_str()).collect();
            format!(
                "554 5.0.0 Accepted, but not for {}: do not send it again to the others",
                refused.join(", ")
            )
        }
        Status::Failed(Kind::Unknown) => {
            format!("554 5.0.0 It is unknown whether the message was sent: {text}")
        }
        _ if error.is_some_and(|error| error.is_transient()) && !report.sent() => format!("451 4.0.0 {text}"),
        _ => format!("554 5.0.0 {text}"),
    }
}
