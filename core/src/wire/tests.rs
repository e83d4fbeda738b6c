use proptest::prelude::*;

use super::*;

fn encode_with(mut encoder: DotEncoder, pieces: &[&[u8]]) -> (Vec<u8>, u64) {
    let mut out = Vec::new();
    for piece in pieces {
        encoder.encode(piece, &mut out);
    }
    encoder.finish(&mut out);
    (out, encoder.octets())
}

fn encode(input: &[u8]) -> Vec<u8> {
    let (whole, octets) = encode_with(DotEncoder::new(), &[input]);
    for size in [1, 2, 3, 511, 512, 513] {
        let pieces: Vec<_> = input.chunks(size).collect();
        assert_eq!(encode_with(DotEncoder::new(), &pieces), (whole.clone(), octets), "in pieces of {size}");
    }
    whole
}

fn normal_lines(input: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new()];
    let mut octets = input.iter().peekable();
    while let Some(&octet) = octets.next() {
        match octet {
            CR | LF => {
                if octet == CR {
                    octets.next_if(|next| **next == LF);
                }
                lines.push(Vec::new());
            }
            _ => lines.last_mut().unwrap().push(octet),
        }
    }
    lines.pop_if(|line| line.is_empty());
    lines
}

fn slowly(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in normal_lines(input) {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend(line);
        out.extend(b"\r\n");
    }
    out.extend(b".\r\n");
    out
}

#[test]
fn the_exact_bytes() {
    for (input, wanted) in [
        ("", ".\r\n"),
        ("a", "a\r\n.\r\n"),
        ("a\r\n", "a\r\n.\r\n"),
        ("a\n", "a\r\n.\r\n"),
        ("a\r", "a\r\n.\r\n"),
        ("\r\n", "\r\n.\r\n"),
        ("\r", "\r\n.\r\n"),
        ("\n", "\r\n.\r\n"),
        ("\r\r\n", "\r\n\r\n.\r\n"),
        ("\n\r", "\r\n\r\n.\r\n"),
        ("\r\n\r\n", "\r\n\r\n.\r\n"),
        (".", "..\r\n.\r\n"),
        ("..", "...\r\n.\r\n"),
        (".\r\n", "..\r\n.\r\n"),
        ("a\r\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\r\n.\n", "a\r\n..\r\n.\r\n"),
        ("a.b\r\n.c.\r\n", "a.b\r\n..c.\r\n.\r\n"),
        ("a\0\u{e9}", "a\0\u{e9}\r\n.\r\n"),
    ] {
        assert_eq!(
            encode(input.as_bytes()).escape_ascii().to_string(),
            wanted.as_bytes().escape_ascii().to_string(),
            "{input:?}"
        );
    }
}

#[test]
fn no_message_can_end_itself() {
    // The ends that servers have been fooled with.
    for smuggled in [
        "\n.\n",
        "\n.\r\n",
        "\r.\r",
        "\r.\r\n",
        "\r\n.\r",
        "\r\n.\n",
        "\r\n.\r\n",
        "\n.\r",
        "\r\n\r.\r\n",
        "\r\n\0.\r\n",
    ] {
        let out = encode(format!("a{smuggled}MAIL FROM:<b@c>\r\n").as_bytes());
        let at = out.windows(5).position(|five| five == b"\r\n.\r\n");
        assert_eq!(at, Some(out.len() - 5), "{smuggled:?}");
    }
}

#[test]
fn around_the_edges_of_blocks() {
    for odd in ["\r\n", "\r", "\n", ".", "\r\n.", "\n.", "\r.", "\r\n..\r\n.", "\r\r\n\n."] {
        for before in (BLOCK - 4..BLOCK + 4).chain(2 * BLOCK - 4..2 * BLOCK + 4) {
            for after in [0, 1, BLOCK] {
                let text = format!("{}{odd}{}", "x".repeat(before), "y".repeat(after));
                assert_eq!(
                    encode(text.as_bytes()),
                    slowly(text.as_bytes()),
                    "{before} octets, {odd:?}, {after}"
                );
            }
        }
    }
}

#[test]
fn chunks_have_no_dots() {
    let (out, octets) = encode_with(DotEncoder::without_dots(), &[b".a\n.b\r", b"\n.\r\n..", b""]);
    assert_eq!(out, b".a\r\n.b\r\n.\r\n..\r\n");
    assert_eq!(octets, out.len() as u64);
    assert_eq!(encode_with(DotEncoder::without_dots(), &[]), (vec![], 0));
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(&b"\r\n.a"[..]), 0..40),
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec("[ -~]{0,80}(\r\n|\r\n|\r\n|\r\n\\.|\n|\r)", 0..60)
            .prop_map(|lines| lines.concat().into_bytes()),
    ]
}

/// `input` cut at these places.
fn cut<'a>(input: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    places.extend([0, input.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn any_pieces_give_the_same(input in message(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let pieces = cut(&input, &cuts);
        let (out, octets) = encode_with(DotEncoder::new(), &pieces);
        prop_assert_eq!(&out, &slowly(&input));
        prop_assert_eq!(octets, encode_with(DotEncoder::new(), &[&input]).1);
    }

    #[test]
    fn what_is_clean_needs_no_look(
        lines in prop::collection::vec("([ -\\-/-~][ -~]{0,90})?\r\n", 0..60),
        last in "([ -\\-/-~][ -~]{0,9})?",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let input = (lines.concat() + &last).into_bytes();
        for encoder in [DotEncoder::new, DotEncoder::without_dots, DotEncoder::verbatim] {
            prop_assert_eq!(
                encode_with(encoder().for_clean(), &cut(&input, &cuts)),
                encode_with(encoder(), &[&input])
            );
        }
    }

    #[test]
    fn the_message_comes_back(input in message()) {
        let (out, octets) = encode_with(DotEncoder::new(), &[&input]);
        let content = out.strip_suffix(b".\r\n").unwrap();
        let mut lines = Vec::new();
        for line in content.split_inclusive(|octet| *octet == LF) {
            let line = line.strip_suffix(b"\r\n").unwrap();
            prop_assert!(!line.contains(&CR));
            prop_assert!(line != b".");
            lines.push(line.strip_prefix(b".").unwrap_or(line).to_vec());
        }
        prop_assert_eq!(&lines, &normal_lines(&input));
        let size: usize = lines.iter().map(|line| line.len() + 2).sum();
        prop_assert_eq!(octets, size as u64);
        let (plain, same) = encode_with(DotEncoder::without_dots(), &[&input]);
        prop_assert_eq!((plain.len() as u64, same), (octets, octets));
    }
}
