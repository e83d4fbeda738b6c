//! `scripted-server`: see `HELP`.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use scripted_server::dialogue::Listen;
use scripted_server::faults::Plan;
use scripted_server::link::{Path, relay};
use scripted_server::player::Running;
use scripted_server::proxy::{Direction, Fault, FaultKind, Proxy, ProxyOptions};
use scripted_server::runner;
use scripted_server::sink::{Certificate, Sink, SinkOptions};

const HELP: &str = "\
scripted-server FILE.smtp [--listen ADDR:PORT | --unix PATH] [--unpack DIR] [--record FILE] [--seconds N]
    Plays the servers of a dialogue file (tests/dialogues/README.md). Prints `LISTENING PORT...`, one port
    for each server section (a path for a Unix socket). --listen and --unix say where the first one listens.
    Exit 0 when the client said what was expected; 1, and the difference on standard error, when not.
      --unpack DIR    write the options and the message of the file there
      --record FILE   write what the client sent, one connection after the other
      --seconds N     the most that it takes (30)

scripted-server run FILE... [--seconds N] -- COMMAND ...
    Runs the command once for each dialogue file (or each of a folder), with a folder that holds options and message.

scripted-server sink [OPTIONS]
    A server that takes every message. Prints `LISTENING PORT`.
      --listen ADDR:PORT  (127.0.0.1:0)      --unix PATH
      --dump DIR          write each message to N.eml, its MAIL and RCPT lines to N.envelope
      --reject 'PATTERN=CODE TEXT'  refuse recipients (`*` is anything); may stand several times
      --fault STEP[#N]=FAULT  at greeting, hello, starttls, auth, mail, rcpt, data, final, rset or quit, or at the Nth of all: a
                          reply of 400 to 599 (`data#1=451 4.3.0 Later`), `close`, `reset`, `silence` or `delay SECONDS`
      --size N            refuse messages of more octets
      --tls CERT KEY      offer STARTTLS (PEM files)   --tls-first  implicit TLS
      --login USER PASSWORD  take mail only after a login (PLAIN, LOGIN or XOAUTH2)
      --lmtp  --chunking  --no-pipelining  --no-8bitmime    what is offered
      --nagle             write each reply of a group alone, with Nagle's algorithm on
      --messages N        end after so many messages
      --seconds N         end after so many seconds (3600)
      --verbose           print the dialogue

scripted-server faults [--every N] [--workers N] [--certs DIR] [--dialogue NAME]... -- COMMAND ...
    Has a client send through connections that fail in every way at every Nth octet (1), and holds what it reports
    against what the server knows. The command is one client, several of which run at once. For each line of
    `name=value` pairs with tabs between it sends one message, the file `message` with the other names as options, and
    prints a line: the kind of the error or `-`, the queue id or `-`, and the outcome for each recipient.
      --certs DIR     for TLS: ca.pem, server.pem and server.key as tests/servers/certs makes them

scripted-server unasked [--every N] [--workers N] -- COMMAND ...
    Has a client send messages over a session with a server that says something unasked at every point, and holds what
    it reports against what the server knows; or only every Nth time. The command gets PORT SENDS PAUSE: it opens a session, sends so many
    messages from s0@c.example, s1@c.example, ... with a pause of so many milliseconds between, and prints the outcome of
    each on a line.

scripted-server proxy --to HOST:PORT [FAULT] [OPTIONS]
    Relays connections to a server, with a fault at exactly octet N of one direction. Prints `LISTENING PORT`.
      --cut-to-server N    --cut-to-client N     close both ways
      --reset-to-server N  --reset-to-client N   the same with RST
      --half-to-server N   --half-to-client N    end this direction, go on with the other
      --stall-to-server N  --stall-to-client N   stop for --pause MS (for ever)
      --trickle-to-server N  --trickle-to-client N   octet by octet from there on
      --trickle            octet by octet, with --pause MS between (0)
      --listen ADDR:PORT   (127.0.0.1:0)
      --record DIR         write what was delivered to K.to-server and K.to-client
      --connections N      end after so many connections
      --seconds N          end after so many seconds (3600)

scripted-server link --at ADDRESS[,rate=BITS][,delay=MS][,loss=PERMILLE][,hole=OCTETS][,forget=MS][,dead]... [--dump DIR]
    Relays IP packets between two TUN devices, standard input at the client's side and standard output at the server's, as
    each server's address wants it; other packets are dropped. A sink listens on port 25 of the server's side. Prints
    `LISTENING 25` on standard error, and `TRIED ADDRESS` for each connection that is tried over a dead link. tests/link/run
    makes the devices.
";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let asks = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--help" || word == "-h");
    let word = arguments.first().and_then(|a| a.to_str()).filter(|_| !asks).unwrap_or("--help");
    let result = match word {
        "-h" | "--help" | "help" => {
            say(HELP.trim_end());
            Ok(true)
        }
        "run" => run(&arguments[1..]),
        "sink" => sink(&arguments[1..]),
        "faults" => faults(&arguments[1..]),
        "unasked" => unasked(&arguments[1..]),
        "proxy" => proxy(&arguments[1..]),
        "link" => link(&arguments[1..]),
        _ => play(&arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            complain(&format!("scripted-server: {text}"));
            ExitCode::from(2)
        }
    }
}

