//! Messages: finished ones, and ones that are put together.

use arbitrary::Unstructured;
use smtpclient::envelope::Envelope;
use smtpclient::message::{Encoding, HeaderMode, Message};
use smtpclient::net::local;
use smtpclient::options::Options;

/// Reading does not change a message, and neither does anything that it says make it lose its form.
pub(crate) fn finished(data: &[u8]) {
    let message = Message::from_bytes(data);
    let bytes = match message.to_bytes() {
        Ok(bytes) => bytes,
        Err(error) => {
            assert!(data.contains(&0) || error.text().contains("line "), "neither NUL nor a line: {error}");
            return;
        }
    };
    assert_eq!(message.size().unwrap(), Some(bytes.len() as u64));
    // Line ends apart, it is what it was.
    let bare =
        |octets: &[u8]| octets.iter().filter(|o| !matches!(o, b'\r' | b'\n')).copied().collect::<Vec<_>>();
    // And without an mbox line, a byte order mark or empty lines in front.
    assert!(bare(data).ends_with(&bare(&bytes)));
    for name in message.header_names().unwrap_or_default() {
        assert!(!message.header(&name).unwrap_or_default().is_empty(), "{name:?}");
    }
    let options = Options::default();
    if let Ok(envelope) = Envelope::derive(&message, &options, &local()) {
        for recipient in &envelope.recipients {
            assert!(!recipient.path.as_str().contains(['\r', '\n', '\0']), "{recipient:?}");
        }
        message.prepare(&envelope.edits).unwrap();
    }
}

/// Whatever is put together is mail: lines of at most 998 octets that end in CRLF, and no header field but the asked ones.
pub(crate) fn composed(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(Some(message)) = part(&mut bytes, 0) else { return };
    let Ok(text) = message.to_bytes() else { return };
    let mut rest = text.as_slice();
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        let (line, after) = rest.split_at(at);
        assert!(line.len() <= 998, "{} octets", line.len());
        assert!(
            !line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)),
            "{:?}",
            String::from_utf8_lossy(line)
        );
        rest = &after[2..];
    }
    assert!(rest.is_empty(), "no line end: {:?}", String::from_utf8_lossy(rest));
    assert_eq!(message.size().unwrap(), Some(text.len() as u64));
    assert!(message.header("X-Injected").unwrap_or_default().is_empty());
}

fn part(bytes: &mut Unstructured<'_>, depth: usize) -> arbitrary::Result<Option<Message>> {
    let mut message = match bytes.int_in_range(0..=if depth < 3 { 5 } else { 2 })? {
        0 => Message::text(&string(bytes)?),
        1 => Message::html(&string(bytes)?),
        2 => {
            let types = [
                "application/octet-stream",
                "text/plain; charset=utf-8",
                "image/png",
                "message/rfc822",
                "x",
                "",
            ];
            let kind = match bytes.int_in_range(0..=6)? {
                n @ 0..=5 => types[n].to_owned(),
                _ => string(bytes)?,
            };
            let Ok(mut part) = Message::part(&kind) else { return Ok(None) };
            let length = bytes.arbitrary_len::<u8>()?.min(2000);
            let _ = part.set_body_bytes(bytes.bytes(length)?);
            part
        }
        3 => {
            let mut parts = Vec::new();
            for _ in 0..bytes.int_in_range(0..=3)? {
                parts.extend(part(bytes, depth + 1)?);
            }
            match Message::multipart(bytes.choose(&["mixed", "alternative", "related", "x y"])?, parts) {
                Ok(message) => message,
                Err(_) => return Ok(None),
            }
        }
        4 => match part(bytes, depth + 1)? {
            Some(inner) => match Message::rfc822(inner) {
                Ok(message) => message,
                Err(_) => return Ok(None),
            },
            None => return Ok(None),
        },
        _ => {
            let mut message = Message::text(&string(bytes)?);
            let _ = message.attach_bytes("a file", Some("image/png"), string(bytes)?.into_bytes());
            message
        }
    };
    for _ in 0..bytes.int_in_range(0..=3)? {
        let name = match bytes.int_in_range(0..=5)? {
            n @ 0..=4 => ["Subject", "To", "Content-ID", "From", "X-Y"][n].to_owned(),
            _ => string(bytes)?,
        };
        // A name that stands in the way of the check at the end.
        if !name.to_ascii_lowercase().contains("x-injected") {
            let _ = message.set_header(&name, &string(bytes)?, HeaderMode::Append);
        }
        let _ = message.set_parameter("name", &string(bytes)?);
        let encodings = [Encoding::SevenBit, Encoding::EightBit, Encoding::QuotedPrintable, Encoding::Base64];
        let _ = message.set_encoding(*bytes.choose(&encodings)?);
    }
    Ok(Some(message))
}

/// Words, and what could break out of a field.
fn string(bytes: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    const PIECES: [&str; 12] = [
        "word",
        " ",
        "\r\nX-Injected: yes",
        "\n",
        "\0",
        "é日",
        "=?utf-8?q?x?=",
        "a@b.c",
        "\"",
        "\\",
        ";",
        ".",
    ];
    let mut text = String::new();
    for _ in 0..bytes.int_in_range(0..=8)? {
        match bytes.int_in_range(0..=3)? {
            0 => text.push_str(&bytes.arbitrary::<String>()?),
            1 => text.push_str(&"long ".repeat(bytes.int_in_range(0..=300)?)),
            _ => text.push_str(bytes.choose(&PIECES)?),
        }
    }
    Ok(text)
}
