//! Sessions under TLS, driven by verbs.

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::LazyLock;
use std::time::Duration;

use openssl::ssl::SslAcceptor;
use smtpclient::command::{ForwardPath, Mail, MailParameters, Rcpt, RcptParameters, ReversePath};
use smtpclient::error::{Kind, Step};
use smtpclient::net::{Mailer, Session};
use smtpclient::options::TlsAnswer::Insecure;

use crate::common::pki::{GOOD, Issued, Spec, UNKNOWN};
use crate::common::server::{Script, Server};
use crate::common::{Client, PASSWORD, USER, acceptor, message, no_secret, sasl};

/// Offers AUTH under TLS only.
fn script(issued: &Issued) -> Script {
    Script::starttls(acceptor(issued)).with(|s| {
        (s.secure, s.login) = (vec!["AUTH PLAIN LOGIN CRAM-MD5"], Some(sasl::login(PASSWORD)));
    })
}

fn open(client: &Client, server: &Server) -> Session {
    Session::open("127.0.0.1", server.port(), &client.options).unwrap()
}

fn unknown() -> Issued {
    Spec::server().issue(Some(&UNKNOWN))
}

#[test]
fn starttls_authenticate_and_several_messages() {
    let server = Server::one(script(&GOOD));
    let client = Client::new(&[]);
    let mut session = open(&client, &server);
    assert_eq!(session.ehlo(None).unwrap().code(), 250);
    assert_eq!(session.starttls().unwrap().code(), 220);
    assert_eq!(session.starttls().unwrap_err().kind(), Kind::Usage);
    assert!(session.tls().unwrap().verified);
    assert_eq!(session.auth_types().unwrap(), ["PLAIN", "LOGIN", "CRAM-MD5"]);
    assert!(!session.server_options().unwrap().starttls());
    session.authenticate(USER, PASSWORD, Some("LOGIN")).unwrap();
    let again = session.authenticate(USER, PASSWORD, None).unwrap_err();
    assert_eq!(again.kind(), Kind::Usage);
    assert!(again.text().contains("logged in already"), "{again}");
    for n in 0..3 {
        let report = session.send_message(&message(), &client.options).unwrap();
        assert!(report.complete());
        let attempt = &report.attempts[0];
        assert!(attempt.tls.as_ref().unwrap().verified, "{n}: {attempt:?}");
        assert_eq!(attempt.logins.len(), 1, "{n}");
        assert_eq!(attempt.logins[0].mechanism, "LOGIN");
    }
    session.close();
    let heard = &server.finish()[0];
    assert_eq!(heard.messages, 3);
    assert_eq!(heard.logins, [("LOGIN".to_owned(), true)]);
    assert!(!heard.plain_text().contains("AUTH"));
    no_secret("the transcript", client.transcript().as_bytes());
}

#[test]
fn starttls_verifies_unless_it_is_told_not_to() {
    let server = Server::start([script(&unknown()), script(&unknown())]);
    let client = Client::new(&[]);
    let mut session = open(&client, &server);
    let error = session.starttls().unwrap_err();
    assert_eq!((error.kind(), error.step()), (Kind::Tls, Step::Tls));
    assert!(!session.is_open());
    assert!(session.noop().is_err());
    let client = client.with(|o| o.tlsverify = false);
    let mut session = open(&client, &server);
    session.starttls().unwrap();
    assert!(!session.tls().unwrap().verified);
    session.close();
}

#[test]
fn a_refused_starttls_is_a_reply_and_the_session_goes_on() {
    let server = Server::one(script(&GOOD).with(|s| s.starttls = "454 4.7.0 not now"));
    let client = Client::new(&[]).with(|o| o.usetls = false);
    let mut session = open(&client, &server);
    assert_eq!(session.starttls().unwrap().code(), 454);
    assert!(session.is_open() && session.tls().is_none());
    assert!(session.send_message(&message(), &client.options).unwrap().complete());
    session.close();
    assert_eq!(server.finish()[0].messages, 1);
}

