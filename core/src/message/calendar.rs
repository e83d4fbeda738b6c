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
        whole.attach_bytes("invite.ics", Some("application/ics"), icalendar)?;
        *self = whole;
        Ok(())
    }
}

/// Adds the calendar to the alternatives of the first text. `depth`: how many parts `part` is within. Gives the levels below
/// it afterwards.
fn add(part: &mut Part, calendar: Message, depth: usize) -> Result<usize, Error> {
    let is_text = TEXTS.iter().any(|text| part.is(text)) && !part.opaque;
    let (is_alternative, is_related) = (part.is("multipart/alternative"), part.is("multipart/related"));
    match &mut part.body {
        Body::Parts(parts) if is_alternative => {
            if parts.iter().any(is_calendar) {
                return Err(Error::usage(
                    "the message has a calendar already: a message carries one invitation",
                ));
            }
            part.push(calendar)?;
        }
        Body::Parts(parts) if !is_related => {
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
    let mut lines = icalendar.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let is = |line: Option<&str>, wanted: &str| line.is_some_and(|line| line.eq_ignore_ascii_case(wanted));
    let (first, last) = (lines.next(), lines.clone().next_back());
    if !is(first, "BEGIN:VCALENDAR") || !is(last, "END:VCALENDAR") || icalendar.contains('\0') {
        return Err(Error::usage(format!(
            "a calendar must begin with BEGIN:VCALENDAR and end with END:VCALENDAR (RFC 5545); this begins with {:?}",
            first.unwrap_or_default().chars().take(40).collect::<String>()
        )));
    }
    let method = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("METHOD").then(|| value.trim().to_ascii_uppercase())
    });
    match method {
        Some(method)
            if !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') =>
        {
            Ok(method)
        }
        Some(method) => {
            Err(Error::usage(format!("{method:?} is not a METHOD: give one as REQUEST (RFC 5546)")))
        }
        None => Err(Error::usage(
            "the calendar has no METHOD, without which it is no invitation: add a line METHOD:REQUEST (RFC 6047 section 2.4)",
        )),
    }
}
