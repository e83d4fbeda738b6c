//! Composed messages.

use super::survey::Census;
use super::*;

#[test]
fn text_takes_the_encoding_that_fits() {
    for (text, seven, eight) in [
        ("plain\n", "7bit\r\n\r\nplain\r\n", "7bit"),
        ("gr\u{fc}n is green", "quoted-printable\r\n\r\ngr=C3=BCn is green", "8bit"),
        ("\u{fc}\u{fc}\u{fc}", "base64\r\n\r\nw7zDvMO8", "8bit"),
        ("a\0b, and more of it", "quoted-printable\r\n\r\na=00b, and more of it", "quoted-printable"),
    ] {
        let token = Message::text(text);
        let got = sent(&token, &Edits::default(), SEVEN);
        assert!(got.ends_with(&format!("Content-Transfer-Encoding: {seven}")), "{got}");
        let got = sent(&token, &Edits::default(), EIGHT);
        assert!(got.contains(&format!("Content-Transfer-Encoding: {eight}\r\n")), "{got}");
    }
    let long = Message::text(&"x ".repeat(600));
    assert!(sent(&long, &Edits::default(), EIGHT).split("\r\n").all(|l| l.len() <= 76));
    let mut wish = Message::part("application/x-y").unwrap();
    wish.set_body_bytes(b"a\nb".to_vec()).unwrap();
    wish.set_encoding(Encoding::SevenBit).unwrap();
    assert!(sent(&wish, &Edits::default(), EIGHT).contains("base64"));
    wish.set_encoding(Encoding::Binary).unwrap();
    assert!(sent(&wish, &Edits::default(), EIGHT).contains("base64"));
    let out = wish.prepare(&Edits::default()).unwrap();
    assert_eq!(out.form(ALL).unwrap().body, BodyKind::BinaryMime);
    assert!(sent(&wish, &Edits::default(), ALL).ends_with("binary\r\n\r\na\nb"));
}

#[test]
fn header_fields_are_encoded_unless_the_server_takes_utf8() {
    let mut token = Message::text("");
    token.set_header("Subject", "gr\u{fc}n", HeaderMode::Write).unwrap();
    token.set_header("From", "J\u{f6}rg <a@b.c>", HeaderMode::Write).unwrap();
    assert!(!token.prepare(&Edits::default()).unwrap().needs_utf8());
    assert!(sent(&token, &Edits::default(), EIGHT).is_ascii());
    assert!(
        sent(&token, &Edits::default(), ALL).starts_with("Subject: gr\u{fc}n\r\nFrom: J\u{f6}rg <a@b.c>\r\n")
    );
    assert_eq!(token.prepare(&Edits::default()).unwrap().form(ALL).unwrap().body, BodyKind::EightBitMime);
    token.set_header("To", "\u{f6}@b.c", HeaderMode::Write).unwrap();
    let out = token.prepare(&Edits::default()).unwrap();
    assert!(out.needs_utf8());
    assert_eq!(out.form(SEVEN).unwrap_err().kind(), Kind::Unsupported);
    for bad in [edits(&[], &[("Content-Type", "x")]), edits(&[], &[("A", "b\nc")]), edits(&["a b"], &[])] {
        assert_eq!(token.prepare(&bad).unwrap_err().kind(), Kind::Usage);
    }
}

#[test]
fn a_part_is_added_to_what_is_made_of_parts_only() {
    let mut multipart = Message::multipart("digest", Vec::new()).unwrap();
    multipart.push_part(Message::text("a")).unwrap();
    multipart.push_part(Message::from_bytes("A: b\n\n")).unwrap();
    assert_eq!(multipart.parts().len(), 2);
    for mut other in
        [Message::text("a"), Message::from_bytes("A: b\n\n"), Message::rfc822(multipart).unwrap()]
    {
        assert_eq!(other.push_part(Message::text("b")).unwrap_err().kind(), Kind::Usage);
    }
}

