//! What was read for one configuration, kept for the next one that is equal: connectors cost milliseconds, and they hold the
//! sessions that servers gave.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Backend;
use super::settings::TlsSettings;
use crate::error::Error;
use crate::secret::Secret;
use crate::system::{Stamp, patiently};

/// More configurations than this at a time are rare; the one that was not used for longest goes.
const MOST: usize = 16;

/// Makes a connector from settings.
pub(super) type Maker = fn(&TlsSettings) -> Result<Box<dyn Backend>, Error>;

/// A library with its connector, and the files that it was made from as they were then. It holds no password.
pub(super) struct Loaded {
    backend: Box<dyn Backend>,
    /// Those that the settings name.
    named: Vec<(PathBuf, Stamp)>,
    /// The system's.
    system: Vec<(PathBuf, Stamp)>,
}

impl Loaded {
    pub(super) fn load(settings: &TlsSettings, make: Maker) -> Result<Self, Error> {
        settings.check()?;
        let stamp = |path: &PathBuf| (path.clone(), Stamp::of(path));
        let named = [&settings.ca_file, &settings.cert_file, &settings.key_file];
        // Before they are read: what is written in between shows as a change.
        let named = named.into_iter().flatten().map(stamp).collect();
        let backend = make(settings)?;
        let system = backend.sources().iter().map(stamp).collect();
        Ok(Self { backend, named, system })
    }

    pub(super) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// Whether a file is there that is not what was read. One that is gone leaves what it held to those who have it.
    pub(super) fn changed(&self) -> bool {
        self.named.iter().chain(&self.system).any(|(path, then)| {
            let now = Stamp::of(path);
            now != *then && now.exists()
        })
    }

    /// Whether every file that the settings name is what was read: one that cannot be used any more is found before there is a
    /// connection. Those of the system are looked at when a handshake begins ([`changed`](Self::changed)): here a message
    /// in plain text would pay for it, too, by a system call.
    fn is_current(&self) -> bool {
        self.named.iter().all(|(path, then)| Stamp::of(path) == *then)
    }
}

/// The newest last.
type Kept = Vec<(Key, Arc<Loaded>)>;

static KEPT: Mutex<Kept> = Mutex::new(Vec::new());

/// What was loaded for equal settings, where no file has changed since; else it is loaded now. The lock is not held
/// meanwhile: another thread need not wait for a slow disk, nor a forked process for ever.
pub(super) fn loaded(settings: &TlsSettings, make: Maker) -> Result<Arc<Loaded>, Error> {
    let password = match &settings.key_password {
        None => None,
        Some(password) => match Digest::of(password) {
            // Nothing can be kept then.
            None => return Loaded::load(settings, make).map(Arc::new),
            digest => digest,
        },
    };
    let found = with_kept(|kept| {
        let at = kept.iter().position(|(key, _)| key.is_of(settings, password.as_ref()))?;
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
        let mut gone: Kept = kept.extract_if(.., |(key, _)| key.is_of(settings, password.as_ref())).collect();
        kept.push((Key::of(settings, password), Arc::clone(&loaded)));
        let extra = kept.len().saturating_sub(MOST);
        gone.extend(kept.drain(..extra));
        gone
    });
    Ok(loaded)
}

fn with_kept<T: Default>(run: impl FnOnce(&mut Kept) -> T) -> T {
    patiently(&KEPT).map(|mut kept| run(&mut kept)).unwrap_or_default()
}

/// A whole configuration, without its password: no copy of that is kept.
struct Key {
    settings: TlsSettings,
    password: Option<Digest>,
}

impl Key {
    fn of(settings: &TlsSettings, password: Option<Digest>) -> Self {
        Self { settings: TlsSettings { key_password: None, ..settings.clone() }, password }
    }

    /// Whether it is that of these settings. Digesting them all, as little as they say, took a sixth of a send.
    fn is_of(&self, settings: &TlsSettings, password: Option<&Digest>) -> bool {
        self.password.as_ref() == password && self.settings.equal_but_password(settings)
    }
}

/// A digest of a password under a key that only this process knows: nobody learns anything from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Digest([u8; 32]);

impl Digest {
    /// `None` if the system gives no random numbers.
    fn of(password: &Secret) -> Option<Self> {
        static KEY: LazyLock<Option<Hmac<Sha256>>> = LazyLock::new(|| {
            let mut key = zeroize::Zeroizing::new([0; 32]);
            getrandom::fill(&mut *key).ok()?;
            Hmac::new_from_slice(&*key).ok()
        });
        let mut digest = KEY.clone()?;
        digest.update(password.expose());
        Some(Self(digest.finalize().into_bytes().into()))
    }
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
        let all = changes.map(|change| {
            let mut settings = TlsSettings::default();
            change(&mut settings);
            settings
        });
        let digest = |settings: &TlsSettings| settings.key_password.as_ref().map(|p| Digest::of(p).unwrap());
        for (n, settings) in all.iter().enumerate() {
            let key = Key::of(settings, digest(settings));
            assert!(key.settings.key_password.is_none());
            for (m, other) in all.iter().enumerate() {
                assert_eq!(key.is_of(other, digest(other).as_ref()), n == m, "changes {n} and {m}");
            }
        }
    }
}
