//! What is refused: where, why, and in bounded time.

use std::time::{Duration, Instant};

use super::{fault, one, parse_list, parse_mailbox, specs};
use crate::address::MAX_COMMENT_DEPTH;
use crate::error::{Error, Kind, Step};

/// Each list, the octet of its fault, and a word of the reason.
#[track_caller]
fn refused(cases: &[(&str, usize, &str)]) {
    for &(text, position, reason) in cases {
        let error = fault(text);
        assert!(error.reason().contains(reason), "{text:?}: {error}");
        assert_eq!(error.position(), position, "{text:?}: {error}");
    }
}

#[test]
fn known_nasty_lists_that_are_not_valid() {
    refused(&[
        ("a..b@x", 2, "two dots in a row"),
        (".a@x", 0, "begins with a dot"),
        ("a.@x", 2, "ends with a dot"),
        ("a@x.", 4, "ends with a dot"),
        ("a@.x", 2, "begins with a dot"),
        ("a@x..y", 4, "two dots in a row in the domain"),
        ("a@b@c", 3, "one @"),
        ("<a@b@c>", 4, "one @"),
        ("\"unterminated <a@b", 0, "no closing quote"),
        ("\"unterminated\\\" <a@b>", 0, "no closing quote"),
        ("\"x\\", 2, "nothing follows the backslash"),
        ("(\\", 1, "nothing follows the backslash"),
        ("x (unterminated <a@b>", 2, "no closing parenthesis"),
        ("a@b)", 3, "no comment is open"),
        ("<a@b", 0, "no closing >"),
        ("<a@b, c@d>", 0, "no closing >"),
        ("<", 0, "no closing >"),
        ("a@b>", 3, "no < is open"),
        ("<<a@b>>", 1, "an address is complete before this <"),
        ("<>", 0, "null reverse-path"),
        ("a@x, N <(c)>", 7, "null reverse-path"),
        ("a@x; b@x", 3, "separate addresses with a comma"),
        ("a@x b@x", 4, "separate addresses with a comma"),
        ("<a@x> <b@x>", 6, "complete before this <"),
        ("a@x <b@x>", 4, "quote a name that holds an @"),
        ("<a@x> name", 6, "complete before this"),
        ("Doe, John <a@x>", 0, "quote a name that holds a comma"),
        ("user", 0, "no domain"),
        ("a@x, user, b@x", 5, "no domain"),
        ("N <user>", 3, "no domain"),
        ("John Doe", 0, "no domain"),
        ("post.master", 0, "no domain"),
        ("a b@x", 2, "two words without a dot"),
        ("\"a\"b@x", 3, "two words without a dot"),
        ("a@", 2, "no domain follows the @"),
        ("a@,b@x", 2, "no domain follows the @"),
        ("@x", 0, "nothing stands before the @"),
        ("<@x>", 1, "no route"),
        ("<@x:>", 0, "null reverse-path"),
        ("<@x:", 0, "no closing >"),
        ("<,:a@x>", 1, "no route"),
        ("@a:b@c", 0, "nothing stands before the @"),
        (".J <a@x>", 0, "begins with a dot must be quoted"),
        ("a\\@b@x", 1, "a backslash stands only in"),
        ("a[1]@x", 1, "a bracket stands only around"),
    ]);
}

#[test]
fn groups() {
    refused(&[
        ("G: a@x", 0, "no closing semicolon"),
        ("a@x, G:", 5, "no closing semicolon"),
        ("G: H: a@x;;", 3, "a group cannot hold a group"),
        ("G: a@x; b@x", 8, "a comma must follow the semicolon"),
        ("G:;;", 3, "a comma must follow the semicolon"),
        (":a@x;", 0, "a colon follows only"),
        (";", 0, "no group is open"),
        ("a@x:b@x;", 3, "a colon follows only"),
        ("<G:a@x;>", 2, "a colon follows only"),
        (".G: a@x;", 0, "begins with a dot"),
    ]);
}

