//! The openssl crate: what native-tls cannot say or do.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ::openssl::error::ErrorStack;
use ::openssl::hash::MessageDigest;
use ::openssl::nid::Nid;
use ::openssl::pkcs12::Pkcs12;
use ::openssl::pkey::{PKey, Private};
use ::openssl::ssl::{
    self, ErrorCode, SslConnector, SslMethod, SslOptions, SslRef, SslStream, SslVerifyMode, SslVersion,
};
use ::openssl::x509::{X509, X509NameEntryRef, X509NameRef, X509Ref, X509StoreContextRef};

use super::facts::VerifyFault;
use super::fault::{Fault, tls};
use super::files::{self, Identity};
use super::host::Host;
use super::pipe::Pipe;
use super::resume::{Sessions, Verdict};
use super::{Backend, Connection, Got, Peer, TlsSettings, TlsVersion};
use crate::error::Error;
use crate::sasl::{BindingKind, ChannelBinding};

pub(super) fn backend(settings: &TlsSettings) -> Result<Box<dyn Backend>, Error> {
    Ok(Box::new(OpenSsl {
        authorities: settings.ca_file.as_deref().map(authorities).transpose()?.unwrap_or_default(),
        identity: ClientIdentity::load(settings)?,
        min_version: settings.min_version,
        connector: Mutex::default(),
    }))
}

struct OpenSsl {
    authorities: Vec<X509>,
    identity: Option<ClientIdentity>,
    min_version: TlsVersion,
    connector: Mutex<Option<(SslConnector, Sessions)>>,
}

impl OpenSsl {
    fn connector(&self) -> Result<(SslConnector, Sessions), ErrorStack> {
        let mut slot = self.connector.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connector) = &*slot {
            return Ok(connector.clone());
        }
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        // A library that was built elsewhere looks for the authorities elsewhere, so look where they are; where a
        // place cannot be read, another one may do.
        let places = openssl_probe::probe();
        if let Some(file) = &places.cert_file {
            let _ = builder.load_verify_locations(Some(file), None);
        }
        for folder in &places.cert_dir {
            let _ = builder.load_verify_locations(None, Some(folder));
        }
        for certificate in &self.authorities {
            builder.cert_store_mut().add_cert(certificate.clone())?;
        }
        // A server that asks for a renegotiation in TLS 1.2 could change its certificate after it was judged.
        builder.set_options(SslOptions::NO_RENEGOTIATION);
        builder.set_min_proto_version(Some(match self.min_version {
            TlsVersion::Tls10 => SslVersion::TLS1,
            TlsVersion::Tls11 => SslVersion::TLS1_1,
            TlsVersion::Tls12 => SslVersion::TLS1_2,
            TlsVersion::Tls13 => SslVersion::TLS1_3,
        }))?;
        if self.min_version < TlsVersion::Tls12 {
            // Both sign with SHA-1 and MD5, which no higher level allows.
            builder.set_security_level(0);
        }
        if let Some(identity) = &self.identity {
            builder.set_certificate(&identity.certificate)?;
            builder.set_private_key(&identity.key)?;
            for certificate in &identity.chain {
                builder.add_extra_chain_cert(certificate.clone())?;
            }
        }
        let sessions = Sessions::of(&mut builder);
        Ok(slot.insert((builder.build(), sessions)).clone())
    }

    fn begin(&self, host: &Host, verify: bool, pipe: Pipe) -> Result<Link, ErrorStack> {
        let (connector, sessions) = self.connector()?;
        let mut configuration = connector.configure()?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noted = Arc::clone(&seen);
        configuration.set_verify_callback(SslVerifyMode::PEER, move |ok, context| {
            noted.lock().unwrap_or_else(PoisonError::into_inner).note(ok, context);
            ok || !verify
        });
        let mut ssl = configuration.into_ssl(host.as_str())?;
        let noted = Arc::clone(&seen);
        let found = move || noted.lock().unwrap_or_else(PoisonError::into_inner).fault.clone();
        let inherited = sessions.offer(&mut ssl, host.as_str(), verify, found)?;
        Ok(Link { stream: SslStream::new(ssl, pipe)?, seen, verify, inherited })
    }
}

