//! What RFC 5322, RFC 5321 and RFC 6532 allow.

use super::{one, parse_list, specs};
use crate::error::Kind;

/// Name and addr-spec of each address.
fn named(text: &str) -> Vec<(String, String)> {
    let list = parse_list(text).unwrap();
    list.iter().map(|a| (a.display_name().unwrap_or_default().to_owned(), a.addr_spec().to_owned())).collect()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    wanted.iter().map(|(name, spec)| ((*name).to_owned(), (*spec).to_owned())).collect()
}

#[test]
fn appendix_a_fields_with_addresses() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        // A.1.1, A.2, A.3, A.4
        ("John Doe <jdoe@machine.example>", &[("John Doe", "jdoe@machine.example")]),
        ("Michael Jones <mjones@machine.example>", &[("Michael Jones", "mjones@machine.example")]),
        (
            "\"Mary Smith: Personal Account\" <smith@home.example>",
            &[("Mary Smith: Personal Account", "smith@home.example")],
        ),
        ("Jane Brown <j-brown@other.example>", &[("Jane Brown", "j-brown@other.example")]),
        ("John Doe <jdoe@node.example>", &[("John Doe", "jdoe@node.example")]),
        // A.1.2
        ("\"Joe Q. Public\" <john.q.public@example.com>", &[("Joe Q. Public", "john.q.public@example.com")]),
        (
            "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
            &[("Mary Smith", "mary@x.test"), ("", "jdoe@example.org"), ("Who?", "one@y.test")],
        ),
        (
            "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
            &[("", "boss@nil.test"), ("Giant; \"Big\" Box", "sysservices@example.net")],
        ),
        // A.1.3
        ("Pete <pete@silly.example>", &[("Pete", "pete@silly.example")]),
        (
            "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
            &[("Ed Jones", "c@a.test"), ("", "joe@where.test"), ("John", "jdoe@one.test")],
        ),
        ("Undisclosed recipients:;", &[]),
        // A.5
        ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", &[("Pete", "pete@silly.test")]),
        (
            "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n         \
             joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
            &[("Chris Jones", "c@public.example"), ("", "joe@example.org"), ("John", "jdoe@one.test")],
        ),
        ("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", &[]),
        // A.6.1
        ("Joe Q. Public <john.q.public@example.com>", &[("Joe Q. Public", "john.q.public@example.com")]),
        (
            "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
            &[("Mary Smith", "mary@example.net"), ("", "jdoe@test.example")],
        ),
        // A.6.3
        ("John Doe <jdoe@machine(comment).  example>", &[("John Doe", "jdoe@machine.example")]),
        ("Mary Smith\r\n  \r\n          <mary@example.net>", &[("Mary Smith", "mary@example.net")]),
    ];
    for (text, wanted) in cases {
        assert_eq!(named(text), pairs(wanted), "{text}");
        let with_lf = text.replace("\r\n", "\n");
        assert_eq!(named(&with_lf), pairs(wanted), "{with_lf}");
    }
}

#[test]
fn appendix_a_groups_are_named() {
    let list = parse_list("A Group(Some people)\r\n :Ed <c@a.test>, joe@where.test; , after@x.test").unwrap();
    let groups: Vec<_> = list.iter().map(|address| address.group()).collect();
    assert_eq!(groups, [Some("A Group"), Some("A Group"), None]);
}

#[test]
fn parts_and_source() {
    let address = one(" (to) \"Doe, J.\"\r\n <\"j d\" . x @ [192.0.2.1] > (work) ");
    assert_eq!(address.local(), "\"j d.x\"");
    assert_eq!(address.domain(), "[192.0.2.1]");
    assert_eq!(address.addr_spec(), "\"j d.x\"@[192.0.2.1]");
    assert_eq!(address.display_name(), Some("Doe, J."));
    assert_eq!(address.group(), None);
    assert_eq!(address.source(), "(to) \"Doe, J.\"\r\n <\"j d\" . x @ [192.0.2.1] > (work)");
    assert_eq!(address.to_string(), "\"Doe, J.\" <\"j d.x\"@[192.0.2.1]>");

    let list = parse_list("a@x , G: b@x (b) , c@x ; ,d@x").unwrap();
    let sources: Vec<_> = list.iter().map(|address| address.source()).collect();
    assert_eq!(sources, ["a@x", "b@x (b)", "c@x", "d@x"]);
}

