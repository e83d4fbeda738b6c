//! Servers that do not know the password, or that repeat what they should not.

use smtpclient::error::Kind;
use smtpclient::options::TlsAnswer::Insecure;

use crate::common::pki::GOOD;
use crate::common::sasl::{self, Honesty, Login};
use crate::common::server::{Script, Server};
use crate::common::{Client, PASSWORD, TOKEN, USER, acceptor, error, no_secret};

const SIGNED: [&str; 4] = ["SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "DIGEST-MD5"];

#[test]
fn a_false_signature_closes_the_connection_and_nothing_weaker_is_tried() {
    for mechanism in SIGNED {
        for honesty in [Honesty::Lying, Honesty::Silent] {
            let keywords: &'static str =
                Box::leak(format!("AUTH {mechanism} CRAM-MD5 PLAIN LOGIN").into_boxed_str());
            let server = Server::one(Script::starttls(acceptor(&GOOD)).with(|s| {
                (s.secure, s.login) = (vec![keywords], Some(sasl::false_login(honesty)));
            }));
            let client = Client::new(&[&server]).with_password(&[]);
            let report = client.send();
            let error = error(&report);
            assert_eq!(error.kind(), Kind::Login, "{mechanism} {honesty:?}: {error}");
            assert!(error.text().contains("perhaps not the server"), "{mechanism} {honesty:?}: {error}");
            client.shows_no_secret(&report);
            let heard = server.finish().remove(0);
            assert_eq!(heard.messages, 0);
            let text = heard.secure_text();
            assert_eq!(text.matches("AUTH").count(), 1, "{text}");
            assert!(!text.contains("MAIL") && !text.contains("QUIT"), "{text}");
            no_secret("what the impostor got", &heard.secure);
        }
    }
}

#[test]
fn a_server_that_repeats_what_it_got_does_not_bring_it_into_the_transcript() {
    let parrots: [Login; 3] = [
        // "unrecognized command: AUTH PLAIN AHVzZXI..."
        std::sync::Arc::new(|peer, mechanism, initial| {
            let said = match initial {
                Some(initial) => initial,
                None => {
                    peer.ask("334 VXNlcm5hbWU6")?;
                    peer.ask("334 UGFzc3dvcmQ6")?
                }
            };
            peer.say(&format!("500 5.5.1 unrecognized command: AUTH {mechanism} {said}"))?;
            Ok(false)
        }),
        // In several lines, with other octets around it.
        std::sync::Arc::new(|peer, _, initial| {
            let said = match initial {
                Some(initial) => initial,
                None => {
                    peer.ask("334 VXNlcm5hbWU6")?;
                    peer.ask("334 UGFzc3dvcmQ6")?
                }
            };
            peer.say(&format!("535-5.7.8 wrong\r\n535 5.7.8 <{said}>"))?;
            Ok(false)
        }),
        // As a challenge.
        std::sync::Arc::new(|peer, _, initial| {
            let said = match initial {
                Some(initial) => initial,
                None => {
                    peer.ask("334 VXNlcm5hbWU6")?;
                    peer.ask("334 UGFzc3dvcmQ6")?
                }
            };
            peer.ask(&format!("334 {said}"))?;
            peer.say("501 5.7.0 cancelled")?;
            Ok(false)
        }),
    ];
    for parrot in parrots {
        for mechanism in ["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"] {
            let keyword: &'static str = Box::leak(format!("AUTH {mechanism}").into_boxed_str());
            let server = Server::one(Script::plain().with(|s| {
                (s.plain, s.login) = (vec![keyword], Some(parrot.clone()));
            }));
            let client = Client::new(&[&server]).with(|o| {
                o.username = Some(USER.to_owned());
                if mechanism.contains('A') && mechanism.starts_with(['X', 'O']) {
                    o.oauthtoken = Some(TOKEN.into());
                } else {
                    o.password = Some(PASSWORD.into());
                }
            });
            let report = client.send();
            assert_eq!(error(&report).kind(), Kind::Login, "{mechanism}");
            client.shows_no_secret(&report);
        }
    }
}

#[test]
fn a_stripped_or_broken_tls_brings_no_secret_into_plain_text() {
    // A password is to be sent, and the policy says insecure: what shows the password stays at home. On loopback
    // PLAIN would be allowed, so only such mechanisms are named here as show nothing.
    for change in [
        (|s| s.cut = Some(200)) as fn(&mut Script),
        |s| s.starttls = "454 4.7.0 no",
        |s| s.plain = vec!["AUTH CRAM-MD5"],
    ] {
        let login = || Some(sasl::login(PASSWORD));
        let first = Script::starttls(acceptor(&GOOD)).with(|s| {
            (s.login, s.plain) = (login(), vec!["STARTTLS", "AUTH CRAM-MD5"]);
            change(s);
        });
        let second = Script::plain().with(|s| (s.login, s.plain) = (login(), vec!["AUTH CRAM-MD5"]));
        let server = Server::start([first, second]);
        let client = Client::new(&[&server]).with_password(&["CRAM-MD5"]).answering(Insecure);
        let report = client.send();
        assert!(report.complete(), "{report:?}");
        client.shows_no_secret(&report);
        for heard in server.finish() {
            no_secret("the plain text", &heard.plain);
        }
    }
}

#[test]
fn a_connection_that_ends_within_a_login_is_no_refusal() {
    let login: Login = std::sync::Arc::new(|_, _, _| Err(std::io::ErrorKind::BrokenPipe.into()));
    let server = Server::one(Script::plain().with(|s| {
        (s.plain, s.login) = (vec!["AUTH PLAIN LOGIN"], Some(login));
    }));
    let client = Client::new(&[&server]).with_password(&[]);
    let report = client.send();
    assert_eq!(error(&report).kind(), Kind::Closed, "{report:?}");
    assert!(error(&report).is_transient());
    client.shows_no_secret(&report);
}
