//! What options that are equal, or that have one object, share.

use std::sync::Arc;

use smtpclient::error::{Error, Kind};
use smtpclient::net::Session;
use smtpclient::options::{OptionGroup, Trust};
use smtpclient::report::Report;
use smtpclient::tls::{TlsConfig, TlsSettings};

use crate::common::pki::{GOOD, Spec, TRUSTED, UNKNOWN};
use crate::common::sasl;
use crate::common::server::{Script, Server};
use crate::common::{Client, USER, acceptor, asking_acceptor, error, message};

fn server(connections: usize) -> Server {
    // One acceptor: its tickets are good for all of its connections.
    let acceptor = acceptor(&GOOD);
    Server::start((0..connections).map(|_| Script::starttls(acceptor.clone())).collect::<Vec<_>>())
}

fn required(server: &Server) -> Client {
    Client::new(&[server]).with(|o| o.tlsrequired = true)
}

fn resumed(report: &Report) -> bool {
    assert!(report.complete(), "{report:?}");
    report.attempts[0].tls.as_ref().unwrap().resumed
}

#[test]
#[cfg(any(feature = "tls-openssl", feature = "tls-rustls"))]
fn options_made_anew_for_each_message_resume_and_do_not_push_others_out() {
    let server = server(6);
    let (one, other) = (required(&server), required(&server));
    // Not copies of each other: what is equal is what they say.
    let fresh = |client: &Client| {
        let own = &client.options;
        let mut options = smtpclient::options::Options::default();
        (options.servers, options.ports) = (own.servers.clone(), own.ports.clone());
        (options.tlscafile, options.tlsrequired) = (own.tlscafile.clone(), true);
        smtpclient::net::sendmessage(&message(), &options).unwrap()
    };
    for round in 0..3 {
        assert_eq!(resumed(&fresh(&one)), round > 0);
        assert_eq!(resumed(&fresh(&other)), round > 0);
    }
    server.finish();
}

#[test]
fn the_same_options_read_authorities_that_are_replaced() {
    let bad = Spec::server().issue(Some(&UNKNOWN));
    let server = Server::start([&GOOD, &bad, &bad].map(|issued| Script::starttls(acceptor(issued))));
    let client = required(&server);
    assert!(client.send().complete());
    assert_eq!(error(&client.send()).kind(), Kind::Tls);
    client.folder.file("ca.pem", UNKNOWN.cert_pem());
    let report = client.send();
    assert!(report.complete(), "{report:?}");
    server.finish();
}

fn object(change: impl FnOnce(&mut TlsSettings)) -> TlsConfig {
    let mut settings = TlsSettings::default();
    (settings.ca, settings.trust) = (Some(TRUSTED.cert_pem()), Trust::Given);
    change(&mut settings);
    TlsConfig::new(settings).unwrap()
}

fn with_object(server: &Server, tls: &TlsConfig) -> Client {
    Client::new(&[server]).with(|o| {
        (o.tlscafile, o.tlsrequired) = (None, true);
        o.tls = Some(Arc::new(tls.clone()));
    })
}

#[test]
fn one_object_is_shared_by_options_and_sessions() {
    let server = server(3);
    let tls = object(|_| {});
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(resumed(&with_object(&server, &tls).send()));
    }
    let client = with_object(&server, &tls);
    let mut session = Session::open("127.0.0.1", server.port(), &client.options).unwrap();
    let report = session.send_message(&message(), &client.options).unwrap();
    assert!(report.complete(), "{report:?}");
    session.close();
    assert_eq!(seen, [false, cfg!(any(feature = "tls-openssl", feature = "tls-rustls"))]);
    assert!(server.finish().iter().all(|heard| heard.shaken && heard.messages == 1));
}

#[test]
fn an_object_decides_alone_what_tls_is_like() {
    let tls = object(|_| {});
    for name in smtpclient::options::all().filter(|o| o.group == OptionGroup::TlsSetup).map(|o| o.name) {
        let value = match name {
            "tlsverify" => "0",
            "tlstrust" => "given",
            "tlsminversion" | "tlsmaxversion" => "1.3",
            "tlsfingerprint" => &"ab".repeat(32),
            _ => "x",
        };
        let server = Server::one(Script::plain());
        let mut client = with_object(&server, &tls);
        client.options.set(name, value).unwrap();
        let refused = |error: &Error| {
            assert_eq!(error.kind(), Kind::Usage, "{name}: {error}");
            assert!(error.text().contains(&format!("`{name}`")), "{name}: {error}");
        };
        refused(error(&client.send()));
        refused(&Session::open("127.0.0.1", server.port(), &client.options).err().unwrap());
        assert!(server.finish().is_empty(), "{name}");
    }
}

#[test]
fn a_pin_in_an_object_demands_tls_and_a_certificate_in_it_logs_in() {
    let shown = GOOD.cert.digest(openssl::hash::MessageDigest::sha256()).unwrap();
    let shown: String = shown.iter().map(|octet| format!("{octet:02x}")).collect();
    let pinned = object(|s| s.fingerprints = vec![shown.parse().unwrap()]);
    let server = Server::start([Script::plain(), Script::starttls(acceptor(&GOOD))]);
    let client = with_object(&server, &pinned).with(|o| o.tlsrequired = false);
    assert_eq!(error(&client.send()).kind(), Kind::Tls, "without STARTTLS nothing is sent");
    assert!(client.send().complete());
    assert_eq!(server.finish()[0].messages, 0);

    let own = Spec::server().issue(Some(&TRUSTED));
    let folder = crate::common::pki::Folder::new();
    let file = folder.file("own.pem", [own.cert_pem(), own.key_pem()].concat());
    let tls = object(|s| s.cert_file = Some(file));
    let server = Server::one(Script::starttls(asking_acceptor(&GOOD)).with(|s| {
        (s.secure, s.login) = (vec!["AUTH EXTERNAL"], Some(sasl::login("none")));
    }));
    let client = with_object(&server, &tls).with(|o| o.username = Some(USER.to_owned()));
    let report = client.send();
    assert!(report.complete(), "{report:?}");
    assert_eq!(server.finish()[0].logins, [("EXTERNAL".to_owned(), true)]);
}

#[test]
fn another_name_may_be_asked_for_and_verified() {
    for (name, good) in [("mx.example.org", true), ("other.example.org", false)] {
        let server = Server::one(Script::starttls(acceptor(&GOOD)));
        let client = required(&server).with(|o| o.tlsservername = Some(name.to_owned()));
        assert_eq!(client.send().complete(), good, "{name}");
        server.finish();
    }
}
