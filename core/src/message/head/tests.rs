use super::*;

fn names(data: &[u8]) -> (Vec<(String, String)>, usize, bool) {
    let head = Head::parse(data, Role::Message);
    let mut fields: Vec<(String, String)> = Vec::new();
    for name in head.names(data) {
        let before = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).count();
        fields.push((name.to_owned(), unfolded(head.values(data, name).nth(before).unwrap()).into_owned()));
    }
    (fields, head.end, head.separated)
}

#[test]
fn fields_are_found_whatever_ends_their_lines() {
    for end in ["\r\n", "\n", "\r"] {
        let data = ["A: 1", " 2", "\t3", "Bcc : x", "", "body: no", ""].join(end);
        let (fields, at, separated) = names(data.as_bytes());
        assert_eq!(fields, [("A".into(), "1 2\t3".into()), ("Bcc".into(), "x".into())], "{end:?}");
        assert!(separated);
        assert!(data.as_bytes()[at..].starts_with(end.as_bytes()));
    }
}

#[test]
fn a_message_without_a_field_is_all_body() {
    for data in [
        "",
        "\r\nbody",
        "\nHello\n\nBcc: x\n",
        "From me to you\nHello\n",
        " A\n",
        "Hello\nthere\n",
        "\u{feff}Hello\n",
        "A",
    ] {
        let separated = data.is_empty() || data.starts_with(['\r', '\n']);
        assert_eq!(names(data.as_bytes()), (vec![], 0, separated), "{data:?}");
        assert_eq!(Head::parse(data.as_bytes(), Role::Message).fault(b""), None, "{data:?}");
    }
    assert_eq!(names(b"A: x"), (vec![("A".into(), "x".into())], 4, true));
}

#[test]
fn some_lines_before_the_first_field_are_skipped() {
    for front in [
        "From ann Thu Jan  1 00:00:00 1970\n",
        ">From ann\n",
        "From a\r\n>From b\r\n\r\n",
        "\n",
        "\r\r\n\n",
        "\u{feff}",
        "\u{feff}From a\n",
    ] {
        let data = format!("{front}A: 1\n\nbody");
        let head = Head::parse(data.as_bytes(), Role::Message);
        assert_eq!((head.start(), head.end), (front.len(), front.len() + 5), "{front:?}");
        assert_eq!(head.fault(data.as_bytes()), None, "{front:?}");
        // A part has nothing of the kind.
        assert_eq!(Head::parse(data.as_bytes(), Role::Part).end, 0, "{front:?}");
    }
    // White space and a colon after it make a field of it.
    assert_eq!(names(b"From : a\n").0, [("From".into(), "a".into())]);
}

#[test]
fn a_line_among_the_fields_that_is_not_one_is_named() {
    for (line, shown) in [
        ("X Broken: y", "\"X Broken: y\""),
        ("X-Foo", "\"X-Foo\""),
        (": x", "\": x\""),
        ("(comment) X: y", "(comment)"),
        ("X\u{7}: y", "X\\u{7}"),
        ("Gr\u{fc}\u{df}e: y", "Gr\u{fc}\u{df}e"),
        ("From ann Thu", "From ann Thu"),
    ] {
        let skipped = line.starts_with("From ");
        for (at, data) in [
            (1, format!("{line}\nA: 1\n\n")),
            (2, format!("A: 1\n{line}\nB: 2\n\n")),
            (4, format!("\nA: 1\r\n 2\r{line}\n\n")),
            (2, format!("A: 1\n{line}")),
        ] {
            let fault = Head::parse(data.as_bytes(), Role::Message).fault(data.as_bytes());
            if skipped && at == 1 {
                assert_eq!(fault, None, "{data:?}");
                continue;
            }
            let fault = fault.unwrap_or_else(|| panic!("{data:?}"));
            assert!(fault.starts_with(&format!("line {at} ")) && fault.contains(shown), "{fault}");
        }
        let part = format!("A: 1\n{line}\nB: 2\n\n");
        let head = Head::parse(part.as_bytes(), Role::Part);
        assert_eq!((head.end, head.fault(part.as_bytes())), (5, None));
    }
    let long = format!("A: 1\n{}\n\n", "\u{e9}".repeat(500));
    let fault = Head::parse(long.as_bytes(), Role::Message).fault(long.as_bytes()).unwrap();
    assert!(fault.contains("...") && fault.len() < 500, "{fault}");
}

#[test]
fn lines_that_end_twice_do_not_end_the_header_section() {
    for end in ["\r\r\n", "\n\r", "\r\n\r"] {
        let data = ["To: b", "Bcc: secret", "", "body"].join(end);
        let fault = Head::parse(data.as_bytes(), Role::Message).fault(data.as_bytes());
        let fault = fault.unwrap_or_else(|| panic!("{data:?}"));
        assert!(fault.starts_with("line 2 of the message is empty by a CR"), "{fault}");
    }
    for data in
        ["A: 1\n\r\nbody", "A: 1\r\n\r\nbody", "A: 1\r\rbody", "A: 1\n\nbody", "A: 1\r\n\nb", "A: 1\n\r"]
    {
        assert_eq!(Head::parse(data.as_bytes(), Role::Message).fault(data.as_bytes()), None, "{data:?}");
    }
}

#[test]
fn mime_is_declared_in_the_first_paragraph() {
    for (content, wanted) in [
        ("MIME-Version: 1.0\n\n", true),
        ("\r\nX Y: z\r\nmime-version : 1.0", true),
        ("Hello\n\nMIME-Version: 1.0\n", false),
        ("Hello,\nNote: x\n", false),
        ("MIME-Version", false),
        ("", false),
    ] {
        assert_eq!(declares_mime(content.as_bytes()), wanted, "{content:?}");
    }
}

#[test]
fn growing_data_gives_what_the_whole_gives() {
    let messages: [&[u8]; 12] = [
        b"A: 1\r\n 2\r\nB: x\r\n\r\nbody",
        b"A: 1\r\r\nbody",
        b"A: 1\n\rbody",
        b"no header at all\r\n",
        b"A : 1",
        b"A: 1\r",
        b"",
        b"\xef\xbb\xbfFrom a\r\n\r\nA: 1\n",
        b"\xef\xbb",
        b"no field\nand none\n\nA: 1\n",
        b"no field\nA: 1\n\n",
        b"A: 1\nno field\nB: 2\n",
    ];
    for data in messages {
        for role in [Role::Message, Role::Part] {
            let mut parser = HeadParser::new(role);
            let grown = (0..=data.len())
                .find_map(|end| parser.advance(&data[..end], false))
                .or_else(|| parser.advance(data, true));
            assert_eq!(grown, Some(Head::parse(data, role)), "{:?}", String::from_utf8_lossy(data));
        }
    }
}

#[test]
fn removed_fields_leave_the_others_in_one_piece() {
    let data = b"A: 1\r\nBcc: x,\r\n y\r\nC: 2\r\nbcc: z\r\nD: 3\r\n\r\n";
    let mut remove = Names::default();
    remove.insert("BCC");
    let kept = Head::parse(data, Role::Message).kept(data, &remove);
    let kept: Vec<u8> = kept.into_iter().flat_map(|r| data[r].to_vec()).collect();
    assert_eq!(kept, b"A: 1\r\nC: 2\r\nD: 3\r\n");
}
