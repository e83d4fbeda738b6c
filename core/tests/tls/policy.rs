//! What happens when TLS cannot be set up, and whom the library asks.

use smtpclient::error::{Error, Kind, Step};
use smtpclient::options::Options;
use smtpclient::options::TlsAnswer::{self, Insecure, Secure};
use smtpclient::report::Report;

use crate::common::pki::{GOOD, Spec, UNKNOWN};
use crate::common::sasl;
use crate::common::server::{Heard, Script, Server};
use crate::common::{Client, acceptor, error};

/// The ways in which TLS fails, each on a connection of its own.
fn failures() -> Vec<(&'static str, u16, Script)> {
    let good = || Script::starttls(acceptor(&GOOD));
    vec![
        ("refused", 454, good().with(|s| s.starttls = "454 4.7.0 TLS not available")),
        ("refused for good", 502, good().with(|s| s.starttls = "502 5.5.1 what")),
        ("refused with goodbye", 421, good().with(|s| s.starttls = "421 4.3.0 busy")),
        ("closed at STARTTLS", 0, good().with(|s| s.dies_at = "STARTTLS")),
        ("handshake cut", 0, good().with(|s| s.cut = Some(100))),
        ("no handshake", 0, good().with(|s| s.cut = Some(0))),
    ]
}

/// A certificate that does not verify, which only matters where it must.
fn unverified() -> Script {
    Script::starttls(acceptor(&Spec::server().issue(Some(&UNKNOWN))))
}

fn run(scripts: Vec<Script>, change: impl FnOnce(Client) -> Client) -> (Client, Report, Vec<Heard>) {
    let server = Server::start(scripts);
    let client = change(Client::new(&[&server]));
    let report = client.send();
    (client, report, server.finish())
}

#[test]
fn by_default_an_opportunistic_message_goes_on_in_plain_text() {
    for (name, _, script) in failures() {
        let (_, report, heard) = run(vec![script, Script::plain()], |c| c);
        assert!(report.complete(), "{name}: {report:?}");
        assert_eq!(report.attempts[0].policy, Some(Insecure), "{name}");
        assert_eq!(heard.last().unwrap().messages, 1, "{name}");
        // The same connection only where the server is still there and was understood.
        assert_eq!(
            heard.len(),
            if name.starts_with("refused") && !name.contains("goodbye") { 1 } else { 2 },
            "{name}"
        );
    }
}

#[test]
fn the_policy_is_asked_once_with_code_and_text_and_its_answer_is_reported() {
    for (name, code, script) in failures() {
        let (client, report, heard) = run(vec![script.clone(), Script::plain()], |c| c.answering(Insecure));
        assert!(report.complete(), "{name}: {report:?}");
        let asked = client.asked();
        assert_eq!(asked.len(), 1, "{name}: {asked:?}");
        assert_eq!(asked[0].0, code, "{name}");
        assert!(!asked[0].1.is_empty());
        assert!(report.attempts.iter().all(|a| a.policy == Some(Insecure)), "{name}: {report:?}");
        let whole: Vec<u8> = heard.iter().flat_map(|h| h.plain.clone()).collect();
        assert!(String::from_utf8_lossy(&whole).contains("MAIL FROM"), "{name}");

        let (client, report, heard) = run(vec![script, Script::plain()], |c| c.answering(Secure));
        assert_eq!(client.asked().len(), 1, "{name}");
        assert!(!report.sent(), "{name}");
        assert_eq!(report.attempts[0].policy, Some(Secure), "{name}");
        assert_eq!(heard.len(), 1, "{name}: no second connection");
        assert!(!heard[0].plain_text().contains("MAIL"), "{name}");
        assert!(matches!(error(&report).step(), Step::StartTls | Step::Tls), "{name}: {report:?}");
    }
}

