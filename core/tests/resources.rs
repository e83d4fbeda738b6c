//! Descriptors, threads and memory stay as they are over many sends that go well, and many that fail in every way.
//! RESOURCE_ROUNDS says how many of each (60). Alone in its process, so that the counts mean something.
// The servers have OpenSSL, which a build for Windows does not.
#![cfg(all(not(windows), feature = "net"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::pki::{Folder, GOOD};
use scripted_server::proxy::{Direction, Fault, FaultKind, Proxy, ProxyOptions};
use scripted_server::sink::{Certificate, Sink, SinkOptions};
use smtpclient::cancel::Cancel;
use smtpclient::error::Kind;
use smtpclient::message::Message;
use smtpclient::net::{Session, sendmessage};
use smtpclient::options::Options;

const TEXT: &[u8] = b"From: a@c.example\r\nTo: b@s.example\r\nSubject: x\r\n\r\nHello.\r\n";
/// Threads that send at once.
const WORKERS: usize = 4;
/// What the allocator may keep for itself. Ten thousand sends that lose one address each are far above it.
const SLACK: u64 = 3 << 20;

/// What came of one send.
type Outcome = Result<(), Kind>;

/// One way to send, and what must come of it.
struct Way<'a> {
    name: &'static str,
    wanted: Outcome,
    send: Box<dyn Fn() -> Outcome + Sync + 'a>,
}

fn way<'a>(name: &'static str, wanted: Outcome, send: impl Fn() -> Outcome + Sync + 'a) -> Way<'a> {
    Way { name, wanted, send: Box::new(send) }
}

#[derive(Clone, Copy, Debug)]
struct Used {
    descriptors: usize,
    threads: usize,
    resident: u64,
}

fn used() -> Used {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let number = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    Used {
        descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
        threads: number("Threads:") as usize,
        resident: number("VmRSS:") * 1024,
    }
}

/// A loopback address of its own for each server, so that closed connections do not use up its ports.
fn own_address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    SocketAddr::from((Ipv4Addr::new(127, 77, 0, NEXT.fetch_add(1, Ordering::Relaxed)), 0))
}

fn sink(options: SinkOptions) -> (Sink, SocketAddr) {
    let listen = own_address();
    let sink = Sink::start(SinkOptions { listen, ..options }).unwrap();
    let address = SocketAddr::new(listen.ip(), sink.port());
    (sink, address)
}

/// A server that says `words` to each client, hears it out as long as `hears`, and goes away.
fn rude(words: &'static [u8], hears: bool) -> SocketAddr {
    let listener = TcpListener::bind(own_address()).unwrap();
    let address = listener.local_addr().unwrap();
    for listener in [listener.try_clone().unwrap(), listener] {
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let _ = client.write_all(words);
                let _ = client.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = if hears {
                    io::copy(&mut client, &mut io::sink())
                } else {
                    client.read(&mut [0; 100]).map(|n| n as u64)
                };
            }
        });
    }
    address
}

fn options(address: SocketAddr) -> Options {
    let mut options = Options::default();
    options.servers = vec![address.ip().to_string()];
    options.ports = vec![address.port()];
    options.client = Some("c.example".to_owned());
    options.usetls = false;
    options.timeout = Some(Duration::from_secs(20));
    options
}

fn with(address: SocketAddr, change: impl FnOnce(&mut Options)) -> Options {
    let mut options = options(address);
    change(&mut options);
    options
}

fn send(message: &Message, options: &Options) -> Outcome {
    match sendmessage(message, options) {
        Ok(report) if report.complete() => Ok(()),
        Ok(_) => Err(Kind::Recipients),
        Err(failed) => Err(failed.error.kind()),
    }
}

fn text(options: &Options) -> Outcome {
    send(&Message::from_bytes(TEXT), options)
}

/// A reader that fails after some octets.
struct Failing(usize);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the disk is full"));
        }
        let n = self.0.min(TEXT.len()).min(buffer.len());
        buffer[..n].copy_from_slice(&TEXT[..n]);
        self.0 -= n;
        Ok(n)
    }
}

