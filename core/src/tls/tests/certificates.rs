//! Which certificates are accepted, and what is said of them.

use ::openssl::asn1::Asn1Time;
use ::openssl::hash::MessageDigest;
use ::openssl::nid::Nid;

use super::pki::{Spec, UNKNOWN};
use super::*;
use crate::error::{Kind, Step};

fn digests(issued: &Issued) -> [String; 2] {
    let key = issued.cert.public_key().unwrap().public_key_to_der().unwrap();
    let key = ::openssl::hash::hash(MessageDigest::sha256(), &key).unwrap();
    [hex(&issued.cert.digest(MessageDigest::sha256()).unwrap()), hex(&key)]
}

fn show(issued: &Issued) -> Server {
    Server::new(acceptor(issued).build())
}

#[test]
fn a_good_certificate_is_verified_and_described() {
    Client::new().each(|name, config| {
        let client = open(&config, &mut Server::good());
        let facts = client.facts();
        let [certificate, key] = digests(&GOOD);
        assert_eq!(facts.certificate_sha256.as_ref(), Some(&certificate));
        assert_eq!(facts.public_key_sha256.as_ref(), Some(&key));
        assert!(facts.verified && facts.why_not.is_none() && !facts.pinned, "{name}");
        let expires: jiff::Timestamp = facts.expires.as_ref().unwrap().parse().unwrap();
        assert!(GOOD.cert.not_after() == Asn1Time::from_unix(expires.as_second()).unwrap(), "{expires}");
        if tells(name) {
            assert_eq!(facts.version.as_deref(), Some("TLSv1.3"));
            assert!(facts.cipher.as_ref().unwrap().starts_with("TLS_"));
            assert_eq!(facts.subject.as_deref(), Some("CN=mx.example.org"));
            assert_eq!(facts.issuer.as_deref(), Some("CN=Test Root"));
        }
    });
}

#[test]
fn names_and_addresses_are_checked() {
    Client::new().each(|name, config| {
        for host in
            ["MX.example.org.", "bücher.example", "127.0.0.1", "[127.0.0.1]", "::1", "[::1]", "[0::1]"]
        {
            let (client, result) = connect(&config, host, Verify::Require, &mut Server::good());
            assert!(result.is_ok() && client.facts().verified, "{name} {host} {result:?}");
        }
        for host in ["example.org", "a.mx.example.org", "127.0.0.2", "::2", "localhost"] {
            let (client, result) = connect(&config, host, Verify::Require, &mut Server::good());
            assert!(!client.handshake_done(), "{name} takes the certificate of another host for {host}");
            let error = result.expect_err(host);
            assert!(error.text().contains("is for another host name"), "{name} {host} {error}");
            assert_eq!(client.facts().why_not, Some(VerifyFault::WrongName), "{name} {host}");
        }
        for host in ["", "a\0b", "a b"] {
            assert_eq!(config.start(host, Verify::Report).unwrap_err().kind(), Kind::Usage);
        }
    });
}

fn faulty() -> Vec<(Issued, VerifyFault, &'static str)> {
    let expired = Spec { from: -20, to: -10, ..Spec::server() }.issue(Some(&TRUSTED));
    let early = Spec { from: 5, ..Spec::server() }.issue(Some(&TRUSTED));
    let unknown = Spec::server().issue(Some(&UNKNOWN));
    vec![
        (expired, VerifyFault::Expired, "has expired"),
        (early, VerifyFault::NotYetValid, "is not valid yet"),
        (unknown, VerifyFault::UnknownIssuer, "comes from an unknown issuer"),
        (Spec::server().issue(None), VerifyFault::SelfSigned, "is self-signed"),
    ]
}

#[test]
fn each_fault_is_named_where_verification_is_required() {
    Client::new().each(|name, config| {
        for (issued, fault, words) in faulty() {
            let mut server = show(&issued);
            let (mut client, result) = connect(&config, "mx.example.org", Verify::Require, &mut server);
            let error = result.unwrap_err();
            assert_eq!((error.kind(), error.step()), (Kind::Tls, Step::Tls));
            assert!(error.text().contains(words), "{name} {error}");
            assert!(error.text().contains("mx.example.org"));
            assert_eq!(client.facts().why_not, Some(fault));
            assert!(!client.facts().verified && !client.handshake_done());
            assert!(server.failed.unwrap().contains("alert"), "the server hears why");
            if tells(name) {
                assert!(error.text().contains(&digests(&issued)[0]), "{error}");
            }
            // It stays so, and nothing is encrypted for this server.
            assert_eq!(client.write(b"EHLO").unwrap_err(), error);
            assert_eq!(client.read(&mut vec![]).unwrap_err(), error);
            assert_eq!(client.handle_input(b"x").unwrap_err(), error);
            assert!(client.bindings().is_empty());
            client.close();
            assert_eq!(client.unsent(), 0);
        }
    });
}

#[test]
fn each_fault_is_only_reported_where_it_is_not_required() {
    let mut lenient = Client::new();
    lenient.settings.verify = false;
    for (client, verify) in [(Client::new(), Verify::Report), (lenient, Verify::Require)] {
        client.each(|name, config| {
            for (issued, fault, _) in faulty() {
                let (client, result) = connect(&config, "mx.example.org", verify, &mut show(&issued));
                result.unwrap();
                assert!(client.handshake_done() && !client.facts().verified);
                let wanted = if tells(name) { fault } else { VerifyFault::NotChecked };
                assert_eq!(client.facts().why_not, Some(wanted));
                assert_eq!(client.facts().certificate_sha256, Some(digests(&issued)[0].clone()));
            }
            let (client, _) = connect(&config, "other.example.org", verify, &mut Server::good());
            let wanted = if tells(name) { VerifyFault::WrongName } else { VerifyFault::NotChecked };
            assert_eq!(client.facts().why_not, Some(wanted));
            let (client, _) = connect(&config, "mx.example.org", verify, &mut Server::good());
            assert_eq!(client.facts().verified, tells(name));
        });
    }
}

