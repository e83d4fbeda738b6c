//! Dialogue files: `tests/dialogues/README.md` describes them.

use std::time::Duration;

use crate::mechanism;
pub use crate::mechanism::Mechanism;
use crate::text::{Pattern, unescape};

/// A whole dialogue file.
#[derive(Clone, Debug)]
pub struct Dialogue {
    /// The comment on top: what the file shows.
    pub about: String,
    /// The options as they stand in the file: placeholders are not filled in, defaults not added.
    pub options: Vec<(String, String)>,
    /// The message is sent twice over one session, with a pause of so many milliseconds between.
    pub again: Option<u64>,
    /// Option `oauthtoken` is a function: why it must be asked each time, and what it gives. After `!` that is why it fails.
    pub tokens: Vec<(String, String)>,
    /// Login mechanisms of the caller's own.
    pub mechanisms: Vec<Mechanism>,
    /// There is an option `commit`, which fails with these words; empty: it does not fail.
    pub commit: Option<String>,
    /// Environment variables that the client must have.
    pub environment: Vec<(String, String)>,
    /// The octets of the token.
    pub message: Vec<u8>,
    /// The servers, in the order of the file.
    pub servers: Vec<Script>,
    /// The lines of the report section: name and words.
    pub report: Vec<(String, String)>,
}

/// One server: where it listens, and a script for each connection.
#[derive(Clone, Debug)]
pub struct Script {
    /// Where and whether it listens.
    pub listen: Listen,
    /// The connections in the order in which they come; none for [`Listen::Closed`] and [`Listen::Idle`].
    pub connections: Vec<Connection>,
}

/// Where and whether a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP port of its own.
    Tcp,
    /// A Unix socket of its own.
    Unix,
    /// A TCP port that refuses connections.
    Closed,
    /// A TCP port that nobody may connect to.
    Idle,
}

/// The script of one connection.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The line of the file where it begins.
    pub line: usize,
    /// The steps, each with its line in the file.
    pub steps: Vec<(usize, Step)>,
}

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Octets to the client.
    Send(Vec<u8>),
    /// A line that the client must say.
    Command(Pattern),
    /// Content that the client must send.
    Content(Vec<Expected>),
    /// So many octets from the client.
    Read(usize),
    /// A pause.
    Delay(Duration),
    /// Octet by octet from here on, with this pause between.
    Trickle(Duration),
    /// No more octets to the client.
    HalfClose,
    /// The client must close.
    ExpectEof,
    /// The connection ends.
    Close,
    /// The connection ends with RST.
    Reset,
}

/// A piece of expected content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A line with its CRLF.
    Line(Pattern),
    /// Octets.
    Octets(Vec<u8>),
}

/// The message of a file without a message section.
pub const DEFAULT_MESSAGE: &str = "From: alice@client.example\r\nTo: bob@mail.example\r\n\
    Date: Mon, 01 Jan 2024 12:00:00 +0000\r\nMessage-ID: <1@client.example>\r\nSubject: test\r\n\r\nHello.\r\n";

/// The names that a report section may have.
pub const REPORT_NAMES: [&str; 12] = [
    "commit",
    "status",
    "error",
    "error_text",
    "recipient",
    "refused",
    "reply",
    "queue_id",
    "attempt",
    "used",
    "avoided",
    "field",
];

/// No dialogue needs more, and a misprint in a count must not fill the memory.
const MAX_CONTENT: usize = 64 << 20;

/// Reads a dialogue file.
///
/// # Errors
/// `line N: ` and what is wrong with it.
pub fn parse(text: &str) -> Result<Dialogue, String> {
    let mut parser = Parser::default();
    // The message first: `{size}` needs its length, wherever the section stands.
    for (number, line) in significant(text) {
        parser.message_line(line).map_err(|e| format!("line {number}: {e}"))?;
    }
    parser.section = Section::Top;
    for (number, line) in significant(text) {
        parser.line(number, line).map_err(|e| format!("line {number}: {e}"))?;
    }
    let about = text.lines().take_while(|l| l.starts_with('#')).map(|l| l.trim_start_matches('#').trim());
    parser.finish(about.collect::<Vec<_>>().join(" "))
}