#[test]
fn domain_literals() {
    refused(&[
        ("a@[]", 2, "not an IPv4"),
        ("a@[192.0.2]", 2, "not an IPv4"),
        ("a@[192.0.2.256]", 2, "not an IPv4"),
        ("a@[192.0.2.01]", 2, "not an IPv4"),
        ("a@[192.0.2.1", 2, "no closing bracket"),
        ("a@[192.0.2.1]x", 13, "complete before this"),
        ("a@x[192.0.2.1]", 3, "a bracket stands only"),
        ("a@[192. 0.2.1]", 8, "cannot stand in a domain literal"),
        ("a@[192.0.2.1\\]", 12, "cannot stand in a domain literal"),
        ("a@[[192.0.2.1]]", 3, "cannot stand in a domain literal"),
        ("a@[tag:x>]", 8, "cannot stand in a domain literal"),
        ("a@[tag:ü]", 7, "cannot stand in a domain literal"),
        ("a@[IPv6:2001:db8::1::]", 2, "not an IPv6"),
        ("a@[IPv6:fe80::1%eth0]", 2, "not an IPv6"),
        ("a@[IPv6:]", 2, "not an IPv6"),
        ("a@[2001:db8::1]", 2, "needs its tag"),
        ("a@[tag:]", 2, "nothing follows the tag"),
        ("a@[tag-:x]", 2, "tag of a domain literal"),
        ("a@[:x]", 2, "tag of a domain literal"),
    ]);
}

#[test]
fn international_domains() {
    refused(&[
        // UTS #46 turns these into @ , > and a space.
        ("a@b＠c", 2, "internationalized"),
        ("a@b，c", 2, "internationalized"),
        ("a@b＞c", 2, "internationalized"),
        ("a@b\u{a0}c", 2, "internationalized"),
        ("a@-ü.example", 2, "internationalized"),
        ("a@例。", 2, "internationalized"),
        ("a@\u{200b}", 2, "internationalized"),
        ("\u{a0}a@x", 0, "white space that is not ASCII"),
        ("a\u{3000}@x", 0, "white space that is not ASCII"),
    ]);
    let long = format!("a@{}.example", "ü".repeat(60));
    assert!(fault(&long).reason().contains("internationalized"), "a label of more than 63 octets");
}

#[test]
fn nothing_ends_a_line() {
    refused(&[
        ("a@x\r\nBcc: b@x", 3, "a line end"),
        ("a@x\nBcc: b@x", 3, "a line end"),
        ("a@x\r", 3, "a line end"),
        ("a@x\n", 3, "a line end"),
        ("a@x\r\n", 3, "a line end"),
        ("a@x,\r b@x", 4, "a line end"),
        ("a@x,\r\n\r\n b@x", 4, "a line end"),
        ("a@x,\n\r\n b@x", 4, "a line end"),
        ("<a@x>\r\nRCPT TO:<b@x>", 5, "a line end"),
        ("\"a\r\nb\"@x", 2, "a line end"),
        ("\"a\\\r\n b\"@x", 2, "a backslash cannot quote a line end"),
        ("(a\\\n b) a@x", 2, "a backslash cannot quote a line end"),
        ("(\r\nBcc: b@x) a@x", 1, "a line end"),
        ("a@[1.2.3.4\r\n]", 10, "a line end"),
        ("a\0@x", 1, "a control character"),
        ("\"a\0\"@x", 2, "a control character"),
        ("\"a\\\0\"@x", 3, "a control character"),
        ("N\u{7f} <a@x>", 1, "a control character"),
        ("(\u{8}) a@x", 1, "a control character"),
        ("a\u{85}@x", 1, "a control character"),
        ("\"a\u{9b}\" <a@x>", 2, "a control character"),
        ("a@x\u{b}", 3, "a control character"),
        ("\"a\tb\"@x", 0, "a tab"),
        ("\"a\\\tb\"@x", 0, "a tab"),
    ]);
}

