use super::*;
use crate::sasl::BindingKind;

fn scram<H: ScramHash>(name: MechanismName, user: &str, gs2: Gs2, nonce: &str) -> Scram<H> {
    Scram::new(name, user.into(), "pencil".into(), None, gs2, nonce.into(), 1)
}

fn sha1() -> Scram<Sha1> {
    scram(MechanismName::ScramSha1, "user", Gs2::Unbound, "fyko+d2lbbFgONRv9qkxdawL")
}

fn text(secret: &Secret) -> &str {
    std::str::from_utf8(secret.expose()).unwrap()
}

/// Plays a whole exchange: the client's two messages for the server's two.
fn dialogue(mut scram: impl Mechanism, lines: [&str; 4]) {
    assert_eq!(text(&scram.initial().unwrap()), lines[0]);
    assert_eq!(text(&scram.respond(lines[1].as_bytes()).unwrap()), lines[2]);
    assert!(scram.respond(lines[3].as_bytes()).unwrap().is_empty());
    scram.finish().unwrap();
    assert!(scram.respond(b"").is_err());
}

const FIRST: &str = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
const FINAL: &str = "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=";

#[test]
fn rfc_5802_section_5() {
    dialogue(
        sha1(),
        [
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            FIRST,
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            FINAL,
        ],
    );
}

#[test]
fn rfc_7677_section_3() {
    dialogue(
        scram::<Sha256>(MechanismName::ScramSha256, "user", Gs2::Unbound, "rOprNGfwEbeRWgbNEkqO"),
        [
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ],
    );
}

// The expected values of the next two were made with Python's hashlib.

#[test]
fn bound_with_escapes_and_an_authorization_identity() {
    let binding = ChannelBinding { kind: BindingKind::TlsExporter, data: vec![7; 32] };
    let scram = Scram::<Sha256>::new(
        MechanismName::ScramSha256Plus,
        "us=er,".into(),
        "pencil".into(),
        Some("Ursel".into()),
        Gs2::Bound(binding),
        "cnonce".into(),
        1,
    );
    assert_eq!(scram.name(), "SCRAM-SHA-256-PLUS");
    dialogue(
        scram,
        [
            "p=tls-exporter,a=Ursel,n=us=3Der=2C,r=cnonce",
            "r=cnoncesnonce,s=AAECAwQFBgcICQoLDA0ODw==,i=1",
            "c=cD10bHMtZXhwb3J0ZXIsYT1VcnNlbCwHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw==,r=cnoncesnonce,\
         p=Bx4dRZWnI7uM2BZQuWP3sV2QkjngNx6dvcGZ3b33dFs=",
            "v=6oyYMOgVXioaS6nLWrwOsNVKimiYl3Lg0Q/Ufym7cEA=",
        ],
    );
}

#[test]
fn a_server_without_plus_is_told_that_the_client_could_bind() {
    let scram = scram::<Sha1>(MechanismName::ScramSha1, "user", Gs2::NotOffered, "cnonce");
    dialogue(
        scram,
        [
            "y,,n=user,r=cnonce",
            "r=cnoncesnonce,s=AAECAwQFBgcICQoLDA0ODw==,i=4096",
            "c=eSws,r=cnoncesnonce,p=xGxxKmX3RsT5hskaBwZJIpYwaS8=",
            "v=jQ/v1ryC6kDbSmEIkCWa7nCkGVg=",
        ],
    );
}

#[test]
fn a_wrong_signature_is_a_lie() {
    for wrong in
        ["v=rmF9pqV8S7suAoZWja4dJRkFsKA=", "v=", "v=!", "", "w=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "\u{FFFD}"]
    {
        let mut scram = sha1();
        scram.initial();
        scram.respond(FIRST.as_bytes()).unwrap();
        assert!(scram.respond(wrong.as_bytes()).unwrap_err().security, "{wrong}");
        assert!(scram.finish().unwrap_err().security);
    }
    let mut scram = sha1();
    scram.respond(FIRST.as_bytes()).unwrap();
    scram.respond(format!("{FINAL},x=extension").as_bytes()).unwrap();
    scram.finish().unwrap();
}

#[test]
fn success_without_a_signature_is_a_lie() {
    let mut scram = sha1();
    assert!(scram.finish().unwrap_err().security);
    scram.respond(FIRST.as_bytes()).unwrap();
    assert!(scram.finish().unwrap_err().security);
}

#[test]
fn a_nonce_that_is_not_ours_is_a_lie() {
    for nonce in ["fyko+d2lbbFgONRv9qkxdawL", "", "another", "Fyko+d2lbbFgONRv9qkxdawL3rfc"] {
        let first = format!("r={nonce},s=QSXCR+Q6sek8bf92,i=4096");
        assert!(sha1().respond(first.as_bytes()).unwrap_err().security, "{nonce}");
    }
}

#[test]
fn iterations_have_a_limit() {
    for count in ["0", "2000001", "4294967297", "99999999999999999999999", "-1", "+5", "", "4096x"] {
        let first = format!("r=fyko+d2lbbFgONRv9qkxdawL3,s=QSXCR+Q6sek8bf92,i={count}");
        assert!(!sha1().respond(first.as_bytes()).unwrap_err().security, "{count}");
    }
    let first = "r=fyko+d2lbbFgONRv9qkxdawL3,s=QSXCR+Q6sek8bf92,i=2000001";
    assert!(sha1().respond(first.as_bytes()).unwrap_err().text.contains("2000001"));
}

#[test]
fn malformed_messages_are_faults() {
    for first in [
        "",
        "r",
        "é",
        "m=must,r=fyko+d2lbbFgONRv9qkxdawL3,s=QSXCR+Q6sek8bf92,i=1",
        "r=fyko+d2lbbFgONRv9qkxdawL3 x,s=QSXCR+Q6sek8bf92,i=1",
        "r=fyko+d2lbbFgONRv9qkxdawL3",
        "r=fyko+d2lbbFgONRv9qkxdawL3,s=,i=1",
        "r=fyko+d2lbbFgONRv9qkxdawL3,s=*,i=1",
        "r=fyko+d2lbbFgONRv9qkxdawL3,i=1,s=QSXCR+Q6sek8bf92",
    ] {
        assert!(!sha1().respond(first.as_bytes()).unwrap_err().security, "{first}");
    }
    assert!(sha1().respond(&[0xff]).is_err());
}

#[test]
fn the_servers_error_is_quoted() {
    let mut scram = sha1();
    scram.respond(FIRST.as_bytes()).unwrap();
    let fault = scram.respond(b"e=invalid-proof").unwrap_err();
    assert_eq!((fault.text.as_str(), fault.security), ("the server says invalid-proof", false));
    // Nothing is proved by that.
    assert!(scram.finish().unwrap_err().security);
}
