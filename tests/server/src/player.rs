//! Plays the servers of a dialogue file, and says where the client departed from it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::dialogue::{Connection, Dialogue, Expected, Listen, Mechanism, Script, Step};
use crate::listener::Listener;
use crate::text::escape;
use crate::wire::Wire;

/// How often a server that waits looks whether it is to stop.
const TICK: Duration = Duration::from_millis(5);

/// The same, once the script has been played.
const HASTE: Duration = Duration::from_micros(500);

/// What a server received.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The octets of each connection, in the order in which they came.
    pub connections: Vec<Vec<u8>>,
}

/// One server that plays its script in a thread of its own.
pub struct Server {
    port: u16,
    path: Option<PathBuf>,
    stop: Arc<AtomicBool>,
    played: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Record, String>>>,
    /// A port that refuses connections is one that is bound and does not listen.
    _bound: Option<Socket>,
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1, or on a new Unix socket. Whatever it waits for, it
    /// gives up after `limit`.
    ///
    /// # Errors
    /// No socket was available.
    pub fn start(script: &Script, limit: Duration) -> std::io::Result<Self> {
        Self::start_at(script, limit, (Ipv4Addr::LOCALHOST, 0).into(), None)
    }

    /// The same at an address or (for a script with [`Listen::Unix`], or where it is given) at a path.
    ///
    /// # Errors
    /// No socket was available there.
    pub fn start_at(
        script: &Script,
        limit: Duration,
        addr: SocketAddr,
        path: Option<&Path>,
    ) -> std::io::Result<Self> {
        let path = match (path, script.listen) {
            (Some(path), _) => Some(path.to_path_buf()),
            (None, Listen::Unix) => Some(free_path()),
            _ => None,
        };
        let socket = match &path {
            Some(path) => {
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.bind(&SockAddr::unix(path)?)?;
                socket
            }
            None => {
                let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
                socket.set_reuse_address(addr.port() != 0)?;
                socket.bind(&addr.into())?;
                socket
            }
        };
        let port = socket.local_addr()?.as_socket().map_or(0, |a| a.port());
        let stop = Arc::new(AtomicBool::new(false));
        let played = Arc::new(AtomicBool::new(script.connections.is_empty()));
        if script.listen == Listen::Closed {
            return Ok(Self { port, path, stop, played, thread: None, _bound: Some(socket) });
        }
        let mut listener = Listener::new(socket, 128, TICK)?;
        let (script, flags) = (script.clone(), (Arc::clone(&stop), Arc::clone(&played)));
        let deadline = Instant::now() + limit;
        let thread = std::thread::spawn(move || serve(&script, &mut listener, &flags.0, &flags.1, deadline));
        Ok(Self { port, path, stop, played, thread: Some(thread), _bound: None })
    }

    /// The port; 0 for a Unix socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address on 127.0.0.1.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The path of a Unix socket.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Waits until the script is played; it is told that the client is done, so a connection that has not
    /// come by now is missing.
    ///
    /// # Errors
    /// What was expected, and what came.
    pub fn finish(mut self) -> Result<Record, String> {
        self.stop.store(true, Ordering::SeqCst);
        match self.thread.take() {
            None => Ok(Record::default()),
            Some(thread) => thread.join().unwrap_or_else(|_| Err("the server's thread failed".into())),
        }
    }

