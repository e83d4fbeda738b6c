//! Which mechanisms are tried, in which order, and where none may be.

use smtpclient::conversation::{Action, Conversation, Driven};
use smtpclient::error::{Kind, Step};
use smtpclient::options::Options;

use crate::common::memory::{delivery, take};
use crate::common::pki::{GOOD, Spec, UNKNOWN};
use crate::common::sasl;
use crate::common::server::{Script, Server};
use crate::common::{Client, PASSWORD, TOKEN, USER, acceptor, error, message, no_secret};

const ALL: &str = "AUTH LOGIN PLAIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256";

fn tried(keywords: Vec<&'static str>, allowed: &[&str]) -> Vec<String> {
    let server = Server::one(Script::starttls(acceptor(&GOOD)).with(|s| {
        (s.secure, s.login) = (keywords, Some(sasl::login("another-one")));
    }));
    let client = Client::new(&[&server]).with_password(allowed);
    let report = client.send();
    assert!(!report.sent());
    client.shows_no_secret(&report);
    let heard = server.finish();
    let tried: Vec<String> = heard[0].logins.iter().map(|(name, _)| name.clone()).collect();
    let reported: Vec<_> = report.attempts[0].logins.iter().map(|l| l.mechanism.to_owned()).collect();
    assert_eq!(tried, reported, "every attempt is in the report");
    tried
}

#[test]
fn strongest_first_each_in_turn() {
    assert_eq!(
        tried(vec![ALL], &[]),
        ["SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"]
    );
}

#[test]
fn nothing_unbound_follows_a_bound_login_that_is_refused() {
    assert_eq!(
        tried(vec!["AUTH SCRAM-SHA-1-PLUS SCRAM-SHA-1 SCRAM-SHA-256 PLAIN"], &[]),
        ["SCRAM-SHA-1-PLUS"]
    );
    let server = Server::one(Script::starttls(acceptor(&GOOD)).with(|s| {
        (s.secure, s.login) =
            (vec!["AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN"], Some(sasl::login("another-one")));
    }));
    let client = Client::new(&[&server]).with_password(&[]);
    let report = client.send();
    let text = error(&report).text();
    assert!(text.contains("PLAIN") && text.contains("option auth"), "{text}");
    assert_eq!(server.finish()[0].logins.len(), 1);
}

#[test]
fn a_scram_that_does_not_bind_follows_where_the_server_knows_no_plus() {
    // One that does bind, and whose 504 somebody in between invented, sees `y` and refuses.
    for (binds, complete) in [(false, true), (true, false)] {
        let honest = sasl::login(PASSWORD);
        let login: sasl::Login = std::sync::Arc::new(move |peer, mechanism, initial| {
            if mechanism.ends_with("-PLUS") {
                peer.say("504 5.5.4 unrecognized authentication type")?;
                if !binds {
                    peer.heard.logins.clear();
                }
                return Ok(false);
            }
            honest(peer, mechanism, initial)
        });
        let server = Server::one(Script::starttls(acceptor(&GOOD)).with(|s| {
            let offer = "AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-1 SCRAM-SHA-256 PLAIN LOGIN";
            (s.secure, s.login) = (vec![offer], Some(login));
        }));
        let client = Client::new(&[&server]).with_password(&[]);
        let report = client.send();
        assert_eq!(report.complete(), complete, "{report:?}");
        client.shows_no_secret(&report);
        let heard = server.finish().remove(0);
        assert_eq!(heard.bound_by, "y");
        assert!(!heard.secure_text().contains("PLAIN"), "{}", heard.secure_text());
        let tried: Vec<_> = report.attempts[0].logins.iter().map(|login| login.mechanism.as_str()).collect();
        let mut wanted = vec!["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"];
        wanted.truncate(if complete { 3 } else { 4 });
        assert_eq!(tried, wanted);
    }
}