#[test]
fn a_server_that_does_not_begin_the_handshake_is_a_question_too() {
    for answer in [Insecure, Secure] {
        let silent = Script::starttls(acceptor(&GOOD)).with(|s| s.tls = None);
        let (client, report, _) = run(vec![silent, Script::plain()], |c| {
            c.answering(answer).with(|o| o.timeout = Some(std::time::Duration::from_secs(1)))
        });
        assert_eq!(report.complete(), answer == Insecure, "{report:?}");
        assert_eq!(client.asked().len(), 1);
        let first = report.attempts[0].error.as_ref().unwrap();
        assert_eq!((first.kind(), first.step()), (Kind::Timeout, Step::Tls));
    }
}

#[test]
fn a_secret_to_be_sent_makes_the_default_secure() {
    let mut all = failures();
    all.push(("unverified", 0, unverified()));
    for (name, _, script) in all {
        let plain = Script::plain().with(|s| {
            (s.plain, s.login) = (vec!["AUTH PLAIN CRAM-MD5"], Some(sasl::login(crate::common::PASSWORD)));
        });
        let (client, report, heard) = run(vec![script, plain], |c| c.with_password(&[]));
        assert!(!report.sent(), "{name}");
        assert_eq!(report.attempts[0].policy, Some(Secure), "{name}");
        assert_eq!(heard.len(), 1, "{name}");
        crate::common::no_secret(name, &heard[0].plain);
        client.shows_no_secret(&report);
    }
}

#[test]
fn a_failed_verification_is_asked_about_where_it_matters() {
    for (answer, sent) in [(Insecure, true), (Secure, false)] {
        let plain = Script::plain().with(|s| {
            (s.plain, s.login) = (vec!["AUTH CRAM-MD5"], Some(sasl::login(crate::common::PASSWORD)));
        });
        let (client, report, heard) =
            run(vec![unverified(), plain], |c| c.with_password(&["CRAM-MD5"]).answering(answer));
        assert_eq!(report.sent(), sent, "{report:?}");
        assert_eq!(client.asked().len(), 1);
        assert!(client.asked()[0].1.contains("unknown issuer"), "{:?}", client.asked());
        assert_eq!(heard.len(), if sent { 2 } else { 1 });
        for heard in &heard {
            crate::common::no_secret("the plain text", &heard.plain);
        }
        client.shows_no_secret(&report);
    }
    // Opportunistic: nothing fails, so there is no question.
    let (client, report, _) = run(vec![unverified()], |c| c.answering(Secure));
    assert!(report.complete());
    assert!(client.asked().is_empty());
}

#[test]
fn nobody_is_asked_where_tls_is_required() {
    for required in ["tlsrequired", "requiretls"] {
        let mut all = failures();
        all.push(("unverified", 0, unverified()));
        all.push(("stripped", 0, Script::plain()));
        for (name, _, script) in all {
            let (client, report, heard) = run(vec![script, Script::plain()], |c| {
                c.answering(Insecure).with(|o| o.set(required, "true").unwrap())
            });
            assert!(!report.sent(), "{name}");
            assert!(client.asked().is_empty(), "{name}");
            assert_eq!(report.attempts[0].policy, None, "{name}");
            assert_eq!(heard.len(), 1, "{name}");
            assert!(!heard[0].plain_text().contains("MAIL"), "{name}");
        }
    }
    // Implicit TLS has no plain text to go back to.
    let script = Script::implicit(acceptor(&Spec::server().issue(Some(&UNKNOWN))));
    let (client, report, heard) =
        run(vec![script, Script::plain()], |c| c.answering(Insecure).with(|o| o.tlsimport = true));
    assert!(!report.sent() && client.asked().is_empty() && heard.len() == 1);
}

#[test]
fn the_next_server_is_tried_after_secure() {
    for (name, _, script) in failures() {
        let bad = Server::one(script);
        let good = Server::one(Script::starttls(acceptor(&GOOD)));
        let client = Client::new(&[&bad, &good]).answering(Secure);
        let report = client.send();
        assert!(report.complete(), "{name}: {report:?}");
        assert_eq!(report.attempts.len(), 2);
        assert_eq!(report.attempts[0].policy, Some(Secure));
        // What was answered for one server says nothing of the next.
        assert_eq!(report.attempts[1].policy, None, "{name}");
        assert!(good.finish()[0].shaken);
    }
}

