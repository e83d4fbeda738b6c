//! Exit statuses, which are those of sysexits.h, and what goes wrong.

use smtpclient::error::{Error, Kind};
use smtpclient::report::{Outcome, Report, Status};

/// The command line is wrong.
pub const EX_USAGE: u8 = 64;
/// What is given as a message, or its text, cannot be one.
pub const EX_DATAERR: u8 = 65;
/// A file cannot be read.
pub const EX_NOINPUT: u8 = 66;
/// A recipient is refused.
pub const EX_NOUSER: u8 = 67;
/// The server refuses, or cannot be used.
pub const EX_UNAVAILABLE: u8 = 69;
/// What sysexits.h calls an error of the software: here it is that alone.
pub const EX_UNKNOWN: u8 = 70;
/// Output cannot be written.
pub const EX_IOERR: u8 = 74;
/// Not sent, and worth another try.
pub const EX_TEMPFAIL: u8 = 75;
/// The server speaks something else.
pub const EX_PROTOCOL: u8 = 76;
/// The login failed.
pub const EX_NOPERM: u8 = 77;
/// The configuration is wrong.
pub const EX_CONFIG: u8 = 78;

/// Every status that the program has, and what it means: `--help`, manual page and documents are made from it.
pub const STATUSES: [(u8, &str, &str); 12] = [
    (0, "EX_OK", "The server took the message for every recipient; of `verify`, every server can be used."),
    (EX_USAGE, "EX_USAGE", "A flag, a value or an address is invalid. Nothing was sent."),
    (
        EX_DATAERR,
        "EX_DATAERR",
        "The text of the message is not UTF-8, or the message is larger than the server takes.",
    ),
    (EX_NOINPUT, "EX_NOINPUT", "A message or an attachment cannot be read."),
    (
        EX_NOUSER,
        "EX_NOUSER",
        "A recipient was refused for good; or any recipient, where others got the message: sending it to all of them again would send it twice.",
    ),
    (
        EX_UNAVAILABLE,
        "EX_UNAVAILABLE",
        "The server refused for good, cannot be used as the options ask, or TLS could not be set up.",
    ),
    (
        EX_UNKNOWN,
        "EX_SOFTWARE",
        "It is unknown whether the message was sent: the connection ended after the end of the message and before the reply. Sending it again may send it twice. Nothing else has this status.",
    ),
    (EX_IOERR, "EX_IOERR", "What is to be told cannot be written."),
    (EX_TEMPFAIL, "EX_TEMPFAIL", "Nobody got the message, and trying again later can help."),
    (EX_PROTOCOL, "EX_PROTOCOL", "The server said something that is not SMTP."),
    (EX_NOPERM, "EX_NOPERM", "The login failed."),
    (EX_CONFIG, "EX_CONFIG", "The configuration file is wrong, or has a password that others can read."),
];

/// Why the program ends without having asked a server, or with a server's answer.
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub status: u8,
    /// What went wrong.
    pub text: String,
}

impl Failure {
    /// A mistake in the arguments.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { status: EX_USAGE, text: text.into() }
    }

    /// A mistake in the configuration.
    pub fn config(text: impl Into<String>) -> Self {
        Self { status: EX_CONFIG, text: text.into() }
    }

    /// A file that cannot be read.
    pub fn input(what: &str, error: &std::io::Error) -> Self {
        Self { status: EX_NOINPUT, text: format!("{what}: {error}") }
    }

    /// Output that cannot be written.
    pub fn output(error: &std::io::Error) -> Self {
        Self { status: EX_IOERR, text: format!("standard output: {error}") }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { status: of_error(&error), text: error.to_string() }
    }
}

/// The status of one report.
pub fn of_report(report: &Report) -> u8 {
    match (report.status(), report.failure()) {
        (Status::Ok, _) => 0,
        (Status::Partial, _) => EX_NOUSER,
        (Status::Failed(Kind::Unknown), _) => EX_UNKNOWN,
        // Somebody has it, and that decides what is safe.
        (Status::Failed(_), _) if report.recipients.iter().any(|r| r.outcome == Outcome::Accepted) => {
            EX_NOUSER
        }
        (Status::Failed(_), Some(error)) => of_error(&error),
        (Status::Failed(_), None) => EX_UNAVAILABLE,
    }
}

/// The status of a failure.
pub fn of_error(error: &Error) -> u8 {
    match error.kind() {
        Kind::Unknown => EX_UNKNOWN,
        Kind::Usage => EX_USAGE,
        Kind::Source => EX_NOINPUT,
        _ if error.is_transient() => EX_TEMPFAIL,
        Kind::Recipients => EX_NOUSER,
        Kind::TooLarge => EX_DATAERR,
        Kind::Login => EX_NOPERM,
        Kind::Protocol => EX_PROTOCOL,
        // What ended it says nothing against another try: a deadline, a cancel, a resolver that does not say why it has no address.
        Kind::Resolve | Kind::Timeout | Kind::Closed | Kind::Connect | Kind::Cancelled | Kind::Full => {
            EX_TEMPFAIL
        }
        _ => EX_UNAVAILABLE,
    }
}

/// The status of several messages: that one is unknown counts most, then what failed for good.
pub fn worst(one: u8, other: u8) -> u8 {
    let weight = |status| match status {
        0 => 0,
        EX_TEMPFAIL => 1,
        EX_UNKNOWN => 3,
        _ => 2,
    };
    if weight(other) > weight(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtpclient::error::Step;
    use smtpclient::reply::Reply;

    #[test]
    fn what_is_worth_another_try_is_never_what_may_have_been_sent() {
        let of = |kind, transient| of_error(&Error::new(kind, Step::Final, "x").with_transient(transient));
        assert_eq!(of(Kind::Unknown, true), EX_UNKNOWN);
        for kind in Kind::ALL {
            let status = of(*kind, false);
            assert_eq!(status == EX_UNKNOWN, *kind == Kind::Unknown, "{kind:?}");
            assert!(STATUSES.iter().any(|(number, ..)| *number == status), "{kind:?}: {status}");
        }
        let refused = |code| of_error(&Error::refused(Step::Mail, "x", Reply::new(code, "no")));
        assert_eq!((refused(450), refused(550)), (EX_TEMPFAIL, EX_UNAVAILABLE));
    }

    #[test]
    fn the_document_lists_every_status() {
        let document = include_str!("../../docs/command-line.md");
        for (number, name, _) in STATUSES {
            assert!(
                document.contains(&format!("| {number} | `{name}` |")),
                "docs/command-line.md: {number} {name}"
            );
        }
        assert_eq!(document.lines().filter(|line| line.contains("| `EX_")).count(), STATUSES.len());
    }

    #[test]
    fn the_worst_of_several() {
        assert_eq!(worst(0, EX_TEMPFAIL), EX_TEMPFAIL);
        assert_eq!(worst(EX_NOUSER, EX_TEMPFAIL), EX_NOUSER);
        assert_eq!(worst(EX_NOUSER, EX_UNKNOWN), EX_UNKNOWN);
        assert_eq!(worst(EX_NOUSER, EX_UNAVAILABLE), EX_NOUSER);
        assert_eq!(worst(0, 0), 0);
    }
}
