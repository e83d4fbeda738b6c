//! The rules of the envelope and of added headers, one by one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use smtpclient::delivery::Delivery;
use smtpclient::envelope::{Envelope, Local};
use smtpclient::error::{Error, Kind};
use smtpclient::message::{HeaderMode, Message};
use smtpclient::options::Options;

#[path = "envelope/message.rs"]
mod message;

/// A token with all that a message needs.
const WHOLE: &str = "From: Ann <ann@a.example>\nTo: bo@b.example\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nMessage-ID: <1@a.example>\n\nHi\n";

fn local() -> Local {
    let now = || {
        let offset = jiff::tz::Offset::from_seconds(-12_600).unwrap();
        jiff::civil::date(2026, 7, 4).at(5, 6, 7, 0).to_zoned(offset.to_time_zone()).unwrap()
    };
    Local { host: || "host.example".to_owned(), user: || "login".to_owned(), now }
}

/// One option a line: `name value`.
fn options(lines: &[&str]) -> Options {
    let mut options = Options::default();
    for line in lines {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("originator", value) => options.originator = Some(value.to_owned()),
            ("recipients", value) => options.recipients = Some(value.into()),
            ("header", field) => {
                let (name, value) = field.split_once(": ").unwrap();
                options.header.push((name.to_owned(), value.to_owned()));
            }
            (name, _) => panic!("{name}"),
        }
    }
    options
}

