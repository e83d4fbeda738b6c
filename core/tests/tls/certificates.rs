//! Which certificates are accepted, and what the report says of them.

use openssl::ssl::SslVersion;
use smtpclient::error::{Kind, Step};
use smtpclient::report::Report;
use smtpclient::tls::VerifyFault;

use crate::common::pki::{GOOD, Issued, Spec, TRUSTED, UNKNOWN};
use crate::common::server::{Heard, Script, Server};
use crate::common::{Client, acceptor, acceptor_of, asking_acceptor, error};

/// The library says of a certificate that was not to be refused what it is like.
const TELLS: bool = cfg!(any(feature = "tls-openssl", feature = "tls-rustls"));

fn expired() -> Issued {
    Spec { from: -20, to: -1, ..Spec::server() }.issue(Some(&TRUSTED))
}

fn wrong_name() -> Issued {
    Spec { dns: vec!["other.example.org".into()], ip: vec![], ..Spec::server() }.issue(Some(&TRUSTED))
}

fn unknown_issuer() -> Issued {
    Spec::server().issue(Some(&UNKNOWN))
}

fn self_signed() -> Issued {
    Spec::server().issue(None)
}

/// One message by STARTTLS, and one by implicit TLS.
fn both(issued: &Issued, change: impl Fn(Client) -> Client) -> Vec<(Report, Heard)> {
    [Script::starttls(acceptor(issued)), Script::implicit(acceptor(issued))]
        .into_iter()
        .map(|script| {
            let first = script.first;
            let server = Server::one(script);
            let client = change(Client::new(&[&server]).with(|o| o.tlsimport = first));
            let report = client.send();
            (report, server.finish().remove(0))
        })
        .collect()
}

fn required(client: Client) -> Client {
    client.with(|o| o.tlsrequired = true)
}

/// Nothing of a message was said in plain text.
fn nothing_in_the_clear(heard: &Heard) {
    let text = heard.plain_text();
    assert!(!text.contains("MAIL") && !text.contains("Hello."), "{text}");
}

#[test]
fn a_good_certificate_is_verified_and_the_message_goes_under_tls_alone() {
    for (report, heard) in both(&GOOD, required) {
        assert!(report.complete(), "{report:?}");
        let facts = report.attempts[0].tls.clone().unwrap();
        assert!(facts.verified && facts.why_not.is_none() && !facts.pinned);
        assert_eq!(facts.certificate_sha256.unwrap().len(), 64);
        assert_eq!(facts.public_key_sha256.unwrap().len(), 64);
        assert_eq!(facts.version.is_some(), TELLS);
        assert_eq!(facts.cipher.is_some(), TELLS);
        assert_eq!(report.attempts[0].policy, None);
        assert!(heard.secure_text().contains("MAIL FROM:<a@client.example>"));
        nothing_in_the_clear(&heard);
    }
}

#[test]
fn a_host_name_is_verified_too() {
    let named = Spec { dns: vec!["localhost".into()], ip: vec![], ..Spec::server() }.issue(Some(&TRUSTED));
    let server = Server::one(Script::starttls(acceptor(&named)));
    let client = required(Client::new(&[&server])).with(|o| o.servers = vec!["LOCALHOST.".to_owned()]);
    assert!(client.send().complete());
}

#[test]
fn a_bad_certificate_is_refused_by_name_where_tls_is_required() {
    for (issued, words) in [
        (expired(), "has expired"),
        (wrong_name(), "is for another host name"),
        (unknown_issuer(), "unknown issuer"),
        (self_signed(), "is self-signed"),
    ] {
        for (report, heard) in both(&issued, required) {
            let error = error(&report);
            assert_eq!((error.kind(), error.step()), (Kind::Tls, Step::Tls), "{error}");
            assert!(error.text().contains(words) && error.text().contains("127.0.0.1"), "{error}");
            assert!(!error.is_transient());
            assert_eq!(report.attempts[0].policy, None, "never asked where TLS is required");
            assert!(!report.attempts[0].tls.clone().unwrap().verified);
            assert_eq!(heard.messages, 0);
            nothing_in_the_clear(&heard);
        }
    }
}

#[test]
fn requiretls_and_credentials_want_a_good_certificate_too() {
    for change in [
        (|c| c.with(|o| o.requiretls = true)) as fn(Client) -> Client,
        |c| c.with_password(&["PLAIN"]),
        |c| c.with(|o| o.oauthtoken = Some("x".into())),
    ] {
        for (report, heard) in both(&unknown_issuer(), change) {
            assert_eq!(error(&report).kind(), Kind::Tls, "{report:?}");
            assert!(heard.secure.is_empty());
            nothing_in_the_clear(&heard);
        }
    }
}

