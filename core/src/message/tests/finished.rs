//! Finished messages from every source.

use super::*;

#[test]
fn finished_messages_lose_and_gain_fields_only() {
    let change = edits(&["bcc"], &[("X-A", "gr\u{fc}n"), ("X-B", "b")]);
    let front = "X-A: =?utf-8?b?Z3LDvG4=?=\r\nX-B: b\r\n";
    for (message, rest) in [
        ("A: 1\nBcc: x,\n y\nB: 2\n\n.body\rx", "A: 1\nB: 2\n\n.body\rx"),
        ("", ""),
        ("\r\nbody", "\r\nbody"),
        ("body\n", "\r\nbody\n"),
        ("From me\nBody, no field\n", "\r\nFrom me\nBody, no field\n"),
        ("A: 1", "A: 1"),
        ("Bcc: 1", ""),
        ("BCC : 1\r\n\r\n", "\r\n"),
    ] {
        let token = Message::from_bytes(message);
        assert_eq!(sent(&token, &change, SEVEN), format!("{front}{rest}"), "{message:?}");
        assert_eq!(sent(&token, &Edits::default(), SEVEN), message);
    }
    let token = Message::from_bytes("A: gr\u{fc}n\r\n\r\n");
    assert_eq!(sent(&token, &change, ALL), "X-A: gr\u{fc}n\r\nX-B: b\r\nA: gr\u{fc}n\r\n\r\n");
    assert!(token.prepare(&change).unwrap().needs_utf8());
    assert!(!Message::from_bytes("A: b\n\ngr\u{fc}n").prepare(&change).unwrap().needs_utf8());
}

#[test]
fn finished_8_bit_needs_8bitmime() {
    let token = Message::from_bytes("A: b\r\n\r\ngr\u{fc}n");
    let out = token.prepare(&Edits::default()).unwrap();
    assert_eq!(out.form(EIGHT).unwrap().body, BodyKind::EightBitMime);
    let error = out.form(SEVEN).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.text().contains("8BITMIME"));
    // What is stripped does not count.
    let text = "A: b\r\nBcc: gr\u{fc}n\r\n\r\n";
    for token in [Message::from_bytes(text), Message::from_read(io::Cursor::new(text))] {
        let mut out = token.prepare(&edits(&["Bcc"], &[])).unwrap();
        assert_eq!(out.form(SEVEN).unwrap().body, BodyKind::SevenBit);
        assert_eq!(read(&mut out, SEVEN), b"A: b\r\n\r\n");
    }

    let token = Message::from_reader(Again(io::Cursor::new("A: b\r\n\r\ngr\u{fc}n".into())));
    let mut out = token.prepare(&Edits::default()).unwrap();
    assert_eq!(out.form(EIGHT).unwrap().body, BodyKind::EightBitMime);
    assert_eq!(out.form(SEVEN).unwrap().body, BodyKind::SevenBit);
    assert!(patiently(out.open(SEVEN).unwrap(), 9).unwrap_err().to_string().contains("8BITMIME"));
    assert_eq!(read(&mut out, EIGHT), "A: b\r\n\r\ngr\u{fc}n".as_bytes());
}

#[test]
fn nul_is_refused_where_it_is() {
    for (message, at) in [("A: b\r\n\r\nx\0", 9), ("A\0: b\r\n", 1), ("A: \0b\r\n\r\n", 3)] {
        let file = TempFile::new(message.as_bytes());
        for token in [Message::from_bytes(message), Message::from_file(&file.0)] {
            let error = token.prepare(&Edits::default()).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.text().contains(&format!("octet {at},")), "{error}");
        }
        let token = Message::from_read(io::Cursor::new(message));
        let stream = token.prepare(&Edits::default()).unwrap().open(ALL).unwrap();
        assert!(patiently(stream, 9).unwrap_err().to_string().ends_with(&format!("octet {at}")));
    }
}

#[test]
fn memory_is_not_copied() {
    let mut data = b"A: b\r\n\r\n".to_vec();
    data.resize(1 << 20, b'x');
    let token = Message::from_bytes(data);
    let mut out = token.prepare(&edits(&[], &[("X", "y")])).unwrap();
    let mut stream = out.open(SEVEN).unwrap();
    stream.consume(6);
    assert_eq!(stream.fill_buf().unwrap(), b"A: b\r\n");
    stream.consume(6);
    assert_eq!(stream.fill_buf().unwrap().len(), (1 << 20) - 6);
}

