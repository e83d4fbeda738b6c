//! The verbs of a session, by name: the one table that every language's sessions read, or are compared with by tests.

use super::{
    ClientName, Command, ForwardPath, Mail, MailParameters, Parameter, RawCommand, Rcpt, RcptParameters,
    ReversePath, Text,
};
use crate::error::Error;

/// A verb of a session. Most are one command with one reply; [`command`](Self::command) makes it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Verb {
    /// The name, the same in every language.
    pub name: &'static str,
    /// What it takes: `[name]` may be left out.
    pub takes: &'static str,
    /// What it does, in Markdown.
    pub help: &'static str,
    make: Option<Make>,
}

type Make = fn(&ClientName, &[&str]) -> Result<Command, Error>;

const fn verb(name: &'static str, takes: &'static str, help: &'static str, make: Make) -> Verb {
    Verb { name, takes, help, make: Some(make) }
}

/// One that is more than a command with a reply, and has a function of its own.
const fn more(name: &'static str, takes: &'static str, help: &'static str) -> Verb {
    Verb { name, takes, help, make: None }
}

/// Every verb.
pub const VERBS: &[Verb] = &[
    verb("ehlo", "[name]", "EHLO; without a name that of option `client`", |own, a| {
        Ok(Command::Ehlo(client(own, a)?))
    }),
    verb("helo", "[name]", "HELO", |own, a| Ok(Command::Helo(client(own, a)?))),
    verb("lhlo", "[name]", "LHLO; from here on the session speaks LMTP", |own, a| {
        Ok(Command::Lhlo(client(own, a)?))
    }),
    verb("mail", "address [parameters]", "MAIL FROM; an empty address is the null reverse-path", |_, a| {
        let (path, others) = path(a);
        let parameters = MailParameters { other: parameters(others)?, ..MailParameters::default() };
        Ok(Command::Mail(Mail { path: ReversePath::new(path)?, parameters }))
    }),
    verb("rcpt", "address [parameters]", "RCPT TO", |_, a| {
        let (path, others) = path(a);
        let parameters = RcptParameters { other: parameters(others)?, ..RcptParameters::default() };
        Ok(Command::Rcpt(Rcpt { path: ForwardPath::new(path)?, parameters }))
    }),
    more("data", "content", "DATA and the content, for the recipients that `rcpt` got accepted"),
    verb("rset", "", "RSET: forgets sender and recipients", |_, _| Ok(Command::Rset)),
    verb("noop", "", "NOOP", |_, _| Ok(Command::Noop(None))),
    verb("vrfy", "name", "VRFY: asks whether there is such a user or mailbox", |_, a| {
        Ok(Command::Vrfy(text(a)?))
    }),
    verb("expn", "list", "EXPN: asks who is on a mailing list", |_, a| Ok(Command::Expn(text(a)?))),
    verb("help", "[topic]", "HELP", |_, a| {
        Ok(Command::Help(a.first().map(|topic| Text::new(topic)).transpose()?))
    }),
    verb("quit", "", "QUIT; the connection is closed then", |_, _| Ok(Command::Quit)),
    verb("command", "line", "any other command, in one line", |_, a| Ok(Command::Raw(line(a)?))),
    more("starttls", "", "STARTTLS and the handshake"),
    more(
        "authenticate",
        "user password [mechanism]",
        "a login, by the strongest mechanism that succeeds or by one",
    ),
];

/// Commands that change the connection or have more than one reply.
const OWN: [(&str, &str); 4] =
    [("STARTTLS", "starttls"), ("AUTH", "authenticate"), ("DATA", "data"), ("BDAT", "sendmessage")];

impl Verb {
    /// The verb of this name.
    ///
    /// # Errors
    /// Usage, which lists the names.
    pub fn find(name: &str) -> Result<&'static Self, Error> {
        VERBS.iter().find(|verb| verb.name == name).ok_or_else(|| {
            let names: Vec<_> = VERBS.iter().map(|verb| verb.name).collect();
            Error::usage(format!("there is no verb {name:?}: use one of {}", names.join(", ")))
        })
    }

    /// The command, with what the verb takes; `own` is the name of the client.
    ///
    /// # Errors
    /// Usage, for arguments that are missing, too many, or cannot stand in a command, and for a verb that is more than one
    /// command.
    pub fn command(&self, own: &ClientName, arguments: &[&str]) -> Result<Command, Error> {
        let least = self.takes.split_whitespace().filter(|word| !word.starts_with('[')).count();
        // Any number of parameters.
        let most = if self.takes.ends_with("[parameters]") {
            usize::MAX
        } else {
            self.takes.split_whitespace().count()
        };
        let Some(make) = self.make.filter(|_| (least..=most).contains(&arguments.len())) else {
            let takes = if self.takes.is_empty() { "no arguments" } else { self.takes };
            return Err(Error::usage(format!(
                "verb {}: takes {takes}, not {} arguments",
                self.name,
                arguments.len()
            )));
        };
        make(own, arguments)
    }
}

