//! The loop: one thread, epoll, one buffer that every connection is read into.

use std::io::{self, ErrorKind};
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustls::ServerConfig;

use crate::connection::{Connection, Shared};
use crate::count::Count;
use crate::session::Offers;

const LISTENER: Token = Token(usize::MAX);

/// Serves until SIGTERM or SIGINT, and gives what was counted.
///
/// # Errors
/// What the sockets and epoll say; never because of one connection.
pub(crate) fn run(
    listener: StdListener,
    offers: Offers,
    nagle: bool,
    tls: Option<Arc<ServerConfig>>,
) -> io::Result<Count> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut shared = Shared::new(offers, nagle, tls);
    let mut all = Connections::default();
    while !stop.load(Ordering::Relaxed) {
        // A signal between the look at `stop` and the wait is seen a little later.
        match poll.poll(&mut events, Some(Duration::from_millis(250))) {
            Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
            done => done?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((socket, _)) = listener.accept() {
                    all.add(socket, &poll, &mut shared)?;
                }
                continue;
            }
            let Some(Some(connection)) = all.slots.get_mut(event.token().0) else { continue };
            // Where this is not so, a read that does not fill the buffer took all that there is: see epoll(7).
            let ended = event.is_read_closed() || event.is_error();
            let going_on = connection.serve(ended, &mut shared);
            if !going_on.and_then(|on| Ok(on && connection.wait(&poll, event.token())?)).unwrap_or(false) {
                all.remove(event.token().0);
            }
        }
    }
    Ok(shared.count)
}

/// The open connections, by their tokens.
#[derive(Default)]
struct Connections {
    slots: Vec<Option<Connection>>,
    free: Vec<usize>,
}

impl Connections {
    fn add(&mut self, socket: TcpStream, poll: &Poll, shared: &mut Shared) -> io::Result<()> {
        let slot = self.free.pop().unwrap_or(self.slots.len());
        let Ok(mut connection) = Connection::new(socket, shared) else {
            if slot < self.slots.len() {
                self.free.push(slot);
            }
            return Ok(());
        };
        poll.registry().register(connection.socket(), Token(slot), Interest::READABLE)?;
        if slot == self.slots.len() {
            self.slots.push(Some(connection));
        } else {
            self.slots[slot] = Some(connection);
        }
        shared.count.connections += 1;
        shared.count.peak = shared.count.peak.max((self.slots.len() - self.free.len()) as u64);
        Ok(())
    }

    fn remove(&mut self, slot: usize) {
        self.slots[slot] = None;
        self.free.push(slot);
    }
}
