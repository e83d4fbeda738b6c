//! A message that is signed.

use std::sync::{Arc, Mutex};

use super::*;
use crate::signer::{Signer, Signing};

/// Remembers what it saw.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<Vec<u8>>>>);

struct Seen(Witness, Vec<u8>);

/// Gives always the same.
struct Says(&'static str);

impl Signer for Says {
    fn begin(&self) -> Box<dyn Signing> {
        Box::new(Self(self.0))
    }
}

impl Signing for Says {
    fn update(&mut self, _: &[u8]) {}

    fn finish(self: Box<Self>, _: i64) -> Result<String, Error> {
        Ok(self.0.to_owned())
    }
}

impl Signer for Witness {
    fn begin(&self) -> Box<dyn Signing> {
        Box::new(Seen(self.clone(), Vec::new()))
    }
}

impl Signing for Seen {
    fn update(&mut self, octets: &[u8]) {
        self.1.extend_from_slice(octets);
    }

    fn finish(self: Box<Self>, now: i64) -> Result<String, Error> {
        let Self(witness, seen) = *self;
        witness.0.lock().unwrap().push(seen);
        Ok(format!("X-Signed: {now}\r\n"))
    }
}

fn signed(message: &Message) -> (Outgoing, Witness) {
    let witness = Witness::default();
    let edits = Edits { blind: true, ..Edits::default() };
    let mut out = message.prepare(&edits).unwrap();
    out.sign(vec![Arc::new(witness.clone())], 7);
    (out, witness)
}

#[test]
fn the_signer_sees_what_goes_out_after_its_fields() {
    let file = std::env::temp_dir().join(format!("signed-{}", std::process::id()));
    std::fs::write(&file, "Bcc: x@y\nA: b\n\nl\u{ef}ne\n.dot").unwrap();
    for message in [
        Message::from_bytes("Bcc: x@y\nA: b\n\nl\u{ef}ne\n.dot"),
        Message::from_file(&file),
        Message::text("l\u{ef}ne\n.dot"),
    ] {
        for eight_bit in [true, false] {
            let transfer = Transfer { eight_bit, ..Transfer::default() };
            let (mut out, witness) = signed(&message);
            let Ok(form) = out.form(transfer) else {
                assert!(!eight_bit);
                continue;
            };
            for _ in 0..2 {
                let sent = read(&mut out, transfer);
                let rest = sent.strip_prefix(b"X-Signed: 7\r\n").unwrap();
                let lines = wire(rest);
                // Once for each form of the message.
                assert_eq!(*witness.0.lock().unwrap(), std::slice::from_ref(&lines));
                assert!(!lines.windows(4).any(|four| four == b"Bcc:"));
                assert_eq!(form.size, Some(lines.len() as u64 + 13));
            }
        }
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_file_that_changes_after_it_was_signed_is_abandoned() {
    let file = std::env::temp_dir().join(format!("changed-{}", std::process::id()));
    std::fs::write(&file, "A: b\n\none\n").unwrap();
    let (mut out, _) = signed(&Message::from_file(&file));
    out.form(Transfer::default()).unwrap();
    std::fs::write(&file, "A: b\n\ntwo\n").unwrap();
    let mut sent = Vec::new();
    let error = out.open(Transfer::default()).unwrap().read_to_end(&mut sent).unwrap_err();
    assert!(error.to_string().contains("has changed since it was signed"), "{error}");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_reader_that_cannot_start_again_is_refused_before_anything_is_said() {
    let (out, _) = signed(&Message::from_read("A: b\n\nc\n".as_bytes()));
    let error = out.form(Transfer::default()).unwrap_err();
    assert!(error.kind() == Kind::Source && error.text().contains("cannot start again"), "{error}");
}

#[test]
fn a_signer_gives_whole_fields() {
    let front = |given| {
        let mut out = Message::from_bytes("A: b\r\n\r\n").prepare(&Edits::default()).unwrap();
        out.sign(vec![Arc::new(Says(given))], 7);
        out.form(SEVEN).map(|_| String::from_utf8(read(&mut out, SEVEN)).unwrap())
    };
    for given in ["B: c\r\n d\r\n", "B: c\n d\n", "B: c\n d"] {
        assert_eq!(front(given).unwrap(), "B: c\r\n d\r\nA: b\r\n\r\n", "{given:?}");
    }
    assert_eq!(front("").unwrap(), "A: b\r\n\r\n");
    let long = "B: ".to_owned() + &"x".repeat(996);
    for given in [
        "B",
        "B: c\r\n\r\n",
        "\r\nB: c",
        " B: c\r\n",
        "B: \u{fc}",
        "B: \0",
        "B: c\r\nd\r\n",
        "B: c\r d",
        "B: c\r\r\n d",
        "B: c\r",
        "B: c\n \n d",
        "B: c\r\n\t \r\n",
        "\n",
        long.leak(),
    ] {
        let error = front(given).unwrap_err();
        assert!(
            error.kind() == Kind::Source && error.text().contains("whole header fields"),
            "{given:?} {error}"
        );
    }
    for name in ["Bcc", "dcc", "Resent-Bcc", "Resent-DCC"] {
        let given = format!("B: c\n{name}: eve@e.example\n").leak();
        let error = front(given).unwrap_err();
        assert!(error.kind() == Kind::Source && error.text().contains(name), "{error}");
        assert!(!error.text().contains("eve"), "{error}");
    }
}
