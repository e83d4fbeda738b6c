//! What a sink does wrong: a table of rules `STEP[#N]=FAULT`.

use std::io::{self, Read};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Where a fault may be: the steps of a report.
const STEPS: [&str; 10] =
    ["greeting", "hello", "starttls", "auth", "mail", "rcpt", "data", "final", "rset", "quit"];

/// The longest delay, in seconds.
const MAX_DELAY: f64 = 3600.0;

/// One rule of the table. `data=451 4.3.0 Later` answers every DATA so, `data#2=close` ends the connection at the second
/// one of all connections, and `greeting#1=delay 0.5` is slow once.
#[derive(Clone, Debug)]
pub struct Rule {
    step: &'static str,
    /// At which of these steps, from 1; at each.
    only: Option<u64>,
    fault: Fault,
    seen: Arc<AtomicU64>,
}

/// What happens in place of the reply. At `final` the message has been taken, unless it is a reply.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    /// This reply; the connection ends after a 421.
    Reply(String),
    /// The connection ends.
    Close,
    /// It is reset.
    Reset,
    /// Nothing, until the client has gone.
    Silence,
    /// What would have happened, so much later.
    Delay(Duration),
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(rule: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{rule:?} is not a fault: {what}");
        let (place, fault) = rule.split_once('=').ok_or_else(|| wrong("give STEP=FAULT or STEP#N=FAULT"))?;
        let (name, number) =
            place.split_once('#').map_or((place, None), |(name, number)| (name, Some(number)));
        let step = STEPS.iter().find(|step| **step == name);
        let step = step.ok_or_else(|| wrong(&format!("the steps are {}", STEPS.join(", "))))?;
        let number = number.map(|number| number.parse().ok().filter(|number| *number > 0));
        if number == Some(None) {
            return Err(wrong("N counts from 1"));
        }
        let fault = match fault {
            "close" => Fault::Close,
            "reset" => Fault::Reset,
            "silence" => Fault::Silence,
            _ => match fault.strip_prefix("delay ").map(str::parse::<f64>) {
                Some(Ok(seconds)) if (0.0..=MAX_DELAY).contains(&seconds) => {
                    Fault::Delay(Duration::from_secs_f64(seconds))
                }
                Some(_) => return Err(wrong("a delay has seconds, 3600 at most")),
                None if is_refusal(fault) => Fault::Reply(fault.to_owned()),
                None => {
                    return Err(wrong("give a reply of 400 to 599, close, reset, silence or delay SECONDS"));
                }
            },
        };
        Ok(Self { step, only: number.flatten(), fault, seen: Arc::default() })
    }
}

/// `CODE` or `CODE TEXT` of 400 to 599.
pub(super) fn is_refusal(reply: &str) -> bool {
    reply.get(..3).is_some_and(|code| code.parse().is_ok_and(|code: u16| (400..600).contains(&code)))
        && matches!(reply.as_bytes().get(3), None | Some(b' '))
        && !reply.contains(['\r', '\n'])
}

/// What happens at a step, by the first rule that is for it. Every rule counts its steps.
pub(super) fn at<'a>(rules: &'a [Rule], step: &str) -> Option<&'a Fault> {
    let mut found = None;
    for rule in rules.iter().filter(|rule| rule.step == step) {
        let number = rule.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if rule.only.is_none_or(|only| only == number) {
            found = found.or(Some(&rule.fault));
        }
    }
    found
}

/// Reads until the client has gone.
pub(super) fn ignore(input: &mut impl Read) -> io::Result<()> {
    let mut rest = [0; 4096];
    while input.read(&mut rest)? > 0 {}
    Ok(())
}
