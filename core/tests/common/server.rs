//! The server: one script for each connection, and a record of all that it got.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use openssl::ssl::{Ssl, SslAcceptor, SslStream};

use super::sasl::Login;

/// Longer than anything takes; a test that waits so long has failed.
const LIMIT: Duration = Duration::from_secs(15);

/// How the server behaves on one connection.
#[derive(Clone)]
pub struct Script {
    /// What it shows; without one there is no TLS.
    pub tls: Option<SslAcceptor>,
    /// TLS comes first.
    pub first: bool,
    pub greeting: &'static [u8],
    /// The keywords of EHLO in plain text.
    pub plain: Vec<&'static str>,
    /// The keywords of EHLO under TLS.
    pub secure: Vec<&'static str>,
    pub starttls: &'static str,
    /// Plain text after the reply to STARTTLS, in the same segment.
    pub injected: &'static [u8],
    /// The same in a segment of its own.
    pub injected_later: &'static [u8],
    /// The handshake is cut after so many octets of the server's.
    pub cut: Option<usize>,
    /// In place of a final reply, or after it, the connection is closed without close_notify.
    pub end: End,
    pub login: Option<Login>,
    /// A command that is answered by closing the connection.
    pub dies_at: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Quit,
    CloseBeforeFinal,
    CloseAfterFinal,
}

impl Script {
    /// An honest server in plain text.
    pub fn plain() -> Self {
        Self {
            tls: None,
            first: false,
            greeting: b"220 mail.example ESMTP\r\n",
            plain: vec![],
            secure: vec![],
            starttls: "220 2.0.0 Go ahead",
            injected: b"",
            injected_later: b"",
            cut: None,
            end: End::Quit,
            login: None,
            dies_at: "-",
        }
    }

    /// An honest server with STARTTLS.
    pub fn starttls(tls: SslAcceptor) -> Self {
        Self { tls: Some(tls), plain: vec!["STARTTLS"], ..Self::plain() }
    }

    /// An honest server with implicit TLS.
    pub fn implicit(tls: SslAcceptor) -> Self {
        Self { tls: Some(tls), first: true, ..Self::plain() }
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// What one connection brought.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// All octets that came in plain text.
    pub plain: Vec<u8>,
    /// All plaintext that came under TLS.
    pub secure: Vec<u8>,
    /// Whether the handshake was completed.
    pub shaken: bool,
    /// Messages taken, under TLS or not.
    pub messages: usize,
    /// Whether the client sent a certificate.
    pub certificate: bool,
    /// Mechanisms that were begun, and whether each succeeded.
    pub logins: Vec<(String, bool)>,
    /// The gs2-cbind-flag of the last SCRAM.
    pub bound_by: String,
}

impl Heard {
    pub fn plain_text(&self) -> String {
        String::from_utf8_lossy(&self.plain).into_owned()
    }

    pub fn secure_text(&self) -> String {
        String::from_utf8_lossy(&self.secure).into_owned()
    }
}

pub struct Server {
    port: u16,
    over: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<Heard>>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// One connection for each script; a further one is refused.
    pub fn start(scripts: impl IntoIterator<Item = Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let scripts: Vec<_> = scripts.into_iter().collect();
        let (end, notes) = (Arc::clone(&over), Arc::clone(&heard));
        let thread = std::thread::spawn(move || {
            for script in scripts {
                let stream = loop {
                    match listener.accept() {
                        Ok((stream, _)) => break stream,
                        // Only now: whoever has connected is served.
                        Err(_) if end.load(Ordering::SeqCst) => return,
                        Err(_) => std::thread::sleep(Duration::from_millis(1)),
                    }
                };
                let mut peer = Peer::new(stream, script.cut);
                // Whatever fails, what was heard before it counts.
                let _ = peer.serve(&script);
                notes.lock().unwrap().push(peer.heard);
            }
        });
        Self { port, over, heard, thread: Some(thread) }
    }

    pub fn one(script: Script) -> Self {
        Self::start([script])
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What each connection brought, in order. Clients must have closed theirs.
    pub fn finish(mut self) -> Vec<Heard> {
        self.end();
        self.heard.lock().unwrap().clone()
    }

    fn end(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end();
        }
    }
}

/// The client, seen from the server.
pub struct Peer {
    wire: Wire,
    unread: Vec<u8>,
    pub heard: Heard,
}

enum Wire {
    Plain(Tap),
    Tls(Box<SslStream<Tap>>),
    Gone,
}

/// A socket of which only so many octets can be written.
struct Tap {
    stream: TcpStream,
    left: Option<usize>,
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Tap {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let Some(left) = &mut self.left else { return self.stream.write(octets) };
        let now = octets.get(..*left).unwrap_or(octets);
        *left -= now.len();
        self.stream.write_all(now)?;
        if *left == 0 {
            // Ended and not reset: what was sent is to arrive.
            self.stream.shutdown(Shutdown::Write)?;
            let _ = io::copy(&mut self.stream, &mut io::sink());
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Peer {
    fn new(stream: TcpStream, left: Option<usize>) -> Self {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        let tap = Tap { stream, left };
        Self { wire: Wire::Plain(tap), unread: Vec::new(), heard: Heard::default() }
    }

    /// A line with its CRLF.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        self.write(format!("{line}\r\n").as_bytes())
    }

    /// The next line without its CRLF.
    pub fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|w| w == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            let mut buffer = [0; 4096];
            let n = match &mut self.wire {
                Wire::Plain(tap) => tap.read(&mut buffer)?,
                Wire::Tls(stream) => stream.read(&mut buffer)?,
                Wire::Gone => 0,
            };
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let heard = match self.wire {
                Wire::Tls(_) => &mut self.heard.secure,
                _ => &mut self.heard.plain,
            };
            heard.extend_from_slice(&buffer[..n]);
            self.unread.extend_from_slice(&buffer[..n]);
        }
    }

