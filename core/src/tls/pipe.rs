//! The two memory buffers that a TLS library takes for its socket.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A clone is the other end. It is shared rather than lent, because native-tls drops its end with a failed
/// handshake, and the alert that tells the server why is still in it.
///
/// An empty buffer answers `WouldBlock` even when the wire is closed: so the only end that the
/// library ever reports is close_notify, and truncation cannot look like one.
#[derive(Clone, Default)]
pub(super) struct Pipe(Arc<Mutex<Buffers>>);

#[derive(Default)]
struct Buffers {
    input: VecDeque<u8>,
    output: Vec<u8>,
}

impl Pipe {
    /// Adds what came from the wire.
    pub(super) fn feed(&self, ciphertext: &[u8]) {
        self.buffers().input.extend(ciphertext);
    }

    /// Whether there is ciphertext that the library has not taken.
    #[cfg(any(feature = "tls-openssl", feature = "tls-rustls"))]
    pub(super) fn has_input(&self) -> bool {
        !self.buffers().input.is_empty()
    }

    /// Moves what the library wrote to the end of `out`; says how much it was.
    pub(super) fn drain(&self, out: &mut Vec<u8>) -> usize {
        let mut buffers = self.buffers();
        let count = buffers.output.len();
        out.append(&mut buffers.output);
        count
    }

    fn buffers(&self) -> MutexGuard<'_, Buffers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffers = self.buffers();
        if buffers.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buffers.input.read(buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, ciphertext: &[u8]) -> io::Result<usize> {
        self.buffers().output.extend_from_slice(ciphertext);
        Ok(ciphertext.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