#[test]
fn conveniences_build_the_usual_tree() {
    fn shape(message: &Message) -> String {
        let parts: Vec<String> = message.parts().iter().map(shape).collect();
        let media = message.content_type().unwrap_or("finished").to_owned();
        if parts.is_empty() { media } else { format!("{media}[{}]", parts.join(" ")) }
    }
    let mut token = Message::text("t");
    token.set_header("Subject", "s", HeaderMode::Write).unwrap();
    token.attach_bytes("a.pdf", None, "x").unwrap();
    token.add_alternative_html("<img src='cid:a@b'>").unwrap();
    assert_eq!(token.inline_bytes("a.png", None, "x", Some("<a@b>")).unwrap(), "a@b");
    let error = token.inline_bytes("c.jpg", None, "x", Some("a@b")).unwrap_err();
    assert!(error.text().contains("of another part"), "{error}");
    let cid = token.inline_bytes("b.jpg", None, "x", None).unwrap();
    assert!(cid.ends_with("@inline"));
    token.attach_bytes("q.zzz", None, "x").unwrap();
    token.attach_bytes("page.html", Some("text/html"), "a\nb").unwrap();
    token.attach(Message::rfc822(Message::from_bytes("A: b\n\n")).unwrap()).unwrap();
    assert_eq!(
        shape(&token),
        "multipart/mixed[multipart/alternative[text/plain multipart/related[text/html image/png image/jpeg]] \
         application/pdf application/octet-stream text/html message/rfc822[finished]]"
    );
    assert_eq!(token.header("subject").unwrap(), ["s"]);
    let text = sent(&token, &Edits::default(), SEVEN);
    assert!(text.starts_with("Subject: s\r\nMIME-Version: 1.0\r\n"));
    assert_eq!(text.matches("MIME-Version").count(), 1);
    assert!(text.contains("Content-ID: <a@b>\r\n") && text.contains("type=\"text/html\""));
    assert!(text.contains("YQpi\r\n--"), "an attachment is sent octet by octet");

    let usage = |r: Result<(), Error>| assert_eq!(r.unwrap_err().kind(), Kind::Usage);
    usage(Message::text("").attach_bytes("a\nb", None, ""));
    usage(Message::text("").attach_file("/"));
    usage(Message::text("").attach_bytes("a", Some("text"), ""));
    usage(Message::text("").inline_bytes("a", None, "", None).map(drop));
    usage(Message::html("").inline_bytes("a", None, "", Some("a b")).map(drop));
    usage(Message::html("").add_alternative_html(""));
    usage(Message::from_bytes("").attach_bytes("a", None, ""));
    usage(Message::part("multipart/mixed").map(drop));
    usage(Message::part("text").map(drop));
    usage(Message::multipart("mixed", vec![]).unwrap().prepare(&Edits::default()).map(drop));
    usage(Message::multipart("mixed", vec![]).unwrap().set_body_bytes(""));
}

/// Parts around each other until that is refused, in each way that adds a level.
#[test]
fn the_101st_level_is_refused_when_it_is_put_together() {
    type Wrap = fn(Message) -> Result<Message, Error>;
    let ways: [Wrap; 4] = [
        Message::rfc822,
        |inner| Message::multipart("mixed", vec![Message::text("a"), inner]),
        |inner| {
            let mut outer = Message::multipart("digest", Vec::new())?;
            outer.push_part(inner).map(|()| outer)
        },
        |mut inner| inner.set_header("X", "y", HeaderMode::Write).and_then(|()| Message::rfc822(inner)),
    ];
    // As many levels as are allowed must do on a small stack, in every walk over them. Unoptimised code needs more.
    let stack = if cfg!(debug_assertions) { 1024 } else { 256 } * 1024;
    let walks = move || {
        for wrap in ways {
            let mut message = Message::html("a");
            for _ in 0..100 {
                message = wrap(message).unwrap();
            }
            assert_eq!(message.clone().to_bytes().unwrap().len() as u64, message.size().unwrap().unwrap());
            assert!(format!("{message:?}").len() > 100);
            let error = wrap(message.clone()).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.text().contains("100 parts within each other"), "{error}");
            refused(Message::text("").attach(message));
        }
    };
    std::thread::Builder::new().stack_size(stack).spawn(walks).unwrap().join().unwrap();
}