impl Backend for OpenSsl {
    fn connect(&self, host: &Host, verify: bool, pipe: Pipe) -> Result<Box<dyn Connection>, Error> {
        match self.begin(host, verify, pipe) {
            Ok(link) => Ok(Box::new(link)),
            Err(stack) => Err(tls(format!("the TLS library cannot be set up: {}", reasons(&stack)))),
        }
    }
}

/// What the verification saw, also of a certificate that it then refused.
#[derive(Default)]
struct Seen {
    certificate: Option<X509>,
    fault: Option<VerifyFault>,
}

impl Seen {
    fn note(&mut self, ok: bool, context: &X509StoreContextRef) {
        if self.certificate.is_none() {
            self.certificate = context.chain().and_then(|chain| chain.get(0)).map(ToOwned::to_owned);
        }
        if !ok && self.fault.is_none() {
            self.fault = Some(verify_fault(context));
        }
    }
}

struct Link {
    stream: SslStream<Pipe>,
    seen: Arc<Mutex<Seen>>,
    verify: bool,
    /// What was found against the certificate when the session was made that was offered.
    inherited: Verdict,
}

impl Connection for Link {
    fn handshake(&mut self) -> Result<bool, Fault> {
        clear_errors();
        match self.stream.connect() {
            Ok(()) => Ok(true),
            Err(error) if error.code() == ErrorCode::WANT_READ => Ok(false),
            Err(error) => {
                let refused = error.ssl_error().is_some_and(|stack| {
                    stack.errors().iter().any(|e| e.reason_code() == CERTIFICATE_VERIFY_FAILED)
                });
                let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                match &seen.fault {
                    Some(fault) if refused && self.verify => Err(Fault::Verify(fault.clone())),
                    _ => Err(classify(&error)),
                }
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Got, Fault> {
        clear_errors();
        match self.stream.ssl_read(buffer) {
            Ok(n) => Ok(Got::Data(n)),
            Err(error) if error.code() == ErrorCode::WANT_READ => Ok(Got::WantInput),
            Err(error) if error.code() == ErrorCode::ZERO_RETURN => Ok(Got::Closed),
            Err(error) => Err(classify(&error)),
        }
    }

    fn write(&mut self, plaintext: &[u8]) -> Result<usize, Fault> {
        clear_errors();
        match self.stream.ssl_write(plaintext) {
            Ok(n) => Ok(n),
            Err(error) if error.code() == ErrorCode::WANT_READ => Ok(0),
            Err(error) => Err(classify(&error)),
        }
    }

    fn shutdown(&mut self) {
        clear_errors();
        // Nothing is lost where it fails: the connection is over either way.
        let _ = self.stream.shutdown();
    }

    fn peer(&self) -> Peer {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let ssl = self.stream.ssl();
        let Some(certificate) = ssl.peer_certificate().or_else(|| seen.certificate.clone()) else {
            return Peer::default();
        };
        let resumed = ssl.session_reused();
        let fault = if resumed { &self.inherited } else { &seen.fault };
        Peer {
            certificate: certificate.to_der().ok(),
            verified: Some(fault.clone().map_or(Ok(()), Err)),
            resumed,
            version: ssl.version2().map(|_| ssl.version_str().to_owned()),
            cipher: ssl.current_cipher().map(|c| c.name().to_owned()),
            subject: Some(name(certificate.subject_name())),
            issuer: Some(name(certificate.issuer_name())),
        }
    }

    fn bindings(&self) -> Vec<ChannelBinding> {
        let ssl = self.stream.ssl();
        [
            (BindingKind::TlsExporter, exporter(ssl)),
            (BindingKind::TlsUnique, unique(ssl)),
            (BindingKind::TlsServerEndPoint, ssl.peer_certificate().and_then(|c| end_point(&c))),
        ]
        .into_iter()
        .filter_map(|(kind, data)| Some(ChannelBinding { kind, data: data? }))
        .collect()
    }
}

/// What another user of OpenSSL in this thread left in its queue of errors would be taken for ours
/// (SSL_get_error(3)).
fn clear_errors() {
    drop(ErrorStack::get());
}

/// RFC 9266: below TLS 1.3 only with the extended master secret, without which it does not bind.
fn exporter(ssl: &SslRef) -> Option<Vec<u8>> {
    if ssl.version2()? != SslVersion::TLS1_3 && ssl.extms_support() != Some(true) {
        return None;
    }
    let mut value = vec![0; 32];
    ssl.export_keying_material(&mut value, "EXPORTER-Channel-Binding", Some(&[])).ok()?;
    Some(value)
}

/// RFC 5929 section 3: the first Finished message, the client's, or the server's where a session is resumed. That
/// binds only with the extended master secret (RFC 7627 section 1).
fn unique(ssl: &SslRef) -> Option<Vec<u8>> {
    if ssl.version2()? == SslVersion::TLS1_3 {
        return None;
    }
    let resumed = ssl.session_reused();
    if resumed && ssl.extms_support() != Some(true) {
        return None;
    }
    let mut value = vec![0; 64];
    let length = if resumed { ssl.peer_finished(&mut value) } else { ssl.finished(&mut value) };
    value.truncate(length);
    (!value.is_empty()).then_some(value)
}

/// RFC 5929 section 4.1: by the digest of the signature, but SHA-256 for what is weaker.
fn end_point(certificate: &X509Ref) -> Option<Vec<u8>> {
    let digest = certificate.signature_algorithm().object().nid().signature_algorithms()?.digest;
    let digest = match digest {
        Nid::MD5 | Nid::SHA1 => MessageDigest::sha256(),
        other => MessageDigest::from_nid(other)?,
    };
    Some(certificate.digest(digest).ok()?.to_vec())
}

/// `CN=mx.example.org, O=Example`: for people to read, so what could deceive a terminal is escaped.
fn name(name: &X509NameRef) -> String {
    let part = |entry: &X509NameEntryRef| {
        let key = entry.object().nid().short_name().unwrap_or("?");
        format!("{key}={}", entry.data().to_string().unwrap_or_default().escape_debug())
    };
    name.entries().map(part).collect::<Vec<_>>().join(", ")
}

/// `SSL_R_CERTIFICATE_VERIFY_FAILED`.
const CERTIFICATE_VERIFY_FAILED: i32 = 134;
/// `ERR_LIB_SSL`.
const LIBRARY_SSL: i32 = 20;
/// `SSL_AD_REASON_OFFSET`: the reason of an alert that came in is its number and this.
const ALERT: i32 = 1000;

fn classify(error: &ssl::Error) -> Fault {
    let Some(stack) = error.ssl_error() else {
        return Fault::Other(error.to_string());
    };
    let alert = stack
        .errors()
        .iter()
        .filter(|e| e.library_code() == LIBRARY_SSL)
        .find_map(|e| u8::try_from(e.reason_code().checked_sub(ALERT)?).ok());
    alert.map_or_else(|| Fault::Other(reasons(stack)), Fault::Alert)
}

/// The numbers are `X509_V_ERR_...` in x509_vfy.h.
fn verify_fault(context: &X509StoreContextRef) -> VerifyFault {
    let error = context.error();
    match error.as_raw() {
        9 => VerifyFault::NotYetValid,
        10 => VerifyFault::Expired,
        18 => VerifyFault::SelfSigned,
        2 | 19 | 20 | 21 => VerifyFault::UnknownIssuer,
        23 => VerifyFault::Revoked,
        62 | 64 => VerifyFault::WrongName,
        _ => VerifyFault::Other(error.error_string().to_owned()),
    }
}

fn reasons(stack: &ErrorStack) -> String {
    let reasons: Vec<_> = stack.errors().iter().filter_map(|e| e.reason()).collect();
    if reasons.is_empty() { "no reason given".to_owned() } else { reasons.join(", ") }
}

fn authorities(file: &Path) -> Result<Vec<X509>, Error> {
    let bytes = files::read("tlscafile", file)?;
    let found = if files::is_pem(&bytes) {
        X509::stack_from_pem(&bytes)
    } else {
        X509::from_der(&bytes).map(|c| vec![c])
    };
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(files::fault("tlscafile", file, "holds no certificate")),
        Err(stack) => {
            Err(files::fault("tlscafile", file, &format!("holds no certificate: {}", reasons(&stack))))
        }
    }
}

struct ClientIdentity {
    certificate: X509,
    key: PKey<Private>,
    /// From the issuer of the certificate upwards.
    chain: Vec<X509>,
}

impl ClientIdentity {
    fn load(settings: &TlsSettings) -> Result<Option<Self>, Error> {
        let (Some(identity), Some(cert_file)) = (Identity::load(settings)?, settings.cert_file.as_deref())
        else {
            return Ok(None);
        };
        let wrong = |what: String| files::fault("tlscertfile", cert_file, &what);
        let identity = match identity {
            Identity::Pkcs12(archive) => {
                Self::from_pkcs12(&archive, files::password(settings)?).map_err(|stack| {
                    wrong(format!(
                        "is neither PEM nor a PKCS#12 archive that its password opens: {}",
                        reasons(&stack)
                    ))
                })?
            }
            Identity::Pem { chain, key } => {
                let mut chain = X509::stack_from_pem(&chain)
                    .map_err(|stack| wrong(format!("does not parse: {}", reasons(&stack))))?
                    .into_iter();
                let certificate = chain.next();
                let (option, file) = files::key_origin(settings, cert_file);
                let key = private_key(&key, settings).map_err(|what| files::fault(option, file, &what))?;
                certificate.map(|certificate| Self { certificate, key, chain: chain.collect() })
            }
        };
        let identity = identity.ok_or_else(|| wrong("holds no certificate with its key".to_owned()))?;
        let same = identity.certificate.public_key().is_ok_and(|public| identity.key.public_eq(&public));
        if same { Ok(Some(identity)) } else { Err(wrong("does not go with its key".to_owned())) }
    }

    fn from_pkcs12(archive: &[u8], password: &str) -> Result<Option<Self>, ErrorStack> {
        let parsed = Pkcs12::from_der(archive)?.parse2(password)?;
        let mut chain: Vec<_> = parsed.ca.into_iter().flatten().collect();
        // Up to version 3 OpenSSL turned the order round.
        if ::openssl::version::number() < 0x3000_0000 {
            chain.reverse();
        }
        Ok(parsed.cert.zip(parsed.pkey).map(|(certificate, key)| Self { certificate, key, chain }))
    }
}

fn private_key(pem: &[u8], settings: &TlsSettings) -> Result<PKey<Private>, String> {
    let password = settings.key_password.as_ref().map_or(&[][..], |p| p.expose());
    // Without a callback OpenSSL would ask at the terminal.
    let key = PKey::private_key_from_pem_callback(pem, |buffer| {
        let room = buffer.get_mut(..password.len()).ok_or_else(ErrorStack::get)?;
        room.copy_from_slice(password);
        Ok(password.len())
    });
    key.map_err(|stack| {
        let encrypted = files::key_label(pem).is_some_and(|(label, block)| {
            label.starts_with("ENCRYPTED") || memchr::memmem::find(block, b"Proc-Type: 4,ENCRYPTED").is_some()
        });
        match (encrypted, password.is_empty()) {
            (true, true) => "is encrypted, and no password is given for it".to_owned(),
            (true, false) => format!("is not opened by the password given: {}", reasons(&stack)),
            _ => format!("holds no usable private key: {}", reasons(&stack)),
        }
    })
}
