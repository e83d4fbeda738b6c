//! What follows from a report: it is the last word, or the message may be tried again.

use crate::error::{Error, Kind, Step};
use crate::reply::Reply;
use crate::report::{Outcome, Recipient, Report};

/// What the mailer does with a message after its connection has reported on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    /// The report is for the caller.
    Decided,
    /// This server does not want it now; another one may (RFC 5321 section 4.2.4.2).
    Elsewhere,
    /// The connection ended, and no server can have it.
    Again,
    /// The connection has had its share of messages; the server said so.
    Spent,
    /// It was refused for now: later, on another connection.
    Later,
    /// The same by a server that lets unknown senders wait (greylisting).
    Greylisted,
}

/// `atleastone`: one accepted recipient is enough. `bystander`: the connection ended because of another message, so the
/// report speaks only against the connection.
pub(super) fn disposition(report: &Report, atleastone: bool, bystander: bool) -> Disposition {
    // Nothing is asked for twice while a server may have it, or where nobody is left to whom trying again could help.
    let taken = |r: &Recipient| matches!(r.outcome, Outcome::Accepted | Outcome::Unknown);
    if report.recipients.iter().any(taken) || !report.recipients.iter().any(is_open) {
        return Disposition::Decided;
    }
    if is_spent(report) {
        return Disposition::Spent;
    }
    let Some(error) = &report.error else { return refused_recipients(report, atleastone) };
    let goodbye = error.reply().is_some_and(|reply| reply.code() == 421);
    match error.kind() {
        Kind::Cancelled | Kind::Unknown => Disposition::Decided,
        _ if goodbye => Disposition::Again,
        Kind::Closed | Kind::Timeout | Kind::Protocol | Kind::Connect | Kind::Resolve => Disposition::Again,
        Kind::Refused if error.step() == Step::Mail && error.is_transient() => Disposition::Elsewhere,
        Kind::Refused if error.is_transient() => Disposition::Later,
        _ if bystander && report.recipients.iter().all(|r| r.outcome == Outcome::NotSent) => {
            Disposition::Again
        }
        _ => Disposition::Decided,
    }
}

/// Nothing was sent since recipients were refused.
fn refused_recipients(report: &Report, atleastone: bool) -> Disposition {
    let mut for_now = report.refused().filter(|r| r.reply.as_ref().is_some_and(Reply::is_transient));
    let for_good = report.refused().any(|r| r.reply.as_ref().is_some_and(|reply| !reply.is_transient()));
    match for_now.next().and_then(|recipient| recipient.reply.as_ref()) {
        None => Disposition::Decided,
        // Where all are required, one that is refused for good decides.
        Some(_) if for_good && !atleastone => Disposition::Decided,
        Some(reply) if matches!(reply.code(), 450 | 451) => Disposition::Greylisted,
        Some(_) => Disposition::Later,
    }
}

/// Whether the server says with it that the connection has had its share: of messages, or of whatever it counts.
fn is_spent(report: &Report) -> bool {
    let counts = |reply: &Reply| {
        let enhanced = reply.enhanced().map(|code| code.to_string()).unwrap_or_default();
        let text = reply.text().to_ascii_lowercase();
        reply.is_transient()
            && (matches!(reply.code(), 421 | 432)
                || enhanced == "4.4.5"
                || (enhanced.starts_with("4.7.")
                    && ["session", "connection"].iter().any(|word| text.contains(word)))
                || ["per session", "this session", "per connection", "this connection"]
                    .iter()
                    .any(|word| text.contains(word)))
    };
    let error = report.error.as_ref().and_then(Error::reply);
    error.is_some_and(counts) || report.refused().filter_map(|r| r.reply.as_ref()).any(counts)
}

/// Whether nothing final was said of the recipient.
fn is_open(recipient: &Recipient) -> bool {
    match recipient.outcome {
        Outcome::NotSent => true,
        Outcome::Rejected => recipient.reply.as_ref().is_some_and(Reply::is_transient),
        Outcome::Accepted | Outcome::Unknown => false,
    }
}

