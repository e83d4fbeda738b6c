//! The client's own certificate and key, for rustls.

use std::sync::Arc;

use ::rustls::client::ResolvesClientCert;
use ::rustls::crypto::CryptoProvider;
use ::rustls::pki_types::pem::PemObject;
use ::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ::rustls::sign::{CertifiedKey, SingleCertAndKey};
use ::rustls::{Error as Words, InconsistentKeys};

use crate::error::Error;
use crate::tls::TlsSettings;
use crate::tls::files::{self, Identity};

/// What shows the certificate to a server that asks for one.
pub(super) type Resolver = Option<Arc<dyn ResolvesClientCert>>;

pub(super) fn load(settings: &TlsSettings, provider: &CryptoProvider) -> Result<Resolver, Error> {
    let (Some(identity), Some(cert_file)) = (Identity::load(settings)?, settings.cert_file.as_deref()) else {
        return Ok(None);
    };
    let wrong = |what: &str| files::fault("tlscertfile", cert_file, what);
    let Identity::Pem { chain, key } = identity else {
        return Err(wrong(
            "is not PEM, and rustls reads no PKCS#12 archive: convert it with `openssl pkcs12 -nodes -out FILE.pem -in` \
             and its name, or build with the feature tls-openssl",
        ));
    };
    let chain = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(&format!("does not parse: {error}")))?;
    if chain.is_empty() {
        return Err(wrong("holds no certificate"));
    }
    let (option, file) = files::key_origin(settings, cert_file);
    let key = private_key(&key, provider).map_err(|what| files::fault(option, file, &what))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        // Of such a key nobody can tell; the server will.
        Ok(()) | Err(Words::InconsistentKeys(InconsistentKeys::Unknown)) => {
            Ok(Some(Arc::new(SingleCertAndKey::from(certified))))
        }
        Err(Words::InconsistentKeys(_)) => Err(wrong("does not go with its key")),
        Err(error) => Err(wrong(&format!("does not parse: {error}"))),
    }
}

fn private_key(pem: &[u8], provider: &CryptoProvider) -> Result<Arc<dyn ::rustls::sign::SigningKey>, String> {
    if files::is_encrypted(pem) {
        let (label, _) = files::key_label(pem).unwrap_or_default();
        return Err(format!(
            "holds an encrypted {label}, and rustls reads none: decrypt it with `openssl pkey`, or build with the feature \
             tls-openssl"
        ));
    }
    let unusable = |why: String| format!("holds no usable private key: {why}");
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| unusable(error.to_string()))?;
    provider.key_provider.load_private_key(key).map_err(|error| unusable(error.to_string()))
}