fn session(options: &Options) -> Outcome {
    let server = options.servers[0].clone();
    let mut session = Session::open(&server, options.ports[0], options).map_err(|error| error.kind())?;
    for result in session.send_many([Message::from_bytes(TEXT), Message::from_bytes(TEXT)]) {
        let _ = result.map_err(|failed| failed.error.kind())?;
    }
    session.close();
    Ok(())
}

#[test]
fn nothing_grows() {
    let rounds = std::env::var("RESOURCE_ROUNDS").map_or(60, |text| text.parse().unwrap());
    let folder = Folder::new();
    let certificate = folder.file("server.pem", GOOD.cert_pem());
    let key = folder.file("server.key", GOOD.key_pem());

    let file = folder.file("message.eml", TEXT);
    let tls = Some(Certificate::Files(certificate, key));
    let (_a, plain) = sink(SinkOptions::default());
    let (_b, starttls) = sink(SinkOptions { tls: tls.clone(), ..SinkOptions::default() });
    let (_c, first) = sink(SinkOptions { tls, tls_first: true, ..SinkOptions::default() });
    let users = vec![("user".to_owned(), "pass".to_owned())];
    let (_d, login) = sink(SinkOptions { users, ..SinkOptions::default() });
    let mut refusing = SinkOptions { size: Some(1000), ..SinkOptions::default() };
    refusing.reject("bad*=550 5.1.1 no").unwrap();
    let (_e, refusing) = sink(refusing);
    let closed = TcpListener::bind(own_address()).unwrap().local_addr().unwrap();
    let silent = rude(b"", true);
    let leaving = rude(b"220 hello\r\n", false);
    let babbling = rude(b"what is this\r\n", true);
    let failing = |kind, at| {
        let fault = Some(Fault { kind, direction: Direction::ToServer, at });
        let listen = own_address();
        let proxy =
            Proxy::start(ProxyOptions { fault, listen, forget: true, ..ProxyOptions::new(plain) }).unwrap();
        let address = SocketAddr::new(listen.ip(), proxy.port());
        (proxy, address)
    };
    // Within the content, which begins at octet 80 or so.
    let (_f, cut) = failing(FaultKind::Cut, 130);
    let (_g, reset) = failing(FaultKind::Reset, 130);
    let (_h, stalled) = failing(FaultKind::Stall, 130);
    let short = |o: &mut Options| {
        o.timeout = Some(Duration::from_millis(20));
        o.maxsecs = Duration::from_millis(20);
    };
    let pinned = GOOD.cert.digest(::openssl::hash::MessageDigest::sha256()).unwrap();
    let pin: String = pinned.iter().map(|octet| format!("{octet:02x}")).collect();
    let logged = |password: &'static str| {
        with(login, |o| (o.username, o.password) = (Some("user".to_owned()), Some(password.into())))
    };
    let name = format!("{}.example", "a".repeat(64));
    let secure = with(starttls, |o| (o.usetls, o.tlsfingerprint) = (true, vec![pin.clone()]));
    let opportunistic = with(starttls, |o| o.usetls = true);
    let implicit = with(first, |o| (o.tlsimport, o.tlsfingerprint) = (true, vec![pin]));
    let (good, bad) = (logged("pass"), logged("wrong"));
    // The authorities of the system are read once for each set of options.
    let wrong_pin = with(starttls, |o| (o.usetls, o.tlsfingerprint) = (true, vec!["00".repeat(32)]));
    let unverified = with(starttls, |o| (o.usetls, o.tlsrequired) = (true, true));
    let no_tls = with(babbling, |o| o.tlsimport = true);

    let ways = [
        way("plain", Ok(()), || text(&options(plain))),
        way("a file", Ok(()), || send(&Message::from_file(&file), &options(plain))),
        way("a reader", Ok(()), || send(&Message::from_read(TEXT), &options(plain))),
        way("a session of two", Ok(()), || session(&options(plain))),
        way("STARTTLS", Ok(()), || text(&secure)),
        way("STARTTLS, opportunistic", Ok(()), || text(&opportunistic)),
        way("implicit TLS", Ok(()), || text(&implicit)),
        way("a login", Ok(()), || text(&good)),
        way("wrong password", Err(Kind::Login), || text(&bad)),
        way("refused recipient", Err(Kind::Recipients), || {
            text(&with(refusing, |o| o.recipients = Some("bad@s.example".into())))
        }),
        way("too large", Err(Kind::TooLarge), || {
            send(&Message::from_bytes([TEXT, &[b'x'; 2000]].concat()), &options(refusing))
        }),
        way("connection refused", Err(Kind::Connect), || text(&options(closed))),
        way("no such name", Err(Kind::Resolve), || text(&with(plain, |o| o.servers = vec![name.clone()]))),
        way("silence", Err(Kind::Timeout), || text(&with(silent, short))),
        way("goes away", Err(Kind::Closed), || text(&options(leaving))),
        way("no SMTP", Err(Kind::Protocol), || text(&options(babbling))),
        way("cut in the content", Err(Kind::Unknown), || text(&options(cut))),
        way("reset in the content", Err(Kind::Unknown), || text(&options(reset))),
        way("stalled in the content", Err(Kind::Unknown), || {
            // On a busy machine the time may be over before the content began.
            text(&with(stalled, short))
                .map_err(|kind| if kind == Kind::Timeout { Kind::Unknown } else { kind })
        }),
        way("wrong pin", Err(Kind::Tls), || text(&wrong_pin)),
        way("not verified", Err(Kind::Tls), || text(&unverified)),
        way("TLS to a port without", Err(Kind::Tls), || text(&no_tls)),
        way("no STARTTLS", Err(Kind::Tls), || text(&with(plain, |o| o.tlsrequired = true))),
        way("a reader that fails", Err(Kind::Source), || {
            send(
                &Message::from_read(Failing(5000)),
                &with(plain, |o| o.originator = Some("a@b.c".to_owned())),
            )
        }),
        way("no such file", Err(Kind::Source), || {
            send(&Message::from_file("/nonexistent/message"), &options(plain))
        }),
        way("cancelled", Err(Kind::Cancelled), || {
            let cancel = Cancel::new();
            cancel.trigger();
            text(&with(plain, |o| o.cancel = Some(cancel)))
        }),
        way("deadline", Err(Kind::Timeout), || {
            text(&with(silent, |o| o.deadline = Some(Duration::from_millis(20))))
        }),
        way("usage", Err(Kind::Usage), || text(&with(plain, |o| o.originator = Some("a\r\nb".to_owned())))),
    ];
    let mut grown = Vec::new();
    for way in &ways {
        // What is set up once and stays is not counted.
        repeat(way, rounds / 10 + 40);
        let before = settled(None);
        let begin = Instant::now();
        repeat(way, rounds);
        let took = begin.elapsed();
        let after = settled(Some(before));
        let figures = [
            ("descriptors", before.descriptors as u64, after.descriptors as u64),
            ("threads", before.threads as u64, after.threads as u64),
            ("KiB", before.resident / 1024, after.resident / 1024),
        ];
        let figures = figures.map(|(name, before, after)| format!("{name} {before} -> {after}"));
        println!("{:26} {rounds} in {took:7.1?}: {}", way.name, figures.join(", "));
        if after.descriptors > before.descriptors
            || after.threads > before.threads
            || after.resident > before.resident + SLACK
        {
            grown.push(way.name);
        }
    }
    assert!(grown.is_empty(), "{grown:?}");
}

fn repeat(way: &Way<'_>, rounds: usize) {
    let left = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while left.fetch_add(1, Ordering::Relaxed) < rounds {
                    assert_eq!((way.send)(), way.wanted, "{}", way.name);
                }
            });
        }
    });
}

/// The servers' ends may still be about to close.
fn settled(wanted: Option<Used>) -> Used {
    let end = Instant::now() + Duration::from_secs(10);
    let (mut last, mut still) = (used(), 0);
    loop {
        std::thread::sleep(Duration::from_millis(20));
        let now = used();
        still =
            if (now.descriptors, now.threads) == (last.descriptors, last.threads) { still + 1 } else { 0 };
        let done = wanted.is_none_or(|w| now.descriptors <= w.descriptors && now.threads <= w.threads);
        // A connection that was cut lingers for half a second.
        if (still > if wanted.is_some() { 5 } else { 35 } && done) || Instant::now() > end {
            return now;
        }
        last = now;
    }
}
