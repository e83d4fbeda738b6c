//! Options by name, and the servers that they name.

use smtpclient::options::{OptionKind, Options, all, find};
use smtpclient::server::servers;

/// Lines of `name=value`: taken, or an error that says why and shows no secret.
pub(crate) fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let known: Vec<&str> = all().map(|option| option.name).collect();
    let mut options = Options::default();
    for line in text.lines().take(20) {
        let (name, value) = line.split_once('=').unwrap_or(("servers", line));
        // `debug` prints; anything else may be set to anything.
        if name != "debug"
            && let Err(error) = options.set(name, value)
        {
            assert!(!error.text().is_empty());
            // The error of a proxy shows what one looks like, which a value may happen to be a part of.
            let secret = name != "proxy" && find(name).is_ok_and(|option| option.kind == OptionKind::Secret);
            assert!(!(secret && value.len() > 3 && error.text().contains(value)), "{}", error.text());
        }
    }
    assert!(known.contains(&"servers"));
    for server in servers(&options).unwrap_or_default() {
        assert!(!server.host().is_empty());
        assert!(!server.host().contains(['\r', '\n', '\0', ' ']), "{server:?}");
    }
}
