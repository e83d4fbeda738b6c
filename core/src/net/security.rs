//! The TLS library, set up as the options say.

use std::sync::{Arc, PoisonError};

use crate::error::Error;
use crate::options::Options;
use crate::tls::{Fingerprint, Secure, TlsConfig, TlsSettings};

/// The library for these options. Setting it up reads the system's authorities, which takes tens of
/// milliseconds, so it is kept with the options and shared by their copies.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) for a fingerprint that is none, [`Kind::Tls`](crate::error::Kind::Tls)
/// for files that cannot be used.
pub fn library(options: &Options) -> Result<Arc<dyn Secure>, Error> {
    let key = options.tls_key();
    let mut cache = options.library.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((known, library)) = &*cache
        && *known == key
    {
        return Ok(Arc::clone(library));
    }
    let fingerprints = options.tlsfingerprint.iter().map(|text| {
        Fingerprint::parse(text)
            .map_err(|error| Error::usage(format!("option `tlsfingerprint`: {}", error.text())))
    });
    let library: Arc<dyn Secure> = Arc::new(TlsConfig::new(TlsSettings {
        verify: options.tlsverify,
        ca_file: options.tlscafile.as_ref().map(Into::into),
        cert_file: options.tlscertfile.as_ref().map(Into::into),
        key_file: options.tlskeyfile.as_ref().map(Into::into),
        key_password: options.tlskeypassword.clone(),
        fingerprints: fingerprints.collect::<Result<_, _>>()?,
        min_version: options.tlsminversion,
    })?);
    *cache = Some((key, Arc::clone(&library)));
    Ok(library)
}
