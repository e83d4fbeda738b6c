//! TLS as a layer that moves bytes only: ciphertext in and out of two memory buffers, no socket.
//!
//! ```text
//!   engine <- read     TlsStream     handle_input <- wire
//!   engine -> write                  poll_output  -> wire
//! ```
//!
//! Three libraries serve the same few calls: the `openssl` crate (feature `tls-openssl`), rustls (`tls-rustls`)
//! and native-tls (`tls-native`). Of those that are built in the first in this order is used; [`library`] tells which.
//!
//! All of them verify certificates and names, pin, show client certificates, and bind logins by tls-server-end-point.
//! native-tls cannot tell the protocol version and the cipher, nor whether a certificate would have verified of a
//! connection that was not to be refused; it chooses no ciphers, logs no keys, resumes no sessions, and has no
//! tls-exporter. rustls does all of these; it has no TLS 1.0 and 1.1, no tls-unique, no encrypted keys and no PKCS#12.
//! What a library does not have is an error of [`TlsConfig::new`], before there is a connection.

mod facts;
mod layer;

#[cfg(feature = "tls-openssl")]
mod authorities;
#[cfg(feature = "net")]
mod cache;
#[cfg(feature = "tls-openssl")]
mod client_identity;
#[cfg(feature = "net")]
mod config;
#[cfg(feature = "net")]
mod der;
#[cfg(feature = "net")]
mod fault;
#[cfg(feature = "net")]
mod files;
mod fingerprint;
#[cfg(feature = "net")]
mod host;
#[cfg(feature = "tls-native")]
mod native;
#[cfg(feature = "tls-openssl")]
mod openssl;
#[cfg(feature = "net")]
mod pipe;
#[cfg(feature = "tls-openssl")]
mod resume;
#[cfg(feature = "tls-rustls")]
mod rustls;
#[cfg(feature = "net")]
mod settings;
#[cfg(feature = "net")]
mod stream;
#[cfg(all(test, unix, feature = "net"))]
mod tests;

#[cfg(feature = "net")]
pub use config::TlsConfig;
pub use facts::{TlsFacts, VerifyFault};
pub use fingerprint::Fingerprint;
pub use layer::{Layer, ReadState, Secure, TlsAnswer, TlsVersion, Trust, Verify};
#[cfg(feature = "net")]
pub use settings::TlsSettings;
#[cfg(feature = "net")]
pub use stream::TlsStream;

#[cfg(feature = "net")]
use config::{Backend, Check, Connection, Got, Library, Peer};

#[cfg(all(
    feature = "net",
    not(any(feature = "tls-openssl", feature = "tls-rustls", feature = "tls-native"))
))]
compile_error!("the feature `net` needs a TLS library: add `tls-native`, `tls-openssl` or `tls-rustls`");

/// Those that were built in; the first is used.
#[cfg(feature = "net")]
const LIBRARIES: &[Library] = &[
    #[cfg(feature = "tls-openssl")]
    openssl::LIBRARY,
    #[cfg(feature = "tls-rustls")]
    rustls::LIBRARY,
    #[cfg(feature = "tls-native")]
    native::LIBRARY,
];

/// The TLS library that is used: `openssl`, `rustls` or `native-tls`.
#[cfg(feature = "net")]
pub fn library() -> &'static str {
    LIBRARIES.first().map_or("", |library| library.name)
}
