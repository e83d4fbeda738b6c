//! What may be shown of option `servers`.

use std::borrow::Cow;

/// An entry of option `servers` as it may be shown: without user name and password.
pub fn shown_server(entry: &str) -> Cow<'_, str> {
    let (scheme, rest) = entry.split_once("://").map_or(("", entry), |(scheme, rest)| (scheme, rest));
    let mark = if scheme.is_empty() { "" } else { "://" };
    if let Some((_, host)) = rest.rsplit_once('@') {
        return format!("{scheme}{mark}***@{host}").into();
    }
    // Where the host was forgotten, or a comma in the password has ended the entry, the password stands for the port.
    match rest.split_once(':') {
        Some((host, port)) if !mark.is_empty() && !host.starts_with('[') && !port.bytes().all(is_of_port) => {
            format!("{scheme}{mark}{host}:***").into()
        }
        _ => entry.into(),
    }
}

fn is_of_port(octet: u8) -> bool {
    octet.is_ascii_digit() || octet == b'/'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_shown_without_its_secrets() {
        for (entry, wanted) in [
            ("m.example:25", "m.example:25"),
            ("::1", "::1"),
            ("unix:/run/x", "unix:/run/x"),
            ("smtp://[::1]:25/", "smtp://[::1]:25/"),
            ("smtp://m:25", "smtp://m:25"),
            ("smtp://u:p@m:25", "smtp://***@m:25"),
            ("u:p@m", "***@m"),
            ("smtp://u:p", "smtp://u:***"),
        ] {
            assert_eq!(shown_server(entry), wanted);
        }
    }
}
