//! The server's side of one connection: octets in, replies out.

use memchr::{memchr, memmem};

use crate::count::Count;

/// What the server says that it can.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offers {
    /// Any extension at all.
    pub(crate) extensions: bool,
    /// PIPELINING (RFC 2920).
    pub(crate) pipelining: bool,
    /// CHUNKING and BINARYMIME (RFC 3030).
    pub(crate) chunking: bool,
    /// STARTTLS (RFC 3207); not said any more on a connection that has TLS.
    pub(crate) starttls: bool,
}

impl Default for Offers {
    fn default() -> Self {
        Self { extensions: true, pipelining: true, chunking: false, starttls: false }
    }
}

impl Offers {
    /// The reply to EHLO.
    pub(crate) fn hello(&self) -> Vec<u8> {
        let mut lines = vec!["sink.example"];
        if self.extensions {
            lines.extend(self.pipelining.then_some("PIPELINING"));
            lines.extend(["SIZE 1073741824", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"]);
            lines.extend(self.chunking.then_some(["CHUNKING", "BINARYMIME"]).into_iter().flatten());
            lines.extend(self.starttls.then_some("STARTTLS"));
        }
        let last = lines.len() - 1;
        let line = |(at, line)| format!("250{}{line}\r\n", if at == last { ' ' } else { '-' });
        lines.into_iter().enumerate().map(line).collect::<String>().into_bytes()
    }
}

/// What comes after the octets that were handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// More of them.
    GoOn,
    /// The end, once the replies are written.
    Quit,
    /// A TLS handshake, once the replies are written.
    Handshake,
}

/// The longest command line; a longer one ends the connection.
const MAX_LINE: usize = 8192;
const END: &[u8] = b"\r\n.\r\n";

#[derive(Clone, Copy, Debug)]
enum Expects {
    Command,
    /// Content of DATA; how many octets of [`END`] were seen.
    Content(usize),
    /// A chunk: how many octets of it are missing, and whether it is the last one.
    Chunk(u64, bool),
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Session {
    expects: Expects,
    /// A command whose end was not read yet.
    line: Vec<u8>,
    mail: bool,
    recipients: u64,
    octets: u64,
}

impl Session {
    pub(crate) fn new() -> Self {
        Self {
            expects: Expects::Command,
            line: Vec::with_capacity(256),
            mail: false,
            recipients: 0,
            octets: 0,
        }
    }

    /// Takes what was read, and adds the replies to `out`. What comes after QUIT and STARTTLS is dropped.
    pub(crate) fn input(
        &mut self,
        mut data: &[u8],
        hello: &[u8],
        count: &mut Count,
        out: &mut Vec<u8>,
    ) -> After {
        while !data.is_empty() {
            match self.expects {
                Expects::Command => {
                    let Some(end) = memchr(b'\n', data) else {
                        self.line.extend_from_slice(data);
                        return if self.line.len() > MAX_LINE { After::Quit } else { After::GoOn };
                    };
                    let (line, rest) = data.split_at(end + 1);
                    data = rest;
                    let after = if self.line.is_empty() {
                        self.command(line, hello, count, out)
                    } else {
                        let mut whole = std::mem::take(&mut self.line);
                        whole.extend_from_slice(line);
                        let after = self.command(&whole, hello, count, out);
                        whole.clear();
                        self.line = whole;
                        after
                    };
                    if after != After::GoOn {
                        return after;
                    }
                }
                Expects::Content(seen) => {
                    let (used, seen) = find_end(data, seen);
                    self.octets += used as u64;
                    data = &data[used..];
                    self.expects = Expects::Content(seen);
                    if seen == END.len() {
                        self.end(count, out);
                    }
                }
                Expects::Chunk(left, last) => {
                    let used = data.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    data = &data[used..];
                    self.octets += used as u64;
                    self.chunk(left - used as u64, last, count, out);
                }
            }
        }
        After::GoOn
    }

    fn command(&mut self, line: &[u8], hello: &[u8], count: &mut Count, out: &mut Vec<u8>) -> After {
        let mut verb = [b' '; 4];
        verb.iter_mut().zip(line).for_each(|(to, from)| *to = from.to_ascii_uppercase());
        let reply: &[u8] = match &verb {
            b"MAIL" if self.mail => b"503 5.5.1 Not now\r\n",
            b"MAIL" => {
                self.mail = true;
                b"250 2.1.0 Ok\r\n"
            }
            b"RCPT" if !self.mail => b"503 5.5.1 Not now\r\n",
            b"RCPT" => {
                self.recipients += 1;
                b"250 2.1.5 Ok\r\n"
            }
            b"DATA" if self.recipients == 0 => b"554 5.5.1 No valid recipients\r\n",
            b"DATA" => {
                self.expects = Expects::Content(2);
                b"354 Go ahead\r\n"
            }
            b"BDAT" => {
                let mut words = line.trim_ascii_end().split(|b| *b == b' ').skip(1);
                let size = words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
                let Some(size) = size else {
                    out.extend_from_slice(b"501 5.5.4 BDAT SIZE [LAST]\r\n");
                    return After::Quit; // where the chunk ends is not known
                };
                self.chunk(size, words.next().is_some(), count, out);
                return After::GoOn;
            }
            b"RSET" => {
                self.forget();
                b"250 2.0.0 Ok\r\n"
            }
            b"EHLO" => {
                self.forget();
                hello
            }
            b"HELO" => {
                self.forget();
                b"250 sink.example\r\n"
            }
            b"NOOP" => b"250 2.0.0 Ok\r\n",
            b"STAR" => {
                out.extend_from_slice(b"220 2.0.0 Go ahead\r\n");
                return After::Handshake;
            }
            b"XCOU" => {
                count.connections = count.connections.saturating_sub(1);
                out.extend_from_slice(format!("250 {count}\r\n").as_bytes());
                // Neither this connection nor this answer is of interest.
                *count = Count { answers: u64::MAX, ..Count::default() };
                return After::GoOn;
            }
            b"QUIT" => {
                out.extend_from_slice(b"221 2.0.0 Bye\r\n");
                return After::Quit;
            }
            _ => b"500 5.5.2 What is that?\r\n",
        };
        out.extend_from_slice(reply);
        After::GoOn
    }