/// Whether the server says with it that it is short of something, so that the next message should wait.
pub(super) fn server_is_overloaded(report: &Report) -> bool {
    report.error.as_ref().is_some_and(|error| {
        error.kind() == Kind::Refused
            && error.is_transient()
            && matches!(error.step(), Step::Mail | Step::Data | Step::Final)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::ReplyParser;

    fn reply(line: &str) -> Reply {
        ReplyParser::new().parse(format!("{line}\r\n").as_bytes()).1.unwrap().unwrap()
    }

    fn report(outcomes: &[(Outcome, Step, Option<&str>)], error: Option<Error>) -> Report {
        let recipient = |(outcome, step, line): &(Outcome, Step, Option<&str>)| Recipient {
            redirected_to: None,
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
            (vec![not_sent], closed(), false, Disposition::Again),
            (vec![not_sent, (Rejected, Step::Rcpt, Some("550 no"))], closed(), false, Disposition::Again),
            (vec![(Rejected, Step::Rcpt, Some("550 no"))], closed(), false, Disposition::Decided),
            (vec![not_sent, (Accepted, Step::Final, Some("250 ok"))], closed(), false, Disposition::Decided),
            (vec![not_sent, (Unknown, Step::Final, None)], closed(), false, Disposition::Decided),
            (vec![(Unknown, Step::Final, None)], closed(), true, Disposition::Decided),
            (vec![not_sent], None, false, Disposition::Decided),
            (
                vec![(Rejected, Step::Mail, Some("451 later"))],
                refused(Step::Mail, "451 later"),
                false,
                Disposition::Elsewhere,
            ),
            (
                vec![(Rejected, Step::Mail, Some("421 bye"))],
                refused(Step::Mail, "421 bye"),
                false,
                Disposition::Spent,
            ),
            (
                vec![(Rejected, Step::Final, Some("421 bye"))],
                refused(Step::Final, "421 bye"),
                false,
                Disposition::Spent,
            ),
            (
                vec![(Rejected, Step::Final, Some("452 full"))],
                refused(Step::Final, "452 full"),
                false,
                Disposition::Later,
            ),
            (
                vec![(Rejected, Step::Mail, Some("550 no"))],
                refused(Step::Mail, "550 no"),
                false,
                Disposition::Decided,
            ),
            (
                vec![not_sent],
                Some(Error::new(Kind::Source, Step::Body, "broken")),
                false,
                Disposition::Decided,
            ),
            (vec![not_sent], Some(Error::new(Kind::Source, Step::Body, "broken")), true, Disposition::Again),
            (
                vec![not_sent],
                Some(Error::new(Kind::Cancelled, Step::Body, "over")),
                true,
                Disposition::Decided,
            ),
        ] {
            let report = report(&outcomes, error);
            assert_eq!(disposition(&report, false, bystander), wanted, "{report:?} {bystander}");
        }
    }

    #[test]
    fn recipients_that_are_refused_for_now_are_asked_for_again() {
        let rejected = |line| (Outcome::Rejected, Step::Rcpt, Some(line));
        let not_sent = (Outcome::NotSent, Step::Rcpt, None);
        for (outcomes, atleastone, wanted) in [
            (vec![rejected("450 4.2.0 greylisted")], false, Disposition::Greylisted),
            (vec![rejected("451 4.7.1 try later"), not_sent], false, Disposition::Greylisted),
            (vec![rejected("452 4.2.2 full"), not_sent], false, Disposition::Later),
            (vec![rejected("450 4.2.0 greylisted"), rejected("550 no")], false, Disposition::Decided),
            (vec![rejected("450 4.2.0 greylisted"), rejected("550 no")], true, Disposition::Greylisted),
            (
                vec![rejected("450 4.2.0 greylisted"), (Outcome::Accepted, Step::Final, None)],
                true,
                Disposition::Decided,
            ),
            (vec![rejected("550 no"), not_sent], false, Disposition::Decided),
            (vec![rejected("450 4.7.1 too many messages in this session")], false, Disposition::Spent),
            (vec![rejected("452 4.4.5 enough")], false, Disposition::Spent),
        ] {
            let report = report(&outcomes, None);
            assert_eq!(disposition(&report, atleastone, false), wanted, "{report:?}");
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
            assert_eq!(server_is_overloaded(&report), pressed, "{line}");
        }
    }
}