#[test]
fn an_injection_behind_the_220_closes_the_session() {
    for change in [(|s| s.injected = b"250 x\r\n") as fn(&mut Script), |s| s.injected_later = b"250 x\r\n"] {
        let server = Server::one(script(&GOOD).with(change));
        let mut session = open(&Client::new(&[]), &server);
        let error = session.starttls().unwrap_err();
        assert_eq!((error.kind(), error.step()), (Kind::Tls, Step::StartTls), "{error}");
        assert!(!session.is_open());
        drop(session);
        assert!(server.finish()[0].secure.is_empty());
    }
}

#[test]
fn tls_from_the_first_byte_and_adopted_sockets() {
    for adopted in [false, true] {
        let server = Server::one(Script::implicit(acceptor(&GOOD)).with(|s| {
            (s.secure, s.login) = (vec!["AUTH PLAIN"], Some(sasl::login(PASSWORD)));
        }));
        let client = Client::new(&[]).with(|o| o.tlsimport = true);
        let mut session = if adopted {
            let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
            Session::adopt(OwnedFd::from(stream), "mx.example.org", &client.options).unwrap()
        } else {
            open(&client, &server)
        };
        assert!(session.tls().unwrap().verified);
        assert_eq!(session.starttls().unwrap_err().kind(), Kind::Usage);
        session.authenticate(USER, PASSWORD, None).unwrap();
        for _ in 0..2 {
            let report = session.send_message(&message(), &client.options).unwrap();
            assert!(report.attempts[0].tls.as_ref().unwrap().verified);
        }
        session.close();
        assert_eq!(server.finish()[0].messages, 2);
    }
    // The name is the one that the certificate must be for.
    let server = Server::one(Script::implicit(acceptor(&GOOD)));
    let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let client = Client::new(&[]).with(|o| o.tlsimport = true);
    let error = Session::adopt(OwnedFd::from(stream), "other.example.org", &client.options).err().unwrap();
    assert!(error.text().contains("another host name"), "{error}");
}

#[test]
fn an_adopted_socket_and_starttls() {
    let server = Server::one(script(&GOOD));
    let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let client = Client::new(&[]);
    let mut session = Session::adopt(OwnedFd::from(stream), "mx.example.org", &client.options).unwrap();
    session.authenticate(USER, PASSWORD, None).unwrap();
    assert!(session.send_message(&message(), &client.options).unwrap().complete());
    session.close();
    let heard = &server.finish()[0];
    assert!(heard.shaken && heard.messages == 1);
    assert!(!heard.plain_text().contains("AUTH"));
}

#[test]
fn authenticate_takes_starttls_first_where_it_is_offered() {
    let server = Server::one(script(&GOOD).with(|s| s.plain.push("AUTH PLAIN LOGIN CRAM-MD5")));
    let client = Client::new(&[]);
    let mut session = open(&client, &server);
    session.authenticate(USER, PASSWORD, None).unwrap();
    assert!(session.tls().unwrap().verified);
    session.close();
    let heard = &server.finish()[0];
    assert!(!heard.plain_text().contains("AUTH"), "{heard:?}");
}

#[test]
fn no_secret_goes_over_tls_that_was_not_verified() {
    // What the session set up by itself, when no secret was in sight, took any certificate.
    for issued in [&*GOOD, &unknown()] {
        let good = std::ptr::eq(issued, &*GOOD);
        let server = Server::start([script(issued), script(issued)]);
        let client = Client::new(&[]);
        let mut session = open(&client, &server);
        assert_eq!(session.auth_types().unwrap().len(), 3);
        let result = session.authenticate(USER, PASSWORD, None);
        assert_eq!(result.is_ok(), good, "{result:?}");
        if let Err(error) = result {
            assert_eq!(error.kind(), Kind::Tls, "{error}");
        } else {
            assert!(session.tls().unwrap().verified);
            assert!(session.send_message(&message(), &client.options).unwrap().complete());
        }
        drop(session);
        for heard in server.finish() {
            no_secret("the plain text", &heard.plain);
            if !good {
                no_secret("what an impostor got", &heard.secure);
                assert!(heard.logins.is_empty());
            }
        }
    }
    // tlsverify off, or a pin that matches, is the caller's word for it.
    let server = Server::one(script(&unknown()));
    let mut session = open(&Client::new(&[]).with(|o| o.tlsverify = false), &server);
    session.auth_types().unwrap();
    session.authenticate(USER, PASSWORD, None).unwrap();
    session.close();
}

