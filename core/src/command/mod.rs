//! The commands of SMTP and LMTP, checked when they are made, so that what is written is always one
//! well-formed line.

mod client_name;
mod extra;
mod mail;
mod needs;
mod parameter;
mod path;
mod rcpt;
mod text;
mod timing;
mod verb;
mod xtext;

pub use client_name::ClientName;
pub use extra::Extra;
pub use mail::{AuthIdentity, Declared, Envid, Mail, MailParameters, Ret};
pub use needs::{Addressed, Need, Rcpts, needs};
pub use parameter::Parameter;
pub use path::{ForwardPath, ReversePath};
pub use rcpt::{Notify, Orcpt, Rcpt, RcptParameters};
pub use text::{RawCommand, Text};
pub use timing::{ByMode, DeliverBy, Hold, MtPriority};
pub use verb::{VERBS, Verb};

use crate::error::Step;

// RFC 5321 section 4.5.3.1.2.
const MAX_DOMAIN: usize = 255;

/// One command line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// EHLO (RFC 5321 section 4.1.1.1).
    Ehlo(ClientName),
    /// HELO (RFC 5321 section 4.1.1.1).
    Helo(ClientName),
    /// LHLO (RFC 2033).
    Lhlo(ClientName),
    /// STARTTLS (RFC 3207).
    StartTls,
    /// MAIL (RFC 5321 section 4.1.1.2).
    Mail(Mail),
    /// RCPT (RFC 5321 section 4.1.1.3).
    Rcpt(Rcpt),
    /// DATA (RFC 5321 section 4.1.1.4).
    Data,
    /// BDAT (RFC 3030): this many octets follow at once.
    Bdat {
        /// Octets of the chunk.
        size: u64,
        /// Whether the message ends with it.
        last: bool,
    },
    /// RSET (RFC 5321 section 4.1.1.5).
    Rset,
    /// NOOP (RFC 5321 section 4.1.1.9).
    Noop(Option<Text>),
    /// VRFY (RFC 5321 section 4.1.1.6).
    Vrfy(Text),
    /// EXPN (RFC 5321 section 4.1.1.7).
    Expn(Text),
    /// HELP (RFC 5321 section 4.1.1.8).
    Help(Option<Text>),
    /// QUIT (RFC 5321 section 4.1.1.10).
    Quit,
    /// Anything else.
    Raw(RawCommand),
}

impl Command {
    /// Appends the command with its CRLF.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (verb, argument): (&[u8], &[u8]) = match self {
            Self::Mail(mail) => return mail.write(out),
            Self::Rcpt(rcpt) => return rcpt.write(out),
            Self::Bdat { size, last } => {
                out.extend_from_slice(b"BDAT ");
                write_number(*size, out);
                out.extend_from_slice(if *last { b" LAST\r\n" } else { b"\r\n" });
                return;
            }
            Self::Ehlo(name) => (b"EHLO", name.as_str().as_bytes()),
            Self::Helo(name) => (b"HELO", name.as_str().as_bytes()),
            Self::Lhlo(name) => (b"LHLO", name.as_str().as_bytes()),
            Self::StartTls => (b"STARTTLS", b""),
            Self::Data => (b"DATA", b""),
            Self::Rset => (b"RSET", b""),
            Self::Noop(text) => (b"NOOP", text.as_ref().map_or(b"", |text| text.as_str().as_bytes())),
            Self::Vrfy(text) => (b"VRFY", text.as_str().as_bytes()),
            Self::Expn(text) => (b"EXPN", text.as_str().as_bytes()),
            Self::Help(text) => (b"HELP", text.as_ref().map_or(b"", |text| text.as_str().as_bytes())),
            Self::Quit => (b"QUIT", b""),
            Self::Raw(raw) => (raw.expose(), b""),
        };
        out.extend_from_slice(verb);
        if !argument.is_empty() {
            out.push(b' ');
            out.extend_from_slice(argument);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The step that the command belongs to; the last BDAT is [`Step::Final`].
    pub fn step(&self) -> Step {
        match self {
            Self::Ehlo(_) | Self::Helo(_) | Self::Lhlo(_) => Step::Hello,
            Self::StartTls => Step::StartTls,
            Self::Mail(_) => Step::Mail,
            Self::Rcpt(_) => Step::Rcpt,
            Self::Data | Self::Bdat { last: false, .. } => Step::Data,
            Self::Bdat { last: true, .. } => Step::Final,
            Self::Rset => Step::Rset,
            Self::Quit => Step::Quit,
            Self::Noop(_) | Self::Vrfy(_) | Self::Expn(_) | Self::Help(_) | Self::Raw(_) => Step::Command,
        }
    }

    /// Whether nothing may be sent after the command before its reply (RFC 2920 section 3.1).
    pub fn ends_group(&self) -> bool {
        !matches!(self, Self::Mail(_) | Self::Rcpt(_) | Self::Rset)
    }
}

