//! Whom to trust, which versions and ciphers to speak, which name to ask for, and where keys are written.

use super::pki::UNKNOWN;
use super::*;
use crate::error::Kind;

#[test]
fn authorities_may_come_from_memory_and_be_the_only_ones() {
    for der in [false, true] {
        let mut client = Client::new();
        client.settings.ca_file = None;
        client.settings.ca = Some(if der { TRUSTED.cert.to_der().unwrap() } else { TRUSTED.cert_pem() });
        for trust in [Trust::Both, Trust::Given] {
            client.settings.trust = trust;
            client.each(|_, config| {
                open(&config, &mut Server::good());
            });
        }
    }
    let mut client = Client::new();
    client.settings.ca = Some(UNKNOWN.cert_pem());
    client.each(|_, config| {
        open(&config, &mut Server::good());
    });
    client.settings.ca = Some(b"-----BEGIN CERTIFICATE-----".to_vec());
    for (name, config) in client.configs() {
        let error = config.unwrap_err();
        assert!(error.text().starts_with("tlsca: holds no certificate"), "{name}: {error}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    type Change = fn(&mut TlsSettings);
    let changes: [(Change, &str); 5] = [
        (|s| (s.trust, s.ca_file) = (Trust::Given, None), "tlstrust `given`"),
        (|s| s.trust = Trust::System, "tlstrust `system`"),
        (|s| (s.min_version, s.max_version) = (TlsVersion::Tls13, Some(TlsVersion::Tls12)), "tlsmaxversion"),
        (|s| s.server_name = Some("a b".into()), "tlsservername"),
        (|s| s.ciphers = Some("NO-SUCH-CIPHER".into()), "tlsciphers"),
    ];
    for (change, words) in changes {
        let mut client = Client::new();
        change(&mut client.settings);
        for (name, config) in client.configs() {
            let error = config.unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{name}: {error}");
            assert!(error.text().contains(words), "{name}: {error}");
        }
    }
}

#[test]
fn the_highest_version_is_kept() {
    let mut client = Client::new();
    client.settings.max_version = Some(TlsVersion::Tls12);
    client.each(|name, config| {
        let mut server = Server::good();
        open(&config, &mut server);
        assert_eq!(server.stream.ssl().version_str(), "TLSv1.2", "{name}");
        let mut server = Server::new(acceptor_of(&GOOD, SslVersion::TLS1_3).build());
        let (_, result) = connect(&config, "mx.example.org", Verify::Require, &mut server);
        assert!(result.is_err(), "{name}");
    });
}

#[test]
fn another_name_is_asked_for_and_verified() {
    let mut client = Client::new();
    client.settings.server_name = Some("MX.example.org".into());
    client.each(|name, config| {
        let mut server = Server::good();
        let (client, result) = connect(&config, "10.0.0.1", Verify::Require, &mut server);
        assert!(result.is_ok() && client.facts().verified, "{name}: {result:?}");
        let asked = server.stream.ssl().servername(::openssl::ssl::NameType::HOST_NAME);
        assert_eq!(asked, Some("mx.example.org"), "{name}");
    });
    client.settings.server_name = Some("other.example.org".into());
    client.each(|name, config| {
        let (_, result) = connect(&config, "mx.example.org", Verify::Require, &mut Server::good());
        assert!(result.unwrap_err().text().contains("is for another host name"), "{name}");
    });
}

#[test]
fn ciphers_of_both_kinds_are_chosen_by_name() {
    let mut client = Client::new();
    client.settings.ciphers = Some("TLS_CHACHA20_POLY1305_SHA256, ECDHE-ECDSA-AES256-GCM-SHA384".into());
    for (name, config) in client.configs().into_iter().filter(|(name, _)| tells(name)) {
        let config = config.unwrap();
        for (version, cipher) in [
            (SslVersion::TLS1_3, "TLS_CHACHA20_POLY1305_SHA256"),
            (SslVersion::TLS1_2, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ] {
            let stream = open(&config, &mut Server::new(acceptor_of(&GOOD, version).build()));
            assert_eq!(stream.facts().cipher.as_deref(), Some(cipher), "{name}");
        }
    }
    client.settings.ciphers = Some("HIGH".into());
    for (name, config) in client.configs() {
        assert_eq!(config.is_ok(), name == "openssl", "{name}: only OpenSSL has cipher strings");
    }
}

#[test]
fn keys_are_logged_for_the_owner_alone() {
    let mut client = Client::new();
    for library in LIBRARIES {
        let file = client.folder.path().join(library.name);
        client.settings.key_log = Some(file.clone());
        let config = TlsConfig::with(client.settings.clone(), library);
        if !tells(library.name) {
            assert!(config.unwrap_err().text().starts_with("tlskeylog: native-tls has nothing"));
            continue;
        }
        let config = config.unwrap();
        let logged = || {
            let mut server = Server::good();
            open(&config, &mut server);
            let mut random = [0; 32];
            assert_eq!(server.stream.ssl().client_random(&mut random), 32);
            format!("CLIENT_TRAFFIC_SECRET_0 {} ", hex(&random))
        };
        let lines = [logged(), logged()];
        let log = std::fs::read_to_string(&file).unwrap();
        assert!(lines.iter().all(|line| log.contains(line)), "{}: {log}", library.name);
        assert_eq!(log.matches("CLIENT_TRAFFIC_SECRET_0 ").count(), 2, "{log}");
        for line in log.lines() {
            assert_eq!(line.split(' ').map(str::len).nth(1), Some(64), "{line}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        client.settings.key_log = Some(client.folder.path().join("none/keys"));
        let error = TlsConfig::with(client.settings.clone(), library).unwrap_err();
        assert!(error.text().starts_with("tlskeylog "), "{error}");
    }
}

#[test]
fn a_long_reply_is_read_whole() {
    Client::new().each(|name, config| {
        let mut server = Server::good();
        let mut client = open(&config, &mut server);
        let said: Vec<u8> = (0..50_000_u32).flat_map(u32::to_be_bytes).collect();
        client.handle_input(&server.say(&said)).unwrap();
        let mut read = Vec::new();
        client.read(&mut read).unwrap();
        assert!(read == said, "{name}: {} of {}", read.len(), said.len());
    });
}