/// A reader that has gone away is not a reason to stop.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Words and `--name value` pairs, taken one by one.
struct Arguments<'a>(std::slice::Iter<'a, OsString>);

impl<'a> Arguments<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.0.next().map(|a| a.to_str().unwrap_or("\u{fffd}"))
    }

    fn value(&mut self, name: &str) -> Result<&'a str, String> {
        self.next().ok_or_else(|| format!("{name} wants a value"))
    }

    fn number(&mut self, name: &str) -> Result<u64, String> {
        let value = self.value(name)?;
        value.parse().map_err(|_| format!("{name} wants a number, not {value}"))
    }

    fn address(&mut self, name: &str) -> Result<SocketAddr, String> {
        let value = self.value(name)?;
        value.parse().map_err(|_| format!("{name} wants ADDRESS:PORT, not {value}"))
    }
}

fn unknown<T>(word: &str) -> Result<T, String> {
    Err(format!("no such argument: {word} (see --help)"))
}

fn play(arguments: &[OsString]) -> Result<bool, String> {
    let mut words = Arguments(arguments.iter());
    let (mut file, mut listen, mut unix, mut folder, mut record) = (None, None, None, None, None);
    let mut limit = 30;
    while let Some(word) = words.next() {
        match word {
            "--listen" => listen = Some(words.address(word)?),
            "--unix" => unix = Some(PathBuf::from(words.value(word)?)),
            "--unpack" => folder = Some(PathBuf::from(words.value(word)?)),
            "--record" => record = Some(PathBuf::from(words.value(word)?)),
            "--seconds" => limit = words.number(word)?,
            _ if !word.starts_with('-') && file.is_none() => file = Some(PathBuf::from(word)),
            _ => return unknown(word),
        }
    }
    let dialogue = runner::load(&file.ok_or("no file")?)?;
    let limit = Duration::from_secs(limit);
    let running = Running::start_at(&dialogue, limit, listen, unix.as_deref())
        .map_err(|e| format!("no socket: {e}"))?;
    if let Some(folder) = folder {
        runner::unpack(&running, &folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let names = running.servers().iter().map(|s| match s.path() {
        Some(path) => path.display().to_string(),
        None => s.port().to_string(),
    });
    say(&format!("LISTENING {}", names.collect::<Vec<_>>().join(" ")));

    let deadline = Instant::now() + limit;
    while !running.is_played() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    // A connection too many comes soon after the last one, or not at all.
    let watched = dialogue.servers.iter().any(|s| s.listen == Listen::Idle);
    std::thread::sleep(Duration::from_millis(if watched { 300 } else { 20 }));
    let heard = running.finish();
    match heard {
        Ok(records) => {
            if let Some(record) = record {
                let octets: Vec<u8> = records.into_iter().flat_map(|r| r.connections).flatten().collect();
                std::fs::write(&record, octets).map_err(|e| format!("{}: {e}", record.display()))?;
            }
            Ok(true)
        }
        Err(difference) => {
            complain(&difference);
            Ok(false)
        }
    }
}

fn run(arguments: &[OsString]) -> Result<bool, String> {
    let split = arguments.iter().position(|a| a == "--").ok_or("`--` and a command are missing")?;
    let command = &arguments[split + 1..];
    let mut words = Arguments(arguments[..split].iter());
    let (mut files, mut limit) = (Vec::new(), 30);
    while let Some(word) = words.next() {
        match word {
            "--seconds" => limit = words.number(word)?,
            _ if word.starts_with('-') => return unknown(word),
            _ if std::path::Path::new(word).is_dir() => files.extend(runner::files(word.as_ref())?),
            _ => files.push(word.into()),
        }
    }
    let mut failed = 0;
    for file in &files {
        if let Err(difference) = runner::run(file, command, Duration::from_secs(limit)) {
            failed += 1;
            say(&format!("FAILED {}\n  {}", file.display(), difference.replace('\n', "\n  ")));
        }
    }
    say(&format!("{} dialogues, {failed} failed", files.len()));
    Ok(failed == 0 && !files.is_empty())
}

fn sink(arguments: &[OsString]) -> Result<bool, String> {
    let mut options = SinkOptions::default();
    let mut words = Arguments(arguments.iter());
    let (mut messages, mut limit) = (None, 3600);
    while let Some(word) = words.next() {
        match word {
            "--listen" => options.listen = words.address(word)?,
            "--unix" => options.unix = Some(words.value(word)?.into()),
            "--dump" => options.dump = Some(words.value(word)?.into()),
            "--reject" => options.reject(words.value(word)?)?,
            "--fault" => options.faults.push(words.value(word)?.parse()?),
            "--size" => options.size = Some(words.number(word)?),
            "--tls" => {
                options.tls = Some(Certificate::Files(words.value(word)?.into(), words.value(word)?.into()))
            }
            "--tls-first" => options.tls_first = true,
            "--login" => options.users.push((words.value(word)?.into(), words.value(word)?.into())),
            "--lmtp" => options.lmtp = true,
            "--chunking" => options.chunking = true,
            "--no-pipelining" => options.pipelining = false,
            "--nagle" => options.nagle = true,
            "--no-8bitmime" => options.eight_bit_mime = false,
            "--verbose" => options.verbose = true,
            "--messages" => messages = Some(words.number(word)?),
            "--seconds" => limit = words.number(word)?,
            _ => return unknown(word),
        }
    }
    let sink = Sink::start(options).map_err(|e| format!("cannot start: {e}"))?;
    say(&match sink.path() {
        Some(path) => format!("LISTENING {}", path.display()),
        None => format!("LISTENING {}", sink.port()),
    });
    let deadline = Instant::now() + Duration::from_secs(limit);
    while Instant::now() < deadline && messages.is_none_or(|most| sink.count() < most) {
        std::thread::sleep(Duration::from_millis(20));
    }
    // The last client still has its QUIT to say.
    std::thread::sleep(Duration::from_millis(100));
    Ok(true)
}

fn proxy(arguments: &[OsString]) -> Result<bool, String> {
    let mut words = Arguments(arguments.iter());
    let mut options = ProxyOptions {
        listen: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into(),
        ..ProxyOptions::new(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into())
    };
    let (mut to, mut connections, mut limit) = (None, None, 3600);
    while let Some(word) = words.next() {
        match word {
            "--to" => to = Some(words.address(word)?),
            "--listen" => options.listen = words.address(word)?,
            "--record" => options.record = Some(words.value(word)?.into()),
            "--trickle" => options.trickle = true,
            "--pause" => options.pause = Some(Duration::from_millis(words.number(word)?)),
            "--connections" => connections = Some(words.number(word)?),
            "--seconds" => limit = words.number(word)?,
            _ => {
                let (kind, direction) = fault(word).map_or_else(|| unknown(word), Ok)?;
                options.fault = Some(Fault { kind, direction, at: words.number(word)? });
            }
        }
    }
    options.to = to.ok_or("--to HOST:PORT is missing")?;
    let proxy = Proxy::start(options).map_err(|e| format!("cannot start: {e}"))?;
    say(&format!("LISTENING {}", proxy.port()));
    let deadline = Instant::now() + Duration::from_secs(limit);
    while Instant::now() < deadline && connections.is_none_or(|most| proxy.done() < most) {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(true)
}

fn link(arguments: &[OsString]) -> Result<bool, String> {
    let mut words = Arguments(arguments.iter());
    let mut options = SinkOptions { listen: (Ipv4Addr::UNSPECIFIED, 25).into(), ..SinkOptions::default() };
    let mut paths = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "--at" => paths.push(Path::parse(words.value(word)?)?),
            "--dump" => options.dump = Some(words.value(word)?.into()),
            _ => return unknown(word),
        }
    }
    let device = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().map(File::from);
    let client = device(std::io::stdin().as_fd()).map_err(|e| format!("no device: {e}"))?;
    let server = device(std::io::stdout().as_fd()).map_err(|e| format!("no device: {e}"))?;
    let sink = Sink::start(options).map_err(|e| format!("cannot start: {e}"))?;
    complain(&format!("LISTENING {}", sink.port()));
    relay(client, server, paths, |address| complain(&format!("TRIED {address}")))
        .map_err(|e| format!("the link is broken: {e}"))?;
    Ok(true)
}

fn faults(arguments: &[OsString]) -> Result<bool, String> {
    let split = arguments.iter().position(|a| a == "--").ok_or("`--` and a command are missing")?;
    let mut plan = Plan::new(arguments[split + 1..].to_vec());
    let mut words = Arguments(arguments[..split].iter());
    while let Some(word) = words.next() {
        match word {
            "--every" => plan.every = words.number(word)?,
            "--workers" => plan.workers = usize::try_from(words.number(word)?).unwrap_or(1),
            "--certs" => plan.certs = Some(PathBuf::from(words.value(word)?)),
            "--dialogue" => plan.only.push(words.value(word)?.to_owned()),
            _ => return unknown(word),
        }
    }
    plan.run(&mut |line| say(line))
}

fn unasked(arguments: &[OsString]) -> Result<bool, String> {
    let split = arguments.iter().position(|a| a == "--").ok_or("`--` and a command are missing")?;
    let (mut every, mut workers) = (1, 8);
    let mut words = Arguments(arguments[..split].iter());
    while let Some(word) = words.next() {
        match word {
            "--every" => every = usize::try_from(words.number(word)?).unwrap_or(1),
            "--workers" => workers = usize::try_from(words.number(word)?).unwrap_or(1),
            _ => return unknown(word),
        }
    }
    scripted_server::unasked::run(&arguments[split + 1..], every, workers, &mut |line| say(line))
}

/// `--cut-to-server` and the like.
fn fault(word: &str) -> Option<(FaultKind, Direction)> {
    let (kind, direction) = word.strip_prefix("--")?.split_once("-to-")?;
    let kind = match kind {
        "cut" => FaultKind::Cut,
        "reset" | "rst" => FaultKind::Reset,
        "half" => FaultKind::HalfClose,
        "stall" => FaultKind::Stall,
        "trickle" => FaultKind::Trickle,
        _ => return None,
    };
    match direction {
        "server" => Some((kind, Direction::ToServer)),
        "client" => Some((kind, Direction::ToClient)),
        _ => None,
    }
}
