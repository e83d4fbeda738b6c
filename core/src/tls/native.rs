//! native-tls: what every platform has.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use native_tls::{Certificate, HandshakeError, MidHandshakeTlsStream, Protocol, TlsConnector};

use super::facts::VerifyFault;
use super::fault::{Fault, tls};
use super::files::{self, Identity};
use super::host::Host;
use super::pipe::Pipe;
use super::{Backend, Connection, Got, Library, Peer, TlsSettings, TlsVersion, Trust, der};
use crate::error::Error;
use crate::sasl::{BindingKind, ChannelBinding};
use crate::system::{Places, privileged};

pub(super) const LIBRARY: Library = Library { name: "native-tls", make: backend };

fn backend(settings: &TlsSettings) -> Result<Box<dyn Backend>, Error> {
    for (option, given) in
        [("tlsciphers", settings.ciphers.is_some()), ("tlskeylog", settings.key_log.is_some())]
    {
        if given {
            return Err(Error::usage(format!(
                "{option}: native-tls has nothing like it; build with the feature tls-openssl"
            )));
        }
    }
    let mut authorities = authorities(settings)?;
    // native-tls reads SSL_CERT_FILE and SSL_CERT_DIR also where whoever sets them must not be trusted.
    let own = privileged() && settings.trust != Trust::Given;
    if let Some(file) = own.then(Places::find).and_then(|places| places.file) {
        let pem = files::read("the system's authorities", &file)?;
        authorities.extend(Certificate::stack_from_pem(&pem).unwrap_or_default());
    }
    let native = Native {
        authorities,
        built_in: settings.trust != Trust::Given && !own,
        identity: identity(settings)?,
        protocol: protocol(settings.min_version),
        highest: settings.max_version.map(protocol),
        verifying: Mutex::default(),
        accepting: Mutex::default(),
    };
    if let Some(cert_file) = settings.cert_file.as_deref() {
        // Only the connector compares the certificate with its key.
        native.connector(true).map_err(|words| {
            files::fault("tlscertfile", cert_file, &format!("does not go with its key: {words}"))
        })?;
    }
    Ok(Box::new(native))
}

fn protocol(version: TlsVersion) -> Protocol {
    match version {
        TlsVersion::Tls10 => Protocol::Tlsv10,
        TlsVersion::Tls11 => Protocol::Tlsv11,
        TlsVersion::Tls12 => Protocol::Tlsv12,
        TlsVersion::Tls13 => Protocol::Tlsv13,
    }
}

struct Native {
    authorities: Vec<Certificate>,
    /// Beside those that native-tls finds by itself.
    built_in: bool,
    identity: Option<native_tls::Identity>,
    protocol: Protocol,
    highest: Option<Protocol>,
    verifying: Mutex<Option<TlsConnector>>,
    accepting: Mutex<Option<TlsConnector>>,
}

impl Native {
    fn connector(&self, verify: bool) -> Result<TlsConnector, String> {
        let slot = if verify { &self.verifying } else { &self.accepting };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connector) = &*slot {
            return Ok(connector.clone());
        }
        let mut builder = TlsConnector::builder();
        builder.min_protocol_version(Some(self.protocol));
        builder.max_protocol_version(self.highest);
        builder.disable_built_in_roots(!self.built_in);
        builder.danger_accept_invalid_certs(!verify);
        builder.danger_accept_invalid_hostnames(!verify);
        for certificate in &self.authorities {
            builder.add_root_certificate(certificate.clone());
        }
        if let Some(identity) = &self.identity {
            builder.identity(identity.clone());
        }
        let connector = builder.build().map_err(|error| reasons(&error.to_string()))?;
        Ok(slot.insert(connector).clone())
    }
}

impl Backend for Native {
    fn prepare(&self, verify: bool) {
        // Why it cannot be made is told where it is needed.
        let _ = self.connector(verify);
    }

