//! The client's own certificate and key, by OpenSSL.

use ::openssl::error::ErrorStack;
use ::openssl::pkcs12::Pkcs12;
use ::openssl::pkey::{PKey, Private};
use ::openssl::ssl::SslContextBuilder;
use ::openssl::x509::X509;

use super::files::{self, Identity};
use super::openssl::reasons;
use super::settings::TlsSettings;
use crate::error::Error;

pub(super) struct ClientIdentity {
    certificate: X509,
    key: PKey<Private>,
    /// From the issuer of the certificate upwards.
    chain: Vec<X509>,
}

impl ClientIdentity {
    pub(super) fn load(settings: &TlsSettings) -> Result<Option<Self>, Error> {
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

    pub(super) fn apply(&self, builder: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        builder.set_certificate(&self.certificate)?;
        builder.set_private_key(&self.key)?;
        self.chain.iter().try_for_each(|certificate| builder.add_extra_chain_cert(certificate.clone()))
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
    key.map_err(|stack| match (files::is_encrypted(pem), password.is_empty()) {
        (true, true) => "is encrypted, and no password is given for it".to_owned(),
        (true, false) => format!("is not opened by the password given: {}", reasons(&stack)),
        _ => format!("holds no usable private key: {}", reasons(&stack)),
    })
}
