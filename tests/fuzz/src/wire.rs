//! What goes over the wire, octet by octet.

use smtpclient::extensions::Extensions;
use smtpclient::reply::{Reply, ReplyFault, ReplyParser, queue_id};
use smtpclient::wire::DotEncoder;

/// All replies of an input that comes in pieces, up to the first fault.
fn replies<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Result<Reply, ReplyFault>> {
    let mut parser = ReplyParser::new();
    let mut found = Vec::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            let (used, reply) = parser.parse(piece);
            assert!(used <= piece.len());
            assert!(used > 0 || reply.is_some(), "it neither takes nor gives");
            piece = &piece[used..];
            let Some(reply) = reply else { continue };
            let over = reply.is_err();
            found.push(reply);
            if over {
                return found;
            }
        }
    }
    found
}

/// However a reply is cut, it is the same reply, and it is bounded.
pub(crate) fn reply(data: &[u8]) {
    let whole = replies(std::iter::once(data));
    assert_eq!(whole, replies(data.chunks(1)), "octet by octet");
    let middle = data.len() / 2;
    assert_eq!(whole, replies([&data[..middle], &data[middle..]].into_iter()), "in two");
    for reply in whole.iter().flatten() {
        assert!((200..600).contains(&reply.code()), "{reply:?}");
        assert!(reply.lines().count() <= 512 && reply.text().len() <= 4 * 65536, "{}", reply.text().len());
        assert!(!reply.text().chars().any(|c| c.is_control() && c != '\n'), "{reply:?}");
        assert_eq!(&Reply::new(reply.code(), &*reply.raw()), reply);
        if let Some(id) = queue_id(reply) {
            assert!(reply.text().contains(id));
        }
    }
}

/// Every keyword that is found can be asked for, and they are bounded.
pub(crate) fn ehlo(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let found = Extensions::parse(&Reply::new(250, text));
    assert!(found.keywords().count() <= 256 && found.auth().len() <= 64);
    for (keyword, _) in found.keywords() {
        assert!(found.has(keyword) && found.has(&keyword.to_ascii_lowercase()), "{keyword}");
    }
    assert!(found.size_limit().is_none_or(|limit| limit > 0));
    assert!(found.starttls() == found.has("STARTTLS") && found.pipelining() == found.has("PIPELINING"));
    let _ = (found.limits(), found.deliver_by_least(), found.future_release());
}

/// Held against the same written plainly.
pub(crate) fn encoder(data: &[u8]) {
    let (cut, data) = data.split_first().map_or((1, data), |(cut, rest)| (usize::from(*cut).max(1), rest));
    for dots in [true, false] {
        let mut encoder = if dots { DotEncoder::new() } else { DotEncoder::without_dots() };
        let mut out = Vec::new();
        data.chunks(cut).for_each(|piece| encoder.encode(piece, &mut out));
        encoder.finish(&mut out);
        let wanted = plainly(data, dots);
        assert_eq!(out, wanted, "dots {dots}, in pieces of {cut}");
        if dots {
            // Nothing ends the message but its end.
            let end = out.windows(5).position(|five| five == b"\r\n.\r\n");
            assert!(end.is_none_or(|at| at + 5 == out.len()));
        }
    }
}

fn plainly(data: &[u8], dots: bool) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut octets = data.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' => {
                octets.next_if_eq(&b'\n');
                lines.push(Vec::new());
            }
            b'\n' => lines.push(Vec::new()),
            other => lines.last_mut().unwrap().push(other),
        }
    }
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let mut out = Vec::new();
    for line in lines {
        if dots && line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend(line);
        out.extend_from_slice(b"\r\n");
    }
    if dots {
        out.extend_from_slice(b".\r\n");
    }
    out
}
