//! A test authority, made at run time. The tests of the TLS layer and those of the whole library share it.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use ::openssl::asn1::Asn1Time;
use ::openssl::bn::BigNum;
use ::openssl::ec::{EcGroup, EcKey};
use ::openssl::hash::MessageDigest;
use ::openssl::nid::Nid;
use ::openssl::pkey::{PKey, Private};
use ::openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use ::openssl::x509::{X509, X509NameBuilder};

/// The authority that the clients of these tests trust.
pub(crate) static TRUSTED: LazyLock<Issued> = LazyLock::new(|| Spec::authority("Test Root").issue(None));
/// One that nobody trusts.
pub(crate) static UNKNOWN: LazyLock<Issued> = LazyLock::new(|| Spec::authority("Unknown Root").issue(None));
/// What a good server shows.
pub(crate) static GOOD: LazyLock<Issued> = LazyLock::new(|| Spec::server().issue(Some(&TRUSTED)));

#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) cert: X509,
    pub(crate) key: PKey<Private>,
}

impl Issued {
    pub(crate) fn cert_pem(&self) -> Vec<u8> {
        self.cert.to_pem().unwrap()
    }

    pub(crate) fn key_pem(&self) -> Vec<u8> {
        self.key.private_key_to_pem_pkcs8().unwrap()
    }
}

/// A certificate to be: valid now, for mx.example.org and 127.0.0.1 and ::1.
pub(crate) struct Spec {
    pub(crate) name: Vec<(Nid, String)>,
    pub(crate) dns: Vec<String>,
    pub(crate) ip: Vec<&'static str>,
    /// Days from now.
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) ca: bool,
    pub(crate) key: PKey<Private>,
    /// What the signature is made with.
    pub(crate) digest: MessageDigest,
}

impl Spec {
    pub(crate) fn server() -> Self {
        Self {
            name: vec![(Nid::COMMONNAME, "mx.example.org".into())],
            dns: vec!["mx.example.org".into(), "xn--bcher-kva.example".into()],
            ip: vec!["127.0.0.1", "::1"],
            from: -10,
            to: 10,
            ca: false,
            key: key(),
            digest: MessageDigest::sha256(),
        }
    }

    pub(crate) fn authority(name: &str) -> Self {
        Self {
            name: vec![(Nid::COMMONNAME, name.into())],
            dns: vec![],
            ip: vec![],
            ca: true,
            ..Self::server()
        }
    }

    /// Signed by `by`, or by itself.
    pub(crate) fn issue(self, by: Option<&Issued>) -> Issued {
        static SERIAL: AtomicU32 = AtomicU32::new(1);
        let mut name = X509NameBuilder::new().unwrap();
        for (nid, value) in &self.name {
            name.append_entry_by_nid(*nid, value).unwrap();
        }
        let name = name.build();
        let mut cert = X509::builder().unwrap();
        cert.set_version(2).unwrap();
        let serial = BigNum::from_u32(SERIAL.fetch_add(1, Ordering::Relaxed)).unwrap();
        cert.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
        cert.set_subject_name(&name).unwrap();
        cert.set_issuer_name(by.map_or(&*name, |i| i.cert.subject_name())).unwrap();
        cert.set_not_before(&day(self.from)).unwrap();
        cert.set_not_after(&day(self.to)).unwrap();
        cert.set_pubkey(&self.key).unwrap();
        if self.ca {
            cert.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        }
        if !self.dns.is_empty() || !self.ip.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for name in &self.dns {
                names.dns(name);
            }
            for address in &self.ip {
                names.ip(address);
            }
            let names = names.build(&cert.x509v3_context(None, None)).unwrap();
            cert.append_extension(names).unwrap();
        }
        cert.sign(by.map_or(&self.key, |i| &i.key), self.digest).unwrap();
        Issued { cert: cert.build(), key: self.key }
    }
}

pub(crate) fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn day(days: i64) -> Asn1Time {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    Asn1Time::from_unix(i64::try_from(now).unwrap() + days * 86_400).unwrap()
}

/// A folder of files that goes with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("smtpclient-tls-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
