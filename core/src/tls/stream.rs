//! One TLS connection over memory: the same for every library.

use std::collections::VecDeque;

use super::facts::{TlsFacts, VerifyFault};
use super::fault::{self, Fault, Scene};
use super::fingerprint::Fingerprint;
use super::host::Host;
use super::layer::{Layer, ReadState};
use super::pipe::Pipe;
use super::{Check, Connection, Got, TlsConfig, der};
use crate::error::Error;
use crate::sasl::ChannelBinding;

/// No more plaintext is taken while more ciphertext than this is unsent: memory stays flat.
const MAX_UNSENT: usize = 64 * 1024;
/// The plaintext of one record (RFC 8446 section 5.1).
const RECORD: usize = 16 * 1024;
/// Replies are short. A longer one takes more calls, which costs less than room for a whole record in each of a thousand
/// connections.
const READ: usize = 2 * 1024;

/// One TLS connection over memory. It never blocks and holds no socket.
///
/// The first failure stays: every later call returns it again. What [`poll_output`](Self::poll_output) has then,
/// an alert that tells the server why, is still worth sending.
pub struct TlsStream {
    config: TlsConfig,
    connection: Box<dyn Connection>,
    pipe: Pipe,
    host: Host,
    check: Check,
    facts: TlsFacts,
    phase: TlsPhase,
    failed: Option<Error>,
    /// Whether anything came from the server.
    heard: bool,
    /// The wire was closed by the server.
    eof: bool,
    /// The server said close_notify.
    ended: bool,
    out: Out,
    /// What is decrypted into. It is kept, because clearing one for each reply costs more than the decryption does.
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TlsPhase {
    Handshake,
    Open,
    /// close_notify is written.
    Closed,
}

impl Layer for TlsStream {
    fn handle_input(&mut self, ciphertext: &[u8]) -> Result<(), Error> {
        self.handle_input(ciphertext)
    }
    fn handle_eof(&mut self) {
        self.handle_eof();
    }
    fn poll_output(&self) -> &[u8] {
        self.poll_output()
    }
    fn output_done(&mut self, n: usize) {
        self.output_done(n);
    }
    fn handshake_done(&self) -> bool {
        self.handshake_done()
    }
    fn read(&mut self, out: &mut Vec<u8>) -> Result<ReadState, Error> {
        self.read(out)
    }
    fn write(&mut self, plaintext: &[u8]) -> Result<usize, Error> {
        self.write(plaintext)
    }
    fn plaintext_sent(&self) -> u64 {
        self.plaintext_sent()
    }
    fn close(&mut self) {
        self.close();
    }
    fn facts(&self) -> &TlsFacts {
        self.facts()
    }
    fn bindings(&self) -> Vec<ChannelBinding> {
        self.bindings()
    }
}

/// Ciphertext for the wire, and which plaintext it carries.
#[derive(Default)]
struct Out {
    bytes: Vec<u8>,
    /// So many of `bytes` were handed over.
    gone: usize,
    /// All that was ever handed over.
    sent: u64,
    /// Plaintext ever taken.
    taken: u64,
    /// Plaintext whose last record was handed over to its last octet.
    complete: u64,
    /// For each record: where it ends in the ciphertext, and where its plaintext ends in the plaintext.
    records: VecDeque<(u64, u64)>,
}

impl TlsStream {
    pub(super) fn new(
        config: TlsConfig,
        connection: Box<dyn Connection>,
        pipe: Pipe,
        host: Host,
        check: Check,
    ) -> Self {
        let facts = TlsFacts { library: config.library(), ..TlsFacts::default() };
        let mut stream = Self {
            config,
            connection,
            pipe,
            host,
            check,
            facts,
            phase: TlsPhase::Handshake,
            failed: None,
            heard: false,
            eof: false,
            ended: false,
            out: Out::default(),
            buffer: Vec::new(),
        };
        // A failure stays and shows at the first call that can tell it.
        let _ = stream.handshake();
        stream
    }