#[test]
fn plain_text_for_one_server_is_not_plain_text_for_the_next() {
    let bad = Server::start([
        Script::starttls(acceptor(&GOOD)).with(|s| s.cut = Some(10)),
        Script::plain().with(|s| s.dies_at = "EHLO"),
    ]);
    let good = Server::one(Script::starttls(acceptor(&GOOD)));
    let report = Client::new(&[&bad, &good]).send();
    assert!(report.complete(), "{report:?}");
    assert_eq!(report.attempts.len(), 3);
    assert_eq!(report.attempts[2].policy, None);
    let heard = good.finish();
    assert!(heard[0].shaken && !heard[0].plain_text().contains("MAIL"));
}

#[test]
fn a_stripped_starttls_means_plain_text_only_where_that_will_do() {
    let (_, report, heard) = run(vec![Script::plain()], |c| c);
    assert!(report.complete() && report.attempts[0].tls.is_none());
    assert_eq!(heard[0].messages, 1);
    let pin = |o: &mut Options| o.tlsfingerprint = vec!["0".repeat(64)];
    for change in [|o: &mut Options| o.tlsrequired = true, pin] {
        let (_, report, heard) = run(vec![Script::plain()], |c| c.with(change));
        assert_eq!((error(&report).kind(), error(&report).step()), (Kind::Tls, Step::StartTls));
        assert_eq!(heard[0].plain_text(), "EHLO client.example\r\nQUIT\r\n");
    }
}

#[test]
fn plain_text_behind_the_220_is_an_attack_and_no_question() {
    let both: [fn(&mut Script); 4] = [
        |s| s.injected = b"250-mail.example\r\n250 AUTH PLAIN\r\n",
        |s| s.injected = b"2",
        |s| s.injected_later = b"250 mail.example\r\n",
        |s| s.injected_later = b"2",
    ];
    for (n, change) in both.into_iter().enumerate() {
        for answer in [Insecure, Secure] {
            let script = Script::starttls(acceptor(&GOOD)).with(change);
            let (client, report, heard) =
                run(vec![script, Script::plain()], |c| c.with_password(&[]).answering(answer));
            let error: &Error = error(&report);
            assert_eq!((error.kind(), error.step()), (Kind::Tls, Step::StartTls), "{n}: {error}");
            assert!(error.text().contains("after its reply to STARTTLS"), "{n}: {error}");
            assert!(!error.is_transient());
            assert!(client.asked().is_empty(), "{n}: {:?}", client.asked());
            assert_eq!(heard.len(), 1, "{n}: closed, and not tried again");
            assert!(!heard[0].plain_text().contains("MAIL") && heard[0].secure.is_empty());
        }
    }
}

#[test]
fn what_was_learnt_before_tls_is_forgotten() {
    let script = Script::starttls(acceptor(&GOOD)).with(|s| {
        s.plain = vec!["STARTTLS", "SIZE 10", "PIPELINING", "LIMITS RCPTMAX=0"];
    });
    let (_, report, heard) = run(vec![script], |c| c);
    assert!(report.complete(), "{report:?}");
    assert!(report.used.is_empty(), "{:?}", report.used);
    assert!(heard[0].secure_text().starts_with("EHLO client.example\r\nMAIL FROM:<a@client.example>\r\n"));
    // The other way round: what is learnt under TLS counts.
    let script = Script::starttls(acceptor(&GOOD)).with(|s| s.secure = vec!["SIZE 10"]);
    let (_, report, _) = run(vec![script], |c| c);
    assert_eq!(error(&report).kind(), Kind::TooLarge);
}

#[test]
fn a_fixed_answer_is_as_good_as_an_asked_one() {
    for (answer, sent) in [("insecure", true), ("secure", false)] {
        let script = Script::starttls(acceptor(&GOOD)).with(|s| s.starttls = "454 4.7.0 no");
        let (_, report, _) = run(vec![script], |c| c.with(|o| o.set("tlspolicy", answer).unwrap()));
        assert_eq!(report.sent(), sent);
        let expected = if sent { TlsAnswer::Insecure } else { TlsAnswer::Secure };
        assert_eq!(report.attempts[0].policy, Some(expected));
    }
}
