//! Builds random messages and says what must be read back from them.
//!
//! `build_trees FOLDER COUNT SEED`: writes `N.eml`, as a server with 8BITMIME, without anything, or with SMTPUTF8
//! gets it, and `N.json`, the tree that it was made from. `tests/mime/read_back.py` compares the two.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::path::Path;

use smtpclient::content::{Content, Form, Transfer};
use smtpclient::message::{Edits, Encoding, HeaderMode, Message};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(count), Some(seed)) = (args.next(), args.next(), args.next()) else {
        return Err("build_trees FOLDER COUNT SEED".into());
    };
    let mut chance = Chance(seed.parse()?);
    for number in 0..count.parse::<usize>()? {
        let mut transfer = Transfer::default();
        match number % 3 {
            0 => transfer.eight_bit = true,
            1 => {}
            _ => {
                (transfer.eight_bit, transfer.binary, transfer.utf8) = (true, number % 2 == 0, true);
            }
        }
        let folder = Path::new(&folder);
        let (message, mut json) = tree(&mut chance, 0, &folder.join(format!("{number}.part")))?;
        let (message, headers) = head(&mut chance, message)?;
        json.push_str(&headers);
        let mut out = message.prepare(&Edits::default())?;
        let mut bytes = Vec::new();
        out.open(transfer)?.read_to_end(&mut bytes)?;
        let Form { body, size, .. } = out.form(transfer)?;
        write!(
            json,
            ",\"utf8\":{},\"body\":\"{body:?}\",\"size\":{}}}",
            transfer.utf8,
            size.ok_or("no size")?
        )?;
        fs::write(folder.join(format!("{number}.eml")), bytes)?;
        fs::write(folder.join(format!("{number}.json")), json)?;
    }
    Ok(())
}

/// SplitMix64: the same messages everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices.get(self.below(choices.len() as u64) as usize).copied().unwrap_or_default()
    }

    fn word(&mut self) -> String {
        let alphabet: Vec<char> = self
            .pick(&[
                "abcdefghijklmnopqrstuvwxyz",
                "ABCdef0123456789-_+!",
                "\u{e4}\u{f6}\u{fc}\u{df}\u{e9}abc",
                "\u{430}\u{431}\u{432}\u{433}\u{434}\u{435}",
                "\u{65e5}\u{672c}\u{8a9e}\u{6f22}\u{5b57}",
                "\u{5d0}\u{5d1}\u{5d2}\u{627}\u{628}\u{62a}",
                "\u{1f4e7}\u{1f600}\u{1f1e9}e\u{301}",
            ])
            .chars()
            .collect();
        let length = if self.below(40) == 0 { 150 + self.below(1500) } else { 1 + self.below(12) };
        (0..length).filter_map(|_| alphabet.get(self.below(alphabet.len() as u64) as usize)).collect()
    }

    fn line(&mut self, words: u64) -> String {
        let mut line = self.word();
        for _ in 0..self.below(words) {
            line.push_str(self.pick(&[" ", " ", " ", "  "]));
            line.push_str(&self.word());
        }
        line
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        let end = self.pick(&["\n", "\r\n"]);
        for _ in 0..self.below(20) {
            text.push_str(self.pick(&["", "", ".", "From ", "=", "--", " \t"]));
            if self.below(5) > 0 {
                text.push_str(&self.line(20));
            }
            text.push_str(self.pick(&["", "", " ", "\t"]));
            text.push_str(end);
        }
        text.push_str(self.pick(&["", "no end", "\t"]));
        text
    }

    fn octets(&mut self) -> Vec<u8> {
        let length = if self.below(20) == 0 { self.below(200_000) } else { self.below(300) };
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    /// A name or a value that is one short piece.
    fn short(&mut self) -> String {
        let mut text: String = self.line(4).chars().take(80).collect();
        text.push_str(self.pick(&["", "\"", "\\", "'", ";", ",x", "(y", "%41", "*"]));
        text
    }
}