fn significant(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text
        .split('\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line.strip_suffix('\r').unwrap_or(line)));
    lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
}

#[derive(Default)]
struct Parser {
    section: Section,
    options: Vec<(String, String)>,
    again: Option<u64>,
    tokens: Vec<(String, String)>,
    mechanisms: Vec<Mechanism>,
    commit: Option<String>,
    environment: Vec<(String, String)>,
    message: Option<Vec<u8>>,
    servers: Vec<Script>,
    report: Vec<(String, String)>,
}

#[derive(Default, PartialEq)]
enum Section {
    #[default]
    Top,
    Message,
    Script,
    Report,
}

impl Parser {
    fn section_of(line: &str) -> Option<Section> {
        match line {
            "message" => Some(Section::Message),
            "report" => Some(Section::Report),
            "connection" => Some(Section::Script),
            _ if line == "server" || line.starts_with("server ") => Some(Section::Script),
            _ => None,
        }
    }

    fn message_line(&mut self, line: &str) -> Result<(), String> {
        if let Some(section) = Self::section_of(line) {
            self.section = section;
            if self.section == Section::Message && self.message.replace(Vec::new()).is_some() {
                return Err("a second message section".into());
            }
        } else if self.section == Section::Message {
            let message = self.message.get_or_insert_default();
            let (count, end, text) =
                content_line(line)?.ok_or("a message has lines that begin with `|` or `+` only")?;
            let octets = repeat([&unescape(text)?, end].concat(), count)?;
            if octets.len() + message.len() > MAX_CONTENT {
                return Err(format!("more than {MAX_CONTENT} octets"));
            }
            message.extend_from_slice(&octets);
        }
        Ok(())
    }

    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        if let Some(section) = Self::section_of(line) {
            self.section = section;
            return if self.section == Section::Script { self.connection(number, line) } else { Ok(()) };
        }
        match self.section {
            Section::Message => Ok(()),
            Section::Script => self.step(number, line),
            Section::Report => {
                let (name, value) = assignment(line)?;
                if !REPORT_NAMES.contains(&name) {
                    return Err(format!("`{name}` is not a line of a report: {}", REPORT_NAMES.join(", ")));
                }
                self.report.push((name.into(), value.into()));
                Ok(())
            }
            Section::Top if line == "commit" || line.starts_with("commit ") => {
                self.commit = Some(line.trim_start_matches("commit").trim().into());
                Ok(())
            }
            Section::Top if line.starts_with("again ") => {
                let pause = line.trim_start_matches("again ").parse();
                self.again = Some(pause.map_err(|_| format!("not a number of milliseconds: {line}"))?);
                Ok(())
            }
            Section::Top => {
                if let Some(token) = line.strip_prefix("token ") {
                    let (reason, given) = assignment(token)?;
                    if !["first", "refused"].contains(&reason) {
                        return Err(format!(
                            "a token is asked for because of `first` or `refused`, not {reason}"
                        ));
                    }
                    self.tokens.push((reason.into(), given.into()));
                    return Ok(());
                }
                if mechanism::line(line, &mut self.mechanisms)? {
                    return Ok(());
                }
                if let Some(variable) = line.strip_prefix("environment ") {
                    let (name, value) = assignment(variable)?;
                    self.environment.push((name.into(), value.into()));
                    return Ok(());
                }
                let option = line
                    .strip_prefix("option ")
                    .ok_or_else(|| format!("no section and no option: {line}"))?;
                let (name, value) = assignment(option)?;
                let value = String::from_utf8(unescape(value)?).map_err(|_| "the value is not UTF-8")?;
                if !["header", "rcpt"].contains(&name) && self.options.iter().any(|(n, _)| n == name) {
                    return Err(format!("option {name} twice"));
                }
                self.options.push((name.into(), value));
                Ok(())
            }
        }
    }

    fn connection(&mut self, number: usize, line: &str) -> Result<(), String> {
        let connection = Connection { line: number, steps: Vec::new() };
        let listen = match line {
            "connection" => {
                let server = self.servers.last_mut().filter(|s| !s.connections.is_empty());
                server.ok_or("a connection without a server that listens")?.connections.push(connection);
                return Ok(());
            }
            "server" => Listen::Tcp,
            "server unix" => Listen::Unix,
            "server closed" => Listen::Closed,
            "server idle" => Listen::Idle,
            _ => {
                return Err(format!(
                    "`server`, `server unix`, `server closed` or `server idle`, not `{line}`"
                ));
            }
        };
        let listens = matches!(listen, Listen::Tcp | Listen::Unix);
        self.servers
            .push(Script { listen, connections: if listens { vec![connection] } else { Vec::new() } });
        Ok(())
    }

    fn step(&mut self, number: usize, line: &str) -> Result<(), String> {
        let size = self.message.as_ref().map_or(DEFAULT_MESSAGE.len(), Vec::len);
        let connection = self.servers.last_mut().and_then(|s| s.connections.last_mut());
        let steps = &mut connection.ok_or("this server has no script")?.steps;
        if let Some((count, end, text)) = content_line(line)? {
            let Some((_, Step::Content(content))) = steps.last_mut() else {
                return Err("content without C-DATA before it".into());
            };
            for _ in 0..count {
                content.push(match end {
                    b"" => Expected::Octets(unescape(text)?),
                    _ => Expected::Line(Pattern::parse(text, size)?),
                });
            }
            return Ok(());
        }
        if matches!(steps.last(), Some((_, Step::Close | Step::Reset))) {
            return Err("a step after CLOSE or RESET".into());
        }
        let (count, line) = counted(line)?;
        let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
        if count != 1 && !matches!(word, "S:" | "S-RAW:") {
            return Err(format!("only content and what the server says can be repeated: {line}"));
        }
        let step = match word {
            "S:" => Step::Send(repeat([unescape(argument)?, b"\r\n".to_vec()].concat(), count)?),
            "S-RAW:" => Step::Send(repeat(unescape(argument)?, count)?),
            "C:" => Step::Command(Pattern::parse(argument, size)?),
            "READ" => Step::Read(number_of(argument)?),
            "DELAY" => Step::Delay(Duration::from_millis(number_of(argument)? as u64)),
            "TRICKLE" => Step::Trickle(Duration::from_millis(number_of(argument)? as u64)),
            _ if !argument.is_empty() => return Err(format!("no step: {line}")),
            "C-DATA" => Step::Content(Vec::new()),
            "C-MESSAGE" => Step::Content(self.message_and_dot()?),
            "HALF-CLOSE" => Step::HalfClose,
            "EXPECT-EOF" => Step::ExpectEof,
            "CLOSE" => Step::Close,
            "RESET" => Step::Reset,
            _ => return Err(format!("no step: {line}")),
        };
        if let Some(connection) = self.servers.last_mut().and_then(|s| s.connections.last_mut()) {
            connection.steps.push((number, step));
        }
        Ok(())
    }

    /// The message as it goes over the wire, where that is the message as it stands.
    fn message_and_dot(&self) -> Result<Vec<Expected>, String> {
        let message = self.message.as_deref().unwrap_or(DEFAULT_MESSAGE.as_bytes());
        let plain = message.ends_with(b"\r\n")
            && message.split(|&b| b == b'\n').all(|line| !line.starts_with(b"."))
            && message.iter().filter(|&&b| b == b'\n').count()
                == message.windows(2).filter(|w| w == b"\r\n").count()
            && message.iter().filter(|&&b| b == b'\r').count()
                == message.iter().filter(|&&b| b == b'\n').count();
        if !plain {
            return Err("C-MESSAGE wants a message of CRLF lines without a dot in front: use C-DATA".into());
        }
        Ok(vec![Expected::Octets([message, b".\r\n"].concat())])
    }

    fn finish(self, about: String) -> Result<Dialogue, String> {
        if about.is_empty() {
            return Err("line 1: a comment on top must say what the file shows".into());
        }
        if !self.report.iter().any(|(name, _)| name == "status") {
            return Err("the report section needs a line `status = ...`".into());
        }
        let Self {
            options, environment, again, tokens, mechanisms, commit, message, servers, report, ..
        } = self;
        let message = message.unwrap_or_else(|| DEFAULT_MESSAGE.into());
        Ok(Dialogue {
            about,
            options,
            environment,
            again,
            tokens,
            mechanisms,
            commit,
            message,
            servers,
            report,
        })
    }
}