#[test]
fn no_login_in_plain_text_where_tls_is_required() {
    let plain = || {
        Script::plain()
            .with(|s| (s.plain, s.login) = (vec!["AUTH PLAIN CRAM-MD5"], Some(sasl::login(PASSWORD))))
    };
    let server = Server::one(plain());
    let client = Client::new(&[]).with(|o| o.tlsrequired = true);
    let mut session = open(&client, &server);
    let error = session.authenticate(USER, PASSWORD, None).unwrap_err();
    assert_eq!(error.kind(), Kind::Tls, "{error}");
    assert!(session.send_message(&message(), &client.options).is_err());
    drop(session);
    let heard = server.finish();
    assert!(!heard[0].plain_text().contains("AUTH") && !heard[0].plain_text().contains("MAIL"));
    // Also where only the message wants it.
    for option in ["tlsrequired", "requiretls"] {
        let server = Server::one(plain().with(|s| s.plain = vec!["REQUIRETLS"]));
        let client = Client::new(&[]);
        let mut session = open(&client, &server);
        let strict = client.with(|o| o.set(option, "true").unwrap());
        let failed = session.send_message(&message(), &strict.options).unwrap_err();
        assert_eq!(failed.error.kind(), Kind::Tls, "{failed}");
        session.close();
        assert!(!server.finish()[0].plain_text().contains("MAIL"));
    }
}

#[test]
fn a_login_in_plain_text_is_not_undone_by_starttls() {
    // After STARTTLS a server has forgotten who it is talking to (RFC 3207 section 4.2).
    let server = Server::one(script(&GOOD).with(|s| s.plain.push("AUTH CRAM-MD5")));
    let client = Client::new(&[]).with(|o| o.usetls = false);
    let mut session = open(&client, &server);
    session.authenticate(USER, PASSWORD, None).unwrap();
    assert!(session.send_message(&message(), &client.options).unwrap().complete());
    // Who asks for it by name must log in again.
    session.starttls().unwrap();
    session.authenticate(USER, PASSWORD, None).unwrap();
    session.close();
    let heard = &server.finish()[0];
    assert_eq!(heard.logins.len(), 2);
}

#[test]
fn a_session_goes_on_in_plain_text_where_the_policy_says_so() {
    let bad = script(&GOOD).with(|s| s.cut = Some(50));
    let plain = Script::plain().with(|s| {
        (s.plain, s.login) = (vec!["AUTH CRAM-MD5"], Some(sasl::login(PASSWORD)));
    });
    let server = Server::start([bad.clone(), plain.clone(), bad, plain]);
    let client = Client::new(&[]).answering(Insecure);
    let mut session = open(&client, &server);
    let report = session.send_message(&message(), &client.options).unwrap();
    // Both connections are told of: the one that TLS failed on, and the one that went on without.
    let [failed, plain] = &report.attempts[..] else { panic!("{:?}", report.attempts) };
    assert!(failed.error.as_ref().is_some_and(|error| error.step() == Step::Tls), "{failed:?}");
    assert!(plain.error.is_none() && plain.tls.is_none() && plain.policy == Some(Insecure), "{plain:?}");
    session.close();
    // The credentials are not lost with the first connection.
    let mut session = open(&client, &server);
    session.authenticate(USER, PASSWORD, None).unwrap();
    assert!(session.send_message(&message(), &client.options).unwrap().complete());
    session.close();
    let heard = server.finish();
    assert_eq!(heard[3].logins, [("CRAM-MD5".to_owned(), true)]);
    for heard in &heard {
        no_secret("the plain text", &heard.plain);
    }
    // A socket of the caller's cannot be connected anew.
    let server = Server::one(script(&GOOD).with(|s| s.cut = Some(50)));
    let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let mut session = Session::adopt(OwnedFd::from(stream), "mx.example.org", &client.options).unwrap();
    let failed = session.send_message(&message(), &client.options).unwrap_err();
    assert_eq!(failed.error.kind(), Kind::Tls, "{failed}");
    assert!(!session.is_open());
}