#[test]
fn few_scram_iterations_are_refused_where_no_certificate_was_verified() {
    for (tls, verify, least) in [(false, true, 4096), (true, false, 4096), (true, true, 1)] {
        for count in [1, 4095, 4096] {
            let unknown = Spec::server().issue(Some(&UNKNOWN));
            let shown = if verify { &GOOD } else { &unknown };
            let server = Server::one(
                if tls { Script::starttls(acceptor(shown)) } else { Script::plain() }.with(|s| {
                    (s.plain, s.secure) =
                        (vec!["STARTTLS", "AUTH SCRAM-SHA-256"], vec!["AUTH SCRAM-SHA-256"]);
                    s.login = Some(sasl::login_with(PASSWORD, count));
                    if !tls {
                        s.plain.remove(0);
                    }
                }),
            );
            let client = Client::new(&[&server]).with_password(&[]).with(|o| o.tlsverify = verify);
            let report = client.send();
            assert_eq!(report.complete(), count >= least, "{tls} {verify} {count}: {report:?}");
            if count < least {
                assert!(error(&report).text().contains("4096"), "{report:?}");
            }
            server.finish();
        }
    }
}

#[test]
fn auth_restricts_and_orders() {
    assert_eq!(tried(vec![ALL], &["login", "CRAM-MD5"]), ["LOGIN", "CRAM-MD5"]);
    let client = Client::new(&[]).with_password(&["NTLM"]);
    let report = client.send();
    let error = error(&report);
    assert_eq!(error.kind(), Kind::Usage, "{error}");
    assert!(error.text().contains("`auth`") && error.text().contains("NTLM"), "{error}");
}

#[test]
fn the_old_syntax_is_understood() {
    assert_eq!(tried(vec!["AUTH=LOGIN PLAIN", "AUTH CRAM-MD5"], &[]), ["CRAM-MD5", "PLAIN", "LOGIN"]);
}

#[test]
fn credentials_and_no_login_are_an_error_and_nothing_is_sent() {
    for keywords in [vec![], vec!["AUTH"], vec!["AUTH NTLM GSSAPI"]] {
        let server = Server::one(Script::plain().with(|s| s.plain = keywords));
        let client = Client::new(&[&server]).with_password(&[]);
        let report = client.send();
        let error = error(&report);
        assert_eq!((error.kind(), error.step()), (Kind::Login, Step::Auth), "{error}");
        assert!(!error.is_transient());
        assert_eq!(server.finish()[0].plain_text(), "EHLO client.example\r\nQUIT\r\n");
        client.shows_no_secret(&report);
    }
}

#[test]
fn half_of_the_credentials_is_an_error_too() {
    for change in
        [(|o| o.username = Some(USER.to_owned())) as fn(&mut Options), |o| o.password = Some(PASSWORD.into())]
    {
        let server = Server::one(Script::plain().with(|s| s.plain = vec![ALL]));
        let report = Client::new(&[&server]).with(change).send();
        assert_eq!(error(&report).kind(), Kind::Login, "{report:?}");
        assert!(error(&report).text().contains("none is set"), "{report:?}");
        assert!(!server.finish()[0].plain_text().contains("AUTH"));
    }
}

#[test]
fn auth_that_goes_away_under_tls_is_not_used() {
    let server = Server::one(Script::starttls(acceptor(&GOOD)).with(|s| s.plain = vec!["STARTTLS", ALL]));
    let report = Client::new(&[&server]).with_password(&[]).send();
    assert_eq!(error(&report).kind(), Kind::Login);
    let heard = server.finish();
    assert!(!heard[0].plain_text().contains("AUTH") && !heard[0].secure_text().contains("AUTH"));
}

#[test]
fn the_next_server_is_tried_where_no_login_succeeds() {
    let wrong = Server::one(Script::plain().with(|s| {
        (s.plain, s.login) = (vec!["AUTH CRAM-MD5"], Some(sasl::login("another-one")));
    }));
    let right = Server::one(Script::plain().with(|s| {
        (s.plain, s.login) = (vec!["AUTH CRAM-MD5"], Some(sasl::login(PASSWORD)));
    }));
    let report = Client::new(&[&wrong, &right]).with_password(&[]).send();
    assert!(report.complete(), "{report:?}");
    assert_eq!(report.attempts[0].error.as_ref().unwrap().kind(), Kind::Login);
    assert_eq!(report.attempts[1].logins.len(), 1);
}

