//! Stands between a client and a server, and fails at exactly one octet.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::listener::Listener;

/// How often a thread that waits looks whether the other one has ended the connection.
const TICK: Duration = Duration::from_millis(5);

/// How long both sides may still talk into a connection that was cut.
const LINGER: Duration = Duration::from_millis(500);

/// The direction that a fault counts the octets of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What the client sends.
    ToServer,
    /// What the server sends.
    ToClient,
}

/// What happens when exactly [`Fault::at`] octets of the direction have been delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Both directions end, in both connections.
    Cut,
    /// The same with RST.
    Reset,
    /// This direction ends; the other goes on.
    HalfClose,
    /// This direction stops for [`ProxyOptions::pause`], or for good.
    Stall,
    /// From here on this direction goes octet by octet, with [`ProxyOptions::pause`] between.
    Trickle,
}

/// A fault of one direction of each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// The direction whose octets count.
    pub direction: Direction,
    /// The octets that are delivered before it happens.
    pub at: u64,
}

impl Fault {
    fn ends_both(self) -> bool {
        matches!(self.kind, FaultKind::Cut | FaultKind::Reset)
    }
}

/// Where a proxy stands and what it does.
#[derive(Clone, Debug)]
pub struct ProxyOptions {
    /// The server.
    pub to: SocketAddr,
    /// Where it listens: by default on a free port of 127.0.0.1.
    pub listen: SocketAddr,
    /// What goes wrong.
    pub fault: Option<Fault>,
    /// Relay octet by octet, with [`pause`](Self::pause) between.
    pub trickle: bool,
    /// The length of a stall, or between octets.
    pub pause: Option<Duration>,
    /// Do not keep what was delivered for [`Proxy::wait`].
    pub forget: bool,
    /// The folder for `K.to-server` and `K.to-client`: what was delivered on connection K, from 1.
    pub record: Option<PathBuf>,
}

impl ProxyOptions {
    /// A faultless proxy to `to`.
    pub fn new(to: SocketAddr) -> Self {
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        Self { to, listen, fault: None, trickle: false, pause: None, forget: false, record: None }
    }
}

/// What was delivered on one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relayed {
    /// To the server.
    pub to_server: Vec<u8>,
    /// To the client.
    pub to_client: Vec<u8>,
}

/// A running proxy; it stops taking connections when it is dropped.
pub struct Proxy {
    port: u16,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    relayed: Arc<Mutex<Vec<Relayed>>>,
}

