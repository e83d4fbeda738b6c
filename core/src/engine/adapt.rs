//! What a transaction needs of a server, held against what the server offers. Decided before MAIL.

use super::transaction::Active;
use crate::command::{ByMode, Hold, Parameter, Rcpt};
use crate::content::{BodyKind, Transfer};
use crate::error::{Error, Kind, Step};
use crate::extensions::{Chunking, Extensions, Pipelining};
use crate::wire::DotEncoder;

/// Fills in SIZE, BODY and SMTPUTF8, decides between DATA and BDAT, and notes the extensions that are used. `grouped`
/// and `chunking` are what may be used of PIPELINING and CHUNKING.
///
/// # Errors
/// [`Kind::Unsupported`] and [`Kind::TooLarge`], which name what the server lacks.
pub(super) fn adapt(
    active: &mut Active,
    offered: &Extensions,
    grouped: Pipelining,
    chunking: Chunking,
) -> Result<(), Error> {
    require_parameters(active, offered)?;
    require_limits(active, offered)?;
    let wanted = active.asked.addressed.mail.parameters.smtputf8;
    let declared = &mut active.declared;
    // A finished message with octets above 127 in its header section says so where the server knows what that
    // means (RFC 6532); elsewhere it goes as it always went, since no other form of it exists.
    declared.smtputf8 = wanted || active.used.contains(&"SMTPUTF8");
    if !declared.smtputf8 && active.asked.content.needs_utf8() && offered.smtputf8() {
        declared.smtputf8 = true;
        active.used.push("SMTPUTF8");
    }
    let chunking = if offered.chunking() { chunking } else { Chunking::Off };
    active.transfer = Transfer {
        eight_bit: offered.eight_bit_mime(),
        binary: chunking != Chunking::Off && offered.binary_mime(),
        utf8: declared.smtputf8,
    };
    let form = active.asked.content.form(active.transfer)?;
    if let (Some(size), Some(limit)) = (form.size, offered.size_limit())
        && size > limit
    {
        let text = format!("the message has {size} octets and the server takes at most {limit} (SIZE)");
        return Err(Error::new(Kind::TooLarge, Step::Mail, text));
    }
    active.size = form.size.filter(|_| form.exact);
    active.declared.size = form.size.filter(|_| offered.size());
    if active.declared.size.is_some() {
        active.used.push("SIZE");
    }
    active.declared.body = form.body;
    if form.body == BodyKind::EightBitMime {
        active.used.push("8BITMIME");
    }
    active.chunked = match chunking {
        Chunking::Off => false,
        Chunking::On => true,
        Chunking::Auto => form.body == BodyKind::BinaryMime || saves_a_round_trip(active, grouped),
    };
    if active.chunked {
        active.used.push("CHUNKING");
    }
    if form.body == BodyKind::BinaryMime {
        active.used.push("BINARYMIME");
    }
    let encoder = match (form.body, active.chunked) {
        (BodyKind::BinaryMime, _) => DotEncoder::verbatim(),
        (_, true) => DotEncoder::without_dots(),
        (_, false) => DotEncoder::new(),
    };
    active.encoder = if form.clean { encoder.for_clean() } else { encoder };
    Ok(())
}

/// Whether BDAT does: in place of a DATA that could not be in one group with RCPT, or where it may be. Without
/// PIPELINING every chunk would wait for the one before.
fn saves_a_round_trip(active: &Active, grouped: Pipelining) -> bool {
    match grouped {
        Pipelining::Off => false,
        Pipelining::Rfc | Pipelining::Crossing => !active.may_pipeline_data(),
        Pipelining::Full => true,
    }
}

fn require(offered: &Extensions, is_offered: bool, keyword: &str, wanted_by: &str) -> Result<(), Error> {
    if is_offered {
        return Ok(());
    }
    let text = format!("{}, which is needed for {wanted_by}", offered.lack(keyword));
    Err(Error::new(Kind::Unsupported, Step::Mail, text))
}

fn require_parameters(active: &mut Active, offered: &Extensions) -> Result<(), Error> {
    for need in &active.asked.addressed.needs {
        // Without its two parameters it says nothing.
        let is_offered = offered.has(need.keyword)
            && (need.keyword != "FUTURERELEASE" || offered.future_release().is_some());
        require(offered, is_offered, need.keyword, need.wanted_by)?;
        active.used.push(need.keyword);
    }
    let parameters = &active.asked.addressed.mail.parameters;
    if let (Some(by), Some(least)) = (&parameters.by, offered.deliver_by_least())
        && by.mode() == ByMode::Return
        && by.seconds().unsigned_abs() < least
    {
        let text = format!(
            "option `deliverby`: {} seconds, and the server takes no less than {least}",
            by.seconds()
        );
        return Err(Error::new(Kind::Unsupported, Step::Mail, text));
    }
    let says_auth = |parameter: &Parameter| parameter.keyword().eq_ignore_ascii_case("AUTH");
    if parameters.auth.is_some() || parameters.other.iter().any(says_auth) {
        require(offered, !offered.auth().is_empty(), "AUTH", "the AUTH= parameter of MAIL")?;
    }
    if let Some(seconds) = parameters.hold.as_ref().and_then(Hold::seconds)
        && let Some(most) = offered.future_release().map(|limit| limit.max_interval)
        && seconds > most
    {
        let text = format!("option `hold`: {seconds} seconds, and the server holds a message at most {most}");
        return Err(Error::new(Kind::Unsupported, Step::Mail, text));
    }
    Ok(())
}

/// LIMITS (RFC 9422): what would be refused in the middle is refused before MAIL.
fn require_limits(active: &Active, offered: &Extensions) -> Result<(), Error> {
    let limits = offered.limits();
    let too_many = |what: &str, count: usize, most: u64, limit: &str| {
        let text = format!(
            "{count} {what}, and the server takes at most {most} in one transaction (LIMITS {limit}): send to fewer at once, or set \
             option `atleastone`, which sends to the rest in further transactions"
        );
        Err(Error::new(Kind::Unsupported, Step::Mail, text))
    };
    let count = active.asked.addressed.recipients.len();
    if let Some(most) = limits.rcpt_max
        && exceeds(count, most)
    {
        return too_many("recipients", count, most, "RCPTMAX");
    }
    if let Some(most) = limits.rcpt_domain_max {
        let domains: std::collections::BTreeSet<String> =
            active.asked.addressed.recipients.iter().map(Rcpt::domain).collect();
        if exceeds(domains.len(), most) {
            return too_many("recipient domains", domains.len(), most, "RCPTDOMAINMAX");
        }
    }
    Ok(())
}

fn exceeds(count: usize, most: u64) -> bool {
    u64::try_from(count).is_ok_and(|count| count > most)
}
