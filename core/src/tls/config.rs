//! TLS set up once for all connections that are alike, and what a library must do for it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::LIBRARIES;
use super::cache::{self, Loaded, Maker};
use super::facts::VerifyFault;
use super::fault::Fault;
use super::host::Host;
use super::layer::{Layer, Secure, Verify};
use super::pipe::Pipe;
use super::settings::TlsSettings;
use super::stream::TlsStream;
use crate::error::Error;
use crate::sasl::ChannelBinding;

/// What TLS needs, read and checked once: authorities, client certificate, pins, versions. A clone shares all of it, and the
/// sessions that servers gave. Threads may share one.
///
/// Give it to [`Options::tls`](crate::options::Options::tls), or let the options `tls...` make one: what the library
/// was told is kept for the next options that say the same. A file that was written or replaced (another inode, size or
/// time) is read again by the next connection; one that is gone leaves what it held.
#[derive(Clone)]
pub struct TlsConfig(Arc<Inner>);

struct Inner {
    settings: TlsSettings,
    library: &'static Library,
    loaded: Mutex<Arc<Loaded>>,
}

impl TlsConfig {
    /// Checks `settings`, and reads every file that they name. Those of the system are read when a connection is made.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), naming the option, the file and the fault.
    pub fn new(settings: TlsSettings) -> Result<Self, Error> {
        let library = LIBRARIES.first().ok_or_else(|| Error::usage("no TLS library was built in"))?;
        let loaded = cache::loaded(&settings, library.make)?;
        Ok(Self(Arc::new(Inner { settings, library, loaded: Mutex::new(loaded) })))
    }

    /// With a library of one's own choice, and nothing kept for others.
    #[cfg(all(test, unix))]
    pub(super) fn with(settings: TlsSettings, library: &'static Library) -> Result<Self, Error> {
        let loaded = Arc::new(Loaded::load(&settings, library.make)?);
        Ok(Self(Arc::new(Inner { settings, library, loaded: Mutex::new(loaded) })))
    }

    /// Whether a file was written or replaced since it was read. The next connection reads it again in any case; this is
    /// for programs that keep connections and want to replace them.
    pub fn changed(&self) -> bool {
        self.loaded().changed()
    }

    /// Begins a handshake with `host`: a domain name (also with U-labels or a trailing dot) or an IP
    /// address (also in brackets), the name that the certificate must be for unless
    /// [`server_name`](TlsSettings::server_name) is another. The first bytes for the wire are then in
    /// [`TlsStream::poll_output`].
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) if `host` is not a host name, or a file has changed and can no longer
    /// be used; [`Kind::Tls`](crate::error::Kind::Tls) if the library cannot do what the settings ask for.
    pub fn start(&self, host: &str, verify: Verify) -> Result<TlsStream, Error> {
        let host = Host::parse(self.settings().server_name.as_deref().unwrap_or(host))?;
        let check = self.check(verify);
        let pipe = Pipe::default();
        let connection = self.current()?.backend().connect(&host, check.chain, pipe.clone())?;
        Ok(TlsStream::new(self.clone(), connection, pipe, host, check))
    }

    fn check(&self, verify: Verify) -> Check {
        let required = verify == Verify::Require;
        let pinned = self.is_pinned();
        Check { chain: required && self.settings().verify && !pinned, pin: required && pinned }
    }

    pub(super) fn library(&self) -> &'static str {
        self.0.library.name
    }

    pub(super) fn settings(&self) -> &TlsSettings {
        &self.0.settings
    }

    fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was read, or what is read now where a file has changed.
    fn current(&self) -> Result<Arc<Loaded>, Error> {
        let loaded = self.loaded();
        if !loaded.changed() {
            return Ok(loaded);
        }
        let anew = cache::loaded(&self.0.settings, self.0.library.make)?;
        *self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&anew);
        Ok(anew)
    }
}

impl Secure for TlsConfig {
    fn start(&self, host: &str, verify: Verify) -> Result<Box<dyn Layer>, Error> {
        Ok(Box::new(self.start(host, verify)?))
    }

    fn prepare(&self, verify: Verify) {
        self.loaded().backend().prepare(self.check(verify).chain);
    }

    fn verifies(&self) -> bool {
        self.0.settings.verify
    }

    fn is_pinned(&self) -> bool {
        !self.0.settings.fingerprints.is_empty()
    }

    fn has_certificate(&self) -> bool {
        self.0.settings.cert_file.is_some()
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsConfig").field(&self.0.settings).finish()
    }
}

/// What must hold for a connection to be used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    /// The chain and the host name verify.
    pub(super) chain: bool,
    /// One of the fingerprints matches.
    pub(super) pin: bool,
}

/// A TLS library.
pub(super) struct Library {
    pub(super) name: &'static str,
    pub(super) make: Maker,
}

/// A TLS library with its connector.
pub(super) trait Backend: Send + Sync {
    /// A connection over `pipe` that has not said anything yet. With `verify` the handshake must fail unless
    /// chain and host name verify; without it, it must not fail because of them.
    fn connect(&self, host: &Host, verify: bool, pipe: Pipe) -> Result<Box<dyn Connection>, Error>;
    /// Reads what [`connect`](Self::connect) would, and keeps it.
    fn prepare(&self, verify: bool);
    /// Files and folders of the system whose change asks for another connector.
    fn sources(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// One connection of a TLS library. Where the pipe has no more input, it says so and is called again.
pub(super) trait Connection: Send {
    /// Goes on with the handshake; true when it is done.
    fn handshake(&mut self) -> Result<bool, Fault>;
    /// Decrypts into `buffer`.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Got, Fault>;
    /// Whether it is known that a read would find nothing now. To be told so by the library costs as much as to decrypt
    /// a reply.
    fn is_drained(&self) -> bool {
        false
    }
    /// Encrypts a piece of at most one record (2^14 octets); 0 means to try again after more input.
    fn write(&mut self, plaintext: &[u8]) -> Result<usize, Fault>;
    /// Writes close_notify.
    fn shutdown(&mut self);
    /// What is known of the server, also after a failed handshake.
    fn peer(&self) -> Peer;
    /// The channel bindings, strongest first; only after the handshake.
    fn bindings(&self) -> Vec<ChannelBinding>;
}

/// What a read brought.
pub(super) enum Got {
    /// So many octets, at least one.
    Data(usize),
    /// Nothing before more ciphertext comes.
    WantInput,
    /// close_notify: there will be no more.
    Closed,
}

/// What a library knows of the other side.
#[derive(Default)]
pub(super) struct Peer {
    /// The server's certificate, DER.
    pub(super) certificate: Option<Vec<u8>>,
    /// Whether chain and host name verified; `None` if that was not looked at.
    pub(super) verified: Option<Result<(), VerifyFault>>,
    /// An earlier connection's session was resumed.
    pub(super) resumed: bool,
    pub(super) version: Option<String>,
    pub(super) cipher: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) issuer: Option<String>,
}
