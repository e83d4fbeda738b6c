//! Every mechanism against a server that knows the RFCs: the right password, a wrong one, a cancel.

use smtpclient::error::{Kind, Step};

use crate::common::pki::{GOOD, Spec, TRUSTED};
use crate::common::sasl::{self, Login};
use crate::common::server::{Heard, Script, Server};
use crate::common::{
    Client, PASSWORD, TOKEN, USER, acceptor, acceptor_of, asking_acceptor, error, no_secret, old_acceptor,
};
use openssl::ssl::SslVersion;
use smtpclient::report::Report;

/// The mechanisms of a password, weakest last; those that need TLS are not among them.
const BY_PASSWORD: [&str; 7] =
    ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"];

fn keyword(mechanism: &str) -> &'static str {
    Box::leak(format!("AUTH {mechanism}").into_boxed_str())
}

fn plain(mechanisms: &str, login: Login) -> Script {
    let keyword = keyword(mechanisms);
    Script::plain().with(|s| (s.plain, s.login) = (vec![keyword], Some(login)))
}

fn secure(mechanisms: &str, login: Login) -> Script {
    let keyword = keyword(mechanisms);
    Script::starttls(acceptor(&GOOD)).with(|s| (s.secure, s.login) = (vec![keyword], Some(login)))
}

fn run(script: Script, change: impl FnOnce(Client) -> Client) -> (Client, Report, Heard) {
    let server = Server::one(script);
    let client = change(Client::new(&[&server]));
    let report = client.send();
    (client, report, server.finish().remove(0))
}

/// The name of the one mechanism that was tried, and that it came to a message, or to a clean end.
fn check(mechanism: &str, good: bool, client: &Client, report: &Report, heard: &Heard) {
    assert_eq!(heard.logins, [(mechanism.to_owned(), good)], "{report:?}");
    let login = &report.attempts[0].logins[0];
    assert_eq!(login.mechanism, mechanism);
    assert_eq!(login.error.is_none(), good);
    assert_eq!(report.complete(), good, "{report:?}");
    assert_eq!(heard.messages, usize::from(good));
    if !good {
        let error = error(report);
        assert_eq!((error.kind(), error.step()), (Kind::Login, Step::Auth), "{error}");
        assert!(error.text().contains(mechanism), "{error}");
        let heard = heard.plain_text() + &heard.secure_text();
        assert!(heard.ends_with("QUIT\r\n") && !heard.contains("MAIL"), "{heard}");
    }
    client.shows_no_secret(report);
}

#[test]
fn each_mechanism_logs_in_with_the_password_and_not_without() {
    for mechanism in BY_PASSWORD {
        for password in [PASSWORD, "another-one"] {
            let good = password == PASSWORD;
            for tls in [false, true] {
                let script = if tls { secure } else { plain }(mechanism, sasl::login(password));
                let (client, report, heard) = run(script, |c| c.with_password(&[]));
                check(mechanism, good, &client, &report, &heard);
                assert_eq!(heard.shaken, tls);
                if !good {
                    assert_eq!(error(&report).reply().unwrap().code(), 535);
                    assert!(!error(&report).is_transient());
                }
                // What is not a password is not shown either.
                if !matches!(mechanism, "PLAIN" | "LOGIN") {
                    no_secret(mechanism, &heard.plain);
                    no_secret(mechanism, &heard.secure);
                }
            }
        }
    }
}

