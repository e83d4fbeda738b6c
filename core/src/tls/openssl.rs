//! The openssl crate: what native-tls cannot say or do.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ::openssl::error::ErrorStack;
use ::openssl::hash::MessageDigest;
use ::openssl::nid::Nid;
use ::openssl::ssl::{
    self, ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslRef, SslStream,
    SslVerifyMode, SslVersion,
};
use ::openssl::x509::verify::X509CheckFlags;
use ::openssl::x509::{X509, X509NameEntryRef, X509NameRef, X509Ref, X509StoreContextRef};

use super::authorities::{self, Authorities};
use super::client_identity::ClientIdentity;
use super::facts::VerifyFault;
use super::fault::{Fault, tls};
use super::files;
use super::host::Host;
use super::pipe::Pipe;
use super::resume::{Sessions, Verdict};
use super::{Backend, Connection, Got, Library, Peer, TlsSettings, TlsVersion};
use crate::error::Error;
use crate::sasl::{BindingKind, ChannelBinding};
use crate::system;

pub(super) const LIBRARY: Library = Library { name: "openssl", make: backend };

fn backend(settings: &TlsSettings) -> Result<Box<dyn Backend>, Error> {
    let authorities = Authorities::load(settings)?;
    let identity = ClientIdentity::load(settings)?;
    let failed = |stack| tls(format!("the TLS library cannot be set up: {}", reasons(&stack)));
    let mut builder = builder(settings).map_err(failed)?;
    ciphers(settings, &mut builder)?;
    if let Some(file) = &settings.key_log {
        log_keys(file, &mut builder)?;
    }
    authorities.apply(&mut builder).map_err(failed)?;
    if let Some(identity) = &identity {
        identity.apply(&mut builder).map_err(failed)?;
    }
    let sessions = Sessions::of(&mut builder);
    let begun = Mutex::new(Some(builder));
    let (bundle, sources) = (authorities.bundle(), authorities.sources());
    Ok(Box::new(OpenSsl { context: OnceLock::new(), begun, bundle, sessions, sources }))
}

struct OpenSsl {
    context: OnceLock<SslContext>,
    /// What is to become the context, without the authorities of `bundle`.
    begun: Mutex<Option<SslContextBuilder>>,
    /// The system's authorities, where they are read from one file.
    bundle: Option<PathBuf>,
    sessions: Sessions,
    sources: Vec<PathBuf>,
}

/// `SslConnector` would do, but that it parses the system's authorities whether they are needed or not.
fn builder(settings: &TlsSettings) -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_client())?;
    builder.set_verify(SslVerifyMode::PEER);
    builder.set_cipher_list("DEFAULT:!aNULL:!eNULL:!MD5:!3DES:!DES:!RC4:!IDEA:!SEED:!aDSS:!SRP:!PSK")?;
    builder.set_mode(
        SslMode::AUTO_RETRY
            | SslMode::ACCEPT_MOVING_WRITE_BUFFER
            | SslMode::ENABLE_PARTIAL_WRITE
            | SslMode::RELEASE_BUFFERS,
    );
    // A server that asks for a renegotiation in TLS 1.2 could change its certificate after it was judged.
    builder.set_options(
        SslOptions::NO_COMPRESSION
            | SslOptions::NO_SSLV2
            | SslOptions::NO_SSLV3
            | SslOptions::NO_RENEGOTIATION,
    );
    builder.set_min_proto_version(Some(version(settings.min_version)))?;
    builder.set_max_proto_version(settings.max_version.map(version))?;
    if settings.min_version < TlsVersion::Tls12 {
        // Both sign with SHA-1 and MD5, which no higher level allows.
        builder.set_security_level(0);
    }
    Ok(builder)
}

fn version(version: TlsVersion) -> SslVersion {
    match version {
        TlsVersion::Tls10 => SslVersion::TLS1,
        TlsVersion::Tls11 => SslVersion::TLS1_1,
        TlsVersion::Tls12 => SslVersion::TLS1_2,
        TlsVersion::Tls13 => SslVersion::TLS1_3,
    }
}

fn ciphers(settings: &TlsSettings, builder: &mut SslContextBuilder) -> Result<(), Error> {
    let [strings, suites] = settings.cipher_lists();
    let refused = |list: &str| {
        let text =
            format!("tlsciphers: the TLS library has none of {list:?}: `openssl ciphers` lists its own");
        Error::usage(text)
    };
    if let Some(list) = &strings {
        builder.set_cipher_list(list).map_err(|_| refused(list))?;
    }
    if let Some(list) = &suites {
        builder.set_ciphersuites(list).map_err(|_| refused(list))?;
    }
    Ok(())
}

/// The file is opened for each line: no descriptor stays behind, and who moves it away gets a new one.
fn log_keys(file: &Path, builder: &mut SslContextBuilder) -> Result<(), Error> {
    files::begin_key_log(file)?;
    let file = file.to_owned();
    builder.set_keylog_callback(move |_, line| {
        // A disk that is full now must not break a connection.
        let _ = system::append(&file, format!("{line}\n").as_bytes());
    });
    Ok(())
}

