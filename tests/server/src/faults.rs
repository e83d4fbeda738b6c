//! Every fault of a connection at every octet of a set of dialogues, tried on a client in any language and held
//! against what the server knows.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use openssl::hash::MessageDigest;
use openssl::x509::X509;

use crate::proxy::{Direction, Fault, FaultKind, Proxy, ProxyOptions};
use crate::sink::{Certificate, Sink, SinkOptions};

/// How long a connection may take to end once its client has.
const LIMIT: Duration = Duration::from_secs(10);
/// What a client waits for a reply where the connection stalls: only the wait of the test.
const SHORT: &str = "0.3";
/// What it waits elsewhere. Longer than any delay.
const LONG: &str = "20";
/// How long a server may need for what has reached it.
const SETTLED: Duration = Duration::from_millis(600);
/// A delay, and a moment between octets.
const DELAY: Duration = Duration::from_millis(20);
const MOMENT: Duration = Duration::from_micros(50);

/// What fails, in the order of the table. A delay is a stall that ends.
const KINDS: [(&str, FaultKind); 6] = [
    ("cut", FaultKind::Cut),
    ("reset", FaultKind::Reset),
    ("half close", FaultKind::HalfClose),
    ("stall", FaultKind::Stall),
    ("delay", FaultKind::Stall),
    ("trickle", FaultKind::Trickle),
];

/// The dialogues: a name, what the server is, and the client's options beside the common ones.
const DIALOGUES: [(&str, &str); 7] = [
    ("plain", "usetls=false"),
    ("one-by-one", "usetls=false"),
    ("lmtp", "usetls=false\tlmtp=true"),
    ("chunking", "usetls=false"),
    ("starttls", PIN),
    ("opportunistic", "usetls=true"),
    ("implicit", "tlsimport=true\ttlsfingerprint={pin}"),
];

/// A pin, since certificates for every loopback address are not available.
const PIN: &str = "tlsfingerprint={pin}";

/// What to try.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The client and its arguments.
    pub command: Vec<OsString>,
    /// At every so-manieth octet.
    pub every: u64,
    /// Clients at once.
    pub workers: usize,
    /// The folder with `server.pem` and `server.key`; without one there is no TLS.
    pub certs: Option<PathBuf>,
    /// The dialogues to try; all of them where none is named.
    pub only: Vec<String>,
}

/// How often each outcome came of each kind of fault.
type Counts = BTreeMap<(&'static str, String), u64>;

/// A case, and the outcome or what does not hold.
struct Tried {
    case: Case,
    sender: String,
    result: Result<String, String>,
}

/// One fault to try.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    fault: Option<Fault>,
}

/// A client that waits for work.
struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What a client says of one message.
#[derive(Debug)]
struct Said {
    kind: String,
    queue_id: String,
    outcomes: Vec<String>,
}

/// A dialogue: its server, and how the client is to talk to it.
struct Scene<'a> {
    name: &'static str,
    options: String,
    sink: Sink,
    address: SocketAddr,
    folder: &'a Path,
}

impl Plan {
    /// Every fault at every octet, for a client that is started with `command`.
    pub fn new(command: Vec<OsString>) -> Self {
        Self { command, every: 1, workers: 8, certs: None, only: Vec::new() }
    }