    /// Says a line and hears one.
    pub fn ask(&mut self, line: &str) -> io::Result<String> {
        self.say(line)?;
        self.line()
    }

    /// A 334 with this challenge, and the response decoded; `*` is an error.
    pub fn challenge(&mut self, octets: &[u8]) -> io::Result<Vec<u8>> {
        let line = self.ask(&format!("334 {}", openssl::base64::encode_block(octets)))?;
        if line == "*" {
            return Err(io::Error::other("cancelled"));
        }
        openssl::base64::decode_block(&line).map_err(io::Error::other)
    }

    /// The value of the connection that tls-exporter binds to.
    pub fn exporter(&self) -> Option<Vec<u8>> {
        let Wire::Tls(stream) = &self.wire else { return None };
        let mut value = vec![0; 32];
        stream.ssl().export_keying_material(&mut value, "EXPORTER-Channel-Binding", Some(&[])).ok()?;
        Some(value)
    }

    /// The value of the connection that tls-unique binds to: the client's Finished message.
    pub fn unique(&self) -> Option<Vec<u8>> {
        let Wire::Tls(stream) = &self.wire else { return None };
        let mut value = vec![0; 64];
        let length = stream.ssl().peer_finished(&mut value);
        value.truncate(length);
        Some(value)
    }

    pub fn is_secure(&self) -> bool {
        matches!(self.wire, Wire::Tls(_))
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.wire {
            Wire::Plain(tap) => tap.stream.write_all(octets),
            Wire::Tls(stream) => stream.write_all(octets),
            Wire::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn secure(&mut self, acceptor: &SslAcceptor) -> io::Result<()> {
        let Wire::Plain(tap) = std::mem::replace(&mut self.wire, Wire::Gone) else { return Ok(()) };
        let mut stream = SslStream::new(Ssl::new(acceptor.context()).unwrap(), tap).unwrap();
        if let Err(error) = stream.accept() {
            // The client's alert is to be read, so that it sees an end and no reset.
            let tap = stream.get_mut();
            let _ = tap.stream.shutdown(Shutdown::Write);
            let _ = io::copy(&mut tap.stream, &mut io::sink());
            return Err(io::Error::other(error));
        }
        self.heard.shaken = true;
        self.heard.certificate = stream.ssl().peer_certificate().is_some();
        stream.get_mut().left = None;
        self.wire = Wire::Tls(Box::new(stream));
        Ok(())
    }

    fn serve(&mut self, script: &Script) -> io::Result<()> {
        if let Some(acceptor) = script.tls.as_ref().filter(|_| script.first) {
            self.secure(acceptor)?;
        }
        self.write(script.greeting)?;
        loop {
            let line = self.line()?;
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            if verb.eq_ignore_ascii_case(script.dies_at) {
                return Ok(());
            }
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.ehlo(script)?,
                "STARTTLS" => self.starttls(script)?,
                "AUTH" => self.auth(script, rest)?,
                "DATA" => {
                    self.say("354 go on")?;
                    while self.line()? != "." {}
                    if script.end == End::CloseBeforeFinal {
                        return Ok(());
                    }
                    self.heard.messages += 1;
                    self.say("250 2.0.0 Ok: queued as 4ABC")?;
                    if script.end == End::CloseAfterFinal {
                        return Ok(());
                    }
                }
                "QUIT" => {
                    self.say("221 2.0.0 Bye")?;
                    if let Wire::Tls(stream) = &mut self.wire {
                        let _ = stream.shutdown();
                    }
                    return Ok(());
                }
                _ => self.say("250 2.0.0 Ok")?,
            }
        }
    }

    fn ehlo(&mut self, script: &Script) -> io::Result<()> {
        let keywords = if self.is_secure() { &script.secure } else { &script.plain };
        let mut reply = "250-mail.example\r\n".to_owned();
        for keyword in keywords {
            reply += &format!("250-{keyword}\r\n");
        }
        self.write(format!("{reply}250 ENHANCEDSTATUSCODES\r\n").as_bytes())
    }

    fn starttls(&mut self, script: &Script) -> io::Result<()> {
        let mut reply = format!("{}\r\n", script.starttls).into_bytes();
        reply.extend_from_slice(script.injected);
        self.write(&reply)?;
        if !script.injected_later.is_empty() {
            std::thread::sleep(Duration::from_millis(50));
            self.write(script.injected_later)?;
        }
        match &script.tls {
            Some(acceptor) if script.starttls.starts_with("220") => self.secure(acceptor),
            _ => Ok(()),
        }
    }

    fn auth(&mut self, script: &Script, arguments: &str) -> io::Result<()> {
        let (mechanism, initial) = match arguments.split_once(' ') {
            Some((mechanism, initial)) => (mechanism, Some(initial.to_owned())),
            None => (arguments, None),
        };
        let Some(login) = &script.login else { return self.say("502 5.5.1 no AUTH here") };
        self.heard.logins.push((mechanism.to_owned(), false));
        match login(self, mechanism, initial) {
            Ok(true) => {
                if let Some(last) = self.heard.logins.last_mut() {
                    last.1 = true;
                }
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(error) if error.to_string() == "cancelled" => self.say("501 5.7.0 cancelled"),
            Err(error) => Err(error),
        }
    }
}
