//! The server's own name for a message, out of its reply to the end of the message. No RFC says where it
//! stands, so there is a list of what servers are seen to send.

use super::{EnhancedCode, Reply};

// What a line says after its enhanced status code, in any case. `*` is the queue id, one word without
// brackets; `?` is any word; a space is any number of spaces; `~` in front lets the form begin anywhere; `$`
// is the line's end. Whatever follows a form does not matter. The first form that fits wins.
const FORMS: &[&str] = &[
    "ok: queued as *",                             // Postfix, SendGrid, Halon, MailHog
    "ok id=*",                                     // Exim
    "ok ids=*",                                    // KumoMTA
    "ok ? * - gsmtp",                              // Gmail
    "<*> [internalid=",                            // Exchange, Microsoft 365
    "<*> queued mail for delivery",                // Exchange 2003, IIS
    "* message accepted for delivery",             // sendmail, OpenSMTPD, Proofpoint, Kerio, CommuniGate
    "* mail accepted for delivery",                // Comcast
    "message queued with id *",                    // Stalwart
    "message queued (*)",                          // Haraka
    "<?> * saved",                                 // Dovecot, LMTP
    "ok sessionid=<*>",                            // Cyrus, LMTP
    "ok ? qp *",                                   // qmail
    "ok *-000000$",                                // Amazon SES
    "ok: message * accepted",                      // Cisco ESA
    "ok, envelope id *",                           // Oracle Messaging Server
    "ok, message saved <message-id: *>",           // MDaemon
    "requested mail action okay, completed: id=*", // IONOS, GMX
    "received ok [*]",                             // Robin
    "? received ok [*]",                           // Mimecast
    "~ok: queued on ? as *",                       // Yandex
    "~queued as *",                                // Mailjet, ZoneMTA, NetEase, and Postfix behind a filter
    "~queued as <*>",                              // Brevo
];

/// The queue id in a reply to the end of a message, where the server's way to say it is known.
///
/// Exchange names no id of its own to senders: its `Message-ID`, by which it can be traced, stands for it.
pub fn queue_id(reply: &Reply) -> Option<&str> {
    if !reply.is_success() {
        return None;
    }
    // Exim answers the last BDAT in two lines and names the id in the second.
    let id = reply.text().as_bytes().rsplit(|octet| *octet == b'\n').find_map(|line| {
        let line = without_enhanced(line);
        FORMS.iter().find_map(|form| find(form.as_bytes(), line))
    })?;
    std::str::from_utf8(id).ok()
}

/// The text after the enhanced status code. Old OpenSMTPD puts a colon between.
fn without_enhanced(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    let end = line.iter().position(|octet| *octet == b' ').unwrap_or(line.len());
    match line.split_at_checked(end) {
        Some((first, rest)) if EnhancedCode::leading(first.strip_suffix(b":").unwrap_or(first)).is_some() => {
            rest.trim_ascii_start()
        }
        _ => line,
    }
}

fn find<'a>(form: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
    match form.strip_prefix(b"~") {
        Some(form) => (0..line.len()).find_map(|at| matches(form, line.get(at..)?)),
        None => matches(form, line),
    }
}

/// The id, where the line begins as the form says. Most forms fail at their first octet.
fn matches<'a>(mut form: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
    let mut rest = line;
    let mut id = None;
    while let [symbol, following @ ..] = form {
        form = following;
        rest = match (symbol, rest) {
            (b' ', [b' ', behind @ ..]) => {
                rest = behind;
                while let [b' ', behind @ ..] = rest {
                    rest = behind;
                }
                rest
            }
            (b'$', []) => rest,
            (b'?', _) => word(rest, b"<>")?.1,
            (b'*', _) => {
                let (found, behind) = word(rest, b"<>()[]\";")?;
                // A form may name how an id ends.
                let length = form.iter().take_while(|c| **c == b'-' || c.is_ascii_digit()).count();
                let (ending, following) = form.split_at_checked(length)?;
                form = following;
                if !found.ends_with(ending) {
                    return None;
                }
                // The end of a sentence is not the id's.
                let sentence =
                    found.iter().rev().take_while(|octet| matches!(octet, b'.' | b',' | b':')).count();
                let bare = found.get(..found.len() - sentence)?;
                id = Some(bare).filter(|id| !id.is_empty());
                if sentence == 0 { behind } else { rest.get(bare.len()..)? }
            }
            (literal, [first, behind @ ..]) if first.eq_ignore_ascii_case(literal) => behind,
            _ => return None,
        };
    }
    id
}

