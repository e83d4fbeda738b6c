use proptest::prelude::*;
use smol_str::SmolStr;

use super::*;

fn as_field(name: &str, value: &str, utf8: bool) -> Result<String, Error> {
    let mut out = String::new();
    field(name, value, utf8, &mut out).map(|()| out)
}

fn write(name: &str, value: &str) -> String {
    as_field(name, value, false).unwrap()
}

fn by_the_rules(name: &str, value: &str, utf8: bool) -> Result<String, Error> {
    written(name, trimmed(value), utf8)
}

#[test]
fn text_is_encoded_word_by_word() {
    assert_eq!(write("Subject", "plain  text"), "Subject: plain  text\r\n");
    assert_eq!(write("Subject", "a gr\u{fc}n b"), "Subject: a =?utf-8?b?Z3LDvG4=?= b\r\n");
    assert_eq!(write("Subject", "\u{e9} \u{e8}  b"), "Subject: =?utf-8?b?w6kgw6g=?=  b\r\n");
    assert_eq!(as_field("Subject", "gr\u{fc}n", true).unwrap(), "Subject: gr\u{fc}n\r\n");
    assert_eq!(write("Subject", "=?utf-8?q?x?="), "Subject: =?utf-8?q?x?=\r\n");
    assert_eq!(
        write("Subject", "=?utf-8?q?x?= gr\u{fc}n  =?utf-8?q?y?= z"),
        "Subject: =?utf-8?q?x?= =?utf-8?b?IGdyw7xuICA=?=  =?utf-8?q?y?= z\r\n"
    );
    assert_eq!(
        write("To", "=?utf-8?q?x?= gr\u{fc}n <a@b.c>"),
        "To: =?utf-8?q?x?= =?utf-8?b?IGdyw7xu?= <a@b.c>\r\n"
    );
    assert_eq!(write("Subject", ""), "Subject: \r\n");
}

#[test]
fn addresses_keep_all_but_the_names() {
    assert_eq!(
        write(
            "To",
            "J\u{f6}rg B <a@b.c>, \"M\u{fc}ller, X\" <\"x y\"@b.c>,d@e.f (\u{e4} \\) b), \"P, Q\" <p@q.r>"
        ),
        "To: =?utf-8?b?SsO2cmcgQg==?= <a@b.c>, =?utf-8?b?TcO8bGxlciwgWA==?=\r\n <\"x y\"@b.c>,d@e.f \
         (=?utf-8?b?w6QgKSBi?=), \"P, Q\" <p@q.r>\r\n"
    );
    assert_eq!(write("Cc", "Gr\u{fc}n: a@b.c,d@e.f;"), "Cc: =?utf-8?b?R3LDvG4=?= : a@b.c,d@e.f;\r\n");
    assert_eq!(write("From", "J\u{f6}rg (\u{e4}) <a@b.c>"), "From: =?utf-8?b?SsO2cmcgKMOkKQ==?= <a@b.c>\r\n");
    let nobody = "undisclosed-recipients:;";
    assert_eq!(write("To", nobody), format!("To: {nobody}\r\n"));
    assert_eq!(write("From", "\"a \u{e9}"), "From: \"a \u{e9}\r\n");
    assert_eq!(write("From", "\u{f6}@b.c"), "From: \u{f6}@b.c\r\n");
    let quoted = format!("\"{}\"", "a b".repeat(21));
    assert_eq!(
        write("From", &format!("x@y.z, {quoted} <a@b.c>")),
        format!("From: x@y.z,\r\n {quoted} <a@b.c>\r\n")
    );
    assert_eq!(write("From", &"x@y.z, ".repeat(400)).split("\r\n").map(str::len).max(), Some(77));
}

#[test]
fn domains_are_a_labels_without_utf8() {
    let (u, a) = ("j@b\u{fc}cher.example", "j@xn--bcher-kva.example");
    for text in [
        "X",
        "X, y@z",
        "<X>",
        "B <X>, <X>",
        "\"B, C\" <X>",
        "T: X, C <X>;",
        "X (c), y@z",
        "(c) X",
        "(c (d)) X(e)",
        "X,",
    ] {
        assert_eq!(write("To", &text.replace('X', u)), format!("To: {}\r\n", text.replace('X', a)));
        assert_eq!(
            as_field("To", &text.replace('X', u), true).unwrap(),
            format!("To: {}\r\n", text.replace('X', u))
        );
    }
    assert_eq!(write("To", "j\u{f6}@b\u{fc}.example"), "To: j\u{f6}@b\u{fc}.example\r\n");
    assert_eq!(write("Subject", "<j@b\u{fc}.example>"), "Subject: =?utf-8?b?PGpAYsO8LmV4YW1wbGU+?=\r\n");
}

#[test]
fn urls_are_neither_encoded_nor_folded() {
    let long = format!("<https://a.example/{}>", "u".repeat(920));
    for name in ["List-Unsubscribe", "list-help", "List-Post", "Archived-At", "List-ID"] {
        assert_eq!(write(name, &long), format!("{name}: {long}\r\n"));
        let spaces = format!("<https://a.example/{}>", "u v".repeat(90));
        let two = write(name, &format!("{spaces}, <mailto:a@b.example>"));
        assert_eq!(two, format!("{name}: {spaces},\r\n <mailto:a@b.example>\r\n"));
        assert!(as_field(name, &format!("<https://a.example/{}>", "u".repeat(1_000)), false).is_err());
        let beyond = write(name, "<https://a.example/\u{e9}>");
        assert_eq!(beyond, format!("{name}: <https://a.example/\u{e9}>\r\n"));
    }
    assert_eq!(
        write("List-Help", "<https://a.example/> (gr\u{fc}n)"),
        "List-Help: <https://a.example/> (=?utf-8?b?Z3LDvG4=?=)\r\n"
    );
    assert_eq!(write("List-ID", "Gr\u{fc}n <a.b>"), "List-ID: =?utf-8?b?R3LDvG4=?= <a.b>\r\n");
    assert_eq!(write("List-Unsubscribe-Post", "List-Unsubscribe=One-Click").matches("=?").count(), 0);
    let key = "A".repeat(70);
    let spaced = format!("addr=a@b.example; keydata={key} {key} {key}");
    assert_eq!(write("Autocrypt", &spaced).replace("\r\n ", " "), format!("Autocrypt: {spaced}\r\n"));
    assert!(as_field("Autocrypt", &format!("addr=a@b.example; keydata={}", key.repeat(20)), false).is_err());
}