    /// Takes ciphertext from the wire, and goes on with the handshake. Any piece will do, however small.
    /// Feed no more while plaintext is unread: what is fed is held in memory.
    ///
    /// # Errors
    /// [`Kind::Tls`](crate::error::Kind::Tls): the handshake failed, or the certificate is not accepted.
    pub fn handle_input(&mut self, ciphertext: &[u8]) -> Result<(), Error> {
        self.check_failed()?;
        let Some(first) = ciphertext.first() else {
            return Ok(());
        };
        if self.eof || self.ended {
            return Ok(());
        }
        // The first record is a handshake (22) or an alert (21), RFC 8446 section 5.1.
        if !self.heard && !matches!(first, 21 | 22) {
            return Err(self.fail(fault::plain_text(ciphertext)));
        }
        self.heard = true;
        self.pipe.feed(ciphertext);
        self.handshake()
    }

    /// The wire was closed by the server. In a handshake that is a failure; afterwards
    /// [`read`](Self::read) tells whether the server said so (close_notify) before.
    pub fn handle_eof(&mut self) {
        self.eof = true;
        if self.phase == TlsPhase::Handshake && self.failed.is_none() {
            self.fail(fault::cut(self.heard));
        }
    }

    /// Ciphertext for the wire; empty if there is none.
    pub fn poll_output(&self) -> &[u8] {
        self.out.unsent()
    }

    /// The first `n` octets of [`poll_output`](Self::poll_output) were handed to the wire.
    pub fn output_done(&mut self, n: usize) {
        self.out.done(n);
    }

    /// Octets of ciphertext that were not yet handed to the wire.
    pub fn unsent(&self) -> usize {
        self.out.unsent().len()
    }

    /// Whether the handshake is over and the certificate accepted. Progress is made by
    /// [`handle_input`](Self::handle_input).
    pub fn handshake_done(&self) -> bool {
        self.phase != TlsPhase::Handshake && self.failed.is_none()
    }

    /// Appends all plaintext that is available to `out`.
    ///
    /// # Errors
    /// [`Kind::Tls`](crate::error::Kind::Tls); what was decrypted before it stands in `out`. With TLS 1.3 a
    /// refused client certificate shows here, at the first read.
    pub fn read(&mut self, out: &mut Vec<u8>) -> Result<ReadState, Error> {
        self.check_failed()?;
        if self.phase == TlsPhase::Handshake {
            return Ok(ReadState::WantInput);
        }
        self.buffer.resize(READ, 0);
        while !self.ended {
            let got = self.connection.read(&mut self.buffer);
            self.collect();
            let more = match got {
                Ok(Got::Data(n)) => {
                    out.extend_from_slice(self.buffer.get(..n).unwrap_or(&self.buffer));
                    !self.connection.is_drained()
                }
                Ok(Got::Closed) => {
                    self.ended = true;
                    true
                }
                Ok(Got::WantInput) => false,
                Err(fault) => return Err(self.fail_by(fault)),
            };
            if !more {
                return Ok(if self.eof { ReadState::Truncated } else { ReadState::WantInput });
            }
        }
        Ok(ReadState::CloseNotify)
    }

    /// Encrypts as much of `plaintext` as is taken, and says how much. None is taken before the handshake is
    /// over, after [`close`](Self::close), and while more than 64 KiB of ciphertext are unsent.
    ///
    /// # Errors
    /// [`Kind::Tls`](crate::error::Kind::Tls).
    pub fn write(&mut self, plaintext: &[u8]) -> Result<usize, Error> {
        self.check_failed()?;
        let mut taken = 0;
        if self.phase != TlsPhase::Open {
            return Ok(taken);
        }
        for piece in plaintext.chunks(RECORD) {
            let mut piece = piece;
            while !piece.is_empty() {
                if self.unsent() > MAX_UNSENT {
                    return Ok(taken);
                }
                let written = self.connection.write(piece);
                self.collect();
                match written {
                    Ok(0) => return Ok(taken),
                    Ok(n) => {
                        taken += n;
                        piece = piece.get(n..).unwrap_or_default();
                        self.out.carries(n);
                    }
                    Err(fault) => return Err(self.fail_by(fault)),
                }
            }
        }
        Ok(taken)
    }