/// The longest run of printable ASCII that is not among `stops`, at least one, and what is after it.
fn word<'a>(text: &'a [u8], stops: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let end = text.iter().position(|octet| !octet.is_ascii_graphic() || stops.contains(octet));
    text.split_at_checked(end.unwrap_or(text.len())).filter(|(word, _)| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Option<String> {
        queue_id(&Reply::new(250, text)).map(str::to_owned)
    }

    #[test]
    fn one_real_line_a_server() {
        for (server, line, wanted) in [
            ("Postfix", "2.0.0 Ok: queued as 4Sv8Hr0LpKz9rxP", "4Sv8Hr0LpKz9rxP"),
            (
                "amavis",
                "2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 9F04854013C",
                "9F04854013C",
            ),
            ("Exim", "OK id=1rT7Xk-0003Fq-2J", "1rT7Xk-0003Fq-2J"),
            (
                "Exim, BDAT",
                " 206 byte chunk, total 1406\nOK id=1rT7Xk-00000000AbC-2JkL",
                "1rT7Xk-00000000AbC-2JkL",
            ),
            ("sendmail", "2.0.0 3ALM8e1q004242 Message accepted for delivery", "3ALM8e1q004242"),
            ("OpenSMTPD", "2.0.0 8f3e2a1b Message accepted for delivery", "8f3e2a1b"),
            ("OpenSMTPD 5", "2.0.0: 8f3e2a1b Message accepted for delivery", "8f3e2a1b"),
            ("Proofpoint", "2.0.0 3uf2k3xyab-1 Message accepted for delivery", "3uf2k3xyab-1"),
            ("Dovecot", "2.0.0 <user@example.test> 6N1OLvYTX2VpAQAAWB0pRg Saved", "6N1OLvYTX2VpAQAAWB0pRg"),
            (
                "Cyrus",
                "2.1.5 Ok SESSIONID=<cyrus-12823-1488397532-1> [example.test!user.user () 2294]",
                "cyrus-12823-1488397532-1",
            ),
            (
                "Microsoft 365",
                "2.6.0 <a1@example.test> [InternalId=274498, Hostname=AM0.prod.outlook.com] 8273 bytes in 0.125, 64.2 KB/sec \
                 Queued mail for delivery",
                "a1@example.test",
            ),
            (
                "IIS",
                "2.6.0  <WEB01Jsw5b000015ac@relay.example.test> Queued mail for delivery",
                "WEB01Jsw5b000015ac@relay.example.test",
            ),
            ("Gmail", "2.0.0 OK  1700000000 d9443c01a7336-1cc5a2b.12 - gsmtp", "d9443c01a7336-1cc5a2b.12"),
            ("Gmail", "2.0.0 OK 1376056636 i3si9508927obz.16 - gsmtp", "i3si9508927obz.16"),
            ("qmail", "ok 1171908231 qp 17622", "17622"),
            (
                "Amazon SES",
                "Ok 0102018c1a2b3c4d-1f2e3d4c-5b6a-7988-a1b2-c3d4e5f60718-000000",
                "0102018c1a2b3c4d-1f2e3d4c-5b6a-7988-a1b2-c3d4e5f60718-000000",
            ),
            (
                "Haraka",
                "Message Queued (0C2FC4A2-5E2B-4E5C-9D52-0D4B5A1C2F11.1)",
                "0C2FC4A2-5E2B-4E5C-9D52-0D4B5A1C2F11.1",
            ),
            ("SendGrid", "Ok: queued as 7Yq0JtJVQ0qD3n4w0a0W9A", "7Yq0JtJVQ0qD3n4w0a0W9A"),
            (
                "Mailjet",
                "OK queued as 2b7b9869-0e44-42d4-9246-1039ef6b95ee",
                "2b7b9869-0e44-42d4-9246-1039ef6b95ee",
            ),
            ("ZoneMTA", "Message queued as 18c1a2b3c4d000a1b2", "18c1a2b3c4d000a1b2"),
            (
                "Brevo",
                "2.0.0 OK: queued as <202411220801.12345678901@relay.example.test>",
                "202411220801.12345678901@relay.example.test",
            ),
            ("NetEase", "Mail OK queued as smtp2,DdGowADX3zK9,0101 1700000000", "smtp2,DdGowADX3zK9,0101"),
            ("Zimbra", "2.0.0 Ok: queued as 2F1D34C0B5A", "2F1D34C0B5A"),
            ("Stalwart", "2.0.0 Message queued with id 217700302698266624.", "217700302698266624"),
            (
                "KumoMTA",
                "super fantastic!\nOK ids=edd8d788b4a111f098b2cc28aa0a5c5a",
                "edd8d788b4a111f098b2cc28aa0a5c5a",
            ),
            (
                "Yandex",
                "2.0.0 Ok: queued on smtp3m.mail.yandex.net as 1430081058-6ltgNFKSir-iHEKdOrm",
                "1430081058-6ltgNFKSir-iHEKdOrm",
            ),
            ("Cisco ESA", "ok:  Message 64111812 accepted", "64111812"),
            (
                "Apple",
                "2.5.0 Ok, envelope id 0LUD00A9Q8EK4BQ0@smtpin135.mac.com",
                "0LUD00A9Q8EK4BQ0@smtpin135.mac.com",
            ),
            (
                "IONOS",
                "Requested mail action okay, completed: id=1MKsaz-1wevcp3BHR-00M7kH",
                "1MKsaz-1wevcp3BHR-00M7kH",
            ),
            (
                "MDaemon",
                "Ok, message saved <Message-ID: MDAEMON0001@example.test>",
                "MDAEMON0001@example.test",
            ),
            (
                "Mimecast",
                "SmtpThread-14-1700000000@example.test Received OK [b3jGk2ZgP0aQ.uk1]",
                "b3jGk2ZgP0aQ.uk1",
            ),
            ("Robin", "2.0.0 Received OK [0f8fad5b-d9cb-469f]", "0f8fad5b-d9cb-469f"),
            ("Comcast", "2.0.0 abc1k00A2B3c4d mail accepted for delivery", "abc1k00A2B3c4d"),
        ] {
            assert_eq!(id(line).as_deref(), Some(wanted), "{server}");
        }
    }

    #[test]
    fn no_id_is_made_up() {
        for line in [
            "",
            "OK",
            "2.0.0 Ok",
            "2.0.0",
            "Ok.",
            "Message accepted for delivery",
            "2.0.0 Message accepted for delivery",
            "Requested mail action okay, completed",
            "Queued (0.094 seconds)",
            "OK: queued as.",
            "OK: queued as .",
            "2.0.0 OK: queued",
            "ok dirdel",
            "Ok 1234",
            "Great success",
            "OK id=",
            "Message Queued ()",
            "Message Queued (",
            "queued as \u{e9}",
            "2.6.0 message received",
        ] {
            assert_eq!(id(line), None, "{line:?}");
        }
        assert_eq!(queue_id(&Reply::new(550, "Ok: queued as 1234")), None);
    }
}
