//! Delivery agents on this machine: a program, a folder, or nobody.
//!
//! At the other end of a socket pair a thread answers as an LMTP server does (RFC 2033), so that everything else, from the
//! engine to reports and mailers, deals with one more server. A message is given to the agent when all of it is there, and each
//! recipient's reply says what the agent made of it; where nobody can say, the connection ends without a reply, and the
//! outcome is unknown.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use socket2::Socket;

use super::platform::{ended_by, pair, private, reaps_children, runnable, send_all, terminate};
use super::poll::hung_up;
use super::stream::{Farewell, Stream};
use crate::error::{Error, Kind, Step};
use crate::message::identity::random_hex;
use crate::server::Agent;

/// A command line: the longest path (RFC 5321 section 4.5.3.1.3) with what may follow it.
const LINE: u64 = 4096;

/// What every agent takes.
const OFFER: &str = "250-localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8";

/// What is asked of a relay where a message goes nowhere: it is in the envelope that is kept.
const OFFER_OF_NOBODY: &str =
    "250-DSN\r\n250-DELIVERBY\r\n250-MT-PRIORITY\r\n250-FUTURERELEASE 31536000 9999-12-31T23:59:59Z";

/// What a program may say of why it refuses.
const REASON: u64 = 300;

/// How long a program may go on that nobody waits for any more, and that was asked to end.
const GRACE: Duration = Duration::from_secs(2);

/// How often a program is looked at: its end is noticed an eighth of its time later, within these.
const LOOK: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(100)];

/// Connects to the agent.
pub(super) fn connect(agent: &Agent) -> Result<Stream, Error> {
    let failed = |text: String| Error::new(Kind::Connect, Step::Connect, text);
    is_there(agent).map_err(failed)?;
    let (own, other) = pair().map_err(|error| failed(format!("no socket pair: {error}")))?;
    let agent = agent.clone();
    let farewell = Farewell::default();
    let said = Farewell::clone(&farewell);
    let run = move || drop(Session::new(&other, &agent, &said).run());
    let thread = thread::Builder::new().name("smtp-agent".to_owned()).spawn(run);
    thread.map_err(|error| failed(format!("no thread: {error}")))?;
    let mut stream = Stream::connected(own, None, None).map_err(|error| failed(error.to_string()))?;
    stream.set_farewell(farewell);
    Ok(stream)
}

fn is_there(agent: &Agent) -> Result<(), String> {
    let (path, what) = match agent {
        Agent::Nobody => return Ok(()),
        Agent::Folder(path) => (path, "a folder"),
        Agent::Program(path) => (path, "a program"),
    };
    let facts = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let is_right = if matches!(agent, Agent::Folder(_)) { facts.is_dir() } else { facts.is_file() };
    if !is_right {
        return Err(format!("{} is not {what}", path.display()));
    }
    if !matches!(agent, Agent::Program(_)) {
        return Ok(());
    }
    runnable(path)?;
    if reaps_children() {
        return Err(format!(
            "SIGCHLD is ignored in this process, so that nobody learns what {} does with a message: set it to SIG_DFL, or to a \
             handler without SA_NOCLDWAIT",
            path.display()
        ));
    }
    Ok(())
}

struct Session<'a> {
    input: BufReader<&'a Socket>,
    output: &'a Socket,
    agent: &'a Agent,
    /// What is said of an outcome that nobody knows.
    farewell: &'a Farewell,
    /// The addresses of MAIL and of every RCPT, without their angle brackets.
    sender: Option<String>,
    recipients: Vec<String>,
    /// Both as they were said.
    envelope: String,
}

/// What became of a message; `None`: nobody knows.
type Verdict = Option<String>;

impl<'a> Session<'a> {
    fn new(socket: &'a Socket, agent: &'a Agent, farewell: &'a Farewell) -> Self {
        Self {
            input: BufReader::new(socket),
            output: socket,
            agent,
            farewell,
            sender: None,
            recipients: Vec::new(),
            envelope: String::new(),
        }
    }

