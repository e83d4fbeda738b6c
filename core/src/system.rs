//! What only the operating system knows: whether a file is still the same one, where the authorities are, and whether
//! the environment can be trusted.

use std::ffi::OsString;
use std::fs;
#[cfg(any(feature = "tls-openssl", feature = "tls-rustls", not(unix)))]
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::Duration;

/// The lock, unless another thread keeps it for longer than any does: then there is none, as in a child by fork(2) of a
/// process one of whose threads held it. What it guards can be done without.
pub(crate) fn patiently<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    for _ in 0..PATIENCE_MS {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
        }
    }
    None
}

/// No lock here is held while anything is read from a disk.
const PATIENCE_MS: u32 = 500;

/// The identity of a file at some time. Two that are equal mean that nobody has written or replaced it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(Option<Identity>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    file: (u64, u64),
    size: u64,
    /// Of the content, and of the content or the inode.
    times: [(i64, i64); 2],
}

impl Stamp {
    /// What `path` is now, symbolic links followed; a file that cannot be found has a stamp of its own.
    pub(crate) fn of(path: &Path) -> Self {
        Self(fs::metadata(path).ok().map(|found| identity(&found)))
    }

    /// Whether there was a file.
    pub(crate) fn exists(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(unix)]
fn identity(found: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Identity {
        file: (found.dev(), found.ino()),
        size: found.size(),
        times: [(found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec())],
    }
}

#[cfg(not(unix))]
fn identity(found: &fs::Metadata) -> Identity {
    let since = |time: io::Result<std::time::SystemTime>| {
        let time = time.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        time.map_or((0, 0), |time| {
            (i64::try_from(time.as_secs()).unwrap_or(i64::MAX), i64::from(time.subsec_nanos()))
        })
    };
    Identity { file: (0, 0), size: found.len(), times: [since(found.modified()), since(found.created())] }
}

/// Appends to a file that only its owner may read, and makes it if there is none.
#[cfg(any(feature = "tls-openssl", feature = "tls-rustls"))]
pub(crate) fn append(path: &Path, text: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    // One write: lines of several connections do not mix.
    options.open(path)?.write_all(text)
}

/// Where the authorities are that this system trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// All of them, in one file of PEM.
    pub(crate) file: Option<PathBuf>,
    /// `SSL_CERT_FILE` names another file than systems have, which holds what the folders may not.
    pub(crate) file_is_chosen: bool,
    /// One a file, perhaps under the hash of its name.
    pub(crate) folders: Vec<PathBuf>,
}

impl Places {
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR`, each where it names something that exists, else where systems have them.
    pub(crate) fn find() -> Self {
        Self::told(privileged(), |name| std::env::var_os(name))
    }

    /// Whoever starts a privileged process writes its environment, and must not choose whom it trusts.
    fn told(privileged: bool, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let variable = |name| if privileged { None } else { variable(name) };
        let file = variable("SSL_CERT_FILE").map(PathBuf::from).filter(|file| file.exists());
        let folders: Vec<_> = variable("SSL_CERT_DIR")
            .map(|list| std::env::split_paths(&list).filter(|folder| folder.exists()).collect())
            .unwrap_or_default();
        let known = |list: &[&str]| list.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
        Self {
            file_is_chosen: file
                .as_deref()
                .is_some_and(|file| !FILES.iter().any(|known| Path::new(known) == file)),
            file: file.or_else(|| {
                let files: Vec<_> = known(FILES);
                files.into_iter().next()
            }),
            folders: if folders.is_empty() { known(FOLDERS) } else { folders },
        }
    }
}

/// Debian, Fedora, OpenSUSE, Alpine, the BSDs, and systems like them.
const FILES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
    "/opt/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/cacert.pem",
    "/usr/local/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "/etc/openssl/certs/ca-certificates.crt",
    "/etc/certs/ca-certificates.crt",
];

const FOLDERS: &[&str] = &[
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/usr/local/share/certs",
    "/etc/openssl/certs",
    "/etc/certs/CA",
];

/// Whether the process has rights that whoever started it does not: a set-user-ID program, or one with capabilities.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[expect(unsafe_code, reason = "nobody else tells of capabilities")]
pub(crate) fn privileged() -> bool {
    // SAFETY: reads a value that the kernel gave the process; any argument will do.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether the process has rights that whoever started it does not: a set-user-ID or set-group-ID program.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(crate) fn privileged() -> bool {
    use rustix::process::{getegid, geteuid, getgid, getuid};
    getuid() != geteuid() || getgid() != getegid()
}

/// There are no such programs.
#[cfg(not(unix))]
pub(crate) fn privileged() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_of_a_privileged_process_names_no_authorities() {
        let folder = std::env::temp_dir();
        let file = folder.join(format!("system-places-{}", std::process::id()));
        fs::write(&file, "").unwrap();
        let said = |name: &str| match name {
            "SSL_CERT_FILE" => Some(file.clone().into_os_string()),
            "SSL_CERT_DIR" => Some(folder.clone().into_os_string()),
            _ => None,
        };
        let trusted = Places::told(false, said);
        assert_eq!((trusted.file, trusted.folders), (Some(file.clone()), vec![folder.clone()]));
        assert!(trusted.file_is_chosen);
        assert_eq!(Places::told(true, said), Places::told(false, |_| None));
        // What is not there is no answer.
        assert_eq!(Places::told(false, |_| Some("/none/such".into())), Places::told(false, |_| None));
        fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_file_that_is_written_or_replaced_has_another_stamp() {
        let file = std::env::temp_dir().join(format!("system-stamp-{}", std::process::id()));
        let none = Stamp::of(&file);
        fs::write(&file, "one").unwrap();
        let first = Stamp::of(&file);
        assert_eq!(first, Stamp::of(&file));
        assert_ne!(first, none);
        let other = file.with_extension("new");
        fs::write(&other, "two").unwrap();
        fs::rename(&other, &file).unwrap();
        assert_ne!(first, Stamp::of(&file));
        fs::remove_file(&file).unwrap();
        assert_eq!(none, Stamp::of(&file));
    }
}
