//! Replies out of a stream of bytes (RFC 5321 section 4.2.1).

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;

use super::Reply;
use super::known::Known;

// RFC 5321 section 4.5.3.1.5 allows 512 octets; servers send policy texts and AUTH challenges that are
// longer, none known above 4 KiB.
const MAX_LINE: usize = 8 * 1024;
// The longest useful reply is EHLO's or HELP's, a few KiB. This only stops a server that never ends.
const MAX_REPLY: usize = 64 * 1024;
// As MAX_REPLY, for a server that sends empty lines.
const MAX_LINES: usize = 512;
const MAX_EXCERPT: usize = 80;

/// Why bytes are not a reply. The connection is unusable after any of these.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyFault {
    /// A line of more than 8 KiB.
    LineTooLong,
    /// A reply of more than 64 KiB or 512 lines.
    TooLong,
    /// A line that is not `code SP text` or `code-text` with a code of 200 to 599: its beginning, printable.
    Malformed(String),
    /// Two lines of one reply with these two codes.
    CodesDiffer(u16, u16),
    /// A TLS record: the server wants implicit TLS, or TLS was not agreed on.
    Tls,
    /// An HTTP response.
    Http,
}

impl fmt::Display for ReplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong => {
                write!(
                    f,
                    "the server sent a line of more than {MAX_LINE} octets: is this an SMTP server? Check host and port"
                )
            }
            Self::TooLong => write!(
                f,
                "the server sent a reply of more than {MAX_REPLY} octets or {MAX_LINES} lines: is this an SMTP server? \
                 Check host and port"
            ),
            Self::Malformed(line) => {
                write!(
                    f,
                    "the server sent \"{line}\", which is not an SMTP reply: is this an SMTP server? Check host and port"
                )
            }
            Self::CodesDiffer(first, other) => {
                write!(
                    f,
                    "the server sent codes {first} and {other} in one reply: what it means cannot be known"
                )
            }
            Self::Tls => f.write_str(
                "the server speaks implicit TLS: connect with TLS (smtps://, usually port 465), \
                 or use a port with STARTTLS (587 or 25)",
            ),
            Self::Http => f.write_str("the server speaks HTTP, not SMTP: check host and port"),
        }
    }
}

impl std::error::Error for ReplyFault {}

/// Finds replies in what a server sends, however it is cut into pieces.
///
/// Lenient where servers are: a bare LF ends a line, a code may stand alone. What is kept is bounded.
#[derive(Debug, Default)]
pub struct ReplyParser {
    line: Vec<u8>, // the beginning of a line whose end has not come
    code: u16,
    text: String,
    lines: usize, // whole lines of the unfinished reply
    octets: usize,
    known: Known,
    fault: Option<ReplyFault>,
}

impl ReplyParser {
    /// A parser that waits for the first octet of a reply.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes octets up to the end of at most one reply: how many it took, and the reply if it is whole.
    /// Call it again with the rest. After a fault it takes everything and answers the same fault.
    pub fn parse(&mut self, input: &[u8]) -> (usize, Option<Result<Reply, ReplyFault>>) {
        if let Some(fault) = &self.fault {
            return (input.len(), Some(Err(fault.clone())));
        }
        let begins = self.line.is_empty() && self.lines == 0;
        if begins && let Some((taken, reply)) = self.known.recall(input) {
            return (taken, Some(Ok(reply)));
        }
        let mut rest = input;
        while let Some((line, behind)) = memchr(b'\n', rest).and_then(|end| rest.split_at_checked(end)) {
            rest = behind.get(1..).unwrap_or_default();
            let ended = if self.line.is_empty() {
                self.end_line(line)
            } else {
                let mut whole = std::mem::take(&mut self.line);
                keep(&mut whole, line);
                let ended = self.end_line(&whole);
                whole.clear();
                self.line = whole;
                ended
            };
            match ended {
                Ok(None) => {}
                Ok(Some(reply)) => {
                    let taken = input.len() - rest.len();
                    if begins && taken == line.len() + 1 {
                        self.known.learn(input.get(..taken).unwrap_or_default(), &reply);
                    }
                    return (taken, Some(Ok(reply)));
                }
                Err(fault) => return (input.len(), Some(Err(self.fail(fault)))),
            }
        }
        if !rest.is_empty() {
            keep(&mut self.line, rest);
            if let Err(fault) = check(&self.line) {
                return (input.len(), Some(Err(self.fail(fault))));
            }
        }
        (input.len(), None)
    }

