use std::net::Ipv4Addr;
use std::thread;
use std::time::Instant;

use super::*;
use crate::cancel::Cancel;
use crate::net::limits::Limits;

fn name(text: &str) -> Host {
    Host::Name(text.to_owned())
}

/// A name that no resolver asks anybody about: its first label is too long (RFC 1035 section 2.3.4).
pub(in super::super) fn impossible_name() -> String {
    format!("{}.invalid", "a".repeat(64))
}

#[test]
fn every_form_of_a_host_is_understood() {
    let v4 = Host::Ip(Ipv4Addr::LOCALHOST.into());
    let v6 = Host::Ip(Ipv6Addr::LOCALHOST.into());
    for (text, host, shown) in [
        ("127.0.0.1", &v4, "127.0.0.1"),
        ("[127.0.0.1]", &v4, "127.0.0.1"),
        ("::1", &v6, "[::1]"),
        ("[::1]", &v6, "[::1]"),
        ("fe80::1%eth0", &name("fe80::1%eth0"), "[fe80::1%eth0]"),
        ("[fe80::1%2]", &name("fe80::1%2"), "[fe80::1%2]"),
        ("Mail.example", &name("Mail.example"), "Mail.example"),
        ("mail.example.", &name("mail.example."), "mail.example."),
        ("my_host", &name("my_host"), "my_host"),
        ("LocalHost.", &name("localhost"), "localhost"),
        ("bücher.example", &name("xn--bcher-kva.example"), "xn--bcher-kva.example"),
        ("пример.example.", &name("xn--e1afmkfd.example."), "xn--e1afmkfd.example."),
    ] {
        let parsed = Host::parse(text).unwrap();
        assert_eq!(&parsed, host, "{text}");
        assert_eq!(parsed.to_string(), shown);
    }
}

#[test]
fn what_is_no_host_is_the_callers_mistake() {
    let long = "a.".repeat(200);
    for text in [
        "",
        ".",
        "a\0b",
        "a b",
        "a\r\nb",
        " a",
        "a\u{a0}b",
        "smtp://a",
        "a:25",
        "user@a",
        "[::1",
        "::g",
        "::1%",
        "::1%a/b",
        "a%25",
        "1.2.3.4/8",
        "xn--\u{fc}",
        &long,
    ] {
        let error = Host::parse(text).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{text:?}");
        assert!(error.text().starts_with("host "), "{error}");
        assert!(!error.text().contains(['\0', '\n']), "{error:?}");
    }
    assert!(Host::parse(&"a".repeat(253)).is_ok());
    assert!(Host::parse(&format!("{}.", "a".repeat(253))).is_ok());
}

#[test]
fn names_are_looked_up_with_and_without_limits() {
    let cancel = Some(Cancel::new());
    for limits in [Limits::default(), Limits::new(None, cancel)] {
        let found = resolve(&name("localhost"), 25, &phase(&limits)).unwrap();
        assert!(!found.is_empty());
        assert!(found.iter().all(|a| a.ip().is_loopback() && a.port() == 25));
        let error = resolve(&name(&impossible_name()), 25, &phase(&limits)).unwrap_err();
        assert_eq!((error.kind(), error.step()), (Kind::Resolve, Step::Connect));
        assert!(error.text().contains(&impossible_name()), "{error}");
        assert!(error.is_transient());
    }
}

#[test]
fn a_zone_reaches_the_resolver() {
    let found = resolve(&name("fe80::1%lo"), 25, &phase(&Limits::default())).unwrap();
    assert!(matches!(found[..], [SocketAddr::V6(a)] if a.scope_id() != 0), "{found:?}");
}

#[test]
fn a_slow_resolver_is_left_behind() {
    let slow = || {
        thread::sleep(Duration::from_secs(2));
        Ok(())
    };
    let cancel = Cancel::new();
    let limits = Limits::new(None, Some(cancel.clone()));
    let begin = Instant::now();
    let trigger = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        cancel.trigger();
    });
    assert_eq!(interruptible(&phase(&limits), "a name", slow).unwrap_err().kind(), Kind::Cancelled);
    assert!(begin.elapsed() < Duration::from_millis(350), "{:?}", begin.elapsed());
    trigger.join().unwrap();

    let begin = Instant::now();
    let limits = Limits::new(Some(begin + Duration::from_millis(50)), None);
    let error = interruptible(&phase(&limits), "a name", slow).unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(error.text().contains("deadline"));
    assert!(begin.elapsed() < Duration::from_millis(250), "{:?}", begin.elapsed());
}

#[test]
fn the_time_out_of_connecting_covers_the_resolver() {
    let limits = Limits::default();
    let phase = PhaseLimits::begin(&limits, Duration::from_millis(50));
    let slow = || {
        thread::sleep(Duration::from_secs(2));
        Ok(())
    };
    let begin = Instant::now();
    let error = interruptible(&phase, "mail.example", slow).unwrap_err();
    assert_eq!((error.kind(), error.step()), (Kind::Timeout, Step::Connect));
    assert!(error.text().contains("no answer for mail.example"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(1), "it waited for the resolver");
}

fn phase(limits: &Limits) -> PhaseLimits<'_> {
    PhaseLimits::begin(limits, Duration::from_secs(30))
}

#[test]
fn a_resolver_that_dies_is_an_error() {
    let limits = Limits::new(None, Some(Cancel::new()));
    let died: io::Result<()> = interruptible(&phase(&limits), "a name", || panic!("on purpose")).unwrap();
    assert!(died.is_err());
}