fn tree(chance: &mut Chance, depth: u32, file: &Path) -> Result<(Message, String)> {
    let kinds = if depth >= 4 { 5 } else { 9 };
    match chance.below(kinds) {
        0 | 1 => {
            let text = chance.text();
            let html = chance.below(2) == 0;
            let message = if html { Message::html(&text) } else { Message::text(&text) };
            let media = if html { "text/html" } else { "text/plain" };
            Ok((message, leaf(media, &lines(&text), &[("charset".into(), "utf-8".into())])))
        }
        2 => {
            let text = chance.text();
            let mut message = Message::part("text/x-table")?;
            let mut parameters = vec![("charset".to_owned(), "utf-8".to_owned())];
            for name in ["name", "title", "x"] {
                if chance.below(2) == 0 {
                    parameters.push((name.to_owned(), chance.short()));
                }
            }
            for (name, value) in &parameters {
                message.set_parameter(name, value)?;
            }
            message.set_encoding(encoding(chance))?;
            fs::write(file, &text)?;
            // The file is read again when the message is sent, which is before the next one is made.
            if text.is_empty() || depth > 0 {
                message.set_body_bytes(text.as_bytes())?;
            } else {
                message.set_body_file(file)?;
            }
            Ok((message, leaf("text/x-table", &lines(&text), &parameters)))
        }
        3 | 4 => {
            let octets = chance.octets();
            let mut message = Message::part("application/x-octets")?;
            message.set_encoding(encoding(chance))?;
            message.set_body_bytes(octets.clone())?;
            Ok((message, leaf("application/x-octets", &octets, &[])))
        }
        5 => {
            let (inner, json) = tree(chance, depth + 1, file)?;
            let (inner, headers) = head(chance, inner)?;
            // A finished message is not encoded for a server without 8BITMIME.
            let bytes = inner.to_bytes()?;
            let ended = inner.size()? == Some(bytes.len() as u64) && bytes.ends_with(b"--\r\n");
            let finish = chance.below(3) == 0 && bytes.is_ascii() && ended;
            let inner = if finish { Message::from_bytes(bytes) } else { inner };
            Ok((
                Message::rfc822(inner)?,
                format!("{{\"type\":\"message/rfc822\",\"parts\":[{json}{headers}}}]"),
            ))
        }
        6 => {
            let text = chance.text();
            let name: String = format!("{}.bin", chance.short().replace('/', ""));
            let octets = chance.octets();
            let mut message = Message::text(&text);
            message.add_alternative_html("<p>x</p>")?;
            message.attach_bytes(&name, None, octets.clone())?;
            let cid = message.inline_bytes("a.png", None, b"png".to_vec(), None)?;
            let utf8 = [("charset".to_owned(), "utf-8".to_owned())];
            Ok((
                message,
                format!(
                    "{{\"type\":\"multipart/mixed\",\"parts\":[{{\"type\":\"multipart/alternative\",\"parts\":[{}}},\
                     {{\"type\":\"multipart/related\",\"parts\":[{}}},{},\"cid\":{},\"filename\":\"a.png\"}}]}}]}},\
                     {},\"filename\":{}}}]",
                    leaf("text/plain", &lines(&text), &utf8),
                    leaf("text/html", b"<p>x</p>", &utf8),
                    leaf("image/png", b"png", &[]),
                    string(&cid),
                    leaf("application/octet-stream", &octets, &[]),
                    string(&name)
                ),
            ))
        }
        _ => {
            let subtype = chance.pick(&["mixed", "alternative", "digest", "parallel"]);
            let mut parts = Vec::new();
            let mut json = Vec::new();
            for _ in 0..=chance.below(4) {
                let (part, inner) = tree(chance, depth + 1, file)?;
                parts.push(part);
                json.push(inner + "}");
            }
            let message = Message::multipart(subtype, parts)?;
            Ok((message, format!("{{\"type\":\"multipart/{subtype}\",\"parts\":[{}]", json.join(","))))
        }
    }
}

fn encoding(chance: &mut Chance) -> Encoding {
    use Encoding::{Auto, Base64, Binary, EightBit, QuotedPrintable, SevenBit};
    let all = [Auto, SevenBit, EightBit, QuotedPrintable, Base64, Binary];
    all.get(chance.below(6) as usize).copied().unwrap_or_default()
}

/// Gives a message its own header section.
fn head(chance: &mut Chance, mut message: Message) -> Result<(Message, String)> {
    let mut json = Vec::new();
    for name in ["Subject", "Comments", "X-Anything"] {
        if chance.below(4) > 0 {
            let value = chance.line(30);
            message.set_header(name, &value, HeaderMode::Append)?;
            json.push(format!("[{},{}]", string(name), string(&value)));
        }
    }
    let mut addresses = Vec::new();
    for name in ["From", "To", "Cc"] {
        let mut list = Vec::new();
        let mut wanted = Vec::new();
        for i in 0..if name == "From" { 1 } else { chance.below(12) } {
            let local =
                chance.pick(&["aI", "some.bodyI", "x+yI", "\"quoted local I\""]).replace('I', &i.to_string());
            let address = format!("{local}@example.org");
            let display: String = chance.line(4).chars().take(60).collect::<String>().replace("  ", " ");
            let display = display.trim_end();
            let (text, display) = match chance.below(4) {
                0 => (address.clone(), ""),
                1 => (format!("\"{display}, \\\"x\\\"\" <{address}>"), display),
                2 => (format!("\"{display}\" <{address}>"), display),
                _ => (format!("<{address}>"), ""),
            };
            let display =
                if text.contains("\\\"x") { format!("{display}, \"x\"") } else { display.to_owned() };
            list.push(text);
            wanted.push(format!("[{},{}]", string(&display), string(&address)));
        }
        if !list.is_empty() {
            message.set_header(name, &list.join(", "), HeaderMode::Write)?;
            addresses.push(format!("[{},[{}]]", string(name), wanted.join(",")));
        }
    }
    Ok((message, format!(",\"headers\":[{}],\"addresses\":[{}]", json.join(","), addresses.join(","))))
}

/// A leaf, without the closing brace.
fn leaf(media: &str, content: &[u8], parameters: &[(String, String)]) -> String {
    let mut hex = String::new();
    for octet in content {
        let _ = write!(hex, "{octet:02x}");
    }
    let list: Vec<String> = parameters.iter().map(|(n, v)| format!("{}:{}", string(n), string(v))).collect();
    format!("{{\"type\":\"{media}\",\"parameters\":{{{}}},\"hex\":\"{hex}\"", list.join(","))
}

fn lines(text: &str) -> Vec<u8> {
    text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}

fn string(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out + "\""
}
