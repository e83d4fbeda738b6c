//! One connection of a sink.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use socket2::Socket;

use super::Shared;
use super::fault::{self, Fault};
use super::incoming::Incoming;
use super::stream::Stream;

/// A client that says nothing for so long is gone (RFC 5321 section 4.5.3.2.7).
const SILENCE: Duration = Duration::from_secs(300);

/// A command line; RFC 5321 section 4.5.3.1.4 says 512, and extensions add to it.
const MAX_COMMAND: u64 = 8192;

pub(super) fn serve(socket: Socket, shared: &Shared) {
    let _ = socket.set_tcp_nodelay(!shared.options.nagle);
    let _ = socket.set_read_timeout(Some(SILENCE));
    let session = Session {
        input: BufReader::with_capacity(65536, Stream::Plain(socket)),
        output: Vec::new(),
        shared,
        greeted: false,
        logged_in: false,
        envelope: Vec::new(),
        mail: false,
        incoming: None,
    };
    let _ = session.run();
}

struct Session<'a> {
    input: BufReader<Stream>,
    output: Vec<u8>,
    shared: &'a Shared,
    greeted: bool,
    logged_in: bool,
    mail: bool,
    /// The MAIL line and the accepted RCPT lines.
    envelope: Vec<String>,
    /// The message that BDAT chunks are building.
    incoming: Option<Incoming>,
}

enum After {
    GoOn,
    Quit,
}

