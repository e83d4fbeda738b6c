//! Mechanisms against challenges that are almost right.

use arbitrary::Unstructured;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use smtpclient::reply::Reply;
use smtpclient::sasl::{
    BindingKind, Channel, ChannelBinding, Credentials, Exchange, ExchangeStep, MechanismName, choose, start,
};

const PASSWORD: &str = "hunter2-secret";

/// An exchange ends, shows no secret in its words, and says one line at a time.
pub(crate) fn challenges(data: &[u8]) {
    let _ = exchange(&mut Unstructured::new(data));
}

fn exchange(bytes: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mechanism = bytes.choose(&MechanismName::ALL)?.clone();
    let mut credentials = Credentials::with_password("user", PASSWORD);
    credentials.oauth_token = Some("t0ken-secret".into());
    credentials.external = bytes.arbitrary()?;
    let binding = ChannelBinding { kind: BindingKind::TlsExporter, data: vec![7; 32] };
    let mut channel = Channel::new("mail.example", 25);
    (channel.encrypted, channel.bindings) = (true, vec![binding]);
    let offered = vec![mechanism.as_str().to_owned()];
    let _ = choose(&offered, None, &credentials, &channel, false);
    let Ok(started) = start(&mechanism, &credentials, &channel, &offered) else { return Ok(()) };
    let mut exchange = Exchange::new(started);
    let mut out = Vec::new();
    exchange.command(&mut out);
    one_line(&out);
    for _ in 0..20 {
        let text = challenge(bytes, &out)?;
        let code = *bytes.choose(&[334, 334, 334, 334, 334, 235, 535, 454, 250])?;
        let reply = Reply::new(code, text);
        out.clear();
        match exchange.reply(&reply, &mut out) {
            ExchangeStep::Continue => one_line(&out),
            ExchangeStep::Cancelled => assert_eq!(out, b"*\r\n"),
            ExchangeStep::Asking => panic!("no mechanism of the library's own is asked"),
            ExchangeStep::Done(Ok(())) => return Ok(()),
            ExchangeStep::Done(Err(fault)) => {
                assert!(
                    !fault.text.contains(PASSWORD) && !fault.text.contains("t0ken-secret"),
                    "{}",
                    fault.text
                );
                return Ok(());
            }
        }
    }
    panic!("it never ends");
}

/// Text of the mechanisms, made into base64, with the client's own nonce where that is needed to get on.
pub(crate) fn challenge(bytes: &mut Unstructured<'_>, said: &[u8]) -> arbitrary::Result<String> {
    const PIECES: [&str; 30] = [
        "r=",
        ",s=",
        ",i=",
        "4096",
        "1",
        "2000001",
        "99999999999999999999",
        "v=",
        "e=other-error",
        "m=ext",
        ",",
        "realm=\"a\"",
        "nonce=\"b\"",
        "qop=\"auth\"",
        "qop=\"auth-conf\"",
        "charset=utf-8",
        "algorithm=md5-sess",
        "rspauth=",
        "<1.2@host>",
        "Username:",
        "Password:",
        "\"",
        "\\",
        "=",
        "maxbuf=65536",
        "cipher=\"3des\"",
        "é",
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        "\0",
        "{\"status\":\"400\"}",
    ];
    let mut text = Vec::new();
    for _ in 0..bytes.int_in_range(0..=12)? {
        match bytes.int_in_range(0..=9)? {
            0 => text.extend_from_slice(bytes.bytes(4.min(bytes.len()))?),
            1 => {
                let line = said.trim_ascii().rsplit(|octet| *octet == b' ').next().unwrap_or_default();
                let line = BASE64_STANDARD.decode(line).unwrap_or_default();
                let nonce = line.windows(3).position(|three| three == b",r=").map(|at| &line[at + 3..]);
                text.extend(
                    nonce.unwrap_or_default().split(|octet| *octet == b',').next().unwrap_or_default(),
                );
            }
            _ => text.extend_from_slice(bytes.choose(&PIECES)?.as_bytes()),
        }
    }
    let mut coded = BASE64_STANDARD.encode(&text);
    if bytes.int_in_range(0..=20)? == 0 {
        coded.insert(bytes.choose_index(coded.len() + 1)?, *bytes.choose(&['!', '=', ' ', '\n', 'A'])?);
    }
    Ok(coded)
}

fn one_line(out: &[u8]) {
    assert!(out.ends_with(b"\r\n"), "{out:?}");
    assert_eq!(out.iter().filter(|octet| matches!(octet, b'\r' | b'\n' | 0)).count(), 2, "{out:?}");
}