    fn connect(&self, host: &Host, verify: bool, pipe: Pipe) -> Result<Box<dyn Connection>, Error> {
        let connector = self
            .connector(verify)
            .map_err(|words| tls(format!("the TLS library cannot be set up: {words}")))?;
        let old = matches!(self.protocol, Protocol::Tlsv10 | Protocol::Tlsv11);
        let start = Box::new(Start { connector, host: host.as_str().to_owned(), pipe });
        let named = verify && host.as_str().parse::<IpAddr>().is_err();
        Ok(Box::new(NativeConnection { state: State::Start(start), verify, named, old }))
    }
}

struct NativeConnection {
    state: State,
    verify: bool,
    /// The certificate must be for a domain name.
    named: bool,
    old: bool,
}

enum State {
    Start(Box<Start>),
    Mid(Box<MidHandshakeTlsStream<Pipe>>),
    Open(Box<native_tls::TlsStream<Pipe>>),
    Failed,
}

struct Start {
    connector: TlsConnector,
    host: String,
    pipe: Pipe,
}

impl Connection for NativeConnection {
    fn handshake(&mut self) -> Result<bool, Fault> {
        let result = match std::mem::replace(&mut self.state, State::Failed) {
            State::Start(start) => start.connector.connect(&start.host, start.pipe),
            State::Mid(mid) => mid.handshake(),
            State::Open(stream) => Ok(*stream),
            State::Failed => return Err(broken()),
        };
        match result {
            Ok(stream) => {
                self.state = State::Open(Box::new(stream));
                // RFC 9525 section 6.3: the common name of the subject, which OpenSSL looks at where there is no other
                // name, is not a host name.
                let certificate = self.peer().certificate;
                if self.named && !certificate.is_some_and(|certificate| der::has_dns_name(&certificate)) {
                    self.shutdown();
                    return Err(Fault::Verify(VerifyFault::WrongName));
                }
            }
            Err(HandshakeError::WouldBlock(mid)) => {
                self.state = State::Mid(Box::new(mid));
                return Ok(false);
            }
            Err(HandshakeError::Failure(error)) => return Err(self.failure(&error.to_string())),
        }
        Ok(true)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Got, Fault> {
        let State::Open(stream) = &mut self.state else {
            return Err(broken());
        };
        match stream.read(buffer) {
            Ok(0) => Ok(Got::Closed),
            Ok(n) => Ok(Got::Data(n)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Got::WantInput),
            Err(error) => Err(classify(&error.to_string())),
        }
    }

    fn write(&mut self, plaintext: &[u8]) -> Result<usize, Fault> {
        let State::Open(stream) = &mut self.state else {
            return Err(broken());
        };
        match stream.write(plaintext) {
            Ok(n) => Ok(n),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(classify(&error.to_string())),
        }
    }

    fn shutdown(&mut self) {
        if let State::Open(stream) = &mut self.state {
            // Nothing is lost where it fails: the connection is over either way.
            let _ = stream.shutdown();
        }
    }

    fn peer(&self) -> Peer {
        let State::Open(stream) = &self.state else {
            return Peer::default();
        };
        let certificate = stream.peer_certificate().ok().flatten();
        Peer {
            certificate: certificate.and_then(|c| c.to_der().ok()),
            verified: self.verify.then_some(Ok(())),
            ..Peer::default()
        }
    }

    fn bindings(&self) -> Vec<ChannelBinding> {
        let State::Open(stream) = &self.state else {
            return Vec::new();
        };
        let end_point = stream.tls_server_end_point().ok().flatten();
        end_point
            .map(|data| ChannelBinding { kind: BindingKind::TlsServerEndPoint, data })
            .into_iter()
            .collect()
    }
}

impl NativeConnection {
    fn failure(&self, text: &str) -> Fault {
        if self.verify && text.contains("certificate verify failed") {
            return Fault::Verify(verify_fault(text));
        }
        match classify(text) {
            Fault::Other(words) if self.old => Fault::Other(format!(
                "{words} (most systems have no TLS 1.0 and 1.1 but with the feature tls-openssl)"
            )),
            fault => fault,
        }
    }
}

fn broken() -> Fault {
    Fault::Other("it failed before".to_owned())
}

/// native-tls has no types for what went wrong, only OpenSSL's words for it.
fn verify_fault(text: &str) -> VerifyFault {
    let known = [
        ("certificate has expired", VerifyFault::Expired),
        ("not yet valid", VerifyFault::NotYetValid),
        ("ostname mismatch", VerifyFault::WrongName),
        ("address mismatch", VerifyFault::WrongName),
        // The root that the server sent along, and nobody here knows it.
        ("certificate in certificate chain", VerifyFault::UnknownIssuer),
        ("self-signed certificate", VerifyFault::SelfSigned),
        ("self signed certificate", VerifyFault::SelfSigned),
        ("issuer certificate", VerifyFault::UnknownIssuer),
        ("verify the first certificate", VerifyFault::UnknownIssuer),
        ("certificate revoked", VerifyFault::Revoked),
    ];
    match known.into_iter().find(|(words, _)| text.contains(words)) {
        Some((_, fault)) => fault,
        // OpenSSL's reason stands last, in parentheses.
        None => VerifyFault::Other(
            text.rsplit_once('(').map_or(text, |(_, t)| t.trim_end_matches(')')).to_owned(),
        ),
    }
}

fn classify(text: &str) -> Fault {
    let number = text.split_once("SSL alert number ").map(|(_, rest)| rest);
    let digits = number.map(|n| n.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
    match digits.and_then(|d| d.parse().ok()) {
        Some(alert) => Fault::Alert(alert),
        None => Fault::Other(reasons(text)),
    }
}

/// The readable part of OpenSSL's `error:0A000086:SSL routines:function:reason:file:line:`, several of which
/// are separated by commas. Words of another library are left alone.
fn reasons(text: &str) -> String {
    let reasons: Vec<_> = text.split("error:").filter_map(|e| e.split(':').nth(3)).collect();
    if text.starts_with("error:") && !reasons.is_empty() { reasons.join(", ") } else { text.to_owned() }
}

fn authorities(settings: &TlsSettings) -> Result<Vec<Certificate>, Error> {
    let mut all = Vec::new();
    for (origin, bytes) in files::authorities(settings)? {
        let found = if files::is_pem(&bytes) {
            Certificate::stack_from_pem(&bytes)
        } else {
            Certificate::from_der(&bytes).map(|certificate| vec![certificate])
        };
        let found = found.map_err(|error| format!("holds no certificate: {}", reasons(&error.to_string())));
        match found {
            Ok(found) if !found.is_empty() => all.extend(found),
            Ok(_) => return Err(origin.fault("holds no certificate")),
            Err(what) => return Err(origin.fault(&what)),
        }
    }
    Ok(all)
}

fn identity(settings: &TlsSettings) -> Result<Option<native_tls::Identity>, Error> {
    let (Some(identity), Some(cert_file)) = (Identity::load(settings)?, settings.cert_file.as_deref()) else {
        return Ok(None);
    };
    let parsed = match identity {
        Identity::Pkcs12(archive) => native_tls::Identity::from_pkcs12(&archive, files::password(settings)?)
            .map_err(|error| {
                (
                    "tlscertfile",
                    cert_file,
                    format!(
                        "is neither PEM nor a PKCS#12 archive that its password opens: {}",
                        reasons(&error.to_string())
                    ),
                )
            }),
        Identity::Pem { chain, key } => {
            let (option, file) = files::key_origin(settings, cert_file);
            match files::key_label(&key) {
                Some(("PRIVATE KEY", key)) => {
                    native_tls::Identity::from_pkcs8(&chain, key).map_err(|error| {
                        (
                            "tlscertfile",
                            cert_file,
                            format!("or its key does not parse: {}", reasons(&error.to_string())),
                        )
                    })
                }
                label => {
                    let label = label.map_or("key of another form", |(label, _)| label);
                    Err((
                        option,
                        file,
                        format!(
                            "holds an {label}, where a PKCS#8 key without a password is wanted: convert it with `openssl pkcs8 \
                         -topk8 -nocrypt`, or build with the feature tls-openssl"
                        ),
                    ))
                }
            }
        }
    };
    parsed.map(Some).map_err(|(option, file, what)| files::fault(option, file, &what))
}