#[test]
fn an_opportunistic_connection_takes_any_certificate_and_says_so() {
    for (issued, fault) in [
        (expired(), VerifyFault::Expired),
        (wrong_name(), VerifyFault::WrongName),
        (unknown_issuer(), VerifyFault::UnknownIssuer),
        (self_signed(), VerifyFault::SelfSigned),
    ] {
        let server = Server::one(Script::starttls(acceptor(&issued)));
        let report = Client::new(&[&server]).send();
        assert!(report.complete(), "{report:?}");
        let facts = report.attempts[0].tls.clone().unwrap();
        assert!(!facts.verified);
        assert_eq!(facts.why_not, Some(if TELLS { fault } else { VerifyFault::NotChecked }));
        assert_eq!(report.attempts[0].policy, None);
        assert!(server.finish()[0].shaken);
    }
}

#[test]
fn tlsverify_off_takes_any_certificate_even_where_tls_is_required() {
    for issued in [expired(), wrong_name(), unknown_issuer(), self_signed()] {
        for (report, heard) in both(&issued, |c| required(c).with(|o| o.tlsverify = false)) {
            assert!(report.complete(), "{report:?}");
            assert!(!report.attempts[0].tls.clone().unwrap().verified);
            nothing_in_the_clear(&heard);
        }
    }
}

fn digests(issued: &Issued) -> [String; 2] {
    use openssl::hash::{MessageDigest, hash};
    let hex = |der: Vec<u8>| {
        let digest = hash(MessageDigest::sha256(), &der).unwrap();
        digest.iter().map(|o| format!("{o:02x}")).collect::<String>()
    };
    [hex(issued.cert.to_der().unwrap()), hex(issued.key.public_key_to_der().unwrap())]
}

#[test]
fn a_pin_that_matches_is_enough() {
    for issued in [expired(), wrong_name(), unknown_issuer(), self_signed()] {
        for digest in digests(&issued) {
            let pinned =
                |c: Client| required(c).with(|o| o.tlsfingerprint = vec!["0".repeat(64), digest.clone()]);
            for (report, _) in both(&issued, pinned) {
                assert!(report.complete(), "{report:?}");
                let facts = report.attempts[0].tls.clone().unwrap();
                assert!(facts.pinned && !facts.verified);
            }
        }
    }
}

#[test]
fn a_pin_that_does_not_match_refuses_even_a_good_certificate() {
    for change in [required as fn(Client) -> Client, |c| c, |c| c.with(|o| o.tlsverify = false)] {
        for (report, heard) in
            both(&GOOD, |c| change(c).with(|o| o.tlsfingerprint = digests(&self_signed()).into()))
        {
            let error = error(&report);
            assert_eq!(error.kind(), Kind::Tls);
            assert!(error.text().contains("none of the pinned ones"), "{error}");
            assert!(heard.secure.is_empty(), "{heard:?}");
            nothing_in_the_clear(&heard);
        }
    }
}

#[test]
fn a_pin_that_does_not_match_is_no_reason_for_plain_text() {
    // Whoever pins a key does not want a message to go to just anybody.
    let server = Server::start([Script::starttls(acceptor(&GOOD)), Script::plain()]);
    let client = Client::new(&[&server]).with(|o| o.tlsfingerprint = vec!["0".repeat(64)]);
    let report = client.send();
    assert!(!report.sent(), "{report:?}");
    assert_eq!(server.finish().len(), 1);
}

#[test]
fn a_client_certificate_is_shown_where_the_server_asks() {
    let own = Spec::server().issue(Some(&TRUSTED));
    let stranger = Spec::server().issue(Some(&UNKNOWN));
    for version in [None, Some(SslVersion::TLS1_2)] {
        for (issued, accepted) in [(Some(&own), true), (None, true), (Some(&stranger), false)] {
            let acceptor = match version {
                None => asking_acceptor(&GOOD),
                Some(_) if issued.is_some() => continue,
                Some(version) => acceptor_of(&GOOD, version),
            };
            let server = Server::one(Script::starttls(acceptor));
            let mut client = required(Client::new(&[&server]));
            if let Some(issued) = issued {
                let cert = client.folder.file("own.pem", issued.cert_pem());
                let key = client.folder.file("own.key", issued.key_pem());
                client.options.tlscertfile = Some(cert.display().to_string());
                client.options.tlskeyfile = Some(key.display().to_string());
            }
            let report = client.send();
            assert_eq!(report.complete(), accepted, "{report:?}");
            if !accepted {
                let error = error(&report);
                assert!(error.text().contains("client certificate"), "{error}");
                assert_eq!(error.kind(), Kind::Tls);
            }
            assert_eq!(server.finish()[0].certificate, accepted && issued.is_some());
        }
    }
}

#[test]
fn files_and_fingerprints_that_do_not_do_are_found_before_a_connection() {
    for (name, value) in
        [("tlscafile", "/nonexistent"), ("tlscertfile", "/nonexistent"), ("tlsfingerprint", "abc")]
    {
        let server = Server::one(Script::plain());
        let client = Client::new(&[&server]).with(|o| match name {
            "tlsfingerprint" => o.tlsfingerprint = vec![value.to_owned()], // which set() would not take
            _ => o.set(name, value).unwrap(),
        });
        let report = client.send();
        assert_eq!(error(&report).kind(), Kind::Usage);
        assert!(error(&report).text().contains(name), "{report:?}");
        assert!(server.finish().is_empty());
    }
}
