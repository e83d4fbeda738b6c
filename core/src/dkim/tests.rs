//! What is signed and what is said, by the examples of RFC 6376 and RFC 8463. Whole signatures are verified by other
//! programs, in `py-binding/tests/test_dkim.py`.

#![allow(clippy::unwrap_used, clippy::panic)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::canonical::{self, Body};
use super::parse;
use crate::error::Kind;
use crate::signer::Signer;

/// The key of RFC 8463 appendix A.2.
const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

/// The message of RFC 8463 appendix A.3.
const MESSAGE: &str = "From: Joe SixPack <joe@football.example.com>\r\n\
    To: Suzie Q <suzie@shopping.example.net>\r\n\
    Subject: Is dinner ready?\r\n\
    Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
    Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\
    \r\n\
    Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

fn body(pieces: &[&[u8]]) -> Vec<u8> {
    let (mut body, mut out) = (Body::default(), Vec::new());
    for piece in pieces {
        body.update(piece, &mut out);
    }
    body.finish(&mut out);
    out
}

fn signed(spec: &str, message: &str) -> String {
    let dkim = parse(spec.as_bytes()).unwrap();
    let mut all = String::new();
    for one in dkim {
        let mut signing = one.begin();
        signing.update(message.as_bytes());
        all += &signing.finish(1_700_000_000).unwrap();
    }
    all
}

fn spec(more: &str) -> String {
    format!("domain=football.example.com; selector=brisbane; key={SEED}{more}")
}

#[test]
fn the_relaxed_forms_are_those_of_the_rfc() {
    // RFC 6376 section 3.4.5.
    let message = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
    let end = canonical::head_end(message).unwrap();
    let (head, text) = message.split_at(end);
    let mut fields = Vec::new();
    for (name, value) in canonical::fields(head) {
        canonical::field(name, value, &mut fields);
    }
    assert_eq!(fields, b"a:X\r\nb:Y Z\r\n");
    assert_eq!(body(&[text]), b" C\r\nD E\r\n");
    // RFC 6376 section 3.4.4: an empty body stays empty, and the last line gets its end.
    for (text, wanted) in
        [("", ""), ("\r\n\r\n", ""), (" \t\r\n", ""), ("a", "a\r\n"), ("a\r\n \r\n", "a\r\n")]
    {
        assert_eq!(body(&[text.as_bytes()]), wanted.as_bytes(), "{text:?}");
    }
    // In BINARYMIME a CR or LF may stand alone.
    assert_eq!(body(&[b"a\rb\nc\r"]), b"a\rb\nc\r\r\n");
}

