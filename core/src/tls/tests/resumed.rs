//! Sessions that are resumed, and those that must not be.
#![cfg(feature = "tls-openssl")]

use super::*;
use crate::sasl::BindingKind;

const VERSIONS: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];
const HOST: &str = "mx.example.org";

fn config(client: &Client) -> TlsConfig {
    TlsConfig::new(client.settings.clone()).unwrap()
}

/// One connection from its begin to its proper end; the server's tickets are read.
fn once(config: &TlsConfig, host: &str, verify: Verify, acceptor: &SslAcceptor) -> (TlsFacts, bool) {
    let mut server = Server::new(acceptor.clone());
    let (mut client, result) = connect(config, host, verify, &mut server);
    result.unwrap();
    let greeting = server.say(b"220 hello\r\n");
    client.handle_input(&greeting).unwrap();
    let mut plain = Vec::new();
    client.read(&mut plain).unwrap();
    assert_eq!(plain, b"220 hello\r\n");
    let reused = server.stream.ssl().session_reused();
    client.close();
    pump(&mut client, &mut server, usize::MAX).unwrap();
    assert_eq!(client.facts().resumed, reused);
    (client.facts().clone(), reused)
}

#[test]
fn the_next_connection_to_the_same_name_resumes() {
    for version in VERSIONS {
        let (client, acceptor) = (Client::new(), acceptor_of(&GOOD, version).build());
        let config = config(&client);
        let (first, reused) = once(&config, HOST, Verify::Require, &acceptor);
        assert!(!reused && first.verified);
        for _ in 0..5 {
            let (facts, reused) = once(&config, HOST, Verify::Require, &acceptor);
            assert!(reused, "{version:?}");
            assert_eq!(facts, TlsFacts { resumed: true, ..first.clone() });
        }
    }
}

#[test]
fn connections_at_the_same_time_resume_too() {
    let (client, acceptor) = (Client::new(), acceptor_of(&GOOD, SslVersion::TLS1_3).build());
    let config = config(&client);
    let mut server = Server::new(acceptor.clone());
    let mut open = open(&config, &mut server);
    // The tickets follow the handshake; a reply comes before the next connection anyway.
    open.handle_input(&server.say(b"220 hello\r\n")).unwrap();
    open.read(&mut Vec::new()).unwrap();
    assert!(once(&config, HOST, Verify::Require, &acceptor).1);
}

#[test]
fn never_for_another_name_nor_another_demand_nor_other_settings() {
    for version in VERSIONS {
        let (mut client, acceptor) = (Client::new(), acceptor_of(&GOOD, version).build());
        let own = config(&client);
        once(&own, HOST, Verify::Require, &acceptor);
        assert!(!once(&own, "127.0.0.1", Verify::Require, &acceptor).1, "another name");
        assert!(!once(&own, HOST, Verify::Report, &acceptor).1, "another demand");
        client.settings.trust = Trust::Given;
        assert!(!once(&config(&client), HOST, Verify::Require, &acceptor).1, "other settings");
        assert!(once(&own, HOST, Verify::Require, &acceptor).1);
    }
}

#[test]
fn what_did_not_verify_does_not_by_being_resumed() {
    for version in VERSIONS {
        let (client, acceptor) = (Client::new(), acceptor_of(&GOOD, version).build());
        let own = config(&client);
        let wrong = "other.example.org";
        let (first, reused) = once(&own, wrong, Verify::Report, &acceptor);
        assert!(!reused);
        assert_eq!(first.why_not, Some(VerifyFault::WrongName));
        let (facts, reused) = once(&own, wrong, Verify::Report, &acceptor);
        assert!(reused && !facts.verified);
        assert_eq!(facts.why_not, Some(VerifyFault::WrongName));
        let (_, refused) = connect(&own, wrong, Verify::Require, &mut Server::new(acceptor.clone()));
        assert!(refused.unwrap_err().text().contains("another host name"));
    }
}

#[test]
fn a_pin_is_held_against_each_connection() {
    for version in VERSIONS {
        let acceptor = acceptor_of(&GOOD, version).build();
        let mut client = Client::new();
        let own = config(&client);
        let shown = once(&own, HOST, Verify::Require, &acceptor).0.certificate_sha256.unwrap();
        client.settings.fingerprints = vec![Fingerprint::parse(&shown).unwrap()];
        let pinned = config(&client);
        for round in 0..2 {
            let (facts, reused) = once(&pinned, HOST, Verify::Require, &acceptor);
            assert!(facts.pinned && reused == (round > 0));
        }
        client.settings.fingerprints = vec![Fingerprint::of(b"another")];
        let pinned = config(&client);
        once(&pinned, HOST, Verify::Report, &acceptor);
        let (_, refused) = connect(&pinned, HOST, Verify::Require, &mut Server::new(acceptor.clone()));
        assert!(refused.is_err(), "resumed or not, it is none of the pinned ones");
    }
}

#[test]
fn another_server_of_that_name_has_its_own_sessions() {
    for version in VERSIONS {
        let client = Client::new();
        let own = config(&client);
        once(&own, HOST, Verify::Require, &acceptor_of(&GOOD, version).build());
        let (facts, reused) = once(&own, HOST, Verify::Require, &acceptor_of(&GOOD, version).build());
        assert!(!reused && facts.verified);
        let bad = pki::Spec::server().issue(Some(&pki::UNKNOWN));
        let mut server = Server::new(acceptor_of(&bad, version).build());
        let (_, refused) = connect(&own, HOST, Verify::Require, &mut server);
        assert!(refused.is_err(), "a session lends no trust to a full handshake");
    }
}

#[test]
fn bindings_of_a_resumed_session_are_those_of_the_server() {
    for version in VERSIONS {
        let (client, acceptor) = (Client::new(), acceptor_of(&GOOD, version).build());
        let own = config(&client);
        once(&own, HOST, Verify::Require, &acceptor);
        let mut server = Server::new(acceptor);
        let client = open(&own, &mut server);
        let ssl = server.stream.ssl();
        assert!(ssl.session_reused());
        let mut exporter = vec![0; 32];
        ssl.export_keying_material(&mut exporter, "EXPORTER-Channel-Binding", Some(b"")).unwrap();
        // The server's Finished comes first where a session is resumed.
        let mut unique = vec![0; 12];
        ssl.finished(&mut unique);
        for binding in client.bindings() {
            match binding.kind {
                BindingKind::TlsExporter => {
                    assert_eq!((binding.data, version), (exporter.clone(), VERSIONS[1]))
                }
                BindingKind::TlsUnique => assert_eq!((binding.data, version), (unique.clone(), VERSIONS[0])),
                BindingKind::TlsServerEndPoint => assert_eq!(binding.data.len(), 32),
            }
        }
        assert!(client.bindings().len() >= 2);
    }
}

#[test]
fn equal_settings_share_sessions_and_others_do_not_push_them_out() {
    for version in VERSIONS {
        let acceptor = acceptor_of(&GOOD, version).build();
        let (one, mut other) = (Client::new(), Client::new());
        other.settings.key_password = Some("another".into());
        once(&config(&one), HOST, Verify::Require, &acceptor);
        once(&config(&other), HOST, Verify::Require, &acceptor);
        for _ in 0..3 {
            // Made anew each time, as options are for each message by who keeps none.
            assert!(once(&config(&one), HOST, Verify::Require, &acceptor).1);
            assert!(once(&config(&other), HOST, Verify::Require, &acceptor).1);
        }
    }
}