#[test]
fn a_pin_replaces_the_authorities_and_nothing_else_will_do() {
    let issued = Spec { from: -20, to: -10, ..Spec::server() }.issue(None);
    let mut client = Client::new();
    for digest in digests(&issued) {
        let other = Fingerprint::of(b"another server");
        client.settings.fingerprints = vec![other, Fingerprint::parse(&digest.to_uppercase()).unwrap()];
        client.each(|name, config| {
            let (client, result) = connect(&config, "any.name", Verify::Require, &mut show(&issued));
            assert!(result.is_ok() && client.handshake_done(), "{name} {result:?}");
            assert!(client.facts().pinned && !client.facts().verified);

            let mut server = Server::good();
            let (mut client, result) = connect(&config, "mx.example.org", Verify::Require, &mut server);
            let error = result.unwrap_err();
            assert!(error.text().contains("none of the pinned ones"), "{error}");
            assert!(error.text().contains(&digests(&GOOD)[1]), "{error}");
            assert_eq!(client.facts().why_not, Some(VerifyFault::NotPinned));
            assert!(client.write(b"x").is_err() && !client.handshake_done());
            pump(&mut client, &mut server, usize::MAX).unwrap();
            assert!(server.got.is_empty() && server.closed);

            let (client, result) = connect(&config, "mx.example.org", Verify::Report, &mut Server::good());
            assert!(result.is_ok() && !client.facts().pinned);
        });
    }
}

#[test]
fn an_intermediate_that_the_server_sends_is_used() {
    let middle = Spec::authority("Middle").issue(Some(&TRUSTED));
    let leaf = Spec::server().issue(Some(&middle));
    Client::new().each(|name, config| {
        let mut with = acceptor(&leaf);
        with.add_extra_chain_cert(middle.cert.clone()).unwrap();
        open(&config, &mut Server::new(with.build()));
        let (client, result) = connect(&config, "mx.example.org", Verify::Require, &mut show(&leaf));
        assert!(result.is_err());
        assert_eq!(client.facts().why_not, Some(VerifyFault::UnknownIssuer), "{name}");
    });
}

#[test]
fn a_root_sent_along_is_an_unknown_issuer() {
    let leaf = Spec::server().issue(Some(&UNKNOWN));
    Client::new().each(|name, config| {
        let mut with = acceptor(&leaf);
        with.add_extra_chain_cert(UNKNOWN.cert.clone()).unwrap();
        let (client, _) = connect(&config, "mx.example.org", Verify::Require, &mut Server::new(with.build()));
        assert_eq!(client.facts().why_not, Some(VerifyFault::UnknownIssuer), "{name}");
    });
}

#[test]
fn a_common_name_is_no_host_name() {
    // RFC 9525 section 6.3. The address goes with the first, so that it has a subjectAltName, but no name in it.
    for ip in [vec!["127.0.0.1"], vec![]] {
        let issued = Spec { dns: vec![], ip: ip.clone(), ..Spec::server() }.issue(Some(&TRUSTED));
        Client::new().each(|name, config| {
            let mut server = show(&issued);
            let (mut client, result) = connect(&config, "mx.example.org", Verify::Require, &mut server);
            let error = result.expect_err(name);
            assert!(error.text().contains("is for another host name"), "{name} {error}");
            assert_eq!(client.facts().why_not, Some(VerifyFault::WrongName), "{name}");
            assert!(client.write(b"EHLO").is_err() && !client.handshake_done());
            assert!(server.got.is_empty());
            let (client, _) = connect(&config, "mx.example.org", Verify::Report, &mut show(&issued));
            assert!(client.handshake_done() && !client.facts().verified, "{name}");
            if !ip.is_empty() {
                let (client, result) = connect(&config, "127.0.0.1", Verify::Require, &mut show(&issued));
                assert!(result.is_ok() && client.facts().verified, "{name}");
            }
        });
    }
}

#[test]
fn odd_names_harm_nobody() {
    let odd = ["a\0b", "\u{1b}[2J\r\nEHLO", "\u{202e}gro", "*", "\u{7f}%s%n", &"x".repeat(60)];
    let nameless = std::iter::once(vec![]);
    let named =
        odd.map(|text| vec![(Nid::COMMONNAME, text.to_owned()), (Nid::ORGANIZATIONNAME, text.to_owned())]);
    for name in nameless.chain(named) {
        let issued =
            Spec { name, dns: vec!["a\u{1}b".into(), "*".into(), "..".into()], ..Spec::server() }.issue(None);
        Client::new().each(|_, config| {
            let (client, result) = connect(&config, "mx.example.org", Verify::Report, &mut show(&issued));
            result.unwrap();
            let subject = client.facts().subject.clone().unwrap_or_default();
            assert!(!subject.contains(|c: char| c.is_control() || c == '\u{202e}'), "{subject:?}");
            assert!(connect(&config, "mx.example.org", Verify::Require, &mut show(&issued)).1.is_err());
        });
    }
}
