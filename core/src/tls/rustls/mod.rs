//! rustls with ring: the same on every platform; of the system it uses only the list of authorities.

mod certificate;
mod identity;
mod setup;
mod trust;

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use ::rustls::client::Resumption;
use ::rustls::crypto::CryptoProvider;
use ::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use ::rustls::{
    CertificateError, ClientConfig, ClientConnection, HandshakeKind, KeyLog, ProtocolVersion,
    SupportedProtocolVersion,
};

use self::trust::{Judge, Refused, Trusted};
use super::fault::{Fault, tls};
use super::host::Host;
use super::pipe::Pipe;
use super::{Backend, Connection, Got, Library, Peer, TlsSettings};
use crate::error::Error;
use crate::sasl::{BindingKind, ChannelBinding};

pub(super) const LIBRARY: Library = Library { name: "rustls", make: backend };

/// Servers whose sessions are kept; of each, rustls keeps the last eight tickets of TLS 1.3.
const MOST_HOSTS: usize = 256;

fn backend(settings: &TlsSettings) -> Result<Box<dyn Backend>, Error> {
    let versions = setup::versions(settings)?;
    let provider = Arc::new(setup::provider(settings)?);
    let trusted = Trusted::load(settings)?;
    let identity = identity::load(settings, &provider)?;
    let key_log = setup::key_log(settings)?;
    Ok(Box::new(Rustls { versions, provider, trusted, identity, key_log, ready: OnceLock::new() }))
}

struct Rustls {
    versions: Vec<&'static SupportedProtocolVersion>,
    provider: Arc<CryptoProvider>,
    trusted: Trusted,
    identity: identity::Resolver,
    key_log: Option<Arc<dyn KeyLog>>,
    ready: OnceLock<Ready>,
}

/// What is made when the system's authorities are needed: reading them takes milliseconds.
struct Ready {
    judge: Arc<Judge>,
    /// For connections that must verify.
    requiring: Arc<ClientConfig>,
    /// For those that need not. Each has its own sessions: one lends no trust to the other.
    reporting: Arc<ClientConfig>,
}

impl Rustls {
    fn ready(&self) -> Result<&Ready, ::rustls::Error> {
        if self.ready.get().is_none() {
            // Where two threads make it at once, the first counts. Nobody waits, in a forked child perhaps for ever.
            let _ = self.ready.set(self.make()?);
        }
        self.ready.get().ok_or_else(|| ::rustls::Error::General("it was not kept".to_owned()))
    }

    fn make(&self) -> Result<Ready, ::rustls::Error> {
        let judge = Arc::new(Judge::new(&self.trusted, &self.provider)?);
        let requiring = Arc::new(self.config(Arc::clone(&judge) as _)?);
        let reporting = Arc::new(self.config(Arc::new(judge.lenient()))?);
        Ok(Ready { judge, requiring, reporting })
    }

    fn config(
        &self,
        judge: Arc<dyn ::rustls::client::danger::ServerCertVerifier>,
    ) -> Result<ClientConfig, ::rustls::Error> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&self.versions)?
            .dangerous()
            .with_custom_certificate_verifier(judge);
        let mut config = match &self.identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::clone(identity)),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::in_memory_sessions(MOST_HOSTS);
        if let Some(key_log) = &self.key_log {
            config.key_log = Arc::clone(key_log);
        }
        Ok(config)
    }

    fn begin(&self, host: &Host, verify: bool, pipe: Pipe) -> Result<RustlsConnection, ::rustls::Error> {
        let ready = self.ready()?;
        let config = if verify { &ready.requiring } else { &ready.reporting };
        let name = ServerName::try_from(host.as_str().to_owned())
            .map_err(|_| ::rustls::Error::General(format!("the name {:?} cannot be used", host.as_str())))?;
        Ok(RustlsConnection {
            connection: ClientConnection::new(Arc::clone(config), name.clone())?,
            pipe,
            name,
            judge: Arc::clone(&ready.judge),
            verify,
            refused: None,
            unread: 0,
            ended: false,
            broken: None,
        })
    }
}

impl Backend for Rustls {
    fn prepare(&self, _: bool) {
        // What fails here fails where it is needed, too, and is told there.
        let _ = self.ready();
    }

    fn connect(&self, host: &Host, verify: bool, pipe: Pipe) -> Result<Box<dyn Connection>, Error> {
        match self.begin(host, verify, pipe) {
            Ok(link) => Ok(Box::new(link)),
            Err(error) => Err(tls(format!("the TLS library cannot be set up: {error}"))),
        }
    }

    fn sources(&self) -> Vec<PathBuf> {
        self.trusted.sources()
    }
}

struct RustlsConnection {
    connection: ClientConnection,
    pipe: Pipe,
    name: ServerName<'static>,
    judge: Arc<Judge>,
    verify: bool,
    /// The certificate that ended the handshake.
    refused: Option<Refused>,
    /// Octets that are decrypted and not read yet.
    unread: usize,
    /// close_notify follows them.
    ended: bool,
    /// What is told when they are.
    broken: Option<Fault>,
}