#[test]
fn local_parts_have_one_form() {
    for (text, local) in [
        ("a@x", "a"),
        ("\"a\"@x", "a"),
        ("\"a.b\"@x", "a.b"),
        ("\"\\a\"@x", "a"),
        ("\"a b\"@x", "\"a b\""),
        ("\"a\\ b\"@x", "\"a b\""),
        ("\"a\r\n b\"@x", "\"a b\""),
        ("\"a\".b@x", "a.b"),
        ("\"a\" . \"b c\"@x", "\"a.b c\""),
        ("\"a..b\"@x", "\"a..b\""),
        ("\".a\"@x", "\".a\""),
        ("\"\"@x", "\"\""),
        ("\"a@b\"@x", "\"a@b\""),
        ("\"<>,;\"@x", "\"<>,;\""),
        ("\"\\\\\\\"\"@x", "\"\\\\\\\"\""),
        ("!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~"),
        ("(c)a(c).(c)b(c)@x", "a.b"),
    ] {
        assert_eq!(one(text).local(), local, "{text}");
        assert_eq!(one(&format!("N <{text}>")).local(), local, "{text}");
    }
}

#[test]
fn display_names() {
    for (name, wanted) in [
        ("", None),
        ("\"\"", None),
        ("Ann", Some("Ann")),
        ("Ann  \t Bo", Some("Ann Bo")),
        ("Ann(x)Bo", Some("Ann Bo")),
        ("J.R.R. Tolkien", Some("J.R.R. Tolkien")),
        ("Dr. \"X, Y\" Z", Some("Dr. X, Y Z")),
        ("\" a\\\"b \"", Some(" a\"b ")),
        ("\"a\r\n\tb\"", Some("a\tb")),
        ("=?utf-8?Q?J=C3=B6rg?= =?utf-8?Q?_X?=", Some("=?utf-8?Q?J=C3=B6rg?= =?utf-8?Q?_X?=")),
        ("Jörg Ünal", Some("Jörg Ünal")),
        ("Marie\u{a0}Curie", Some("Marie\u{a0}Curie")),
        ("山田 太郎", Some("山田 太郎")),
    ] {
        assert_eq!(one(&format!("{name} <a@x>")).display_name(), wanted, "{name}");
    }
}

#[test]
fn routes_are_dropped() {
    for text in ["<@a:x@c>", "<@a,@b:x@c>", "< , (c) @a.b (c) ,, @[192.0.2.1] , : x@c>", "n <@a . b : x@c>"] {
        assert_eq!(one(text).addr_spec(), "x@c", "{text}");
    }
}

