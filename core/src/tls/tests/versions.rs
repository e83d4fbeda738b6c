//! Protocol versions and channel bindings.

use super::*;
use crate::error::Kind;
use crate::sasl::{BindingKind, ChannelBinding};

#[test]
fn the_lowest_version_is_kept() {
    let mut client = Client::new();
    for (min, server, fits) in [
        (TlsVersion::Tls12, SslVersion::TLS1_2, true),
        (TlsVersion::Tls12, SslVersion::TLS1_3, true),
        (TlsVersion::Tls13, SslVersion::TLS1_3, true),
        (TlsVersion::Tls13, SslVersion::TLS1_2, false),
        (TlsVersion::Tls12, SslVersion::TLS1_1, false),
        (TlsVersion::Tls12, SslVersion::TLS1, false),
    ] {
        client.settings.min_version = min;
        client.each(|name, config| {
            let mut server = Server::new(acceptor_of(&GOOD, server).build());
            let (client, result) = connect(&config, "mx.example.org", Verify::Report, &mut server);
            assert_eq!(client.handshake_done(), fits, "{name} {min:?}");
            if let Err(error) = result {
                let text = error.text();
                assert!(text.contains("tlsminversion") || text.contains("TLS handshake failed"), "{text}");
            }
        });
    }
}

#[test]
fn old_versions_are_spoken_by_name_or_refused_in_words() {
    let mut client = Client::new();
    for (min, version, word) in
        [(TlsVersion::Tls10, SslVersion::TLS1, "TLSv1"), (TlsVersion::Tls11, SslVersion::TLS1_1, "TLSv1.1")]
    {
        client.settings.min_version = min;
        for (name, config) in client.configs() {
            let config = match config {
                Ok(config) => config,
                Err(error) => {
                    assert!(name == "rustls" && error.kind() == Kind::Usage, "{name}: {error}");
                    assert!(error.text().starts_with("tlsminversion: rustls has no"), "{error}");
                    continue;
                }
            };
            let mut server = Server::new(acceptor_of(&GOOD, version).build());
            let (client, result) = connect(&config, "mx.example.org", Verify::Require, &mut server);
            match result {
                Ok(()) if name == "openssl" => {
                    assert_eq!(client.facts().version.as_deref(), Some(word))
                }
                Ok(()) => assert!(client.facts().verified),
                Err(error) => {
                    assert!(name == "native-tls" && error.text().contains("tls-openssl"), "{error}")
                }
            }
        }
    }
}

#[test]
fn bindings_are_those_of_the_server() {
    Client::new().each(|name, config| {
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            let mut server = Server::new(acceptor_of(&GOOD, version).build());
            let client = open(&config, &mut server);
            let ssl = server.stream.ssl();
            let mut exporter = vec![0; 32];
            ssl.export_keying_material(&mut exporter, "EXPORTER-Channel-Binding", Some(b"")).unwrap();
            assert!(version == SslVersion::TLS1_3 || ssl.extms_support() == Some(true));
            let mut unique = vec![0; 12];
            ssl.peer_finished(&mut unique);
            let end_point = GOOD.cert.digest(::openssl::hash::MessageDigest::sha256()).unwrap().to_vec();
            let mut wanted = vec![
                (BindingKind::TlsExporter, exporter),
                (BindingKind::TlsUnique, unique),
                (BindingKind::TlsServerEndPoint, end_point),
            ];
            wanted.retain(|(binding, _)| match binding {
                // RFC 9266 section 3.
                BindingKind::TlsExporter => tells(name) && version == SslVersion::TLS1_3,
                BindingKind::TlsUnique => name == "openssl" && version == SslVersion::TLS1_2,
                BindingKind::TlsServerEndPoint => true,
            });
            let wanted: Vec<_> =
                wanted.into_iter().map(|(kind, data)| ChannelBinding { kind, data }).collect();
            assert_eq!(client.bindings(), wanted, "{name} {version:?}");
        }
    });
}

#[test]
fn without_the_extended_master_secret_the_finished_message_binds_nothing() {
    Client::new().each(|name, config| {
        let mut acceptor = acceptor_of(&GOOD, SslVersion::TLS1_2);
        // SSL_OP_NO_EXTENDED_MASTER_SECRET.
        acceptor.set_options(SslOptions::from_bits_retain(1));
        let client = open(&config, &mut Server::new(acceptor.build()));
        let kinds: Vec<_> = client.bindings().iter().map(|binding| binding.kind).collect();
        assert_eq!(kinds, [BindingKind::TlsServerEndPoint], "{name}");
    });
}