/// What a server that is not this machine gets in plain text.
fn far(keywords: &str, change: fn(&mut Options)) -> (String, Option<Kind>) {
    let mut options = Options::default();
    options.username = Some(USER.to_owned());
    options.password = Some(PASSWORD.into());
    options.oauthtoken = Some(TOKEN.into());
    options.servers = vec!["mail.example".to_owned()];
    change(&mut options);
    let mut delivery = delivery(&message(), &options, None, false);
    let mut heard = Vec::new();
    let ehlo = format!("250-s\r\n250-{keywords}\r\n250 SIZE\r\n");
    for reply in ["220 s\r\n", ehlo.as_str(), "535 no\r\n", "535 no\r\n", "535 no\r\n", "535 no\r\n"] {
        heard.extend(take(&mut delivery));
        delivery.handle_input(reply.as_bytes());
    }
    heard.extend(take(&mut delivery));
    delivery.handle_eof();
    assert_eq!(delivery.action(), Action::Done);
    let kind = delivery.into_report().error.map(|error| error.kind());
    (String::from_utf8(heard).unwrap(), kind)
}

#[test]
fn nothing_that_shows_a_secret_goes_in_plain_text_to_another_machine() {
    let (heard, kind) = far("AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER", |_| {});
    assert_eq!(kind, Some(Kind::Login));
    assert!(!heard.contains("AUTH") && heard.ends_with("QUIT\r\n"), "{heard}");
    no_secret("the plain text", heard.as_bytes());
    // A stripped STARTTLS with an AUTH that is offered in the clear alone is not any better.
    for change in [
        (|o: &mut Options| o.tlsrequired = true) as fn(&mut Options),
        |o| o.set("tlspolicy", "insecure").unwrap(),
        |o| o.auth = vec!["PLAIN".to_owned()],
        |o| o.usetls = false,
    ] {
        let (heard, kind) = far("AUTH PLAIN LOGIN", change);
        assert!(kind.is_some() && !heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
    }
    let (heard, _) = far("AUTH PLAIN LOGIN CRAM-MD5", |_| {});
    assert!(heard.contains("AUTH CRAM-MD5\r\n") && !heard.contains("PLAIN"), "{heard}");
    no_secret("the plain text", heard.as_bytes());
    // But by the caller's word it does.
    let (heard, _) = far("AUTH PLAIN", |o| o.authinsecure = true);
    assert!(heard.contains("AUTH PLAIN "), "{heard}");
}

#[test]
fn credentials_that_cannot_be_are_found_before_a_connection() {
    for (change, name) in [
        ((|o| o.username = Some("a\0b".to_owned())) as fn(&mut Options), "username"),
        (|o| o.username = Some("a\r\nb".to_owned()), "username"),
        (|o| o.password = Some("a\0b".into()), "password"),
        (|o| o.password = Some("a\nb".into()), "password"),
        (|o| o.oauthtoken = Some("a\rb".into()), "oauthtoken"),
        (|o| o.oauthtoken = Some("Bearer x".into()), "oauthtoken"),
    ] {
        let server = Server::one(Script::plain().with(|s| s.plain = vec![ALL]));
        let client = Client::new(&[&server]).with_password(&[]).with(change);
        let report = client.send();
        assert_eq!(error(&report).kind(), Kind::Usage, "{report:?}");
        assert!(error(&report).text().contains(&format!("option `{name}`")), "{report:?}");
        let opened = smtpclient::net::Session::open("127.0.0.1", server.port(), &client.options);
        assert_eq!(opened.err().unwrap().kind(), Kind::Usage);
        assert!(server.finish().is_empty());
        client.shows_no_secret(&report);
    }
    let server = Server::one(Script::plain().with(|s| s.plain = vec![ALL]));
    let client = Client::new(&[]);
    let mut session = smtpclient::net::Session::open("127.0.0.1", server.port(), &client.options).unwrap();
    assert_eq!(session.authenticate("a\0", "b", None).unwrap_err().kind(), Kind::Usage);
    assert!(session.is_open());
    session.close();
    assert!(!server.finish()[0].plain_text().contains("AUTH"));
}

#[test]
fn a_name_that_a_mechanism_cannot_carry_is_an_error_and_no_silence() {
    // Found when the mechanism begins; a report without an error would look as if recipients had been refused.
    let server = Server::one(Script::plain().with(|s| s.plain = vec!["AUTH XOAUTH2"]));
    let client = Client::new(&[&server])
        .with(|o| (o.username, o.oauthtoken) = (Some("a\x01b".to_owned()), Some(TOKEN.into())));
    let failed = smtpclient::net::sendmessage(&message(), &client.options).unwrap_err();
    assert_eq!(failed.error.kind(), Kind::Usage, "{failed}");
    assert!(failed.error.text().contains("username"), "{failed}");
}