    fn run(mut self) -> io::Result<()> {
        self.say("220 localhost LMTP")?;
        loop {
            let line = self.line()?;
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "LHLO" => {
                    self.forget();
                    self.say(OFFER)?;
                    if !matches!(self.agent, Agent::Program(_)) {
                        self.say(OFFER_OF_NOBODY)?;
                    }
                    self.say("250 ENHANCEDSTATUSCODES")?;
                }
                "MAIL" if self.sender.is_none() => {
                    self.sender = Some(path(rest));
                    self.note(&line);
                    self.say("250 2.1.0 Ok")?;
                }
                "RCPT" if self.sender.is_some() => {
                    self.recipients.push(path(rest));
                    self.note(&line);
                    self.say("250 2.1.5 Ok")?;
                }
                "DATA" if !self.recipients.is_empty() => {
                    self.say("354 Go ahead")?;
                    let Some(reply) = self.message()? else { return Ok(()) };
                    for _ in 0..self.recipients.len() {
                        self.say(&reply)?;
                    }
                    self.forget();
                }
                "MAIL" | "RCPT" | "DATA" => self.say("503 5.5.1 Not now")?,
                "RSET" => {
                    self.forget();
                    self.say("250 2.0.0 Ok")?;
                }
                "NOOP" => self.say("250 2.0.0 Ok")?,
                "VRFY" => self.say("252 2.5.2 Send, and see")?,
                "QUIT" => return self.say("221 2.0.0 Bye"),
                _ => self.say("500 5.5.2 Not known here")?,
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        (&mut self.input).take(LINE).read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        send_all(self.output, format!("{line}\r\n").as_bytes())
    }

    fn note(&mut self, line: &str) {
        self.envelope += line;
        self.envelope.push('\n');
    }

    fn forget(&mut self) {
        self.sender = None;
        self.recipients.clear();
        self.envelope.clear();
    }

    /// Reads content that nobody wants.
    fn discard(&mut self) -> io::Result<()> {
        content(&mut self.input, &mut io::sink()).map(drop)
    }

    /// Takes the content, and gives it to the agent as a whole.
    fn message(&mut self) -> io::Result<Verdict> {
        let sender = self.sender.clone().unwrap_or_default();
        match self.agent {
            Agent::Nobody => {
                self.discard()?;
                Ok(Some("250 2.0.0 Thrown away".to_owned()))
            }
            Agent::Folder(folder) => match Spooled::begin(folder) {
                Ok(mut spooled) => {
                    spooled.result = content(&mut self.input, &mut spooled)?;
                    Ok(Some(spooled.keep(&self.envelope)))
                }
                Err(error) => {
                    self.discard()?;
                    Ok(Some(full(folder, &error)))
                }
            },
            Agent::Program(program) => {
                let mut file = match tempfile::tempfile() {
                    Ok(file) => BufWriter::new(file),
                    Err(error) => {
                        self.discard()?;
                        return Ok(Some(full(&std::env::temp_dir(), &error)));
                    }
                };
                let written = content(&mut self.input, &mut Lines { to: &mut file, after_cr: false })?;
                let whole = written.and_then(|()| file.into_inner().map_err(io::IntoInnerError::into_error));
                match whole {
                    Ok(file) => Ok(run(program, &sender, &self.recipients, file, self.output, self.farewell)),
                    Err(error) => Ok(Some(full(&std::env::temp_dir(), &error))),
                }
            }
        }
    }
}

fn full(path: &Path, error: &io::Error) -> String {
    format!("452 4.3.1 {}: {error}", path.display())
}

/// The path of `FROM:<path> parameters`.
fn path(argument: &str) -> String {
    let from = argument.find('<').map_or(0, |at| at + 1);
    // The address may have a quoted `>`; parameters have none.
    let to = argument.rfind('>').unwrap_or(argument.len()).max(from);
    argument.get(from..to).unwrap_or_default().to_owned()
}

/// Copies what follows DATA, without its dots, up to the final one. The inner error is that of writing: the rest is read all the
/// same, so that the reply comes when it is due.
fn content(input: &mut impl BufRead, out: &mut impl Write) -> io::Result<io::Result<()>> {
    let mut result = Ok(());
    let mut line = Vec::new();
    let mut is_start = true;
    loop {
        line.clear();
        input.take(LINE).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if is_start && line == b".\r\n" {
            return Ok(result);
        }
        let octets = if is_start { line.strip_prefix(b".").unwrap_or(&line) } else { &line };
        if result.is_ok() {
            result = out.write_all(octets);
        }
        is_start = line.ends_with(b"\n");
    }
}

/// Lines that end in LF, as programs on this machine have them.
struct Lines<W> {
    to: W,
    /// The CR that a piece of a long line ended in.
    after_cr: bool,
}

impl<W: Write> Write for Lines<W> {
    /// A line with its end, or a piece of one: no LF is anywhere else.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.after_cr) && octets != b"\n" {
            self.to.write_all(b"\r")?;
        }
        let line = octets.strip_suffix(b"\r\n");
        let piece = octets.strip_suffix(b"\r");
        self.after_cr = piece.is_some();
        self.to.write_all(line.or(piece).unwrap_or(octets))?;
        if line.is_some() {
            self.to.write_all(b"\n")?;
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A message on its way into a folder: `NAME.eml`, and the lines of its envelope in `NAME.envelope`, which is there first.
struct Spooled {
    folder: PathBuf,
    name: String,
    file: BufWriter<File>,
    result: io::Result<()>,
}

impl Spooled {
    fn begin(folder: &Path) -> io::Result<Self> {
        let name = random_hex().map_err(|error| io::Error::other(error.to_string()))?;
        let path = folder.join(format!(".{name}.eml"));
        let file = BufWriter::new(private().open(path)?);
        Ok(Self { folder: folder.to_owned(), name, file, result: Ok(()) })
    }

    /// What is not whole yet begins with a dot.
    fn hidden(&self, ending: &str) -> PathBuf {
        self.folder.join(format!(".{}.{ending}", self.name))
    }

    fn shown(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }

    /// Gives both files their names once their octets are on the disk.
    fn keep(mut self, envelope: &str) -> String {
        let kept = std::mem::replace(&mut self.result, Ok(())).and_then(|()| {
            self.file.flush()?;
            self.file.get_ref().sync_all()?;
            let mut other = private().open(self.hidden("envelope"))?;
            other.write_all(envelope.as_bytes())?;
            other.sync_all()?;
            fs::rename(self.hidden("envelope"), self.shown("envelope"))?;
            fs::rename(self.hidden("eml"), self.shown("eml"))?;
            // The names, too, where a folder can be synchronized.
            File::open(&self.folder).and_then(|folder| folder.sync_all()).or(Ok(()))
        });
        match kept {
            Ok(()) => format!("250 2.0.0 Ok: queued as {}", self.name),
            Err(error) => {
                let _ = fs::remove_file(self.shown("envelope"));
                full(&self.folder, &error)
            }
        }
    }
}

impl Drop for Spooled {
    /// What did not become a message goes.
    fn drop(&mut self) {
        for ending in ["envelope", "eml"] {
            let _ = fs::remove_file(self.hidden(ending));
        }
    }
}

impl Write for Spooled {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Calls `program -i -f SENDER -- RECIPIENT...` with the message on its standard input, as sendmail(8) is called. Its exit status
/// says what became of it (sysexits.h).
fn run(
    program: &Path,
    sender: &str,
    recipients: &[String],
    mut message: File,
    caller: &Socket,
    farewell: &Farewell,
) -> Verdict {
    let refused = |error: &io::Error| Some(format!("451 4.3.0 {}: {error}", program.display()));
    if let Err(error) = message.rewind() {
        return refused(&error);
    }
    let told = tempfile::tempfile().and_then(|told| Ok((told.try_clone()?, told)));
    let (errors, mut told) = match told {
        Ok(both) => both,
        Err(error) => return refused(&error),
    };
    let mut command = Command::new(program);
    command.args(["-i", "-f", if sender.is_empty() { "<>" } else { sender }, "--"]).args(recipients);
    command.stdin(message).stdout(Stdio::null()).stderr(errors);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return refused(&error),
    };
    // A program that was killed may have taken the message.
    let status = wait(&mut child, caller)?;
    if let Some(signal) = ended_by(status) {
        let _ = farewell.set(format!("{} was ended by {signal}", program.display()));
    }
    let status = status.code()?;
    let mut said = Vec::new();
    let _ = told.rewind().and_then(|()| told.take(REASON).read_to_end(&mut said));
    let said = String::from_utf8_lossy(&said);
    let mut why: String = said.trim().chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).collect();
    if !why.is_empty() {
        why.insert_str(0, ": ");
    }
    let program = program.display();
    Some(match status {
        0 => format!("250 2.0.0 {program} took it"),
        // EX_OSERR, EX_OSFILE, EX_CANTCREAT, EX_IOERR, EX_TEMPFAIL: what may pass.
        71..=75 => format!("451 4.3.0 {program} ended with status {status}{why}"),
        67 => format!("550 5.1.1 {program} ended with status {status}{why}"),
        68 => format!("550 5.1.2 {program} ended with status {status}{why}"),
        _ => format!("554 5.3.0 {program} ended with status {status}{why}"),
    })
}

/// Waits for a program. Where the caller has hung up, it is asked to end, and killed after a while: it must not take the message long
/// after the outcome was said to be unknown, nor stay when the process that it belongs to has forgotten it.
fn wait(child: &mut Child, caller: &Socket) -> Option<ExitStatus> {
    let begun = Instant::now();
    let mut until = None;
    loop {
        if let Some(status) = child.try_wait().ok()? {
            return Some(status);
        }
        let [least, most] = LOOK;
        let pause = (begun.elapsed() / 8).clamp(least, most);
        match until {
            None if hung_up(caller, pause) => {
                terminate(child);
                until = Some(Instant::now() + GRACE);
            }
            None => {}
            Some(until) if Instant::now() < until => thread::sleep(pause),
            Some(_) => {
                child.kill().ok()?;
                return child.wait().ok();
            }
        }
    }
}
