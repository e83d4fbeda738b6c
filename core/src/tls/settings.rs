//! The settings of TLS.

use std::fmt;
use std::path::PathBuf;

use super::fingerprint::Fingerprint;
use super::host::Host;
use super::layer::{TlsVersion, Trust};
use crate::error::Error;
use crate::secret::Secret;

/// What TLS must be like. The options `tlsverify`, `tlscafile`, ... of a delivery, each with its default.
#[derive(Clone)]
#[non_exhaustive]
pub struct TlsSettings {
    /// Whether [`Verify::Require`](super::Verify::Require) demands that chain and host name verify. Default: true.
    pub verify: bool,
    /// Which authorities are trusted. Default: those of the system, and what `ca_file` and `ca` hold.
    pub trust: Trust,
    /// A file with certificates of authorities (PEM, or one in DER).
    pub ca_file: Option<PathBuf>,
    /// Certificates of authorities, as such a file would hold them.
    pub ca: Option<Vec<u8>>,
    /// The client's own certificate and its chain, leaf first (PEM); or a PKCS#12 archive that holds the
    /// key too, which rustls does not read.
    pub cert_file: Option<PathBuf>,
    /// The key to `cert_file` (PEM, PKCS#8; with `tls-rustls` also PKCS#1 and SEC1; with `tls-openssl` encrypted ones,
    /// too). Default: the key is in `cert_file`.
    pub key_file: Option<PathBuf>,
    /// The password of the key or of the PKCS#12 archive.
    pub key_password: Option<Secret>,
    /// Pinned certificates or public keys. Where any is given, [`Verify::Require`](super::Verify::Require) means that one of
    /// them matches, whatever chain and host name are like, and no other certificate will do.
    pub fingerprints: Vec<Fingerprint>,
    /// The lowest protocol version spoken. Default: TLS 1.2.
    pub min_version: TlsVersion,
    /// The highest protocol version spoken. Default: what the library has.
    pub max_version: Option<TlsVersion>,
    /// Ciphers, separated by colons, commas or white space. Names that begin with `TLS_` are the suites of TLS 1.3, in this
    /// order; all others are an OpenSSL cipher string, for the versions before it (openssl-ciphers(1)). What is not named of
    /// the two keeps its default. With `tls-openssl`; with `tls-rustls`, names alone, by OpenSSL's names for them.
    pub ciphers: Option<String>,
    /// A file to which the secrets of each connection are appended in the form of `SSLKEYLOGFILE`, for a program that
    /// decrypts recorded traffic. Whoever reads it reads everything. With `tls-openssl` or `tls-rustls`.
    pub key_log: Option<PathBuf>,
    /// The name to ask for (SNI) and to find in the certificate, where it is not that of the host.
    pub server_name: Option<String>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            verify: true,
            trust: Trust::default(),
            ca_file: None,
            ca: None,
            cert_file: None,
            key_file: None,
            key_password: None,
            fingerprints: Vec::new(),
            min_version: TlsVersion::default(),
            max_version: None,
            ciphers: None,
            key_log: None,
            server_name: None,
        }
    }
}

impl TlsSettings {
    /// Whether two are the same, whatever their passwords.
    pub(super) fn equal_but_password(&self, other: &Self) -> bool {
        let Self {
            verify,
            trust,
            ca_file,
            ca,
            cert_file,
            key_file,
            key_password: _,
            fingerprints,
            min_version,
            max_version,
            ciphers,
            key_log,
            server_name,
        } = self;
        (*verify, *trust, *min_version, *max_version)
            == (other.verify, other.trust, other.min_version, other.max_version)
            && [ca_file, cert_file, key_file, key_log]
                == [&other.ca_file, &other.cert_file, &other.key_file, &other.key_log]
            && *ca == other.ca
            && *fingerprints == other.fingerprints
            && [ciphers, server_name] == [&other.ciphers, &other.server_name]
    }

    /// Finds what contradicts itself, before a file is read.
    pub(super) fn check(&self) -> Result<(), Error> {
        let given = self.ca_file.is_some() || self.ca.is_some();
        let fault = match self.trust {
            Trust::Given if !given => {
                "tlstrust `given` trusts nobody: name authorities with tlscafile or tlsca"
            }
            Trust::System if given => {
                "tlstrust `system` leaves out the authorities of tlscafile and tlsca: say `both` or `given`"
            }
            _ if self.max_version.is_some_and(|max| max < self.min_version) => {
                "tlsmaxversion is below tlsminversion: no version is left to speak"
            }
            _ => {
                if let Some(name) = &self.server_name {
                    Host::parse(name)
                        .map_err(|error| Error::usage(format!("tlsservername: {}", error.text())))?;
                }
                return Ok(());
            }
        };
        Err(Error::usage(fault))
    }

    /// The ciphers up to TLS 1.2 and those of TLS 1.3, each as OpenSSL takes them: separated by colons.
    #[cfg(any(feature = "tls-openssl", feature = "tls-rustls"))]
    pub(super) fn cipher_lists(&self) -> [Option<String>; 2] {
        let all = self.ciphers.as_deref().unwrap_or_default();
        let names = all.split(|c: char| c == ':' || c == ',' || c.is_ascii_whitespace());
        let (suites, strings): (Vec<_>, Vec<_>) =
            names.filter(|name| !name.is_empty()).partition(|name| name.starts_with("TLS_"));
        [strings, suites].map(|list| (!list.is_empty()).then(|| list.join(":")))
    }
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("verify", &self.verify)
            .field("trust", &self.trust)
            .field("ca_file", &self.ca_file)
            .field("ca", &self.ca.as_ref().map(Vec::len))
            .field("cert_file", &self.cert_file)
            .field("key_file", &self.key_file)
            .field("key_password", &self.key_password)
            .field("fingerprints", &self.fingerprints)
            .field("min_version", &self.min_version)
            .field("max_version", &self.max_version)
            .field("ciphers", &self.ciphers)
            .field("key_log", &self.key_log)
            .field("server_name", &self.server_name)
            .finish()
    }
}