/// How often, what follows each, and the text.
type ContentLine<'a> = (usize, &'static [u8], &'a str);

/// Reads a line of content; `None` for any other line.
fn content_line(line: &str) -> Result<Option<ContentLine<'_>>, String> {
    let (count, rest) = counted(line)?;
    Ok(match (rest.strip_prefix('|'), rest.strip_prefix('+')) {
        (Some(text), _) => Some((count, b"\r\n", text)),
        (_, Some(text)) => Some((count, b"", text)),
        _ => None,
    })
}

/// `20000*rest`, or just the rest.
fn counted(line: &str) -> Result<(usize, &str), String> {
    let (count, rest) = match line.split_once('*') {
        Some((digits, rest)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            (number_of(digits)?, rest)
        }
        _ => (1, line),
    };
    if count > MAX_CONTENT { Err(format!("more than {MAX_CONTENT} times")) } else { Ok((count, rest)) }
}

fn repeat(octets: Vec<u8>, count: usize) -> Result<Vec<u8>, String> {
    if octets.len().saturating_mul(count) > MAX_CONTENT {
        return Err(format!("more than {MAX_CONTENT} octets"));
    }
    Ok(octets.repeat(count))
}

pub(crate) fn assignment(line: &str) -> Result<(&str, &str), String> {
    let (name, value) = line.split_once('=').ok_or_else(|| format!("not `name = value`: {line}"))?;
    Ok((name.trim(), value.trim()))
}