#[test]
fn readers_serve_one_send_at_a_time() {
    let token = Message::from_read(io::Cursor::new("A: b\r\n\r\nbody"));
    // Asking for a field reads ahead, and nothing is lost.
    assert_eq!(token.header("a").unwrap(), ["b"]);
    let mut first = token.prepare(&Edits::default()).unwrap();
    let mut second = token.clone().prepare(&Edits::default()).unwrap();
    let mut stream = first.open(SEVEN).unwrap();
    let error = second.open(SEVEN).err().unwrap();
    assert_eq!(error.kind(), Kind::Source);
    assert!(error.text().contains("another send"), "{error}");
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "A: b\r\n\r\nbody");
    drop(stream);
    let error = second.open(SEVEN).err().unwrap();
    assert!(error.text().contains("earlier send"), "{error}");

    let token = Message::from_reader(Again(io::Cursor::new(b"A: b\r\n\r\nbody".to_vec())));
    let mut out = token.prepare(&Edits::default()).unwrap();
    for _ in 0..3 {
        assert_eq!(out.form(SEVEN).unwrap().size, Some(12));
        assert_eq!(read(&mut out, SEVEN), b"A: b\r\n\r\nbody");
    }
}

#[test]
fn a_source_that_changes_is_an_error() {
    let file = TempFile::new(b"A: b\r\n\r\nbody\r\n");
    let token = Message::from_file(&file.0);
    let mut out = token.prepare(&Edits::default()).unwrap();
    assert_eq!(out.form(SEVEN).unwrap().size, Some(14));
    std::fs::write(&file.0, b"A: b\r\n\r\nbo").unwrap();
    let error = patiently(out.open(SEVEN).unwrap(), 100).unwrap_err();
    assert!(error.to_string().contains("fewer than the 14 octets"), "{error}");
    std::fs::write(&file.0, vec![b'x'; 100_000]).unwrap();
    assert!(patiently(out.open(SEVEN).unwrap(), 100).unwrap_err().to_string().contains("more than"));
    std::fs::remove_file(&file.0).unwrap();
    assert_eq!(out.open(SEVEN).err().unwrap().kind(), Kind::Source);
    let error = token.prepare(&Edits::default()).unwrap_err();
    assert!(error.text().contains("cannot be opened"), "{error}");
    assert!(Message::from_file(std::env::temp_dir()).header("a").unwrap_err().text().contains("directory"));

    let mut token = Message::part("application/x-y").unwrap();
    token.set_body_reader(Pieces::new(b"1234", 2, Some(5))).unwrap();
    let mut out = token.prepare(&Edits::default()).unwrap();
    assert!(patiently(out.open(SEVEN).unwrap(), 100).unwrap_err().to_string().contains("fewer"));
}

#[test]
fn header_sections_have_a_limit_in_streams() {
    let mut data = vec![b'x'; 2 << 20];
    data[1] = b':';
    let file = TempFile::new(&data);
    for token in [Message::from_file(&file.0), Message::from_read(io::Cursor::new(data.clone()))] {
        let error = token.header("x").unwrap_err();
        assert!(error.kind() == Kind::Source && error.text().contains("1048576"), "{error}");
    }
    // No header section, and so none that is too long.
    data[1] = b' ';
    let token = Message::from_read(io::Cursor::new(data.clone()));
    assert_eq!(read(&mut token.prepare(&Edits::default()).unwrap(), SEVEN), data);
}

#[test]
fn headers_of_finished_messages_are_read_and_changed() {
    let text = "From: a@b\r\nTo: c@d,\r\n\te@f\r\nto: g@h\r\n\r\n";
    let file = TempFile::new(text.as_bytes());
    for mut token in [Message::from_bytes(text), Message::from_file(&file.0)] {
        assert!(token.is_finished());
        assert_eq!(token.header("TO").unwrap(), ["c@d,\te@f", "g@h"]);
        assert_eq!(token.header_names().unwrap(), ["From", "To"]);
        token.set_header("To", "x@y", HeaderMode::Write).unwrap();
        token.set_header("X", "1", HeaderMode::Append).unwrap();
        assert_eq!(token.header("to").unwrap(), ["x@y"]);
        assert_eq!(sent(&token, &Edits::default(), SEVEN), "To: x@y\r\nX: 1\r\nFrom: a@b\r\n\r\n");
        token.set_header("from", "", HeaderMode::Delete).unwrap();
        assert_eq!(sent(&token, &edits(&["x"], &[]), SEVEN), "To: x@y\r\n\r\n");
        assert!(token.set_body_bytes("x").is_err());
        assert!(token.set_header("Content-Type", "text/html", HeaderMode::Write).is_err());
    }
}

