//! What a TLS library must be able to do, seen from the connection: it moves bytes only.

use super::facts::TlsFacts;
use crate::error::Error;
use crate::sasl::ChannelBinding;

/// The lowest protocol version that is spoken; higher ones are preferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.0 (RFC 2246), deprecated by RFC 8996. Many systems no longer have it.
    Tls10,
    /// TLS 1.1 (RFC 4346), deprecated by RFC 8996. Many systems no longer have it.
    Tls11,
    /// TLS 1.2 (RFC 5246).
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// Which authorities may vouch for a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trust {
    /// Those of the system alone.
    System,
    /// Only the caller's own: `tlscafile` and `tlsca`.
    Given,
    /// Those of the system, and the caller's own if there are any.
    #[default]
    Both,
}

/// What to do when TLS cannot be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsAnswer {
    /// Close the connection; the next server is tried.
    Secure,
    /// Go on in plain text.
    Insecure,
}

impl TlsAnswer {
    /// One word, the same in every language: `secure`, `insecure`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Insecure => "insecure",
        }
    }
}

/// What becomes of a certificate that does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verify {
    /// The handshake fails.
    Require,
    /// The handshake goes on, and [`TlsFacts`] says what is known of the certificate (opportunistic TLS).
    Report,
}

/// What is to be expected after a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadState {
    /// More plaintext comes only from more input.
    WantInput,
    /// The server said that this is the end (close_notify).
    CloseNotify,
    /// The wire was closed without close_notify: what is missing at the end, nobody knows.
    Truncated,
}

/// One TLS connection over memory, between an engine and the wire. Each method is described at
/// `TlsStream`, which is the one of this library; a driver may bring its own.
pub trait Layer: Send {
    /// Takes ciphertext from the wire, and goes on with the handshake.
    ///
    /// # Errors
    /// The handshake failed, or the certificate is not accepted.
    fn handle_input(&mut self, ciphertext: &[u8]) -> Result<(), Error>;
    /// The wire was closed by the server.
    fn handle_eof(&mut self);
    /// Ciphertext for the wire.
    fn poll_output(&self) -> &[u8];
    /// The first `n` octets of the ciphertext were handed to the wire.
    fn output_done(&mut self, n: usize);
    /// Whether the handshake is over and the certificate accepted.
    fn handshake_done(&self) -> bool;
    /// Appends all plaintext that is available to `out`.
    ///
    /// # Errors
    /// What came is not TLS, or the server ended it with an alert.
    fn read(&mut self, out: &mut Vec<u8>) -> Result<ReadState, Error>;
    /// Encrypts as much of `plaintext` as is taken, and says how much.
    ///
    /// # Errors
    /// The connection can encrypt no more.
    fn write(&mut self, plaintext: &[u8]) -> Result<usize, Error>;
    /// Octets of plaintext that the server can have.
    fn plaintext_sent(&self) -> u64;
    /// Queues close_notify after what was written.
    fn close(&mut self);
    /// What is known of this connection.
    fn facts(&self) -> &TlsFacts;
    /// What a login can be bound to, strongest first.
    fn bindings(&self) -> Vec<ChannelBinding>;
}

/// Makes TLS layers that are alike. `TlsConfig` is the one of this library.
pub trait Secure: Send + Sync {
    /// Begins a handshake with `host`, the name that the certificate must be for.
    ///
    /// # Errors
    /// `host` is not a host name, or the library cannot do what is asked of it.
    fn start(&self, host: &str, verify: Verify) -> Result<Box<dyn Layer>, Error>;

    /// Told while a connection is being made that may be encrypted: what takes long to read can be read now, while the
    /// server is waited for. What fails shows at [`start`](Self::start).
    fn prepare(&self, _verify: Verify) {}

    /// Whether a certificate must verify where [`Verify::Require`] says so: not where the option `tlsverify` is off.
    fn verifies(&self) -> bool {
        true
    }

    /// Whether only pinned certificates or public keys are accepted: TLS is then required.
    fn is_pinned(&self) -> bool {
        false
    }

    /// Whether a client certificate is shown to a server that asks for one, so that EXTERNAL can log in.
    fn has_certificate(&self) -> bool {
        false
    }
}