fn number_of(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# Shows\n# something.\n";

    fn wrong(text: &str) -> String {
        parse(&format!("{HEAD}{text}")).unwrap_err()
    }

    #[test]
    fn reads_every_kind_of_line() {
        let text = "option servers = {host} {host}\noption header = X: a\\nb\noption header = Y: =\n\nmessage\n|a\\x80\n2*+b\n|\n\
            server\nS: 220 hi\n2*S-RAW: 250-\\0\nC: EHLO {*}\n# between\nC-DATA\n|{size}\n3*+x\nTRICKLE 1\nDELAY 2\nREAD 3\nHALF-CLOSE\nEXPECT-EOF\n\
            connection\nCLOSE\nserver unix\nRESET\nserver closed\nserver idle\nreport\nstatus = sent\nqueue_id = -\n";
        let dialogue = parse(&format!("{HEAD}{text}")).unwrap();
        assert_eq!(dialogue.about, "Shows something.");
        assert_eq!(dialogue.options[1], ("header".into(), "X: a\nb".into()));
        assert_eq!(dialogue.options[2].1, "Y: =");
        assert_eq!(dialogue.message, b"a\x80\r\nbb\r\n");
        assert_eq!(dialogue.servers.len(), 4);
        assert_eq!(dialogue.servers[0].connections.len(), 2);
        let steps: Vec<&Step> = dialogue.servers[0].connections[0].steps.iter().map(|(_, s)| s).collect();
        assert_eq!(*steps[1], Step::Send(b"250-\x00250-\0".to_vec()));
        let Step::Content(content) = steps[3] else { panic!("{:?}", steps[3]) };
        assert_eq!(content.len(), 4);
        let Expected::Line(line) = &content[0] else { panic!() };
        assert!(line.matches(b"8"));
        assert_eq!(dialogue.servers[2].listen, Listen::Closed);
        assert_eq!(dialogue.report[1], ("queue_id".into(), "-".into()));
    }

    #[test]
    fn the_message_may_stand_last_and_line_ends_may_be_crlf() {
        let text = "server\nC: {size}\nreport\nstatus = sent\nmessage\n|x\n";
        let dialogue = parse(&format!("{HEAD}{text}").replace('\n', "\r\n")).unwrap();
        assert_eq!(dialogue.message, b"x\r\n");
        assert!(
            matches!(&dialogue.servers[0].connections[0].steps[0].1, Step::Command(p) if p.matches(b"3"))
        );
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        assert!(parse("server\n").unwrap_err().contains("comment"));
        assert!(wrong("server\n").contains("status"));
        assert!(wrong("status = sent\n").starts_with("line 3: "));
        assert!(wrong("option x\n").contains("name = value"));
        assert!(wrong("option a = 1\noption a = 2\n").contains("twice"));
        assert!(wrong("server\nS:250 Ok\n").starts_with("line 4: "));
        assert!(wrong("server\nSAY hi\n").contains("no step"));
        assert!(wrong("server\nCLOSE now\n").contains("no step"));
        assert!(wrong("server\nCLOSE\nS: x\n").contains("after"));
        assert!(wrong("server\n|x\n").contains("C-DATA"));
        assert!(wrong("server\nDELAY soon\n").contains("number"));
        assert!(wrong("server ftp\n").contains("server idle"));
        assert!(wrong("server idle\nS: 220\n").contains("no script"));
        assert!(wrong("connection\n").contains("without a server"));
        assert!(wrong("message\nx\n").contains("`|`"));
        assert!(wrong("message\n|a\nmessage\n").contains("second"));
        assert!(wrong("message\n99999999*|aaaa\n").contains("more than"));
        assert!(wrong("message\n|.a\nserver\nC-MESSAGE\n").contains("C-DATA"));
        assert!(wrong("message\n+a\nserver\nC-MESSAGE\n").contains("C-DATA"));
        assert!(wrong("message\n|a\\rb\nserver\nC-MESSAGE\n").contains("C-DATA"));
        assert!(wrong("report\ncolour = red\n").contains("colour"));
        assert!(wrong("server\n2*C: QUIT\n").contains("repeated"));
        assert!(wrong("server\n99999999*S: aaaa\n").contains("more than"));
        assert!(wrong("server\nC: \\q\n").contains("backslash"));
    }
}
