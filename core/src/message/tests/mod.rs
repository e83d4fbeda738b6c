//! The token as a whole: what is sent, for which server, and how often.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Write};

use proptest::prelude::*;

use super::*;
use crate::content::{BodyKind, Content, Form, Transfer};
use crate::error::{Error, Kind};

mod composed;
mod finished;
mod occasions;
mod signed;

const SEVEN: Transfer = Transfer { eight_bit: false, binary: false, utf8: false };
const EIGHT: Transfer = Transfer { eight_bit: true, binary: false, utf8: false };
const ALL: Transfer = Transfer { eight_bit: true, binary: true, utf8: true };

fn edits(remove: &[&str], add: &[(&str, &str)]) -> Edits {
    Edits {
        blind: false,
        remove: remove.iter().map(|n| (*n).to_owned()).collect(),
        add: add.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        binary: false,
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

fn octets() -> impl Strategy<Value = Vec<u8>> {
    let line =
        prop_oneof!["Bcc: [a-z ]{0,9}", "[A-C]: [a-z]{0,9}", "[ \t][a-z]{0,5}", "", "[a-z.\u{fc}]{0,9}"];
    let end = prop_oneof![3 => Just("\r\n"), 2 => Just("\n"), 1 => Just("\r"), 1 => Just("")];
    proptest::collection::vec((line, end), 0..12)
        .prop_map(|lines| lines.into_iter().map(|(l, e)| l + e).collect::<String>().into_bytes())
}