#[test]
fn external_by_name_needs_no_password() {
    let own = Spec::server().issue(Some(&crate::common::pki::TRUSTED));
    let server = Server::one(Script::starttls(crate::common::asking_acceptor(&GOOD)).with(|s| {
        (s.secure, s.login) = (vec!["AUTH EXTERNAL PLAIN"], Some(sasl::login(PASSWORD)));
    }));
    let mut client = Client::new(&[]);
    client.options.tlscertfile = Some(client.folder.file("c.pem", own.cert_pem()).display().to_string());
    client.options.tlskeyfile = Some(client.folder.file("k.pem", own.key_pem()).display().to_string());
    let mut session = open(&client, &server);
    session.authenticate(USER, "", Some("EXTERNAL")).unwrap();
    session.close();
    assert_eq!(server.finish()[0].logins, [("EXTERNAL".to_owned(), true)]);
}

#[test]
fn verbs_under_tls() {
    let server = Server::one(script(&GOOD));
    let mut session = open(&Client::new(&[]), &server);
    session.starttls().unwrap();
    assert!(!session.server_options().unwrap().starttls());
    session.ehlo(None).unwrap();
    let path = ReversePath::new("a@client.example").unwrap();
    session.mail(Mail { path, parameters: MailParameters::default() }).unwrap();
    let path = ForwardPath::new("b@mail.example").unwrap();
    session.rcpt(Rcpt { path, parameters: RcptParameters::default() }).unwrap();
    let report = session.data(Box::new(&b"Subject: x\n\nHi\n"[..])).unwrap();
    assert_eq!(report.reply.unwrap().code(), 250);
    assert_eq!(session.quit().unwrap().code(), 221);
    let heard = &server.finish()[0];
    assert_eq!(heard.messages, 1);
    // Exim, for one, refuses a STARTTLS that it did not offer yet.
    assert!(heard.plain_text().starts_with("EHLO client.example\r\nSTARTTLS\r\n"), "{heard:?}");
}

/// What a mailer's later connections find, and a session's with the same options.
#[test]
fn later_connections_resume_and_say_so() {
    let resumes = cfg!(any(feature = "tls-openssl", feature = "tls-rustls"));
    let server = Server::start((0..4).map(|_| Script::starttls(acceptor_of_all())));
    let client = Client::new(&[&server]).with(|o| {
        o.tlsrequired = true;
    });
    let mut options = client.options.clone();
    options.set("connections", "1").unwrap();
    options.set("connectionmessages", "1").unwrap();
    let mailer = Mailer::new(&options).unwrap();
    for number in 0..3 {
        mailer.submit(&message(), None).unwrap();
        let (_, report) = mailer.next_report(Duration::from_secs(15)).unwrap();
        assert!(report.complete(), "{report:?}");
        let facts = report.attempts[0].tls.as_ref().unwrap();
        assert!(facts.verified, "{facts:?}");
        assert_eq!(facts.resumed, resumes && number > 0, "{number}: {facts:?}");
    }
    assert!(mailer.close(Duration::from_secs(15)).unwrap());
    let mut session = open(&client, &server);
    session.server_options().unwrap();
    assert_eq!(session.tls().unwrap().resumed, resumes);
    session.close();
    assert!(server.finish().iter().all(|heard| heard.shaken));
}

/// One for all connections: its tickets are good for the next.
fn acceptor_of_all() -> SslAcceptor {
    static ONE: LazyLock<SslAcceptor> = LazyLock::new(|| acceptor(&GOOD));
    ONE.clone()
}
