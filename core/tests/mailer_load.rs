//! 200 connections and many messages: memory does not grow, and stays near what 200 connections need.
//!
//! The server is a process of its own, so that the figures are the client's. `MESSAGES` is how many are sent, 20 000 by
//! default. `cargo test --release -p smtpclient --test mailer_load -- compare` sends them over 1, 16 and 200 connections
//! by a mailer and by a thread with a `Session` for each connection, and prints what both cost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use smtpclient::message::Message;
use smtpclient::net::{Mailer, Session};
use smtpclient::options::Options;

const LIMIT: Duration = Duration::from_secs(600);
const CONNECTIONS: usize = 200;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let messages = std::env::var("MESSAGES").map_or(20_000, |text| text.parse().unwrap());
    match words.first().map(String::as_str) {
        Some("serve") => serve(Duration::from_millis(words[1].parse().unwrap())),
        Some("compare") => compare(messages),
        Some("one") => one(&words[1], words[2].parse().unwrap(), words[3].parse().unwrap(), &words[4]),
        // What nextest and cargo ask a harness for; no test of it is ignored.
        Some("--list") if words.iter().any(|word| word == "--ignored") => {}
        Some("--list") => println!("memory: test"),
        _ => {
            memory(messages);
            println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        }
    }
}

fn memory(messages: usize) {
    // Slow enough that every connection is needed.
    let server = Server::start("20");
    let options = options(server.port);
    let token = message();
    // What the first message of all needs stays: tables of the system, pages of the program.
    let _ =
        Session::open("127.0.0.1", server.port, &options).unwrap().send_message(&token, &options).unwrap();
    let base = resident();
    let mailer = Mailer::new(&with_connections(options, CONNECTIONS)).unwrap();
    let (mut early, mut most) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..messages {
                mailer.submit(&token, None).unwrap();
            }
        });
        for count in 1..=messages {
            let (_, report) = mailer.next_report(LIMIT).expect("a report");
            assert!(report.complete(), "{report:?}");
            if count % 500 == 0 {
                let now = resident().saturating_sub(base);
                if count <= messages / 4 {
                    early = early.max(now);
                }
                most = most.max(now);
            }
        }
    });
    let counts = mailer.counts();
    println!(
        "{messages} messages, {} connections: {most} KiB above {base} KiB, {early} KiB in the first quarter",
        counts.opened
    );
    assert_eq!(counts.accepted, messages as u64);
    // On a busy machine the messages are gone before the last ones are open.
    assert!(
        (CONNECTIONS as u64 / 2..=CONNECTIONS as u64).contains(&counts.opened),
        "{} connections",
        counts.opened
    );
    assert!(most <= early + 1024, "it grew from {early} KiB to {most} KiB");
    assert!(most <= 6 * 1024, "{most} KiB for {CONNECTIONS} connections");
    assert!(mailer.close(LIMIT).unwrap());
}

fn compare(messages: usize) {
    for connections in [1, 16, 200] {
        for way in ["mailer", "sessions"] {
            let server = Server::start("0");
            let me = std::env::current_exe().unwrap();
            let arguments =
                ["one", way, &connections.to_string(), &messages.to_string(), &server.port.to_string()];
            assert!(Command::new(me).args(arguments).status().unwrap().success());
        }
    }
}

/// Sends in one way, and prints what it cost.
fn one(way: &str, connections: usize, messages: usize, port: &str) {
    let options = options(port.parse().unwrap());
    let token = message();
    let _ = Session::open("127.0.0.1", options.ports[0], &options)
        .unwrap()
        .send_message(&token, &options)
        .unwrap();
    let (base, used, begin) = (resident(), processor(), Instant::now());
    match way {
        "mailer" => {
            let options = with_connections(options, connections);
            let mailer = Mailer::with_reports(&options, |_, report| assert!(report.complete())).unwrap();
            for _ in 0..messages {
                mailer.submit(&token, None).unwrap();
            }
            assert!(mailer.drain(LIMIT).unwrap());
            print(way, connections, messages, base, used, begin);
            assert_eq!(mailer.counts().accepted, messages as u64);
            println!("          opened {}", mailer.counts().opened);
        }
        _ => {
            let open = || Session::open("127.0.0.1", options.ports[0], &options).unwrap();
            let mut sessions: Vec<Session> = (0..connections).map(|_| open()).collect();
            std::thread::scope(|scope| {
                for session in &mut sessions {
                    let token = &token;
                    let own = (0..messages / connections).map(move |_| token.clone());
                    scope.spawn(move || assert!(session.send_many(own).all(|sent| sent.unwrap().complete())));
                }
            });
            print(way, connections, messages, base, used, begin);
        }
    }
}

fn print(way: &str, connections: usize, messages: usize, base: u64, used: Duration, begin: Instant) {
    let micros = (processor() - used).as_secs_f64() * 1e6 / messages as f64;
    let rate = messages as f64 / begin.elapsed().as_secs_f64();
    let memory = resident().saturating_sub(base);
    println!(
        "{connections:4} {way:9} {micros:6.2} us of CPU a message, {rate:7.0} messages/s, {memory} KiB above {base} KiB"
    );
}

fn options(port: u16) -> Options {
    let mut options = Options::default();
    options.servers = vec!["127.0.0.1".to_owned()];
    options.ports = vec![port];
    options.client = Some("client.example".to_owned());
    options.originator = Some("a@client.example".to_owned());
    options.recipients = Some("b@mail.example".into());
    options
}

/// For a mailer, whose options no session takes.
fn with_connections(mut options: Options, connections: usize) -> Options {
    options.mailer.connections = connections;
    options
}

fn message() -> Message {
    let head = "From: a@client.example\r\nTo: b@mail.example\r\nDate: Mon, 01 Jan 2024 12:00:00 +0000\r\n\
                Message-ID: <1@client.example>\r\nSubject: x\r\n\r\n";
    Message::from_bytes(format!("{head}{}", "All work and no play makes Jack a dull boy.\r\n".repeat(20)))
}

/// KiB of memory that this process has.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// What this process has computed so far.
fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10) // USER_HZ is 100 on every Linux
}

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(delay: &str) -> Self {
        let me = std::env::current_exe().unwrap();
        let mut child = Command::new(me).args(["serve", delay]).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().parse().unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `delay` is how long a message takes.
fn serve(delay: Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    while let Ok((stream, _)) = listener.accept() {
        std::thread::spawn(move || take(&stream, delay));
    }
}

/// Takes everything; the replies of a group go in one piece.
fn take(stream: &TcpStream, delay: Duration) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (mut input, mut out, mut line) = (BufReader::new(stream), Vec::new(), Vec::new());
    out.extend_from_slice(b"220 mail.example ESMTP\r\n");
    loop {
        if input.buffer().is_empty() {
            (&*stream).write_all(&out).ok()?;
            out.clear();
        }
        line.clear();
        input.read_until(b'\n', &mut line).ok().filter(|count| *count > 0)?;
        match line.get(..4) {
            Some(b"EHLO") => out.extend_from_slice(b"250-mail.example\r\n250 PIPELINING\r\n"),
            Some(b"DATA") => {
                out.extend_from_slice(b"354 go on\r\n");
                (&*stream).write_all(&out).ok()?;
                out.clear();
                while line != b".\r\n" {
                    line.clear();
                    input.read_until(b'\n', &mut line).ok().filter(|count| *count > 0)?;
                }
                std::thread::sleep(delay);
                out.extend_from_slice(b"250 2.0.0 Ok: queued as 4711\r\n");
            }
            _ => out.extend_from_slice(b"250 2.0.0 ok\r\n"),
        }
    }
}
