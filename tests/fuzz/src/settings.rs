//! Options by name, and the servers that they name.

use smtpclient::options::{Options, names};
use smtpclient::server::servers;

/// Lines of `name=value`: taken, or an error that says why and shows no secret.
pub(crate) fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let known: Vec<&str> = names().collect();
    let mut options = Options::default();
    for line in text.lines().take(20) {
        let (name, value) = line.split_once('=').unwrap_or(("servers", line));
        // `debug` prints; anything else may be set to anything.
        if name != "debug"
            && let Err(error) = options.set(name, value)
        {
            assert!(!error.text().is_empty());
            let secret = ["password", "oauthtoken", "tlskeypassword"].contains(&name);
            assert!(!(secret && value.len() > 3 && error.text().contains(value)), "{}", error.text());
        }
    }
    assert!(known.contains(&"servers"));
    for server in servers(&options).unwrap_or_default() {
        assert!(!server.host().is_empty());
        assert!(!server.host().contains(['\r', '\n', '\0', ' ']), "{server:?}");
    }
}
