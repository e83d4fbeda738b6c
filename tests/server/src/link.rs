//! A link between two networks, as real ones are: slow, far, lossy, with a firewall that forgets, or with a hole that
//! large packets fall into.
//!
//! It relays IP packets between two TUN devices. How a packet fares depends on the server's address, so that one link
//! is many.

use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// More than this waits for no slow link: what comes then is lost, as in any router.
const QUEUE: Duration = Duration::from_millis(500);

/// The largest packet of a TUN device, and more.
const PACKET: usize = 65_536;

const TCP: u8 = 6;
const SYN: u8 = 0x02;

/// What the link to one address is like. The default only relays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Bits in a second, for each connection and direction.
    pub rate: Option<u64>,
    /// How long each packet is under way.
    pub delay: Duration,
    /// So many of a thousand packets are lost.
    pub loss: u64,
    /// Longer packets vanish, and nobody is told (RFC 2923 section 2.1).
    pub hole: Option<usize>,
    /// A connection that was idle for so long is forgotten, and its packets vanish.
    pub forget: Option<Duration>,
    /// Everything vanishes.
    pub dead: bool,
}

impl Path {
    /// `ADDRESS[,rate=BITS][,delay=MS][,loss=PERMILLE][,hole=OCTETS][,forget=MS][,dead]`.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn parse(text: &str) -> Result<(IpAddr, Self), String> {
        let mut words = text.split(',');
        let address = words.next().unwrap_or_default();
        let address = address.parse().map_err(|_| format!("{address:?} is not an IP address"))?;
        let mut path = Self::default();
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, "1"));
            let number: u64 = value.parse().map_err(|_| format!("{word:?} wants a number"))?;
            match name {
                "rate" => path.rate = Some(number.max(1)),
                "delay" => path.delay = Duration::from_millis(number),
                "loss" => path.loss = number,
                "hole" => path.hole = Some(usize::try_from(number).unwrap_or(usize::MAX)),
                "forget" => path.forget = Some(Duration::from_millis(number)),
                "dead" => path.dead = true,
                _ => return Err(format!("a link has no {name:?}")),
            }
        }
        Ok((address, path))
    }
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the client's side.
    ToServer,
    /// From the server's side.
    ToClient,
}

/// The two ends of a connection as the packets name them: the server's address, both ports. No ports: no TCP.
type Flow = (IpAddr, u16, u16);

/// Who a packet is from and to, as far as a link looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    from: IpAddr,
    to: IpAddr,
    /// The ports of TCP, and whether it begins a connection.
    tcp: Option<(u16, u16, bool)>,
}

impl Header {
    fn read(packet: &[u8]) -> Option<Self> {
        let octets = |at: usize, n: usize| packet.get(at..at + n);
        let (from, to, protocol, payload) = match packet.first()? >> 4 {
            4 => {
                let v4 = |at| Some(IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(octets(at, 4)?).ok()?)));
                (v4(12)?, v4(16)?, *packet.get(9)?, usize::from(packet.first()? & 15) * 4)
            }
            6 => {
                let v6 = |at| Some(IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(octets(at, 16)?).ok()?)));
                (v6(8)?, v6(24)?, *packet.get(6)?, 40)
            }
            _ => return None,
        };
        let port = |at| Some(u16::from_be_bytes(<[u8; 2]>::try_from(octets(at, 2)?).ok()?));
        let tcp = match protocol {
            TCP => Some((port(payload)?, port(payload + 2)?, packet.get(payload + 13)? & SYN != 0)),
            _ => None,
        };
        Some(Self { from, to, tcp })
    }

    fn server(&self, way: Way) -> IpAddr {
        match way {
            Way::ToServer => self.to,
            Way::ToClient => self.from,
        }
    }

    fn flow(&self, way: Way) -> Flow {
        let (from, to) = self.tcp.map_or((0, 0), |(from, to, _)| (from, to));
        match way {
            Way::ToServer => (self.to, to, from),
            Way::ToClient => (self.from, from, to),
        }
    }
}

/// What the link knows of the connections over it.
#[derive(Debug)]
struct Router {
    paths: HashMap<IpAddr, Path>,
    /// When each connection was heard of last.
    heard: HashMap<Flow, Instant>,
    /// Which of them were tried on a dead link, and nobody was told of yet.
    tried: Vec<IpAddr>,
    /// Until when the line of each is busy.
    busy: HashMap<(Flow, Way), Instant>,
    /// The state of the dice, which fall the same in every run.
    dice: u64,
}

impl Router {
    fn new(paths: impl IntoIterator<Item = (IpAddr, Path)>) -> Self {
        let paths = paths.into_iter().collect();
        Self { paths, heard: HashMap::new(), tried: Vec::new(), busy: HashMap::new(), dice: 1 }
    }

