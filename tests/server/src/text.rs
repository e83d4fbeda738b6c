//! The escapes of dialogue files, and the words in braces that stand for a value that changes.

/// The octets that `text` stands for.
///
/// # Errors
/// A backslash that begins no escape, named with what follows it.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'0') => 0,
            Some(b's') => b' ',
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let mut digit = || (rest.next().unwrap_or(0) as char).to_digit(16);
                let (high, low) = (digit(), digit());
                match (high, low) {
                    (Some(high), Some(low)) => (high * 16 + low) as u8,
                    _ => return Err(format!("`\\x` wants two hexadecimal digits: {text}")),
                }
            }
            _ => return Err(format!("a backslash that begins no escape: {text}")),
        });
    }
    Ok(out)
}

/// The octets in the notation of dialogue files, for messages to people.
pub fn escape(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    for &byte in octets {
        match byte {
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n"),
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' => out.push(byte as char),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out
}

/// A line that is expected: octets, and placeholders between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    source: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Octets(Vec<u8>),
    /// With one of these offsets; any where there is none.
    Date(Vec<String>),
    MessageId,
    Rest,
}

const SAMPLES: [(&str, &str); 3] =
    [("{date", "Tue, 22 Nov 2022 02:03:04 "), ("{message-id}", "<a.b@client.example>"), ("{*}", "")];

impl Pattern {
    /// Reads a pattern; `{size}` is `size`.
    ///
    /// # Errors
    /// As [`unescape`], and a `{date` without its brace.
    pub fn parse(text: &str, size: usize) -> Result<Self, String> {
        let text = text.replace("{size}", &size.to_string());
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        loop {
            let next = SAMPLES.iter().filter_map(|(name, _)| rest.find(name).map(|at| (at, *name))).min();
            let Some((at, name)) = next else { break };
            pieces.push(Piece::Octets(unescape(&rest[..at])?));
            rest = &rest[at + name.len()..];
            pieces.push(match name {
                "{date" => {
                    let (offsets, behind) =
                        rest.split_once('}').ok_or(format!("no `}}` after {{date: {text}"))?;
                    rest = behind;
                    Piece::Date(offsets.split_whitespace().map(str::to_owned).collect())
                }
                "{message-id}" => Piece::MessageId,
                _ => Piece::Rest,
            });
        }
        pieces.push(Piece::Octets(unescape(rest)?));
        Ok(Self { source: text, pieces })
    }

    /// Whether the whole of `line` (without its CRLF) is as expected.
    pub fn matches(&self, line: &[u8]) -> bool {
        let mut rest = line;
        for piece in &self.pieces {
            let taken = match piece {
                Piece::Octets(octets) if rest.starts_with(octets) => octets.len(),
                Piece::Octets(_) => return false,
                Piece::Date(offsets) => match date_length(rest) {
                    length if offsets.is_empty() => length,
                    length if offsets.iter().any(|one| rest[..length].ends_with(one.as_bytes())) => length,
                    _ => 0,
                },
                Piece::MessageId => message_id_length(rest),
                Piece::Rest => rest.len(),
            };
            if taken == 0 && matches!(piece, Piece::Date(_) | Piece::MessageId) {
                return false;
            }
            rest = &rest[taken..];
        }
        rest.is_empty()
    }

    /// A line that matches: what a model client says.
    pub fn sample(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Octets(octets) => out.extend_from_slice(octets),
                Piece::Date(offsets) => {
                    out.extend_from_slice(SAMPLES[0].1.as_bytes());
                    out.extend_from_slice(offsets.first().map_or("+0100", String::as_str).as_bytes());
                }
                Piece::MessageId => out.extend_from_slice(SAMPLES[1].1.as_bytes()),
                Piece::Rest => out.extend_from_slice(SAMPLES[2].1.as_bytes()),
            }
        }
        out
    }

    /// As it stands in the file.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// The length of the RFC 5322 date-time that `text` begins with; 0 where it begins with none.