fn write_others(others: &[Parameter], out: &mut Vec<u8>) {
    for other in others {
        out.push(b' ');
        out.extend_from_slice(other.as_str().as_bytes());
    }
}

/// In a fifth of the instructions that formatting takes: one is written for each message.
fn write_number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut from = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        from -= 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(from..).unwrap_or_default());
}

/// A caller's value for an error text: escaped, and not longer than reads well.
fn quoted(value: &str) -> String {
    match value.char_indices().nth(100) {
        Some((end, _)) => format!("{:?}...", value.get(..end).unwrap_or_default()),
        None => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command() {
        let name = || ClientName::parse("client.example.org").unwrap();
        let text = || Text::new("some text").unwrap();
        for (command, line, step, ends) in [
            (Command::Ehlo(name()), "EHLO client.example.org", Step::Hello, true),
            (Command::Helo(name()), "HELO client.example.org", Step::Hello, true),
            (Command::Lhlo(name()), "LHLO client.example.org", Step::Hello, true),
            (Command::StartTls, "STARTTLS", Step::StartTls, true),
            (Command::Mail(Mail::default()), "MAIL FROM:<>", Step::Mail, false),
            (
                Command::Rcpt(Rcpt {
                    path: ForwardPath::new("a@b").unwrap(),
                    parameters: RcptParameters::default(),
                }),
                "RCPT TO:<a@b>",
                Step::Rcpt,
                false,
            ),
            (Command::Data, "DATA", Step::Data, true),
            (Command::Bdat { size: 65536, last: false }, "BDAT 65536", Step::Data, true),
            (Command::Bdat { size: 0, last: true }, "BDAT 0 LAST", Step::Final, true),
            (Command::Rset, "RSET", Step::Rset, false),
            (Command::Noop(None), "NOOP", Step::Command, true),
            (Command::Noop(Some(text())), "NOOP some text", Step::Command, true),
            (Command::Vrfy(text()), "VRFY some text", Step::Command, true),
            (Command::Expn(text()), "EXPN some text", Step::Command, true),
            (Command::Help(None), "HELP", Step::Command, true),
            (Command::Help(Some(text())), "HELP some text", Step::Command, true),
            (Command::Quit, "QUIT", Step::Quit, true),
            (Command::Raw(RawCommand::new("XCLIENT A=b").unwrap()), "XCLIENT A=b", Step::Command, true),
        ] {
            let mut out = b"before".to_vec();
            command.write(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("before{line}\r\n"));
            assert_eq!((command.step(), command.ends_group()), (step, ends), "{line}");
        }
    }

    #[test]
    fn a_value_in_an_error_is_short_and_printable() {
        assert_eq!(quoted("a\r\n\"\u{e9}"), "\"a\\r\\n\\\"\u{e9}\"");
        assert_eq!(quoted(&"\u{e9}".repeat(1000)), format!("\"{}\"...", "\u{e9}".repeat(100)));
    }
}