impl RustlsConnection {
    /// Takes some ciphertext, and answers what there is to answer. What came before a record that is forged is still read.
    fn take(&mut self) {
        let taken = self.connection.read_tls(&mut self.pipe);
        let fault = match taken {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(Fault::Other(error.to_string())),
            Ok(_) => match self.connection.process_new_packets() {
                Ok(state) => {
                    self.unread = state.plaintext_bytes_to_read();
                    self.ended = state.peer_has_closed();
                    None
                }
                Err(error) => Some(self.classify(&error)),
            },
        };
        self.broken = self.broken.take().or(fault);
        self.flush();
    }

    fn flush(&mut self) {
        while self.connection.wants_write() {
            // The pipe takes everything.
            if self.connection.write_tls(&mut self.pipe).is_err() {
                break;
            }
        }
    }

    fn classify(&mut self, error: &::rustls::Error) -> Fault {
        match error {
            ::rustls::Error::AlertReceived(alert) => Fault::Alert((*alert).into()),
            ::rustls::Error::InvalidCertificate(CertificateError::Other(other))
                if let Some(refused) = other.0.downcast_ref::<Refused>() =>
            {
                self.refused = Some(refused.clone());
                Fault::Verify(refused.fault.clone())
            }
            error => Fault::Other(error.to_string()),
        }
    }

    fn chain(&self) -> &[CertificateDer<'static>] {
        self.connection.peer_certificates().unwrap_or_default()
    }
}

impl Connection for RustlsConnection {
    fn handshake(&mut self) -> Result<bool, Fault> {
        self.flush();
        while self.connection.is_handshaking() && self.broken.is_none() && self.pipe.has_input() {
            self.take();
        }
        match self.broken.take() {
            // What follows a handshake that is over is told when it is read.
            fault if !self.connection.is_handshaking() => self.broken = fault,
            Some(fault) => return Err(fault),
            None => {}
        }
        Ok(!self.connection.is_handshaking())
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Got, Fault> {
        loop {
            match self.connection.reader().read(buffer) {
                Ok(0) => return Ok(Got::Closed),
                Ok(n) => {
                    self.unread = self.unread.saturating_sub(n);
                    return Ok(Got::Data(n));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(Fault::Other(error.to_string())),
            }
            if let Some(fault) = self.broken.take() {
                return Err(fault);
            }
            if !self.pipe.has_input() {
                return Ok(Got::WantInput);
            }
            self.take();
        }
    }

    fn is_drained(&self) -> bool {
        self.unread == 0 && !self.ended && self.broken.is_none() && !self.pipe.has_input()
    }

    fn write(&mut self, plaintext: &[u8]) -> Result<usize, Fault> {
        let written = self.connection.writer().write(plaintext);
        self.flush();
        written.map_err(|error| Fault::Other(error.to_string()))
    }

    fn shutdown(&mut self) {
        self.connection.send_close_notify();
        self.flush();
    }

    fn peer(&self) -> Peer {
        let (certificate, verified) = match (&self.refused, self.chain()) {
            (Some(refused), _) => (&refused.certificate, Err(refused.fault.clone())),
            (None, [first, rest @ ..]) => {
                // Also where a session is resumed: it has the certificates of the handshake that it comes from.
                let judged = match self.verify {
                    true => Ok(()),
                    false => self.judge.judge(first, rest, &self.name, &[], UnixTime::now()),
                };
                (first, judged)
            }
            (None, []) => return Peer::default(),
        };
        let [issuer, subject] = certificate::names(certificate);
        Peer {
            verified: Some(verified),
            resumed: self.connection.handshake_kind() == Some(HandshakeKind::Resumed),
            version: self.connection.protocol_version().map(setup::version_name),
            cipher: self.connection.negotiated_cipher_suite().map(|suite| setup::cipher_name(suite.suite())),
            subject,
            issuer,
            certificate: Some(certificate.to_vec()),
        }
    }

    /// RFC 9266 section 3 has tls-exporter from TLS 1.3 on; rustls tells of no Finished message for tls-unique.
    fn bindings(&self) -> Vec<ChannelBinding> {
        let exporter = || {
            let output = [0_u8; 32];
            self.connection.export_keying_material(output, b"EXPORTER-Channel-Binding", Some(b"")).ok()
        };
        let is_new = self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let exporter = is_new
            .then(exporter)
            .flatten()
            .map(|data| ChannelBinding { kind: BindingKind::TlsExporter, data: data.to_vec() });
        let end_point = self.chain().first().and_then(|first| certificate::end_point(first));
        let end_point = end_point.map(|data| ChannelBinding { kind: BindingKind::TlsServerEndPoint, data });
        exporter.into_iter().chain(end_point).collect()
    }
}
