//! TLS of a sink, by rustls.

use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::Socket;

use super::Certificate;

/// What connections are made with, and the certificate that a client trusts them by.
pub(super) struct Acceptor {
    config: Arc<ServerConfig>,
    pub(super) authority: String,
}

pub(super) struct Secured(StreamOwned<ServerConnection, Socket>);

pub(super) fn acceptor(certificate: &Certificate) -> io::Result<Acceptor> {
    let (chain, key, authority) = match certificate {
        Certificate::Files(chain, key) => {
            (std::fs::read(chain)?, std::fs::read(key)?, std::fs::read_to_string(chain)?)
        }
        Certificate::Made => made().map_err(io::Error::other)?,
    };
    let chain =
        CertificateDer::pem_slice_iter(&chain).collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(io::Error::other)?;
    Ok(Acceptor { config: Arc::new(config), authority })
}

/// A chain and a key, in PEM, for this machine by its names, and the authority that signed it and nothing else.
fn made() -> Result<(Vec<u8>, Vec<u8>, String), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "the authority of one test server");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let names = vec!["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string(), "::1".to_owned()];
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "localhost");
    // Python 3.13 verifies strictly (RFC 5280 section 4.2.1.1).
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &authority)?;
    Ok((certificate.pem().into_bytes(), key.serialize_pem().into_bytes(), authority.pem()))
}

pub(super) fn accept(acceptor: &Acceptor, socket: Socket) -> io::Result<Secured> {
    let connection = ServerConnection::new(Arc::clone(&acceptor.config)).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(Secured(stream))
}

impl Secured {
    pub(super) fn socket(&self) -> &Socket {
        &self.0.sock
    }

    pub(super) fn shutdown(&mut self) -> io::Result<()> {
        self.0.conn.send_close_notify();
        self.0.flush()
    }
}

impl Read for Secured {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Secured {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
