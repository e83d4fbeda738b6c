//! Whom a connector trusts, by OpenSSL.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ::openssl::error::ErrorStack;
use ::openssl::ssl::SslContextBuilder;
use ::openssl::x509::X509;
use memchr::memmem;

use super::files;
use super::layer::Trust;
use super::openssl::reasons;
use super::settings::TlsSettings;
use crate::error::Error;
use crate::system::{Places, Stamp, patiently};

/// The caller's own authorities, and where the system's are.
pub(super) struct Authorities {
    given: Vec<X509>,
    system: Option<System>,
}

impl Authorities {
    pub(super) fn load(settings: &TlsSettings) -> Result<Self, Error> {
        let mut given = Vec::new();
        for (origin, bytes) in files::authorities(settings)? {
            let found = if files::is_pem(&bytes) {
                X509::stack_from_pem(&bytes)
            } else {
                X509::from_der(&bytes).map(|certificate| vec![certificate])
            };
            let found = found.map_err(|stack| format!("holds no certificate: {}", reasons(&stack)));
            match found {
                Ok(found) if !found.is_empty() => given.extend(found),
                Ok(_) => return Err(origin.fault("holds no certificate")),
                Err(what) => return Err(origin.fault(&what)),
            }
        }
        let system = (settings.trust != Trust::Given).then(|| System::of(Places::find()));
        Ok(Self { given, system })
    }

    /// Where the system's authorities are read from.
    pub(super) fn sources(&self) -> Vec<PathBuf> {
        let system = self.system.iter();
        system.flat_map(|system| system.folders.iter().chain(&system.file)).cloned().collect()
    }

    /// Has the connector trust them, except for those of the [bundle](Self::bundle).
    pub(super) fn apply(&self, builder: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        if let Some(system) = &self.system {
            if system.folders.is_empty() && system.file.is_none() {
                // Perhaps the library knows of a place of its own.
                let _ = builder.set_default_verify_paths();
            }
            for folder in &system.folders {
                // Where one cannot be read, another may do.
                let _ = builder.load_verify_locations(None, Some(folder));
            }
        }
        trust(builder, &self.given)
    }

    /// The system's one big file, where it is needed: parsing it takes tens of milliseconds.
    pub(super) fn bundle(&self) -> Option<PathBuf> {
        self.system.as_ref().and_then(|system| system.file.clone())
    }
}

/// Has the connector trust these, too.
pub(super) fn trust(builder: &mut SslContextBuilder, authorities: &[X509]) -> Result<(), ErrorStack> {
    authorities.iter().try_for_each(|certificate| builder.cert_store_mut().add_cert(certificate.clone()))
}

/// The places that are needed of those that there are. A folder whose files are named by the hash of what they hold costs
/// nothing until an issuer is looked up in it; the one big file takes tens of milliseconds to parse.
#[derive(Debug, PartialEq, Eq)]
struct System {
    folders: Vec<PathBuf>,
    file: Option<PathBuf>,
}

impl System {
    fn of(places: Places) -> Self {
        let hashed = |folder: &PathBuf| (hashed_names(folder), folder.clone());
        let mut folders: Vec<_> = places.folders.iter().map(hashed).collect();
        folders.retain(|(count, _)| *count > 0);
        let most = folders.iter().map(|(count, _)| *count).max().unwrap_or(0);
        // A folder with fewer was made for something else, and does not hold all.
        let file =
            places.file.filter(|file| places.file_is_chosen || most == 0 || most < certificates_in(file));
        Self { folders: folders.into_iter().map(|(_, folder)| folder).collect(), file }
    }
}

/// How many files are named as c_rehash(1) does it: `5ed36f99.0`.
fn hashed_names(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    names.filter(|entry| is_hash(entry.file_name().as_encoded_bytes())).count()
}

fn is_hash(name: &[u8]) -> bool {
    let Some((hash, [b'.', number @ ..])) = name.split_at_checked(8) else { return false };
    hash.iter().all(u8::is_ascii_hexdigit) && !number.is_empty() && number.iter().all(u8::is_ascii_digit)
}

fn certificates_in(file: &Path) -> usize {
    std::fs::read(file).map_or(0, |pem| memmem::find_iter(&pem, b"-----BEGIN CERTIFICATE-----").count())
}

/// The certificates of the one big file, parsed once in a process, and again where the file has changed.
pub(super) fn bundle(file: &Path) -> Arc<Vec<X509>> {
    type Parsed = (PathBuf, Stamp, Arc<Vec<X509>>);
    static PARSED: Mutex<Option<Parsed>> = Mutex::new(None);
    let stamp = Stamp::of(file);
    if let Some(kept) = patiently(&PARSED)
        && let Some((known, then, parsed)) = &*kept
        && (known.as_path(), then) == (file, &stamp)
    {
        return Arc::clone(parsed);
    }
    // A system without authorities trusts nobody; that shows when a certificate is to be verified.
    let pem = std::fs::read(file).unwrap_or_default();
    let parsed = Arc::new(X509::stack_from_pem(&pem).unwrap_or_default());
    let kept = (file.to_owned(), stamp, Arc::clone(&parsed));
    if let Some(mut parsed) = patiently(&PARSED) {
        *parsed = Some(kept);
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::tests::pki::{Folder, TRUSTED, UNKNOWN};

    const CHOSEN: bool = true;

    fn places(file: &Path, file_is_chosen: bool, folder: &Folder) -> Places {
        Places { file: Some(file.to_owned()), file_is_chosen, folders: vec![folder.path().to_owned()] }
    }

    #[test]
    fn a_hashed_folder_that_holds_all_makes_the_file_needless() {
        let (folder, other) = (Folder::new(), Folder::new());
        let file = other.file("all.pem", [TRUSTED.cert_pem(), UNKNOWN.cert_pem()].concat());
        folder.file("README", "x");
        folder.file("0123456.0", "x");
        let neither = System { folders: vec![], file: Some(file.clone()) };
        assert_eq!(System::of(places(&file, !CHOSEN, &folder)), neither);
        folder.file("01234567.0", "x");
        let both = System { folders: vec![folder.path().to_owned()], file: Some(file.clone()) };
        assert_eq!(System::of(places(&file, !CHOSEN, &folder)), both, "one of two");
        folder.file("01234567.1", "x");
        assert_eq!(System::of(places(&file, CHOSEN, &folder)), both, "the file was asked for");
        assert_eq!(System::of(places(&file, !CHOSEN, &folder)), System { file: None, ..both });
    }

    #[test]
    fn the_file_is_parsed_once_until_it_changes() {
        let folder = Folder::new();
        let file = folder.file("all.pem", TRUSTED.cert_pem());
        let first = bundle(&file);
        assert_eq!(first.len(), 1);
        folder.file("all.pem", [TRUSTED.cert_pem(), UNKNOWN.cert_pem()].concat());
        assert_eq!(bundle(&file).len(), 2);
    }
}
