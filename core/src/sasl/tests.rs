//! Whole exchanges, with servers that behave and servers that do not.

use MechanismName as M;
use proptest::prelude::*;

use super::*;
use crate::error::{Kind, Step};
use crate::reply::Reply;

const PASSWORD: &str = "tanstaaftanstaaf";
const TOKEN: &str = "ya29.t0ken-t0ken-t0ken";

fn credentials() -> Credentials {
    Credentials {
        oauth_token: Some(TOKEN.into()),
        external: true,
        ..Credentials::with_password("tim", PASSWORD)
    }
}

fn channel() -> Channel {
    let binding = ChannelBinding { kind: BindingKind::TlsUnique, data: vec![1; 12] };
    Channel { encrypted: true, bindings: vec![binding], ..Channel::new("mail.example.org", 587) }
}

fn exchange_of(name: M, credentials: &Credentials) -> Exchange {
    let offered = [name.as_str().to_owned()];
    Exchange::new(start(&name, credentials, &channel(), &offered).unwrap())
}

fn exchange(name: M) -> Exchange {
    exchange_of(name, &credentials())
}

fn command(exchange: &mut Exchange) -> String {
    let mut out = Vec::new();
    exchange.command(&mut out);
    String::from_utf8(out).unwrap()
}

/// The line that answers a reply, which must not end the exchange.
fn line(exchange: &mut Exchange, code: u16, text: &str) -> String {
    let mut out = Vec::new();
    match exchange.reply(&Reply::new(code, text), &mut out) {
        ExchangeStep::Continue => assert_ne!(out, b"*\r\n"),
        ExchangeStep::Cancelled => assert_eq!(out, b"*\r\n"),
        other => panic!("{other:?}"),
    }
    String::from_utf8(out).unwrap()
}

/// The end that a reply leads to; nothing is written any more.
fn end(exchange: &mut Exchange, code: u16, text: &str) -> Result<(), LoginFault> {
    let mut out = Vec::new();
    match exchange.reply(&Reply::new(code, text), &mut out) {
        ExchangeStep::Done(done) => {
            assert!(out.is_empty());
            done
        }
        other => panic!("{other:?} {out:?}"),
    }
}

fn failed(exchange: &mut Exchange, code: u16, text: &str) -> LoginFault {
    end(exchange, code, text).unwrap_err()
}