impl OpenSsl {
    /// The context with all authorities: what costs nothing is found wrong before there is a connection, the system's bundle
    /// is read when it is needed.
    fn context(&self) -> Result<&SslContext, ErrorStack> {
        if let Some(context) = self.context.get() {
            return Ok(context);
        }
        let authorities = self.bundle.as_deref().map(authorities::bundle);
        // Without a builder another thread has made it meanwhile.
        if let Some(mut begun) = system::patiently(&self.begun)
            && let Some(builder) = begun.as_mut()
        {
            authorities::trust(builder, authorities.as_deref().map_or(&[], Vec::as_slice))?;
            let _ = begun.take().map(|builder| self.context.set(builder.build()));
        }
        self.context.get().ok_or_else(ErrorStack::get)
    }

    fn begin(&self, host: &Host, verify: bool, pipe: Pipe) -> Result<OpenSslConnection, ErrorStack> {
        let mut ssl = Ssl::new(self.context()?)?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let noted = Arc::clone(&seen);
        ssl.set_verify_callback(SslVerifyMode::PEER, move |ok, context| {
            noted.lock().unwrap_or_else(PoisonError::into_inner).note(ok, context);
            ok || !verify
        });
        let wanted = ssl.param_mut();
        // RFC 9525 section 6.3: the common name of the subject is not a host name.
        wanted.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT);
        if let Ok(address) = host.as_str().parse() {
            wanted.set_ip(address)?;
        } else {
            wanted.set_host(host.as_str())?;
            ssl.set_hostname(host.as_str())?;
        }
        let noted = Arc::clone(&seen);
        let found = move || noted.lock().unwrap_or_else(PoisonError::into_inner).fault.clone();
        let inherited = self.sessions.offer(&mut ssl, host.as_str(), verify, found)?;
        Ok(OpenSslConnection { stream: SslStream::new(ssl, pipe)?, seen, verify, inherited })
    }
}

impl Backend for OpenSsl {
    fn prepare(&self, _: bool) {
        // What fails here fails where it is needed, too, and is told there.
        let _ = self.context();
    }

    fn connect(&self, host: &Host, verify: bool, pipe: Pipe) -> Result<Box<dyn Connection>, Error> {
        match self.begin(host, verify, pipe) {
            Ok(link) => Ok(Box::new(link)),
            Err(stack) => Err(tls(format!("the TLS library cannot be set up: {}", reasons(&stack)))),
        }
    }

    fn sources(&self) -> Vec<PathBuf> {
        self.sources.clone()
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

struct OpenSslConnection {
    stream: SslStream<Pipe>,
    seen: Arc<Mutex<Seen>>,
    verify: bool,
    /// What was found against the certificate when the session was made that was offered.
    inherited: Verdict,
}

impl Connection for OpenSslConnection {
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

    /// OpenSSL takes no more ciphertext than the record that it decrypts.
    fn is_drained(&self) -> bool {
        self.stream.ssl().pending() == 0 && !self.stream.get_ref().has_input()
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
        // Before the handshake is over OpenSSL tells of the session that was offered for resumption: what counts is what this
        // server has shown.
        let known = if ssl.is_init_finished() { ssl.peer_certificate() } else { None };
        let Some(certificate) = known.or_else(|| seen.certificate.clone()) else {
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

    /// RFC 9266 section 3: tls-exporter from TLS 1.3 on, tls-unique before it.
    fn bindings(&self) -> Vec<ChannelBinding> {
        let ssl = self.stream.ssl();
        let first = if ssl.version2() == Some(SslVersion::TLS1_3) {
            exporter(ssl).map(|data| ChannelBinding { kind: BindingKind::TlsExporter, data })
        } else {
            unique(ssl).map(|data| ChannelBinding { kind: BindingKind::TlsUnique, data })
        };
        let end_point = ssl.peer_certificate().and_then(|certificate| end_point(&certificate));
        let end_point = end_point.map(|data| ChannelBinding { kind: BindingKind::TlsServerEndPoint, data });
        first.into_iter().chain(end_point).collect()
    }
}

/// What another user of OpenSSL in this thread left in its queue of errors would be taken for ours
/// (SSL_get_error(3)).
fn clear_errors() {
    drop(ErrorStack::get());
}

/// RFC 9266 section 2.
fn exporter(ssl: &SslRef) -> Option<Vec<u8>> {
    let mut value = vec![0; 32];
    ssl.export_keying_material(&mut value, "EXPORTER-Channel-Binding", Some(&[])).ok()?;
    Some(value)
}

/// RFC 5929 section 3: the first Finished message, the client's, or the server's where a session is resumed. It binds only
/// with the extended master secret: without it, whoever is in between can make two connections alike (RFC 7627 section 1).
fn unique(ssl: &SslRef) -> Option<Vec<u8>> {
    if ssl.extms_support() != Some(true) {
        return None;
    }
    let mut value = vec![0; 64];
    let length = if ssl.session_reused() { ssl.peer_finished(&mut value) } else { ssl.finished(&mut value) };
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

pub(super) fn reasons(stack: &ErrorStack) -> String {
    let reasons: Vec<_> = stack.errors().iter().filter_map(|e| e.reason()).collect();
    if reasons.is_empty() { "no reason given".to_owned() } else { reasons.join(", ") }
}