#[test]
fn the_bound_variants_bind() {
    let end_point = "p=tls-server-end-point";
    let channels = [
        (acceptor(&GOOD), "p=tls-exporter"),
        (acceptor_of(&GOOD, SslVersion::TLS1_2), "p=tls-unique"),
        (old_acceptor(&GOOD), "p=tls-server-end-point"),
    ];
    for (acceptor, flag) in channels {
        for mechanism in ["SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"] {
            for password in [PASSWORD, "another-one"] {
                let script = Script::starttls(acceptor.clone());
                let script = script.with(|s| {
                    (s.secure, s.login) = (vec![keyword(mechanism)], Some(sasl::login(password)));
                });
                let (client, report, heard) = run(script, |c| c.with_password(&[]));
                check(mechanism, password == PASSWORD, &client, &report, &heard);
                let binds = match smtpclient::tls::library() {
                    "openssl" => true,
                    "rustls" => flag == "p=tls-exporter",
                    _ => false,
                };
                assert_eq!(heard.bound_by, if binds { flag } else { end_point });
            }
        }
    }
}

#[test]
fn a_server_learns_that_the_client_could_bind() {
    // `y`: a server that offers a bound variant then knows that somebody took it out of its list.
    for (tls, flag) in [(true, "y"), (false, "n")] {
        let script = if tls { secure } else { plain }("SCRAM-SHA-256", sasl::login(PASSWORD));
        let (_, report, heard) = run(script, |c| c.with_password(&[]));
        assert!(report.complete());
        assert_eq!(heard.bound_by, flag);
    }
}

#[test]
fn a_login_that_is_bound_to_another_channel_fails() {
    // Whoever is in between has a certificate that the client was told to take, and no other channel.
    let login: Login = std::sync::Arc::new(|peer, mechanism, initial| {
        // The real server's side of the bound exchange, with its own channel: another exporter value.
        let said = openssl::base64::decode_block(&initial.unwrap()).unwrap();
        assert!(said.starts_with(b"p=tls-"), "{}", said.escape_ascii());
        peer.say("535 5.7.8 channel bindings do not match")?;
        assert!(mechanism.ends_with("-PLUS"));
        Ok(false)
    });
    let (client, report, heard) =
        run(secure("SCRAM-SHA-256 SCRAM-SHA-256-PLUS", login), |c| c.with_password(&[]));
    // The unbound variant is not tried in its place (RFC 5802 section 6).
    assert_eq!(heard.logins.len(), 1, "{heard:?}");
    assert!(!report.sent());
    client.shows_no_secret(&report);
}

