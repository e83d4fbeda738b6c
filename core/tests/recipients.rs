//! Recipients with NOTIFY and ORCPT, and names without a domain.

#![allow(clippy::unwrap_used, clippy::panic)]

use smtpclient::envelope::{Envelope, Local};
use smtpclient::error::{Error, Kind};
use smtpclient::message::Message;
use smtpclient::options::Options;

const WHOLE: &str = "From: Ann <ann@a.example>\nTo: bo@b.example\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nMessage-ID: <1@a.example>\n\nHi\n";

fn local() -> Local {
    Local { host: || "host.example".to_owned(), user: || "login".to_owned(), now: jiff::Zoned::default }
}

fn reverse(envelope: &Envelope) -> &str {
    envelope.mail.path.as_str()
}

fn forward(envelope: &Envelope) -> Vec<&str> {
    envelope.recipients.iter().map(|rcpt| rcpt.path.as_str()).collect()
}

fn added(envelope: &Envelope) -> Vec<String> {
    envelope.edits.add.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

/// It is the caller's mistake, and the text has every one of `words`.
fn usage(result: Result<Envelope, Error>, words: &[&str], case: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{case}: no error"));
    assert_eq!(error.kind(), Kind::Usage, "{case}: {error}");
    for word in words {
        assert!(error.text().contains(word), "{case}: {word:?} is not in {error}");
    }
}

fn set(options: &[(&str, &str)]) -> Result<Envelope, Error> {
    let mut own = Options::default();
    for (name, value) in options {
        own.set(name, value)?;
    }
    Envelope::derive(&Message::from_bytes(WHOLE), &own, &local())
}

#[test]
fn a_recipient_may_have_notify_and_orcpt_of_its_own() {
    let said = |options: &[(&str, &str)]| {
        let mut out = Vec::new();
        set(options).unwrap().recipients.iter().for_each(|rcpt| rcpt.write(&mut out));
        String::from_utf8(out).unwrap().replace("RCPT TO:", "").replace("\r\n", "\n")
    };
    let orcpt = "orcpt=rfc822;a+x@old.example";
    assert_eq!(
        said(&[
            ("recipients", "x@x.example"),
            ("rcpt", &format!("Ann <a@x.example> {orcpt} notify=delay")),
            ("rcpt", "b@x.example"),
            ("dsnnotify", "never"),
        ]),
        "<x@x.example> NOTIFY=NEVER\n<a@x.example> NOTIFY=DELAY ORCPT=rfc822;a+2Bx@old.example\n\
         <b@x.example> NOTIFY=NEVER\n"
    );
    // Who is given twice gets what both entries say.
    assert_eq!(
        said(&[
            ("recipients", "a@x.example"),
            ("rcpt", "a@X.example notify=success"),
            ("rcpt", &format!("a@x.example {orcpt}")),
            ("rcpt", "a@x.example notify=success"),
        ]),
        "<a@x.example> NOTIFY=SUCCESS ORCPT=rfc822;a+2Bx@old.example\n"
    );
    let twice = [("rcpt", "a@x.example notify=success"), ("rcpt", "a@x.example notify=delay")];
    usage(set(&twice), &["a@x.example", "twice", "`notify`"], "notify");
    let twice = [("rcpt", "a@x.example orcpt=rfc822;b@c"), ("rcpt", "a@x.example orcpt=rfc822;d@e")];
    usage(set(&twice), &["a@x.example", "twice", "`orcpt`"], "orcpt");
    usage(set(&[("rcpt", "a@x, b@x notify=delay")]), &["`recipients`", "one mailbox"], "a list");
    usage(set(&[("rcpt", "a@x notify=delay x")]), &["`recipients`"], "words after it");
}

#[test]
fn a_default_domain_completes_names_without_one() {
    let own = ("defaultdomain", "h.example");
    let envelope = set(&[
        own,
        ("originator", "alice"),
        ("recipients", "root, Crew: \"x y\", Bo <bo>;, c@d.example, postmaster (the one)"),
    ]);
    let envelope = envelope.unwrap();
    assert_eq!(reverse(&envelope), "alice@h.example");
    let wanted =
        ["root@h.example", "\"x y\"@h.example", "bo@h.example", "c@d.example", "postmaster@h.example"];
    assert_eq!(forward(&envelope), wanted);
    let envelope = set(&[own, ("header", "From: alice"), ("header", "To: root,\r\n bo@b.example")]).unwrap();
    assert_eq!(
        (reverse(&envelope), forward(&envelope)),
        ("alice@h.example", vec!["root@h.example", "bo@b.example"])
    );
    assert_eq!(added(&envelope), ["From: alice", "To: root, bo@b.example"]);
    usage(set(&[("recipients", "root")]), &["root", "no domain", "name@example.org"], "without the option");
    usage(set(&[own, ("recipients", "a b")]), &["two words"], "no name");
    let long = format!("{}, x", "l".repeat(250));
    usage(set(&[own, ("recipients", &long)]), &["254 octets"], "too long");
}
