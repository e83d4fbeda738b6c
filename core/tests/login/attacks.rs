//! Servers that do not know the password, or that repeat what they should not.

use smtpclient::error::Kind;
use smtpclient::options::TlsAnswer::Insecure;
use smtpclient::report::Report;

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

/// The password in a form, and how the server says it.
fn forms() -> Vec<String> {
    let plain = format!("\0{USER}\0{PASSWORD}");
    let base64 = |text: &str| openssl::base64::encode_block(text.as_bytes());
    let octets = |prefix: &str| PASSWORD.bytes().map(|o| format!("{prefix}{o:02X}")).collect::<String>();
    let (first, last) = PASSWORD.split_at(7);
    vec![
        PASSWORD.to_owned(),
        plain.replace('\0', " "),
        base64(PASSWORD),
        base64(&format!("xy{PASSWORD}")),
        octets("%"),
        PASSWORD.replace('-', "%2d"),
        octets("="),
        octets(""),
        format!("\"{}\"", PASSWORD.replace('-', "\\-")),
        format!("{first}\n{last}"),
        format!("{first}\n5.7.8 {last}"),
        base64(&plain).as_bytes().chunks(9).map(|c| format!("{}\n", c.escape_ascii())).collect(),
    ]
}

/// A reply of several lines.
fn lines(code: u16, text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().split('\n').collect();
    let (last, before) = lines.split_last().unwrap();
    before.iter().map(|line| format!("{code}-{line}\r\n")).collect::<String>() + &format!("{code} {last}")
}

/// Neither the password nor half of it, in any form.
fn hidden(client: &Client, report: &Report, form: &str) {
    let seen = format!("{}\n{report:?}\n{}", client.transcript(), error(report));
    let seen = seen.to_lowercase();
    for piece in form.to_lowercase().split('\n').filter(|piece| piece.len() > 6) {
        assert!(!seen.contains(piece), "{piece:?} of {form:?} is in {seen}");
    }
    assert!(!seen.contains("horse"), "{form:?} is in {seen}");
    assert!(seen.contains("***"), "{seen}");
    client.shows_no_secret(report);
}

#[test]
fn a_password_that_is_repeated_in_any_form_is_hidden_wherever_it_shows() {
    for form in forms() {
        // In the reply to the login, in that to the recipient after it, and as what the mechanism says of a failure.
        for place in ["login", "rcpt", "challenge", "no reply"] {
            let said = form.clone();
            let login: Login = std::sync::Arc::new(move |peer, _, _| {
                match place {
                    "login" => peer.say(&lines(535, &format!("5.7.8 {said}")))?,
                    "rcpt" => {
                        peer.say("235 2.7.0 welcome")?;
                        peer.line()?;
                        peer.say("250 2.1.0 Ok")?;
                        peer.line()?;
                        peer.say(&lines(550, &format!("5.7.1 {said}")))?;
                    }
                    "challenge" => {
                        let error = openssl::base64::encode_block(format!("e={said}").as_bytes());
                        peer.ask(&format!("334 {error}"))?;
                        peer.say("501 5.7.0 cancelled")?;
                    }
                    _ => peer.say(&said.replace('\n', " "))?,
                }
                Ok(place == "rcpt")
            });
            let mechanism = if place == "challenge" { "AUTH SCRAM-SHA-1" } else { "AUTH PLAIN" };
            let server = Server::one(Script::plain().with(|s| {
                (s.plain, s.login) = (vec![mechanism], Some(login));
            }));
            let client = Client::new(&[&server]).with_password(&[]);
            let report = client.send();
            if place == "challenge" {
                // The challenge is base64 of what must be hidden.
                client.shows_no_secret(&report);
                assert!(!format!("{report:?}").contains("horse"), "{form:?}: {report:?}");
            } else if place == "rcpt" {
                assert!(format!("{report:?}").contains("***"), "{report:?}");
                let seen = (client.transcript() + &format!("{report:?}")).to_lowercase();
                assert!(!seen.contains("horse") && !seen.contains(&form.to_lowercase()), "{form:?}: {seen}");
                client.shows_no_secret(&report);
            } else {
                hidden(&client, &report, &form);
            }
            server.finish();
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