    /// Octets of plaintext that the server can have: those whose records were handed to the wire to their
    /// last octet. A record that was sent in part cannot be decrypted, so none of its plaintext counts.
    pub fn plaintext_sent(&self) -> u64 {
        self.out.complete
    }

    /// Queues close_notify, after what was written. Nothing can be written any more; reading goes on.
    pub fn close(&mut self) {
        if self.phase == TlsPhase::Open && self.failed.is_none() {
            self.connection.shutdown();
            self.collect();
            self.phase = TlsPhase::Closed;
        }
    }

    /// What is known of this connection.
    pub fn facts(&self) -> &TlsFacts {
        &self.facts
    }

    /// The channel bindings that the library gives for this connection, strongest first; none before the
    /// handshake is over.
    pub fn bindings(&self) -> Vec<ChannelBinding> {
        if self.handshake_done() { self.connection.bindings() } else { Vec::new() }
    }

    fn handshake(&mut self) -> Result<(), Error> {
        if self.phase != TlsPhase::Handshake {
            return Ok(());
        }
        let done = self.connection.handshake();
        self.collect();
        match done {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.learn();
                self.phase = TlsPhase::Open;
                if self.check.pin && !self.facts.pinned {
                    self.close();
                    return Err(self.fail_by(Fault::Verify(VerifyFault::NotPinned)));
                }
                Ok(())
            }
            Err(fault) => {
                self.learn();
                Err(self.fail_by(fault))
            }
        }
    }

    fn learn(&mut self) {
        let peer = self.connection.peer();
        let certificate = peer.certificate.as_deref().map(Fingerprint::of);
        let key = peer.certificate.as_deref().and_then(der::public_key).map(Fingerprint::of);
        let pins = &self.config.settings().fingerprints;
        let why_not = match peer.verified {
            Some(Ok(())) => None,
            Some(Err(fault)) => Some(fault),
            None => Some(VerifyFault::NotChecked),
        };
        self.facts = TlsFacts {
            certificate_sha256: certificate.map(|f| f.to_string()),
            public_key_sha256: key.map(|f| f.to_string()),
            verified: why_not.is_none(),
            why_not,
            resumed: peer.resumed,
            pinned: [certificate, key].iter().flatten().any(|f| pins.contains(f)),
            version: peer.version,
            cipher: peer.cipher,
            subject: peer.subject,
            issuer: peer.issuer,
            expires: peer.certificate.as_deref().and_then(der::expiry),
            library: self.config.library(),
        };
    }

    fn collect(&mut self) {
        self.pipe.drain(&mut self.out.bytes);
    }

    fn check_failed(&self) -> Result<(), Error> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn fail_by(&mut self, fault: Fault) -> Error {
        if let Fault::Verify(why_not) = &fault {
            self.facts.verified = false;
            self.facts.why_not = Some(why_not.clone());
        }
        let error = fault.error(&Scene {
            host: self.host.as_str(),
            facts: &self.facts,
            identity: self.config.settings().cert_file.is_some(),
            open: self.phase != TlsPhase::Handshake,
        });
        self.fail(error)
    }

    fn fail(&mut self, error: Error) -> Error {
        self.failed = Some(error.clone());
        error
    }
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream")
            .field("host", &self.host)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl Out {
    fn unsent(&self) -> &[u8] {
        self.bytes.get(self.gone..).unwrap_or_default()
    }

    fn done(&mut self, n: usize) {
        let n = n.min(self.unsent().len());
        self.gone += n;
        self.sent = self.sent.saturating_add(n as u64);
        // Once half is gone the rest is moved, so that no octet is moved more than once on average.
        if self.gone * 2 >= self.bytes.len() {
            self.bytes.drain(..self.gone);
            self.gone = 0;
        }
        while let Some(&(_, plaintext)) = self.records.front().filter(|(end, _)| *end <= self.sent) {
            self.complete = plaintext;
            self.records.pop_front();
        }
    }

    /// The ciphertext now ends with a record that carries the next `n` octets of plaintext.
    fn carries(&mut self, n: usize) {
        self.taken = self.taken.saturating_add(n as u64);
        self.records.push_back((self.sent.saturating_add(self.unsent().len() as u64), self.taken));
    }
}