fn date_length(text: &[u8]) -> usize {
    let Ok(text) = std::str::from_utf8(text) else {
        return 0;
    };
    // `D, d Mon yyyy hh:mm:ss zone`: six words, the first day with one or two digits.
    let words: Vec<&str> = text.split(' ').take(6).collect();
    let [name, day, month, year, time, zone] = words[..] else {
        return 0;
    };
    let digits = |word: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit())
    };
    let days = ["Mon,", "Tue,", "Wed,", "Thu,", "Fri,", "Sat,", "Sun,"];
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let time_ok =
        time.len() == 8 && time.split(':').count() == 3 && time.split(':').all(|part| digits(part, 2..=2));
    let Some(zone) = zone.get(..5) else { return 0 };
    let zone_ok = (zone.starts_with('+') || zone.starts_with('-')) && digits(&zone[1..], 4..=4);
    if days.contains(&name)
        && digits(day, 1..=2)
        && months.contains(&month)
        && digits(year, 4..=4)
        && time_ok
        && zone_ok
    {
        name.len() + day.len() + month.len() + year.len() + time.len() + zone.len() + 5
    } else {
        0
    }
}

/// The length of the msg-id (RFC 5322 section 3.6.4) that `text` begins with; 0 where it begins with none.
fn message_id_length(text: &[u8]) -> usize {
    let Some(end) = text.iter().position(|&b| b == b'>') else {
        return 0;
    };
    let Some(inner) = text.get(1..end) else {
        return 0;
    };
    let at = inner.iter().position(|&b| b == b'@');
    let sound = inner.iter().all(|&b| (b'!'..=b'~').contains(&b) && b != b'<');
    match at {
        Some(at) if text.starts_with(b"<") && sound && at > 0 && at + 1 < inner.len() => end + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_go_both_ways() {
        assert_eq!(unescape("a\\r\\n\\0\\t\\s\\\\\\x80\\xfF").unwrap(), b"a\r\n\0\t \\\x80\xff");
        assert_eq!(unescape("grün").unwrap(), "grün".as_bytes());
        for bad in ["\\", "\\q", "\\x1", "\\xg0", "\\x"] {
            unescape(bad).unwrap_err();
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unescape(&escape(&all)).unwrap(), all);
    }

    #[test]
    fn patterns_match_the_whole_line() {
        let plain = Pattern::parse("MAIL FROM:<> SIZE={size}", 12).unwrap();
        assert!(plain.matches(b"MAIL FROM:<> SIZE=12"));
        assert!(!plain.matches(b"MAIL FROM:<> SIZE=123"));
        assert!(!plain.matches(b"MAIL FROM:<> SIZE=1"));
        let date = Pattern::parse("Date: {date}", 0).unwrap();
        assert!(date.matches(b"Date: Tue, 2 Jan 2024 03:04:05 -0930"));
        assert!(!date.matches(b"Date: Tue, 2 Jan 2024 03:04:05 -0930 "));
        assert!(!date.matches(b"Date: Tue, 2 Jan 2024 03:04:5 -0930"));
        assert!(!date.matches(b"Date: 2024-01-02T03:04:05Z"));
        assert!(!date.matches(b"Date: "));
        let zone = Pattern::parse("Date: {date -0930 -0830}", 0).unwrap();
        assert!(zone.matches(b"Date: Tue, 2 Jan 2024 03:04:05 -0930"));
        assert!(zone.matches(b"Date: Tue, 2 Jan 2024 03:04:05 -0830"));
        assert!(!zone.matches(b"Date: Tue, 2 Jan 2024 03:04:05 +0930"));
        assert!(zone.matches(&zone.sample()));
        Pattern::parse("{date +0100", 0).unwrap_err();
        let id = Pattern::parse("{message-id}!", 0).unwrap();
        assert!(id.matches(b"<a@b>!"));
        for bad in [&b"<a@b>"[..], b"<ab>!", b"<@b>!", b"<a@>!", b"<a @b>!", b"a@b>!", b"!", b"<a@b"] {
            assert!(!id.matches(bad), "{}", escape(bad));
        }
        let rest = Pattern::parse("X: {*}", 0).unwrap();
        assert!(rest.matches(b"X: ") && rest.matches(b"X: \x80"));
        for pattern in [plain, date, id, rest] {
            assert!(pattern.matches(&pattern.sample()), "{}", pattern.source());
        }
    }
}
