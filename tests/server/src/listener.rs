//! A socket that listens, and waits for a client only for a moment: whoever accepts can be told to stop.

use std::io;
use std::time::{Duration, Instant};

use socket2::Socket;

/// How often it is looked whether there is a client, where no time limit ends accept(2): on Windows.
const LOOK: Duration = Duration::from_millis(1);

pub(crate) struct Listener {
    socket: Socket,
    wait: Duration,
}

impl Listener {
    /// Begins to listen on a socket that is bound.
    pub(crate) fn new(socket: Socket, backlog: i32, wait: Duration) -> io::Result<Self> {
        socket.listen(backlog)?;
        let mut listener = Self { socket, wait };
        listener.set_wait(wait)?;
        Ok(listener)
    }

    /// How long [`accept`](Self::accept) waits from now on.
    pub(crate) fn set_wait(&mut self, wait: Duration) -> io::Result<()> {
        self.wait = wait;
        if cfg!(windows) {
            return self.socket.set_nonblocking(true);
        }
        self.socket.set_read_timeout(Some(wait))
    }

    /// The next client.
    ///
    /// # Errors
    /// None came in time, or what the system says.
    pub(crate) fn accept(&self) -> io::Result<Socket> {
        let deadline = Instant::now() + self.wait;
        loop {
            match self.socket.accept() {
                Ok((client, _)) => {
                    // A client's socket is like the listener's on Windows alone.
                    client.set_nonblocking(false)?;
                    return Ok(client);
                }
                Err(error) if !cfg!(windows) || Instant::now() >= deadline => return Err(error),
                Err(_) => std::thread::sleep(LOOK),
            }
        }
    }
}
