//! Files that are written or replaced while connections are made.

use super::pki::{Spec, UNKNOWN};
use super::*;
use crate::error::Kind;
use ::openssl::ssl::SslVerifyMode;

fn verifies(config: &TlsConfig, issued: &Issued) -> bool {
    let mut server = Server::new(acceptor(issued).build());
    connect(config, "mx.example.org", Verify::Require, &mut server).1.is_ok()
}

#[test]
fn authorities_that_change_are_read_again() {
    let other = Spec::server().issue(Some(&UNKNOWN));
    let client = Client::new();
    client.each(|name, config| {
        client.folder.file("ca.pem", TRUSTED.cert_pem());
        assert!(verifies(&config, &GOOD) && !verifies(&config, &other), "{name}");
        assert!(!config.changed(), "{name}");
        client.folder.file("ca.pem", UNKNOWN.cert_pem());
        assert!(config.changed(), "{name}");
        assert!(!verifies(&config, &GOOD) && verifies(&config, &other), "{name}");
        assert!(!config.changed(), "{name}");
        std::fs::remove_file(client.folder.path().join("ca.pem")).unwrap();
        assert!(!config.changed() && verifies(&config, &other), "{name}");
        assert!(TlsConfig::new(client.settings.clone()).is_err(), "who begins now finds no file");
        client.folder.file("ca.pem", "nothing");
        let error = config.start("mx.example.org", Verify::Require).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{name}: {error}");
        assert!(error.text().contains("tlscafile"), "{name}: {error}");
    });
}

#[test]
fn a_client_certificate_that_is_replaced_is_the_next_one_shown() {
    let mut client = Client::new();
    let folder_file = |name: &str, content: &[u8]| client.folder.file(name, content);
    let first = Spec::server().issue(Some(&TRUSTED));
    client.settings.cert_file = Some(folder_file("cert.pem", &first.cert_pem()));
    client.settings.key_file = Some(folder_file("key.pem", &first.key_pem()));
    client.each(|name, config| {
        let shown = || {
            let mut asking = acceptor(&GOOD);
            asking.cert_store_mut().add_cert(TRUSTED.cert.clone()).unwrap();
            asking.set_verify(SslVerifyMode::PEER);
            let mut server = Server::new(asking.build());
            open(&config, &mut server);
            server.stream.ssl().peer_certificate().unwrap().to_der().unwrap()
        };
        for _ in 0..2 {
            let issued = Spec::server().issue(Some(&TRUSTED));
            // As tools that renew certificates do it: another file takes the name.
            for (file, pem) in [("cert.pem", issued.cert_pem()), ("key.pem", issued.key_pem())] {
                let new = client.folder.file("new", pem);
                std::fs::rename(new, client.folder.path().join(file)).unwrap();
            }
            assert_eq!(shown(), issued.cert.to_der().unwrap(), "{name}");
        }
        // Between the two of a pair neither the old nor the new one can be shown.
        client.folder.file("key.pem", first.key_pem());
        let error = config.start("mx.example.org", Verify::Require).unwrap_err();
        assert!(error.text().contains("does not go with its key"), "{name}: {error}");
    });
}