    /// Whether every connection of the script has been played, or one of them has failed.
    pub fn is_played(&self) -> bool {
        self.played.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The servers of a whole dialogue file.
pub struct Running {
    servers: Vec<Server>,
    options: Vec<(String, String)>,
    again: Option<u64>,
    tokens: Vec<(String, String)>,
    mechanisms: Vec<Mechanism>,
    commit: Option<String>,
    message: Vec<u8>,
}

impl Running {
    /// Starts every server of the dialogue on 127.0.0.1.
    ///
    /// # Errors
    /// No socket was available.
    pub fn start(dialogue: &Dialogue, limit: Duration) -> std::io::Result<Self> {
        Self::start_at(dialogue, limit, None, None)
    }

    /// The same with the first server at an address or at a path.
    ///
    /// # Errors
    /// No socket was available there.
    pub fn start_at(
        dialogue: &Dialogue,
        limit: Duration,
        addr: Option<SocketAddr>,
        path: Option<&Path>,
    ) -> std::io::Result<Self> {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let start = |(index, script)| match index {
            0 => Server::start_at(script, limit, addr.unwrap_or(free), path),
            _ => Server::start(script, limit),
        };
        let servers: Vec<Server> =
            dialogue.servers.iter().enumerate().map(start).collect::<Result<_, _>>()?;
        let options = filled(&dialogue.options, &servers);
        let (again, tokens) = (dialogue.again, dialogue.tokens.clone());
        let (commit, message) = (dialogue.commit.clone(), dialogue.message.clone());
        let mechanisms = dialogue.mechanisms.clone();
        Ok(Self { servers, options, again, tokens, mechanisms, commit, message })
    }

    /// The options with the placeholders filled in and the defaults of the format added.
    pub fn options(&self) -> &[(String, String)] {
        &self.options
    }

    /// The message is to be sent twice over one session with the first server, with a pause of so many milliseconds
    /// between.
    pub fn again(&self) -> Option<u64> {
        self.again
    }

    /// What the function of option `oauthtoken` is asked, and what it answers; none: it is not a function.
    pub fn tokens(&self) -> &[(String, String)] {
        &self.tokens
    }

    /// The caller's own login mechanisms.
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    /// There is an option `commit`, which fails with these words; empty: it does not fail.
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// The octets of the token.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The port of each server.
    pub fn ports(&self) -> Vec<u16> {
        self.servers.iter().map(Server::port).collect()
    }

    /// The servers, for what is not here.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Whether every server has played its script, or failed.
    pub fn is_played(&self) -> bool {
        self.servers.iter().all(Server::is_played)
    }

    /// Waits until every script is played, as [`Server::finish`].
    ///
    /// # Errors
    /// Every difference, one after the other.
    pub fn finish(self) -> Result<Vec<Record>, String> {
        let (records, failures): (Vec<_>, Vec<_>) =
            self.servers.into_iter().map(Server::finish).partition(Result::is_ok);
        if failures.is_empty() {
            Ok(records.into_iter().flatten().collect())
        } else {
            Err(failures.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("\n"))
        }
    }
}

fn filled(options: &[(String, String)], servers: &[Server]) -> Vec<(String, String)> {
    // A Unix socket has no port, and 0 is none either: 25 keeps the two lists in tandem.
    let ports = servers.iter().map(|s| if s.path.is_some() { "25".into() } else { s.port.to_string() });
    let ports = ports.collect::<Vec<_>>().join(" ");
    let addresses =
        servers.iter().map(|s| s.path().map_or("{host}".into(), |p| format!("unix:{}", p.display())));
    let defaults = [
        ("servers", addresses.collect::<Vec<_>>().join(" ")),
        ("ports", "{ports}".into()),
        ("client", "client.example".into()),
        ("usetls", "false".into()),
        ("timeout", "10".into()),
    ];
    let given = |name: &str| options.iter().any(|(n, _)| n == name);
    let missing =
        defaults.into_iter().filter(|(name, _)| !(given(name) || *name == "ports" && given("servers")));
    let all = options.iter().cloned().chain(missing.map(|(name, value)| (name.to_string(), value)));
    all.map(|(name, value)| {
        let mut value = value.replace("{host}", "127.0.0.1").replace("{ports}", &ports);
        for (index, server) in servers.iter().enumerate() {
            value = value.replace(&format!("{{port{}}}", index + 1), &server.port.to_string());
            if let Some(path) = server.path() {
                value = value.replace(&format!("{{unix{}}}", index + 1), &path.display().to_string());
            }
        }
        (name, value)
    })
    .collect()
}

/// A path that no other server of this or another process has.
fn free_path() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("scripted-server-{}-{count}.sock", std::process::id()))
}

fn serve(
    script: &Script,
    listener: &mut Listener,
    stop: &AtomicBool,
    played: &AtomicBool,
    deadline: Instant,
) -> Result<Record, String> {
    let mut record = Record::default();
    let mut failures = Vec::new();
    let mut scripts = script.connections.iter();
    loop {
        // The flag first: what had come when it was set is still taken.
        let stopping = stop.load(Ordering::SeqCst);
        match listener.accept() {
            Ok(socket) => match scripts.next() {
                Some(connection) => {
                    let mut wire = Wire::new(socket, deadline);
                    let result = play(connection, &mut wire);
                    record.connections.push(match &result {
                        Ok(End::Reset) => wire.reset(),
                        _ => wire.close(),
                    });
                    failures.extend(result.err());
                    if scripts.len() == 0 || !failures.is_empty() {
                        played.store(true, Ordering::SeqCst);
                        // From here on the end is waited for, and that is to be noticed at once.
                        let _ = listener.set_wait(HASTE);
                    }
                }
                None if script.listen == Listen::Idle => {
                    failures.push("a connection to a server that is to have none".into())
                }
                None => failures.push("one connection more than expected".into()),
            },
            Err(_) if stopping || Instant::now() > deadline => break,
            Err(_) => {}
        }
    }
    failures.extend(
        scripts.map(|connection| format!("line {}: expected a connection, and none came", connection.line)),
    );
    if failures.is_empty() { Ok(record) } else { Err(failures.join("\n")) }
}

