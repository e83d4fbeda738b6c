//! TLS as a layer that moves bytes only: ciphertext in and out of two memory buffers, no socket.
//!
//! ```text
//!   engine <- read     TlsStream     handle_input <- wire
//!   engine -> write                  poll_output  -> wire
//! ```
//!
//! Two libraries stand behind the same few calls: native-tls, and, with the feature `tls-openssl`, the
//! `openssl` crate, which is then the one used. Only the latter gives the protocol version and the cipher,
//! tls-exporter and tls-unique, encrypted keys, TLS 1.0 and 1.1, says of a connection that was not to
//! be refused whether its certificate would have verified, chooses ciphers, logs keys, and resumes sessions.

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
#[cfg(all(feature = "net", any(test, not(feature = "tls-openssl"))))]
mod native;
#[cfg(feature = "tls-openssl")]
mod openssl;
#[cfg(feature = "net")]
mod pipe;
#[cfg(feature = "tls-openssl")]
mod resume;
#[cfg(feature = "net")]
mod settings;
#[cfg(feature = "net")]
mod stream;
#[cfg(all(test, feature = "net"))]
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
use config::{Backend, Check, Connection, Got, Peer};