fn derive(message: &str, lines: &[&str]) -> Result<Envelope, Error> {
    Envelope::derive(&Message::from_bytes(message), &options(lines), &local())
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

/// The message as it would leave.
fn leaves(message: &str, lines: &[&str]) -> String {
    let token = Message::from_bytes(message);
    let envelope = Envelope::derive(&token, &options(lines), &local()).unwrap();
    let mut out = token.prepare(&envelope.edits).unwrap();
    let mut transfer = smtpclient::content::Transfer::default();
    transfer.eight_bit = true;
    let mut text = String::new();
    let mut stream = smtpclient::content::Content::open(&mut out, transfer).unwrap();
    std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
    text
}

/// It is the caller's mistake, and the text has every one of `words`.
fn usage(result: Result<Envelope, Error>, words: &[&str], case: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{case}: no error"));
    assert_eq!(error.kind(), Kind::Usage, "{case}: {error}");
    for word in words {
        assert!(error.text().contains(word), "{case}: {word:?} is not in {error}");
    }
}

#[test]
fn rule_1_resent_in_any_header_switches_every_name() {
    for (lines, from, to) in [
        (
            &["header Resent-To: cy@c.example", "header Resent-From: eve@e.example"][..],
            "eve@e.example",
            &["cy@c.example"][..],
        ),
        (
            &["header resent-cc: cy@c.example", "header RESENT-FROM: eve@e.example"],
            "eve@e.example",
            &["cy@c.example"],
        ),
        (
            &["header Resent-Bcc: cy@c.example", "originator eve@e.example"],
            "eve@e.example",
            &["cy@c.example"],
        ),
        (
            &["header Resent-Dcc: cy@c.example", "originator eve@e.example"],
            "eve@e.example",
            &["cy@c.example"],
        ),
        // Neither From nor To is looked at.
        (&["header Resent-To: cy@c.example"], "login@host.example", &["cy@c.example"]),
        (
            &["header Resent-To: cy@c.example", "header From: fay@f.example"],
            "login@host.example",
            &["cy@c.example"],
        ),
        (&["header X-Resent-To: cy@c.example"], "ann@a.example", &["bo@b.example"]),
    ] {
        let envelope = derive(WHOLE, lines).unwrap();
        assert_eq!((reverse(&envelope), &*forward(&envelope)), (from, to), "{lines:?}");
    }
    usage(derive(WHOLE, &["header Resent-Comments: x"]), &["Resent-To", "recipients"], "no Resent-To");
    // The new block is whole, and the old fields stay.
    let text = leaves(WHOLE, &["header Resent-To: cy@c.example"]);
    assert!(text.starts_with("Resent-To: cy@c.example\r\nResent-From: login@host.example\r\nResent-Date: Sat, 4 Jul 2026 05:06:07 -0330\r\nResent-Message-ID: <"), "{text}");
    assert!(text.ends_with(&format!("@host.example>\r\n{WHOLE}")), "{text}");
    let twice = format!("Resent-From: eve@e.example\nResent-To: cy@c.example\n{WHOLE}");
    let envelope =
        derive(&twice, &["header Resent-From: fay@f.example", "header Resent-Subject: x"]).unwrap();
    assert_eq!((reverse(&envelope), &*forward(&envelope)), ("fay@f.example", &["cy@c.example"][..]));
}

#[test]
fn rule_2_the_originator() {
    let none = "To: bo@b.example\n\nHi\n";
    for (message, lines, want) in [
        (WHOLE, &["originator Eve <eve@e.example>", "header From: fay@f.example"][..], "eve@e.example"),
        (WHOLE, &["header From: Fay <fay@f.example>"], "fay@f.example"),
        (WHOLE, &[], "ann@a.example"),
        (none, &[], "login@host.example"),
        (WHOLE, &["originator "], ""),
        (none, &["originator "], ""),
        (WHOLE, &["originator \"x y\"@e.example"], "\"x y\"@e.example"),
        (WHOLE, &["originator (who) eve @ e.example"], "eve@e.example"),
        ("FROM : ann@a.example\nTo: b@b\n\n", &[], "ann@a.example"),
        ("From: Ann\n <ann@a.example>\nTo: b@b\n\n", &[], "ann@a.example"),
        // A null reverse-path or another one leaves the From alone, whatever it is.
        ("From: a@a.example, b@b.example\nTo: b@b\n\n", &["originator "], ""),
        ("From: a@a.example, b@b.example\nTo: b@b\n\n", &["originator b@b.example"], "b@b.example"),
        ("From: nobody in particular\nTo: b@b\n\n", &["originator b@b.example"], "b@b.example"),
        ("From:\nTo: b@b\n\n", &["originator b@b.example"], "b@b.example"),
    ] {
        let envelope =
            derive(message, lines).unwrap_or_else(|error| panic!("{message:?} {lines:?}: {error}"));
        assert_eq!(reverse(&envelope), want, "{message:?} {lines:?}");
        assert!(!envelope.edits.remove.iter().any(|name| name == "From") || lines.join("").contains("From:"));
    }
    let two = "From: a@a.example, b@b.example\nTo: b@b\n\n";
    for (message, lines, words) in [
        (
            WHOLE,
            &["originator a@a.example, b@b.example"][..],
            &["`originator`", "a@a.example, b@b.example", "one mailbox"][..],
        ),
        (WHOLE, &["originator Crew: a@a.example;"], &["`originator`", "Crew"]),
        (WHOLE, &["originator not an address"], &["`originator`", "not an address"]),
        (WHOLE, &["originator a@b\r\nRCPT TO:<x@y>"], &["`originator`"]),
        (WHOLE, &["header From: a@a.example, b@b.example"], &["From", "option `originator`"]),
        (WHOLE, &["header From: Ann"], &["From", "\"Ann\""]),
        // Not fixed in silence: who asks for a From gets one.
        (WHOLE, &["header From: "], &["From"]),
        (WHOLE, &["header From: Ann", "originator a@a.example"], &["From", "\"Ann\""]),
        (two, &[], &["From", "a@a.example, b@b.example", "option `originator`"]),
        ("From: a@a.example\nFrom: b@b.example\nTo: b@b\n\n", &[], &["From", "option `originator`"]),
        ("From: Ann\nTo: b@b\n\n", &[], &["From", "\"Ann\""]),
        ("From:\nTo: b@b\n\n", &[], &["From"]),
    ] {
        usage(derive(message, lines), words, &format!("{message:?} {lines:?}"));
    }
    let strange = Local { user: || "AD\\ann b".to_owned(), ..local() };
    let error = Envelope::derive(&Message::from_bytes(none), &Options::default(), &strange);
    usage(
        error,
        &["login name", "AD\\\\ann b", "option `originator`"],
        "a login name that is not a local part",
    );
}

#[test]
fn rule_3_the_recipients() {
    let all = "From: a@a\nTo: to@x\nCc: cc@x\nBcc: bcc@x\nDcc: dcc@x\nReply-To: re@x\n\n";
    for (message, lines, want) in [
        (WHOLE, &["recipients x@x, Crew: y@y, z@z;", "header To: no@no"][..], &["x@x", "y@y", "z@z"][..]),
        (all, &[], &["to@x", "cc@x", "dcc@x", "bcc@x"]),
        (all, &["header To: h@h"], &["h@h"]),
        (all, &["header Bcc: h@h"], &["h@h"]),
        (
            all,
            &["header cc: one@h", "header CC: two@h", "header dcc: three@h"],
            &["one@h", "two@h", "three@h"],
        ),
        ("From: a@a\nBcc: bcc@x\n\n", &[], &["bcc@x"]),
        ("From: a@a\nTo: a@x\nTo: b@x\n\n", &[], &["a@x", "b@x"]),
        ("From: a@a\nTo: undisclosed-recipients:;\nBcc: a@x,\n b@x\n\n", &[], &["a@x", "b@x"]),
        ("From: a@a\nTo: postmaster\n\n", &[], &["postmaster"]),
        // Once, however often and wherever: the domain in any case, the local part in its own.
        (
            WHOLE,
            &["recipients a@x.example, b@x.example, a@X.Example, A@x.example, \"a\"@x.example"],
            &["a@x.example", "b@x.example", "A@x.example"],
        ),
        ("From: a@a\nTo: a@x\nCc: X <a@x>\nBcc: a@x, b@x\n\n", &[], &["a@x", "b@x"]),
        (WHOLE, &["recipients a@b\u{fc}cher.example, a@xn--bcher-kva.example"], &["a@xn--bcher-kva.example"]),
        ("From: a@a\nTo: <<\n\n", &["recipients a@x"], &["a@x"]),
    ] {
        let envelope =
            derive(message, lines).unwrap_or_else(|error| panic!("{message:?} {lines:?}: {error}"));
        assert_eq!(forward(&envelope), want, "{message:?} {lines:?}");
    }
    for (message, lines, words) in [
        ("From: a@a\n\n", &[][..], &["no recipient", "`recipients`"][..]),
        ("", &["originator a@a"], &["no recipient"]),
        ("From: a@a\nTo: Nobody:;\n\n", &[], &["no recipient"]),
        (WHOLE, &["recipients "], &["no recipient"]),
        (WHOLE, &["header To: "], &["no recipient"]),
        (WHOLE, &["recipients a@x; b@x"], &["`recipients`", "a@x; b@x"]),
        (WHOLE, &["recipients a@x\nb@x"], &["`recipients`"]),
        (WHOLE, &["header Cc: a@"], &["Cc", "a@"]),
        ("From: a@a\nBcc: a@x, <b@\n\n", &[], &["Bcc", "<b@"]),
    ] {
        usage(derive(message, lines), words, &format!("{message:?} {lines:?}"));
    }
    // Octets that are not text: guessing would be another address.
    let latin1 = Message::from_bytes(b"From: a@a\nTo: j\xf6rg@x.example\n\n".to_vec());
    usage(Envelope::derive(&latin1, &Options::default(), &local()), &["To"], "Latin-1 in an address");
    let latin1 = Message::from_bytes(b"From: J\xf6rg <a@a>\nTo: J\xf6rg <j@x.example>\n\n".to_vec());
    assert_eq!(forward(&Envelope::derive(&latin1, &Options::default(), &local()).unwrap()), ["j@x.example"]);
}

#[test]
fn rule_4_bcc_and_dcc_never_leave() {
    let message = format!("Bcc: s1@x,\n s2@x\nDCC: s3@x\nResent-Bcc: s4@x\nresent-dcc : s5@x\n{WHOLE}");
    for lines in [
        &[][..],
        &["recipients a@x"],
        &["header Bcc: s6@x", "header dcc: s7@x"],
        &["header Resent-Bcc: s8@x", "header RESENT-DCC: s9@x"],
    ] {
        let text = leaves(&message, lines).to_ascii_lowercase();
        assert!(!text.contains("bcc") && !text.contains("dcc"), "{lines:?}: {text}");
        assert!((1..10).all(|i| !text.contains(&format!("s{i}@x"))), "{lines:?}: {text}");
    }
    assert_eq!(leaves(&message, &[]), WHOLE);
    let mut composed = Message::text("Hi\n");
    composed.set_header("To", "bo@b.example", HeaderMode::Write).unwrap();
    composed.set_header("Bcc", "s1@x", HeaderMode::Write).unwrap();
    let envelope = Envelope::derive(&composed, &Options::default(), &local()).unwrap();
    assert_eq!(forward(&envelope), ["bo@b.example", "s1@x"]);
    let mut inner = Message::text("Hi\n");
    inner.set_header("Bcc", "stays@x", HeaderMode::Write).unwrap();
    composed.attach(Message::rfc822(inner).unwrap()).unwrap();
    let envelope = Envelope::derive(&composed, &Options::default(), &local()).unwrap();
    assert_eq!(forward(&envelope), ["bo@b.example", "s1@x"]);
}

#[test]
fn rule_5_what_is_added_where_it_is_missing() {
    let id = |line: &str, domain: &str| {
        line.strip_prefix("Message-ID: <")
            .and_then(|id| id.strip_suffix(&format!("@{domain}>")))
            .is_some_and(|id| id.len() == 32)
    };
    let bare = derive("Subject: x\n\nHi\n", &["originator Ann <ann@a.example>", "recipients x@x"]).unwrap();
    let lines = added(&bare);
    assert_eq!(lines[..2], ["From: Ann <ann@a.example>", "Date: Sat, 4 Jul 2026 05:06:07 -0330"]);
    assert!(
        id(&lines[2], "a.example") && lines[3] == "To: undisclosed-recipients:;" && lines.len() == 4,
        "{lines:?}"
    );

    // (what the token has, options, what is added and not among the options)
    let base = "From: ann@a.example\nTo: x@x\nDate: x\nMessage-ID: <x>\n";
    for (message, lines, want) in [
        (base.to_owned(), &[][..], &[][..]),
        (base.replace("From", "fRoM"), &[], &[]),
        (base.to_owned(), &["originator ann@a.example"], &[]),
        (base.to_owned(), &["originator Ann <ann@A.Example>"], &[]),
        (base.to_owned(), &["originator "], &[]),
        // An originator of its own, as VERP and bounce addresses are, changes nothing.
        (base.to_owned(), &["originator eve@e.example"], &[]),
        (base.to_owned(), &["originator eve@e.example", "header Sender: fay@f.example"], &[]),
        (base.replace("From: ", "From: eve@e.example, "), &["originator eve@e.example"], &[]),
        (base.replace("From: ", "From: no address "), &["originator eve@e.example"], &[]),
        (base.replace("Date: x\n", ""), &[], &["Date: Sat, 4 Jul 2026 05:06:07 -0330"]),
        (base.replace("Date: x\n", ""), &["header date: y"], &[]),
        (base.replace("To: x@x", "To: Nobody:;"), &["recipients x@x"], &[]),
        (base.replace("To", "Cc"), &[], &[]),
        (base.replace("To", "Bcc"), &[], &["To: undisclosed-recipients:;"]),
        (base.replace("To", "Dcc"), &[], &["To: undisclosed-recipients:;"]),
        (base.replace("To: x@x\n", ""), &["header Bcc: x@x"], &["To: undisclosed-recipients:;"]),
        (base.replace("To: x@x\n", ""), &["header Cc: x@x"], &[]),
        (base.replace("To: x@x\n", ""), &["recipients x@x"], &["To: undisclosed-recipients:;"]),
    ] {
        let message = format!("{message}\nHi\n");
        let envelope =
            derive(&message, lines).unwrap_or_else(|error| panic!("{message:?} {lines:?}: {error}"));
        let mut got = added(&envelope);
        got.retain(|line| !lines.contains(&format!("header {line}").as_str()));
        assert_eq!(got, want, "{message:?} {lines:?}");
    }

    for (from, domain) in [
        ("ann@a.example", "a.example"),
        ("ann@[127.0.0.1]", "[127.0.0.1]"),
        ("ann@b\u{fc}cher.example", "xn--bcher-kva.example"),
        ("j\u{f6}rg@b\u{fc}cher.example", "xn--bcher-kva.example"),
    ] {
        let lines = added(&derive(&format!("From: {from}\nTo: x@x\nDate: x\n\n"), &[]).unwrap());
        assert!(lines.len() == 1 && id(&lines[0], domain), "{from}: {lines:?}");
    }
    let lines = added(&derive("From: ann@a.example\nTo: x@x\nDate: x\n\n", &["originator "]).unwrap());
    assert!(id(&lines[0], "a.example"), "{lines:?}");
    let lines =
        added(&derive("From: ann@a.example\nTo: x@x\nDate: x\n\n", &["originator eve@e.example"]).unwrap());
    assert!(id(&lines[0], "e.example"), "{lines:?}");
}

#[test]
fn rule_5_header_replaces_what_a_message_has_once_and_adds_the_rest() {
    let message = "Received: old\nSubject: old\nSender: old@x\nReply-To: old@x\nCc: old@x\nIn-Reply-To: <old>\nReferences: <old>\nX-A: old\nComments: old\n";
    let message = format!("{message}{WHOLE}");
    for name in [
        "Subject",
        "sender",
        "Reply-To",
        "CC",
        "In-Reply-To",
        "References",
        "From",
        "To",
        "Date",
        "Message-Id",
    ] {
        let value = "new@x.example";
        let text = leaves(&message, &[&format!("header {name}: {value}"), "recipients x@x"]);
        let count = text
            .lines()
            .filter(|line| line.to_ascii_lowercase().starts_with(&format!("{}:", name.to_ascii_lowercase())))
            .count();
        assert!(text.starts_with(&format!("{name}: {value}\r\n")) && count == 1, "{name}: {text}");
    }
    for name in ["Received", "X-A", "Comments", "Keywords", "Resent-To"] {
        let text = leaves(
            &message,
            &[
                &format!("header {name}: new"),
                &format!("header {name}: newer"),
                "originator ann@a.example",
                "recipients x@x",
            ],
        );
        let front = format!("{name}: new\r\n{name}: newer\r\n");
        assert!(text.starts_with(&front) && text.ends_with(&message), "{name}: {text}");
    }
}

#[test]
fn rule_6_what_belongs_to_the_token() {
    for name in ["Content-Type", "content-transfer-encoding", "CONTENT-MD5", "Mime-Version"] {
        usage(derive(WHOLE, &[&format!("header {name}: x")]), &["`header`", name, "token"], name);
    }
    for name in ["Content-Language", "X-Content-Type", "Content-ID"] {
        assert!(derive(WHOLE, &[&format!("header {name}: x")]).is_ok(), "{name}");
    }
}

#[test]
fn rule_7_control_characters() {
    for bad in ['\r', '\n', '\0'] {
        for (name, value, word) in [
            ("originator", format!("a{bad}b@x"), "`originator`"),
            ("originator", format!("\"a{bad}b\"@x"), "`originator`"),
            ("originator", format!("A{bad}B <a@x>"), "`originator`"),
            ("recipients", format!("a@x,{bad}b@x"), "`recipients`"),
            ("recipients", format!("\"a{bad}\"@x"), "`recipients`"),
            ("recipients", format!("A (x{bad}y) <a@x>"), "`recipients`"),
            ("header", format!("X-A{bad}: x"), "`header`"),
            ("header", format!("X-A: x{bad}Bcc: y"), "`header`"),
            ("header", format!("X-A: x{bad}"), "`header`"),
            ("header", format!("To: a@x{bad}"), "`header`"),
        ] {
            usage(derive(WHOLE, &[&format!("{name} {value}")]), &[word], &format!("{name} {value:?}"));
        }
        let mut options = Options::default();
        options.client = Some(format!("a{bad}b"));
        let error = Delivery::new(&Message::from_bytes(WHOLE), options.clone(), &local(), None).err();
        let error = error.unwrap_or_else(|| panic!("client with {bad:?}: no error"));
        assert!(error.kind() == Kind::Usage && error.text().contains("`client`"), "{bad:?}: {error}");
    }
    for name in ["", "a b", "a:b", "gr\u{fc}n"] {
        let mut options = Options::default();
        options.header.push((name.to_owned(), "x".to_owned()));
        let error = Envelope::derive(&Message::from_bytes(WHOLE), &options, &local());
        usage(error, &["`header`"], name);
    }
}

#[test]
fn rule_8_the_token_is_unchanged() {
    let token = Message::from_bytes(format!("Bcc: s@x\n{WHOLE}"));
    let before = token.to_bytes().unwrap();
    let options = options(&["header Subject: x", "header From: eve@e.example"]);
    for _ in 0..2 {
        let envelope = Envelope::derive(&token, &options, &local()).unwrap();
        token.prepare(&envelope.edits).unwrap();
        assert_eq!(token.to_bytes().unwrap(), before);
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| Envelope::derive(&token, &options, &local()).unwrap());
        }
    });
}

