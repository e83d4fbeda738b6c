//! The TLS library, set up as the options say.

use std::sync::Arc;

use crate::error::Error;
use crate::options::{OptionGroup, Options};
use crate::tls::{Fingerprint, Secure, TlsConfig, TlsSettings};

/// The library for these options: [`Options::tls`], or what the options `tls...` say. That is read once for all options
/// that say the same, and again where a file has changed.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) for an invalid fingerprint, for a file that cannot be used, and for
/// options that contradict each other.
pub fn library(options: &Options) -> Result<Arc<dyn Secure>, Error> {
    match &options.tls {
        None => Ok(Arc::new(tls(options)?)),
        Some(_) if let Some(option) = options.set_in(OptionGroup::TlsSetup).next() => {
            Err(Error::usage(format!(
                "option `{option}` is set beside `tls`, which was made without it: set it where that is made"
            )))
        }
        Some(library) => Ok(Arc::clone(library)),
    }
}

/// TLS as the options `tls...` say, to be shared by [`Options::tls`].
///
/// # Errors
/// As for [`library`].
pub fn tls(options: &Options) -> Result<TlsConfig, Error> {
    let fingerprints = options.tlsfingerprint.iter().map(|text| {
        Fingerprint::parse(text)
            .map_err(|error| Error::usage(format!("option `tlsfingerprint`: {}", error.text())))
    });
    TlsConfig::new(TlsSettings {
        verify: options.tlsverify,
        trust: options.tlstrust,
        ca_file: options.tlscafile.as_ref().map(Into::into),
        ca: options.tlsca.clone(),
        cert_file: options.tlscertfile.as_ref().map(Into::into),
        key_file: options.tlskeyfile.as_ref().map(Into::into),
        key_password: options.tlskeypassword.clone(),
        fingerprints: fingerprints.collect::<Result<_, _>>()?,
        min_version: options.tlsminversion,
        max_version: options.tlsmaxversion,
        ciphers: options.tlsciphers.clone(),
        key_log: options.tlskeylog.as_ref().map(Into::into),
        server_name: options.tlsservername.clone(),
    })
}