#[test]
fn limits() {
    let (local, label) = ("l".repeat(252), "d".repeat(63));
    assert_eq!(one(&format!("{local}@x")).local().len(), 252);
    assert!(fault(&format!("{local}l@x")).reason().contains("254 octets"));
    // Quotes count, and so does UTF-8 by octets.
    assert_eq!(one(&format!("\"{} {}\"@x", "l".repeat(124), "l".repeat(125))).local().len(), 252);
    assert!(fault(&format!("\"{} {}\"@x", "l".repeat(125), "l".repeat(125))).reason().contains("254 octets"));
    assert!(fault(&format!("{}@x", "ü".repeat(127))).reason().contains("254 octets"));

    let domain = [label.as_str(); 4].join(".");
    assert_eq!(domain.len(), 255);
    assert!(fault(&format!("l@{domain}")).reason().contains("254 octets"));
    assert!(fault(&format!("l@{domain}d")).reason().contains("255 octets"));
    let shorter = domain.get(3..).unwrap();
    assert_eq!(one(&format!("l@{shorter}")).addr_spec().len(), 254);
    // The A-labels are longer than the U-labels, and only they are too long.
    let umlauts = ["ü"; 31].join(".");
    assert_eq!(one(&format!("a@{umlauts}")).to_ascii().unwrap().len(), 2 + 31 * 8 - 1);
    let error = one(&format!("{}@{umlauts}", "l".repeat(64))).to_ascii().unwrap_err();
    assert!(error.text().ends_with("in A-labels it is longer than 254 octets"), "{error}");
}

#[test]
fn comments_nest_to_a_limit() {
    let nested = |depth: usize| format!("{}{}a@x", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(specs(&nested(MAX_COMMENT_DEPTH)), ["a@x"]);
    let error = fault(&nested(MAX_COMMENT_DEPTH + 1));
    assert_eq!((error.position(), error.reason().contains("32")), (MAX_COMMENT_DEPTH, true));
}

#[test]
fn one_mailbox_means_one() {
    for (text, position, reason) in [
        ("", 0, "there is no address"),
        (" (c) ", 5, "there is no address"),
        ("a@x, b@x", 3, "more follows"),
        ("a@x,", 3, "more follows"),
        (",a@x", 0, "comma"),
        ("G: a@x;", 0, "this is a group"),
        ("<>", 0, "null reverse-path"),
    ] {
        let error = parse_mailbox(text).unwrap_err();
        assert!(error.position() == position && error.reason().contains(reason), "{text:?}: {error}");
    }
}

#[test]
fn errors_say_where_in_one_short_line() {
    assert_eq!(
        fault("a@x, b\"\"@x").to_string(),
        "address \"a@x, b\\\"\\\"@x\", at octet 6: two words without a dot between them are not a local part: quote \
         it, or add a comma or <>"
    );
    let text = format!("{}, x\r\nBcc: ü@x, {}", "ä@x,".repeat(50_000), "ö@x,".repeat(50_000));
    let error = fault(&text);
    let excerpt = "…@x,ä@x,ä@x,ä@x,ä@x,ä@x,ä@x,, x\r\nBcc: ü@x, ö@x,ö@x,ö@x,ö@x,ö@…";
    assert_eq!((error.excerpt(), error.position()), (excerpt, 250_003));
    assert!(!error.to_string().contains(['\r', '\n']));
    let error = Error::from(error);
    assert_eq!((error.kind(), error.step()), (Kind::Usage, Step::Setup));
    assert!(error.text().contains("octet 250003"));
}

#[test]
fn work_is_bounded() {
    const SIZE: usize = 1 << 20;
    let started = Instant::now();
    for piece in [
        "(", ")", ",", "\"", "<", "@", ":", ";", "[", ".", " ", "\\", "a", "ü", "\"\"", "()", "a,", "a:",
        "a@",
    ] {
        let text = piece.repeat(SIZE / piece.len());
        for text in
            [&text, &format!("a@{text}"), &format!("<@{text}"), &format!("G:{text}"), &format!("({text}")]
        {
            let _ = (parse_list(text), parse_mailbox(text));
        }
    }
    assert_eq!(specs(&",".repeat(SIZE)), Vec::<String>::new());
    // A long group name with many members, and a long list.
    let members = "a@x,".repeat(10_000);
    let list = parse_list(&format!("{}:{members};", "G".repeat(SIZE))).unwrap();
    assert_eq!(list.len(), 10_000);
    let many: Vec<String> = (0..10_000).map(|n| format!("Name {n} <user{n}@host{n}.example>")).collect();
    let list = parse_list(&many.join(",\r\n ")).unwrap();
    assert!(
        list.iter()
            .zip(&many)
            .all(|(address, source)| address.source() == source && address.to_string() == *source)
    );
    // Quadratic work at these sizes takes hours; a debug build on a busy machine takes a minute or two.
    assert!(started.elapsed() < Duration::from_secs(900), "{:?}", started.elapsed());
}