    /// Runs all of it, and tells line by line what came out. False where something did not hold.
    ///
    /// # Errors
    /// A client or a server that cannot be started, and a name that no dialogue has.
    pub fn run(&self, tell: &mut dyn FnMut(&str)) -> Result<bool, String> {
        if let Some(name) = self.only.iter().find(|name| DIALOGUES.iter().all(|(known, _)| known != name)) {
            let known: Vec<&str> = DIALOGUES.iter().map(|(known, _)| *known).collect();
            return Err(format!("no dialogue is called {name}; there are {}", known.join(", ")));
        }
        let folder = std::env::temp_dir().join(format!("faults-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let result = self.run_in(&folder, tell);
        let _ = std::fs::remove_dir_all(&folder);
        result
    }

    fn run_in(&self, folder: &Path, tell: &mut dyn FnMut(&str)) -> Result<bool, String> {
        let (mut tried, mut failures) = (0, Vec::new());
        for (name, options) in DIALOGUES {
            let secure = matches!(name, "starttls" | "opportunistic" | "implicit");
            if (secure && self.certs.is_none())
                || (!self.only.is_empty() && !self.only.iter().any(|o| o == name))
            {
                continue;
            }
            let scene = || Scene::new(name, options, folder, self.certs.as_deref());
            let cases = self.cases(&scene()?)?;
            tried += cases.len();
            let mut counts = Counts::new();
            // A server of its own for each part: its record is searched for every message.
            for part in cases.chunks(1000) {
                self.try_all(&scene()?, part, &mut counts, &mut failures)?;
            }
            for (kind, _) in KINDS {
                let count = |outcome: &str| counts.get(&(kind, outcome.to_owned())).copied().unwrap_or(0);
                let outcomes = ["accepted", "rejected", "not_sent", "unknown"];
                let sum: u64 = outcomes.iter().map(|outcome| count(outcome)).sum();
                let words = outcomes.map(|outcome| format!("{:>6} {outcome}", count(outcome)));
                tell(&format!("{name:13} {kind:10} {sum:>6} faults: {}", words.join(", ")));
            }
        }
        for failure in failures.iter().take(5) {
            tell(&format!("FAILED {failure}"));
        }
        tell(&format!("{tried} faults, {} failed", failures.len()));
        Ok(failures.is_empty() && tried > 0)
    }

    /// The cases of a scene: a good send tells how many octets there are.
    fn cases(&self, scene: &Scene<'_>) -> Result<Vec<Case>, String> {
        let mut client = Client::start(&self.command)?;
        let (said, proxy) = scene.send(&mut client, Case { name: "none", fault: None })?;
        if said.outcomes != ["accepted", "rejected", "accepted"] {
            return Err(format!("{}: without a fault: {said:?}", scene.name));
        }
        let relayed = proxy.wait(1, LIMIT).into_iter().next().unwrap_or_default();
        let (up, down) = (relayed.to_server.len() as u64, relayed.to_client.len() as u64);
        let step = usize::try_from(self.every.max(1)).unwrap_or(1);
        let mut cases = Vec::new();
        for (name, kind) in KINDS {
            for (direction, count) in [(Direction::ToServer, up), (Direction::ToClient, down)] {
                let faults = (0..count).step_by(step).map(|at| Fault { kind, direction, at });
                cases.extend(faults.map(|fault| Case { name, fault: Some(fault) }));
            }
        }
        Ok(cases)
    }

    /// Tries the cases, several at once, and counts how often each outcome came of each kind of fault.
    fn try_all(
        &self,
        scene: &Scene<'_>,
        cases: &[Case],
        counts: &mut Counts,
        failures: &mut Vec<String>,
    ) -> Result<(), String> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<Tried>, String> {
            let mut client = Client::start(&self.command)?;
            let mut results = Vec::new();
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                results.push(scene.check(&mut client, *case)?);
            }
            Ok(results)
        };
        let results = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.workers.max(1)).map(|_| scope.spawn(work)).collect();
            let join = |worker: std::thread::ScopedJoinHandle<'_, _>| {
                worker.join().unwrap_or_else(|_| Err("a worker panicked".to_owned()))
            };
            workers.into_iter().map(join).collect::<Result<Vec<_>, _>>()
        })?;
        // What a server still had to do when a client had ended is done by now.
        std::thread::sleep(SETTLED);
        for Tried { case, sender, result } in results.into_iter().flatten() {
            let stored = scene.sink.of(&sender).0.len();
            let result = match result {
                Ok(outcome) if stored > 1 || (stored == 1 && outcome == "not_sent") => {
                    Err(format!("{outcome}, and then stored {stored} times"))
                }
                other => other,
            };
            match result {
                Ok(outcome) => *counts.entry((case.name, outcome)).or_default() += 1,
                Err(text) => failures.push(format!("{} {} {:?}: {text}", scene.name, case.name, case.fault)),
            }
        }
        Ok(())
    }
}

impl<'a> Scene<'a> {
    fn new(
        name: &'static str,
        options: &'static str,
        folder: &'a Path,
        certs: Option<&'a Path>,
    ) -> Result<Self, String> {
        let listen = own_address();
        let secure = matches!(name, "starttls" | "opportunistic" | "implicit");
        let tls = certs.filter(|_| secure).map(|c| (c.join("server.pem"), c.join("server.key")));
        let pin = tls.as_ref().map_or(Ok(String::new()), |(certificate, _)| fingerprint(certificate))?;
        let options = options.replace("{pin}", &pin);
        let mut sink = SinkOptions {
            keep: true,
            listen,
            pipelining: name != "one-by-one",
            lmtp: name == "lmtp",
            chunking: name == "chunking",
            tls: tls.map(|(chain, key)| Certificate::Files(chain, key)),
            tls_first: name == "implicit",
            ..SinkOptions::default()
        };
        sink.reject("bad*=550 5.1.1 no such user")?;
        let sink = Sink::start(sink).map_err(|e| format!("no server: {e}"))?;
        let address = SocketAddr::new(listen.ip(), sink.port());
        Ok(Self { name, options, sink, address, folder })
    }

    /// One message through a proxy with a fault.
    fn send(&self, client: &mut Client, case: Case) -> Result<(Said, Proxy), String> {
        self.send_as(client, case, &new_sender()).map(|(said, proxy, _)| (said, proxy))
    }

