//! Finished messages of many makers (tests/finished/corpus), sent over real sockets, arrive octet by octet as
//! the README says. What must arrive is worked out here anew, line by line.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Cursor;
use std::path::{Path, PathBuf};

use scripted_server::sink::{Sink, SinkOptions, Stored};
use smtpclient::error::Kind;
use smtpclient::message::{Message, Reader};
use smtpclient::net::{SendError, sendmessage};
use smtpclient::options::Options;
use smtpclient::report::Report;

const ORIGINATOR: &str = "The Originator <orig@o.example>";
const BLIND: [&str; 4] = ["bcc", "dcc", "resent-bcc", "resent-dcc"];

/// One line that is added in front of a message.
#[derive(Clone, Copy, Debug)]
enum Added {
    From,
    Date,
    MessageId,
    To,
}

/// What must arrive: the lines in front, and every octet after them.
struct Expected {
    added: Vec<Added>,
    rest: Vec<u8>,
    /// Where the header section ends in `rest`.
    head: usize,
}

/// The lines of a message without their ends, whether CRLF, LF or CR, and without a byte order mark before a field.
fn lines(message: &[u8]) -> Vec<&[u8]> {
    let lines = lines_with_mark(message);
    let Some(first) = message.strip_prefix(b"\xef\xbb\xbf") else { return lines };
    let plain = lines_with_mark(first);
    let fields = plain.iter().take_while(|line| !line.is_empty()).any(|line| field_name(line).is_some());
    if fields { plain } else { lines }
}

fn lines_with_mark(message: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < message.len() {
        let end = at;
        at += match (message[at], message.get(at + 1)) {
            (b'\r', Some(b'\n')) => 2,
            (b'\r' | b'\n', _) => 1,
            _ => {
                at += 1;
                continue;
            }
        };
        lines.push(&message[start..end]);
        start = at;
    }
    if start < message.len() {
        lines.push(&message[start..]);
    }
    lines
}

/// The lower-case name where the line begins a field.
fn field_name(line: &[u8]) -> Option<String> {
    let colon = line.iter().position(|octet| *octet == b':')?;
    let name = std::str::from_utf8(&line[..colon]).ok()?.trim_end_matches([' ', '\t']);
    let good = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic());
    good.then(|| name.to_ascii_lowercase())
}

/// The lines before the first field that no message has.
fn skipped(lines: &[&[u8]]) -> usize {
    let skip = |line: &&&[u8]| line.is_empty() || line.starts_with(b"From ") || line.starts_with(b">From ");
    lines.iter().take_while(|line| skip(line) && field_name(line).is_none()).count()
}

/// The number of a line, from 1, that is not a field, where there are fields in the first paragraph.
fn broken(message: &[u8]) -> Option<usize> {
    let lines = lines(message);
    let first = skipped(&lines);
    let head: Vec<&[u8]> = lines.iter().skip(first).take_while(|line| !line.is_empty()).copied().collect();
    let fold = |at: usize, line: &[u8]| at > 0 && matches!(line.first(), Some(b' ' | b'\t'));
    let broken = head.iter().enumerate().find(|(at, line)| !fold(*at, line) && field_name(line).is_none());
    let fields = head.iter().any(|line| field_name(line).is_some());
    broken.filter(|_| fields).map(|(at, _)| first + at + 1)
}