    /// Goes on with a chunk (RFC 3030 section 2): its octets follow, whatever the reply will be.
    fn chunk(&mut self, left: u64, last: bool, count: &mut Count, out: &mut Vec<u8>) {
        if left > 0 {
            self.expects = Expects::Chunk(left, last);
            return;
        }
        self.expects = Expects::Command;
        match (self.recipients, last) {
            (0, _) => out.extend_from_slice(b"503 5.5.1 No valid recipients\r\n"),
            (_, true) => self.end(count, out),
            (_, false) => out.extend_from_slice(b"250 2.0.0 Ok\r\n"),
        }
    }

    fn end(&mut self, count: &mut Count, out: &mut Vec<u8>) {
        count.messages += 1;
        count.octets += self.octets;
        self.expects = Expects::Command;
        self.forget();
        out.extend_from_slice(b"250 2.0.0 Ok: queued as 4B2F1C0D\r\n");
    }

    fn forget(&mut self) {
        self.mail = false;
        self.recipients = 0;
        self.octets = 0;
    }
}

/// How many octets belong to the content, with its end, and how many of [`END`] stand at their end.
fn find_end(data: &[u8], mut seen: usize) -> (usize, usize) {
    for (at, &octet) in data.iter().enumerate() {
        // None of END is a start of END again but its CR.
        seen = if octet == END[seen] { seen + 1 } else { usize::from(octet == b'\r') };
        if seen == END.len() {
            return (at + 1, seen);
        }
        if seen == 0 {
            let rest = &data[at + 1..];
            if let Some(found) = memmem::find(rest, END) {
                return (at + 1 + found + END.len(), END.len());
            }
            let tail = (1..END.len()).rev().find(|&length| rest.ends_with(&END[..length]));
            return (data.len(), tail.unwrap_or(0));
        }
    }
    (data.len(), seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALOGUE: &[u8] =
        b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\nMAIL FROM:<>\r\nrcpt TO:<c@d>\r\n\
        DATA\r\nhello\r\n\r.\r\n..\r\n\n.\r\n\r\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<c@d>\r\nBDAT 5\r\n.\r\n.\r\
        BDAT 0\r\nBDAT 3 LAST\r\nend\
        MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nBDAT 0 LAST\r\nBDAT 4 LAST\r\nlostQUIT\r\nNOOP\r\n";

    fn play(step: usize) -> (String, Count, Option<After>) {
        let (mut session, mut count, mut out) = (Session::new(), Count::default(), Vec::new());
        let mut last = None;
        for piece in DIALOGUE.chunks(step) {
            last = Some(session.input(piece, b"250 me\r\n", &mut count, &mut out));
            if last == Some(After::Quit) {
                break;
            }
        }
        (String::from_utf8_lossy(&out).into_owned(), count, last)
    }

    #[test]
    fn answers_the_same_however_it_is_cut() {
        let (whole, count, last) = play(DIALOGUE.len());
        let codes: Vec<&str> = whole.lines().map(|line| &line[..3]).collect();
        let expected = "250 250 250 354 250 250 250 354 250 250 250 250 250 250 250 250 250 503 221";
        assert_eq!(codes.join(" "), expected);
        assert_eq!((count.messages, last), (4, Some(After::Quit)));
        for step in 1..DIALOGUE.len() {
            assert_eq!(play(step).0, whole, "in pieces of {step}");
        }
    }

    #[test]
    fn finds_the_end_that_a_plain_search_finds() {
        let letters = b"\r\n.a";
        for number in 0..4_usize.pow(8) {
            let content: Vec<u8> = (0..8).map(|place| letters[number / 4_usize.pow(place) % 4]).collect();
            let whole = [b"\r\n".as_slice(), &content].concat();
            let expected = memmem::find(&whole, END).map(|at| at + END.len() - 2);
            for cut in 0..=content.len() {
                let (used, seen) = find_end(&content[..cut], 2);
                let found = if seen == END.len() {
                    Some(used)
                } else {
                    let (more, seen) = find_end(&content[cut..], seen);
                    (seen == END.len()).then_some(used + more)
                };
                assert_eq!(found, expected, "{content:?} cut at {cut}");
            }
        }
    }
}
