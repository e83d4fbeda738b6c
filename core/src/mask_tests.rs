use super::*;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

const PASSWORD: &str = "correct-horse 9%\u{e9}x";

fn mask() -> Mask {
    let mut mask = Mask::default();
    mask.hide(PASSWORD.as_bytes());
    mask
}

fn shown(mask: &mut Mask, text: &str) -> String {
    let reply = Reply::new(535, text);
    mask.reply(&reply).unwrap_or(reply).raw().into_owned()
}

fn percent(all: bool) -> String {
    let octet = |octet: &u8| {
        if all || !octet.is_ascii_alphanumeric() {
            format!("%{octet:02X}")
        } else {
            char::from(*octet).into()
        }
    };
    PASSWORD.as_bytes().iter().map(octet).collect()
}

#[test]
fn a_password_is_hidden_in_every_form() {
    let plain = format!("\0user@example.test\0{PASSWORD}");
    let quoted: String = PASSWORD.chars().flat_map(|c| ['\\', c]).collect();
    let printable: String = PASSWORD.bytes().map(|octet| format!("={octet:02X}")).collect();
    let hex: String = PASSWORD.bytes().map(|octet| format!("{octet:02X}")).collect();
    let escaped: String = PASSWORD.bytes().map(|octet| format!("\\x{octet:02x}")).collect();
    for form in [
        PASSWORD.to_owned(),
        PASSWORD.to_uppercase(),
        STANDARD.encode(PASSWORD),
        STANDARD.encode(&plain),
        URL_SAFE.encode(format!("x{plain}y")),
        percent(false),
        percent(true),
        percent(true).replace('%', "="),
        printable.replace("=6F", "=6F=\n"),
        quoted.clone(),
        format!("\"{quoted}\""),
        escaped,
        hex,
        PASSWORD.replace('-', "-\n"),
        PASSWORD.chars().map(|c| format!("{c}\n5.7.8 ")).collect(),
        STANDARD
            .encode(format!("\0{PASSWORD}"))
            .as_bytes()
            .chunks(6)
            .map(|c| format!("{}\n", c.escape_ascii()))
            .collect(),
    ] {
        for text in [form.clone(), format!("5.7.8 wrong ({form}), try again")] {
            let seen = shown(&mut mask(), &text);
            assert!(seen.contains("***"), "{text:?}");
            let left = form
                .split_whitespace()
                .find(|word| *word != "5.7.8" && word.len() > 4 && seen.contains(*word));
            assert_eq!(left, None, "{text:?} is shown as {seen:?}");
            assert!(!seen.contains("orse") && !seen.contains("ORSE"), "{seen:?}");
        }
    }
}

#[test]
fn the_rest_of_the_text_stays() {
    let mut mask = mask();
    for harmless in [
        "5.7.8 Error: authentication failed: (reason unavailable)",
        "2.0.0 Ok: queued as 4BZ1Xk2Jr0z9sWq",
        "mail.example\nPIPELINING\nSIZE 10240000\nAUTH PLAIN LOGIN\n8BITMIME",
        "OK id=1sXyZa-0000000Abc-2DeF",
        "=?utf-8?q?a=C3=A9?=",
        "",
    ] {
        assert_eq!(shown(&mut mask, harmless), harmless);
    }
    assert_eq!(shown(&mut mask, &format!("5.7.8 <{PASSWORD}>\nbye")), "5.7.8 <***>\nbye");
    assert_eq!(mask.text(&format!("a {PASSWORD} b")), "a *** b");
    assert!(Mask::default().reply(&Reply::new(250, PASSWORD)).is_none());
}

#[test]
fn pieces_in_several_replies_are_hidden() {
    let mut mask = mask();
    for piece in ["correct-h", "orse", " 9%\u{e9}x"] {
        let seen = shown(&mut mask, piece).trim_start().to_owned();
        assert!(seen.starts_with("***"), "{piece:?} is shown as {seen:?}");
    }
    // One octet each: what came before it is over, but the rest is not shown.
    let seen: String = PASSWORD.chars().map(|char| shown(&mut mask, &char.to_string())).collect();
    assert!(seen.starts_with("correct***"), "{seen}");
    assert!(!seen.contains("horse") && !seen.replace("***", "").contains('9'), "{seen}");
}

#[test]
fn lines_of_a_login_and_secret_commands_are_hidden() {
    let mut mask = Mask::default();
    let proof = "c=biws,r=abc,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
    mask.hide_response(STANDARD.encode(proof).as_bytes());
    assert_eq!(shown(&mut mask, &format!("got {}", STANDARD.encode(proof))), "got ***");
    assert_eq!(shown(&mut mask, "got p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="), "got p=***=");
    let mut mask = Mask::default();
    mask.hide_command(format!("AUTH PLAIN {}", STANDARD.encode("\0user\0tanstaaf")).as_bytes());
    assert_eq!(shown(&mut mask, "PLAIN user tanstaaf"), "PLAIN user ***");
    mask.hide_command(STANDARD.encode("another-one").as_bytes());
    assert_eq!(shown(&mut mask, "another-one"), "***");
    mask.hide_command(b"XPASS hunter2");
    assert_eq!(shown(&mut mask, "unknown command: xpass hunter2"), "unknown command: xpass ***");
    // Too short to be told from words.
    mask.hide(b"a");
    assert_eq!(shown(&mut mask, "a word"), "a word");
}

proptest! {
    #[test]
    fn whatever_stands_around_it_nothing_of_it_is_left(
        before in "[ -~\n]{0,40}", secret in "[!-~]{4,40}", behind in "[ -~\n]{0,40}"
    ) {
        let mut mask = Mask::default();
        mask.hide(secret.as_bytes());
        let text = format!("{before}{secret}{behind}");
        let reply = Reply::new(535, text.as_str());
        let seen = mask.reply(&reply).unwrap_or(reply);
        prop_assert!(!seen.text().contains(&secret), "{:?} is shown as {:?}", text, seen.text());
        prop_assert!(!mask.text(&text).contains(&secret));
    }

    #[test]
    fn nothing_panics(secret in prop::collection::vec(any::<u8>(), 0..60), text in "\\PC{0,200}") {
        let mut mask = Mask::default();
        mask.hide(&secret);
        mask.hide_response(&secret);
        mask.hide_command(&secret);
        let _ = mask.reply(&Reply::new(250, text.as_str()));
        let _ = mask.text(&text);
    }
}