fn client(own: &ClientName, arguments: &[&str]) -> Result<ClientName, Error> {
    arguments.first().map_or_else(|| Ok(own.clone()), |name| ClientName::parse(name))
}

/// The address, out of its angle brackets, and the parameters after it.
fn path<'a>(arguments: &'a [&'a str]) -> (&'a str, &'a [&'a str]) {
    let (path, others) = arguments.split_first().map_or(("", arguments), |(path, others)| (*path, others));
    (path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(path), others)
}

fn parameters(words: &[&str]) -> Result<Vec<Parameter>, Error> {
    words.iter().map(|word| Parameter::parse(word)).collect()
}

fn text(arguments: &[&str]) -> Result<Text, Error> {
    Text::new(arguments.first().copied().unwrap_or_default())
}

fn line(arguments: &[&str]) -> Result<RawCommand, Error> {
    let command = RawCommand::new(arguments.first().copied().unwrap_or_default())?;
    match OWN.iter().find(|(own, _)| own.eq_ignore_ascii_case(command.verb())) {
        Some((own, verb)) => {
            Err(Error::usage(format!("{own} must be sent by the verb {verb}, not as a plain command")))
        }
        None => Ok(command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str, arguments: &[&str]) -> Result<String, Error> {
        let own = ClientName::parse("client.example").unwrap();
        let mut out = Vec::new();
        Verb::find(name)?.command(&own, arguments)?.write(&mut out);
        Ok(String::from_utf8(out).unwrap().trim_end().to_owned())
    }

    #[test]
    fn a_verb_makes_its_command() {
        for (name, arguments, line) in [
            ("ehlo", &[][..], "EHLO client.example"),
            ("helo", &["a.example"], "HELO a.example"),
            ("lhlo", &[], "LHLO client.example"),
            ("mail", &[""], "MAIL FROM:<>"),
            ("mail", &["<a@b>", "SIZE=1", "BODY=8BITMIME"], "MAIL FROM:<a@b> SIZE=1 BODY=8BITMIME"),
            ("rcpt", &["a@b", "NOTIFY=NEVER"], "RCPT TO:<a@b> NOTIFY=NEVER"),
            ("rset", &[], "RSET"),
            ("noop", &[], "NOOP"),
            ("vrfy", &["ann"], "VRFY ann"),
            ("expn", &["all"], "EXPN all"),
            ("help", &[], "HELP"),
            ("help", &["MAIL"], "HELP MAIL"),
            ("quit", &[], "QUIT"),
            ("command", &["XCLIENT A=b"], "XCLIENT A=b"),
        ] {
            assert_eq!(made(name, arguments).unwrap(), line);
        }
    }

    #[test]
    fn what_cannot_be_asked_names_the_verb() {
        for (name, arguments, told) in [
            ("frobnicate", &[][..], "ehlo, helo"),
            ("ehlo", &["a", "b"], "takes [name]"),
            ("ehlo", &["a b"], "a b"),
            ("vrfy", &[], "takes name"),
            ("rset", &["x"], "takes no arguments"),
            ("mail", &["a@b", "SIZE=1 BODY=7BIT"], "SIZE=1 BODY"),
            ("data", &["x"], "verb data"),
            ("command", &["auth PLAIN"], "the verb authenticate"),
            ("command", &["DATA"], "the verb data"),
        ] {
            let error = made(name, arguments).unwrap_err();
            assert!(error.text().contains(told), "{error}");
        }
    }

    #[test]
    fn the_table_is_sound() {
        for (index, verb) in VERBS.iter().enumerate() {
            assert!(!verb.help.is_empty() && !verb.help.ends_with('.'), "{}", verb.name);
            assert_eq!(VERBS.iter().position(|other| other.name == verb.name), Some(index));
        }
    }
}