    /// When a packet arrives at the other side; `None`: never.
    fn arrives(&mut self, packet: &[u8], way: Way, now: Instant) -> Option<Instant> {
        let header = Header::read(packet)?;
        let path = *self.paths.get(&header.server(way))?;
        let flow = header.flow(way);
        if path.dead {
            let begins = header.tcp.is_some_and(|(.., begins)| begins);
            if begins && self.heard.insert(flow, now).is_none() {
                self.tried.push(header.server(way));
            }
            return None;
        }
        if path.hole.is_some_and(|most| packet.len() > most) {
            return None;
        }
        if let Some(forget) = path.forget
            && let Some((.., begins)) = header.tcp
        {
            let known = self.heard.get(&flow).is_some_and(|last| now.duration_since(*last) < forget);
            if !known && !begins {
                return None;
            }
            self.heard.insert(flow, now);
        }
        if path.loss > 0 {
            // Knuth's generator: its high bits are good enough for dice.
            self.dice =
                self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if (self.dice >> 33) % 1000 < path.loss {
                return None;
            }
        }
        let mut leaves = now;
        if let Some(rate) = path.rate {
            let begins = self.busy.get(&(flow, way)).copied().unwrap_or(now).max(now);
            if begins.duration_since(now) > QUEUE {
                return None;
            }
            let bits = u64::try_from(packet.len()).unwrap_or(u64::MAX).saturating_mul(8);
            leaves = begins + Duration::from_micros(bits.saturating_mul(1_000_000) / rate);
            self.busy.insert((flow, way), leaves);
        }
        Some(leaves + path.delay)
    }
}

/// A packet under way; the one that arrives first is the greatest.
struct Parcel {
    arrives: Instant,
    number: u64,
    way: Way,
    packet: Vec<u8>,
}

impl Parcel {
    fn key(&self) -> std::cmp::Reverse<(Instant, u64)> {
        std::cmp::Reverse((self.arrives, self.number))
    }
}

impl PartialEq for Parcel {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Parcel {}

impl PartialOrd for Parcel {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Parcel {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// Relays between the TUN device of the client's side and that of the server's, without a header of their own
/// (`IFF_NO_PI`), until one of them is gone. `tried` is called for each connection that is tried over a dead link.
///
/// # Errors
/// A device that cannot be used.
pub fn relay(
    client: File,
    server: File,
    paths: impl IntoIterator<Item = (IpAddr, Path)>,
    tried: fn(IpAddr),
) -> io::Result<()> {
    let router = Arc::new(Mutex::new(Router::new(paths)));
    let number = Arc::new(AtomicU64::new(0));
    let (sender, receiver) = channel();
    for (device, way) in [(client.try_clone()?, Way::ToServer), (server.try_clone()?, Way::ToClient)] {
        let (router, number, sender) = (Arc::clone(&router), Arc::clone(&number), sender.clone());
        thread::spawn(move || listen(device, way, &router, &number, &sender, tried));
    }
    drop(sender);
    deliver(client, server, &receiver)
}

fn listen(
    mut device: File,
    way: Way,
    router: &Mutex<Router>,
    number: &AtomicU64,
    sender: &Sender<Parcel>,
    tried: fn(IpAddr),
) {
    let mut buffer = vec![0; PACKET];
    // An error: the device is gone, and so is the link.
    while let Ok(count) = device.read(&mut buffer) {
        let Some(packet) = buffer.get(..count).filter(|packet| !packet.is_empty()) else { return };
        let mut router = router.lock().unwrap_or_else(PoisonError::into_inner);
        let arrives = router.arrives(packet, way, Instant::now());
        router.tried.drain(..).for_each(tried);
        drop(router);
        let Some(arrives) = arrives else { continue };
        let number = number.fetch_add(1, Ordering::Relaxed);
        if sender.send(Parcel { arrives, number, way, packet: packet.to_vec() }).is_err() {
            return;
        }
    }
}

fn deliver(mut client: File, mut server: File, receiver: &Receiver<Parcel>) -> io::Result<()> {
    let mut waiting = BinaryHeap::new();
    loop {
        let now = Instant::now();
        while waiting.peek().is_some_and(|parcel: &Parcel| parcel.arrives <= now) {
            let Some(parcel) = waiting.pop() else { break };
            let device = match parcel.way {
                Way::ToServer => &mut server,
                Way::ToClient => &mut client,
            };
            device.write_all(&parcel.packet)?;
        }
        let wait = waiting.peek().map_or(Duration::from_secs(3600), |p| p.arrives.duration_since(now));
        match receiver.recv_timeout(wait) {
            Ok(parcel) => waiting.push(parcel),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
