//! Sessions that are resumed, and those that must not be.

use super::*;
use crate::sasl::BindingKind;

const VERSIONS: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];
const HOST: &str = "mx.example.org";

/// The libraries that resume, with each version.
fn all() -> impl Iterator<Item = (&'static Library, SslVersion)> {
    let libraries = LIBRARIES.iter().filter(|library| tells(library.name));
    libraries.flat_map(|library| VERSIONS.map(|version| (library, version)))
}

fn config(client: &Client, library: &'static Library) -> TlsConfig {
    TlsConfig::with(client.settings.clone(), library).unwrap()
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
    for (library, version) in all() {
        let (client, acceptor) = (Client::new(), acceptor_of(&GOOD, version).build());
        let config = config(&client, library);
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
    for (library, version) in all() {
        let (client, acceptor) = (Client::new(), acceptor_of(&GOOD, version).build());
        let config = config(&client, library);
        let mut server = Server::new(acceptor.clone());
        let mut open = open(&config, &mut server);
        // The tickets follow the handshake; a reply comes before the next connection anyway.
        open.handle_input(&server.say(b"220 hello\r\n")).unwrap();
        open.read(&mut Vec::new()).unwrap();
        assert!(once(&config, HOST, Verify::Require, &acceptor).1, "{}", library.name);
    }
}

#[test]
fn never_for_another_name_nor_another_demand_nor_other_settings() {
    for (library, version) in all() {
        let (mut client, acceptor) = (Client::new(), acceptor_of(&GOOD, version).build());
        let own = config(&client, library);
        once(&own, HOST, Verify::Require, &acceptor);
        assert!(!once(&own, "127.0.0.1", Verify::Require, &acceptor).1, "another name");
        assert!(!once(&own, HOST, Verify::Report, &acceptor).1, "another demand");
        client.settings.trust = Trust::Given;
        assert!(!once(&config(&client, library), HOST, Verify::Require, &acceptor).1, "other settings");
        assert!(once(&own, HOST, Verify::Require, &acceptor).1);
    }
}

#[test]
fn what_did_not_verify_does_not_by_being_resumed() {
    for (library, version) in all() {
        let (client, acceptor) = (Client::new(), acceptor_of(&GOOD, version).build());
        let own = config(&client, library);
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
    for (library, version) in all() {
        let acceptor = acceptor_of(&GOOD, version).build();
        let mut client = Client::new();
        let own = config(&client, library);
        let shown = once(&own, HOST, Verify::Require, &acceptor).0.certificate_sha256.unwrap();
        client.settings.fingerprints = vec![Fingerprint::parse(&shown).unwrap()];
        let pinned = config(&client, library);
        for round in 0..2 {
            let (facts, reused) = once(&pinned, HOST, Verify::Require, &acceptor);
            assert!(facts.pinned && reused == (round > 0));
        }
        client.settings.fingerprints = vec![Fingerprint::of(b"another")];
        let pinned = config(&client, library);
        once(&pinned, HOST, Verify::Report, &acceptor);
        let (_, refused) = connect(&pinned, HOST, Verify::Require, &mut Server::new(acceptor.clone()));
        assert!(refused.is_err(), "resumed or not, it is none of the pinned ones");
    }
}

#[test]
fn another_server_of_that_name_has_its_own_sessions() {
    for (library, version) in all() {
        let client = Client::new();
        let own = config(&client, library);
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
    for (library, version) in all() {
        let (client, acceptor) = (Client::new(), acceptor_of(&GOOD, version).build());
        let own = config(&client, library);
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
        let has_first = library.name == "openssl" || version == VERSIONS[1];
        assert_eq!(client.bindings().len(), if has_first { 2 } else { 1 });
    }
}

#[test]
fn equal_settings_share_sessions_and_others_do_not_push_them_out() {
    let config = |client: &Client| TlsConfig::new(client.settings.clone()).unwrap();
    for version in VERSIONS {
        let acceptor = acceptor_of(&GOOD, version).build();
        let (one, mut other) = (Client::new(), Client::new());
        other.settings.key_password = Some("another".into());
        let resumes = tells(library());
        once(&config(&one), HOST, Verify::Require, &acceptor);
        once(&config(&other), HOST, Verify::Require, &acceptor);
        for _ in 0..3 {
            // Made anew each time, as options are for each message by who keeps none.
            assert_eq!(once(&config(&one), HOST, Verify::Require, &acceptor).1, resumes);
            assert_eq!(once(&config(&other), HOST, Verify::Require, &acceptor).1, resumes);
        }
    }
}