proptest! {
    #[test]
    fn every_source_gives_the_same_message(data in octets(), step in 1usize..40, add in any::<bool>()) {
        let change = edits(&["Bcc"], if add { &[("X", "gr\u{fc}n")] } else { &[] });
        let whole = Message::from_bytes(data.clone());
        let reader = Message::from_reader(Pieces::new(&data, step, None));
        let file = TempFile::new(&data);
        let file = Message::from_file(&file.0);
        let prepared = whole.prepare(&change);
        if let Err(error) = prepared {
            prop_assert!(["not a header field", "is empty by a CR"].iter().any(|text| error.text().contains(text)));
            prop_assert_eq!(&file.prepare(&change).unwrap_err(), &error);
            prop_assert_eq!(&file.header("a").unwrap_err(), &error);
            let failed = patiently(reader.prepare(&change).unwrap().open(EIGHT).unwrap(), step).unwrap_err();
            prop_assert_eq!(&failed.to_string(), error.text());
            // As a part it is what it is.
            let mixed = Message::multipart("mixed", vec![whole]).unwrap();
            prop_assert!(mixed.prepare(&change).unwrap().form(EIGHT).unwrap().size.is_some());
            return Ok(());
        }
        let mut out = prepared.unwrap();
        let wanted = read(&mut out, EIGHT);
        let form = out.form(EIGHT).unwrap();
        prop_assert_eq!(form.size, Some(wire(&wanted).len() as u64));
        prop_assert_eq!(form.body == BodyKind::SevenBit, wanted.is_ascii());
        prop_assert_eq!(patiently(out.open(EIGHT).unwrap(), step).unwrap(), &wanted[..]);
        prop_assert_eq!(whole.to_bytes().unwrap().len() as u64, whole.size().unwrap().unwrap());

        let mut out = reader.prepare(&change).unwrap();
        prop_assert_eq!(patiently(out.open(EIGHT).unwrap(), step).unwrap(), &wanted[..]);

        let mut from_file = file.prepare(&change).unwrap();
        // A file may change until it is sent: of its lines nothing is known for certain.
        prop_assert_eq!(from_file.form(EIGHT).unwrap(), Form { clean: false, ..form });
        prop_assert_eq!(patiently(from_file.open(EIGHT).unwrap(), step).unwrap(), wanted);
        prop_assert_eq!(file.header("a").unwrap(), whole.header("a").unwrap());

        // As a part of another message.
        let mixed = Message::multipart("mixed", vec![whole, Message::text("x")]).unwrap();
        let mut out = mixed.prepare(&change).unwrap();
        let bytes = read(&mut out, EIGHT);
        prop_assert_eq!(out.form(EIGHT).unwrap().size, Some(bytes.len() as u64));
        prop_assert_eq!(wire(&bytes), bytes);
    }
}

#[test]
fn binary_goes_octet_for_octet() {
    let binary = Edits { binary: true, ..edits(&["Bcc"], &[("X-A", "b")]) };
    let text = b"A: b\r\nBcc: c\r\n\r\n\0one\ntwo\rthree".as_slice();
    let wanted = b"X-A: b\r\nA: b\r\n\r\n\0one\ntwo\rthree".as_slice();
    let file = TempFile::new(text);
    for token in [
        Message::from_bytes(text),
        Message::from_file(&file.0),
        Message::from_read(io::Cursor::new(text)),
        Message::from_reader(Again(io::Cursor::new(text.to_vec()))),
    ] {
        let mut out = token.prepare(&binary).unwrap();
        let form = out.form(ALL).unwrap();
        assert_eq!(form.body, BodyKind::BinaryMime);
        assert!(form.size.is_none_or(|size| size == wanted.len() as u64), "{form:?}");
        assert_eq!(patiently(out.open(ALL).unwrap(), 9).unwrap(), wanted);
        let error = out.form(EIGHT).unwrap_err();
        assert!(error.kind() == Kind::Unsupported && error.text().contains("BINARYMIME"), "{error}");
    }
    let mut whole = Message::from_bytes(text).prepare(&Edits { binary: true, ..Edits::default() }).unwrap();
    assert_eq!(whole.form(ALL).unwrap().size, Some(text.len() as u64));
    assert_eq!(read(&mut whole, ALL), text);
}

#[test]
fn binary_needs_crlf_in_its_header_section() {
    let binary = Edits { binary: true, ..Edits::default() };
    for text in [
        "A: b\n\r\nx",
        "A: b\r\n\nx",
        "A: b\r\n\rx",
        "A: b\r\n c\rB: d\r\n\r\nx",
        "\0A: b\r\n\r\n",
        "A: \0b\r\n\r\nx",
    ] {
        let file = TempFile::new(text.as_bytes());
        for token in [Message::from_bytes(text), Message::from_file(&file.0)] {
            assert_eq!(token.prepare(&binary).unwrap_err().kind(), Kind::Usage, "{text:?}");
        }
        let out = Message::from_reader(Again(io::Cursor::new(text.into()))).prepare(&binary);
        let error = out.map(|mut out| patiently(out.open(ALL).unwrap(), 9).unwrap_err());
        assert!(
            error.is_err() || error.is_ok_and(|error| error.kind() == io::ErrorKind::InvalidData),
            "{text:?}"
        );
    }
    let error = Message::text("x").prepare(&binary).unwrap_err();
    assert!(error.kind() == Kind::Usage && error.text().contains("encoding `binary`"), "{error}");
}
