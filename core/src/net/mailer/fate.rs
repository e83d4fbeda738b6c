//! What follows from a report: it is the last word, or the message may be tried again.

use crate::error::{Kind, Step};
use crate::report::{Outcome, Recipient, Report};

/// What becomes of a message whose connection has reported on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The report is for the caller.
    Decided,
    /// This server does not want it now; another one may (RFC 5321 section 4.2.4.2).
    Elsewhere,
    /// The connection ended, and no server can have it.
    Again,
}

/// `bystander`: the connection ended because of something else than this message, so that whatever is said of it
/// speaks only against the connection.
pub(super) fn fate(report: &Report, bystander: bool) -> Fate {
    let Some(error) = &report.error else { return Fate::Decided };
    // Nothing is asked for twice while a server may have it, or where the last recipient is decided.
    let taken = |r: &Recipient| matches!(r.outcome, Outcome::Accepted | Outcome::Unknown);
    if report.recipients.iter().any(taken) || !report.recipients.iter().any(is_open) {
        return Fate::Decided;
    }
    let goodbye = error.reply().is_some_and(|reply| reply.code() == 421);
    match error.kind() {
        Kind::Cancelled | Kind::Unknown => Fate::Decided,
        _ if goodbye => Fate::Again,
        Kind::Closed | Kind::Timeout | Kind::Protocol | Kind::Connect | Kind::Resolve => Fate::Again,
        Kind::Refused if error.step() == Step::Mail && error.is_transient() => Fate::Elsewhere,
        _ if bystander && report.recipients.iter().all(|r| r.outcome == Outcome::NotSent) => Fate::Again,
        _ => Fate::Decided,
    }
}

/// Whether nothing final was said of the recipient.
fn is_open(recipient: &Recipient) -> bool {
    match recipient.outcome {
        Outcome::NotSent => true,
        Outcome::Rejected => recipient.reply.as_ref().is_some_and(|reply| {
            reply.code() == 421 || (recipient.step == Step::Mail && reply.is_transient())
        }),
        Outcome::Accepted | Outcome::Unknown => false,
    }
}

/// Whether the server says with it that it is short of something, so that the next message should wait.
pub(super) fn is_pressed(report: &Report) -> bool {
    report.error.as_ref().is_some_and(|error| {
        error.kind() == Kind::Refused
            && error.is_transient()
            && matches!(error.step(), Step::Mail | Step::Data | Step::Final)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::reply::{Reply, ReplyParser};

    fn reply(line: &str) -> Reply {
        ReplyParser::new().parse(format!("{line}\r\n").as_bytes()).1.unwrap().unwrap()
    }

    fn report(outcomes: &[(Outcome, Step, Option<&str>)], error: Option<Error>) -> Report {
        let recipient = |(outcome, step, line): &(Outcome, Step, Option<&str>)| Recipient {
            address: "a@b.example".into(),
            outcome: *outcome,
            step: *step,
            reply: line.map(reply),
        };
        Report { recipients: outcomes.iter().map(recipient).collect(), error, ..Report::default() }
    }

    #[test]
    fn only_what_no_server_can_have_is_tried_again() {
        use Outcome::{Accepted, NotSent, Rejected, Unknown};
        let closed = || Some(Error::new(Kind::Closed, Step::Body, "gone"));
        let not_sent = (NotSent, Step::Body, None);
        let refused = |step, line| Some(Error::refused(step, "no", reply(line)));
        for (outcomes, error, bystander, wanted) in [
            (vec![not_sent], closed(), false, Fate::Again),
            (vec![not_sent, (Rejected, Step::Rcpt, Some("550 no"))], closed(), false, Fate::Again),
            (vec![(Rejected, Step::Rcpt, Some("550 no"))], closed(), false, Fate::Decided),
            (vec![not_sent, (Accepted, Step::Final, Some("250 ok"))], closed(), false, Fate::Decided),
            (vec![not_sent, (Unknown, Step::Final, None)], closed(), false, Fate::Decided),
            (vec![(Unknown, Step::Final, None)], closed(), true, Fate::Decided),
            (vec![not_sent], None, false, Fate::Decided),
            (
                vec![(Rejected, Step::Mail, Some("451 later"))],
                refused(Step::Mail, "451 later"),
                false,
                Fate::Elsewhere,
            ),
            (
                vec![(Rejected, Step::Mail, Some("421 bye"))],
                refused(Step::Mail, "421 bye"),
                false,
                Fate::Again,
            ),
            (
                vec![(Rejected, Step::Final, Some("421 bye"))],
                refused(Step::Final, "421 bye"),
                false,
                Fate::Again,
            ),
            (
                vec![(Rejected, Step::Final, Some("452 full"))],
                refused(Step::Final, "452 full"),
                false,
                Fate::Decided,
            ),
            (
                vec![(Rejected, Step::Mail, Some("550 no"))],
                refused(Step::Mail, "550 no"),
                false,
                Fate::Decided,
            ),
            (vec![not_sent], Some(Error::new(Kind::Source, Step::Body, "broken")), false, Fate::Decided),
            (vec![not_sent], Some(Error::new(Kind::Source, Step::Body, "broken")), true, Fate::Again),
            (vec![not_sent], Some(Error::new(Kind::Cancelled, Step::Body, "over")), true, Fate::Decided),
        ] {
            let report = report(&outcomes, error);
            assert_eq!(fate(&report, bystander), wanted, "{report:?} {bystander}");
        }
    }

    #[test]
    fn a_server_that_is_short_of_something_is_told_from_one_that_dislikes_a_recipient() {
        for (step, line, pressed) in [
            (Step::Mail, "452 full", true),
            (Step::Final, "452 full", true),
            (Step::Data, "451 later", true),
            (Step::Rcpt, "450 greylisted", false),
            (Step::Final, "554 spam", false),
        ] {
            let report = report(&[], Some(Error::refused(step, "no", reply(line))));
            assert_eq!(is_pressed(&report), pressed, "{line}");
        }
    }
}
