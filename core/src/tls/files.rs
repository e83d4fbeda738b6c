//! The files that the settings name, read and told apart; the libraries parse them.

use std::borrow::Cow;
use std::path::Path;
use std::{fs, io};

use memchr::memmem;
use zeroize::Zeroizing;

use super::TlsSettings;
use crate::error::Error;

/// The certificate and key of the client, as the files hold them.
pub(super) enum Identity {
    Pem {
        chain: Vec<u8>,
        key: Zeroizing<Vec<u8>>,
    },
    Pkcs12(
        #[cfg_attr(
            not(any(feature = "tls-openssl", feature = "tls-native")),
            expect(dead_code, reason = "rustls reads no such archive")
        )]
        Zeroizing<Vec<u8>>,
    ),
}

impl Identity {
    pub(super) fn load(settings: &TlsSettings) -> Result<Option<Self>, Error> {
        let Some(cert_file) = &settings.cert_file else {
            return match &settings.key_file {
                Some(key_file) => {
                    Err(fault("tlskeyfile", key_file, "has no certificate: tlscertfile is missing"))
                }
                None => Ok(None),
            };
        };
        let chain = read("tlscertfile", cert_file)?;
        if !is_pem(&chain) {
            return match &settings.key_file {
                Some(_) => {
                    Err(fault("tlscertfile", cert_file, "holds no PEM certificate to go with tlskeyfile"))
                }
                None => Ok(Some(Self::Pkcs12(Zeroizing::new(chain)))),
            };
        }
        let (option, file) = key_origin(settings, cert_file);
        let key = Zeroizing::new(read(option, file)?);
        if key_label(&key).is_none() {
            let way_out = if option == "tlskeyfile" { "" } else { ": name it with tlskeyfile" };
            return Err(fault(option, file, &format!("holds no private key in PEM{way_out}")));
        }
        Ok(Some(Self::Pem { chain, key }))
    }
}

/// The option that something comes from, and the file that it names.
pub(super) struct Origin<'a> {
    option: &'static str,
    file: Option<&'a Path>,
}

impl Origin<'_> {
    /// The caller's mistake in it.
    pub(super) fn fault(&self, what: &str) -> Error {
        match self.file {
            Some(file) => fault(self.option, file, what),
            None => Error::usage(format!("{}: {what}", self.option)),
        }
    }
}

/// What a file holds, or what is like one, and where it comes from.
type Content<'a> = (Origin<'a>, Cow<'a, [u8]>);

/// The authorities that the settings give, each as a file would hold them.
pub(super) fn authorities(settings: &TlsSettings) -> Result<Vec<Content<'_>>, Error> {
    let mut found = Vec::new();
    if let Some(file) = settings.ca_file.as_deref() {
        let origin = Origin { option: "tlscafile", file: Some(file) };
        found.push((origin, Cow::Owned(read("tlscafile", file)?)));
    }
    if let Some(bytes) = settings.ca.as_deref() {
        found.push((Origin { option: "tlsca", file: None }, Cow::Borrowed(bytes)));
    }
    Ok(found)
}

/// The option and the file that a PEM key comes from.
pub(super) fn key_origin<'a>(settings: &'a TlsSettings, cert_file: &'a Path) -> (&'static str, &'a Path) {
    match &settings.key_file {
        Some(key_file) => ("tlskeyfile", key_file),
        None => ("tlscertfile", cert_file),
    }
}

/// The label of the first private key in PEM and the text from there on: `RSA PRIVATE KEY`.
pub(super) fn key_label(pem: &[u8]) -> Option<(&str, &[u8])> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    for at in memmem::find_iter(pem, BEGIN) {
        let block = pem.get(at..)?;
        let label = block.get(BEGIN.len()..)?;
        let label = label.get(..memmem::find(label, b"-----")?)?;
        if label.ends_with(b"PRIVATE KEY") {
            return Some((std::str::from_utf8(label).ok()?, block));
        }
    }
    None
}

/// The password of a PKCS#12 archive, empty if there is none. On a NUL the openssl crate would panic.
#[cfg(any(feature = "tls-openssl", feature = "tls-native"))]
pub(super) fn password(settings: &TlsSettings) -> Result<&str, Error> {
    let bytes = settings.key_password.as_ref().map_or(&[][..], |p| p.expose());
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(Error::usage("the password of a PKCS#12 archive must be UTF-8 without a NUL")),
    }
}

/// Whether the first private key in PEM is encrypted.
#[cfg(any(feature = "tls-openssl", feature = "tls-rustls"))]
pub(super) fn is_encrypted(pem: &[u8]) -> bool {
    key_label(pem).is_some_and(|(label, block)| {
        label.starts_with("ENCRYPTED") || memmem::find(block, b"Proc-Type: 4,ENCRYPTED").is_some()
    })
}

/// Makes the file of option `tlskeylog` if there is none, and finds out whether it can be written.
#[cfg(any(feature = "tls-openssl", feature = "tls-rustls"))]
pub(super) fn begin_key_log(file: &Path) -> Result<(), Error> {
    let unwritten = |error| fault("tlskeylog", file, &format!("cannot be written: {error}"));
    crate::system::append(file, b"").map_err(unwritten)
}

pub(super) fn is_pem(text: &[u8]) -> bool {
    memmem::find(text, b"-----BEGIN ").is_some()
}

pub(super) fn read(option: &str, file: &Path) -> Result<Vec<u8>, Error> {
    /// A hundred times what the authorities of a system take.
    const MOST: u64 = 32 * 1024 * 1024;
    let unread = |error: io::Error| fault(option, file, &format!("cannot be read: {error}"));
    let metadata = fs::metadata(file).map_err(unread)?;
    // A pipe or a device may keep a caller waiting for ever, or never end.
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(fault(option, file, "must be a regular file"));
    }
    if metadata.len() > MOST {
        return Err(fault(option, file, &format!("has more than {MOST} octets")));
    }
    fs::read(file).map_err(unread)
}

/// The caller's mistake in a file.
pub(super) fn fault(option: &str, file: &Path, what: &str) -> Error {
    Error::usage(format!("{option} {}: {what}", file.display()))
}
