//! One connection: what is read at once is answered in one write, or (`--nagle`) in one for each reply.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Poll, Token};
use rustls::{HandshakeKind, ServerConfig, ServerConnection};

use crate::count::Count;
use crate::session::{After, Offers, Session};

const BUFFER: usize = 256 * 1024;
const GREETING: &[u8] = b"220 sink.example ESMTP\r\n";

/// What all connections have in common.
pub(crate) struct Shared {
    pub(crate) count: Count,
    /// The reply to EHLO, and that under TLS.
    hello: [Vec<u8>; 2],
    tls: Option<Arc<ServerConfig>>,
    starttls: bool,
    /// Each reply is written alone, and Nagle's algorithm is on.
    nagle: bool,
    /// What was read last, by whichever connection, and what it was without TLS.
    buffers: [Vec<u8>; 2],
}

impl Shared {
    pub(crate) fn new(offers: Offers, nagle: bool, tls: Option<Arc<ServerConfig>>) -> Self {
        Self {
            count: Count::default(),
            hello: [offers.hello(), Offers { starttls: false, ..offers }.hello()],
            tls,
            starttls: offers.starttls,
            nagle,
            buffers: [vec![0; BUFFER], vec![0; BUFFER]],
        }
    }
}

pub(crate) struct Connection {
    socket: TcpStream,
    session: Session,
    tls: Option<ServerConnection>,
    /// The handshake was counted.
    shaken: bool,
    /// Replies, and how many octets of them were written.
    out: Vec<u8>,
    written: usize,
    /// As [`Shared::nagle`].
    nagle: bool,
    after: After,
    /// Waits until it can write.
    blocked: bool,
}

impl Connection {
    /// Greets, or waits for a handshake.
    ///
    /// # Errors
    /// The client is gone already.
    pub(crate) fn new(socket: TcpStream, shared: &Shared) -> io::Result<Self> {
        socket.set_nodelay(!shared.nagle)?;
        let mut new = Self {
            socket,
            session: Session::new(),
            tls: None,
            shaken: false,
            out: Vec::with_capacity(4096),
            written: 0,
            nagle: shared.nagle,
            after: After::GoOn,
            blocked: false,
        };
        if !shared.starttls {
            new.tls = shared.tls.clone().map(secure).transpose()?;
        }
        new.out.extend_from_slice(GREETING);
        new.flush()?;
        Ok(new)
    }

    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Reads and answers; `ended` is to read until there is certainly no more. False is the end of the connection.
    ///
    /// # Errors
    /// The client is gone, or says nothing that is TLS.
    pub(crate) fn serve(&mut self, ended: bool, shared: &mut Shared) -> io::Result<bool> {
        let [mut data, mut text] = std::mem::take(&mut shared.buffers);
        let done = self.exchange(ended, &mut data, &mut text, shared);
        shared.buffers = [data, text];
        done
    }

    fn exchange(
        &mut self,
        ended: bool,
        data: &mut [u8],
        text: &mut [u8],
        shared: &mut Shared,
    ) -> io::Result<bool> {
        loop {
            if !self.flush()? {
                return Ok(true);
            }
            match self.after {
                After::Quit => return Ok(false),
                After::Handshake => {
                    self.tls = shared.tls.clone().map(secure).transpose()?;
                    self.after = After::GoOn;
                }
                After::GoOn => {}
            }
            let length = match self.socket.read(data) {
                Ok(0) => return Ok(false),
                Ok(length) => length,
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
                Err(fault) => return Err(fault),
            };
            self.input(&data[..length], text, shared)?;
            if !self.out.is_empty() {
                shared.count.answers = shared.count.answers.wrapping_add(1);
            }
            if length < data.len() && !ended && self.after == After::GoOn {
                self.flush()?;
                return Ok(true);
            }
        }
    }

    fn input(&mut self, mut data: &[u8], text: &mut [u8], shared: &mut Shared) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            self.after = self.session.input(data, &shared.hello[0], &mut shared.count, &mut self.out);
            return Ok(());
        };
        while !data.is_empty() && self.after == After::GoOn {
            tls.read_tls(&mut data)?;
            if let Err(fault) = tls.process_new_packets() {
                let _ = tls.write_tls(&mut self.socket); // the alert
                return Err(io::Error::new(ErrorKind::InvalidData, fault));
            }
            while let Ok(length @ 1..) = tls.reader().read(text) {
                let after =
                    self.session.input(&text[..length], &shared.hello[1], &mut shared.count, &mut self.out);
                if after != After::GoOn {
                    self.after = After::Quit;
                    break;
                }
            }
        }
        if !self.shaken && !tls.is_handshaking() {
            self.shaken = true;
            shared.count.handshakes += 1;
            shared.count.resumed += u64::from(tls.handshake_kind() == Some(HandshakeKind::Resumed));
        }
        Ok(())
    }

    /// Writes the replies; false where the client must read first.
    fn flush(&mut self) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            if !self.out.is_empty() {
                tls.writer().write_all(&self.out)?;
                self.out.clear();
            }
            if self.after == After::Quit {
                tls.send_close_notify();
            }
            while tls.wants_write() {
                match tls.write_tls(&mut self.socket) {
                    Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Ok(false),
                    done => done?,
                };
            }
            return Ok(true);
        }
        while self.written < self.out.len() {
            let rest = &self.out[self.written..];
            match self.socket.write(if self.nagle { first_reply(rest) } else { rest }) {
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
                done => self.written += done?,
            }
        }
        self.written = 0;
        self.out.clear();
        Ok(true)
    }

    /// Asks to be told when it can go on. True.
    ///
    /// # Errors
    /// What epoll says.
    pub(crate) fn wait(&mut self, poll: &Poll, token: Token) -> io::Result<bool> {
        let blocked = self.written < self.out.len() || self.tls.as_ref().is_some_and(|tls| tls.wants_write());
        if blocked != self.blocked {
            self.blocked = blocked;
            let interest = if blocked { Interest::WRITABLE } else { Interest::READABLE };
            poll.registry().reregister(&mut self.socket, token, interest)?;
        }
        Ok(true)
    }
}

/// The first of the replies (RFC 5321 section 4.2.1): up to the line without a hyphen after its code.
fn first_reply(replies: &[u8]) -> &[u8] {
    let mut length = 0;
    for line in replies.split_inclusive(|octet| *octet == b'\n') {
        length += line.len();
        if line.get(3) != Some(&b'-') {
            break;
        }
    }
    &replies[..length]
}

fn secure(config: Arc<ServerConfig>) -> io::Result<ServerConnection> {
    let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
    tls.set_buffer_limit(None);
    Ok(tls)
}