fn refused(result: Result<(), Error>) {
    let error = result.unwrap_err();
    assert!(error.kind() == Kind::Usage && error.text().contains("within each other"), "{error}");
}

#[test]
fn a_level_that_is_added_deep_within_counts() {
    let nested = |leaf: Message, levels| {
        (0..levels).try_fold(leaf, |inner, _| Message::multipart("mixed", vec![inner])).unwrap()
    };
    let mut text = nested(Message::text("a"), 99);
    text.add_alternative_html("b").unwrap();
    refused(Message::rfc822(text).map(drop));
    refused(nested(Message::text("a"), 100).add_alternative_html("b"));
    let mut html = nested(Message::html("a"), 99);
    html.inline_bytes("a", None, "", None).unwrap();
    refused(Message::rfc822(html.clone()).map(drop));
    html.inline_bytes("b", None, "", None).unwrap();
    let mut full = nested(Message::html("a"), 100);
    let before = full.to_bytes().unwrap().len();
    refused(full.inline_bytes("a", None, "", None).map(drop));
    assert_eq!(full.to_bytes().unwrap().len(), before);
}

/// Octets that are known to be clean go out without a second look, so a dot that was overlooked would end the message.
#[test]
fn nothing_with_a_dot_or_a_bare_line_end_is_clean() {
    let message = |change: &dyn Fn(&mut Message)| {
        let mut message = Message::text("a\r\nb.\r\n");
        message.set_header("X", "a b", HeaderMode::Write).unwrap();
        change(&mut message);
        let mut out = message.prepare(&Edits::default()).unwrap();
        let (form, octets) = (out.form(EIGHT).unwrap(), read(&mut out, EIGHT));
        assert!(!form.clean || Census::of(&octets).clean(), "{}", String::from_utf8_lossy(&octets));
        form.clean
    };
    assert!(message(&|_| {}));
    assert!(message(&|message| message.attach_bytes("a", None, "\n.\n").unwrap()));
    for text in [".", "a\n.", "a\r\n.b", "a\nb"] {
        assert!(!message(&|message| message.attach(Message::text(text)).unwrap()), "{text:?}");
    }
    for value in ["b", &"a .b ".repeat(40)] {
        assert!(!message(&|message| message.set_header(".X", value, HeaderMode::Write).unwrap()));
    }
}

#[test]
fn a_token_is_sent_from_many_threads() {
    let mut token = Message::text("gr\u{fc}n");
    token.attach_bytes("a.bin", None, vec![7; 100_000]).unwrap();
    let wanted = token.size().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(token.to_bytes().unwrap().len() as u64, wanted.unwrap());
            });
        }
    });
}

#[test]
fn other_content_keeps_the_fields_that_were_set() {
    let set = |message: &mut Message, fields: &[(&str, &str)]| {
        for (name, value) in fields {
            message.set_header(name, value, HeaderMode::Append).unwrap();
        }
    };
    let own = [("To", "a@b.c"), ("X", "1"), ("x", "2")];
    let mut message = Message::text("a");
    set(&mut message, &own);
    let mut html = Message::html("b");
    message.replace_content(html.clone());
    assert_eq!(message.content_type(), Some("text/html"));
    assert_eq!(
        message.header_fields().unwrap(),
        own.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );

    set(&mut html, &[("Y", "0"), ("X", "0"), ("X", "0"), ("Z", "0")]);
    message.replace_content(html);
    let text = |message: &Message| {
        let fields = message.header_fields().unwrap().into_iter();
        fields.map(|(name, value)| format!("{name}={value} ")).collect::<String>()
    };
    assert_eq!(text(&message), "Y=0 X=1 Z=0 To=a@b.c x=2 ");

    message.replace_content(Message::from_bytes("X: 9\r\nTo: d@e.f\r\nW: 9\r\n\r\n"));
    assert_eq!(text(&message), "Y=0 X=1 Z=0 To=a@b.c x=2 W=9 ");
    message.replace_content(Message::text(""));
    assert_eq!(text(&message), "", "those of a finished message go with it");
}

