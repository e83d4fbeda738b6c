//! A relay that delays each direction, for the round trips that netem would give.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Passes on every connection to `to`; what comes in goes out half of `delay` later, so `delay` is a round trip. The
/// connection itself arrives as late, so the greeting costs one; the three packets that make a TCP connection cost none.
///
/// # Errors
/// The listener's.
pub(crate) fn run(listener: &TcpListener, to: SocketAddr, delay: Duration) -> io::Result<()> {
    for client in listener.incoming() {
        let client = client?;
        thread::spawn(move || {
            thread::sleep(delay / 2);
            let Ok(server) = TcpStream::connect(to) else { return };
            let _ = pass(client, server, delay / 2);
        });
    }
    Ok(())
}

fn pass(client: TcpStream, server: TcpStream, delay: Duration) -> io::Result<()> {
    for socket in [&client, &server] {
        socket.set_nodelay(true)?;
    }
    for (from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        let (sender, receiver) = channel();
        thread::spawn(move || take(from, &sender, delay));
        thread::spawn(move || give(to, &receiver));
    }
    Ok(())
}

fn take(mut from: TcpStream, sender: &Sender<(Instant, Vec<u8>)>, delay: Duration) {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let length = from.read(&mut buffer).unwrap_or(0);
        let piece = buffer.get(..length).unwrap_or_default().to_vec();
        if sender.send((Instant::now() + delay, piece)).is_err() || length == 0 {
            return;
        }
    }
}

/// An empty piece is the end of this direction.
fn give(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    for (when, piece) in receiver {
        thread::sleep(when.saturating_duration_since(Instant::now()));
        if piece.is_empty() || to.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
