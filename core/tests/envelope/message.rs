//! What the message itself says of the envelope: Resent- fields, Sender, and lines that are not fields.

use super::*;

#[test]
fn rule_1_the_newest_resent_block_of_the_message_decides() {
    let new = "Resent-From: eve@e.example\nResent-To: cy@c.example\nResent-Cc: di@d.example\nResent-Bcc: s1@x,\n s2@x\n";
    let old = "Resent-Bcc: s3@x\nResent-Dcc: s4@x\nResent-From: old@x\nResent-To: old2@x\n";
    let wanted = &["cy@c.example", "di@d.example", "s1@x", "s2@x"][..];
    for message in [
        format!("{new}{WHOLE}"),
        format!("Received: x\n{new}{WHOLE}"),
        format!("{new}{old}{WHOLE}"),
        format!("{new}Received: x\n{old}{WHOLE}"),
        // Between the fields of a block others may stand.
        format!("X-A: b\n{}{WHOLE}", new.replace("Resent-Cc", "Subject: x\nResent-Cc")),
        new.replace("Resent", "RESENT") + WHOLE,
    ] {
        let envelope = derive(&message, &[]).unwrap();
        assert_eq!((reverse(&envelope), &*forward(&envelope)), ("eve@e.example", wanted), "{message}");
        let text = leaves(&message, &[]);
        assert!(!text.contains("s1@x") && !text.contains("s3@x") && !text.contains("Bcc"), "{text}");
        // What the message says of itself stays as it is.
        assert!(added(&envelope).is_empty(), "{message}");
    }
    // An option decides without it, and a block that names nobody is an error.
    let message = format!("{new}{WHOLE}");
    let envelope = derive(&message, &["originator fay@f.example", "recipients gus@g.example"]).unwrap();
    assert_eq!((reverse(&envelope), &*forward(&envelope)), ("fay@f.example", &["gus@g.example"][..]));
    usage(
        derive(&format!("Resent-From: eve@e.example\n{WHOLE}"), &[]),
        &["Resent-To", "recipients"],
        "nobody",
    );
    usage(
        derive(&format!("Resent-From: eve@e.example\nReceived: x\nResent-To: old@x\n{WHOLE}"), &[]),
        &["Resent-To", "recipients"],
        "an older block",
    );
    // So for a composed message, and for fields that were set.
    let mut composed = Message::text("Hi\n");
    let mut finished = Message::from_bytes(WHOLE);
    for (name, value) in
        [("Resent-From", "eve@e.example"), ("Resent-To", "cy@c.example"), ("Resent-Bcc", "s1@x")]
    {
        composed.set_header(name, value, HeaderMode::Write).unwrap();
        finished.set_header(name, value, HeaderMode::Write).unwrap();
    }
    composed.set_header("To", "bo@b.example", HeaderMode::Write).unwrap();
    for message in [composed, finished] {
        let envelope = Envelope::derive(&message, &Options::default(), &local()).unwrap();
        assert_eq!(
            (reverse(&envelope), &*forward(&envelope)),
            ("eve@e.example", &["cy@c.example", "s1@x"][..])
        );
    }
}

#[test]
fn rule_2_the_sender_of_several_authors() {
    let two = "From: a@a.example, b@b.example\nTo: b@b\n";
    for (message, lines, want) in [
        (format!("{two}Sender: Bo <b@b.example>\n\n"), &[][..], "b@b.example"),
        (format!("{two}\n"), &["header Sender: c@c.example"], "c@c.example"),
        ("From: Crew: a@a.example;\nSender: c@c.example\nTo: b@b\n\n".to_owned(), &[], "c@c.example"),
        ("From: Nobody:;\nSender: c@c.example\nTo: b@b\n\n".to_owned(), &[], "c@c.example"),
        // With one author he is it.
        (format!("Sender: c@c.example\n{WHOLE}"), &[], "ann@a.example"),
        (
            format!(
                "Resent-From: a@a, b@b\nResent-Sender: c@c.example\nResent-To: x@x\nSender: no@no\n{WHOLE}"
            ),
            &[],
            "c@c.example",
        ),
    ] {
        let envelope =
            derive(&message, lines).unwrap_or_else(|error| panic!("{message:?} {lines:?}: {error}"));
        assert_eq!(reverse(&envelope), want, "{message:?} {lines:?}");
        assert!(
            !added(&envelope).iter().any(|line| line.contains("Sender") && lines.is_empty()),
            "{message:?}"
        );
    }
    for (message, lines, words) in [
        (format!("{two}\n"), &[][..], &["From", "`Sender`", "3.6.2", "option `originator`"][..]),
        (
            format!("{two}Sender: a@a.example, b@b.example\n\n"),
            &[],
            &["`Sender`", "a@a.example, b@b.example"],
        ),
        (format!("{two}Sender: Ann\n\n"), &[], &["`Sender`", "Ann"]),
        (
            format!("Resent-From: a@a, b@b\nResent-To: x@x\nSender: no@no\n{WHOLE}"),
            &[],
            &["`Resent-From`", "`Resent-Sender`"],
        ),
        // What is written here must be right.
        (WHOLE.to_owned(), &["header From: a@a, b@b", "originator c@c"], &["`From`", "`Sender`"]),
    ] {
        usage(derive(&message, lines), words, &format!("{message:?} {lines:?}"));
    }
}

#[test]
fn a_line_that_is_not_a_field_is_an_error_before_anything_else() {
    let broken = "From: ann@a.example\nX Broken: y\nTo: bo@b.example\nBcc: s1@x\n\nHi\n";
    for lines in [&[][..], &["recipients x@x"], &["originator a@a", "recipients x@x"]] {
        usage(derive(broken, lines), &["line 2 ", "\"X Broken: y\"", "2"], &format!("{lines:?}"));
    }
    let front = format!("From ann@a.example Thu Jan  1 00:00:00 1970\n\n{WHOLE}");
    assert_eq!(leaves(&front, &[]), WHOLE);
}
