//! Invitations: iCalendar (RFC 5545) in a message (RFC 6047).

use super::build::no_text;
use super::part::{Body, Part, above};
use super::token::Message;
use crate::error::Error;

/// The media types of which a calendar can be an alternative.
const TEXTS: [&str; 2] = ["text/plain", "text/html"];

impl Message {
    /// Adds an invitation, its change or its answer, that calendars understand (RFC 6047): the iCalendar object goes as the
    /// last alternative of the text, `text/calendar` with its METHOD, where Outlook and Gmail look for it, and once more as
    /// the attachment `invite.ics`, for programs that do not. HTML may be added before or afterwards.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for what is not a VCALENDAR with a METHOD (`REQUEST`, `CANCEL`, `REPLY`, ...), for a
    /// message with neither text nor HTML, for one that has a calendar, and for a finished message.
    pub fn add_calendar(&mut self, icalendar: &str) -> Result<(), Error> {
        let method = method_of(icalendar)?;
        let mut whole = self.clone();
        let mut part = Self::utf8("text/calendar", icalendar);
        part.set_parameter("method", &method)?;
        add(whole.composed_mut("a calendar")?, part, 0)?;
        // An attachment goes octet by octet, and its lines must end in CRLF (RFC 5545 section 3.1).
        let lines = icalendar.replace("\r\n", "\n").replace('\n', "\r\n");
        whole.attach_bytes("invite.ics", Some("application/ics"), lines)?;
        *self = whole;
        Ok(())
    }
}

/// Adds the calendar to the alternatives of the first text. `depth`: how many parts `part` is within. Gives the levels below
/// it afterwards.
fn add(part: &mut Part, calendar: Message, depth: usize) -> Result<usize, Error> {
    let is_text = TEXTS.iter().any(|text| part.is(text)) && !part.opaque;
    let (is_alternative, is_related) = (part.is("multipart/alternative"), part.is("multipart/related"));
    let is_mixed = part.is("multipart/mixed");
    match &mut part.body {
        Body::Parts(parts) if is_alternative => {
            if parts.iter().any(is_calendar) {
                return Err(Error::usage(
                    "the message has a calendar already: a message carries one invitation",
                ));
            }
            part.push(calendar)?;
        }
        // Any other multipart, as a signed one, must stay as it is.
        Body::Parts(_) if !is_related && !is_mixed => return Err(no_text(&part.media, "a calendar")),
        Body::Parts(parts) if is_mixed => {
            let first = parts.first_mut().ok_or_else(|| no_text(&part.media, "a calendar"))?;
            let below = add(first.composed_mut("a calendar")?, calendar, depth + 1)?;
            part.levels = part.levels.max(above(below)?);
        }
        // HTML with its pictures is one alternative.
        Body::Source(_) if !is_text => return Err(no_text(&part.media, "a calendar")),
        Body::Source(_) | Body::Parts(_) => {
            above(depth)?;
            super::build::wrap(part, "multipart/alternative", calendar)?;
        }
        Body::Inner(_) => return Err(no_text(&part.media, "a calendar")),
    }
    Ok(part.levels)
}

pub(super) fn is_calendar(message: &Message) -> bool {
    message.content_type().is_some_and(|media| media.eq_ignore_ascii_case("text/calendar"))
}

/// The METHOD of the object, which the parameter of the part repeats (RFC 6047 section 2.4).
fn method_of(icalendar: &str) -> Result<String, Error> {
    let bad = |why: &str| Err(Error::usage(format!("the calendar {why}")));
    if icalendar.contains('\0') {
        return bad("has a NUL in it: remove it");
    }
    // RFC 5545 section 3.1.
    let unfolded = icalendar.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    let (mut depth, mut objects, mut methods) = (0_u32, 0_u32, Vec::new());
    for line in unfolded.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let name = name.split(';').next().unwrap_or_default();
        if name.eq_ignore_ascii_case("BEGIN") {
            if depth == 0 && !value.trim().eq_ignore_ascii_case("VCALENDAR") {
                return bad(&format!("must begin with BEGIN:VCALENDAR (RFC 5545), not {line:?}"));
            }
            objects += u32::from(depth == 0);
            depth += 1;
        } else if depth == 0 {
            let shown: String = line.chars().take(40).collect();
            return bad(&format!("must begin with BEGIN:VCALENDAR (RFC 5545), not {shown:?}"));
        } else if name.eq_ignore_ascii_case("END") {
            depth -= 1;
        } else if depth == 1 && name.eq_ignore_ascii_case("METHOD") {
            // Parameters may have a colon in quotes, the value has none.
            methods.push(line.rsplit_once(':').map_or("", |(_, value)| value).trim().to_ascii_uppercase());
        }
    }
    if objects != 1 || depth != 0 {
        return bad("must be one VCALENDAR, from BEGIN:VCALENDAR to END:VCALENDAR (RFC 5545)");
    }
    match &methods[..] {
        [method] if !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
            Ok(method.clone())
        }
        [method] => bad(&format!("has {method:?} as its METHOD: give one as REQUEST (RFC 5546)")),
        [] => bad(
            "has no METHOD, without which it is not an invitation: add a line METHOD:REQUEST (RFC 6047 section 2.4)",
        ),
        _ => bad("has more than one METHOD: leave one of them"),
    }
}
