//! The token as a whole: what is sent, for which server, and how often.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Write};

use proptest::prelude::*;

use super::*;
use crate::content::{BodyKind, Content, Transfer};
use crate::error::{Error, Kind};

const SEVEN: Transfer = Transfer { eight_bit: false, binary: false, utf8: false };
const EIGHT: Transfer = Transfer { eight_bit: true, binary: false, utf8: false };
const ALL: Transfer = Transfer { eight_bit: true, binary: true, utf8: true };

fn edits(remove: &[&str], add: &[(&str, &str)]) -> Edits {
    Edits {
        remove: remove.iter().map(|n| (*n).to_owned()).collect(),
        add: add.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
    }
}

fn read(out: &mut Outgoing, transfer: Transfer) -> Vec<u8> {
    let mut bytes = Vec::new();
    out.open(transfer).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn sent(message: &Message, edits: &Edits, transfer: Transfer) -> String {
    String::from_utf8(read(&mut message.prepare(edits).unwrap(), transfer)).unwrap()
}

/// What the wire makes of it.
fn wire(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut after_cr) = (Vec::new(), false);
    codec::canonical(bytes, &mut after_cr, &mut out);
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Gives the pieces one by one, with `WouldBlock` before each.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    blocked: bool,
    length: Option<u64>,
}

impl Pieces {
    fn new(data: &[u8], step: usize, length: Option<u64>) -> Self {
        Self { pieces: data.chunks(step).map(<[u8]>::to_vec).collect(), blocked: false, length }
    }
}

impl Reader for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.blocked = !self.blocked;
        if self.blocked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let Some(mut piece) = self.pieces.pop_front() else {
            return Ok(0);
        };
        let count = piece.len().min(buf.len());
        buf[..count].copy_from_slice(&piece[..count]);
        if count < piece.len() {
            self.pieces.push_front(piece.split_off(count));
        }
        Ok(count)
    }

    fn length(&self) -> Option<u64> {
        self.length
    }
}

struct Again(io::Cursor<Vec<u8>>);

impl Reader for Again {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Read::read(&mut self.0, buf)
    }

    fn rewind(&mut self) -> io::Result<bool> {
        self.0.set_position(0);
        Ok(true)
    }

    fn length(&self) -> Option<u64> {
        Some(self.0.get_ref().len() as u64)
    }
}

fn patiently(mut stream: Box<dyn BufRead + Send>, step: usize) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        match stream.fill_buf() {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
            Ok([]) => return Ok(out),
            Ok(data) => {
                let count = data.len().min(step);
                out.extend_from_slice(&data[..count]);
                stream.consume(count);
            }
        }
    }
}

struct TempFile(std::path::PathBuf);

impl TempFile {
    fn new(data: &[u8]) -> Self {
        let name = message_id("test").unwrap();
        let path = std::env::temp_dir().join(format!("smtpclient-{}", &name[1..33]));
        std::fs::File::create(&path).unwrap().write_all(data).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn finished_messages_lose_and_gain_fields_only() {
    let change = edits(&["bcc"], &[("X-A", "gr\u{fc}n"), ("X-B", "b")]);
    let front = "X-A: =?utf-8?b?Z3LDvG4=?=\r\nX-B: b\r\n";
    for (message, rest) in [
        ("A: 1\nBcc: x,\n y\nB: 2\n\n.body\rx", "A: 1\nB: 2\n\n.body\rx"),
        ("", ""),
        ("\r\nbody", "\r\nbody"),
        ("body\n", "\r\nbody\n"),
        ("From me\nBcc: x\n", "\r\nFrom me\nBcc: x\n"),
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
    let token = Message::from_bytes("A: b\r\nBcc: gr\u{fc}n\r\n\r\n");
    let out = token.prepare(&edits(&["Bcc"], &[])).unwrap();
    assert_eq!(out.form(SEVEN).unwrap().body, BodyKind::SevenBit);

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
    let cid = token.inline_bytes("b.jpg", None, "x", None).unwrap();
    assert!(cid.ends_with("@inline"));
    token.attach_bytes("q.zzz", None, "x").unwrap();
    token.attach_bytes("page.html", Some("text/html"), "a\nb").unwrap();
    token.attach(Message::rfc822(Message::from_bytes("A: b\n\n"))).unwrap();
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
    let deep = (0..200).fold(Message::text(""), |m, _| Message::rfc822(m));
    usage(deep.prepare(&Edits::default()).map(drop));
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

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let line =
        prop_oneof!["Bcc: [a-z ]{0,9}", "[A-C]: [a-z]{0,9}", "[ \t][a-z]{0,5}", "", "[a-z.\u{fc}]{0,9}"];
    let end = prop_oneof![3 => Just("\r\n"), 2 => Just("\n"), 1 => Just("\r"), 1 => Just("")];
    proptest::collection::vec((line, end), 0..12)
        .prop_map(|lines| lines.into_iter().map(|(l, e)| l + e).collect::<String>().into_bytes())
}

proptest! {
    #[test]
    fn every_source_gives_the_same_message(data in octets(), step in 1usize..40, add in any::<bool>()) {
        let change = edits(&["Bcc"], if add { &[("X", "gr\u{fc}n")] } else { &[] });
        let whole = Message::from_bytes(data.clone());
        let mut out = whole.prepare(&change).unwrap();
        let wanted = read(&mut out, EIGHT);
        let form = out.form(EIGHT).unwrap();
        prop_assert_eq!(form.size, Some(wire(&wanted).len() as u64));
        prop_assert_eq!(form.body == BodyKind::SevenBit, wanted.is_ascii());
        prop_assert_eq!(patiently(out.open(EIGHT).unwrap(), step).unwrap(), &wanted[..]);
        prop_assert_eq!(whole.to_bytes().unwrap().len() as u64, whole.size().unwrap().unwrap());

        let reader = Message::from_reader(Pieces::new(&data, step, None));
        let mut out = reader.prepare(&change).unwrap();
        prop_assert_eq!(patiently(out.open(EIGHT).unwrap(), step).unwrap(), &wanted[..]);

        let file = TempFile::new(&data);
        let file = Message::from_file(&file.0);
        let mut from_file = file.prepare(&change).unwrap();
        prop_assert_eq!(from_file.form(EIGHT).unwrap(), form);
        prop_assert_eq!(patiently(from_file.open(EIGHT).unwrap(), step).unwrap(), wanted);
        prop_assert_eq!(file.header("a").unwrap(), whole.header("a").unwrap());

        // As a part of another message.
        let mixed = Message::multipart("mixed", vec![whole, Message::text("x")]).unwrap();
        let mut out = mixed.prepare(&change).unwrap();
        let bytes = read(&mut out, EIGHT);
        prop_assert_eq!(out.form(EIGHT).unwrap().size, Some(bytes.len() as u64));
        prop_assert_eq!(wire(&bytes), bytes);
    }

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

        let file = TempFile::new(&data);
        part.set_body_file(&file.0).unwrap();
        let mut out = part.prepare(&Edits::default()).unwrap();
        prop_assert_eq!(out.form(transfer).unwrap(), form);
        prop_assert_eq!(patiently(out.open(transfer).unwrap(), step).unwrap(), &wanted[..]);

        if matches!(encoding, QuotedPrintable | Base64) {
            part.set_body_reader(Pieces::new(&data, step, Some(data.len() as u64))).unwrap();
            let mut out = part.prepare(&Edits::default()).unwrap();
            prop_assert_eq!(patiently(out.open(transfer).unwrap(), step).unwrap(), wanted);
        }
    }
}