    fn send_as(
        &self,
        client: &mut Client,
        case: Case,
        sender: &str,
    ) -> Result<(Said, Proxy, Vec<u8>), String> {
        let pause = match case.name {
            "delay" => Some(DELAY),
            "trickle" => Some(MOMENT),
            _ => None,
        };
        let listen = own_address();
        let options = ProxyOptions { fault: case.fault, listen, pause, ..ProxyOptions::new(self.address) };
        let proxy = Proxy::start(options).map_err(|e| format!("no proxy: {e}"))?;
        let message = format!(
            "From: {sender}\r\nTo: b@s.example\r\nDate: Mon, 01 Jan 2024 12:00:00 +0000\r\nMessage-ID: <{sender}>\r\n\r\n\
             .dot\r\nand more\r\n"
        );
        let file = self.folder.join(sender);
        std::fs::write(&file, &message).map_err(|e| format!("{}: {e}", file.display()))?;
        let wait = if case.name == "stall" { SHORT } else { LONG };
        let line = format!(
            "message={}\tservers={}\tports={}\tclient=c.example\trecipients=b@s.example, bad@s.example, d@s.example\t\
             atleastone=true\ttimeout={wait}\tmaxsecs={wait}\t{}",
            file.display(),
            listen.ip(),
            proxy.port(),
            self.options
        );
        let said = client.ask(&line);
        let _ = std::fs::remove_file(&file);
        Ok((said?, proxy, message.into_bytes()))
    }

    /// The outcome for the last recipient, held against what the server knows.
    fn check(&self, client: &mut Client, case: Case) -> Result<Tried, String> {
        let sender = new_sender();
        let (said, proxy, message) = self.send_as(client, case, &sender)?;
        proxy.wait(1, LIMIT);
        let (stored, asked) = self.sink.of(&sender);
        let numbers: Vec<u64> = stored.iter().map(|stored| stored.number).collect();
        let changed = stored.iter().any(|stored| stored.content != message);
        let result = match self.wrong(case, &said, &numbers, asked) {
            None if changed => Err(format!("{said:?}: what was stored is not what was sent")),
            None => Ok(said.outcomes.get(2).cloned().unwrap_or_default()),
            Some(why) => Err(format!("{why}: {said:?}, stored as {numbers:?}, asked for {asked} times")),
        };
        Ok(Tried { case, sender, result })
    }

    /// What does not fit together, if anything.
    fn wrong(&self, case: Case, said: &Said, stored: &[u64], asked: usize) -> Option<&'static str> {
        let [first, bad, last] = said.outcomes.as_slice() else { return Some("not three outcomes") };
        if stored.len() > 1 || asked > 1 {
            return Some("offered twice");
        }
        for outcome in [first, last] {
            let good = match outcome.as_str() {
                "accepted" => stored.len() == 1,
                "not_sent" => stored.is_empty(),
                // Only where the content was asked for, and by an error of its own kind.
                "unknown" => asked == 1 && said.kind == "unknown",
                // A server that hears half a command may still say so.
                "rejected" => stored.is_empty() && case.name == "half close",
                _ => false,
            };
            if !good {
                return Some("not what the server knows");
            }
        }
        if (said.kind == "unknown") != (first == "unknown" || last == "unknown") {
            return Some("the error does not fit the outcomes");
        }
        if !matches!(bad.as_str(), "rejected" | "not_sent") {
            return Some("a refused recipient");
        }
        if self.name != "lmtp"
            && first != last
            && (stored.len() == 1 || first == "unknown" || last == "unknown")
        {
            return Some("one reply, and two outcomes");
        }
        if matches!(case.name, "delay" | "trickle")
            && (first, bad, last) != (&"accepted".into(), &"rejected".into(), &"accepted".into())
        {
            return Some("slow, and not sent");
        }
        let id = stored.first().map(|number| format!("{number:08X}"));
        (first == "accepted" && last == "accepted" && id.as_deref() != Some(said.queue_id.as_str()))
            .then_some("accepted, and not by the server's reply")
    }
}

impl Client {
    fn start(command: &[OsString]) -> Result<Self, String> {
        let (program, arguments) = command.split_first().ok_or("no command")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no pipes".to_owned());
        };
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    fn ask(&mut self, line: &str) -> Result<Said, String> {
        let mut answer = String::new();
        let asked = writeln!(self.input, "{line}").and_then(|()| self.input.flush());
        asked.and_then(|()| self.output.read_line(&mut answer)).map_err(|e| format!("the client: {e}"))?;
        let mut words = answer.split_whitespace().map(str::to_owned);
        match (words.next(), words.next()) {
            (Some(kind), Some(queue_id)) => Ok(Said { kind, queue_id, outcomes: words.collect() }),
            _ => Err(format!("the client answered {answer:?} and may have crashed; it was asked {line:?}")),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The SHA-256 of a certificate, in hex.
fn fingerprint(file: &Path) -> Result<String, String> {
    let pem = std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let digest = X509::from_pem(&pem).and_then(|certificate| certificate.digest(MessageDigest::sha256()));
    let digest = digest.map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(digest.iter().map(|octet| format!("{octet:02x}")).collect())
}

/// A sender that no other message has.
fn new_sender() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("{:07}@c.example", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A loopback address of its own for each listener: thousands of closed connections keep the ports of one
/// address busy for a minute.
fn own_address() -> SocketAddr {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let byte = |n: u64| u8::try_from(n % 200 + 2).unwrap_or(2);
    SocketAddr::from(([127, byte(std::process::id().into()), byte(number / 200), byte(number)], 0))
}