impl Proxy {
    /// Starts a proxy.
    ///
    /// # Errors
    /// No socket, or no folder.
    pub fn start(options: ProxyOptions) -> io::Result<Self> {
        if let Some(record) = &options.record {
            std::fs::create_dir_all(record)?;
        }
        let socket = Socket::new(Domain::for_address(options.listen), Type::STREAM, None)?;
        socket.set_reuse_address(options.listen.port() != 0)?;
        socket.bind(&options.listen.into())?;
        let port = socket.local_addr()?.as_socket().map_or(0, |a| a.port());
        let listener = Listener::new(socket, 128, TICK)?;
        let proxy = Self { port, stop: Arc::default(), done: Arc::default(), relayed: Arc::default() };
        let (stop, done, relayed) =
            (Arc::clone(&proxy.stop), Arc::clone(&proxy.done), Arc::clone(&proxy.relayed));
        std::thread::spawn(move || {
            let mut number = 0usize;
            while !stop.load(Ordering::SeqCst) {
                let Ok(client) = listener.accept() else {
                    continue;
                };
                let (options, stop) = (options.clone(), Arc::clone(&stop));
                let (done, relayed) = (Arc::clone(&done), Arc::clone(&relayed));
                let index = number;
                number += 1;
                std::thread::spawn(move || {
                    let got = relay(client, &options, &stop);
                    if let Some(record) = &options.record {
                        let _ =
                            std::fs::write(record.join(format!("{}.to-server", index + 1)), &got.to_server);
                        let _ =
                            std::fs::write(record.join(format!("{}.to-client", index + 1)), &got.to_client);
                    }
                    if !options.forget
                        && let Ok(mut all) = relayed.lock()
                    {
                        let length = all.len().max(index + 1);
                        all.resize(length, Relayed::default());
                        all[index] = got;
                    }
                    done.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Ok(proxy)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections have ended.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    /// Waits until `count` connections have ended, at most for `limit`; gives what was delivered.
    pub fn wait(&self, count: u64, limit: Duration) -> Vec<Relayed> {
        let deadline = Instant::now() + limit;
        while self.done() < count && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.relayed.lock().map(|all| all.clone()).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

const OPEN: u8 = 0;
const CUT: u8 = 1;
const RESET: u8 = 2;
/// The last octet before a cut or reset is on its way: the answer to it must not be faster than the fault.
const HOLD: u8 = 3;

/// What the two threads of a connection share.
struct Link<'a> {
    client: Socket,
    server: Socket,
    state: AtomicU8,
    options: &'a ProxyOptions,
    stop: &'a AtomicBool,
}

fn relay(client: Socket, options: &ProxyOptions, stop: &AtomicBool) -> Relayed {
    let connected = Socket::new(Domain::for_address(options.to), Type::STREAM, None).and_then(|server| {
        server.connect_timeout(&options.to.into(), Duration::from_secs(5)).map(|()| server)
    });
    let Ok(server) = connected else {
        return Relayed::default();
    };
    for socket in [&client, &server] {
        let _ = socket.set_tcp_nodelay(true);
        let _ = socket.set_read_timeout(Some(TICK));
        let _ = socket.set_write_timeout(Some(TICK));
    }
    let link = Link { client, server, state: AtomicU8::new(OPEN), options, stop };
    if let Some(fault) = options.fault.filter(|fault| fault.at == 0 && fault.ends_both()) {
        link.strike(fault, 0, &link.client);
    }
    std::thread::scope(|scope| {
        let up = scope.spawn(|| link.pump(Direction::ToServer));
        let to_client = link.pump(Direction::ToClient);
        Relayed { to_server: up.join().unwrap_or_default(), to_client }
    })
}

impl Link<'_> {
    /// Carries one direction until its end; gives what was delivered.
    fn pump(&self, direction: Direction) -> Vec<u8> {
        let (from, to) = match direction {
            Direction::ToServer => (&self.client, &self.server),
            Direction::ToClient => (&self.server, &self.client),
        };
        let fault = self.options.fault.filter(|fault| fault.direction == direction);
        let mut delivered = Vec::new();
        let mut buffer = vec![0; 65536];
        let mut struck = fault.is_some_and(|fault| self.strike(fault, delivered.len(), to));
        let mut over: Option<Instant> = None;
        loop {
            let state = self.state.load(Ordering::SeqCst);
            if state != OPEN && over.is_none() {
                over = Some(Instant::now() + LINGER);
            }
            if state == RESET
                || over.is_some_and(|over| Instant::now() > over)
                || self.stop.load(Ordering::SeqCst)
            {
                return delivered;
            }
            let count = match (&mut &*from).read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(e) if waits(&e) => continue,
                Err(_) => {
                    // The peer reset the connection: so is the other one.
                    self.end(RESET);
                    return delivered;
                }
            };
            let mut rest = &buffer[..count];
            let mut holding = false;
            while !rest.is_empty() && !struck && (holding || self.state.load(Ordering::SeqCst) == OPEN) {
                let left = fault.map_or(u64::MAX, |fault| fault.at.saturating_sub(delivered.len() as u64));
                // After a stall there is no fault any more.
                let left = if left == 0 { u64::MAX } else { left };
                let trickles = fault.is_some_and(|fault| {
                    fault.kind == FaultKind::Trickle && delivered.len() as u64 >= fault.at
                });
                let trickles = trickles || self.options.trickle;
                let most = if trickles { 1 } else { rest.len() };
                let piece = &rest[..most.min(usize::try_from(left).unwrap_or(usize::MAX))];
                if fault.is_some_and(|fault| fault.ends_both() && piece.len() as u64 == left) && !holding {
                    self.state.store(HOLD, Ordering::SeqCst);
                    holding = true;
                }
                match (&mut &*to).write(piece) {
                    Ok(sent) => {
                        delivered.extend_from_slice(&piece[..sent]);
                        rest = &rest[sent..];
                    }
                    Err(e) if waits(&e) && !self.stop.load(Ordering::SeqCst) => continue,
                    Err(_) => break,
                }
                if let Some(fault) = fault {
                    struck = self.strike(fault, delivered.len(), to);
                }
                if trickles {
                    std::thread::sleep(self.options.pause.unwrap_or_default());
                }
            }
        }
        if matches!(self.state.load(Ordering::SeqCst), OPEN | CUT) {
            let _ = to.shutdown(Shutdown::Write);
        }
        delivered
    }

    /// Lets the fault happen where its octet has come; true where nothing more may be delivered.
    fn strike(&self, fault: Fault, delivered: usize, to: &Socket) -> bool {
        if delivered as u64 != fault.at {
            return false;
        }
        match fault.kind {
            FaultKind::Cut => self.end(CUT),
            FaultKind::Reset => self.end(RESET),
            FaultKind::HalfClose => drop(to.shutdown(Shutdown::Write)),
            FaultKind::Trickle => return false,
            FaultKind::Stall => {
                let end = self.options.pause.map(|pause| Instant::now() + pause);
                while end.is_none_or(|end| Instant::now() < end) {
                    let gone = self.state.load(Ordering::SeqCst) != OPEN || self.stop.load(Ordering::SeqCst);
                    if gone || end.is_none() {
                        return true;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                return false;
            }
        }
        true
    }

    fn end(&self, state: u8) {
        self.state.store(state, Ordering::SeqCst);
        for socket in [&self.client, &self.server] {
            if state == CUT {
                let _ = socket.shutdown(Shutdown::Write);
            } else {
                let _ = socket.set_linger(Some(Duration::ZERO));
                let _ = socket.shutdown(Shutdown::Read); // wakes the other thread
            }
        }
    }
}

fn waits(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