#[test]
fn domain_literals() {
    for (text, domain) in [
        ("a@[192.0.2.1]", "[192.0.2.1]"),
        ("a@ (c) [ 192.0.2.1\r\n ] (c)", "[192.0.2.1]"),
        ("a@[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("<a@[ipv6:::ffff:192.0.2.1]>", "[ipv6:::ffff:192.0.2.1]"),
        ("a@[IPv6:::]", "[IPv6:::]"),
        ("a@[x-400:c=de;a=x]", "[x-400:c=de;a=x]"),
    ] {
        assert_eq!(one(text).domain(), domain, "{text}");
    }
}

#[test]
fn postmaster_needs_no_domain() {
    for text in ["postmaster", "Postmaster", "<POSTMASTER>", "The One <postmaster> (c)", "\"postmaster\""] {
        let address = one(text);
        assert!(address.local().eq_ignore_ascii_case("postmaster"), "{text}");
        assert_eq!((address.domain(), address.addr_spec()), ("", address.local()), "{text}");
        assert_eq!(address.to_ascii().unwrap(), address.addr_spec());
    }
    assert_eq!(specs("G: postmaster; , a@x, postmaster"), ["postmaster", "a@x", "postmaster"]);
}

#[test]
fn empty_elements_give_none() {
    for text in ["", " ", "\r\n ", "(c)", ",", " , (c) ,,", "G:;", "G: , (c),;,", "\"\":;"] {
        assert_eq!(specs(text), Vec::<String>::new(), "{text}");
    }
    assert_eq!(specs(",a@x,,b@x,"), ["a@x", "b@x"]);
    assert_eq!(specs("G:,a@x,,b@x,;,c@x"), ["a@x", "b@x", "c@x"]);
}

#[test]
fn utf8_stays_and_idn_becomes_a_labels() {
    // The examples of RFC 6531, 6532 and of the EAI test suites.
    for (text, spec, ascii) in [
        ("Jörg <jörg@bücher.example>", "jörg@bücher.example", None),
        ("用户@例え.jp", "用户@例え.jp", None),
        ("квіточка@пошта.укр", "квіточка@пошта.укр", None),
        ("अजय@डाटा.भारत", "अजय@डाटा.भारत", None),
        ("θσερ@εχαμπλε.ψομ", "θσερ@εχαμπλε.ψομ", None),
        ("\"jörg x\"@x", "\"jörg x\"@x", None),
        ("Bo <bo@bücher.example>", "bo@bücher.example", Some("bo@xn--bcher-kva.example")),
        ("bo@BÜCHER (c) . Example", "bo@bücher.example", Some("bo@xn--bcher-kva.example")),
        ("bo@faß.example", "bo@faß.example", Some("bo@xn--fa-hia.example")),
        ("bo@例え。jp", "bo@例え.jp", Some("bo@xn--r8jz45g.jp")),
        ("bo@ｅｘａｍｐｌｅ.org", "bo@example.org", Some("bo@example.org")),
        ("bo@xn--bcher-kva.example", "bo@xn--bcher-kva.example", Some("bo@xn--bcher-kva.example")),
        ("Bo@Example.ORG", "Bo@Example.ORG", Some("Bo@Example.ORG")),
        ("\"b o\"@bücher.example", "\"b o\"@bücher.example", Some("\"b o\"@xn--bcher-kva.example")),
    ] {
        let address = one(text);
        assert_eq!(address.addr_spec(), spec, "{text}");
        assert_eq!(address.to_ascii().ok().as_deref(), ascii, "{text}");
        assert_eq!(address.is_ascii(), spec.is_ascii(), "{text}");
    }
    let error = one("用户@例え.jp").to_ascii().unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert_eq!(error.to_string(), "the address \"用户@例え.jp\" needs SMTPUTF8: its local part is not ASCII");
}

#[test]
fn known_nasty_lists_that_are_valid() {
    for (text, wanted) in [
        ("\"quoted local\"@example.com", &["\"quoted local\"@example.com"][..]),
        ("G:a@x,b@x;,other@x", &["a@x", "b@x", "other@x"]),
        ("G:a@x;, H:;, b@x", &["a@x", "b@x"]),
        ("(a(b(c)d)e)joe@example.org(joe (Q.) Public)", &["joe@example.org"]),
        ("user@[IPv6:2001:db8::1], next@x", &["user@[IPv6:2001:db8::1]", "next@x"]),
        ("foo @ bar . example", &["foo@bar.example"]),
        ("a@x,,b@x,", &["a@x", "b@x"]),
        ("a\r\n\t@\r\n x", &["a@x"]),
        ("\"a,b\" <c@x>, d@x", &["c@x", "d@x"]),
        ("\"a@evil.example\" <c@x>", &["c@x"]),
        ("\"<evil@x>\" <c@x>", &["c@x"]),
        ("(evil@x, ) c@x", &["c@x"]),
        ("\"\\\"evil@x>, <\" <c@x>", &["c@x"]),
        ("\"a\\\\\" <c@x>", &["c@x"]),
        ("(\\\\) c@x", &["c@x"]),
        ("\"G: x\":c@x;", &["c@x"]),
        ("a@x(,b@x)", &["a@x"]),
        ("user+tag/dept=x@x, o'neil@x", &["user+tag/dept=x@x", "o'neil@x"]),
    ] {
        assert_eq!(specs(text), wanted, "{text}");
    }
}