#[test]
fn the_digest_of_the_body_is_that_of_rfc_8463() {
    let text = MESSAGE.split_once("\r\n\r\n").unwrap().1;
    let digest = STANDARD.encode(Sha256::digest(body(&[text.as_bytes()])));
    assert_eq!(digest, "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
    assert!(signed(&spec(""), MESSAGE).contains(&format!("bh={digest};")));
}

#[test]
fn a_field_is_named_once_more_where_nobody_may_add_it() {
    let text = signed(&spec(""), MESSAGE).replace("\r\n\t ", "").replace("\r\n", "\n");
    let names = text.split_once("h=").unwrap().1.split_once(';').unwrap().0;
    let count = |name: &str| names.split(':').filter(|own| own.eq_ignore_ascii_case(name)).count();
    // Two of a field that is there, one of a field that may not come, none of a field that a relay may add.
    for (name, wanted) in [("From", 2), ("Subject", 2), ("Date", 2), ("Cc", 1), ("Sender", 0), ("List-Id", 0)]
    {
        assert_eq!(count(name), wanted, "{name} in {names}");
    }
}

#[test]
fn what_is_asked_for_is_said() {
    let text = signed(
        &spec("; expire=3600; identity=joe@mail.football.example.com; headers=From:Subject:From"),
        MESSAGE,
    );
    for wanted in [
        "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n",
        "\td=football.example.com; s=brisbane;\r\n",
        "\ti=joe@mail.football.example.com;\r\n",
        "\tt=1700000000; x=1700003600;\r\n",
        "\th=From:From:Subject;\r\n",
    ] {
        assert!(text.contains(wanted), "{wanted:?} in {text}");
    }
    assert!(text.split("\r\n").all(|line| line.len() <= 78), "{text}");
    let two = signed(
        &format!("domain=a.example; key={SEED}; selector=one; selector=two; domain=b.example"),
        MESSAGE,
    );
    assert!(two.contains("d=a.example; s=one;") && two.contains("d=b.example; s=two;"), "{two}");
    let idn = signed(&format!("domain=B\u{fc}cher.example; selector=s; key={SEED}"), MESSAGE);
    assert!(idn.contains("d=xn--bcher-kva.example;"), "{idn}");
}

#[test]
fn a_message_without_from_is_not_signed() {
    let dkim = parse(spec("").as_bytes()).unwrap();
    let mut signing = dkim[0].begin();
    signing.update(b"Subject: x\r\n\r\nFrom: a@b\r\n");
    let error = signing.finish(0).unwrap_err();
    assert!(error.kind() == Kind::Usage && error.text().contains("no From"), "{error}");
}

#[test]
fn a_mistake_names_the_tag_and_never_the_key() {
    let key = "c2VjcmV0IHNlY3JldA==";
    for (value, wanted) in [
        ("nonsense", "each part must be a tag and a value"),
        ("selector=s", "`domain` is missing"),
        ("domain=a.example", "`selector` is missing"),
        ("domain=a.example; selector=s", "`keyfile` (or `key`) is missing"),
        ("domain=a b; selector=s", "`domain` must be a name as in DNS"),
        ("domain=a.example selector=s key=c2VjcmV0IHNlY3JldA==", "`domain` must be a name as in DNS"),
        ("domain=a.example; selector=s key=c2VjcmV0IHNlY3JldA==", "`selector` must be a name as in DNS"),
        ("expire=1 key=c2VjcmV0IHNlY3JldA==; selector=s", "`expire` must be a number of seconds"),
        ("keyfile=/no key=c2VjcmV0IHNlY3JldA==; selector=s", "the key file /no"),
        ("domain=a..b; selector=s", "`domain` must be a name as in DNS"),
        ("domain=a.example; selector=; key=k", "`selector` has no value"),
        (
            "domain=a.example; selector=s; keyfile=/nowhere/k.pem",
            "the key file /nowhere/k.pem cannot be read",
        ),
        ("domain=a.example; selector=s; colour=red", "there is no tag `colour`: the tags are `domain`"),
        ("expire=0; selector=s", "`expire` must be a number of seconds"),
        ("headers=To; selector=s", "`headers` must name From"),
        (
            "domain=a.example; selector=s; identity=a@b.example; key=k",
            "`identity` must end in the domain a.example",
        ),
        ("domain=a.example; selector=s; identity=ab; key=k", "`identity` must be `@domain` or an address"),
        ("domain=a.example; domain=b.example; selector=s", "`domain` is there twice"),
        ("domain=a.example; selector=s; key=k; keyfile=/x", "`keyfile` is there twice"),
        (
            "domain=a.example; selector=s; key=-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED",
            "the key is encrypted",
        ),
        ("domain=a.example; selector=s; key=c2VjcmV0IHNlY3JldA==", "the key must be PEM"),
        ("domain=a.example; selector=s; key=-----BEGIN ENCRYPTED PRIVATE KEY-----", "the key is encrypted"),
        (
            "domain=a.example; selector=s; key=-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "the key cannot be used",
        ),
    ] {
        let error = parse(value.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(
            error.text().starts_with("option `dkim`: ") && error.text().contains(wanted),
            "{value}: {error}"
        );
        assert!(!error.text().contains(key), "{error}");
    }
    assert!(parse(b"").unwrap_err().text().contains("`selector` is missing"));
}

proptest! {
    /// However the octets come in pieces.
    #[test]
    fn pieces_make_no_difference(text in "([ab \t]|\r\n){0,40}", cuts in prop::collection::vec(0_usize..60, 0..6)) {
        let message = format!("From: a@b\r\nX: y\r\n\r\n{text}");
        let mut cuts: Vec<_> = cuts.into_iter().map(|at| at.min(message.len())).collect();
        cuts.extend([0, message.len()]);
        cuts.sort_unstable();
        let dkim = parse(spec("").as_bytes()).unwrap();
        let mut signing = dkim[0].begin();
        for pair in cuts.windows(2) {
            signing.update(&message.as_bytes()[pair[0]..pair[1]]);
        }
        prop_assert_eq!(signing.finish(1_700_000_000).unwrap(), signed(&spec(""), &message));
    }
}
