//! The private key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A key, and so the algorithm.
pub(super) enum Key {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// The octets of an Ed25519 key without any wrapping.
const SEED: usize = 32;

impl Key {
    /// From PEM (PKCS#8, PKCS#1), or the 32 octets of an Ed25519 key in base64. An error says what is wrong, and nothing of
    /// the key.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let has = |words: &[u8]| memchr::memmem::find(text, words).is_some();
        if has(b"-----BEGIN ENCRYPTED") || has(b"Proc-Type: 4,ENCRYPTED") {
            return Err("the key is encrypted: decrypt it with `openssl pkey`".to_owned());
        }
        if !has(b"-----BEGIN") {
            let seed = STANDARD.decode(text.trim_ascii()).map(Zeroizing::new).unwrap_or_default();
            if seed.len() != SEED {
                return Err(
                    "the key must be PEM (PKCS#8 or PKCS#1), or the 32 octets of an Ed25519 key in base64"
                        .to_owned(),
                );
            }
            let key = Ed25519KeyPair::from_seed_unchecked(&seed);
            return key.map(Self::Ed25519).map_err(|error| unusable(&error));
        }
        match PrivateKeyDer::from_pem_slice(text) {
            Ok(PrivateKeyDer::Pkcs1(der)) => {
                let key = RsaKeyPair::from_der(der.secret_pkcs1_der()).map_err(|error| unusable(&error))?;
                Ok(Self::Rsa(Box::new(key)))
            }
            Ok(PrivateKeyDer::Pkcs8(der)) => {
                let der = der.secret_pkcs8_der();
                if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                    return Ok(Self::Ed25519(key));
                }
                let key = RsaKeyPair::from_pkcs8(der).map_err(|error| unusable(&error))?;
                Ok(Self::Rsa(Box::new(key)))
            }
            _ => Err("the key must be an RSA or Ed25519 private key".to_owned()),
        }
    }

    /// The name of the algorithm in the signature.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa-sha256",
            Self::Ed25519(_) => "ed25519-sha256",
        }
    }

    /// The signature of `data`; `None` if the system gives no random numbers.
    pub(super) fn sign(&self, data: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature).ok()?;
                Some(signature)
            }
            // Over the digest, not over the data (RFC 8463 section 3).
            Self::Ed25519(key) => Some(key.sign(&Sha256::digest(data)).as_ref().to_vec()),
        }
    }
}

fn unusable(error: &ring::error::KeyRejected) -> String {
    match error.to_string().as_str() {
        "TooSmall" => {
            "the RSA key has fewer than 2048 bits, which many receivers no longer trust (RFC 8301): make a longer one"
                .to_owned()
        }
        "WrongAlgorithm" => "the key must be an RSA or Ed25519 private key".to_owned(),
        other => format!("the key cannot be used: {other}"),
    }
}
