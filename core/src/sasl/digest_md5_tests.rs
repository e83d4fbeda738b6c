use super::*;

fn digest(user: &str, password: &str, host: &str, uri: &str, cnonce: &str) -> DigestMd5 {
    DigestMd5::new(user.into(), password.into(), None, host, uri.into(), cnonce.into())
}

fn text(secret: &Secret) -> &str {
    std::str::from_utf8(secret.expose()).unwrap()
}

fn imap() -> DigestMd5 {
    digest("chris", "secret", "elwood.innosoft.com", "imap/elwood.innosoft.com", "OA6MHXh6VqTrRk")
}

const CHALLENGE: &[u8] = b"realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\",\
    algorithm=md5-sess,charset=utf-8";

#[test]
fn rfc_2831_section_4_imap() {
    let mut digest = imap();
    assert!(digest.initial().is_none());
    assert_eq!(
        text(&digest.respond(CHALLENGE).unwrap()),
        "charset=utf-8,username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",nc=00000001,\
         cnonce=\"OA6MHXh6VqTrRk\",digest-uri=\"imap/elwood.innosoft.com\",\
         response=d388dad90d4bbd760a152321f2143af7,qop=auth"
    );
    assert!(digest.respond(b"rspauth=ea40f60335c427b5527b84dbabcdfffd").unwrap().is_empty());
    digest.finish().unwrap();
    assert!(digest.respond(CHALLENGE).is_err());
}

#[test]
fn rfc_2831_section_4_acap() {
    let mut digest =
        digest("chris", "secret", "elwood.innosoft.com", "acap/elwood.innosoft.com", "OA9BSuZWMSpW8m");
    let response = digest
        .respond(
            b"realm=\"elwood.innosoft.com\",nonce=\"OA9BSXrbuRhWay\",qop=\"auth\",algorithm=md5-sess,charset=utf-8",
        )
        .unwrap();
    assert!(text(&response).contains("response=6084c6db3fede7352c551284490fd0fc,"));
    digest.respond(b"rspauth=2f0b3d7c3c2e486600ef710726aa2eae").unwrap();
    digest.finish().unwrap();
}

// The expected digests of the next two were made with Python's hashlib.

#[test]
fn latin1_is_hashed_and_quotes_are_escaped() {
    let mut digest = DigestMd5::new(
        "Jürgen".into(),
        "pässwört".into(),
        Some("Ursel".into()),
        "mail.example.org",
        "smtp/mail.example.org".into(),
        "cn".into(),
    );
    let response = digest
        .respond(br#"nonce="no\"nce" , ,REALM="a \"b\" \\c", qop="auth-int, auth",Algorithm=MD5-sess,charset=UTF-8,"#)
        .unwrap();
    assert_eq!(
        text(&response),
        r#"charset=utf-8,username="Jürgen",realm="a \"b\" \\c",nonce="no\"nce",nc=00000001,cnonce="cn",digest-uri="smtp/mail.example.org",response=e09ce26607ef0a9c6999be8706f7a4e5,qop=auth,authzid="Ursel""#
    );
    digest.respond(b"rspauth=\"b696bd008cdab8671f64235f305f1742\"").unwrap();
    digest.finish().unwrap();
}

#[test]
fn characters_beyond_latin1_need_a_server_with_utf8() {
    let euro = || digest("Jürgen€", "secret", "mail.example.org", "smtp/mail.example.org", "cn");
    let response = euro().respond(b"nonce=\"nonce\",algorithm=md5-sess,charset=utf-8").unwrap();
    assert!(text(&response).contains("username=\"Jürgen€\",nonce"));
    assert!(text(&response).contains("response=c6a2da7cae194dc8017b0dff00ef3e71,"));
    let fault = euro().respond(b"nonce=\"nonce\",algorithm=md5-sess").unwrap_err();
    assert!(fault.text.contains("8859-1"));
    let mut latin1 = digest("Jürgen", "secret", "h", "smtp/h", "cn");
    let response = latin1.respond(b"nonce=\"nonce\",algorithm=md5-sess").unwrap();
    assert!(response.expose().starts_with(b"username=\"J\xfcrgen\",nonce"));
}

#[test]
fn the_realm_fits_the_user_or_the_host() {
    let realms = [&b"first"[..], b"Example.ORG", b"mail.example.net"].map(<[u8]>::to_vec);
    let chosen = |user, host| digest(user, "p", host, "smtp/h", "cn").realm(&realms).map(<[u8]>::to_vec);
    assert_eq!(chosen("u@example.org", "mail.example.net").unwrap(), b"Example.ORG");
    assert_eq!(chosen("u", "mail.example.net").unwrap(), b"mail.example.net");
    assert_eq!(chosen("u", "h").unwrap(), b"first");
    assert_eq!(digest("u", "p", "h", "smtp/h", "cn").realm(&[]), None);
}

#[test]
fn a_wrong_or_missing_proof_is_a_lie() {
    for wrong in ["rspauth=ea40f60335c427b5527b84dbabcdfffe", "rspauth=", "", "nonce=\"x\"", "rspauth=\""] {
        let mut digest = imap();
        digest.respond(CHALLENGE).unwrap();
        assert!(digest.respond(wrong.as_bytes()).unwrap_err().security, "{wrong}");
        assert!(digest.finish().unwrap_err().security);
    }
    let mut digest = imap();
    assert!(digest.finish().unwrap_err().security);
    digest.respond(CHALLENGE).unwrap();
    assert!(digest.finish().unwrap_err().security);
}

#[test]
fn challenges_that_cannot_be_answered() {
    for challenge in [
        "",
        "=",
        ",,,",
        "nonce",
        "nonce=\"x",
        "nonce=\"x\\",
        "nonce=\"x\"junk,algorithm=md5-sess",
        "nonce=\"x\"",
        "algorithm=md5-sess",
        "nonce=\"x\",nonce=\"y\",algorithm=md5-sess",
        "nonce=\"x\",algorithm=md5",
        "nonce=\"x\",algorithm=md5-sess,algorithm=md5-sess",
        "nonce=\"x\",algorithm=md5-sess,qop=\"auth-int,auth-conf\"",
    ] {
        let fault = imap().respond(challenge.as_bytes()).unwrap_err();
        assert!(!fault.security, "{challenge}");
    }
    for end in 0..CHALLENGE.len() {
        let _ = imap().respond(&CHALLENGE[..end]);
    }
}
