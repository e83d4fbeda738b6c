//! What holds for every input.

use proptest::prelude::*;

use crate::address::{Address, MAX_ADDR_SPEC, MAX_DOMAIN, parse_list, parse_mailbox, plain_mailbox};

/// Pieces that make most texts nearly a list.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "B9",
        "x.y",
        "\"",
        "\\",
        "\"q r\"",
        "\"\\\"\"",
        "(",
        ")",
        "(c)",
        "<",
        ">",
        "@",
        "@",
        "@x",
        "a@x",
        "<a@x>",
        "[",
        "]",
        "[192.0.2.1]",
        "[IPv6:::1]",
        "[t:",
        "[t:x]",
        ":",
        ";",
        "G:",
        ",",
        ",",
        ".",
        "..",
        " ",
        "\t",
        "\r\n ",
        "\n\t",
        "\r",
        "\n",
        "\0",
        "ü",
        "例え.jp",
        "\u{a0}",
        "\u{200b}",
        "。",
        "＠",
        "ß",
        "xn--",
        "=?utf-8?q?x?=",
        "postmaster",
        "-",
        "_",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn holds(text: &str) -> Result<(), TestCaseError> {
    if let Some(plain) = plain_mailbox(text) {
        let whole = parse_mailbox(text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!((plain.addr_spec(), plain.local()), (whole.addr_spec(), whole.local()));
        prop_assert_eq!(plain.plain_addr_spec(), whole.plain_addr_spec());
        prop_assert_eq!(parse_list(text), Ok(vec![whole]));
    }
    let _ = parse_mailbox(text);
    let list = match parse_list(text) {
        Ok(list) => list,
        Err(error) => {
            prop_assert!(text.is_char_boundary(error.position()));
            prop_assert!(!error.to_string().chars().any(char::is_control));
            return Ok(());
        }
    };
    for address in &list {
        address_holds(address, text)?;
    }
    let again: Vec<String> = list.iter().map(ToString::to_string).collect();
    let again = parse_list(&again.join(", ")).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let parts = |a: &Address| (a.addr_spec().to_owned(), a.display_name().map(str::to_owned));
    prop_assert_eq!(list.iter().map(parts).collect::<Vec<_>>(), again.iter().map(parts).collect::<Vec<_>>());
    Ok(())
}

fn address_holds(address: &Address, text: &str) -> Result<(), TestCaseError> {
    let spec = address.addr_spec();
    prop_assert!(!spec.chars().any(char::is_control));
    prop_assert!(!spec.is_empty() && spec.len() <= MAX_ADDR_SPEC);
    prop_assert!(address.domain().len() <= MAX_DOMAIN);
    prop_assert!(!address.domain().contains([' ', '<', '>', '@', ',', '"', '(', ')', '\\']));
    if !address.local().starts_with('"') {
        prop_assert!(!address.local().contains([' ', '<', '>', '@', ',', '"', '(', ')', '\\']));
    }
    match address.domain() {
        "" => prop_assert!(spec.eq_ignore_ascii_case("postmaster")),
        domain => prop_assert_eq!(spec, format!("{}@{domain}", address.local())),
    }
    prop_assert!(text.contains(address.source()));
    if let Ok(ascii) = address.to_ascii() {
        prop_assert!(ascii.is_ascii());
        prop_assert!(parse_mailbox(&ascii).is_ok_and(|again| again.addr_spec() == ascii));
    } else {
        prop_assert!(!address.is_ascii());
    }
    // Its own source says the same.
    let again = parse_mailbox(address.source()).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!((spec, address.display_name()), (again.addr_spec(), again.display_name()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn near_lists(text in pieces()) {
        holds(&text)?;
    }

    #[test]
    fn any_text(text in any::<String>()) {
        holds(&text)?;
    }

    #[test]
    fn the_short_way_gives_what_the_grammar_gives(text in "[ab.@@<>,; :-]{0,12}") {
        // A space in front of the @ is allowed, and too much for the short way.
        let specs = |text: &str| parse_list(text).ok().map(|list| {
            list.iter().map(|one| (one.addr_spec().to_owned(), one.local().to_owned())).collect::<Vec<_>>()
        });
        prop_assert_eq!(specs(&text), specs(&text.replace('@', " @")));
    }

    #[test]
    fn a_list_is_read_as_the_members_of_a_group_are(text in "[ab.@@<>, ,()\r\n\t-]{0,16}") {
        // Members of a group are always read piece by piece.
        let told = |text: &str| parse_list(text).ok().map(|list| {
            list.iter().map(|one| format!("{:?} {} {one}", one.source(), one.local())).collect::<Vec<_>>()
        });
        prop_assert_eq!(told(&text), told(&format!("g:{text};")));
    }

    #[test]
    fn what_is_plain_is_so_for_the_grammar(name in "[ab\\.\" (,;:<\r\n\t\\\\é]{0,8}", spec in "[ab.@ <>]{0,9}") {
        holds(&format!("{name}<{spec}>"))?;
        holds(&format!("\"{name}\" <{spec}@b>"))?;
        holds(&spec)?;
    }

    #[test]
    fn any_name_and_local_part(name in "[^\\p{Cc}]{0,20}", local in "[^\\p{Cc}]{0,15}", domain in "[^\\p{Cc}]{1,12}") {
        holds(&format!("{name} <{local}@{domain}>"))?;
        let quoted = super::super::scanner::quote(&local);
        let spec = super::one(&format!("{} <{quoted}@x>", super::super::scanner::quote(&name)));
        prop_assert_eq!(spec.display_name().unwrap_or_default(), name);
        prop_assert!(spec.local() == local || spec.local() == quoted);
    }
}
