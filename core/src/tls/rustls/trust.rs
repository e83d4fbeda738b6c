//! Whom a connection trusts, and what is said of a certificate that it does not, by rustls.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ::rustls::client::WebPkiServerVerifier;
use ::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use ::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use ::rustls::pki_types::pem::PemObject;
use ::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use ::rustls::server::ParsedCertificate;
use ::rustls::{
    CertificateError, DigitallySignedStruct, Error as Words, OtherError, RootCertStore, SignatureScheme,
};

use super::certificate;
use crate::error::Error;
use crate::system::Places;
use crate::tls::{TlsSettings, Trust, VerifyFault, files};

/// The caller's own authorities, and where the system's are.
pub(super) struct Trusted {
    given: Vec<CertificateDer<'static>>,
    /// `None`: those of the system are not trusted.
    system: Option<Places>,
}

impl Trusted {
    pub(super) fn load(settings: &TlsSettings) -> Result<Self, Error> {
        let mut given = Vec::new();
        for (origin, bytes) in files::authorities(settings)? {
            let found = if files::is_pem(&bytes) {
                CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>()
            } else {
                Ok(vec![CertificateDer::from(bytes.into_owned())])
            };
            let found = found.map_err(|error| origin.fault(&format!("holds no certificate: {error}")))?;
            if found.is_empty() {
                return Err(origin.fault("holds no certificate"));
            }
            for certificate in &found {
                let added = RootCertStore::empty().add(certificate.clone());
                added.map_err(|error| origin.fault(&format!("holds no certificate: {error}")))?;
            }
            given.extend(found);
        }
        let system = (settings.trust != Trust::Given).then(Places::find);
        Ok(Self { given, system })
    }

    /// Where the system's authorities are read from.
    pub(super) fn sources(&self) -> Vec<PathBuf> {
        let system = self.system.iter();
        system.flat_map(|places| places.file.iter().chain(&places.folders)).cloned().collect()
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Words> {
        match &self.system {
            Some(places) => system_verifier(places, &self.given, provider),
            None => among(self.given.iter().cloned(), provider),
        }
    }
}

/// A verifier that trusts these, and nobody else.
fn among(
    authorities: impl Iterator<Item = CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Words> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities);
    if roots.is_empty() {
        return Ok(Arc::new(Nobody));
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    Ok(verifier.map_err(|error| Words::General(error.to_string()))?)
}

/// The system itself verifies, and knows what it takes back.
#[cfg(any(windows, target_vendor = "apple"))]
fn system_verifier(
    _: &Places,
    given: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Words> {
    use rustls_platform_verifier::Verifier;
    Ok(if given.is_empty() {
        Arc::new(Verifier::new(Arc::clone(provider))?)
    } else {
        Arc::new(Verifier::new_with_extra_roots(given.iter().cloned(), Arc::clone(provider))?)
    })
}

/// These systems have files.
#[cfg(not(any(windows, target_vendor = "apple")))]
fn system_verifier(
    places: &Places,
    given: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Words> {
    let load = |file, folder| rustls_native_certs::load_certs_from_paths(file, folder).certs;
    // A system without authorities trusts nobody; that shows when a certificate is to be verified.
    let mut system = load(places.file.as_deref(), None);
    let is_enough = !system.is_empty() && !places.file_is_chosen;
    for folder in places.folders.iter().filter(|folder| !is_enough || !is_beside(folder, places)) {
        system.extend(load(None, Some(folder)));
    }
    among(given.iter().cloned().chain(system), provider)
}

/// What the folder holds one by one is in the file, too.
#[cfg(not(any(windows, target_vendor = "apple")))]
fn is_beside(folder: &std::path::Path, places: &Places) -> bool {
    places.file.as_deref().and_then(std::path::Path::parent) == Some(folder)
}

/// A verifier without authorities, which rustls makes none of.
#[derive(Debug)]
struct Nobody;

impl ServerCertVerifier for Nobody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Words> {
        Err(Words::InvalidCertificate(CertificateError::UnknownIssuer))
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Words> {
        Err(Words::InvalidCertificate(CertificateError::BadSignature))
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Words> {
        Err(Words::InvalidCertificate(CertificateError::BadSignature))
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Vec::new()
    }
}

/// Says what is wrong with a certificate. One for all connections that are alike: rustls resumes no session that another
/// verifier has seen.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    verifier: Arc<dyn ServerCertVerifier>,
    /// The caller's own authorities.
    given: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    verify: bool,
}

impl Judge {
    pub(super) fn new(trusted: &Trusted, provider: &Arc<CryptoProvider>) -> Result<Self, Words> {
        let verifier = trusted.verifier(provider)?;
        Ok(Self { verifier, given: trusted.given.clone(), provider: Arc::clone(provider), verify: true })
    }

    /// One that lets every certificate pass. That the server has its key is verified all the same.
    pub(super) fn lenient(&self) -> Self {
        Self { verify: false, ..self.clone() }
    }

    pub(super) fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<(), VerifyFault> {
        let verified = self
            .verifier
            .verify_server_cert(certificate, chain, name, ocsp, now)
            // RFC 9525 section 6.3: a system may still look at the common name of the subject, which is not a host name.
            .and_then(|_| {
                let parsed = ParsedCertificate::try_from(certificate)?;
                ::rustls::client::verify_server_name(&parsed, name)
            });
        verified.map_err(|error| match fault(&error, certificate) {
            VerifyFault::SelfSigned if self.given.contains(certificate) => VerifyFault::Other(
                "it is an authority's own, which rustls does not take for a server's".to_owned(),
            ),
            fault => fault,
        })
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Words> {
        if self.verify
            && let Err(fault) = self.judge(certificate, chain, name, ocsp, now)
        {
            let refused = Refused { certificate: certificate.clone().into_owned(), fault };
            return Err(Words::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused)))));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Words> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Words> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A certificate that ended a handshake, and why. It travels through rustls as an error, which keeps no certificate that it
/// did not take.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) fault: VerifyFault,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for Refused {}

fn fault(error: &Words, certificate: &CertificateDer<'_>) -> VerifyFault {
    use CertificateError as Wrong;
    let Words::InvalidCertificate(wrong) = error else { return VerifyFault::Other(error.to_string()) };
    match wrong {
        Wrong::Expired | Wrong::ExpiredContext { .. } => VerifyFault::Expired,
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => VerifyFault::NotYetValid,
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => VerifyFault::WrongName,
        Wrong::Revoked => VerifyFault::Revoked,
        Wrong::UnknownIssuer if certificate::is_self_issued(certificate) => VerifyFault::SelfSigned,
        Wrong::UnknownIssuer => VerifyFault::UnknownIssuer,
        // An authority's own certificate: webpki has a word for it that rustls has not.
        Wrong::Other(_) if certificate::is_self_issued(certificate) => VerifyFault::SelfSigned,
        other => VerifyFault::Other(other.to_string()),
    }
}