enum End {
    Closed,
    Reset,
}

fn play(connection: &Connection, wire: &mut Wire) -> Result<End, String> {
    let mut asked = false; // whether the step before was the client's
    for (line, step) in &connection.steps {
        let wrong =
            |expected: &str, got: &str| format!("line {line}: expected: {expected}\n     and got: {got}");
        let mut turn = false;
        match step {
            Step::Send(octets) => {
                if asked && wire.pending() {
                    return Err(wrong("the client to wait for the reply", &shown(wire.unread())));
                }
                wire.send(octets);
            }
            Step::Command(pattern) => {
                let got = wire.line();
                let holds =
                    matches!(&got, Ok(got) if got.strip_suffix(b"\r\n").is_some_and(|l| pattern.matches(l)));
                if !holds {
                    return Err(wrong(&format!("{}\\r\\n", pattern.source()), &outcome(got)));
                }
                turn = true;
            }
            Step::Content(content) => {
                for piece in content {
                    expect(piece, wire).map_err(|(expected, got)| wrong(&expected, &got))?;
                }
                turn = true;
            }
            Step::Read(count) => {
                let got = wire.exactly(*count);
                if !matches!(&got, Ok(octets) if octets.len() == *count) {
                    return Err(wrong(&format!("{count} octets"), &outcome(got)));
                }
            }
            Step::Delay(pause) => std::thread::sleep(*pause),
            Step::Trickle(pause) => wire.set_trickle(*pause),
            Step::HalfClose => wire.half_close(),
            Step::ExpectEof => expect_eof(wire).map_err(|got| wrong("the end of the connection", &got))?,
            Step::Close => return Ok(End::Closed),
            Step::Reset => return Ok(End::Reset),
        }
        asked = turn;
    }
    let last = connection.steps.last().map_or(connection.line, |(line, _)| *line);
    wire.half_close();
    expect_eof(wire).map_err(|got| {
        format!("after line {last}: expected: the end of the connection\n     and got: {got}")
    })?;
    Ok(End::Closed)
}

fn expect(piece: &Expected, wire: &mut Wire) -> Result<(), (String, String)> {
    match piece {
        Expected::Octets(octets) => {
            let got = wire.exactly(octets.len());
            if got.as_ref().is_ok_and(|got| got == octets) {
                return Ok(());
            }
            let same =
                got.as_ref().map_or(0, |got| got.iter().zip(octets).take_while(|(a, b)| a == b).count());
            // From the start of the line where they part.
            let from = octets[..same].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
            Err((
                format!("{} (octet {same} of {})", shown(&octets[from..]), octets.len()),
                outcome(got.map(|got| got.get(from..).unwrap_or_default().to_vec())),
            ))
        }
        Expected::Line(pattern) => {
            let got = wire.line();
            match &got {
                Ok(line) if line.strip_suffix(b"\r\n").is_some_and(|line| pattern.matches(line)) => Ok(()),
                _ => Err((format!("{}\\r\\n", pattern.source()), outcome(got))),
            }
        }
    }
}

fn expect_eof(wire: &mut Wire) -> Result<(), String> {
    match wire.exactly(1) {
        Ok(got) if got.is_empty() => Ok(()),
        Ok(got) => Err(shown(&[&got, wire.unread()].concat())),
        Err(error) => Err(error_text(&error)),
    }
}

fn outcome(got: std::io::Result<Vec<u8>>) -> String {
    match got {
        Ok(got) if got.is_empty() => "the end of the connection".into(),
        Ok(got) => shown(&got),
        Err(error) => error_text(&error),
    }
}

fn error_text(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
            "nothing, until the time was over".into()
        }
        _ => error.to_string(),
    }
}

/// So much of it as a person wants to see.
fn shown(octets: &[u8]) -> String {
    let cut = octets.get(..200).unwrap_or(octets);
    format!("{}{}", escape(cut), if cut.len() < octets.len() { "..." } else { "" })
}

#[cfg(test)]
#[path = "player_tests.rs"]
mod tests;