#[test]
fn plain_with_initial_response() {
    let mut plain = exchange(M::Plain);
    assert_eq!(command(&mut plain), "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
    end(&mut plain, 235, "2.7.0 ok").unwrap();
}

#[test]
fn a_refusal_keeps_the_servers_words() {
    let mut plain = exchange(M::Plain);
    command(&mut plain);
    let fault = failed(&mut plain, 535, "5.7.8 bad credentials");
    assert_eq!(fault.to_string(), "PLAIN: the server refuses the login: 535 5.7.8 bad credentials");
    assert!(!fault.security);
}

#[test]
fn a_command_has_512_octets_at_most() {
    // "AUTH PLAIN " + 4 * n / 3 + CRLF: 372 octets of message give 509 octets, 373 give 513.
    for (password, expected) in [(372 - 5, 509), (373 - 5, 12)] {
        let secret = "x".repeat(password);
        let mut plain = exchange_of(M::Plain, &Credentials::with_password("tim", secret));
        let sent = command(&mut plain);
        assert_eq!(sent.len(), expected);
        if sent == "AUTH PLAIN\r\n" {
            let sent = line(&mut plain, 334, "");
            assert_eq!(sent.len(), 500 + 2);
            assert_eq!(line(&mut plain, 334, ""), "*\r\n");
        }
    }
}

#[test]
fn a_command_of_exactly_512_octets_is_sent() {
    // "AUTH EXTERNAL " + 496 + CRLF.
    for (length, expected) in [(372, 512), (373, "AUTH EXTERNAL\r\n".len())] {
        let long = Credentials { username: "u".repeat(length), external: true, ..Credentials::default() };
        assert_eq!(command(&mut exchange_of(M::External, &long)).len(), expected);
    }
}

#[test]
fn a_held_initial_response_waits_for_any_334() {
    for challenge in ["", "=", "go ahead"] {
        let long = Credentials { oauth_token: Some("t".repeat(4000).into()), ..credentials() };
        let mut bearer = exchange_of(M::OauthBearer, &long);
        assert_eq!(command(&mut bearer), "AUTH OAUTHBEARER\r\n");
        assert!(line(&mut bearer, 334, challenge).starts_with("bixhPXRpbSwB"));
        end(&mut bearer, 235, "ok").unwrap();
    }
}

#[test]
fn login_ignores_the_prompts() {
    for (first, second) in [("VXNlcm5hbWU6", "UGFzc3dvcmQ6"), ("", ""), ("Username:", "Password:")] {
        let mut login = exchange(M::Login);
        assert_eq!(command(&mut login), "AUTH LOGIN\r\n");
        assert_eq!(line(&mut login, 334, first), "dGlt\r\n");
        assert_eq!(line(&mut login, 334, second), "dGFuc3RhYWZ0YW5zdGFhZg==\r\n");
        end(&mut login, 235, "ok").unwrap();
    }
    let mut login = exchange(M::Login);
    command(&mut login);
    line(&mut login, 334, "");
    line(&mut login, 334, "");
    assert_eq!(line(&mut login, 334, ""), "*\r\n");
    assert!(failed(&mut login, 501, "cancelled").text.contains("one challenge more"));
}

#[test]
fn external_says_who_or_nothing() {
    let nobody = Credentials { external: true, ..Credentials::default() };
    assert_eq!(command(&mut exchange_of(M::External, &nobody)), "AUTH EXTERNAL =\r\n");
    let tim = Credentials { username: "tim".into(), ..nobody.clone() };
    assert_eq!(command(&mut exchange_of(M::External, &tim)), "AUTH EXTERNAL dGlt\r\n");
    let ursel = Credentials { authorization_id: Some("ursel".into()), ..tim };
    assert_eq!(command(&mut exchange_of(M::External, &ursel)), "AUTH EXTERNAL dXJzZWw=\r\n");
}

#[test]
fn the_oauth_error_is_kept() {
    // RFC 7628 section 4.3.
    let json = "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NoZW1lcyI6ImJlYXJlciBtYWMiLCJzY29wZSI6Imh0dHBzOi8vbWFp\
                bC5leGFtcGxlLmNvbS8ifQ==";
    for (name, answer) in [(M::Xoauth2, "\r\n"), (M::OauthBearer, "AQ==\r\n")] {
        let mut oauth = exchange(name);
        command(&mut oauth);
        assert_eq!(line(&mut oauth, 334, json), answer);
        let fault = failed(&mut oauth, 535, "5.7.1 Username and Password not accepted");
        assert!(fault.text.contains(r#""status":"invalid_token""#), "{fault}");
        assert_eq!(fault.reply.unwrap().code(), 535);
    }
}

#[test]
fn rfc_2195_on_the_wire() {
    let mut cram = exchange(M::CramMd5);
    assert_eq!(command(&mut cram), "AUTH CRAM-MD5\r\n");
    let challenge = "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+";
    assert_eq!(line(&mut cram, 334, challenge), "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n");
    end(&mut cram, 235, "ok").unwrap();
}

#[test]
fn garbage_in_a_challenge_cancels() {
    for name in M::ALL.into_iter().filter(|name| *name != M::Login) {
        for garbage in ["Username:", "Zm9v\nZm9v", "Zm 9v", "?\u{FFFD}"] {
            let mut exchange = exchange(name.clone());
            command(&mut exchange);
            assert_eq!(line(&mut exchange, 334, garbage), "*\r\n");
            let fault = failed(&mut exchange, 501, "5.0.0 cancelled");
            assert_eq!(fault.text, format!("{name}: the server's challenge is not base64"));
            assert!(!fault.security);
        }
    }
}

#[test]
fn only_235_is_success() {
    for name in M::ALL {
        for code in [200, 220, 250, 234, 236] {
            let mut exchange = exchange(name.clone());
            command(&mut exchange);
            assert!(failed(&mut exchange, code, "fine").security);
        }
    }
}

#[test]
fn another_3yz_cancels() {
    let mut plain = exchange(M::Plain);
    command(&mut plain);
    assert_eq!(line(&mut plain, 354, "go ahead"), "*\r\n");
    assert!(!failed(&mut plain, 501, "cancelled").security);
}

#[test]
fn a_server_that_does_not_take_the_cancel_is_left() {
    for code in [235, 250, 334] {
        let mut cram = exchange(M::CramMd5);
        command(&mut cram);
        line(&mut cram, 334, "*");
        assert!(failed(&mut cram, code, "").security);
    }
}

#[test]
fn success_without_the_servers_proof_is_a_lie() {
    for name in [M::ScramSha256Plus, M::ScramSha1Plus, M::ScramSha256, M::ScramSha1, M::DigestMd5] {
        let mut exchange = exchange(name);
        command(&mut exchange);
        let fault = failed(&mut exchange, 235, "2.7.0 ok");
        assert!(fault.security);
        assert!(fault.text.contains("not the server"), "{fault}");
    }
}

#[test]
fn a_lie_is_still_one_after_the_cancel() {
    let mut scram = exchange(M::ScramSha256);
    command(&mut scram);
    let first = text::encode(b"r=anothernonceanothernonceanother,s=AAAA,i=4096");
    assert_eq!(line(&mut scram, 334, &first), "*\r\n");
    assert!(failed(&mut scram, 501, "cancelled").security);
}

#[test]
fn the_binding_flag_says_what_was_offered() {
    let first = |name: M, offered: &str, channel: &Channel| {
        let offered: Vec<_> = offered.split(' ').map(str::to_owned).collect();
        let mut mechanism = start(&name, &credentials(), channel, &offered).unwrap();
        String::from_utf8(mechanism.initial().unwrap().expose().to_vec()).unwrap()
    };
    let unbound = Channel { bindings: Vec::new(), ..channel() };
    assert!(first(M::ScramSha1Plus, "SCRAM-SHA-1-PLUS", &channel()).starts_with("p=tls-unique,,n=tim,r="));
    assert!(first(M::ScramSha1, "SCRAM-SHA-1 PLAIN", &channel()).starts_with("y,,"));
    assert!(first(M::ScramSha1, "SCRAM-SHA-1 scram-sha-256-plus", &channel()).starts_with("n,,"));
    assert!(first(M::ScramSha1, "SCRAM-SHA-1", &unbound).starts_with("n,,"));
    let error = start(&M::ScramSha1Plus, &credentials(), &unbound, &[]).unwrap_err();
    assert_eq!((error.kind(), error.step()), (Kind::Login, Step::Auth));
}

#[test]
fn what_a_mechanism_cannot_carry_is_a_usage_error() {
    let user = |name: &str| Credentials { username: name.into(), ..credentials() };
    let token = |token: &str| Credentials { oauth_token: Some(token.into()), ..credentials() };
    let nul = Credentials { password: Some("a\0b".into()), ..credentials() };
    let identity = Credentials { authorization_id: Some("a\0b".into()), ..credentials() };
    for (name, wrong) in [
        (M::Plain, nul.clone()),
        (M::Login, nul.clone()),
        (M::Plain, user("a\0b")),
        (M::Login, user("a\0b")),
        (M::Plain, identity),
        (M::Xoauth2, user("a\x01b")),
        (M::OauthBearer, user("a\x01b")),
        (M::OauthBearer, token("Bearer x")),
        (M::Xoauth2, token("x\n")),
        (M::Xoauth2, token("x\x01")),
        (M::Xoauth2, token("")),
    ] {
        let error = start(&name, &wrong, &channel(), &[]).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{error}");
    }
    let error = start(&M::Plain, &Credentials::default(), &channel(), &[]).unwrap_err();
    assert_eq!(error.kind(), Kind::Login);
}

#[test]
fn names_are_prepared() {
    let tim = Credentials::with_password("t\u{AD}im", PASSWORD);
    assert_eq!(command(&mut exchange_of(M::Plain, &tim)), "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
}

#[test]
fn a_challenge_of_20_kilobytes() {
    let long = text::encode(&[b'x'; 20_000]);
    let ends = |name: M| {
        let mut exchange = exchange(name);
        command(&mut exchange);
        line(&mut exchange, 334, &long)
    };
    assert!(ends(M::CramMd5).starts_with("dGlt"));
    assert_eq!(ends(M::ScramSha256), "*\r\n");
    assert_eq!(ends(M::DigestMd5), "*\r\n");
    let mut bearer = exchange(M::OauthBearer);
    command(&mut bearer);
    line(&mut bearer, 334, &long);
    assert!(failed(&mut bearer, 535, "no").text.len() < 1000);
    // One that can be answered is.
    let nonce = "x".repeat(20_000);
    let challenge = text::encode(format!("nonce=\"{nonce}\",algorithm=md5-sess,charset=utf-8").as_bytes());
    let mut digest = exchange(M::DigestMd5);
    command(&mut digest);
    assert!(line(&mut digest, 334, &challenge).len() > 20_000);
}

/// Everything that can be printed of an exchange.
fn words(exchange: &Exchange, progress: &ExchangeStep) -> String {
    let display = match progress {
        ExchangeStep::Done(Err(fault)) => fault.to_string(),
        _ => String::new(),
    };
    format!("{exchange:?} {progress:?} {display}")
}

#[test]
fn nothing_secret_can_be_printed() {
    let credentials =
        Credentials { password: Some(PASSWORD.into()), oauth_token: Some(TOKEN.into()), ..credentials() };
    let mut printed = format!("{credentials:?}");
    let echo = text::encode(format!("{{\"token\":\"{TOKEN}\"}}").as_bytes());
    for name in M::ALL {
        for replies in [
            vec![(235, "")],
            vec![(535, "no")],
            vec![(334, ""), (334, ""), (334, ""), (501, "")],
            vec![(334, echo.as_str()), (334, echo.as_str()), (535, "no")],
            vec![(334, "!"), (501, "")],
        ] {
            let mut exchange = exchange_of(name.clone(), &credentials);
            let mut sent = Vec::new();
            exchange.command(&mut sent);
            for (code, text) in replies {
                let progress = exchange.reply(&Reply::new(code, text), &mut sent);
                printed += &words(&exchange, &progress);
                if matches!(progress, ExchangeStep::Done(_)) {
                    break;
                }
            }
        }
        let mechanism = start(&name, &credentials, &channel(), &[]).unwrap();
        printed += &format!("{mechanism:?}");
        let nul = Credentials { password: Some(format!("{PASSWORD}\0").into()), ..credentials.clone() };
        printed += &start(&name, &nul, &channel(), &[]).map_or_else(|e| e.to_string(), |_| String::new());
    }
    for secret in [PASSWORD, TOKEN] {
        assert!(!printed.contains(secret));
        assert!(!printed.contains(text::encode(secret.as_bytes()).trim_end_matches('=')));
    }
    assert!(printed.contains("XOAUTH2"));
}

proptest! {
    #[test]
    fn no_server_makes_it_panic(
        name in 0..M::ALL.len(),
        replies in prop::collection::vec((0..6_u8, "\\PC{0,40}", prop::collection::vec(any::<u8>(), 0..60)), 1..6),
    ) {
        let mut exchange = exchange(M::ALL[name].clone());
        let mut out = Vec::new();
        exchange.command(&mut out);
        for (kind, text, octets) in replies {
            let before = out.len();
            let reply = match kind {
                0 => Reply::new(235, text),
                1 => Reply::new(501, text),
                2 => Reply::new(334, text),
                _ => Reply::new(334, text::encode(&octets)),
            };
            match exchange.reply(&reply, &mut out) {
                ExchangeStep::Continue | ExchangeStep::Cancelled => {
                    let line = &out[before..];
                    prop_assert!(line.ends_with(b"\r\n"));
                    prop_assert!(!line[..line.len() - 2].iter().any(u8::is_ascii_whitespace));
                }
                ExchangeStep::Asking => prop_assert!(false, "no mechanism of the library's own is asked"),
                ExchangeStep::Done(_) => prop_assert_eq!(out.len(), before),
            }
        }
    }
}
