//! Client certificates, and the files that settings name.

use ::openssl::pkcs12::Pkcs12;
use ::openssl::pkey::PKey;
use ::openssl::rsa::Rsa;
use ::openssl::ssl::SslVerifyMode;
use ::openssl::stack::Stack;
use ::openssl::symm::Cipher;
use ::openssl::x509::store::X509StoreBuilder;

use super::pki::{Spec, UNKNOWN};
use super::*;
use crate::error::Kind;
use crate::secret::Secret;

/// A server that wants a certificate of the test authority.
fn asking(version: SslVersion) -> Server {
    let mut acceptor = acceptor_of(&GOOD, version);
    let mut store = X509StoreBuilder::new().unwrap();
    store.add_cert(TRUSTED.cert.clone()).unwrap();
    acceptor.set_verify_cert_store(store.build()).unwrap();
    acceptor.add_client_ca(&TRUSTED.cert).unwrap();
    acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    Server::new(acceptor.build())
}

const VERSIONS: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];

fn accepted(client: &Client) {
    client.each(|_, config| VERSIONS.into_iter().for_each(|version| accepts(&config, version)));
}

fn accepts(config: &TlsConfig, version: SslVersion) {
    let mut server = asking(version);
    let mut client = open(config, &mut server);
    client.write(b"EHLO").unwrap();
    pump(&mut client, &mut server, 7).unwrap();
    assert_eq!(server.got, b"EHLO");
}

fn refused(client: &Client, words: &str) {
    client.each(|name, config| {
        for version in VERSIONS {
            let mut server = asking(version);
            let (mut client, result) = connect(&config, "mx.example.org", Verify::Require, &mut server);
            // TLS 1.3: the server judges after the client is done.
            let error = result.and_then(|()| client.read(&mut vec![]).map(drop)).unwrap_err();
            assert!(error.text().contains(words), "{name} {version:?} {error}");
            assert_eq!(error.kind(), Kind::Tls);
        }
    });
}

fn own() -> Issued {
    Spec::server().issue(Some(&TRUSTED))
}

#[test]
fn a_certificate_that_is_wanted_and_missing_is_asked_for() {
    refused(&Client::new(), "set tlscertfile and tlskeyfile");
}

#[test]
fn a_refused_certificate_is_named() {
    let mut client = Client::new();
    let own = Spec::server().issue(Some(&UNKNOWN));
    client.settings.cert_file = Some(client.folder.file("cert.pem", own.cert_pem()));
    client.settings.key_file = Some(client.folder.file("key.pem", own.key_pem()));
    // Whether a library sends a certificate that the server's list of authorities does not fit is its own affair.
    refused(&client, "tlscertfile");
}

#[test]
fn pem_in_two_files_or_one_with_text_before() {
    let (mut client, own) = (Client::new(), own());
    client.settings.cert_file = Some(client.folder.file("cert.pem", own.cert_pem()));
    client.settings.key_file =
        Some(client.folder.file("key.pem", [b"Bag Attributes\n", &own.key_pem()[..]].concat()));
    accepted(&client);
    client.settings.cert_file =
        Some(client.folder.file("both.pem", [own.cert_pem(), own.key_pem()].concat()));
    client.settings.key_file = None;
    accepted(&client);
}

#[test]
fn pkcs12_with_its_chain() {
    let mut client = Client::new();
    let middle = Spec::authority("Middle").issue(Some(&TRUSTED));
    let lower = Spec::authority("Lower").issue(Some(&middle));
    let own = Spec::server().issue(Some(&lower));
    let mut chain = Stack::new().unwrap();
    chain.push(lower.cert).unwrap();
    chain.push(middle.cert).unwrap();
    let archive = Pkcs12::builder().pkey(&own.key).cert(&own.cert).ca(chain).build2("hunter2").unwrap();
    client.settings.cert_file = Some(client.folder.file("own.p12", archive.to_der().unwrap()));
    client.settings.key_password = Some("hunter2".into());
    for (name, config) in client.configs() {
        match (name, config) {
            ("rustls", config) => {
                let error = config.unwrap_err();
                assert_eq!(error.kind(), Kind::Usage);
                assert!(error.text().contains("rustls reads no PKCS#12"), "{error}");
            }
            (_, config) => {
                let config = config.unwrap();
                VERSIONS.into_iter().for_each(|version| accepts(&config, version));
            }
        }
    }
    for (password, words) in [("hunter3", "PKCS#12"), ("", "PKCS#12"), ("hunter2\0", "NUL")] {
        client.settings.key_password = Some(password.into());
        for (name, config) in client.configs().into_iter().filter(|(name, _)| name != &"rustls") {
            let error = config.unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.text().contains(words) && !error.text().contains("hunter"), "{name}: {error}");
        }
    }
}

