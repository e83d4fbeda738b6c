//! The settings of TLS, and what a library behind them must do.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::facts::VerifyFault;
use super::fault::Fault;
use super::fingerprint::Fingerprint;
use super::host::Host;
use super::layer::{Layer, Secure, TlsVersion, Verify};
use super::pipe::Pipe;
use super::stream::TlsStream;
use crate::error::Error;
use crate::sasl::ChannelBinding;
use crate::secret::Secret;

/// What TLS must be like. The options `tlsverify`, `tlscafile`, ... of a delivery, each with its default.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// Whether [`Verify::Require`] demands that chain and host name verify. Default: true.
    pub verify: bool,
    /// Certificates of further authorities (PEM, or one in DER), added to those of the system.
    pub ca_file: Option<PathBuf>,
    /// The client's own certificate and its chain, leaf first (PEM); or a PKCS#12 archive that holds the
    /// key too.
    pub cert_file: Option<PathBuf>,
    /// The key to `cert_file` (PEM, PKCS#8; with the feature `tls-openssl` also PKCS#1, SEC1 and encrypted
    /// keys). Default: the key is in `cert_file`.
    pub key_file: Option<PathBuf>,
    /// The password of the key or of the PKCS#12 archive.
    pub key_password: Option<Secret>,
    /// Pinned certificates or public keys. Where any is given, [`Verify::Require`] means that one of them
    /// matches, whatever chain and host name are like, and no other certificate will do.
    pub fingerprints: Vec<Fingerprint>,
    /// The lowest protocol version spoken. Default: TLS 1.2.
    pub min_version: TlsVersion,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            verify: true,
            ca_file: None,
            cert_file: None,
            key_file: None,
            key_password: None,
            fingerprints: Vec::new(),
            min_version: TlsVersion::default(),
        }
    }
}

/// Checked settings and the library's connector made from them. A clone shares both.
///
/// A connector costs tens of milliseconds, because the authorities of the system are read: keep one
/// `TlsConfig` for all connections that are alike. It is made with the first connection.
#[derive(Clone)]
pub struct TlsConfig(Arc<Inner>);

struct Inner {
    settings: TlsSettings,
    backend: Box<dyn Backend>,
}

impl TlsConfig {
    /// Reads and checks every file that `settings` names.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), naming the option, the file and the fault.
    pub fn new(settings: TlsSettings) -> Result<Self, Error> {
        #[cfg(feature = "tls-openssl")]
        let backend = super::openssl::backend(&settings)?;
        #[cfg(not(feature = "tls-openssl"))]
        let backend = super::native::backend(&settings)?;
        Ok(Self::with(settings, backend))
    }

    /// Begins a handshake with `host`: a domain name (also with U-labels or a trailing dot) or an IP
    /// address (also in brackets), the name that the certificate must be for. The first bytes for the wire
    /// are then in [`TlsStream::poll_output`].
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) where `host` is no host name;
    /// [`Kind::Tls`](crate::error::Kind::Tls) where the library cannot do what the settings ask for.
    pub fn start(&self, host: &str, verify: Verify) -> Result<TlsStream, Error> {
        let host = Host::parse(host)?;
        let settings = &self.0.settings;
        let required = verify == Verify::Require;
        let pinned = !settings.fingerprints.is_empty();
        let check = Check { chain: required && settings.verify && !pinned, pin: required && pinned };
        let pipe = Pipe::default();
        let connection = self.0.backend.connect(&host, check.chain, pipe.clone())?;
        Ok(TlsStream::new(self.clone(), connection, pipe, host, check))
    }

    pub(super) fn with(settings: TlsSettings, backend: Box<dyn Backend>) -> Self {
        Self(Arc::new(Inner { settings, backend }))
    }

    pub(super) fn settings(&self) -> &TlsSettings {
        &self.0.settings
    }
}

impl Secure for TlsConfig {
    fn start(&self, host: &str, verify: Verify) -> Result<Box<dyn Layer>, Error> {
        Ok(Box::new(self.start(host, verify)?))
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

/// A TLS library with its connector.
pub(super) trait Backend: Send + Sync {
    /// A connection over `pipe` that has not said anything yet. With `verify` the handshake must fail unless
    /// chain and host name verify; without it, it must not fail because of them.
    fn connect(&self, host: &Host, verify: bool, pipe: Pipe) -> Result<Box<dyn Connection>, Error>;
}

/// One connection of a TLS library. Where the pipe has no more input, it says so and is called again.
pub(super) trait Connection: Send {
    /// Goes on with the handshake; true when it is done.
    fn handshake(&mut self) -> Result<bool, Fault>;
    /// Decrypts into `buffer`.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Got, Fault>;
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
    /// Whether chain and host name verified; `None` where that was not looked at.
    pub(super) verified: Option<Result<(), VerifyFault>>,
    /// An earlier connection's session was resumed.
    pub(super) resumed: bool,
    pub(super) version: Option<String>,
    pub(super) cipher: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) issuer: Option<String>,
}
