//! A connected socket with a buffer, a deadline, and a record of what came.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use socket2::Socket;

/// What is read is kept for the record up to this size, so that a client that never stops fills no memory.
const MAX_RECORD: usize = 64 << 20;

/// A line that never ends is not SMTP: RFC 5321 section 4.5.3.1.6 allows 1000 octets.
const MAX_LINE: usize = 1 << 20;

pub(crate) struct Wire {
    socket: Socket,
    deadline: Instant,
    buffer: Vec<u8>,
    start: usize,
    ended: bool,
    trickle: Option<Duration>,
    pub(crate) received: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(socket: Socket, deadline: Instant) -> Self {
        let _ = socket.set_tcp_nodelay(true); // no TCP, no delay
        Self {
            socket,
            deadline,
            buffer: Vec::new(),
            start: 0,
            ended: false,
            trickle: None,
            received: Vec::new(),
        }
    }

    pub(crate) fn set_trickle(&mut self, pause: Duration) {
        self.trickle = Some(pause);
    }

    /// Sends as much as the client takes. A client that went away is found out when it is asked for something.
    pub(crate) fn send(&mut self, octets: &[u8]) {
        let _ = self.socket.set_write_timeout(Some(self.remaining()));
        match self.trickle {
            None => drop(self.socket.write_all(octets)),
            Some(pause) => {
                for octet in octets {
                    if self.socket.write_all(&[*octet]).is_err() {
                        return;
                    }
                    std::thread::sleep(pause);
                }
            }
        }
    }

    /// Whether the client has sent something that was not asked for yet.
    pub(crate) fn pending(&mut self) -> bool {
        if self.start == self.buffer.len() && self.socket.set_nonblocking(true).is_ok() {
            let _ = self.fill();
            let _ = self.socket.set_nonblocking(false);
        }
        self.start < self.buffer.len()
    }

    /// What is there, without waiting.
    pub(crate) fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// A line up to and with its LF; less where the client ended or time ran out.
    pub(crate) fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") && line.len() < MAX_LINE && self.more()? {
            let unread = self.unread();
            let taken = unread.iter().position(|&b| b == b'\n').map_or(unread.len(), |at| at + 1);
            line.extend_from_slice(&unread[..taken]);
            self.start += taken;
        }
        Ok(line)
    }

    /// So many octets; fewer where the client ended.
    pub(crate) fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        while octets.len() < count && self.more()? {
            let unread = self.unread();
            let taken = unread.len().min(count - octets.len());
            octets.extend_from_slice(&unread[..taken]);
            self.start += taken;
        }
        Ok(octets)
    }

    pub(crate) fn half_close(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Ends the connection as a server does that is done: what the client has sent already is taken, so
    /// that it reads what it was told before it sees the end. A client that does not stop gets an RST.
    pub(crate) fn close(mut self) -> Vec<u8> {
        self.half_close();
        self.deadline = self.deadline.min(Instant::now() + Duration::from_millis(200));
        let most = self.received.len() + 65536;
        while self.received.len() < most && matches!(self.more(), Ok(true)) {
            self.start = self.buffer.len();
        }
        self.received
    }

    /// Ends the connection with RST.
    pub(crate) fn reset(self) -> Vec<u8> {
        let _ = self.socket.set_linger(Some(Duration::ZERO));
        self.received
    }

    /// Waits until something is unread; false at the end of the stream.
    fn more(&mut self) -> io::Result<bool> {
        if self.start < self.buffer.len() {
            return Ok(true);
        }
        if self.ended {
            return Ok(false);
        }
        self.socket.set_read_timeout(Some(self.remaining()))?;
        self.fill()?;
        Ok(!self.ended)
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.resize(65536, 0);
        self.start = 0;
        let result = loop {
            match self.socket.read(&mut self.buffer) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let count = *result.as_ref().unwrap_or(&0);
        self.buffer.truncate(count);
        if self.received.len() < MAX_RECORD {
            self.received.extend_from_slice(&self.buffer);
        }
        match result {
            Ok(0) => self.ended = true,
            Ok(_) => {}
            // A client that closes before it has read everything resets: it has ended all the same.
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                self.ended = true
            }
            Err(e) => return Err(e),
        }
        Ok(())
    }

    fn remaining(&self) -> Duration {
        // Zero would mean no limit.
        self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }
}
