//! What a driver sees of anything that speaks over a connection: a link, or a whole delivery.

use std::time::Duration;

use crate::delivery::Delivery;
use crate::error::Error;
use crate::link::Link;

/// Bytes in, bytes out. A driver for sockets or for an event loop needs nothing else.
pub trait Conversation {
    /// Takes bytes that the server sent.
    fn handle_input(&mut self, input: &[u8]);
    /// Takes note that the server sends no more.
    fn handle_eof(&mut self);
    /// Takes note that [`timeout`](Self::timeout) has passed without [`progress`](Self::progress).
    fn handle_timeout(&mut self);
    /// Takes note of a fault of the network.
    fn handle_error(&mut self, cause: Error);
    /// Ends everything: the call was cancelled, or is over its deadline.
    fn abort(&mut self, cause: Error);
    /// Bytes for the server; empty when there is nothing to write now.
    fn poll_output(&mut self) -> &[u8];
    /// Takes note that the first `n` bytes of the output were handed to the kernel.
    fn output_done(&mut self, n: usize);
    /// How long the server may take until there is progress; `None` when nothing is due from it.
    fn timeout(&self) -> Option<Duration>;
    /// Changes whenever the clock of `timeout` starts anew.
    fn progress(&self) -> u64;
    /// Whether a caller's reader had no bytes when it was last asked.
    fn waits_for_source(&self) -> bool;
}

macro_rules! forward {
    ($type:ty) => {
        impl Conversation for $type {
            fn handle_input(&mut self, input: &[u8]) {
                self.handle_input(input);
            }
            fn handle_eof(&mut self) {
                self.handle_eof();
            }
            fn handle_timeout(&mut self) {
                self.handle_timeout();
            }
            fn handle_error(&mut self, cause: Error) {
                self.handle_error(cause);
            }
            fn abort(&mut self, cause: Error) {
                self.abort(cause);
            }
            fn poll_output(&mut self) -> &[u8] {
                self.poll_output()
            }
            fn output_done(&mut self, n: usize) {
                self.output_done(n);
            }
            fn timeout(&self) -> Option<Duration> {
                self.timeout()
            }
            fn progress(&self) -> u64 {
                self.progress()
            }
            fn waits_for_source(&self) -> bool {
                self.waits_for_source()
            }
        }
    };
}

forward!(Link);
forward!(Delivery);