/// Names of every syntax, in any case, and values of what has a meaning in any of them.
fn fields() -> impl Strategy<Value = (String, String)> {
    let piece = prop_oneof![
        6 => "[ -~]{0,40}",
        3 => "[a-z]{1,12}( [a-z]{1,12}){0,9}",
        2 => "(\"[ -~]{0,9}\" |[A-Z][a-z]{0,9} ){0,2}<[a-z.]{1,30}@[a-z.]{1,30}>(, ?|;)?",
        1 => "[A-Z][a-z]{1,9}: (a@b\\.c, ?){0,9};",
        1 => "\\(( |[a-z()\\\\]){0,30}\\)",
        1 => "=\\?utf-8\\?[qb]\\?[!->@-~]{0,20}\\?=",
        1 => "[; ]{0,2}[a-z]{1,9}=\"?[ -~]{0,20}\"?",
        1 => "[ \t]{1,90}",
        1 => "\\PC{0,9}",
    ];
    let any = proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat());
    prop_oneof![(name(), any), edges()]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "(Subject|TO|from|Reply-To|Content-Disposition|content-type|References|Date|List-Help|List-ID|Autocrypt|.X)",
        1 => "[!-9;-~]{1,90}",
    ]
}

/// Fields about as long as a line is where it is folded, a word where it is encoded, and a line where it is refused.
fn edges() -> impl Strategy<Value = (String, String)> {
    let shape = prop_oneof![
        Just(("", "a", "")),
        Just(("a ", "a", "")),
        Just(("a@b.c, <", "a", "@b.c>")),
        Just(("\"a b\" <", "a", "@b.c>")),
        Just(("<", "a", ">")),
        Just(("a a a ", "a a ", "a")),
        Just(("x; boundary=a", "\"", "")),
        Just(("x; name=\"", "a", "\"")),
    ];
    let length = prop_oneof![70..80_usize, 893..904_usize, 990..1004_usize];
    (name(), shape, length).prop_map(|(name, (front, filling, back), length)| {
        let room = length.saturating_sub(name.len() + 2 + front.len() + back.len());
        let mut filled = filling.repeat(room / filling.len() + 1);
        filled.truncate(room);
        (name, format!("{front}{filled}{back}"))
    })
}

proptest! {
    // A thousand find every edge.
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn nothing_panics_and_no_line_is_long(name in "(Subject|To|Content-Disposition|References|List-Help|List-ID|X)", value in "\\PC{0,300}") {
        for utf8 in [true, false] {
            if let Ok(text) = as_field(&name, &value, utf8) {
                prop_assert!(text.ends_with("\r\n"));
                let body = text.trim_end_matches("\r\n");
                for (i, line) in body.split("\r\n").enumerate() {
                    prop_assert!(line.len() <= 998 && !line.contains(['\r', '\n']));
                    prop_assert!(i == 0 || line.starts_with([' ', '\t']) && !line.trim().is_empty());
                }
            }
        }
    }

    /// What is written straight is what the rules give.
    #[test]
    fn short_cuts_lead_to_the_same_place((name, value) in fields()) {
        for utf8 in [true, false] {
            let (short, long) = (as_field(&name, &value, utf8), by_the_rules(&name, &value, utf8));
            prop_assert_eq!(short.map_err(|error| error.to_string()), long.map_err(|error| error.to_string()));
        }
        let long = by_the_rules(&name, &value, false).and_then(|_| by_the_rules(&name, &value, true)).is_ok();
        prop_assert_eq!(check(&name, &value).is_ok(), long);
    }

    #[test]
    fn parameters_on_one_line_are_as_the_rules_give_them(
        value in "[a-z]{1,20}/[a-z]{1,30}",
        list in proptest::collection::vec(("[a-z*-]{1,9}|boundary|filename", "[ -~]{0,30}|\\PC{0,9}|[a-z]{30,80}"), 0..3),
        whole in proptest::option::of(70..80_usize),
        file_name in proptest::option::weighted(0.1, "\\PC{0,9}"),
    ) {
        let good = list.iter().filter(|(name, value)| parameters::check(name, value).is_ok());
        let list: Vec<_> = good.map(|(name, value)| (name.into(), value.into())).collect();
        let mut list = list;
        // As long as one line is, or about.
        if let (Some(whole), Some((_, last))) = (whole, list.last_mut()) {
            *last = SmolStr::default();
            let length = folded("Content-Type", &value, &list, None).map_or(whole, |line| line.len() - 2);
            if let Some((_, last)) = list.last_mut() {
                *last = "a".repeat(whole.saturating_sub(length)).into();
            }
        }
        let mut short = String::new();
        let result = with_parameters("Content-Type", &value, &list, file_name.as_deref(), &mut short).map(|()| short);
        let long = folded("Content-Type", &value, &list, file_name.as_deref());
        prop_assert_eq!(result.map_err(|error| error.to_string()), long.map_err(|error| error.to_string()));
    }
}