#[test]
fn keys_of_every_form() {
    let rsa = Rsa::generate(2048).unwrap();
    let of_rsa = Spec { key: PKey::from_rsa(rsa.clone()).unwrap(), ..Spec::server() }.issue(Some(&TRUSTED));
    let of_ec = own();
    let aes = Cipher::aes_256_cbc();
    let sec1 = of_ec.key.ec_key().unwrap();
    let forms = [
        (&of_rsa, rsa.private_key_to_pem().unwrap(), "RSA PRIVATE KEY", false),
        (&of_ec, sec1.private_key_to_pem().unwrap(), "EC PRIVATE KEY", false),
        (&of_rsa, rsa.private_key_to_pem_passphrase(aes, b"hunter2").unwrap(), "RSA PRIVATE KEY", true),
        (
            &of_ec,
            of_ec.key.private_key_to_pem_pkcs8_passphrase(aes, b"hunter2").unwrap(),
            "ENCRYPTED PRIVATE KEY",
            true,
        ),
    ];
    for (own, pem, label, encrypted) in forms {
        let mut client = Client::new();
        client.settings.cert_file = Some(client.folder.file("cert.pem", own.cert_pem()));
        client.settings.key_file = Some(client.folder.file("key.pem", pem));
        client.settings.key_password = encrypted.then(|| "hunter2".into());
        for (name, config) in client.configs() {
            match (name, config) {
                (name, config) if name == "native-tls" || name == "rustls" && encrypted => {
                    let error = config.unwrap_err();
                    assert_eq!(error.kind(), Kind::Usage);
                    assert!(error.text().contains(label) && error.text().contains("key.pem"), "{error}");
                }
                (_, config) => drop(open(&config.unwrap(), &mut asking(SslVersion::TLS1_3))),
            }
        }
        if encrypted {
            for password in [None, Some(""), Some("hunter3"), Some("\0"), Some(&*"x".repeat(5000))] {
                client.settings.key_password = password.map(Secret::from);
                wrong(&client, &["tlskeyfile", "key.pem"]);
            }
        }
    }
}

/// Every library says so before any connection.
fn wrong(client: &Client, words: &[&str]) {
    for (name, config) in client.configs() {
        let error = config.unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        for word in words {
            assert!(error.text().contains(word), "{name}: {error} lacks {word}");
        }
        assert!(!error.text().contains("hunter"), "{error}");
    }
}

#[test]
fn files_that_do_not_serve_are_named() {
    let own = own();
    let set = |cert: Option<&[u8]>, key: Option<&[u8]>| {
        let mut client = Client::new();
        client.settings.cert_file = cert.map(|c| client.folder.file("cert.pem", c));
        client.settings.key_file = key.map(|k| client.folder.file("key.pem", k));
        client
    };
    let (cert, key) = (own.cert_pem(), own.key_pem());
    let broken = b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
    wrong(&set(None, Some(&key)), &["tlskeyfile", "key.pem", "tlscertfile is missing"]);
    wrong(&set(Some(&cert), None), &["tlscertfile", "cert.pem", "tlskeyfile"]);
    wrong(&set(Some(&cert), Some(&cert)), &["tlskeyfile", "key.pem", "no private key"]);
    wrong(&set(Some(&cert), Some(broken)), &["file"]);
    wrong(&set(Some(&cert), Some(&GOOD.key_pem())), &["tlscertfile", "cert.pem", "does not go with its key"]);
    wrong(&set(Some(&key), Some(&key)), &["tlscertfile", "cert.pem"]);
    wrong(&set(Some(b""), None), &["tlscertfile", "cert.pem"]);
    wrong(&set(Some(b"junk"), Some(&key)), &["tlscertfile", "cert.pem"]);

    for junk in [&b""[..], b"junk", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", broken]
    {
        let mut client = Client::new();
        client.settings.ca_file = Some(client.folder.file("ca.pem", junk));
        wrong(&client, &["tlscafile", "ca.pem"]);
    }
    for option in ["tlscafile", "tlscertfile", "tlskeyfile"] {
        let mut client = set(Some(&cert), Some(&key));
        let settings = &mut client.settings;
        let file = match option {
            "tlscafile" => &mut settings.ca_file,
            "tlscertfile" => &mut settings.cert_file,
            _ => &mut settings.key_file,
        };
        *file = Some(client.folder.path().join("missing.pem"));
        wrong(&client, &[option, "missing.pem", "cannot be read"]);
    }
}

#[test]
fn an_authority_may_be_in_der() {
    let mut client = Client::new();
    client.settings.ca_file = Some(client.folder.file("ca.der", TRUSTED.cert.to_der().unwrap()));
    client.each(|_, config| drop(open(&config, &mut Server::good())));
}