#[test]
fn addresses_beyond_ascii() {
    for (address, wire) in [
        ("ann@b\u{fc}cher.example", "ann@xn--bcher-kva.example"),
        ("ann@B\u{dc}CHER.example", "ann@xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
        ("j\u{f6}rg@b\u{fc}cher.example", "j\u{f6}rg@b\u{fc}cher.example"),
        ("j\u{f6}rg@a.example", "j\u{f6}rg@a.example"),
    ] {
        let envelope =
            derive(WHOLE, &[&format!("originator {address}"), &format!("recipients X <{address}>")]).unwrap();
        assert_eq!((reverse(&envelope), &*forward(&envelope)), (wire, &[wire][..]), "{address}");
        let envelope = derive(&format!("From: {address}\nTo: {address}\n\n"), &[]).unwrap();
        assert_eq!((reverse(&envelope), &*forward(&envelope)), (wire, &[wire][..]), "{address}");
    }
    // The header section too, as long as nothing asks for SMTPUTF8.
    let text = leaves("Subject: x\n\n", &["originator Ann <ann@b\u{fc}cher.example>", "recipients x@x"]);
    assert!(text.starts_with("From: Ann <ann@xn--bcher-kva.example>\r\n"), "{text}");
    usage(
        derive(WHOLE, &[&format!("recipients a@{}.example", "\u{fc}".repeat(60))]),
        &["recipient"],
        "A-labels too long",
    );
}