    /// Whether the bytes so far end at a reply's end, so that an end of input cuts no reply in two.
    pub fn is_idle(&self) -> bool {
        self.line.is_empty() && self.lines == 0 && self.fault.is_none()
    }

    /// Takes one line without its LF.
    fn end_line(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyFault> {
        check(line)?;
        self.octets += line.len() + 1;
        self.lines += 1;
        if self.octets > MAX_REPLY || self.lines > MAX_LINES {
            return Err(ReplyFault::TooLong);
        }
        let (code, more, text) = split(line).ok_or_else(|| ReplyFault::Malformed(excerpt(line)))?;
        let text = printable(text);
        if self.lines == 1 {
            if !more {
                (self.lines, self.octets) = (0, 0);
                return Ok(Some(Reply::with(code, text.into(), false)));
            }
            self.code = code;
            self.text.clear();
        } else if self.code != code {
            return Err(ReplyFault::CodesDiffer(self.code, code));
        } else {
            self.text.push('\n');
        }
        self.text.push_str(&text);
        if more {
            return Ok(None);
        }
        (self.lines, self.octets) = (0, 0);
        Ok(Some(Reply::with(code, self.text.as_str().into(), true)))
    }

    fn fail(&mut self, fault: ReplyFault) -> ReplyFault {
        *self = Self { fault: Some(fault.clone()), ..Self::default() };
        fault
    }
}

/// Appends as much of `bytes` as is needed to see that a line is too long.
fn keep(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = (MAX_LINE + 1).saturating_sub(line.len());
    line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
}

/// What can be said of a line before its end has come.
fn check(line: &[u8]) -> Result<(), ReplyFault> {
    match line {
        [0x15 | 0x16, 0x03, ..] => Err(ReplyFault::Tls), // an alert or a handshake (RFC 8446 section 5.1)
        [b'H', b'T', b'T', b'P', b'/', ..] => Err(ReplyFault::Http),
        _ if line.len() > MAX_LINE => Err(ReplyFault::LineTooLong),
        _ => Ok(()),
    }
}

/// The code, whether more lines follow, and the text.
fn split(mut line: &[u8]) -> Option<(u16, bool, &[u8])> {
    while let Some(shorter) = line.strip_suffix(b"\r") {
        line = shorter;
    }
    let (&[hundreds @ b'2'..=b'5', tens @ b'0'..=b'9', ones @ b'0'..=b'9'], rest) =
        line.split_first_chunk::<3>()?
    else {
        return None;
    };
    let digit = |octet: u8| u16::from(octet - b'0');
    let code = digit(hundreds) * 100 + digit(tens) * 10 + digit(ones);
    match rest {
        [] => Some((code, false, rest)),
        [b' ', text @ ..] => Some((code, false, text)),
        [b'-', text @ ..] => Some((code, true, text)),
        _ => None,
    }
}

/// The text with a space for a TAB, `?` for other control characters, U+FFFD for what is not UTF-8.
fn printable(bytes: &[u8]) -> Cow<'_, str> {
    // No short cut out of the loop: so it is compiled to vector instructions.
    let odd = bytes.iter().fold(false, |odd, octet| odd | !(0x20..0x7f).contains(octet));
    match std::str::from_utf8(bytes) {
        Ok(text) if !odd => text.into(),
        _ => String::from_utf8_lossy(bytes)
            .chars()
            .map(|c| match c {
                '\t' => ' ',
                c if c.is_control() => '?',
                c => c,
            })
            .collect(),
    }
}

