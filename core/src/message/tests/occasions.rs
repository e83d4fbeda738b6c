//! Invitations, and one-click unsubscribing.

use super::*;

const INVITATION: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//\r\nMETHOD:request\r\nBEGIN:VEVENT\r\nUID:1@x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

/// The types of a message's parts, within each other.
fn types(message: &Message) -> String {
    let parts: Vec<_> = message.parts().iter().map(types).collect();
    let media = message.content_type().unwrap_or("finished");
    if parts.is_empty() { media.to_owned() } else { format!("{media}[{}]", parts.join(" ")) }
}

#[test]
fn a_calendar_is_the_last_alternative_and_an_attachment() {
    let plain = "multipart/mixed[multipart/alternative[text/plain text/calendar] application/ics]";
    let both = "multipart/mixed[multipart/alternative[text/plain text/html text/calendar] application/ics]";
    let mut message = Message::text("Lunch?");
    message.add_calendar(INVITATION).unwrap();
    assert_eq!(types(&message), plain);
    message.add_alternative_html("<p>Lunch?").unwrap();
    assert_eq!(types(&message), both);
    let wire = sent(&message, &Edits::default(), EIGHT);
    assert!(
        wire.contains("Content-Type: text/calendar; charset=\"utf-8\"; method=\"REQUEST\"\r\n"),
        "{wire}"
    );
    assert!(wire.contains("filename=\"invite.ics\""), "{wire}");

    let mut message = Message::text("Lunch?");
    message.add_alternative_html("<img src=cid:a@b>").unwrap();
    message.inline_bytes("a.png", None, b"x".to_vec(), Some("a@b")).unwrap();
    message.attach_bytes("menu.txt", None, b"soup".to_vec()).unwrap();
    message.add_calendar(INVITATION).unwrap();
    assert_eq!(
        types(&message),
        "multipart/mixed[multipart/alternative[text/plain multipart/related[text/html image/png] text/calendar] \
         text/plain application/ics]"
    );
    let mut html = Message::html("<p>Lunch?");
    html.add_calendar(INVITATION).unwrap();
    assert_eq!(
        types(&html),
        "multipart/mixed[multipart/alternative[text/html text/calendar] application/ics]"
    );
}

#[test]
fn a_method_may_be_folded_and_have_parameters() {
    for method in ["METHOD:REQ\r\n UEST", "method;X-P=\"a:b\":Request"] {
        let mut message = Message::text("Lunch?");
        message.add_calendar(&format!("BEGIN:VCALENDAR\r\n{method}\r\nEND:VCALENDAR\r\n")).unwrap();
        assert!(sent(&message, &Edits::default(), EIGHT).contains("method=\"REQUEST\""), "{method}");
    }
    let mut signed = Message::multipart("signed", vec![Message::text("a"), Message::text("b")]).unwrap();
    assert_eq!(signed.add_alternative_html("<p>a").unwrap_err().kind(), Kind::Usage);
    assert_eq!(types(&signed), "multipart/signed[text/plain text/plain]");
}

#[test]
fn what_is_no_invitation_changes_nothing() {
    for (text, why) in [
        ("", "BEGIN:VCALENDAR"),
        ("BEGIN:VEVENT\nEND:VEVENT\n", "BEGIN:VEVENT"),
        ("VERSION:2.0\n", "VERSION:2.0"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nMETHOD:REQUEST\nEND:VEVENT\nEND:VCALENDAR\n", "has no METHOD"),
        ("BEGIN:VCALENDAR\nMETHOD:REQUEST\nMETHOD:CANCEL\nEND:VCALENDAR\n", "more than one METHOD"),
        ("BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\nBEGIN:VCALENDAR\nEND:VCALENDAR\n", "one VCALENDAR"),
        ("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n", "METHOD:REQUEST"),
        ("BEGIN:VCALENDAR\nMETHOD:a b\nEND:VCALENDAR\n", "\"A B\" as its METHOD"),
        ("BEGIN:VCALENDAR\nMETHOD:REQUEST\n", "END:VCALENDAR"),
        ("BEGIN:VCALENDAR\nMETHOD:REQUEST\nSUMMARY:\0\nEND:VCALENDAR\n", "NUL"),
    ] {
        let mut message = Message::text("Lunch?");
        let error = message.add_calendar(text).unwrap_err();
        assert!(error.kind() == Kind::Usage && error.to_string().contains(why), "{text:?}: {error}");
        assert_eq!(types(&message), "text/plain");
    }
    let mut message = Message::text("Lunch?");
    message.add_calendar(INVITATION).unwrap();
    let before = types(&message);
    assert!(message.add_calendar(INVITATION).unwrap_err().to_string().contains("has a calendar already"));
    assert_eq!(types(&message), before);
    for mut other in [
        Message::from_bytes("A: b\n\nc"),
        Message::part("application/pdf").unwrap(),
        Message::multipart("mixed", Vec::new()).unwrap(),
        Message::multipart("signed", vec![Message::text("a"), Message::text("b")]).unwrap(),
        Message::rfc822(Message::text("a")).unwrap(),
    ] {
        assert_eq!(other.add_calendar(INVITATION).unwrap_err().kind(), Kind::Usage);
    }
}

#[test]
fn one_click_is_two_fields() {
    let long = format!("https://example.org/u/{}", "x".repeat(300));
    for (https, mailto, value) in [
        ("https://example.org/u/1", None, "<https://example.org/u/1>"),
        ("https://example.org", Some("MailTo:a@b.c"), "<mailto:a@b.c>, <https://example.org>"),
        (
            "HTTPS://example.org",
            Some("a@b.c?subject=1%202"),
            "<mailto:a@b.c?subject=1%202>, <HTTPS://example.org>",
        ),
        (long.as_str(), Some("mailto:a@b.c"), &format!("<mailto:a@b.c>, <{long}>")),
    ] {
        for mut message in
            [Message::text("News"), Message::from_bytes("List-Unsubscribe: <http://old>\n\nNews")]
        {
            message.set_unsubscribe(https, mailto).unwrap();
            assert_eq!(message.header("List-Unsubscribe").unwrap(), [value]);
            assert_eq!(message.header("List-Unsubscribe-Post").unwrap(), ["List-Unsubscribe=One-Click"]);
        }
    }
    for (https, mailto) in [
        ("", None),
        ("http://example.org/u/1", None),
        ("https://", None),
        ("https:///u", None),
        ("https://example.org/a b", None),
        ("https://example.org/a>b", None),
        ("https://example.org/\u{fc}", None),
        ("https://example.org/\r\nBcc: x@y", None),
        ("https://example.org/%zz", None),
        ("https://example.org", Some("nobody")),
        ("https://example.org", Some("a@b@c")),
        ("https://example.org", Some("mailto:mailto:a@b")),
        ("https://example.org", Some("a@b?subject=%1")),
        ("https://example.org", Some("@b")),
        ("https://example.org", Some("a@b>\r\nX: y")),
    ] {
        let mut message = Message::text("News");
        let error = message.set_unsubscribe(https, mailto).unwrap_err();
        assert!(error.kind() == Kind::Usage && error.to_string().starts_with("unsubscribe: "), "{error}");
        assert!(message.header("List-Unsubscribe").unwrap().is_empty());
    }
}