#[test]
fn tokens_log_in_and_the_json_of_a_failure_is_kept() {
    for mechanism in ["XOAUTH2", "OAUTHBEARER"] {
        for token in [TOKEN, "not-the-token"] {
            let good = token == TOKEN;
            let (client, report, heard) = run(secure(mechanism, sasl::login(PASSWORD)), |c| {
                c.with(|o| (o.username, o.oauthtoken) = (Some(USER.to_owned()), Some(token.into())))
            });
            check(mechanism, good, &client, &report, &heard);
            if !good {
                assert!(
                    error(&report).text().contains(r#"{"status":"invalid_token","scope":"mail"}"#),
                    "{report:?}"
                );
            }
        }
    }
}

#[test]
fn long_responses_go_behind_a_334() {
    // 512 octets are the most of a command line; a token may have thousands.
    let token: &'static str = Box::leak("t0k".repeat(2000).into_boxed_str());
    for mechanism in ["XOAUTH2", "OAUTHBEARER"] {
        let login: Login = std::sync::Arc::new(move |peer, _, initial| {
            assert!(initial.is_none());
            let said = peer.challenge(b"")?;
            let good = said.windows(token.len()).any(|w| w == token.as_bytes());
            peer.say(if good { "235 ok" } else { "535 no" })?;
            Ok(good)
        });
        let (client, report, heard) = run(secure(mechanism, login), |c| {
            c.with(|o| (o.username, o.oauthtoken) = (Some(USER.to_owned()), Some(token.into())))
        });
        assert!(report.complete(), "{report:?}");
        assert!(heard.secure_text().lines().any(|line| line == format!("AUTH {mechanism}")));
        assert!(!client.transcript().contains("t0kt0k") && !client.transcript().contains("dDBr"));
    }
    let (_, report, _) = run(secure("PLAIN", sasl::login(PASSWORD)), |c| {
        c.with_password(&[]).with(|o| o.username = Some("u".repeat(600)))
    });
    assert_eq!(error(&report).reply().unwrap().code(), 535);
}

#[test]
fn a_certificate_logs_in_without_a_password() {
    let own = Spec::server().issue(Some(&TRUSTED));
    for shown in [true, false] {
        let script = Script::starttls(if shown { asking_acceptor(&GOOD) } else { acceptor(&GOOD) })
            .with(|s| (s.secure, s.login) = (vec!["AUTH EXTERNAL"], Some(sasl::login(PASSWORD))));
        let (client, report, heard) = run(script, |mut c| {
            let cert = c.folder.file("own.pem", [own.cert_pem(), own.key_pem()].concat());
            c.options.tlscertfile = Some(cert.display().to_string());
            c.with(|o| o.username = Some(USER.to_owned()))
        });
        check("EXTERNAL", shown, &client, &report, &heard);
    }
}

#[test]
fn a_challenge_that_makes_no_sense_is_cancelled() {
    for (mechanism, reply) in [
        ("CRAM-MD5", "334 !!!"),
        ("SCRAM-SHA-256", "334 bm9uc2Vuc2U="),
        ("SCRAM-SHA-256", "334 ====="),
        ("DIGEST-MD5", "334 bm9uc2Vuc2U="),
        ("PLAIN", "334 bW9yZQ=="),
        ("CRAM-MD5", "354 go on"),
    ] {
        let (client, report, heard) = run(plain(mechanism, sasl::answering(reply)), |c| c.with_password(&[]));
        let text = heard.plain_text();
        assert!(text.contains("\r\n*\r\nQUIT\r\n"), "{mechanism} {reply}: {text}");
        assert_eq!(error(&report).kind(), Kind::Login);
        assert!(client.transcript().contains("Client: *\n"));
        client.shows_no_secret(&report);
    }
}

#[test]
fn after_a_cancel_the_next_mechanism_is_tried() {
    let honest = sasl::login(PASSWORD);
    let login: Login = std::sync::Arc::new(move |peer, mechanism, initial| match mechanism {
        "CRAM-MD5" => sasl::answering("334 !!!")(peer, mechanism, initial),
        _ => honest(peer, mechanism, initial),
    });
    let (_, report, heard) = run(plain("CRAM-MD5 PLAIN", login), |c| c.with_password(&[]));
    assert!(report.complete(), "{report:?}");
    assert_eq!(heard.logins.len(), 2);
    let logins = &report.attempts[0].logins;
    assert!(logins[0].error.is_some() && logins[1].error.is_none());
}

#[test]
fn success_is_235_alone() {
    for reply in ["250 2.7.0 fine", "200 ok", "234 go", "299 x"] {
        let (client, report, heard) =
            run(plain("PLAIN LOGIN", sasl::answering(reply)), |c| c.with_password(&[]));
        assert_eq!(error(&report).kind(), Kind::Login, "{reply}");
        assert!(error(&report).text().contains("235"), "{report:?}");
        // Nobody knows what such a server thinks, so nothing more is said.
        assert_eq!(heard.logins.len(), 1);
        assert!(!heard.plain_text().contains("MAIL") && heard.messages == 0);
        client.shows_no_secret(&report);
    }
}

#[test]
fn a_temporary_refusal_is_transient_and_a_goodbye_ends_it() {
    let (_, report, _) = run(plain("PLAIN", sasl::answering("454 4.7.0 later")), |c| c.with_password(&[]));
    assert!(error(&report).is_transient());
    let (_, report, heard) =
        run(plain("PLAIN LOGIN", sasl::answering("421 4.7.0 too many")), |c| c.with_password(&[]));
    assert_eq!(error(&report).reply().unwrap().code(), 421);
    assert_eq!(heard.logins.len(), 1);
}