fn excerpt(line: &[u8]) -> String {
    // Four octets a character at most: enough, and a character is not cut where it shows.
    let mut text = printable(line.get(..4 * MAX_EXCERPT).unwrap_or(line).trim_ascii()).into_owned();
    if let Some((end, _)) = text.char_indices().nth(MAX_EXCERPT) {
        let cut = text.char_indices().nth(MAX_EXCERPT - 3).map_or(end, |(cut, _)| cut);
        text.truncate(cut);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that `bytes` holds when it comes in pieces of `size`, and whether the end is clean.
    fn all(bytes: &[u8], size: usize) -> (Vec<Result<Reply, ReplyFault>>, bool) {
        let mut parser = ReplyParser::new();
        let mut found = Vec::new();
        for mut piece in bytes.chunks(size) {
            while !piece.is_empty() {
                let (taken, answer) = parser.parse(piece);
                piece = &piece[taken..];
                match answer {
                    Some(Ok(reply)) => found.push(Ok(reply)),
                    Some(Err(fault)) => {
                        assert_eq!(parser.parse(b"250 ok\r\n"), (8, Some(Err(fault.clone()))));
                        assert_eq!(parser.parse(b""), (0, Some(Err(fault.clone()))));
                        found.push(Err(fault));
                        return (found, parser.is_idle());
                    }
                    None => assert!(piece.is_empty(), "no answer, and {} octets left", piece.len()),
                }
            }
        }
        (found, parser.is_idle())
    }

    /// The same, however it is cut.
    fn parse(bytes: impl AsRef<[u8]>) -> (Vec<Result<Reply, ReplyFault>>, bool) {
        let bytes = bytes.as_ref();
        let whole = all(bytes, bytes.len().max(1));
        for size in [1, 2, 3, 7, 100] {
            assert_eq!(all(bytes, size), whole, "in pieces of {size}");
        }
        whole
    }

    fn one(bytes: impl AsRef<[u8]>) -> Result<Reply, ReplyFault> {
        let (mut found, _) = parse(bytes);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    fn good(code: u16, text: &str) -> Result<Reply, ReplyFault> {
        Ok(Reply::new(code, text))
    }

    fn malformed(text: &str) -> Result<Reply, ReplyFault> {
        Err(ReplyFault::Malformed(text.into()))
    }

    #[test]
    fn whole_replies() {
        assert_eq!(one("250 OK\r\n"), good(250, "OK"));
        assert_eq!(one("250 OK\n"), good(250, "OK"));
        assert_eq!(one("250 OK\r\r\n"), good(250, "OK"));
        assert_eq!(one("250\r\n"), good(250, ""));
        assert_eq!(one("250 \r\n"), good(250, ""));
        assert_eq!(one("250-a\r\n250-\r\n250-c d\r\n250\r\n"), good(250, "a\n\nc d\n"));
        assert_eq!(one("599-  x\n599  y \n"), good(599, "  x\n y "));
        assert_eq!(one("334 dGVzdA==\r\n"), good(334, "dGVzdA=="));
        let reply = one("550-5.7.1 No\r\n550 5.7.1 Never\r\n").unwrap();
        assert_eq!(reply.enhanced().unwrap().to_string(), "5.7.1");
    }

    #[test]
    fn replies_in_a_row_are_taken_one_by_one() {
        let mut parser = ReplyParser::new();
        let input = b"250 a\r\n250-b\r\n250 c\r\n354 go\r\n25";
        assert_eq!(parser.parse(input), (7, Some(good(250, "a"))));
        assert!(parser.is_idle());
        assert_eq!(parser.parse(&input[7..]), (14, Some(good(250, "b\nc"))));
        assert_eq!(parser.parse(&input[21..]), (8, Some(good(354, "go"))));
        assert_eq!(parser.parse(&input[29..]), (2, None));
        assert!(!parser.is_idle());
        assert_eq!(parser.parse(b"0 d\r\n221 bye\r\n"), (5, Some(good(250, "d"))));
        assert!(parser.is_idle());
        assert_eq!(parse(input).0.len(), 3);
    }

    #[test]
    fn an_end_inside_a_reply_is_seen() {
        for cut in ["2", "250", "250 x", "250 x\r", "250-x\r\n", "250-x\r\n250"] {
            assert_eq!(parse(cut), (vec![], false), "{cut:?}");
        }
        assert_eq!(parse(""), (vec![], true));
    }

    #[test]
    fn what_is_no_reply() {
        assert_eq!(one("SSH-2.0-OpenSSH_9.2\r\n"), malformed("SSH-2.0-OpenSSH_9.2"));
        assert_eq!(one("+OK POP3 ready\r\n"), malformed("+OK POP3 ready"));
        for bad in [
            "\r\n",
            "\n",
            "25\r\n",
            "2x0 a\r\n",
            "250x\r\n",
            "2500\r\n",
            "150 a\r\n",
            "650 a\r\n",
            "250\ta\n",
            " 250 a\n",
        ] {
            assert_eq!(one(bad), malformed(bad.trim().replace('\t', " ").as_str()), "{bad:?}");
        }
        assert_eq!(one("250-a\r\nb\r\n250 c\r\n"), malformed("b"));
        assert_eq!(one("\x1b[2J\0\u{85}\u{e9}\n"), malformed("?[2J??\u{e9}"));
        let long = "\u{20ac}".repeat(200);
        assert_eq!(one(format!("{long}\n")), malformed(&format!("{}...", "\u{20ac}".repeat(77))));
        let just = "x".repeat(80);
        assert_eq!(one(format!("{just}\n")), malformed(&just));
    }

    #[test]
    fn codes_must_agree() {
        assert_eq!(one("250-a\r\n251 b\r\n"), Err(ReplyFault::CodesDiffer(250, 251)));
        assert_eq!(one("250-a\r\n250-b\r\n550 c\r\n"), Err(ReplyFault::CodesDiffer(250, 550)));
    }

    #[test]
    fn other_protocols_are_known_before_their_line_ends() {
        for tls in [&b"\x15\x03\x03\x00\x02\x02\x28"[..], b"\x16\x03\x01", b"\x16\x03\n", b"\x15\x03"] {
            assert_eq!(one(tls), Err(ReplyFault::Tls));
        }
        assert_eq!(one("HTTP/1.1 400 Bad Request\r\n"), Err(ReplyFault::Http));
        assert_eq!(one("HTTP/"), Err(ReplyFault::Http));
        assert_eq!(parse("HTTP"), (vec![], false));
        assert_eq!(parse(b"\x16"), (vec![], false));
        assert_eq!(one("HTTPS\r\n"), malformed("HTTPS"));
        assert_eq!(one(b"\x16\x04\r\n"), malformed("??"));
    }

    #[test]
    fn the_text_is_printable() {
        assert_eq!(one(b"250 a\0b\x07c\td\x7fe\r\n"), good(250, "a?b?c d?e"));
        assert_eq!(one(b"250 \xff\xe2\x82\xacx\r\n"), good(250, "\u{fffd}\u{20ac}x"));
        assert_eq!(one("250 \u{9b}31m\r\n"), good(250, "?31m"));
        assert_eq!(one("250 a\rb\r\n"), good(250, "a?b"));
    }

    #[test]
    fn bounds() {
        let line = |octets: usize| format!("250 {}\n", "x".repeat(octets - 4));
        assert_eq!(one(line(MAX_LINE)).unwrap().text().len(), MAX_LINE - 4);
        assert_eq!(one(line(MAX_LINE + 1)), Err(ReplyFault::LineTooLong));
        assert_eq!(one("2".repeat(MAX_LINE + 1)), Err(ReplyFault::LineTooLong));
        assert_eq!(parse("2".repeat(MAX_LINE)), (vec![], false));

        let lines = |count: usize| "250-\n".repeat(count - 1) + "250 \n";
        assert_eq!(one(lines(MAX_LINES)).unwrap().lines().count(), MAX_LINES);
        assert_eq!(one(lines(MAX_LINES + 1)), Err(ReplyFault::TooLong));

        let wide = format!("250-{}\n", "x".repeat(1019)); // 1 KiB with its LF
        assert_eq!(one(wide.repeat(63) + &line(1023)).unwrap().lines().count(), 64);
        assert_eq!(one(wide.repeat(64) + "250\n"), Err(ReplyFault::TooLong));
    }

    #[test]
    fn the_bounds_hold_for_each_reply_alone() {
        let reply = "250-\n".repeat(300) + "250 \n";
        assert_eq!(parse(reply.repeat(3)).0.len(), 3);
    }

    #[test]
    fn faults_name_the_way_out() {
        assert!(ReplyFault::Tls.to_string().contains("smtps://"));
        assert!(ReplyFault::Malformed("+OK".into()).to_string().contains("\"+OK\""));
        assert!(ReplyFault::CodesDiffer(250, 550).to_string().contains("250 and 550"));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_end_the_same(
            bytes in prop::collection::vec(prop_oneof![
                3 => prop::sample::select(&b"250 -\r\n\t4xHTTP/\x16\x03\xc3\xa9"[..]),
                1 => any::<u8>(),
            ], 0..80),
            size in 1_usize..20,
        ) {
            prop_assert_eq!(all(&bytes, size), all(&bytes, bytes.len().max(1)));
        }

        #[test]
        fn replies_come_back(
            replies in prop::collection::vec((200_u16..600, prop::collection::vec("[ -~\u{e4}]{0,20}", 1..4)), 0..5),
            size in 1_usize..50,
        ) {
            let mut bytes = String::new();
            let mut wanted = Vec::new();
            for (code, lines) in &replies {
                let last = lines.len() - 1;
                for (n, line) in lines.iter().enumerate() {
                    bytes += &format!("{code}{}{line}\r\n", if n == last { ' ' } else { '-' });
                }
                wanted.push(Ok(Reply::new(*code, lines.join("\n"))));
            }
            prop_assert_eq!(all(bytes.as_bytes(), size), (wanted, true));
        }
    }
}