impl Session<'_> {
    fn run(mut self) -> io::Result<()> {
        if self.shared.options.tls_first {
            self.secure()?;
        }
        if !self.fails("greeting")? {
            let protocol = if self.shared.options.lmtp { "LMTP" } else { "ESMTP" };
            self.reply(&format!("220 sink.example {protocol} ready"))?;
        }
        loop {
            // Replies of a whole group go in one piece (RFC 2920 section 3.2).
            if self.input.buffer().is_empty() {
                self.flush()?;
            }
            let mut line = Vec::new();
            (&mut self.input).take(MAX_COMMAND).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(());
            }
            let Some(line) = line.strip_suffix(b"\r\n") else {
                self.reply("500 5.5.2 A command ends in CRLF")?;
                return self.flush();
            };
            let line = String::from_utf8_lossy(line).into_owned();
            self.shared.print("C", &line);
            if matches!(self.command(&line)?, After::Quit) {
                self.flush()?;
                self.input.get_mut().close();
                return Ok(());
            }
        }
    }

    /// Does what a rule says for this step. Whether that was all.
    fn fails(&mut self, step: &str) -> io::Result<bool> {
        let shared = self.shared;
        fault::at(&shared.options.faults, step).map_or(Ok(false), |fault| self.does(fault))
    }

    fn does(&mut self, fault: &Fault) -> io::Result<bool> {
        match fault {
            Fault::Reply(reply) => {
                self.reply(reply)?;
                self.flush()?;
                if !reply.starts_with("421") {
                    return Ok(true);
                }
            }
            Fault::Delay(time) => {
                self.flush()?;
                std::thread::sleep(*time);
                return Ok(false);
            }
            Fault::Silence => {
                self.flush()?;
                fault::ignore(&mut self.input)?;
            }
            Fault::Reset => self.input.get_ref().reset(),
            Fault::Close => {
                self.flush()?;
                self.input.get_mut().close();
            }
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input.get_mut().write_all(&self.output)?;
        self.input.get_mut().flush()?;
        self.output.clear();
        Ok(())
    }

    fn starttls(&mut self) -> io::Result<()> {
        if self.input.get_ref().is_secure() {
            return self.reply("503 5.5.1 Not now");
        }
        self.reply("220 2.0.0 Go ahead")?;
        self.flush()?;
        if !self.input.buffer().is_empty() {
            return Err(io::Error::other("plain text after STARTTLS"));
        }
        self.forget();
        self.greeted = false;
        self.secure()
    }

    fn offers_login(&self) -> bool {
        !self.shared.options.users.is_empty()
            && (self.shared.acceptor.is_none() || self.input.get_ref().is_secure())
    }

    fn auth(&mut self, argument: &str) -> io::Result<()> {
        if !self.offers_login() || !self.greeted || self.mail || self.logged_in {
            return self.reply("503 5.5.1 Not now");
        }
        let (mechanism, initial) = argument.split_once(' ').map_or((argument, None), |(m, i)| (m, Some(i)));
        let initial = initial.filter(|initial| *initial != "=");
        let said = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => match self.respond("", initial)?.split('\0').collect::<Vec<_>>()[..] {
                [_, user, password] => Some((user.to_owned(), password.to_owned())),
                _ => None,
            },
            "LOGIN" => Some((self.respond("Username:", initial)?, self.respond("Password:", None)?)),
            "XOAUTH2" => {
                let said = self.respond("", initial)?;
                let fields = said.strip_prefix("user=").and_then(|rest| rest.strip_suffix("\u{1}\u{1}"));
                let fields = fields.and_then(|fields| fields.split_once("\u{1}auth=Bearer "));
                fields.map(|(user, token)| (user.to_owned(), token.to_owned()))
            }
            _ => return self.reply("504 5.5.4 PLAIN, LOGIN or XOAUTH2"),
        };
        self.logged_in = said.is_some_and(|said| self.shared.options.users.contains(&said));
        self.reply(if self.logged_in { "235 2.7.0 Welcome" } else { "535 5.7.8 Wrong" })
    }

    /// What the client responds to a challenge, which a response in the command itself answers already.
    fn respond(&mut self, challenge: &str, initial: Option<&str>) -> io::Result<String> {
        let line = match initial {
            Some(initial) => initial.to_owned(),
            None => {
                self.reply(&format!("334 {}", STANDARD.encode(challenge)))?;
                self.flush()?;
                let mut line = Vec::new();
                (&mut self.input).take(MAX_COMMAND).read_until(b'\n', &mut line)?;
                String::from_utf8_lossy(&line).trim_end().to_owned()
            }
        };
        // Nobody has a password that is not base64.
        Ok(String::from_utf8_lossy(&STANDARD.decode(line).unwrap_or_default()).into_owned())
    }

    fn secure(&mut self) -> io::Result<()> {
        let stream = std::mem::replace(self.input.get_mut(), Stream::Gone);
        *self.input.get_mut() = stream.secure(self.shared.acceptor.as_ref())?;
        Ok(())
    }

    fn command(&mut self, line: &str) -> io::Result<After> {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let step = match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" | "LHLO" => "hello",
            "BDAT" => "", // its octets come first
            _ => &verb.to_ascii_lowercase(),
        };
        if self.fails(step)? {
            return Ok(if verb.eq_ignore_ascii_case("QUIT") { After::Quit } else { After::GoOn });
        }
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" | "LHLO" => self.hello(&verb.to_ascii_uppercase(), argument)?,
            "MAIL" => self.mail(line, argument)?,
            "RCPT" => self.rcpt(line, argument)?,
            "DATA" => self.data()?,
            "BDAT" => return self.bdat(argument),
            "STARTTLS" if self.shared.acceptor.is_some() => self.starttls()?,
            "AUTH" if !self.shared.options.users.is_empty() => self.auth(argument)?,
            "RSET" => {
                self.forget();
                self.reply("250 2.0.0 Ok")?;
            }
            "NOOP" => self.reply("250 2.0.0 Ok")?,
            "VRFY" => self.reply("252 2.5.2 Send, and see")?,
            "EXPN" => self.reply("502 5.5.1 No lists here")?,
            "HELP" => self.reply("214 2.0.0 See RFC 5321")?,
            "QUIT" => {
                self.reply("221 2.0.0 Bye")?;
                return Ok(After::Quit);
            }
            _ => self.reply("500 5.5.2 What is that?")?,
        }
        Ok(After::GoOn)
    }

    fn hello(&mut self, verb: &str, argument: &str) -> io::Result<()> {
        let options = &self.shared.options;
        if options.lmtp != (verb == "LHLO") {
            return self.reply(if options.lmtp {
                "500 5.5.1 This is LMTP"
            } else {
                "500 5.5.1 This is SMTP"
            });
        }
        if argument.is_empty() {
            return self.reply("501 5.5.4 A name is missing");
        }
        self.forget();
        self.greeted = true;
        if verb == "HELO" {
            return self.reply("250 sink.example");
        }
        let size = options.size.map_or("SIZE".into(), |size| format!("SIZE {size}"));
        let mut lines = vec!["sink.example"];
        lines.extend(options.pipelining.then_some("PIPELINING"));
        lines.extend(options.eight_bit_mime.then_some("8BITMIME"));
        lines.extend([&size, "ENHANCEDSTATUSCODES"]);
        lines.extend(options.smtputf8.unwrap_or(options.eight_bit_mime).then_some("SMTPUTF8"));
        lines.push("DSN");
        let more = self.shared.acceptor.is_some() && !self.input.get_ref().is_secure();
        lines.extend(more.then_some("STARTTLS"));
        lines.extend(self.offers_login().then_some("AUTH PLAIN LOGIN XOAUTH2"));
        lines.extend(options.chunking.then_some(["CHUNKING", "BINARYMIME"]).into_iter().flatten());
        for (index, line) in lines.iter().enumerate() {
            let dash = if index + 1 < lines.len() { '-' } else { ' ' };
            self.reply(&format!("250{dash}{line}"))?;
        }
        Ok(())
    }

    fn mail(&mut self, line: &str, argument: &str) -> io::Result<()> {
        let Some((_, parameters)) = path(argument, "FROM:") else {
            return self.reply("501 5.5.4 MAIL FROM:<address>");
        };
        let declared = parameters.split(' ').find_map(|p| {
            let (name, value) = p.split_once('=')?;
            name.eq_ignore_ascii_case("SIZE").then(|| value.parse::<u64>().ok())?
        });
        if !self.greeted || self.mail {
            return self.reply("503 5.5.1 Not now");
        }
        if !self.shared.options.users.is_empty() && !self.logged_in {
            return self.reply("530 5.7.0 Log in first");
        }
        if self.too_large(declared.unwrap_or(0)) {
            return self.reply("552 5.3.4 Too large");
        }
        self.mail = true;
        self.envelope = vec![line.into()];
        self.reply("250 2.1.0 Ok")
    }

    fn rcpt(&mut self, line: &str, argument: &str) -> io::Result<()> {
        let Some((address, _)) = path(argument, "TO:").filter(|(address, _)| !address.is_empty()) else {
            return self.reply("501 5.5.4 RCPT TO:<address>");
        };
        if !self.mail || self.incoming.is_some() {
            return self.reply("503 5.5.1 Not now");
        }
        match self.shared.options.refusal(address) {
            Some(refusal) => self.reply(refusal),
            None => {
                self.envelope.push(line.into());
                self.reply("250 2.1.5 Ok")
            }
        }
    }

    fn data(&mut self) -> io::Result<()> {
        if !self.mail || self.incoming.is_some() {
            return self.reply("503 5.5.1 Not now");
        }
        if self.envelope.len() < 2 {
            return self.reply("554 5.5.1 No valid recipients");
        }
        let mut incoming = Incoming::new(self.shared)?;
        self.shared.note_begun(&self.envelope);
        self.reply("354 End data with <CR><LF>.<CR><LF>")?;
        self.flush()?;
        let mut line = Vec::new();
        let mut fresh = true; // the line before ended in CRLF: only then does a dot mean anything
        loop {
            line.clear();
            (&mut self.input).take(1 << 20).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if fresh && line == b".\r\n" {
                break;
            }
            incoming.write(if fresh && line[0] == b'.' { &line[1..] } else { &line }, self.shared)?;
            fresh = line.ends_with(b"\r\n");
        }
        self.end(incoming)
    }

    /// RFC 3030: the octets follow the command whatever its reply will be.
    fn bdat(&mut self, argument: &str) -> io::Result<After> {
        let mut words = argument.split_whitespace();
        let size = words.next().and_then(|word| word.parse::<u64>().ok());
        let last = words.next().map(|word| word.eq_ignore_ascii_case("LAST"));
        let (Some(size), true) = (size, last != Some(false) && words.next().is_none()) else {
            self.reply("501 5.5.4 BDAT SIZE [LAST]")?;
            return Ok(After::Quit); // where the chunk ends is not known
        };
        let refusal = if !self.shared.options.chunking {
            Some("502 5.5.1 Not offered")
        } else if !self.mail {
            Some("503 5.5.1 Not now")
        } else if self.envelope.len() < 2 {
            Some("554 5.5.1 No valid recipients")
        } else {
            None
        };
        let mut incoming = match (refusal, self.incoming.take()) {
            (None, None) => {
                self.shared.note_begun(&self.envelope);
                Some(Incoming::new(self.shared)?)
            }
            (_, incoming) => incoming,
        };
        let mut left = size;
        while left > 0 {
            let chunk = self.input.fill_buf()?;
            let count = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(incoming) = &mut incoming {
                incoming.write(&chunk[..count], self.shared)?;
            }
            self.input.consume(count);
            left -= count as u64;
        }
        match (refusal, incoming) {
            (Some(refusal), _) => self.reply(refusal)?,
            (None, Some(incoming)) if last == Some(true) => self.end(incoming)?,
            (None, incoming) => {
                self.incoming = incoming;
                self.reply(&format!("250 2.0.0 {size} octets"))?;
            }
        }
        Ok(After::GoOn)
    }

    /// The end of a message: one reply, or in LMTP one for each accepted recipient.
    fn end(&mut self, incoming: Incoming) -> io::Result<()> {
        let replies = if self.shared.options.lmtp { self.envelope.len().saturating_sub(1) } else { 1 };
        self.shared.print("C", &format!("({} octets)", incoming.size));
        let shared = self.shared;
        let fault = fault::at(&shared.options.faults, "final");
        let reply = if self.too_large(incoming.size) {
            drop(incoming.discard(self.shared));
            "552 5.3.4 Too large".to_string()
        } else if let Some(Fault::Reply(reply)) = fault {
            drop(incoming.discard(self.shared));
            reply.clone()
        } else {
            let number = incoming.number;
            incoming.store(std::mem::take(&mut self.envelope), self.shared)?;
            fault.map_or(Ok(false), |fault| self.does(fault))?;
            format!("250 2.0.0 Ok: queued as {number:08X}")
        };
        self.forget();
        for _ in 0..replies {
            self.reply(&reply)?;
        }
        if reply.starts_with("421") { self.does(&Fault::Close).map(drop) } else { Ok(()) }
    }

    fn forget(&mut self) {
        self.mail = false;
        self.envelope.clear();
        if let Some(incoming) = self.incoming.take() {
            drop(incoming.discard(self.shared));
        }
    }

    fn too_large(&self, size: u64) -> bool {
        self.shared.options.size.is_some_and(|most| size > most)
    }

    fn reply(&mut self, line: &str) -> io::Result<()> {
        self.shared.print("S", line);
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
        // What was answered stays bounded.
        if self.shared.options.nagle || self.output.len() > 65536 { self.flush() } else { Ok(()) }
    }
}

/// The address and what follows it, of `FROM:<address> parameters`.
fn path<'a>(argument: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let (head, rest) = (argument.get(..word.len())?, argument.get(word.len()..)?);
    if !head.eq_ignore_ascii_case(word) {
        return None;
    }
    // A quoted local part may have a `>` of its own.
    let rest = rest.strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    let end = rest.find(|c| {
        let ends = c == '>' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && quoted && !escaped;
        ends
    })?;
    Some((&rest[..end], rest[end + 1..].trim_start()))
}

impl Shared {
    fn note_begun(&self, envelope: &[String]) {
        if self.options.keep
            && let Some(mail) = envelope.first()
            && let Ok(mut begun) = self.asked.lock()
        {
            begun.push(mail.clone());
        }
    }

    fn print(&self, who: &str, line: &str) {
        if self.options.verbose {
            let _ = writeln!(io::stdout().lock(), "{who}: {line}");
        }
    }
}