fn expected(message: &[u8]) -> Expected {
    let lines = lines(message);
    let mut names: Vec<String> = Vec::new();
    let mut rest = Vec::new();
    let mut body = lines.len();
    let skipped = skipped(&lines);
    for (index, line) in lines.iter().enumerate().skip(skipped) {
        let folded = !names.is_empty() && matches!(line.first(), Some(b' ' | b'\t'));
        if !folded {
            let Some(name) = field_name(line) else {
                body = index;
                break;
            };
            names.push(name);
        }
        let name = names.last().unwrap().as_str();
        if !BLIND.contains(&name) {
            rest.extend_from_slice(line);
            rest.extend_from_slice(b"\r\n");
        }
    }
    let head = rest.len();
    // All body: an empty line keeps it apart from what is put in front.
    if names.is_empty() {
        body = 0;
    }
    if names.is_empty() && lines.first().is_some_and(|line| !line.is_empty()) {
        rest.extend_from_slice(b"\r\n");
    }
    for line in &lines[body..] {
        rest.extend_from_slice(line);
        rest.extend_from_slice(b"\r\n");
    }
    let has = |wanted: &[&str]| names.iter().any(|name| wanted.contains(&name.as_str()));
    let mut added = Vec::new();
    if !has(&["from"]) {
        added.push(Added::From);
    }
    if !has(&["date"]) {
        added.push(Added::Date);
    }
    if !has(&["message-id"]) {
        added.push(Added::MessageId);
    }
    if !has(&["to", "cc", "resent-to", "resent-cc"]) {
        added.push(Added::To);
    }
    Expected { added, rest, head }
}

impl Added {
    fn fits(self, line: &str) -> bool {
        match self {
            Self::From => line == format!("From: {ORIGINATOR}"),
            Self::To => line == "To: undisclosed-recipients:;",
            Self::Date => {
                let now = jiff::Zoned::now();
                let date = line.strip_prefix("Date: ").and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
                date.is_some_and(|date| {
                    (now.timestamp().as_second() - date.timestamp().as_second()).abs() < 600
                })
            }
            Self::MessageId => line
                .strip_prefix("Message-ID: <")
                .and_then(|id| id.strip_suffix("@o.example>"))
                .is_some_and(|id| id.len() == 32 && id.bytes().all(|octet| octet.is_ascii_hexdigit())),
        }
    }
}

/// Says what is wrong with what arrived.
fn compare(expected: &Expected, got: &[u8]) -> Result<(), String> {
    let mut rest = got;
    for added in &expected.added {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or("a line in front is missing")?;
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        if !added.fits(&line) {
            return Err(format!("in front stands {line:?}, not {added:?}"));
        }
        rest = &rest[end + 2..];
    }
    if rest != expected.rest {
        let at = rest.iter().zip(&expected.rest).take_while(|(a, b)| a == b).count();
        let near = |octets: &[u8]| {
            let from = at.saturating_sub(30).min(octets.len());
            String::from_utf8_lossy(&octets[from..octets.len().min(at + 60)]).into_owned()
        };
        return Err(format!("differs at octet {at}: got {:?}, want {:?}", near(rest), near(&expected.rest)));
    }
    Ok(())
}

/// Gives a few octets at a time, knows how many there are, and starts again.
struct Slowly(Cursor<Vec<u8>>);

impl Reader for Slowly {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let few = buf.len().min(7);
        std::io::Read::read(&mut self.0, &mut buf[..few])
    }

    fn rewind(&mut self) -> std::io::Result<bool> {
        self.0.set_position(0);
        Ok(true)
    }

    fn length(&self) -> Option<u64> {
        Some(self.0.get_ref().len() as u64)
    }
}

