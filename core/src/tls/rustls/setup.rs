//! Versions, ciphers and key logs, as the settings say.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use ::rustls::crypto::{CryptoProvider, ring};
use ::rustls::version::{TLS12, TLS13};
use ::rustls::{CipherSuite, KeyLog, ProtocolVersion, SupportedProtocolVersion};

use crate::error::Error;
use crate::system;
use crate::tls::{TlsSettings, TlsVersion, files};

pub(super) fn versions(settings: &TlsSettings) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
    let old = |version| version < TlsVersion::Tls12;
    for (option, is_old) in [
        ("tlsminversion", old(settings.min_version)),
        ("tlsmaxversion", settings.max_version.is_some_and(old)),
    ] {
        if is_old {
            return Err(Error::usage(format!(
                "{option}: rustls has no TLS 1.0 and 1.1: say 1.2 or 1.3, or build with the feature tls-openssl"
            )));
        }
    }
    let mut versions = vec![&TLS13, &TLS12];
    if settings.min_version == TlsVersion::Tls13 {
        versions.pop();
    }
    if settings.max_version == Some(TlsVersion::Tls12) {
        versions.remove(0);
    }
    Ok(versions)
}

/// As OpenSSL writes it.
pub(super) fn version_name(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

/// By the name that OpenSSL has for it: `TLS_AES_256_GCM_SHA384`, `ECDHE-RSA-AES256-GCM-SHA384`.
pub(super) fn cipher_name(suite: CipherSuite) -> String {
    let name = format!("{suite:?}");
    if let Some(suite) = name.strip_prefix("TLS13_") {
        return format!("TLS_{suite}");
    }
    let name = name.trim_start_matches("TLS_").replace("_WITH_", "_").replace("AES_", "AES");
    name.replace("POLY1305_SHA256", "POLY1305").replace('_', "-")
}

/// What rustls is to compute with: its ciphers in the order of its preference, those of TLS 1.3 in the caller's.
pub(super) fn provider(settings: &TlsSettings) -> Result<CryptoProvider, Error> {
    let mut provider = ring::default_provider();
    let [strings, suites] = settings.cipher_lists();
    let named = |list: &str| {
        let found = list.split(':').map(|name| {
            let suites = provider.cipher_suites.iter();
            suites.copied().find(|suite| cipher_name(suite.suite()) == name).ok_or_else(|| unknown(name))
        });
        found.collect::<Result<Vec<_>, _>>()
    };
    let kept = |is_new: bool| {
        let suites = provider.cipher_suites.iter().copied();
        suites.filter(|suite| suite.tls13().is_some() == is_new).collect::<Vec<_>>()
    };
    let new = suites.map_or_else(|| Ok(kept(true)), |list| named(&list))?;
    let old = strings.map_or_else(|| Ok(kept(false)), |list| named(&list))?;
    provider.cipher_suites = [new, old].concat();
    Ok(provider)
}

fn unknown(name: &str) -> Error {
    let all = ring::ALL_CIPHER_SUITES.iter().map(|suite| cipher_name(suite.suite()));
    Error::usage(format!(
        "tlsciphers: rustls has no cipher {name:?}, only these, by name: {}; for another one, or a cipher string, build \
         with the feature tls-openssl",
        all.collect::<Vec<_>>().join(", ")
    ))
}

pub(super) fn key_log(settings: &TlsSettings) -> Result<Option<Arc<dyn KeyLog>>, Error> {
    let Some(file) = &settings.key_log else { return Ok(None) };
    files::begin_key_log(file)?;
    Ok(Some(Arc::new(Log(file.clone()))))
}

#[derive(Debug)]
struct Log(PathBuf);

impl KeyLog for Log {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = label.to_owned();
        for octets in [client_random, secret] {
            line.push(' ');
            for octet in octets {
                let _ = write!(line, "{octet:02x}"); // a String takes everything
            }
        }
        line.push('\n');
        // A disk that is full now must not break a connection.
        let _ = system::append(&self.0, line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers_have_the_names_of_openssl() {
        let names: Vec<_> = ring::ALL_CIPHER_SUITES.iter().map(|suite| cipher_name(suite.suite())).collect();
        assert_eq!(
            names,
            [
                "TLS_AES_256_GCM_SHA384",
                "TLS_AES_128_GCM_SHA256",
                "TLS_CHACHA20_POLY1305_SHA256",
                "ECDHE-ECDSA-AES256-GCM-SHA384",
                "ECDHE-ECDSA-AES128-GCM-SHA256",
                "ECDHE-ECDSA-CHACHA20-POLY1305",
                "ECDHE-RSA-AES256-GCM-SHA384",
                "ECDHE-RSA-AES128-GCM-SHA256",
                "ECDHE-RSA-CHACHA20-POLY1305",
            ]
        );
    }
}
