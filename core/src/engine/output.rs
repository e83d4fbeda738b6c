//! What the engine has for the server, and how much of it was handed over.

use zeroize::Zeroize;

use super::Engine;
use super::state::Quit;

impl Engine {
    /// Bytes for the server; empty when there is nothing to write now.
    pub fn poll_output(&mut self) -> &[u8] {
        self.gather();
        self.output()
    }

    /// Gathers what may be written now, where all that was gathered before was taken.
    pub fn gather(&mut self) {
        if self.is_taken() {
            self.clear_output();
            self.fill();
        }
    }

    /// Whether nothing is left of what was gathered, and of a chunk that goes out from where it lies.
    pub(super) fn is_taken(&self) -> bool {
        self.sent == self.out.len() && self.lending.is_none()
    }

    /// What was gathered and not taken yet.
    pub fn output(&self) -> &[u8] {
        match self.out.get(self.sent..) {
            None | Some([]) => self.lent(),
            Some(gathered) => gathered,
        }
    }

    /// Records that the first `n` bytes of [`poll_output`](Self::poll_output) were handed to the kernel.
    /// Must be called before anything else is: outcomes depend on it.
    pub fn output_done(&mut self, n: usize) {
        self.output_taken(n);
        self.output_flushed(n as u64);
    }

    /// Records that a layer below took the first `n` bytes of [`poll_output`](Self::poll_output), and will
    /// say by [`output_flushed`](Self::output_flushed) when they are on their way.
    pub fn output_taken(&mut self, n: usize) {
        let gathered = self.out.len() - self.sent;
        if gathered == 0 {
            self.taken += self.lent_taken(n) as u64;
            return;
        }
        let n = n.min(gathered);
        self.sent += n;
        self.taken += n as u64;
        if self.wipe && self.sent == self.out.len() {
            self.clear_output();
        }
    }

    /// Records that `n` more of the bytes taken were handed to the kernel.
    pub fn output_flushed(&mut self, n: u64) {
        self.flushed = (self.flushed + n).min(self.taken);
        self.progress += u64::from(n > 0);
        if self.quit_is_taken() && self.flushed == self.taken {
            self.finish();
        }
    }

    /// Whether QUIT was taken and nothing will follow it.
    pub fn quit_is_taken(&self) -> bool {
        self.quit == Quit::Written && self.is_taken() && self.actives.is_empty()
    }

    pub(super) fn clear_output(&mut self) {
        if std::mem::take(&mut self.wipe) {
            self.out.zeroize();
        }
        self.out.clear();
        self.sent = 0;
    }
}
