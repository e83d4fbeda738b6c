//! What was read for one configuration, kept for the next one that is equal: connectors cost milliseconds, and they hold the
//! sessions that servers gave.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Backend;
use super::settings::TlsSettings;
use crate::error::Error;
use crate::system::{Stamp, patiently};

/// More configurations than this at a time are rare; the one that was not used for longest goes.
const MOST: usize = 16;

/// Makes a connector from settings.
pub(super) type Maker = fn(&TlsSettings) -> Result<Box<dyn Backend>, Error>;

/// A library with its connector, and the files that it was made from as they were then. It holds no password.
pub(super) struct Loaded {
    backend: Box<dyn Backend>,
    files: Vec<(PathBuf, Stamp)>,
}

impl Loaded {
    pub(super) fn load(settings: &TlsSettings, make: Maker) -> Result<Self, Error> {
        settings.check()?;
        let stamp = |path: &PathBuf| (path.clone(), Stamp::of(path));
        let named = [&settings.ca_file, &settings.cert_file, &settings.key_file];
        // Before they are read: what is written in between shows as a change.
        let mut files: Vec<_> = named.into_iter().flatten().map(stamp).collect();
        let backend = make(settings)?;
        files.extend(backend.sources().iter().map(stamp));
        Ok(Self { backend, files })
    }

    pub(super) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// Whether a file is there that is not what was read. One that is gone leaves what it held to those who have it.
    pub(super) fn changed(&self) -> bool {
        self.files.iter().any(|(path, then)| {
            let now = Stamp::of(path);
            now != *then && now.exists()
        })
    }

    /// Whether every file is what was read: who begins now would read the same.
    fn is_current(&self) -> bool {
        self.files.iter().all(|(path, then)| Stamp::of(path) == *then)
    }
}

/// The newest last.
type Kept = Vec<(Key, Arc<Loaded>)>;

static KEPT: Mutex<Kept> = Mutex::new(Vec::new());

/// What was loaded for equal settings, where no file has changed since; else it is loaded now. The lock is not held
/// meanwhile: another thread need not wait for a slow disk, nor a forked process for ever.
pub(super) fn loaded(settings: &TlsSettings, make: Maker) -> Result<Arc<Loaded>, Error> {
    let Some(key) = Key::of(settings) else {
        return Loaded::load(settings, make).map(Arc::new);
    };
    let found = with_kept(|kept| {
        let at = kept.iter().position(|(other, _)| *other == key)?;
        let entry = kept.remove(at);
        let loaded = Arc::clone(&entry.1);
        kept.push(entry);
        Some(loaded)
    });
    if let Some(found) = found.filter(|found| found.is_current()) {
        return Ok(found);
    }
    let loaded = Arc::new(Loaded::load(settings, make)?);
    // What goes is dropped after the lock.
    let _gone = with_kept(|kept| {
        let mut gone: Kept = kept.extract_if(.., |(other, _)| *other == key).collect();
        kept.push((key, Arc::clone(&loaded)));
        let extra = kept.len().saturating_sub(MOST);
        gone.extend(kept.drain(..extra));
        gone
    });
    Ok(loaded)
}

fn with_kept<T: Default>(run: impl FnOnce(&mut Kept) -> T) -> T {
    patiently(&KEPT).map(|mut kept| run(&mut kept)).unwrap_or_default()
}

/// A digest of a whole configuration, its password included, under a key that only this process knows: nobody learns
/// anything of the password from it, and no copy of that is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key([u8; 32]);

impl Key {
    /// `None` where the system gives no random numbers: nothing is kept then.
    fn of(settings: &TlsSettings) -> Option<Self> {
        static SECRET: LazyLock<Option<Hmac<Sha256>>> = LazyLock::new(|| {
            let mut key = zeroize::Zeroizing::new([0; 32]);
            getrandom::fill(&mut *key).ok()?;
            Hmac::new_from_slice(&*key).ok()
        });
        let mut digest = SECRET.clone()?;
        // Each with its length before it, so that no two configurations read alike.
        let mut field = |octets: Option<&[u8]>| {
            digest.update(&octets.map_or(u64::MAX, |octets| octets.len() as u64).to_be_bytes());
            digest.update(octets.unwrap_or_default());
        };
        let TlsSettings {
            verify,
            trust,
            ca_file,
            ca,
            cert_file,
            key_file,
            key_password,
            fingerprints,
            min_version,
            max_version,
            ciphers,
            key_log,
            server_name,
        } = settings;
        for file in [ca_file, cert_file, key_file, key_log] {
            field(file.as_deref().map(path));
        }
        field(ca.as_deref());
        field(key_password.as_ref().map(|password| password.expose()));
        for text in [ciphers, server_name] {
            field(text.as_deref().map(str::as_bytes));
        }
        for fingerprint in fingerprints {
            field(Some(fingerprint.octets()));
        }
        field(Some(&[
            u8::from(*verify),
            *trust as u8,
            *min_version as u8,
            max_version.map_or(u8::MAX, |version| version as u8),
        ]));
        Some(Self(digest.finalize().into_bytes().into()))
    }
}

fn path(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{Fingerprint, TlsVersion, Trust};

    #[test]
    fn every_setting_is_part_of_the_key() {
        let changes: [fn(&mut TlsSettings); 14] = [
            |_| {},
            |s| s.verify = false,
            |s| s.trust = Trust::System,
            |s| s.ca_file = Some("a".into()),
            |s| s.ca = Some(b"a".to_vec()),
            |s| s.cert_file = Some("a".into()),
            |s| s.key_file = Some("a".into()),
            |s| s.key_password = Some("a".into()),
            |s| s.key_password = Some("".into()),
            |s| s.fingerprints = vec![Fingerprint::of(b"a")],
            |s| s.min_version = TlsVersion::Tls13,
            |s| s.max_version = Some(TlsVersion::Tls13),
            |s| s.ciphers = Some("a".into()),
            |s| s.server_name = Some("a".into()),
        ];
        let keys = changes.map(|change| {
            let mut settings = TlsSettings::default();
            change(&mut settings);
            let key = Key::of(&settings).unwrap();
            assert!(key == Key::of(&settings).unwrap());
            key
        });
        for (n, key) in keys.iter().enumerate() {
            assert!(keys.iter().skip(n + 1).all(|other| other != key), "change {n} is not in the key");
        }
    }
}