proptest! {
    #[test]
    fn every_body_has_the_size_that_is_said(
        data in octets(), text in any::<bool>(), step in 1usize..40, encoding in 0usize..6, transfer in 0usize..3
    ) {
        use Encoding::*;
        let encoding = [Auto, SevenBit, EightBit, QuotedPrintable, Base64, Binary][encoding];
        let transfer = [SEVEN, EIGHT, ALL][transfer];
        let mut part = Message::part(if text { "Text/x-y" } else { "application/x-y" }).unwrap();
        part.set_encoding(encoding).unwrap();
        part.set_body_bytes(data.clone()).unwrap();
        let mut out = part.prepare(&Edits::default()).unwrap();
        let wanted = read(&mut out, transfer);
        let form = out.form(transfer).unwrap();
        let binary = form.body == BodyKind::BinaryMime;
        prop_assert_eq!(form.size, Some(if binary { wanted.len() } else { wire(&wanted).len() } as u64));
        prop_assert!(form.body != BodyKind::SevenBit || wanted.is_ascii());
        prop_assert!(!form.clean || Census::of(&wanted).clean());

        let file = TempFile::new(&data);
        part.set_body_file(&file.0).unwrap();
        let mut out = part.prepare(&Edits::default()).unwrap();
        // What is in a file may change, so it is never taken for clean.
        let clean = form.clean && out.form(transfer).unwrap().clean;
        prop_assert_eq!(Form { clean, ..out.form(transfer).unwrap() }, Form { clean, ..form });
        prop_assert_eq!(patiently(out.open(transfer).unwrap(), step).unwrap(), &wanted[..]);

        if matches!(encoding, QuotedPrintable | Base64) {
            part.set_body_reader(Pieces::new(&data, step, Some(data.len() as u64))).unwrap();
            let mut out = part.prepare(&Edits::default()).unwrap();
            prop_assert_eq!(patiently(out.open(transfer).unwrap(), step).unwrap(), wanted);
        }
    }
}

#[test]
fn a_content_type_may_have_parameters() {
    let mut part = Message::part("text/csv; charset=iso-8859-1 ;header=\"present; or not\"").unwrap();
    part.set_body_bytes(b"gr\xfcn\n".to_vec()).unwrap();
    assert_eq!(part.content_type(), Some("text/csv"));
    let got = sent(&part, &Edits::default(), SEVEN);
    assert!(
        got.contains("Content-Type: text/csv; charset=\"iso-8859-1\"; header=\"present; or not\"\r\n"),
        "{got}"
    );
    let mut mixed = Message::text("x");
    mixed.attach_bytes("a.txt", Some("text/plain;charset=iso-8859-1"), b"gr\xfcn".to_vec()).unwrap();
    assert!(
        sent(&mixed, &Edits::default(), SEVEN)
            .contains("Content-Type: text/plain; charset=\"iso-8859-1\"\r\n")
    );
    for wrong in [
        "text; charset=x",
        "text/plain; charset",
        "text/plain; a b=c",
        "multipart/mixed; boundary=x",
        "text/plain; x=\"",
        ";",
    ] {
        assert_eq!(Message::part(wrong).unwrap_err().kind(), Kind::Usage, "{wrong}");
    }
}