/// The same message from every source; `true` where it can be looked through before it is sent.
fn tokens(path: &Path, message: &[u8]) -> [(&'static str, Message, bool); 4] {
    [
        ("bytes", Message::from_bytes(message), true),
        ("file", Message::from_file(path), true),
        ("reader", Message::from_read(Cursor::new(message.to_vec())), false),
        ("slow reader", Message::from_reader(Slowly(Cursor::new(message.to_vec()))), false),
    ]
}

fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/finished/corpus");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    assert!(files.len() >= 200, "{} messages", files.len());
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn send(sink: &Sink, token: &Message) -> Result<Report, SendError> {
    let mut options = Options::default();
    options.servers = vec!["127.0.0.1".to_owned()];
    options.ports = vec![sink.port()];
    options.client = Some("c.example".to_owned());
    options.originator = Some(ORIGINATOR.to_owned());
    options.recipients = Some("rcpt@r.example".into());
    sendmessage(token, &options)
}

/// Runs `check` on every message of the corpus and source, and lists all that it finds wrong.
fn every(check: impl Fn(&[u8], &Message, bool) -> Result<(), String> + Sync) {
    let corpus = corpus();
    let faults: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = corpus
            .chunks(corpus.len().div_ceil(4))
            .map(|chunk| {
                let check = &check;
                scope.spawn(move || {
                    let mut faults = Vec::new();
                    for (path, message) in chunk {
                        for (source, token, known) in tokens(path, message) {
                            if let Err(fault) = check(message, &token, known) {
                                let name = path.file_name().unwrap().to_string_lossy();
                                faults.push(format!("{name}, {source}: {fault}"));
                            }
                        }
                    }
                    faults
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// The message was refused with a word in the error, and nothing was delivered; before a connection where it
/// can be `known` before.
fn refused(sent: Result<Report, SendError>, sink: &Sink, kind: Kind, word: &str) -> Result<(), String> {
    let Err(failed) = sent else { return Err("was sent".to_owned()) };
    let error = &failed.error;
    if error.kind() != kind || !error.text().contains(word) || sink.count() != 0 {
        return Err(format!("{:?}, {} delivered: {error}", error.kind(), sink.count()));
    }
    Ok(())
}

fn declared(stored: &Stored, report: &Report, exact: bool) -> Result<(), String> {
    let mail = &stored.envelope[0];
    let size = format!(" SIZE={}", stored.content.len());
    if report.octets != stored.content.len() as u64
        || exact && !format!("{mail} ").contains(&format!("{size} "))
    {
        return Err(format!("{} octets arrived, {} reported, {mail}", stored.content.len(), report.octets));
    }
    if exact && stored.content.is_ascii() == mail.contains("BODY=8BITMIME") {
        return Err(format!("ASCII: {}, but {mail}", stored.content.is_ascii()));
    }
    Ok(())
}

#[test]
fn finished_messages_arrive_as_they_are() {
    every(|message, token, known| {
        let sink = Sink::start(SinkOptions { keep: true, ..SinkOptions::default() }).unwrap();
        let sent = send(&sink, token);
        if message.contains(&0) {
            let kind = if known { Kind::Usage } else { Kind::Source };
            if known && sent.as_ref().is_err_and(|failed| !failed.report.attempts.is_empty()) {
                return Err("a connection was opened".to_owned());
            }
            return refused(sent, &sink, kind, "NUL");
        }
        if let Some(line) = broken(message) {
            return refused(sent, &sink, Kind::Usage, &format!("line {line} of"));
        }
        let report = sent.map_err(|failed| format!("refused: {failed}"))?;
        let stored = sink.messages().pop().ok_or("nothing arrived")?;
        compare(&expected(message), &stored.content)?;
        declared(&stored, &report, known)
    });
}

#[test]
fn eight_bit_messages_need_8bitmime() {
    every(|message, token, known| {
        if message.contains(&0) || broken(message).is_some() {
            return Ok(());
        }
        let expected = expected(message);
        let without = SinkOptions { keep: true, eight_bit_mime: false, ..SinkOptions::default() };
        let sink = Sink::start(without).unwrap();
        let sent = send(&sink, token);
        if expected.rest.is_ascii() {
            let _ = sent.map_err(|failed| format!("refused: {failed}"))?;
            return compare(&expected, &sink.messages().pop().ok_or("nothing arrived")?.content);
        }
        // The header section of a reader is looked at too before it is sent.
        let known = known || !expected.rest[..expected.head].is_ascii();
        let kind = if known { Kind::Unsupported } else { Kind::Source };
        refused(sent, &sink, kind, "8BITMIME")
    });
}
