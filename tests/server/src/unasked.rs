//! A server that says something unasked at every point of a session, tried on a client in any language and held
//! against what the server itself knows.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it says.
const WORDS: [&str; 9] = [
    "250 2.1.0 Ok",
    "354 Go on",
    "235 2.7.0 Welcome",
    "421 4.4.2 Idle for too long",
    "451 4.4.2 Timeout waiting for data from client.",
    "554 5.7.1 Go away",
    "Hello?",
    "250 2.1.0 Ok\r\n250 2.1.5 Ok",
    "250-2.0.0 and so on",
];
/// After which of its replies.
const POINTS: [&str; 6] = ["220", "EHLO", "MAIL", "RCPT", "final 1", "final 2"];
/// How many milliseconds later.
const LATE: [u64; 4] = [0, 20, 120, 300];
/// How long the client pauses between its messages.
const PAUSES: [u64; 3] = [0, 60, 350];
/// Messages that the client sends over the session.
const SENDS: usize = 3;

#[derive(Clone, Copy, Debug)]
struct Case {
    point: &'static str,
    word: &'static str,
    late: u64,
    pause: u64,
    grouped: bool,
}

/// Runs a client that is started with `command` once for each case, or every `every`th, several at once, and tells line by
/// line what came out. False where something did not hold.
///
/// # Errors
/// A client or a server that cannot be started.
pub fn run(
    command: &[OsString],
    every: usize,
    workers: usize,
    tell: &mut dyn FnMut(&str),
) -> Result<bool, String> {
    let cases: Vec<Case> = cases().into_iter().step_by(every.max(1)).collect();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = tried(command, *case).map_err(|why| format!("{case:?}: {why}"));
                    results.lock().unwrap_or_else(|e| e.into_inner()).push(result);
                }
            });
        }
    });
    let (mut counts, mut failures) = (BTreeMap::<String, usize>::new(), Vec::new());
    for result in results.into_inner().unwrap_or_else(|e| e.into_inner()) {
        match result {
            Ok(outcomes) => outcomes.into_iter().for_each(|outcome| *counts.entry(outcome).or_default() += 1),
            Err(text) => failures.push(text),
        }
    }
    for (outcome, count) in counts {
        tell(&format!("{count:7} {outcome}"));
    }
    failures.iter().for_each(|text| tell(text));
    tell(&format!("{} sessions, {} failed", cases.len(), failures.len()));
    Ok(failures.is_empty())
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for point in POINTS {
        for word in WORDS {
            for late in LATE {
                for (n, pause) in PAUSES.into_iter().enumerate() {
                    let grouped = (n + cases.len()) % 2 == 0;
                    cases.push(Case { point, word, late, pause, grouped });
                }
            }
        }
    }
    cases
}

/// One session: what the client says of each message must fit what the server knows of it.
fn tried(command: &[OsString], case: Case) -> Result<Vec<String>, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| format!("no server: {e}"))?;
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();
    let taken: Arc<Mutex<Vec<String>>> = Arc::default();
    let record = Arc::clone(&taken);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let (record, case) = (Arc::clone(&record), case);
            std::thread::spawn(move || serve(&stream, case, &record));
        }
    });
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let output = Command::new(program)
        .args(arguments)
        .args([port.to_string(), SENDS.to_string(), case.pause.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("{}: {e}", program.to_string_lossy()))?;
    if !output.status.success() {
        return Err(format!("the client ended with {}", output.status));
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // What the server still reads of a connection that the client has left.
    std::thread::sleep(Duration::from_millis(30));
    let taken = taken.lock().unwrap_or_else(|e| e.into_inner());
    let mut outcomes = Vec::new();
    for (n, line) in said.lines().enumerate() {
        let (outcome, sender) = (line.trim(), format!("s{n}@c.example"));
        let has = taken.iter().filter(|taken| taken.contains(&sender)).count();
        let fits = match outcome {
            "accepted" => has == 1,
            "rejected" | "not_sent" => has == 0,
            "unknown" => has <= 1,
            _ => return Err(format!("not an outcome: {line:?}")),
        };
        if !fits {
            return Err(format!("message {n}: {outcome}, and the server took it {has} times ({said:?})"));
        }
        outcomes.push(outcome.to_owned());
    }
    if outcomes.len() != SENDS {
        return Err(format!("{SENDS} messages, and {said:?}"));
    }
    Ok(outcomes)
}

/// The server's side of the connection, which two threads write to.
struct Peer {
    stream: Mutex<TcpStream>,
}

impl Peer {
    fn say(&self, text: &str) -> bool {
        let mut stream = self.stream.lock().unwrap_or_else(|e| e.into_inner());
        stream.write_all(format!("{text}\r\n").as_bytes()).is_ok()
    }
}

fn serve(stream: &TcpStream, case: Case, taken: &Mutex<Vec<String>>) {
    let _ = stream.set_nodelay(true);
    let Ok(writer) = stream.try_clone() else { return };
    let peer = Arc::new(Peer { stream: Mutex::new(writer) });
    // What it says unasked may not fall between the end of a message and its reply: nobody could tell them apart.
    let in_data = Arc::new(Mutex::new(()));
    let mut lines = BufReader::new(stream);
    let after = |point: &str| {
        if point != case.point {
            return;
        }
        if case.late == 0 {
            peer.say(case.word);
            return;
        }
        let (peer, in_data) = (Arc::clone(&peer), Arc::clone(&in_data));
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(case.late));
            let _free = in_data.lock().unwrap_or_else(|e| e.into_inner());
            peer.say(case.word);
        });
    };
    peer.say("220 mail.example ESMTP");
    after("220");
    let (mut sender, mut count) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if !matches!(lines.read_line(&mut line), Ok(n) if n > 0) {
            return;
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let known = match verb.as_str() {
            "EHLO" if case.grouped => peer.say("250-mail.example\r\n250 PIPELINING"),
            "EHLO" => peer.say("250 mail.example"),
            "MAIL" => {
                sender = line.trim_end().to_owned();
                peer.say("250 2.1.0 Ok")
            }
            "RCPT" => peer.say("250 2.1.5 Ok"),
            "DATA" => {
                let _busy = in_data.lock().unwrap_or_else(|e| e.into_inner());
                peer.say("354 Go on");
                loop {
                    let mut content = String::new();
                    if !matches!(lines.read_line(&mut content), Ok(n) if n > 0) {
                        return;
                    }
                    if content == ".\r\n" {
                        break;
                    }
                }
                count += 1;
                // Every other message is refused, so that a reply to something else shows.
                if count % 2 == 1 {
                    taken.lock().unwrap_or_else(|e| e.into_inner()).push(sender.clone());
                    peer.say("250 2.0.0 Ok: queued as 4ABC")
                } else {
                    peer.say("554 5.6.0 Not this one")
                }
            }
            "RSET" | "NOOP" => peer.say("250 2.0.0 Ok"),
            "QUIT" => {
                peer.say("221 2.0.0 Bye");
                return;
            }
            _ => peer.say("500 5.5.2 What?"),
        };
        if !known {
            return;
        }
        match verb.as_str() {
            "DATA" => after(&format!("final {count}")),
            verb => after(verb),
        }
    }
}
