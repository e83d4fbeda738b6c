//! `smtpclient verify`: what the servers offer.

use clap::ArgMatches;
use smtpclient::report::{Attempt, Offer};
use smtpclient::tls::TlsFacts;
use smtpclient::verify;

use crate::answers::{json, line};
use crate::config::Account;
use crate::flags;
use crate::send::account;
use crate::status::{Failure, of_report};

pub(crate) fn run(matches: &ArgMatches) -> Result<u8, Failure> {
    let Account { mut options, .. } = account(matches)?;
    flags::apply(&mut options, matches)?;
    // Those of an account are for its batches.
    options.mailer = Default::default();
    let report = verify(&options).unwrap_or_else(|failed| *failed.report);
    if matches.get_flag("json") {
        json(&report.value())?;
        return Ok(of_report(&report));
    }
    for attempt in &report.attempts {
        line(&words(attempt).join("\n"))?;
    }
    if let (Some(error), true) = (report.failure(), report.attempts.is_empty()) {
        return Err(error.into());
    }
    Ok(of_report(&report))
}

fn words(attempt: &Attempt) -> Vec<String> {
    let error = attempt.error.as_ref();
    let mut lines = vec![match error {
        None => format!("{}: can be used", attempt.server),
        Some(error) => error.to_string(),
    }];
    if let Some(peer) = attempt.peer {
        lines.push(format!("  address: {peer}"));
    }
    if let Some(tls) = &attempt.tls {
        lines.push(format!("  TLS: {}", secured(tls)));
    } else if attempt.offered.is_some() {
        lines.push("  TLS: none".to_owned());
    }
    for login in &attempt.logins {
        let how = login.error.as_ref().map_or("succeeded".to_owned(), |error| error.text().to_owned());
        lines.push(format!("  login by {}: {how}", login.mechanism));
    }
    lines.extend(attempt.offered.as_deref().into_iter().flat_map(offered));
    lines
}

fn offered(offer: &Offer) -> Vec<String> {
    let mut lines: Vec<String> =
        offer.greeting.iter().map(|greeting| format!("  greeting: {greeting}")).collect();
    if !offer.mechanisms.is_empty() {
        lines.push(format!("  mechanisms: {}", offer.mechanisms.join(" ")));
    }
    lines.extend(
        offer
            .extensions
            .iter()
            .map(|(keyword, parameters)| format!("  {keyword} {parameters}").trim_end().to_owned()),
    );
    lines
}

fn secured(tls: &TlsFacts) -> String {
    let mut parts: Vec<String> = [&tls.version, &tls.cipher].into_iter().flatten().cloned().collect();
    parts.push(match (&tls.why_not, tls.pinned) {
        (_, true) => "certificate pinned".to_owned(),
        (Some(why), _) => format!("certificate not verified: {why}"),
        (None, _) if tls.verified => "certificate verified".to_owned(),
        (None, _) => "certificate not verified".to_owned(),
    });
    parts.extend(tls.subject.iter().map(|subject| format!("for {subject}")));
    parts.extend(tls.issuer.iter().map(|issuer| format!("by {issuer}")));
    parts.extend(tls.expires.iter().map(|expires| format!("until {expires}")));
    parts.join(", ")
}
